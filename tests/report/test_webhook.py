"""WEBHOOK: the record for any receiver, and a card for Microsoft Teams."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipe.notify import webhook
from pipe.report.json_record import to_json
from tests.sandbox import Behaviour
from tests.support.harness import Harness
from tests.support.http_server import Answer, HttpServer
from tests.support.records import run_record

HOOK = "/hooks/deployments-0123456789?sig=abcdefghijklmnop"
TEAMS = "https://prod-12.westeurope.logic.azure.com:443/workflows/0123/triggers/manual"
SCHEMA = json.loads((Path(__file__).parents[2] / "schema/deploy.schema.json").read_text("utf-8"))


def post(harness: Harness, answer: Answer | None = None, **variables: str) -> tuple[Any, list[Any]]:
    """Deploy with a webhook; return the result and the bodies that it got."""
    with HttpServer(lambda _: answer or Answer(202)) as server:
        result = harness.deploy(WEBHOOK=server.url + HOOK, **variables)
    assert {request.path for request in server.requests} <= {HOOK}
    assert "abcdefghijklmnop" not in result.text
    return result, [request.json() for request in server.requests]


def test_the_record_is_posted_once_at_the_end(harness: Harness) -> None:
    """As in deploy.json, without its signature; it follows the schema."""
    harness.web()
    result, (body,) = post(harness)
    assert result.code == 0, result.text
    assert body == {key: value for key, value in result.report.items() if key != "mac"}
    jsonschema.validate({**body, "mac": "0" * 64}, SCHEMA)


def test_a_failed_deploy_is_posted_with_its_evidence(harness: Harness) -> None:
    """And its exit code; secrets are masked."""
    harness.web()
    harness.world.behave("team/web:1.4.2", Behaviour("crash", fault=f"bad {harness.world.token}"))
    result, (body,) = post(harness)
    assert (result.code, body["exit_code"], body["outcome"]) == (10, 10, "failed")
    assert body["evidence"]
    assert harness.world.token not in json.dumps(body)


def test_a_dry_run_posts_nothing(harness: Harness) -> None:
    """It changes nothing."""
    harness.web()
    result, bodies = post(harness, DRY_RUN="true")
    assert (result.code, bodies) == (0, [])


@pytest.mark.parametrize(
    "answer", [Answer(500, "no"), Answer(302, headers={"Location": "https://other.invalid"})]
)
def test_a_refused_record_is_a_warning(harness: Harness, answer: Answer) -> None:
    """The deploy succeeds, and a redirect is not followed."""
    harness.web()
    result, _ = post(harness, answer, DEBUG="true")
    assert result.code == 0
    assert (
        f"WARNING: WEBHOOK: the message was not delivered: localhost returned {answer.status}"
        in (result.log)
    )


def test_a_receiver_that_never_responds_does_not_hold_up_the_run(harness: Harness) -> None:
    """After the time for all notifications, the message is given up."""
    harness.web()
    harness.dependencies["notification_seconds"] = 0.1
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = harness.deploy(WEBHOOK=f"http://127.0.0.1:{silent.getsockname()[1]}/hook")
    assert result.code == 0
    assert "WEBHOOK: no response within 0.1 s" in result.log


@pytest.mark.parametrize("value", ["hooks.example/x", "http://hooks.example/x", "ftp://x"])
def test_an_invalid_address_is_refused(harness: Harness, value: str) -> None:
    """Exit 2, without showing it."""
    result = harness.deploy(WEBHOOK=value)
    assert result.code == 2
    assert "ERROR: WEBHOOK must be" in result.log
    assert value not in result.log


@pytest.mark.parametrize(
    "address",
    [
        TEAMS,
        "https://default0.1a.environment.api.powerplatform.com/powerautomate/x",
        "https://acme.webhook.office.com/webhookb2/x",
    ],
)
def test_teams_gets_an_adaptive_card(address: str) -> None:
    """With outcome, change, summary and a link to the step."""
    record = run_record()
    record = replace(record, step=replace(record.step, link="https://bitbucket.org/acme/x"))
    body = webhook.body(address, record)
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (body["type"], card["type"], card["version"]) == ("message", "AdaptiveCard", "1.4")
    assert card["actions"][0]["url"] == "https://bitbucket.org/acme/x"
    assert record.summary in json.dumps(card, ensure_ascii=False)


@pytest.mark.parametrize("host", ["logic.azure.com.evil.example", "evil-logic.azure.com.example"])
def test_any_other_host_gets_the_record(host: str) -> None:
    """The end of the host's name decides."""
    record = run_record()
    body = webhook.body(f"https://{host}/x", record)
    assert json.loads(json.dumps(body)) == json.loads(to_json(record))


def test_markup_in_a_card_is_plain_text() -> None:
    """No text is in an element that renders Markdown."""
    record = replace(run_record(), summary="[click](https://evil.example) <at>all</at>")
    card = webhook.body(TEAMS, record)["attachments"][0]["content"]
    assert "TextBlock" not in json.dumps(card).replace("RichTextBlock", "")
    assert "FactSet" not in json.dumps(card)


def test_a_card_has_a_bounded_size() -> None:
    """Teams refuses more than 28 KB."""
    record = run_record()
    many = replace(record, targets=record.targets * 200, summary="x" * 99999)
    assert len(json.dumps(webhook.body(TEAMS, many))) < 28 << 10
