"""Secrets, and masking them in all output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipe.spelling import SHORTEST, Spelling, base64_forms, spellings

STARS = "***"
_FRAGMENT = 12
"""Characters of a secret in base64 that cannot be anything else."""
_LINE = 60
"""The shortest line at which tools wrap base64; longer secrets may be shown in several lines."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}")
_STANDARD_ALPHABET = str.maketrans("-_", "+/")
_LONG = 64


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


def cut(text: str, longest: int) -> str:
    """Return a text cut to a length, with the dots by which the mask finds half a secret."""
    return text if len(text) <= longest else f"{text[:longest]}..."


def clause(sentence: str) -> str:
    """Return a sentence without its full stop; three dots stay, by which the mask finds a cut."""
    return sentence if sentence.endswith("...") else sentence.removesuffix(".")


class Mask:
    """Replaces every known secret in texts, in the spellings of `pipe.spelling`.

    Base64 is covered at all three alignments, which finds a token within a longer encoded text
    (`user:token`).
    """

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._spellings: list[Spelling] = []
        self._heads: tuple[int, re.Pattern[str]] | None = None
        self._fragments: set[str] = set()

    def add(self, secret: Secret) -> Secret:
        """Mask `secret` from now on, and return it."""
        value = secret.reveal()
        if len(value) >= SHORTEST and value not in self._values:
            self._values.add(value)
            self._spellings += spellings(value)
            for form in base64_forms(value):
                if len(form) > _LINE:
                    last = len(form) - _FRAGMENT
                    self._fragments.update(form[at : at + _FRAGMENT] for at in range(last + 1))
        return secret

    def text(self, text: str) -> str:
        """Return `text` with every secret replaced by `***`."""
        masked, done = [], 0
        for start, end in self._spans(text):
            if start >= done:
                masked += [text[done:start], STARS]
            done = max(done, end)
        return "".join([*masked, text[done:]]) if masked else text

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

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets begin and end, in order; they may overlap."""
        return sorted([*self._whole_or_cut(text), *self._lines_of_base64(text)])

    def _whole_or_cut(self, text: str) -> Iterator[tuple[int, int]]:
        known = tuple(self._spellings)
        if not known:
            return
        # Compiled when needed, which takes milliseconds; another thread may add a secret meanwhile.
        if self._heads is None or self._heads[0] != len(known):
            pattern = re.compile("|".join(spelling.head() for spelling in known))
            self._heads = len(known), pattern
        else:
            pattern = self._heads[1]
        place = 0
        while matched := pattern.search(text, place):
            start = matched.start()
            end = max(spelling.end(text, start) for spelling in known)
            if end > start:
                yield start, end
            # Texts that repeat a long secret's beginning take no longer than others.
            place = end if end - start >= _LONG else start + 1

    def _lines_of_base64(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield fragments of secrets in base64, as they are when its lines are shown one by one."""
        for run in _BASE64.finditer(text) if self._fragments else ():
            encoded = run[0].translate(_STANDARD_ALPHABET)
            for at in range(len(encoded) - _FRAGMENT + 1):
                if encoded[at : at + _FRAGMENT] in self._fragments:
                    yield run.start() + at, run.start() + at + _FRAGMENT
