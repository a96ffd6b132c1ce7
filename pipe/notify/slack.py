"""Messages to a Slack channel, or to anything that accepts Slack's incoming webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipe.output import printable
from pipe.report import RunRecord, TargetRecord
from pipe.settings import Action, NotificationSettings

_MAX_SUMMARY = 2500
_COLOURS = {"done": "#2eb67d", "running": "#36a2eb", "restored": "#e0a324", "cancelled": "#e0a324"}
_RED = "#e01e5a"
_OPENINGS = {
    "running": ":rocket: Deploying",
    "done": ":white_check_mark: Done:",
    "restored": ":leftwards_arrow_with_hook: Rolled back:",
    "cancelled": ":warning: Cancelled:",
    "not-restored": ":rotating_light: Rollback failed:",
}


def message(record: RunRecord, notifications: NotificationSettings) -> Mapping[str, Any]:
    """Return the message for the start of a run, or for its end."""
    opening = _OPENINGS.get(record.outcome, ":x: Failed:")
    if record.action is Action.RUN and record.outcome == "running":
        opening = ":rocket: Running a command:"
    names = ", ".join(target.name for target in record.targets)
    headline = f"{opening} *{_escape(names or record.tenant)}*"
    if place := _place(notifications):
        headline += f" in {_escape(place)}"
    return {
        "text": headline,
        "attachments": [
            {
                "color": _COLOURS.get(record.outcome, _RED),
                "fallback": _escape(record.summary or names),
                "text": "\n".join(_lines(record)),
                "mrkdwn_in": ["text"],
            }
        ],
    }


def _place(notifications: NotificationSettings) -> str:
    """Join environment, account and region, as far as they are set."""
    named = (notifications.environment, notifications.account, notifications.region)
    return " / ".join(part for part in named if part)


def _lines(record: RunRecord) -> Iterator[str]:
    for target in record.targets:
        yield from _changes(target)
    if record.summary:
        yield _escape(record.summary[:_MAX_SUMMARY])
    yield f"Tenant {_escape(record.tenant)}"
    if record.step.link:
        yield f"<{_escape(record.step.link)}|Open the step>"


def _changes(target: TargetRecord) -> Iterator[str]:
    for container, new in target.after.items():
        old = target.before.get(container, "")
        if new != old or target.restart or target.resumed:
            change = f"{_code(old)} → {_code(new)}" if old and old != new else _code(new)
            name = f"{target.name}/{container}" if container else target.name
            yield f"{_escape(name)}: {change}"
    if target.configuration:
        yield f"{_escape(target.name)}: {_escape(', '.join(target.configuration))}"


def _code(text: str) -> str:
    return f"`{_escape(text).replace('`', '')}`"


def _escape(text: str) -> str:
    """Escape text so that Slack sees neither a mention, a link nor another line in it."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
