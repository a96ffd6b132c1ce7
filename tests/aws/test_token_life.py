"""A portal token that ends soon, or has ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.aws.conftest import AwsHarness
from tests.sandbox import Server
from tests.support.harness import RunResult

NAME = "deploy/portal-token"
YEAR, DAY = timedelta(days=365), timedelta(days=1)


def deploy(aws: AwsHarness, left: timedelta, token: str = "", **variables: str) -> RunResult:
    """Deploy with a token from a secret that was stored a year minus `left` ago."""
    stored = aws.harness.clock.now() + left - YEAR
    secret = token or aws.harness.world.token
    aws.cloud.door.answer(
        "GetSecretValue",
        {"Name": NAME, "SecretString": secret, "CreatedDate": stored.timestamp()},
    )
    return aws.deploy(DUPLO_TOKEN="", DUPLO_TOKEN_SECRET=NAME, **variables)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (29 * DAY, "expires in 29 days: 2026-03-04 10:00 UTC at the latest."),
        (DAY, "expires within a day: 2026-02-04 10:00 UTC at the latest."),
        (-DAY, "was due to expire on 2026-02-02 10:00 UTC at the latest, and is still accepted."),
    ],
)
def test_the_end_of_the_token_is_warned_of_once(
    aws: AwsHarness, left: timedelta, expected: str
) -> None:
    """In the log, in the record and on the page; the deploy succeeds."""
    result = deploy(aws, left)
    assert result.code == 0, result.text
    (line,) = [line for line in result.log.splitlines() if "WARNING" in line]
    assert expected in line
    assert "store it in DUPLO_TOKEN_SECRET" in line
    (warning,) = result.report["warnings"]
    assert expected in warning
    assert expected in (aws.harness.report_dir / "deploy.html").read_text("utf-8")


def test_a_token_that_lasts_is_not_warned_of(aws: AwsHarness) -> None:
    """31 days before its end."""
    result = deploy(aws, 31 * DAY)
    assert result.code == 0, result.text
    assert result.report["warnings"] == []
    assert "WARNING" not in result.log


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (-DAY, '"Authorization has been denied for this request". It expired on 2026-02-02'),
        (DAY, "It may last until 2026-02-04: it is wrong, was revoked, or has expired early."),
    ],
)
def test_a_refused_token_is_explained_by_its_age(
    aws: AwsHarness, left: timedelta, expected: str
) -> None:
    """Exit 3 says whether it has expired, as far as anything shows it."""
    result = deploy(aws, left, token="not-the-right-token")
    assert result.code == 3
    assert expected in result.stdout


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("API token of user ci-bot expires in 12 days", True),
        ("Back-off restarting failed container: session token expired", False),
    ],
)
def test_a_fault_about_an_expiring_token_is_quoted(
    aws: AwsHarness, text: str, warned: bool
) -> None:
    """Nothing else shows when an opaque token from a variable ends."""
    aws.harness.world.add_fault("portal", text)
    result = aws.harness.deploy()
    assert result.code == 0, result.text
    assert (f'The platform reports a token that expires: "{text}"' in result.log) == warned
    assert len(result.report["warnings"]) == warned


def test_the_check_reports_how_long_the_token_lasts(aws: AwsHarness) -> None:
    """With the same warning as a deploy."""
    with Server(aws.harness.world) as server:
        stored = aws.harness.clock.now() + 29 * DAY - YEAR
        answer = {"Name": NAME, "SecretString": aws.harness.world.token}
        aws.cloud.door.answer("GetSecretValue", {**answer, "CreatedDate": stored.timestamp()})
        variables = {**aws.cloud.environ(), **aws.cloud.endpoints(), "ACTION": "check"}
        target = {"TENANT": "dev01", "SERVICE": "web", "IMAGE": "127.0.0.1:9/web:1"}
        where = {"DUPLO_HOST": server.url, "REPORT_DIR": str(aws.harness.report_dir)}
        result = aws.harness.run_with(
            {**variables, **target, **where, "DUPLO_TOKEN_SECRET": NAME}, sockets=True
        )
    assert (
        "[passed] token life: The portal token from DUPLO_TOKEN_SECRET expires in 29" in result.log
    )
