"""Credentials stay in memory, and the machine's AWS configuration is ignored."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from pipe.clock import SystemClock
from tests.aws.conftest import AwsHarness
from tests.sandbox import Server, World
from tests.sandbox.aws import Cloud
from tests.support.process import finish, start

LIBRARIES = ("boto3", "botocore", "urllib3", "requests")


@contextmanager
def all_libraries_debugging() -> Iterator[None]:
    """Log every library at level DEBUG."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_no_secret_is_logged_at_any_level(aws: AwsHarness, folder: Path) -> None:
    """Identity token, the role's keys and the portal token are in no output and no file."""
    name = "deploy/portal-token"
    aws.cloud.client("secretsmanager").create_secret(
        Name=name, SecretString=f'{{"DUPLO_TOKEN": "{aws.harness.world.token}"}}'
    )
    token = aws.cloud.issuer.token()
    image = f"{aws.cloud.repository()}:1"
    environ = {"DUPLO_TOKEN": "", "DUPLO_TOKEN_SECRET": name, "DEBUG": "true"}
    with all_libraries_debugging():
        result = aws.deploy(image, BITBUCKET_STEP_OIDC_TOKEN=token, **environ)
    assert result.code == 5, result.text
    assert "Response body" in result.log, "boto3 did not log its responses"
    secrets = [token, aws.harness.world.token, *aws.cloud.door.given]
    assert len(secrets) == 5
    for secret in secrets:
        assert secret not in result.text
        for path in folder.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_the_machines_aws_configuration_is_ignored(
    aws: AwsHarness, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profiles, files, keys and switches in the environment change nothing."""
    image = f"{aws.cloud.repository()}:1.4.2"
    aws.cloud.push("1.4.2")
    config = folder / "config"
    config.write_text("[profile other]\nregion = us-west-2\nca_bundle = /nowhere\n", "utf-8")
    keys = folder / "keys"
    keys.write_text("[other]\naws_access_key_id = A\naws_secret_access_key = B\n", "utf-8")
    ignored = {
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
    for name, value in ignored.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HOME", raising=False)
    aws.cloud.fail("DescribeImages", "ServerException", status=500)
    result = aws.deploy(image)
    assert result.code == 0, result.text
    assert aws.cloud.door.log == ["AssumeRoleWithWebIdentity", "DescribeImages", "DescribeImages"]
    assert set(aws.cloud.door.signers) == {aws.cloud.door.given[0]}
    assert aws.harness.clock.slept[0] == 1.0


def test_static_keys_sign_when_there_is_no_role(aws: AwsHarness) -> None:
    """They are those in the variables."""
    image = f"{aws.cloud.repository()}:1.4.2"
    aws.cloud.push("1.4.2")
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    result = aws.deploy(image, AWS_OIDC_ROLE_ARN="", AWS_DEFAULT_REGION="", **keys)
    assert result.code == 0, result.text
    assert aws.cloud.door.log == ["DescribeImages"]
    assert aws.cloud.door.signers == ["AKIAIOSFODNN7EXAMPLE"]


def test_the_proxy_is_used_for_aws(aws: AwsHarness) -> None:
    """A proxy that is down is the reason why STS is not reached."""
    elsewhere = {"AWS_ENDPOINT_URL_STS": "https://sts.elsewhere.example"}
    result = aws.refused(4, **elsewhere, HTTPS_PROXY="http://127.0.0.1:9")
    assert "The proxy 127.0.0.1:9 cannot be reached: connection refused." in result.stdout


def test_ca_cert_is_trusted_for_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit 4 without it, a deploy with it; both over real TLS."""
    authority = trustme.CA()
    world = quick_world()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Cloud(SystemClock(), tls=authority) as cloud, Server(world) as server:
        environ: dict[str, Any] = {**cloud.environ(), **cloud.endpoints()}
        code, output = deployed(server, **environ)
        assert code == 4, output
        assert "is not trusted" in output
        assert "CA_CERT" in output
        code, output = deployed(server, **environ, CA_CERT=authority.cert_pem.bytes().decode())
        assert code == 0, output


def test_without_a_role_boto3_is_not_imported() -> None:
    """A run without a role works where boto3 cannot be imported."""
    world = quick_world()
    forbidden = "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None; "
    program = f"{forbidden}from pipe.__main__ import main; sys.exit(main())"
    with Server(world) as server, Cloud(SystemClock()) as cloud:
        code, output = deployed(server, ("-c", program))
        assert code == 0, output
        assert "team/web:1.4.2" in output
        code, output = deployed(server, ("-c", program), **cloud.environ())
        assert code == 1
        assert "boto3" in output


def quick_world() -> World:
    """Return a portal on the machine's clock, with quick rollouts."""
    world = World(SystemClock())
    world.rollout_seconds = 0.2
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1.4.1")
    return world


def deployed(server: Server, command: tuple[str, ...] = (), **environ: str) -> tuple[int, str]:
    """Run the pipe in a separate process without a home folder; return exit code and output."""
    variables: dict[str, Any] = {"VERIFY_IMAGE": "false", "HOME": "/nowhere", **environ}
    return finish(start(server.url, server.world, command=command, **variables))
