"""The table at the end of `make kubernetes`: cases by modes of following a rollout."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.live.bench import Result
from tests.live.cases import Case

_LONGEST_REASON = 110
_HEAD = "exit beyond requests"
_WIDTHS = (4, 6, 9)

_cells: dict[str, dict[str, str]] = {}
_reasons: dict[str, str] = {}
_notes: list[str] = []


def add(case: Case, result: Result, beyond: float | None) -> None:
    """Add a finished case; `beyond` are the seconds from the evidence to the end of the run."""
    seconds = "-" if beyond is None else f"{beyond:.1f}"
    requests = str(len(result.calls))
    if case.mode != "false":
        requests += f"+{result.reads_of_kubernetes}"
    cells = zip((str(result.code), seconds, requests), _WIDTHS, strict=True)
    _cells.setdefault(case.base, {})[case.mode] = " ".join(f"{text:>{w}}" for text, w in cells)
    _reasons[case.base] = re.sub(rf"^. {case.name}:? ", "", result.last_line)


def note(text: str) -> None:
    """Add a line below the table."""
    _notes.append(text)


def lines() -> Iterator[str]:
    """Yield the lines of the table, none if no case ran."""
    if not _cells:
        return
    ran = {mode for modes in _cells.values() for mode in modes}
    modes = [mode for mode in ("false", "auto", "true") if mode in ran]
    first = max(len(name) for name in ("case", *_cells))
    width = sum(_WIDTHS) + len(_WIDTHS) - 1
    head = " | ".join(f"KUBERNETES: {mode}".ljust(width) for mode in modes)
    columns = " | ".join(_HEAD.rjust(width) for _ in modes)
    yield ""
    yield f"{'':{first}} | {head} |"
    yield f"{'case':{first}} | {columns} | reason shown"
    for name, by_mode in _cells.items():
        row = " | ".join(by_mode.get(mode, "").rjust(width) for mode in modes)
        yield f"{name:{first}} | {row} | {_cut(_reasons[name])}"
    yield ""
    yield "beyond: seconds from the moment Kubernetes called the version available, or showed that"
    yield "it had failed, until the run ended. Up to 3 of them are STABLE_SECONDS. requests: to the"
    yield "portal, and those to the API server. The log of every run, and what Kubernetes reported"
    yield "meanwhile, are in build/kubernetes."
    yield from _notes


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 3]}..."
