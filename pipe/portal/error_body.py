"""Read the portal's error bodies, which come in five forms."""

from __future__ import annotations

from typing import Any

from pipe.http import Reply
from pipe.http.excerpt import one_line
from pipe.secret import clause

_KEYS = ("Message", "message", "title", "detail", "error")


def message(reply: Reply) -> str:
    """Return the error message as one line without its full stop, for a quotation.

    It comes from JSON, plain text, or HTML without its tags.
    """
    try:
        content = _from_json(reply.json())
    except ValueError:
        content = reply.text()
    return clause(one_line(content))


def transient(reply: Reply) -> bool:
    """Return whether the same request may succeed soon.

    The portal passes on AWS throttling and backend timeouts as status 400; only the message
    identifies them.
    """
    if reply.ok:
        return not _is_complete(reply)
    if reply.status == 400:
        text = message(reply)
        return text == "Rate exceeded" or "HRESULT" in text
    return reply.outage


def _is_complete(reply: Reply) -> bool:
    """Return whether a successful reply is empty or valid JSON.

    Truncated JSON and a gateway's HTML page are not, and usually a retry helps.
    """
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
            if text := _from_json(body.get(key)):
                return text
    return ""
