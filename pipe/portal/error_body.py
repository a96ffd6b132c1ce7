"""What the portal says when it says no: five forms of error bodies, read into one line."""

from __future__ import annotations

from typing import Any

from pipe.http import Reply
from pipe.http.excerpt import one_line

_KEYS = ("Message", "message", "title", "detail", "error")


def message(reply: Reply) -> str:
    """The reply's own words: JSON text or message, plain text, or HTML without its tags."""
    try:
        found = _from_json(reply.json())
    except ValueError:
        found = reply.text()
    return one_line(found)


def transient(reply: Reply) -> bool:
    """Whether the same request may succeed soon.

    AWS throttling and backend time-outs reach us as status 400 with telling words.
    """
    if reply.ok:
        return not _whole(reply)
    if reply.status == 400:
        words = message(reply)
        return words == "Rate exceeded" or "HRESULT" in words
    return reply.outage


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
