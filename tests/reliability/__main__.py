"""`make reliability`: everything in full, and one table of what was run and what was found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from tests.security import canaries
from tests.support.transcript import FOLDER

ROOT = Path(__file__).parents[2]
REPORTS = re.compile(r"deploy\.\w+|.*\.xml")
TOTALS = ("cells", "cells_failed", "kills", "kills_failed", "fuzzed", "traps", "canaries")


def main() -> int:
    """Run it all, print the table; 0 when nothing was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = run(folder)
        result = folder / "result.xml"
        if not result.exists():
            print("pytest left no result", file=sys.stderr)
            return code or 1
        cases = list(ET.parse(result).iter("testcase"))
        # Output and files of the whole suite, over and above what each test looks for itself.
        shown = said(folder / "said") + left_behind(folder / "tmp")
    totals = count(cases)
    table(totals, cases, len(shown) + totals["canaries"])
    for line in shown:
        print(f"canary: {line}", file=sys.stderr)
    return 1 if code or shown else 0


def run(folder: Path) -> int:
    """The whole suite, in full, with what it says searched and what it writes kept."""
    (folder / "said").mkdir()
    command = [
        *(sys.executable, "-m", "pytest", "-n", "auto", "-q"),
        *("-o", "tmp_path_retention_policy=all", "--basetemp", str(folder / "tmp")),
        *("--dist", "loadgroup", "--junit-xml", str(folder / "result.xml"), "tests"),
    ]
    full = {"RELIABILITY": "full", "FUZZ": "full", FOLDER: str(folder / "said")}
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **full}, check=False).returncode


def count(cases: list[ET.Element]) -> Counter[str]:
    """What the tests counted."""
    totals: Counter[str] = Counter(dict.fromkeys(TOTALS, 0))
    for case in cases:
        for entry in case.iter("property"):
            if (name := entry.get("name", "")) in TOTALS:
                totals[name] += int(entry.get("value", "0"))
    return totals


def said(folder: Path) -> list[str]:
    """Canaries in the output of any run."""
    return [line for path in folder.iterdir() for line in path.read_text("utf-8").splitlines()]


def left_behind(folder: Path) -> list[str]:
    """Canaries in the reports that any run had written."""
    reports = (path for path in folder.rglob("*") if REPORTS.fullmatch(path.name))
    return [
        f"{path} holds {value}"
        for path in reports
        if path.is_file()
        for value in canaries.found_in(path.read_bytes().decode("utf-8", "replace"))
    ]


def table(totals: Counter[str], cases: list[ET.Element], found: int) -> None:
    """The one table."""
    survived = totals["kills"] - totals["kills_failed"]
    failed = [
        case for case in cases if case.find("failure") is not None or case.find("error") is not None
    ]
    rows = [
        ("cells run", f"{totals['cells']:,}"),
        ("cells failed", f"{totals['cells_failed']:,}"),
        ("kills survived", f"{survived:,} of {totals['kills']:,}"),
        ("cases fuzzed", f"{totals['fuzzed']:,}"),
        ("traps covered", f"{totals['traps']} of 39"),
        ("canaries found", f"{found:,}"),
        ("tests failed", f"{len(failed)} of {len(cases)}"),
    ]
    width = max(len(value) for _, value in rows)
    print()
    for name, value in rows:
        print(f"| {name:<14} | {value:>{width}} |")


if __name__ == "__main__":
    sys.exit(main())
