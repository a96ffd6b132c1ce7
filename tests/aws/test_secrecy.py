"""What the run learns about itself in AWS stays in memory, and nothing of the machine leaks in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from pipe.clock import SystemClock
from tests.aws.conftest import AwsStage
from tests.sandbox import Server, World
from tests.sandbox.aws import Cloud
from tests.support.process import finish, start

LIBRARIES = ("boto3", "botocore", "urllib3", "requests")


@contextmanager
def talkative() -> Iterator[None]:
    """Every library tells all it does."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_no_secret_is_told_however_much_is_logged(aws: AwsStage, folder: Path) -> None:
    """Identity token, the role's keys and the portal's token: in no output and in no file."""
    name = "deploy/portal-token"
    aws.cloud.client("secretsmanager").create_secret(
        Name=name, SecretString=f'{{"DUPLO_TOKEN": "{aws.stage.world.token}"}}'
    )
    token = aws.cloud.issuer.token()
    image = f"{aws.cloud.repository()}:1"
    environ = {"DUPLO_TOKEN": "", "DUPLO_TOKEN_SECRET": name, "DEBUG": "true"}
    with talkative():
        ending = aws.deploy(image, BITBUCKET_STEP_OIDC_TOKEN=token, **environ)
    assert ending.code == 5, ending.text
    assert "Response body" in ending.log, "boto3's own log was not heard at all"
    secrets = [token, aws.stage.world.token, *aws.cloud.door.given]
    assert len(secrets) == 5
    for secret in secrets:
        assert secret not in ending.text
        for path in folder.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_nothing_of_the_machine_leaks_in(
    aws: AwsStage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profiles, files, keys and switches of whoever started it change nothing."""
    image = f"{aws.cloud.repository()}:1.4.2"
    aws.cloud.push("1.4.2")
    config = folder / "config"
    config.write_text("[profile other]\nregion = us-west-2\nca_bundle = /nowhere\n", "utf-8")
    keys = folder / "keys"
    keys.write_text("[other]\naws_access_key_id = A\naws_secret_access_key = B\n", "utf-8")
    leaks = {
        "AWS_PROFILE": "other",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(keys),
        "AWS_ACCESS_KEY_ID": "AKIALEAKED",
        "AWS_SECRET_ACCESS_KEY": "leaked",
        "AWS_CA_BUNDLE": "/nowhere",
        "AWS_REGION": "us-west-2",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_MAX_ATTEMPTS": "9",
        "HTTPS_PROXY": "http://nowhere.example:1",
        "HTTP_PROXY": "http://nowhere.example:1",
    }
    for name, value in leaks.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HOME", raising=False)
    aws.cloud.fail("DescribeImages", "ServerException", status=500)
    ending = aws.deploy(image)
    assert ending.code == 0, ending.text
    assert aws.cloud.door.log == ["AssumeRoleWithWebIdentity", "DescribeImages", "DescribeImages"]
    assert set(aws.cloud.door.signers) == {aws.cloud.door.given[0]}
    assert aws.stage.clock.slept[0] == 1.0


def test_static_keys_sign_when_there_is_no_role(aws: AwsStage) -> None:
    """They are the ones in the variables."""
    image = f"{aws.cloud.repository()}:1.4.2"
    aws.cloud.push("1.4.2")
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    ending = aws.deploy(image, AWS_OIDC_ROLE_ARN="", AWS_DEFAULT_REGION="", **keys)
    assert ending.code == 0, ending.text
    assert aws.cloud.door.log == ["DescribeImages"]
    assert aws.cloud.door.signers == ["AKIAIOSFODNN7EXAMPLE"]


def test_the_proxy_is_used_for_aws_too(aws: AwsStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that only the proxy can reach."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.elsewhere.example")
    ending = aws.deploy(HTTP_PROXY=aws.cloud.url)
    assert ending.code == 0, ending.text
    assert aws.cloud.door.log == ["AssumeRoleWithWebIdentity"]


def test_ca_cert_is_trusted_for_aws_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without it exit 4, with it the deploy goes on; both over real TLS."""
    authority = trustme.CA()
    world = quick_world()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Cloud(SystemClock(), tls=authority) as cloud, Server(world) as server:
        environ = {**cloud.environ(), **cloud.endpoints()}
        code, said = deployed(server, **environ)
        assert code == 4, said
        assert "is not trusted" in said
        assert "CA_CERT" in said
        code, said = deployed(server, **environ, CA_CERT=authority.cert_pem.bytes().decode())
        assert code == 0, said


def test_without_a_role_boto3_is_not_imported() -> None:
    """A run that cannot import it goes on; one with a role needs it."""
    world = quick_world()
    forbidden = "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None; "
    program = f"{forbidden}from pipe.__main__ import main; sys.exit(main())"
    with Server(world) as server, Cloud(SystemClock()) as cloud:
        code, said = deployed(server, ("-c", program))
        assert code == 0, said
        assert "team/web:1.4.2" in said
        code, said = deployed(server, ("-c", program), **cloud.environ())
        assert code == 1
        assert "boto3" in said


def quick_world() -> World:
    """A portal on the machine's own clock."""
    world = World(SystemClock())
    world.rollout_seconds = 0.2
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1.4.1")
    return world


def deployed(server: Server, command: tuple[str, ...] = (), **environ: str) -> tuple[int, str]:
    """Run the pipe as a process of its own, without a home."""
    variables = {"VERIFY_IMAGE": "false", "HOME": "/nowhere", **environ}
    return finish(start(server.url, server.world, command=command, **variables))
