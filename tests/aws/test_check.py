"""`ACTION: check` with AWS: the first run on a new runner."""

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
    """Runs `ACTION: check` over real sockets, with TLS to the portal."""

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
        ending = stage.run(variables, sockets=True)
        assert stage.world.write_attempts() == []
        assert ending.report["changed"] is False
        return ending


@pytest.fixture
def checks(aws: AwsStage, tmp_path: Path) -> Iterator[Checks]:
    """Serve the stage's portal with TLS from an unknown authority."""
    with Server(aws.stage.world, tls=tmp_path / "tls") as server:
        yield Checks(aws, server)


@pytest.fixture
def image(aws: AwsStage) -> str:
    """Return an image that exists in ECR."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    return f"{name}:1.4.2"


def results(ending: RunResult) -> Mapping[str, Mapping[str, Any]]:
    """Return the check results in deploy.json by topic."""
    return {check["topic"]: check for check in ending.report["checks"]}


def test_a_complete_setup_passes_every_check(checks: Checks, image: str) -> None:
    """Exit 0; each result is in the log and in deploy.json."""
    ending = checks.run(image)
    assert ending.code == 0, ending.text
    checked = results(ending)
    assert {check["verdict"] for check in checked.values()} == {"good"}
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
    for topic, message in expected.items():
        assert message in checked[topic]["message"], topic
        assert f"[good] {topic}: {checked[topic]['message']}" in ending.log
    assert set(checked) == set(expected)
    assert "None of 14 checks failed" in ending.result


def test_the_tls_connection_is_described(checks: Checks, image: str) -> None:
    """TLS version, cipher, subject, issuer and expiry are shown."""
    message = results(checks.run(image))["connection to the portal"]["message"]
    assert "TLSv1.3, TLS_AES" in message
    assert "certificate of localhost, 127.0.0.1" in message
    assert 'issued by "Testing CA' in message
    assert "valid until " in message


def test_an_untrusted_certificate_fails_the_check(checks: Checks, image: str) -> None:
    """The remedy names CA_CERT, and the exit code is that of a deploy: 4."""
    ending = checks.run(image, CA_CERT="")
    assert ending.code == 4
    check = results(ending)["connection to the portal"]
    assert check["verdict"] == "bad"
    assert "is not trusted" in check["message"]
    assert "CA_CERT" in check["remedy"]


def test_all_failed_checks_are_reported_in_one_run(checks: Checks) -> None:
    """The exit code is that of the first."""
    checks.aws.cloud.trust(checks.aws.cloud.policy("{other}:*"))
    environ = {"SERVICE": "wbe", "VERIFY_IMAGE": "auto"}
    ending = checks.run(f"{checks.aws.cloud.repository()}:1", **environ)
    assert ending.code == 3
    checked = results(ending)
    assert checked["AWS identity"]["verdict"] == "bad"
    assert '"Effect": "Allow"' in "".join(checked["AWS identity"]["details"])
    assert checked["service wbe"]["verdict"] == "bad"
    assert "Did you mean web?" in checked["service wbe"]["message"]
    assert checked["image"]["verdict"] == "open"
    assert "2 of " in ending.result
    assert "AWS identity, service wbe" in ending.result


def test_an_expired_identity_token_fails_the_check(checks: Checks, image: str) -> None:
    """It is reported once, and AWS gets no request."""
    token = checks.aws.cloud.issuer.token(exp=1)
    ending = checks.run(image, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert ending.code == 3
    assert "expired at 1970-01-01" in results(ending)["identity token"]["message"]
    assert checks.aws.cloud.door.log == []


def test_a_wrong_portal_token_fails_the_check(checks: Checks, image: str) -> None:
    """Exit 3; checks that need the token are skipped."""
    ending = checks.run(image, DUPLO_TOKEN="wrong-token")
    assert ending.code == 3
    assert results(ending)["portal token"]["verdict"] == "bad"
    assert "tenant" not in results(ending)


def test_a_missing_tenant_fails_the_check(checks: Checks, image: str) -> None:
    """Similar names are suggested."""
    ending = checks.run(image, TENANT="dev1")
    assert ending.code == 4
    assert "Did you mean dev01?" in results(ending)["tenant"]["message"]


def test_a_missing_image_fails_the_check(checks: Checks, image: str) -> None:
    """Exit 5; similar tags are suggested."""
    ending = checks.run(image.replace("1.4.2", "1.4.3"))
    assert ending.code == 5
    assert "Did you mean 1.4.2?" in results(ending)["image"]["message"]


def test_the_account_of_static_keys_is_shown(checks: Checks, image: str) -> None:
    """Their owner is identified."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    ending = checks.run(image, AWS_OIDC_ROLE_ARN="", **keys)
    assert ending.code == 0, ending.text
    assert f"account {ACCOUNT}" in results(ending)["AWS keys"]["message"]


def test_the_portal_token_is_read_from_its_secret(checks: Checks, image: str) -> None:
    """The check uses it and does not show it."""
    store = checks.aws.cloud.client("secretsmanager")
    store.create_secret(Name="portal", SecretString=checks.aws.stage.world.token)
    ending = checks.run(image, DUPLO_TOKEN="", DUPLO_TOKEN_SECRET="portal")
    assert ending.code == 0, ending.text
    assert "accepted" in results(ending)["portal token"]["message"]
    assert "reached directly" in results(ending)["connection to Secrets Manager"]["message"]


def test_a_portal_that_does_not_name_the_user_passes(checks: Checks, image: str) -> None:
    """Old portals have no such call."""
    checks.aws.stage.world.script(ApiFault("GET", "GetUserRoleInfo", status=404, times=9))
    ending = checks.run(image)
    assert ending.code == 0, ending.text
    assert "a user whom the portal does not name" in results(ending)["portal token"]["message"]


def test_the_proxy_is_named_without_its_password(checks: Checks, image: str) -> None:
    """The registry is reached through it, localhost is not."""
    with Tunnel() as tunnel:
        ending = checks.run(
            "registry.example/team/web:1",
            HTTPS_PROXY=f"http://me:proxy-password@127.0.0.1:{tunnel.port}",
        )
    check = results(ending)["connection to the registry"]
    assert check["verdict"] == "open"
    assert "The proxy did not connect to registry.example" in check["message"]
    assert "403" in check["message"]
    assert tunnel.requests[0].startswith("CONNECT registry.example:443")
    assert "Proxy-Authorization: Basic" in tunnel.requests[0]
    assert "proxy-password" not in ending.text
    assert "reached directly" in results(ending)["connection to the portal"]["message"]


class Tunnel:
    """A proxy that refuses every connection."""

    def __init__(self) -> None:
        self.requests: list[str] = []
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
                self.requests.append(connection.recv(4096).decode())
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
