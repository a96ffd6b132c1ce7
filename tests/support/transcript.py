"""Everything that any run of the suite says passes by here, and is searched for secrets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.security import canaries

FOLDER = "PIPE_CANARIES"


def watch(text: str, environ: Mapping[str, str] | None = None) -> None:
    """Note the secrets in what a run said, where `make reliability` collects them.

    Those are the canaries, and whatever secret `environ` gave to the run.
    """
    if os.environ.get(FOLDER):
        note([*canaries.found_in(text), *canaries.given_in(text, environ or {})])


def watch_files(folder: Path, environ: Mapping[str, str]) -> None:
    """The same for the files that a run wrote below a folder."""
    if os.environ.get(FOLDER):
        for path in folder.rglob("*"):
            if path.is_file():
                watch(path.read_bytes().decode("utf-8", "replace"), environ)


def note(found: Iterable[str]) -> None:
    """Leave them for `make reliability`, with the test that they are from."""
    lines = [f"{value} in {os.environ.get('PYTEST_CURRENT_TEST')}\n" for value in found]
    if lines:
        path = Path(os.environ[FOLDER]) / f"{os.getpid()}.txt"
        with path.open("a", encoding="utf-8") as file:
            file.writelines(lines)
