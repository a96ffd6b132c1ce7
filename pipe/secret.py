"""Values that never show themselves."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

STARS = "***"
SHORTEST = 4
"""Masking anything shorter would only make the log unreadable, and protects nothing."""


class Secret:
    """A string that prints as `***` and has to be revealed on purpose."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that needs it."""
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
    """Replaces every known secret in a text, raw, base64 and URL-encoded.

    Base64 is met at each of the three alignments, so that a token inside a longer encoded
    text (`user:token`) is found too.
    """

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: Secret) -> Secret:
        """Hide `secret` from now on; hands it back for convenience."""
        value = secret.reveal()
        if len(value) >= SHORTEST:
            self._forms.update(form for form in _forms(value) if len(form) >= SHORTEST)
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        return secret

    def text(self, text: str) -> str:
        """`text` with every secret replaced by `***`."""
        return self._pattern.sub(STARS, text) if self._pattern else text

    def data(self, value: Any) -> Any:
        """Plain data with every text in it masked, before any writer escapes it."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.data(entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(entry) for entry in value]
        return value


def _forms(value: str) -> Iterator[str]:
    yield value
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    yield from value.splitlines() if "\n" in value else ()
    raw = value.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Only the characters that no neighbouring byte has a part in are the secret's own.
            encoded = encode(b"\0" * before + raw).decode().rstrip("=")
            first = -(-before * 8 // 6)
            whole = (before + len(raw)) * 8 // 6
            yield encoded[first:whole]
