"""The few words of HTML that the page is written in; text is escaped here and nowhere else."""

from __future__ import annotations

import re
from html import escape

# Not allowed in HTML, or able to turn the direction of the text around them.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Anything as HTML text, harmless also inside quotes."""
    return (
        value if isinstance(value, Markup) else Markup(escape(_HARMFUL.sub("\ufffd", str(value))))
    )


def join(*parts: object) -> Markup:
    """Parts in a row, escaped where they are not HTML yet."""
    return Markup("".join(text(part) for part in parts))


def tag(name: str, *content: object, **attributes: object) -> Markup:
    """One element. Attributes that are None or False are left out; `class_` means `class`."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text("" if value is True else value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{shown}>{join(*content)}</{name}>")
