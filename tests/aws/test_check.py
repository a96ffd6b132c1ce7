"""`ACTION: check`: what a person on a new runner runs first."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from tests.aws.conftest import AwsStage
from tests.sandbox import ApiFault, Server
from tests.sandbox.aws import ACCOUNT
from tests.support.stage import RunResult


class Checks:
    """Checks over real sockets, with TLS to the portal."""

    def __init__(self, aws: AwsStage, server: Server) -> None:
        self.aws = aws
        self.server = server

    def run(self, image: str, **environ: str) -> RunResult:
        """Check with the usual variables and those given."""
        assert self.server.ca_path is not None
        stage = self.aws.stage
        variables = {
            **self.aws.cloud.environ(),
            "ACTION": "check",
            "DUPLO_HOST": self.server.url,
            "DUPLO_TOKEN": stage.world.token,
            "TENANT": "dev01",
            "SERVICE": "web",
            "IMAGE": image,
            "CA_CERT": str(self.server.ca_path),
            "REPORT_DIR": str(stage.report_dir),
            "BITBUCKET_CLONE_DIR": str(stage.folder),
            **environ,
        }
        ending = stage.run_with(variables, sockets=True)
        assert stage.world.write_attempts() == []
        assert ending.report["changed"] is False
        return ending


@pytest.fixture
def checks(aws: AwsStage, tmp_path: Path) -> Iterator[Checks]:
    """The stage's portal behind TLS of its own authority."""
    with Server(aws.stage.world, tls=tmp_path / "tls") as server:
        yield Checks(aws, server)


@pytest.fixture
def image(aws: AwsStage) -> str:
    """An image that is in ECR."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    return f"{name}:1.4.2"


def facts(ending: RunResult) -> Mapping[str, Mapping[str, Any]]:
    """The facts in deploy.json by topic."""
    return {fact["topic"]: fact for fact in ending.report["checks"]}


def test_everything_in_order_is_told(checks: Checks, image: str) -> None:
    """Exit 0; each fact readable in the log, and in deploy.json."""
    ending = checks.run(image)
    assert ending.code == 0, ending.text
    found = facts(ending)
    assert {fact["verdict"] for fact in found.values()} == {"good"}
    cloud = checks.aws.cloud
    issuer = cloud.issuer
    expected = {
        "variables": "complete",
        "identity token": "valid until 2026-02-03 11:00:00 UTC, 60 min",
        "claim iss": f"Federated arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.provider}",
        "claim aud": f"StringEquals {issuer.provider}:aud {issuer.audience}",
        "claim sub": f"StringLike {issuer.provider}:sub {issuer.repository}:{issuer.environment}:*",
        "claim environment": issuer.environment,
        "connection to STS": "reached directly, without TLS",
        "AWS role": f"assumed-role/deploy/bitbucket-shop-87, account {ACCOUNT}, until ",
        "connection to the portal": "verified against the usual authorities and CA_CERT",
        "portal token": "accepted; it is ci-bot's, for the tenants dev01",
        "tenant": "dev01, id ",
        "service web": "there, asks for team/web:1.4.1",
        "connection to the registry": "reached directly",
        "image": f"{image}: exists, sha256:",
    }
    for topic, told in expected.items():
        assert told in found[topic]["message"], topic
        assert f"[good] {topic}: {found[topic]['message']}" in ending.log
    assert set(found) == set(expected)
    assert "None of 14 checks failed" in ending.result


def test_the_certificate_is_told(checks: Checks, image: str) -> None:
    """Version, cipher, whose it is, who issued it, and until when."""
    told = facts(checks.run(image))["connection to the portal"]["message"]
    assert "TLSv1.3, TLS_AES" in told
    assert "certificate of localhost, 127.0.0.1" in told
    assert 'issued by "Testing CA' in told
    assert "valid until " in told


def test_an_untrusted_certificate_is_bad(checks: Checks, image: str) -> None:
    """The remedy is CA_CERT; the run ends as a deploy would: 4."""
    ending = checks.run(image, CA_CERT="")
    assert ending.code == 4
    fact = facts(ending)["connection to the portal"]
    assert fact["verdict"] == "bad"
    assert "is not trusted" in fact["message"]
    assert "CA_CERT" in fact["remedy"]


def test_several_things_wrong_are_all_told(checks: Checks) -> None:
    """One run, every problem; the first one's code."""
    checks.aws.cloud.trust(checks.aws.cloud.policy("{nobody}:*"))
    environ = {"SERVICE": "wbe", "VERIFY_IMAGE": "auto"}
    ending = checks.run(f"{checks.aws.cloud.repository()}:1", **environ)
    assert ending.code == 3
    found = facts(ending)
    assert found["AWS identity"]["verdict"] == "bad"
    assert '"Effect": "Allow"' in "".join(found["AWS identity"]["details"])
    assert found["service wbe"]["verdict"] == "bad"
    assert "Did you mean web?" in found["service wbe"]["message"]
    assert found["image"]["verdict"] == "open"
    assert "2 of " in ending.result
    assert "AWS identity, service wbe" in ending.result


def test_an_expired_token_is_bad(checks: Checks, image: str) -> None:
    """Told once; AWS is not asked."""
    token = checks.aws.cloud.issuer.token(exp=1)
    ending = checks.run(image, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert ending.code == 3
    assert "expired at 1970-01-01" in facts(ending)["identity token"]["message"]
    assert checks.aws.cloud.door.log == []


def test_a_wrong_portal_token_is_bad(checks: Checks, image: str) -> None:
    """Exit 3; what needs the token is left out."""
    ending = checks.run(image, DUPLO_TOKEN="wrong-token")
    assert ending.code == 3
    assert facts(ending)["portal token"]["verdict"] == "bad"
    assert "tenant" not in facts(ending)


def test_an_absent_tenant_is_bad(checks: Checks, image: str) -> None:
    """Nearest names and all."""
    ending = checks.run(image, TENANT="dev1")
    assert ending.code == 4
    assert "Did you mean dev01?" in facts(ending)["tenant"]["message"]


def test_an_absent_image_is_bad(checks: Checks, image: str) -> None:
    """Exit 5, with the nearest tags."""
    ending = checks.run(image.replace("1.4.2", "1.4.3"))
    assert ending.code == 5
    assert "Did you mean 1.4.2?" in facts(ending)["image"]["message"]


def test_static_keys_are_told(checks: Checks, image: str) -> None:
    """Whose they are, in which account."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    ending = checks.run(image, AWS_OIDC_ROLE_ARN="", **keys)
    assert ending.code == 0, ending.text
    assert f"account {ACCOUNT}" in facts(ending)["AWS keys"]["message"]


def test_a_secret_with_the_token_is_read(checks: Checks, image: str) -> None:
    """The portal's token comes from there, and is not shown."""
    store = checks.aws.cloud.client("secretsmanager")
    store.create_secret(Name="portal", SecretString=checks.aws.stage.world.token)
    ending = checks.run(image, DUPLO_TOKEN="", DUPLO_TOKEN_SECRET="portal")
    assert ending.code == 0, ending.text
    assert "accepted" in facts(ending)["portal token"]["message"]
    assert "reached directly" in facts(ending)["connection to Secrets Manager"]["message"]


def test_a_portal_that_does_not_name_the_user_is_fine(checks: Checks, image: str) -> None:
    """Old ones have no such call."""
    checks.aws.stage.world.script(ApiFault("GET", "GetUserRoleInfo", status=404, times=9))
    ending = checks.run(image)
    assert ending.code == 0, ending.text
    assert "a user whom the portal does not name" in facts(ending)["portal token"]["message"]


def test_the_proxy_is_named_without_its_password(checks: Checks, image: str) -> None:
    """The registry is asked through it; localhost never is."""
    with Tunnel() as tunnel:
        ending = checks.run(
            "registry.example/team/web:1",
            HTTPS_PROXY=f"http://me:proxy-password@127.0.0.1:{tunnel.port}",
        )
    fact = facts(ending)["connection to the registry"]
    assert fact["verdict"] == "open"
    assert "The proxy does not let us through to registry.example" in fact["message"]
    assert "403" in fact["message"]
    assert tunnel.asked[0].startswith("CONNECT registry.example:443")
    assert "Proxy-Authorization: Basic" in tunnel.asked[0]
    assert "proxy-password" not in ending.text
    assert "reached directly" in facts(ending)["connection to the portal"]["message"]


class Tunnel:
    """A proxy that lets nobody through."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096).decode())
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
