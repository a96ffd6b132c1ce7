"""Messages to a Slack channel, or to whatever takes Slack's incoming webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from pipe.clock import Clock
from pipe.errors import Unreachable
from pipe.http import HttpClient
from pipe.notify.background import LIMITS, DeliveryFailed
from pipe.settings import NotificationSettings

Data = Mapping[str, Any]

_LONGEST = 2500
_COLOURS = {"done": "#2eb67d", "running": "#36a2eb", "restored": "#e0a324", "cancelled": "#e0a324"}
_RED = "#e01e5a"
_OPENINGS = {
    "running": ":rocket: Deploying",
    "done": ":white_check_mark: Done:",
    "restored": ":leftwards_arrow_with_hook: Failed and put back:",
    "cancelled": ":warning: Cancelled:",
    "not-restored": ":rotating_light: Failed, and the way back failed too:",
}


def message(data: Data, notifications: NotificationSettings) -> Mapping[str, Any]:
    """What to post: the beginning of a run, or its end."""
    outcome = data["outcome"]
    opening = _OPENINGS.get(outcome, ":x: Failed:")
    names = ", ".join(target["name"] for target in data["targets"])
    headline = f"{opening} *{_escape(names or data['tenant'])}*"
    if place := _place(notifications):
        headline += f" in {_escape(place)}"
    return {
        "text": headline,
        "attachments": [
            {
                "color": _COLOURS.get(outcome, _RED),
                "fallback": _escape(data["summary"] or names),
                "text": "\n".join(_lines(data)),
                "mrkdwn_in": ["text"],
            }
        ],
    }


def deliver(webhook: str, body: Mapping[str, Any], session: requests.Session, clock: Clock) -> None:
    """Post once; raises `DeliveryFailed`. The answer of Slack to a good message is `ok`."""
    parts = urlsplit(webhook)
    base = f"{parts.scheme}://{parts.netloc}"
    query = f"?{parts.query}" if parts.query else ""
    client = HttpClient(base, session, clock, setting="SLACK_WEBHOOK", limits=LIMITS)
    try:
        reply = client.once("POST", f"{parts.path[1:]}{query}", body)
    except Unreachable as error:
        raise DeliveryFailed(str(error)) from error
    if not reply.ok:
        said = " ".join(reply.text().split())[:100]
        raise DeliveryFailed(f'{parts.hostname} answered {reply.status}: "{said}"')


def _place(notifications: NotificationSettings) -> str:
    """Environment, account and region, as far as they are given."""
    named = (notifications.environment, notifications.account, notifications.region)
    return " / ".join(part for part in named if part)


def _lines(data: Data) -> Iterator[str]:
    for target in data["targets"]:
        for container, new in target["after"].items():
            old = target["before"].get(container, "")
            if new != old or target["restart"] or target["resumed"]:
                change = f"{_code(old)} → {_code(new)}" if old and old != new else _code(new)
                yield f"{_escape(target['name'])}: {change}"
    if data["summary"]:
        yield _escape(data["summary"][:_LONGEST])
    yield f"Tenant {_escape(data['tenant'])}"
    if link := data["step"]["link"]:
        yield f"<{_escape(link)}|Open the step>"


def _code(text: str) -> str:
    return f"`{_escape(text).replace('`', '')}`"


def _escape(text: str) -> str:
    """`text` so that Slack neither sees a mention nor a link in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
