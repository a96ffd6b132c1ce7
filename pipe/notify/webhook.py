"""The body for WEBHOOK: the record as JSON, or an Adaptive Card for Microsoft Teams Workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pipe.output import printable
from pipe.report import RunRecord
from pipe.report.json_record import as_data
from pipe.secret import cut

_TEAMS = (".logic.azure.com", ".api.powerplatform.com", ".webhook.office.com")
"""The ends of the hosts at which Teams Workflows and its predecessor receive messages."""
_STYLES = {"done": "good", "restored": "warning", "cancelled": "warning"}
_HEADLINES = {
    "done": "Done",
    "restored": "Rolled back",
    "cancelled": "Cancelled",
    "not-restored": "Rollback failed",
}
_LONGEST_SUMMARY = 2000
_MOST_TARGETS = 20
"""A card may have 28 KB."""


def body(address: str, record: RunRecord) -> Mapping[str, Any]:
    """Return what the receiver at this address gets of a record that has been masked."""
    host = urlsplit(address).hostname or ""
    return _message(record) if host.endswith(_TEAMS) else as_data(record)


def _message(record: RunRecord) -> Mapping[str, Any]:
    link = record.step.link
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {
                "type": "Container",
                "style": _STYLES.get(record.outcome, "attention"),
                "items": [_text(_headline(record), weight="bolder", size="large")],
            },
            *(_text(line) for line in _lines(record)),
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Open the step", "url": link}]
        if link
        else [],
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content_type, "content": card}]}


def _headline(record: RunRecord) -> str:
    names = ", ".join(target.name for target in record.targets[:_MOST_TARGETS])
    return f"{_HEADLINES.get(record.outcome, 'Failed')}: {names or record.tenant}"


def _lines(record: RunRecord) -> Iterator[str]:
    for target in record.targets[:_MOST_TARGETS]:
        for container, new in target.after.items():
            old = target.before.get(container, "")
            name = f"{target.name}/{container}" if container else target.name
            yield f"{name}: {old} → {new}" if old and old != new else f"{name}: {new}"
    if record.summary:
        yield cut(record.summary, _LONGEST_SUMMARY)
    yield from record.warnings
    place = f", environment {record.step.deployment}" if record.step.deployment else ""
    yield f"Tenant {record.tenant}{place}"


def _text(text: str, **style: str) -> Mapping[str, Any]:
    """Return a paragraph without Markdown: a log line can neither link nor mention."""
    return {
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": printable(text), **style}],
    }
