"""`ACTION: check`: every check passes or fails with its remedy, and nothing is changed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from tests.aws.conftest import AwsHarness
from tests.sandbox import ApiFault, Server
from tests.sandbox.aws import ACCOUNT
from tests.support.harness import RunResult


class CheckRuns:
    """Runs of ACTION: check over real sockets, with TLS to the portal."""

    def __init__(self, aws: AwsHarness, server: Server) -> None:
        self.aws = aws
        self.server = server

    def run(self, image: str, **environ: str) -> RunResult:
        """Run the checks with the usual variables and those given."""
        assert self.server.ca_path is not None
        harness = self.aws.harness
        variables = {
            **self.aws.cloud.environ(),
            **self.aws.cloud.endpoints(),
            "ACTION": "check",
            "DUPLO_HOST": self.server.url,
            "DUPLO_TOKEN": harness.world.token,
            "TENANT": "dev01",
            "SERVICE": "web",
            "IMAGE": image,
            "CA_CERT": str(self.server.ca_path),
            "REPORT_DIR": str(harness.report_dir),
            "BITBUCKET_CLONE_DIR": str(harness.folder),
            **environ,
        }
        run_result = harness.run_with(variables, sockets=True)
        assert harness.world.write_attempts() == []
        assert run_result.report["changed"] is False
        return run_result


@pytest.fixture
def checks(aws: AwsHarness, tmp_path: Path) -> Iterator[CheckRuns]:
    """Serve the harness's portal over TLS with a private authority."""
    with Server(aws.harness.world, tls=tmp_path / "tls") as server:
        yield CheckRuns(aws, server)


@pytest.fixture
def image(aws: AwsHarness) -> str:
    """Push an image to ECR and return its name."""
    name = aws.cloud.repository()
    aws.cloud.push("1.4.2")
    return f"{name}:1.4.2"


def results(run_result: RunResult) -> Mapping[str, Mapping[str, Any]]:
    """Return the results in deploy.json by name."""
    return {result["name"]: result for result in run_result.report["checks"]}


def test_every_check_passes(checks: CheckRuns, image: str) -> None:
    """Exit 0; each result is in the log and in deploy.json."""
    run_result = checks.run(image)
    assert run_result.code == 0, run_result.text
    found = dict(results(run_result))
    # The sandbox hands out no access to Kubernetes here.
    assert found.pop("Kubernetes access")["status"] == "unknown"
    assert {result["status"] for result in found.values()} == {"passed"}
    cloud = checks.aws.cloud
    issuer = cloud.issuer
    expected = {
        "variables": "complete and valid",
        "identity token": "valid until 2026-02-03 11:00:00 UTC, 60 min",
        "claim iss": f"Federated arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.provider}",
        "claim aud": f"StringEquals {issuer.provider}:aud {issuer.audience}",
        "claim sub": f"StringLike {issuer.provider}:sub {issuer.repository}:{issuer.environment}:*",
        "claim environment": issuer.environment,
        "connection to STS": "reached directly, without TLS",
        "AWS role": f"assumed-role/deploy/bitbucket-shop-87, account {ACCOUNT}, until ",
        "connection to the portal": "verified against the default authorities and CA_CERT",
        "portal token": "accepted; user: ci-bot; tenants: dev01",
        "tenant": "dev01, id ",
        "token life": "nothing shows when it ends",
        "service web": "exists, is set to team/web:1.4.1",
        "connection to the registry": "reached directly",
        "image": f"{image}: exists, sha256:",
    }
    for name, message in expected.items():
        assert message in found[name]["message"], name
        assert f"[passed] {name}: {found[name]['message']}" in run_result.log
    assert set(found) == set(expected)
    assert "15 of 16 checks passed, 1 unknown. Nothing was changed." in run_result.stdout


def test_the_certificate_is_described(checks: CheckRuns, image: str) -> None:
    """TLS version, cipher, subject, issuer and validity."""
    message = results(checks.run(image))["connection to the portal"]["message"]
    assert "TLSv1.3, TLS_AES" in message
    assert "certificate of localhost, 127.0.0.1" in message
    assert 'issued by "Testing CA' in message
    assert "valid until " in message


def test_an_untrusted_certificate_fails(checks: CheckRuns, image: str) -> None:
    """The remedy is CA_CERT, and the exit code is that of a deploy: 4."""
    run_result = checks.run(image, CA_CERT="")
    assert run_result.code == 4
    result = results(run_result)["connection to the portal"]
    assert result["status"] == "failed"
    assert "is not trusted" in result["message"]
    assert "CA_CERT" in result["remedy"]


def test_all_failed_checks_are_reported(checks: CheckRuns) -> None:
    """One run reports every failure and ends with the code of the first."""
    checks.aws.cloud.trust(checks.aws.cloud.policy("{other}:*"))
    environ = {"SERVICE": "wbe", "VERIFY_IMAGE": "auto"}
    run_result = checks.run(f"{checks.aws.cloud.repository()}:1", **environ)
    assert run_result.code == 3
    found = results(run_result)
    assert found["AWS identity"]["status"] == "failed"
    assert '"Effect": "Allow"' in "".join(found["AWS identity"]["details"])
    assert found["service wbe"]["status"] == "failed"
    assert "Did you mean web?" in found["service wbe"]["message"]
    assert found["image"]["status"] == "unknown"
    assert "2 of 14 checks failed: AWS identity, service wbe." in run_result.stdout


def test_an_expired_identity_token_fails(checks: CheckRuns, image: str) -> None:
    """It is reported without asking AWS."""
    token = checks.aws.cloud.issuer.token(exp=1)
    run_result = checks.run(image, BITBUCKET_STEP_OIDC_TOKEN=token)
    assert run_result.code == 3
    assert "expired at 1970-01-01" in results(run_result)["identity token"]["message"]
    assert checks.aws.cloud.door.log == []


def test_a_wrong_portal_token_fails(checks: CheckRuns, image: str) -> None:
    """Exit 3; checks that need the token are left out."""
    run_result = checks.run(image, DUPLO_TOKEN="wrong-token")
    assert run_result.code == 3
    assert results(run_result)["portal token"]["status"] == "failed"
    assert "tenant" not in results(run_result)


def test_a_missing_tenant_fails(checks: CheckRuns, image: str) -> None:
    """Exit 4, with the nearest name."""
    run_result = checks.run(image, TENANT="dev1")
    assert run_result.code == 4
    assert "Did you mean dev01?" in results(run_result)["tenant"]["message"]


def test_a_missing_image_fails(checks: CheckRuns, image: str) -> None:
    """Exit 5, with the nearest tag."""
    run_result = checks.run(image.replace("1.4.2", "1.4.3"))
    assert run_result.code == 5
    assert "Did you mean 1.4.2?" in results(run_result)["image"]["message"]


def test_static_keys_are_reported_with_their_account(checks: CheckRuns, image: str) -> None:
    """STS names their owner."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    run_result = checks.run(image, AWS_OIDC_ROLE_ARN="", **keys)
    assert run_result.code == 0, run_result.text
    assert f"account {ACCOUNT}" in results(run_result)["AWS keys"]["message"]


def test_the_portal_token_is_read_from_a_secret(checks: CheckRuns, image: str) -> None:
    """The portal token is read from Secrets Manager and not shown."""
    store = checks.aws.cloud.client("secretsmanager")
    store.create_secret(Name="portal", SecretString=checks.aws.harness.world.token)
    run_result = checks.run(image, DUPLO_TOKEN="", DUPLO_TOKEN_SECRET="portal")
    assert run_result.code == 0, run_result.text
    assert "accepted" in results(run_result)["portal token"]["message"]
    assert "reached directly" in results(run_result)["connection to Secrets Manager"]["message"]


def test_a_portal_may_not_name_the_user(checks: CheckRuns, image: str) -> None:
    """Old portals have no such call."""
    checks.aws.harness.world.script(ApiFault("GET", "GetUserRoleInfo", status=404, times=9))
    run_result = checks.run(image)
    assert run_result.code == 0, run_result.text
    assert "user: not named by the portal" in results(run_result)["portal token"]["message"]


def test_the_proxy_is_named_without_its_password(checks: CheckRuns, image: str) -> None:
    """The registry is reached through it, localhost is not."""
    with Tunnel() as tunnel:
        run_result = checks.run(
            "registry.example/team/web:1",
            HTTPS_PROXY=f"http://me:proxy-password@127.0.0.1:{tunnel.port}",
        )
    result = results(run_result)["connection to the registry"]
    assert result["status"] == "unknown"
    assert (
        f"The proxy 127.0.0.1:{tunnel.port} did not connect to registry.example"
        in result["message"]
    )
    assert "403" in result["message"]
    assert tunnel.asked[0].startswith("CONNECT registry.example:443")
    assert "Proxy-Authorization: Basic" in tunnel.asked[0]
    assert "proxy-password" not in run_result.text
    assert "reached directly" in results(run_result)["connection to the portal"]["message"]


def test_a_read_only_token_fails(checks: CheckRuns, image: str) -> None:
    """Exit 4, as the deploy that would be refused with its first write."""
    checks.aws.harness.world.add_token("read-only-token", read_only=True)
    run_result = checks.run(image, DUPLO_TOKEN="read-only-token")
    assert run_result.code == 4
    result = results(run_result)["write access"]
    assert result["message"] == "The token lacks permission: its user may only read."
    assert "service account of DUPLO_TOKEN write access" in result["remedy"]


def test_an_unknown_container_fails(checks: CheckRuns, image: str) -> None:
    """Exit 4, with the nearest name; the service itself exists."""
    checks.aws.harness.world.add_service("api", "team/api:1", sidecars={"log": "log:1"})
    run_result = checks.run("", SERVICE="", SERVICES=f"api/lgo={image}")
    assert run_result.code == 4
    found = results(run_result)
    assert found["service api"]["status"] == "passed"
    assert "Did you mean log?" in found["container api/lgo"]["message"]
    assert "Correct SERVICES" in found["container api/lgo"]["remedy"]


def test_a_dead_portal_is_reported_once(checks: CheckRuns, image: str) -> None:
    """What has just proven dead is not tried again for 15 seconds."""
    run_result = checks.run(image, DUPLO_HOST="https://localhost:9")
    assert run_result.code == 4
    found = results(run_result)
    assert "refused the connection" in found["connection to the portal"]["message"]
    assert found["portal token"]["status"] == "unknown"
    assert "checks failed: connection to the portal." in run_result.stdout
    assert run_result.text.count("refused the connection") == 1
    assert run_result.seconds < 1


def test_a_dead_sts_is_reported_once(checks: CheckRuns, image: str) -> None:
    """Neither the role nor what needs it is tried."""
    run_result = checks.run(image, AWS_ENDPOINT_URL_STS="http://localhost:9")
    assert run_result.code == 4
    assert results(run_result)["AWS role"]["status"] == "unknown"
    assert "checks failed: connection to STS." in run_result.stdout
    assert run_result.seconds < 1


def test_keys_need_no_sts(checks: CheckRuns, image: str) -> None:
    """Only the check asks for their owner; a deploy does without."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    elsewhere = {"AWS_ENDPOINT_URL_STS": "http://localhost:9"}
    run_result = checks.run(image, AWS_OIDC_ROLE_ARN="", **keys, **elsewhere)
    assert run_result.code == 0, run_result.text
    assert results(run_result)["connection to STS"]["status"] == "unknown"


def test_a_dead_registry_is_reported_once(checks: CheckRuns) -> None:
    """Both images are in the same registry, and must be verified."""
    entries = "web=localhost:9/web:1 web/log=localhost:9/log:1"
    run_result = checks.run("", SERVICE="", SERVICES=entries, VERIFY_IMAGE="true")
    found = run_result.report["checks"]
    assert [one["status"] for one in found if "registry" in one["name"]] == ["failed"]
    assert [one["status"] for one in found if one["name"] == "image"] == ["unknown", "unknown"]
    assert run_result.seconds < 1


class Tunnel:
    """A proxy that refuses every connection."""

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


@pytest.mark.parametrize(("required", "shown"), [("auto", "unknown"), ("true", "failed")])
def test_refused_credentials_of_the_tenant_are_reported(
    checks: CheckRuns, image: str, required: str, shown: str
) -> None:
    """They fail only a deploy that requires them."""
    access = checks.aws.harness.world.aws_access
    access.status, access.text = 403, "no JIT access"
    result = checks.run(image, AWS_OIDC_ROLE_ARN="", AWS_FROM_PORTAL=required)
    assert f"[{shown}] AWS credentials: The portal" in result.log
    assert '"no JIT access"' in result.log
    assert "AWS_OIDC_ROLE_ARN with oidc: true" in result.log
    assert result.code == (3 if required == "true" else 0)


def test_the_credentials_of_the_tenant_are_reported(checks: CheckRuns, image: str) -> None:
    """How long they last, and for which region; the image is verified with them."""
    result = checks.run(image, AWS_OIDC_ROLE_ARN="")
    assert "issued by the portal, valid for 60 min, region eu-west-1" in result.log
    assert f"[passed] image: {image}: exists" in result.log


def test_commands_in_the_tenant_are_checked_where_there_are_any(
    checks: CheckRuns, image: str
) -> None:
    """The portal lists jobs for the token, or the line names permission sets."""
    variables = {"RELEASE_COMMAND": "./migrate"}
    assert "commands in the tenant" not in results(checks.run(image))
    good = results(checks.run(image, **variables))["commands in the tenant"]
    assert (good["status"], "environment of web" in good["message"]) == ("passed", True)
    checks.aws.harness.world.jobs.denied = frozenset({"GET"})
    bad = results(checks.run(image, **variables))["commands in the tenant"]
    assert bad["status"] == "failed"
    assert "permission set" in bad["remedy"]


def test_commands_in_the_tenant_need_kubernetes(checks: CheckRuns, image: str) -> None:
    """A service on plain Docker hosts has no jobs; a deploy would end with exit code 2."""
    checks.aws.harness.world.add_service("old", "team/old:1", platform=0)
    run_result = checks.run(image, SERVICE="old", RELEASE_COMMAND="./migrate")
    found = results(run_result)["commands in the tenant"]
    assert found["status"] == "failed"
    assert "RELEASE_COMMAND cannot run: old runs on plain Docker hosts" in found["message"]
    assert run_result.code == 2
