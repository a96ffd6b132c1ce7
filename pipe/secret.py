"""Secrets, and masking them in all output."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

STARS = "***"
SHORTEST = 4
"""Masking shorter values would make the log unreadable and protect nothing."""
_CUT = "..."
"""Marks where a text was cut off, possibly within a secret."""


class Secret:
    """A string that prints as `***` unless it is revealed explicitly."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the code that sends it."""
        return self._value

    def __repr__(self) -> str:
        return STARS

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)


class Mask:
    """Replaces every known secret in texts: raw, quoted, URL-encoded and base64.

    Base64 is covered at all three alignments, which finds a token within a longer encoded text
    (`user:token`).
    """

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: Secret) -> Secret:
        """Mask `secret` from now on, and return it."""
        value = secret.reveal()
        if len(value) >= SHORTEST:
            self._forms.update(form for form in _forms(value) if len(form) >= SHORTEST)
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return secret

    def text(self, text: str) -> str:
        """Return `text` with every secret replaced by `***`."""
        if not self._pattern:
            return text
        text = self._pattern.sub(STARS, text)
        return self._mask_cut_secrets(text) if _CUT in text else text

    def data(self, value: Any) -> Any:
        """Return plain data with secrets replaced in every text."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            # Keys are names of the pipe or public names of the platform.
            return {key: self.data(entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(entry) for entry in value]
        return value

    def _mask_cut_secrets(self, text: str) -> str:
        """Mask the beginning of a secret where a text was cut off within it."""
        parts = text.split(_CUT)
        for number, part in enumerate(parts[:-1]):
            length = max((_overlap(part, form) for form in self._forms), default=0)
            if length >= SHORTEST:
                parts[number] = part[:-length] + STARS
        return _CUT.join(parts)


def _overlap(text: str, form: str) -> int:
    """Return how many characters at the end of `text` are the beginning of `form`."""
    longest = min(len(text), len(form) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(form[:n])), 0)


def _forms(value: str) -> Iterator[str]:
    yield value
    raw = value.encode("utf-8", "surrogateescape")  # bytes that are not UTF-8
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda hexes: hexes[0].lower(), encoded)
    # As files and messages escape quotes, backslashes and angle brackets.
    yield from (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
    yield from (html.escape(value), html.escape(value, quote=False))
    yield from (shlex.quote(value), repr(value)[1:-1])
    # As excerpts have it: without tags, and with single blanks.
    yield " ".join(re.sub("<[^>]*>", " ", value).split())
    yield from value.splitlines() if "\n" in value else ()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Only the characters that no neighbouring byte contributes to belong to the secret.
            encoded = encode(b"\0" * before + raw).decode().rstrip("=")
            first = -(-before * 8 // 6)
            whole = (before + len(raw)) * 8 // 6
            yield encoded[first:whole]
