"""Slack and Code Insights, delivered to real servers that work, refuse or never respond."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipe.dependencies import Dependencies
from pipe.notify import SECONDS
from pipe.notify.background import THREAD, BackgroundSender, DeliveryFailed
from pipe.notify.slack import message
from pipe.secret import Secret
from pipe.settings import NotificationSettings
from tests.sandbox import Behaviour
from tests.support.harness import Harness
from tests.support.http_server import Answer, HttpServer, Request
from tests.support.records import run_record

HOOK = "/services/T0123/B0456/abcdefghijklmnop"
STEP = {
    "BITBUCKET_WORKSPACE": "acme",
    "BITBUCKET_REPO_SLUG": "shop",
    "BITBUCKET_BUILD_NUMBER": "812",
    "BITBUCKET_STEP_UUID": "{1f2e}",
    "BITBUCKET_COMMIT": "8f2c1d9a7b3e",
}
LINK = "https://bitbucket.org/acme/shop/pipelines/results/812/steps/%7B1f2e%7D"


@pytest.fixture
def slack() -> Iterator[HttpServer]:
    """A webhook that accepts everything."""
    with HttpServer(lambda _: Answer()) as server:
        yield server


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_start_and_success_are_announced(harness: Harness, slack: HttpServer) -> None:
    """As in the previous pipe, with a link to the step."""
    harness.web()
    run_result = harness.deploy(
        SLACK_WEBHOOK=slack.url + HOOK,
        NOTIF_ENV="production",
        NOTIF_ACCOUNT="main",
        NOTIF_REGION="eu-west-1",
        **STEP,
    )
    assert run_result.code == 0
    begun, ended = [request.json() for request in slack.requests]
    assert {request.path for request in slack.requests} == {HOOK}
    assert begun["text"] == ":rocket: Deploying *web* in production / main / eu-west-1"
    assert ended["text"] == ":white_check_mark: Done: *web* in production / main / eu-west-1"
    (details,) = ended["attachments"]
    assert "web: `team/web:1.4.1` → `team/web:1.4.2`" in details["text"]
    assert "2 pods up for 5 s" in details["text"]
    assert f"<{LINK}|Open the step>" in details["text"]


@pytest.mark.parametrize(
    ("variables", "opening"),
    [
        ({}, ":x: Failed: *web*"),
        ({"ROLLBACK": "true"}, ":leftwards_arrow_with_hook: Rolled back: *web*"),
    ],
)
def test_failure_and_rollback_are_announced(
    harness: Harness, slack: HttpServer, variables: dict[str, str], opening: str
) -> None:
    """With the reason, so that people need not open the log."""
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("crash", log=["boom"]))
    harness.deploy(SLACK_WEBHOOK=slack.url + HOOK, **variables)
    _, ended = [request.json() for request in slack.requests]
    assert ended["text"] == opening
    assert "keeps crashing" in ended["attachments"][0]["text"]


def test_a_run_that_fails_early_announces_only_its_end(harness: Harness, slack: HttpServer) -> None:
    """No change began, so no start is announced."""
    harness.web()
    run_result = harness.deploy(SLACK_WEBHOOK=slack.url + HOOK, PRE_DEPLOY_TEST="exit 1")
    assert run_result.code == 6
    (ended,) = [request.json() for request in slack.requests]
    assert ended["text"] == ":x: Failed: *web*"


def test_a_dry_run_sends_no_message(harness: Harness, slack: HttpServer) -> None:
    """It changes nothing, channels included."""
    harness.web()
    harness.deploy(SLACK_WEBHOOK=slack.url + HOOK, DRY_RUN="true")
    assert slack.requests == []


def test_markup_in_a_message_is_harmless(harness: Harness, slack: HttpServer) -> None:
    """Neither a log line nor a variable can mention the whole channel."""
    harness.web()
    harness.world.behave(
        "team/web:1.4.2", Behaviour("crash", fault="<!channel> <https://evil|click> & more")
    )
    harness.deploy(SLACK_WEBHOOK=slack.url + HOOK, NOTIF_ENV="<!here>")
    messages = str([request.json() for request in slack.requests])
    assert "<!" not in messages
    assert "<https://evil" not in messages
    assert "&lt;!here&gt;" in messages


def test_no_token_is_in_any_message(harness: Harness, slack: HttpServer) -> None:
    """Secrets are masked here as everywhere."""
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("crash", fault=f"bad {harness.world.token}"))
    harness.deploy(SLACK_WEBHOOK=slack.url + HOOK)
    assert all(harness.world.token.encode() not in request.body for request in slack.requests)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(500, "oh <b>no</b>"), "returned 500"),
        (Answer(404, "no_service"), 'returned 404: "no_service"'),
        (Answer(302, headers={"Location": "https://elsewhere.invalid/"}), "returned 302"),
    ],
)
def test_a_refused_message_is_a_warning(harness: Harness, answer: Answer, why: str) -> None:
    """The deploy succeeds all the same, and the address stays secret."""
    harness.web()
    with HttpServer(lambda _: answer) as server:
        run_result = harness.deploy(SLACK_WEBHOOK=server.url + HOOK, DEBUG="true")
    assert run_result.code == 0
    assert "WARNING: Slack: the message was not delivered" in run_result.log
    assert why in run_result.log
    assert "abcdefghijklmnop" not in run_result.text


def test_an_unreachable_webhook_is_a_warning(harness: Harness) -> None:
    """Nothing listens at its address."""
    harness.web()
    run_result = harness.deploy(SLACK_WEBHOOK=f"http://127.0.0.1:1{HOOK}")
    assert run_result.code == 0
    assert "Slack: the message was not delivered: 127.0.0.1:1 refused" in run_result.log


def test_a_webhook_that_never_responds_is_given_up(harness: Harness, silent: str) -> None:
    """With a warning, after the time that all messages together may take."""
    harness.web()
    harness.dependencies["notification_seconds"] = 0.3
    run_result = harness.deploy(SLACK_WEBHOOK=silent + HOOK)
    assert run_result.code == 0
    assert "WARNING: Slack: no response within 0.3 s; the message was given up." in run_result.log
    assert run_result.stdout.strip().startswith("✔")


def test_a_proxy_that_never_responds_is_given_up(harness: Harness, silent: str) -> None:
    """The same for Code Insights, which go through Bitbucket's proxy."""
    harness.web()
    harness.dependencies |= {"notification_seconds": 0.3, "insights_proxy": silent}
    run_result = harness.deploy(CODE_INSIGHTS="true", **STEP)
    assert run_result.code == 0
    assert "Code Insights: no response within 0.3 s" in run_result.log


def test_all_messages_share_five_seconds() -> None:
    """Together, not each."""
    assert SECONDS == 5.0
    assert Dependencies().notification_seconds == SECONDS


def test_finish_returns_while_a_delivery_is_stuck(logged: list[str]) -> None:
    """Messages queued behind the stuck one are given up too."""
    release = threading.Event()
    late: list[str] = []

    def stuck() -> None:
        release.wait()

    sender = BackgroundSender(0.1)
    sender.post("Slack", stuck)
    sender.post("Code Insights", lambda: late.append("delivered"))
    sender.finish()
    assert not release.is_set()
    release.set()
    assert "Slack: no response within 0.1 s" in "\n".join(logged)
    for thread in threading.enumerate():
        if thread.name == THREAD:
            thread.join(5)
    assert late == []


def test_messages_are_delivered_in_order_despite_failures(logged: list[str]) -> None:
    """A failed delivery is a warning, and the next message is delivered."""
    seen: list[str] = []

    def refused() -> None:
        raise DeliveryFailed("refused")

    def broken() -> None:
        raise KeyError("x")

    sender = BackgroundSender(5.0)
    sender.post("A", lambda: seen.append("first"))
    sender.post("B", refused)
    sender.post("C", broken)
    sender.post("D", lambda: seen.append("last"))
    sender.finish()
    assert seen == ["first", "last"]
    assert logged == [
        "WARNING: B: the message was not delivered: refused",
        "WARNING: C: the message was not delivered: KeyError('x')",
    ]


def test_without_messages_no_thread_is_started() -> None:
    """A run without notifications pays nothing for them."""
    BackgroundSender(5.0).finish()
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD]


class Bitbucket:
    """Bitbucket's API for reports, behind the proxy of a step."""

    def __init__(self, status: int = 200) -> None:
        self._status = status

    def __call__(self, request: Request) -> Answer:
        """Respond as a proxy: the request line holds the whole address."""
        return Answer(self._status, "{}", {"Content-Type": "application/json"})


def test_a_failed_run_is_reported_on_the_commit(harness: Harness) -> None:
    """With an annotation for each failure."""
    harness.web()
    with HttpServer(Bitbucket()) as proxy:
        harness.dependencies["insights_proxy"] = proxy.url
        run_result = harness.deploy(
            CODE_INSIGHTS="true", POST_DEPLOY_TEST="echo 'got 500'; exit 1", ROLLBACK="true", **STEP
        )
    assert run_result.code == 8
    report, annotations = proxy.requests
    address = "http://api.bitbucket.org/2.0/repositories/acme/shop/commit/8f2c1d9a7b3e/reports/"
    assert (report.method, report.path) == ("PUT", f"{address}deploy-dev01-web")
    assert (annotations.method, annotations.path) == (
        "POST",
        f"{address}deploy-dev01-web/annotations",
    )
    body = report.json()
    assert (body["title"], body["result"]) == ("Deploy of web", "FAILED")
    assert body["link"] == LINK
    assert len(body["data"]) <= 10
    (annotation,) = annotations.json()
    assert annotation["summary"] == "POST_DEPLOY_TEST failed with exit status 1"
    assert annotation["details"] == "got 500"
    assert "Authorization" not in report.headers


def test_a_successful_run_has_a_report_without_annotations(harness: Harness) -> None:
    """PASSED, with the number of tests."""
    harness.web()
    with HttpServer(Bitbucket()) as proxy:
        harness.dependencies["insights_proxy"] = proxy.url
        harness.deploy(CODE_INSIGHTS="true", POST_DEPLOY_TEST="true", **STEP)
    (report,) = proxy.requests
    assert report.json()["result"] == "PASSED"
    assert {"title": "Tests", "type": "TEXT", "value": "1 of 1 passed"} in report.json()["data"]


@pytest.mark.parametrize(
    ("status", "why"), [(403, "Bitbucket returned 403"), (500, "Bitbucket returned 500")]
)
def test_a_refused_report_is_a_warning(harness: Harness, status: int, why: str) -> None:
    """The toolkit would exit the process."""
    harness.web()
    with HttpServer(Bitbucket(status)) as proxy:
        harness.dependencies["insights_proxy"] = proxy.url
        run_result = harness.deploy(CODE_INSIGHTS="true", **STEP)
    assert run_result.code == 0
    assert f"WARNING: Code Insights: the message was not delivered: {why}" in run_result.log
    assert "✖" not in run_result.text


def test_an_unreachable_proxy_is_a_warning(harness: Harness) -> None:
    """As in a local run that sets the commit."""
    harness.web()
    harness.dependencies["insights_proxy"] = "http://127.0.0.1:1"
    run_result = harness.deploy(CODE_INSIGHTS="true", **STEP)
    assert run_result.code == 0
    assert "proxy cannot be reached" in run_result.log
    assert "✖" not in run_result.text


def test_without_a_commit_there_is_nothing_to_report_on(harness: Harness) -> None:
    """A local run warns and goes on."""
    harness.web()
    run_result = harness.deploy(CODE_INSIGHTS="true")
    assert run_result.code == 0
    assert "no commit to report on" in run_result.log


def test_a_message_without_targets_names_the_tenant() -> None:
    """And a long summary is cut to what Slack accepts."""
    record = run_record(outcome="identity", summary="x" * 9000)
    body = message(record, NotificationSettings(Path(), False, Secret(""), "", "", ""))
    assert body["text"] == ":x: Failed: *dev01*"
    assert len(body["attachments"][0]["text"]) < 3000
