"""Response bodies as one line that is safe to log."""

from __future__ import annotations

import re

from pipe.http.client import Reply
from pipe.secret import cut

_LONGEST = 300
_EXCERPT = 100
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def one_line(text: str) -> str:
    """Return a text without tags and control characters, cut to 300 characters."""
    without_tags = _TAG.sub(" ", cut(text, 20 * _LONGEST))
    printable = "".join(char if char.isprintable() else " " for char in without_tags)
    return cut(" ".join(printable.split()), _LONGEST)


def excerpt(reply: Reply) -> str:
    """Return the beginning of an unexpected body."""
    return cut(one_line(reply.text()), _EXCERPT)
