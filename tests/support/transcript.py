"""Search the output of every run in the tests for secrets, for `make reliability`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.security import canaries

FOLDER = "PIPE_CANARIES"


def watch(text: str, environ: Mapping[str, str] | None = None) -> None:
    """Record the secrets in a run's output: canaries, and the secret variables of `environ`."""
    if os.environ.get(FOLDER):
        note([*canaries.found_in(text), *canaries.given_in(text, environ or {})])


def watch_files(folder: Path, environ: Mapping[str, str]) -> None:
    """Record the secrets in the files that a run wrote below a folder."""
    if os.environ.get(FOLDER):
        for path in folder.rglob("*"):
            if path.is_file():
                watch(path.read_bytes().decode("utf-8", "replace"), environ)


def note(secrets: Iterable[str]) -> None:
    """Append them, with the name of the test, to a file that `make reliability` reads."""
    lines = [f"{value} in {os.environ.get('PYTEST_CURRENT_TEST')}\n" for value in secrets]
    if lines:
        path = Path(os.environ[FOLDER]) / f"{os.getpid()}.txt"
        with path.open("a", encoding="utf-8") as file:
            file.writelines(lines)
