"""The table at the end of `make kubernetes`."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEAD = ("case", "exit", "beyond", "reason shown")
_LONGEST_REASON = 120

_rows: list[tuple[str, str, str, str]] = []
_notes: list[str] = []


def add(case: str, code: int, beyond: float | None, reason: str) -> None:
    """Add a finished case; `beyond` are the seconds from the evidence to the end of the run."""
    seconds = "-" if beyond is None else f"{beyond:.1f}"
    _rows.append((case, str(code), seconds, re.sub(rf"^. {case}:? ", "", reason)))


def note(text: str) -> None:
    """Add a line below the table."""
    _notes.append(text)


def lines() -> Iterator[str]:
    """Yield the lines of the table, none if no case ran."""
    if not _rows:
        return
    rows = [_HEAD, *((*row[:3], _cut(row[3])) for row in _rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    yield ""
    for name, code, seconds, reason in rows:
        yield f"{name:<{widths[0]}}  {code:>{widths[1]}}  {seconds:>{widths[2]}}  {reason}"
    yield ""
    yield "beyond: seconds from the moment Kubernetes called the version available, or showed that"
    yield "it had failed, until the run ended. Up to 3 of them are STABLE_SECONDS. The log of every"
    yield "run, and what Kubernetes reported meanwhile, are in build/kubernetes."
    yield from _notes


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 3]}..."
