"""The tenant's AWS credentials from the portal, in a step without a role and without keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.conftest import AwsHarness
from tests.deploy_tests.commands import FakeRunner
from tests.sandbox import ApiFault
from tests.sandbox.aws import REGION
from tests.sandbox.issued_secrets import CONSOLE_TOKEN, SECRET_KEY, SESSION_TOKEN
from tests.sandbox.script import FaultKind
from tests.support.harness import RunResult, at_time

ROUTE = "GetAwsConsoleTokenUrl"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}


class Tenant:
    """Runs in a step that has the portal's token and nothing of AWS."""

    def __init__(self, aws: AwsHarness) -> None:
        self.harness, self.cloud = aws.harness, aws.cloud
        self.access = aws.harness.world.aws_access
        self.name = aws.cloud.repository()
        self.digest = aws.cloud.push("1.4.2")

    def deploy(self, image: str = "", **variables: str) -> RunResult:
        """Deploy an image from ECR; check that no credentials are shown."""
        image = image or f"{self.name}:1.4.2"
        result = self.harness.deploy(image, **{**self.cloud.endpoints(), **variables})
        for secret in (SECRET_KEY, SESSION_TOKEN, CONSOLE_TOKEN, *self.access.issued):
            assert secret not in result.text
        return result

    @property
    def requests(self) -> int:
        """How often the portal was asked for credentials."""
        return len(self.harness.requests(ROUTE))


@pytest.fixture
def tenant(aws: AwsHarness) -> Tenant:
    """A portal that issues credentials, and an image in ECR."""
    return Tenant(aws)


def test_an_image_in_ecr_is_verified_with_the_tenants_credentials(tenant: Tenant) -> None:
    """No variable of AWS is set; the digest is proven and recorded."""
    result = tenant.deploy(DEBUG="true")
    assert result.code == 0, result.text
    assert f"exists, {tenant.digest}" in result.log
    assert "AWS credentials of the tenant dev01 from the portal, valid for 60 min" in result.log
    assert tenant.cloud.door.signers == tenant.access.issued


def test_several_images_need_one_request(tenant: Tenant) -> None:
    """All of them are looked up side by side, with the same credentials."""
    for name in ("api", "batch"):
        tenant.harness.world.add_service(name, f"team/{name}:1")
        tenant.cloud.repository(f"team/{name}")
        tenant.cloud.push("2", f"team/{name}")
    registry = tenant.name.removesuffix("/web")
    services = f"web={tenant.name}:1.4.2 api={registry}/api:2 batch={registry}/batch:2"
    result = tenant.deploy(SERVICE="", IMAGE="", SERVICES=services)
    assert result.code == 0, result.text
    assert result.log.count(": exists, sha256:") == 3
    assert tenant.requests == 1


def test_a_run_that_needs_nothing_from_aws_requests_no_credentials(tenant: Tenant) -> None:
    """Tests get none either."""
    result = tenant.deploy(
        "team/web:1.4.2", PRE_DEPLOY_TEST='test -z "$AWS_ACCESS_KEY_ID$AWS_REGION"'
    )
    assert result.code == 0, result.text
    assert tenant.requests == 0


@pytest.mark.parametrize(("variables", "signer"), [(KEYS, KEYS["AWS_ACCESS_KEY_ID"]), ({}, None)])
def test_keys_take_precedence_over_the_portal(
    tenant: Tenant, variables: dict[str, str], signer: str | None
) -> None:
    """The log states which are used."""
    result = tenant.deploy(AWS_FROM_PORTAL="true", **variables)
    assert result.code == 0, result.text
    assert ("the portal's AWS credentials are not used" in result.log) == bool(variables)
    assert tenant.cloud.door.signers == [signer or tenant.access.issued[0]]


def test_a_role_takes_precedence_over_the_portal(aws: AwsHarness, tenant: Tenant) -> None:
    """The portal is not asked."""
    result = aws.deploy(f"{tenant.name}:1.4.2", AWS_FROM_PORTAL="true")
    assert result.code == 0, result.text
    assert "AWS_OIDC_ROLE_ARN is set, so the portal's AWS credentials are not used" in result.log
    assert tenant.requests == 0


def test_false_never_asks_the_portal(tenant: Tenant) -> None:
    """The image stays unverified, as before."""
    result = tenant.deploy(AWS_FROM_PORTAL="false")
    assert result.code == 0, result.text
    assert "requires an AWS identity" in result.log
    assert tenant.requests == 0


def status(code: int, text: str = "") -> Callable[[Tenant], None]:
    def refuse(tenant: Tenant) -> None:
        tenant.access.status, tenant.access.text = code, text

    return refuse


def spoilt(kind: FaultKind) -> Callable[[Tenant], None]:
    def script(tenant: Tenant) -> None:
        tenant.harness.world.scripted.append(ApiFault(path=ROUTE, kind=kind, times=99))

    return script


def reply(**changes: Any) -> Callable[[Tenant], None]:
    def change(tenant: Tenant) -> None:
        tenant.access.changes = changes

    return change


def from_aws(code: str, times: int = 9) -> Callable[[Tenant], None]:
    def fail(tenant: Tenant) -> None:
        tenant.cloud.fail("DescribeImages", code, "no", times=times)

    return fail


REFUSALS: dict[str, tuple[Callable[[Tenant], None], str, int]] = {
    "403": (status(403, "no JIT access"), 'refuses AWS credentials.*403.*"no JIT access"', 3),
    "400": (status(400, "deny-aws"), 'refuses AWS credentials.*400.*"deny-aws"', 3),
    "404": (status(404), r"issues no AWS credentials for the tenant dev01 \(status 404\)", 3),
    "405": (status(405), r"issues no AWS credentials for the tenant dev01 \(status 405\)", 3),
    "500": (status(500, "oops"), "answered 500 for the tenant's AWS credentials", 4),
    "page": (spoilt("html"), "unexpected response for the tenant's AWS cred.*JSON", 4),
    "half": (spoilt("truncated"), "unexpected response for the tenant's AWS cred.*JSON", 4),
    "empty": (reply(AccessKeyId=None), "expected a valid AccessKeyId", 4),
    "short": (reply(SessionToken="none"), "expected a valid SessionToken", 4),
    "blanks": (reply(SecretAccessKey="a key\r\nof lines"), "a valid SecretAccessKey", 4),
}
LATER: dict[str, tuple[Callable[[Tenant], None], str]] = {
    "no-rights": (from_aws("AccessDeniedException"), "does not allow the tenant's role"),
    "expired": (from_aws("ExpiredTokenException"), "does not accept the credentials that the po"),
    "unknown": (from_aws("UnrecognizedClientException"), "does not accept the credentials"),
}


@pytest.mark.parametrize("case", [*REFUSALS, *LATER])
def test_a_refusal_leaves_the_image_unverified(tenant: Tenant, case: str) -> None:
    """The log gives the reason, in one line, and the deploy goes on."""
    prepare, reason = REFUSALS[case][:2] if case in REFUSALS else LATER[case]
    prepare(tenant)
    result = tenant.deploy()
    assert result.code == 0, result.text
    (line,) = [line for line in result.log.splitlines() if "not verified" in line]
    assert re.search(reason, line), line
    if case not in ("page", "half"):
        assert tenant.requests == (2 if case == "expired" else 1)


@pytest.mark.parametrize("case", REFUSALS)
def test_required_credentials_that_are_refused_end_the_run(tenant: Tenant, case: str) -> None:
    """AWS_FROM_PORTAL: 'true'; nothing was changed, and the remedy names the alternatives."""
    prepare, _, code = REFUSALS[case]
    prepare(tenant)
    result = tenant.deploy(AWS_FROM_PORTAL="true")
    assert result.code == code, result.text
    assert "Nothing was changed" in result.stdout
    if case != "500":
        assert "AWS_OIDC_ROLE_ARN with oidc: true" in result.log
    assert tenant.harness.world.write_attempts() == []


@pytest.mark.parametrize("case", ["403", "no-rights"])
def test_a_required_verification_needs_credentials(tenant: Tenant, case: str) -> None:
    """Exit 5: the image must be pinned and cannot be looked up."""
    (REFUSALS[case] if case in REFUSALS else LATER[case])[0](tenant)
    result = tenant.deploy(PIN_DIGEST="true")
    assert result.code == 5, result.text


def test_a_digest_is_pinned_with_the_tenants_credentials(tenant: Tenant) -> None:
    """As with a role."""
    result = tenant.deploy(PIN_DIGEST="true")
    assert result.code == 0, result.text
    assert tenant.harness.world.service("web").image == f"{tenant.name}@{tenant.digest}"


def test_credentials_that_aws_calls_expired_are_renewed_once(tenant: Tenant) -> None:
    """The portal may cache them for longer than they last."""
    from_aws("ExpiredTokenException", times=1)(tenant)
    result = tenant.deploy()
    assert result.code == 0, result.text
    assert f"exists, {tenant.digest}" in result.log
    assert len(tenant.access.issued) == 2


TEST = f'test "$AWS_SESSION_TOKEN" && test "$AWS_REGION" = {REGION} && test -z "$DUPLO_TOKEN"'


@pytest.mark.parametrize("variables", [{}, {"AWS_FROM_PORTAL": "true", "IMAGE": "team/web:1.4.2"}])
def test_tests_get_the_credentials_of_the_run(tenant: Tenant, variables: dict[str, str]) -> None:
    """Keys and the region of the tenant; not the region of an image."""
    result = tenant.deploy(**variables, PRE_DEPLOY_TEST=TEST)
    assert result.code == 0, result.text
    assert tenant.requests == 1


def test_the_region_of_the_variable_goes_first(tenant: Tenant) -> None:
    """It may have been set for the tests."""
    tenant.access.region = "us-west-2"
    test = 'test "$AWS_DEFAULT_REGION" = eu-north-1'
    assert tenant.deploy(AWS_DEFAULT_REGION="eu-north-1", PRE_DEPLOY_TEST=test).code == 0


def deploy_with_test_in_image(tenant: Tenant) -> RunResult:
    """Deploy an image from elsewhere, with a test in one from ECR."""
    image = f"{tenant.name}:1.4.2"
    return tenant.deploy("team/web:1.4.2", PRE_DEPLOY_TEST="self-test", PRE_DEPLOY_TEST_IMAGE=image)


def test_tests_in_an_image_from_ecr_get_its_password(tenant: Tenant) -> None:
    """Even if the image to deploy is elsewhere."""
    runner = tenant.harness.dependencies["runner"] = FakeRunner()
    result = deploy_with_test_in_image(tenant)
    assert result.code == 0, result.text
    (command,) = runner.commands
    assert command.login
    assert command.login["username"] == "AWS"
    assert command.environment["AWS_ACCESS_KEY_ID"] == tenant.access.issued[0]


def test_the_password_for_docker_is_not_required(tenant: Tenant) -> None:
    """Without credentials the pull shows whether one is needed."""
    status(403, "no JIT access")(tenant)
    runner = tenant.harness.dependencies["runner"] = FakeRunner()
    result = deploy_with_test_in_image(tenant)
    assert result.code == 0, result.text
    assert runner.commands[0].login is None
    assert "Tests run without AWS credentials" in result.log


def test_credentials_are_renewed_for_the_tests_of_a_long_rollout(tenant: Tenant) -> None:
    """They would end while the test runs."""
    tenant.access.validity = 305
    result = tenant.deploy(POST_DEPLOY_TEST="true", TEST_TIMEOUT="300")
    assert result.code == 0, result.text
    assert len(tenant.access.issued) == 2
    assert "AWS credentials of the tenant dev01 renewed, valid for 5 min" in result.log


def test_credentials_that_cannot_be_renewed_do_not_fail_the_deploy(tenant: Tenant) -> None:
    """Those that are left are used, with a warning."""
    tenant.access.validity = 305
    at_time(tenant.harness.clock, 3, lambda: status(403, "no more")(tenant))
    result = tenant.deploy(POST_DEPLOY_TEST=TEST, TEST_TIMEOUT="300")
    assert result.code == 0, result.text
    assert "The tenant's AWS credentials were not renewed" in result.log


def test_a_token_secret_still_needs_a_role_or_keys(tenant: Tenant) -> None:
    """The portal issues credentials for its token, which the secret holds."""
    result = tenant.deploy(DUPLO_TOKEN="", DUPLO_TOKEN_SECRET="x", AWS_FROM_PORTAL="true")
    assert result.code == 2
    assert "needs a role or keys, because the portal issues AWS credentials only" in result.log


def test_an_invalid_endpoint_is_refused_before_it_gets_credentials(tenant: Tenant) -> None:
    """Exit 2 for a run that calls ECR."""
    result = tenant.deploy(AWS_ENDPOINT_URL_ECR="http://ecr.example")
    assert result.code == 2
    assert tenant.requests == 0
