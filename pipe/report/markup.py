"""Build HTML; text is escaped here and nowhere else."""

from __future__ import annotations

import re
from html import escape

# Forbidden in HTML, or able to reverse the direction of the text around them.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Return a value as HTML text, safe in attributes too."""
    if isinstance(value, Markup):
        return value
    return Markup(escape(_HARMFUL.sub("\ufffd", str(value))))


def join(*parts: object) -> Markup:
    """Join parts, escaping those that are not HTML."""
    return Markup("".join(text(part) for part in parts))


def tag(name: str, *content: object, **attributes: object) -> Markup:
    """Return an element. Attributes that are None or False are omitted; `class_` means `class`."""
    rendered = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text("" if value is True else value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{rendered}>{join(*content)}</{name}>")
