"""Messages and reports to others: real servers, good ones and bad ones."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipe.dependencies import Dependencies
from pipe.notify.background import BackgroundSender, DeliveryFailed
from pipe.notify.notifications import SECONDS
from pipe.notify.slack import message
from pipe.secret import Secret
from pipe.settings import NotificationSettings
from tests.sandbox import Behaviour
from tests.support.http_server import Answer, HttpServer, Request
from tests.support.stage import Stage

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
    """A webhook that takes everything."""
    with HttpServer(lambda _: Answer()) as server:
        yield server


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_start_and_success_are_told(stage: Stage, slack: HttpServer) -> None:
    """As in the older pipe, with a link to the step."""
    stage.web()
    ending = stage.deploy(
        SLACK_WEBHOOK=slack.url + HOOK,
        NOTIF_ENV="production",
        NOTIF_ACCOUNT="main",
        NOTIF_REGION="eu-west-1",
        **STEP,
    )
    assert ending.code == 0
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
        ({"ROLLBACK": "true"}, ":leftwards_arrow_with_hook: Failed and put back: *web*"),
    ],
)
def test_failure_and_restoration_are_told(
    stage: Stage, slack: HttpServer, variables: dict[str, str], opening: str
) -> None:
    """With the reason, so that nobody has to open the log to know it."""
    stage.web()
    stage.world.behave("team/web:1.4.2", Behaviour("crash", log=["boom"]))
    stage.deploy(SLACK_WEBHOOK=slack.url + HOOK, **variables)
    _, ended = [request.json() for request in slack.requests]
    assert ended["text"] == opening
    assert "keeps crashing" in ended["attachments"][0]["text"]


def test_a_run_that_fails_early_tells_its_end_alone(stage: Stage, slack: HttpServer) -> None:
    """Nothing began, so no beginning is told."""
    stage.web()
    ending = stage.deploy(SLACK_WEBHOOK=slack.url + HOOK, PRE_DEPLOY_TEST="exit 1")
    assert ending.code == 6
    (ended,) = [request.json() for request in slack.requests]
    assert ended["text"] == ":x: Failed: *web*"


def test_a_dry_run_tells_nobody(stage: Stage, slack: HttpServer) -> None:
    """It changes nothing, in channels neither."""
    stage.web()
    stage.deploy(SLACK_WEBHOOK=slack.url + HOOK, DRY_RUN="true")
    assert slack.requests == []


def test_markup_in_a_message_is_harmless(stage: Stage, slack: HttpServer) -> None:
    """Neither a log line nor a variable can call the whole channel."""
    stage.web()
    stage.world.behave(
        "team/web:1.4.2", Behaviour("crash", fault="<!channel> <https://evil|click> & more")
    )
    stage.deploy(SLACK_WEBHOOK=slack.url + HOOK, NOTIF_ENV="<!here>")
    told = str([request.json() for request in slack.requests])
    assert "<!" not in told
    assert "<https://evil" not in told
    assert "&lt;!here&gt;" in told


def test_no_token_is_in_any_message(stage: Stage, slack: HttpServer) -> None:
    """Masked as everywhere."""
    stage.web()
    stage.world.behave("team/web:1.4.2", Behaviour("crash", fault=f"bad {stage.world.token}"))
    stage.deploy(SLACK_WEBHOOK=slack.url + HOOK)
    assert all(stage.world.token.encode() not in request.body for request in slack.requests)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(500, "oh <b>no</b>"), "answered 500"),
        (Answer(404, "no_service"), 'answered 404: "no_service"'),
        (Answer(302, headers={"Location": "https://elsewhere.invalid/"}), "answered 302"),
    ],
)
def test_a_webhook_that_refuses_is_a_warning(stage: Stage, answer: Answer, why: str) -> None:
    """The deploy has worked, and says so; the address stays secret."""
    stage.web()
    with HttpServer(lambda _: answer) as server:
        ending = stage.deploy(SLACK_WEBHOOK=server.url + HOOK, DEBUG="true")
    assert ending.code == 0
    assert "WARNING: Slack: the message did not get through" in ending.log
    assert why in ending.log
    assert "abcdefghijklmnop" not in ending.text


def test_a_webhook_that_is_dead_is_a_warning(stage: Stage) -> None:
    """Nothing listens there."""
    stage.web()
    ending = stage.deploy(SLACK_WEBHOOK=f"http://127.0.0.1:1{HOOK}")
    assert ending.code == 0
    assert "Slack: the message did not get through: 127.0.0.1:1 refuses" in ending.log


def test_a_webhook_that_never_answers_is_given_up(stage: Stage, silent: str) -> None:
    """After the time that all messages together may cost, with a warning."""
    stage.web()
    stage.dependencies["notification_seconds"] = 0.3
    ending = stage.deploy(SLACK_WEBHOOK=silent + HOOK)
    assert ending.code == 0
    assert "WARNING: Slack: no answer within 0.3 s; the run goes on without." in ending.log
    assert ending.result.strip().startswith("✔")


def test_a_proxy_that_never_answers_is_given_up(stage: Stage, silent: str) -> None:
    """The same on the way to Bitbucket's reports and on the way through a proxy."""
    stage.web()
    stage.dependencies |= {"notification_seconds": 0.3, "insights_proxy": silent}
    ending = stage.deploy(CODE_INSIGHTS="true", **STEP)
    assert ending.code == 0
    assert "Code Insights: no answer within 0.3 s" in ending.log


def test_all_messages_together_have_five_seconds() -> None:
    """Not each of them."""
    assert SECONDS == 5.0
    assert Dependencies().notification_seconds == SECONDS


def test_waiting_ends_although_the_other_side_goes_on(logged: list[str]) -> None:
    """The end does not depend on any answer; messages behind the stuck one are given up too."""
    release, late = threading.Event(), []
    courier = BackgroundSender(0.1)
    courier.post("Slack", release.wait)
    courier.post("Code Insights", lambda: late.append("delivered"))
    courier.finish()
    assert not release.is_set()
    release.set()
    assert "Slack: no answer within 0.1 s" in "\n".join(logged)
    for thread in threading.enumerate():
        if thread.name == "courier":
            thread.join(5)
    assert late == []


def test_messages_arrive_in_order_and_failures_do_not_stop_them(logged: list[str]) -> None:
    """A defect in one message is a warning, and the next is delivered."""
    seen: list[str] = []

    def refused() -> None:
        raise DeliveryFailed("it says no")

    def broken() -> None:
        raise KeyError("x")

    courier = BackgroundSender(5.0)
    courier.post("A", lambda: seen.append("first"))
    courier.post("B", refused)
    courier.post("C", broken)
    courier.post("D", lambda: seen.append("last"))
    courier.finish()
    assert seen == ["first", "last"]
    assert logged == [
        "WARNING: B: the message did not get through: it says no",
        "WARNING: C: the message did not get through: KeyError('x')",
    ]


def test_nobody_to_tell_is_no_thread() -> None:
    """A run without messages starts nothing."""
    BackgroundSender(5.0).finish()
    assert not [thread for thread in threading.enumerate() if thread.name == "courier"]


class Bitbucket:
    """The API as far as reports go, behind the proxy that a step has."""

    def __init__(self, status: int = 200) -> None:
        self._status = status

    def __call__(self, request: Request) -> Answer:
        """Answer what a proxy is asked: the whole address is in the request line."""
        return Answer(self._status, "{}", {"Content-Type": "application/json"})


def test_the_report_on_the_commit(stage: Stage) -> None:
    """Through the toolkit, with an annotation for each failure."""
    stage.web()
    with HttpServer(Bitbucket()) as proxy:
        stage.dependencies["insights_proxy"] = proxy.url
        ending = stage.deploy(
            CODE_INSIGHTS="true", POST_DEPLOY_TEST="echo 'got 500'; exit 1", ROLLBACK="true", **STEP
        )
    assert ending.code == 8
    report, notes = proxy.requests
    address = "http://api.bitbucket.org/2.0/repositories/acme/shop/commit/8f2c1d9a7b3e/reports/"
    assert (report.method, report.path) == ("PUT", f"{address}deploy-dev01-web")
    assert (notes.method, notes.path) == ("POST", f"{address}deploy-dev01-web/annotations")
    body = report.json()
    assert (body["title"], body["result"]) == ("Deploy of web", "FAILED")
    assert body["link"] == LINK
    assert len(body["data"]) <= 10
    (note,) = notes.json()
    assert note["summary"] == "POST_DEPLOY_TEST failed with exit status 1"
    assert note["details"] == "got 500"
    assert "Authorization" not in report.headers


def test_a_good_run_has_a_report_without_annotations(stage: Stage) -> None:
    """PASSED, and nothing to note."""
    stage.web()
    with HttpServer(Bitbucket()) as proxy:
        stage.dependencies["insights_proxy"] = proxy.url
        stage.deploy(CODE_INSIGHTS="true", POST_DEPLOY_TEST="true", **STEP)
    (report,) = proxy.requests
    assert report.json()["result"] == "PASSED"
    assert {"title": "Tests", "type": "TEXT", "value": "1 of 1 passed"} in report.json()["data"]


@pytest.mark.parametrize(
    ("status", "why"), [(403, "Bitbucket answered 403"), (500, "Bitbucket answered 500")]
)
def test_a_refused_report_is_a_warning(stage: Stage, status: int, why: str) -> None:
    """And the toolkit's habit of ending the process is kept from doing so."""
    stage.web()
    with HttpServer(Bitbucket(status)) as proxy:
        stage.dependencies["insights_proxy"] = proxy.url
        ending = stage.deploy(CODE_INSIGHTS="true", **STEP)
    assert ending.code == 0
    assert f"WARNING: Code Insights: the message did not get through: {why}" in ending.log
    assert "✖" not in ending.text


def test_no_proxy_is_a_warning(stage: Stage) -> None:
    """As in a local run with a commit at hand."""
    stage.web()
    stage.dependencies["insights_proxy"] = "http://127.0.0.1:1"
    ending = stage.deploy(CODE_INSIGHTS="true", **STEP)
    assert ending.code == 0
    assert "proxy cannot be reached" in ending.log
    assert "✖" not in ending.text


def test_without_a_commit_there_is_nothing_to_report_on(stage: Stage) -> None:
    """A local run says so and goes on."""
    stage.web()
    ending = stage.deploy(CODE_INSIGHTS="true")
    assert ending.code == 0
    assert "no commit to report on" in ending.log


def test_a_message_names_what_is_known() -> None:
    """Without targets, the tenant; without places, none."""
    data = {
        "outcome": "identity",
        "tenant": "dev01",
        "targets": [],
        "summary": "x" * 9000,
        "step": {"link": ""},
    }
    body = message(data, NotificationSettings(Path(), False, Secret(""), "", "", ""))
    assert body["text"] == ":x: Failed: *dev01*"
    assert len(body["attachments"][0]["text"]) < 3000
