"""The ways in which encoders spell a text: URLs, JSON, HTML, shells, base64 and hexadecimal."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import islice

SHORTEST = 4
"""Characters by which a spelling is recognized; shorter secrets are not masked."""
_LONGEST = 16_384
"""Only this much of a longer text is known in every spelling; the rest as it is."""
_UNMISTAKABLE = 64
"""So many first characters are part of the secret even where nothing marks a cut."""
_MOST_LINES = 300
_LINE_END = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_CUT = "..."
_PLAIN = frozenset(string.ascii_letters + string.digits)
"""What no encoder changes."""
_URL_SAFE = str.maketrans("+/", "-_")
_BREAK = re.compile(r"(?:\s|\\+[rn])+")
_ESCAPE_CUT_SHORT = re.compile(r"[%\\&'=]?[%\\&#'\"\w{]{0,9}")
_LETTERS = {
    "\n": "n",
    "\t": "t",
    "\r": "r",
    "\f": "f",
    "\v": "v",
    "\b": "b",
    "\a": "a",
    "\x1b": "[eE]",
}

_LEVELS = ("{0}", "{1}", "{2}", "{3,}")
"""How often a text may have been escaped again."""

Element = str | tuple[re.Pattern[str], ...]
"""One character: itself if no encoder changes it, otherwise the patterns of its spellings."""


class Spelling:
    """One text in any spelling of its characters; with `wrapped`, lines may break within it.

    A text of hardly anything but blanks is only known as it is.
    """

    def __init__(self, text: str, *, wrapped: bool = False) -> None:
        self._text = text
        self._wrapped = wrapped

    @cached_property
    def _elements(self) -> tuple[Element, ...]:
        return tuple(self._parsed())

    def _parsed(self) -> Iterable[Element]:
        text = self._text[:_LONGEST]
        return _elements(text) if _is_visible(text) else text

    def head(self) -> str:
        """Return a pattern of its first characters."""
        between = f"(?:{_BREAK.pattern})?" if self._wrapped else ""
        parts, needed = [], SHORTEST
        for element in self._parsed():
            needed -= not _is_optional(element)
            patterns = (
                [re.escape(element)]
                if isinstance(element, str)
                else [pattern.pattern for pattern in element]
            )
            parts.append(f"(?:{'|'.join(patterns)})")
            if not needed:
                break
        return between.join(parts)

    def end(self, text: str, start: int) -> int:
        """Return where it ends in `text` if it begins at `start`; otherwise `start`.

        Where the text was cut within it, marked by dots, the cut is its end.
        """
        if len(self._text) > _LONGEST and text.startswith(self._text, start):
            return start + len(self._text)
        places, count = {start}, 0
        for element in self._elements:
            following = set(self._after(element, text, places))
            if not following:
                return self._end_of_part(text, start, max(places), count)
            places = following
            count += not _is_optional(element)
        return max(places)

    def _after(self, element: Element, text: str, places: set[int]) -> Iterator[int]:
        for place in places:
            begin = place
            if self._wrapped and (gap := _BREAK.match(text, place)):
                begin = gap.end()
            if isinstance(element, str):
                if text.startswith(element, begin):
                    yield begin + 1
            else:
                for pattern in element:
                    if matched := pattern.match(text, begin):
                        yield matched.end()

    def _end_of_part(self, text: str, start: int, end: int, count: int) -> int:
        if count >= SHORTEST:
            # The secret itself may contain dots.
            cut = text.find(_CUT, max(start, end - len(_CUT)), end + 16)
            if cut >= 0 and (cut <= end or _ESCAPE_CUT_SHORT.fullmatch(text, end, cut)):
                return max(cut, end)
        return end if count >= _UNMISTAKABLE else start


def spellings(value: str) -> Iterator[Spelling]:
    """Yield the spellings of a secret."""
    texts = {value: None, re.sub("<[^>]*>", " ", value[:_LONGEST]).strip(): None}
    # A text with line breaks may be shown line by line.
    texts |= dict.fromkeys(_LINE_END.split(value[:_LONGEST], _MOST_LINES)[:_MOST_LINES])
    yield from (Spelling(text) for text in texts if text == value or _is_visible(text))
    raw = value[:_LONGEST].encode("utf-8", "surrogatepass")
    yield from (Spelling(raw.hex()), Spelling(raw.hex().upper()))
    for form in base64_forms(value):
        if len(form) >= SHORTEST:
            # Both alphabets; they differ in two characters.
            for text in {form, form.translate(_URL_SAFE)}:
                yield Spelling(text, wrapped=True)


def base64_forms(value: str) -> Iterator[str]:
    """Yield the value in base64 as it reads within a longer encoded text, at each alignment."""
    raw = value[:_LONGEST].encode("utf-8", "surrogateescape")
    for before in range(3):
        # Only the characters that no neighbouring byte contributes to belong to the secret.
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        yield encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def _is_visible(text: str) -> bool:
    """Return whether enough characters are neither blanks nor unprintable."""
    visible = (char for char in text[:_LONGEST] if not _is_gap(char))
    # Counted no further than needed: this runs for every spelling whenever a secret is added.
    return sum(1 for _ in islice(visible, SHORTEST)) == SHORTEST


def _is_gap(char: str) -> bool:
    return char.isspace() or not char.isprintable()


def _elements(text: str) -> Iterator[Element]:
    in_gap = in_backslashes = False
    for char in text:
        # Excerpts have single blanks, and each level of escaping doubles backslashes.
        repeated = (in_gap and _is_gap(char)) or (in_backslashes and char == "\\")
        in_gap, in_backslashes = _is_gap(char), char == "\\"
        yield char if char in _PLAIN else _spelled(char, optional=repeated)


def _is_optional(element: Element) -> bool:
    return not isinstance(element, str) and element[-1].pattern == ""


@lru_cache(maxsize=1024)
def _spelled(char: str, *, optional: bool) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of a character that encoders change; `optional` ones may be left out."""
    patterns = [re.escape(char), *(f"(?i:{escape})" for escape in _escapes(char))]
    return tuple(re.compile(one) for one in [*patterns, *([""] if optional else [])])


def _escapes(char: str) -> Iterator[str]:
    """Yield the patterns of a character's spellings, apart where a text can be read in two ways.

    `&amp;x;` is an ampersand before `x;`, or some character escaped twice.
    """
    raw = char.encode("utf-8", "surrogateescape") if not _lone(char) else b"?"
    number = f"{ord(char):x}"
    for level in _LEVELS:
        in_url = "".join(f"%(?:25){level}{byte:02x}" for byte in raw)
        yield rf"{in_url}|&(?:amp;){level}(?:#0*{ord(char)}|#x0*{number}|[a-z]+);"
    pair = char.encode("utf-16-be", "surrogatepass").hex()
    units = (pair[:4], pair[4:]) if len(pair) > 4 else (pair,)
    others = [
        "".join(rf"\\+u{unit}" for unit in units),
        rf"\\+[ux](?:\{{0*{number}\}}|0*{number})",
        "".join(rf"\\+x{byte:02x}" for byte in raw),
        "".join(rf"\\+{byte:03o}" for byte in raw),
        rf"\\+{re.escape(char)}",
    ]
    if char in _LETTERS:
        others.append(rf"\\+{_LETTERS[char]}")
    if char == "\\":
        others.append(r"\\+")
    if char in "'\"":
        # As CSV and SQL double quotes, and as shells end and continue a quoted text.
        yield char * 2
        others.append(r"'\\+''|'\"'\"'")
    if _is_gap(char):
        others.append(r"\s|\+|\?")
    if not char.isascii():
        others.append("[?\ufffd]")
    yield "|".join(others)


def _lone(char: str) -> bool:
    """Return whether a character is half of one, and not a byte that is not UTF-8."""
    return 0xD800 <= ord(char) < 0xDC80 or 0xDD00 <= ord(char) < 0xE000
