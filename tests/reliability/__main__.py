"""`make reliability`: run all tests in full and print one table of the results."""

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
WORKERS = (os.cpu_count() or 1) + 1
"""As in the Makefile: many tests wait for containers and processes."""
TOTALS = ("cells", "cells_failed", "kills", "kills_failed", "fuzzed", "traps", "canaries")


def main() -> int:
    """Run everything and print the table; return 0 when nothing was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = run(folder)
        result = folder / "result.xml"
        if not result.exists():
            print("pytest wrote no result", file=sys.stderr)
            return code or 1
        cases = list(ET.parse(result).iter("testcase"))
        # Output and files of the whole suite, in addition to what each test checks itself.
        leaks = in_output(folder / "output") + in_reports(folder / "tmp")
    totals = count(cases)
    table(totals, cases, len(leaks) + totals["canaries"])
    for line in leaks:
        print(f"canary: {line}", file=sys.stderr)
    return 1 if code or leaks else 0


def run(folder: Path) -> int:
    """Run the whole suite in full, with its output searched and its files kept."""
    (folder / "output").mkdir()
    command = [
        *(sys.executable, "-m", "pytest", "-n", str(WORKERS), "-q"),
        *("-o", "tmp_path_retention_policy=all", "--basetemp", str(folder / "tmp")),
        *("--junit-xml", str(folder / "result.xml"), "tests"),
    ]
    full = {"RELIABILITY": "full", "FUZZ": "full", FOLDER: str(folder / "output")}
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **full}, check=False).returncode


def count(cases: list[ET.Element]) -> Counter[str]:
    """Return the sums of what the tests counted."""
    totals: Counter[str] = Counter(dict.fromkeys(TOTALS, 0))
    for case in cases:
        for entry in case.iter("property"):
            if (name := entry.get("name", "")) in TOTALS:
                totals[name] += int(entry.get("value", "0"))
    return totals


def in_output(folder: Path) -> list[str]:
    """Return the canaries in the output of any run."""
    return [line for path in folder.iterdir() for line in path.read_text("utf-8").splitlines()]


def in_reports(folder: Path) -> list[str]:
    """Return the canaries in the reports of any run."""
    reports = (path for path in folder.rglob("*") if REPORTS.fullmatch(path.name))
    return [
        f"{path} holds {value}"
        for path in reports
        if path.is_file()
        for value in canaries.found_in(path.read_bytes().decode("utf-8", "replace"))
    ]


def table(totals: Counter[str], cases: list[ET.Element], canaries_found: int) -> None:
    """Print the table."""
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
        ("canaries found", f"{canaries_found:,}"),
        ("tests failed", f"{len(failed)} of {len(cases)}"),
    ]
    width = max(len(value) for _, value in rows)
    print()
    for name, value in rows:
        print(f"| {name:<14} | {value:>{width}} |")


if __name__ == "__main__":
    sys.exit(main())
