"""What the portal says when it says no: five forms of error bodies, read into one line."""

from __future__ import annotations

import re
from typing import Any

from pipe.http import Reply

_LONGEST = 300
_EXCERPT = 100
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_KEYS = ("Message", "message", "title", "detail", "error")
_TRANSIENT = (429, 500, 502, 503, 504)


def message(reply: Reply) -> str:
    """The reply's own words: JSON text or message, plain text, or HTML without its tags."""
    try:
        found = _from_json(reply.json())
    except ValueError:
        found = reply.text()
    return _one_line(found)


def excerpt(reply: Reply) -> str:
    """The beginning of a body that is not what it should be."""
    line = _one_line(reply.text())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}..."


def transient(reply: Reply) -> bool:
    """Whether the same request may succeed soon.

    AWS throttling and backend time-outs reach us as status 400 with telling words.
    """
    if reply.ok:
        return not _whole(reply)
    if reply.status == 400:
        words = message(reply)
        return words == "Rate exceeded" or "HRESULT" in words
    return reply.status in _TRANSIENT


def _whole(reply: Reply) -> bool:
    """Whether a good reply holds JSON: truncated ones and a gateway's HTML page pass."""
    if not reply.body.strip():
        return True
    try:
        reply.json()
    except ValueError:
        return False
    return True


def _from_json(body: Any) -> str:
    if isinstance(body, str):
        return body
    if isinstance(body, dict):
        for key in _KEYS:
            if words := _from_json(body.get(key)):
                return words
    return ""


def _one_line(text: str) -> str:
    without_tags = _TAG.sub(" ", text[: 20 * _LONGEST])
    printable = "".join(char if char.isprintable() else " " for char in without_tags)
    line = " ".join(printable.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
