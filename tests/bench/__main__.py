"""Measure the pipe beside other tools, and show everything in one table, in about five minutes."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from image import contents
from tests.bench.cases import ALL_AT_ONCE, LARGE, MIDDLE, SMALL
from tests.bench.containers import build_pipe, containers
from tests.bench.deployments import STABLE_SECONDS, deployments
from tests.bench.figures import Figure, as_markdown, as_text
from tests.bench.first_request import ROOT, processes, roles
from tests.support.docker import engine_answers

README = ROOT / "README.md"
STARTS, DEPLOYMENTS, LARGE_RUNS = 10, 3, 1
"""How often each is repeated."""

_PART = r"(?P<head>^[^\n]*made by make bench: {}\)?\n).*?(?P<tail>^[^\n]*made by make bench: end)"


@dataclass(frozen=True)
class Options:
    """What to measure: `long` adds cases, `former` is another checkout to compare with."""

    long: bool
    write: bool
    former: Path | None


def main() -> None:
    """Measure, print the table, and write it into the README if that is wanted."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--long", action="store_true", help="more cases; takes fifteen minutes")
    parser.add_argument("--write", action="store_true", help="write the tables into README.md")
    parser.add_argument("--former", type=Path, help="another checkout of the pipe, built likewise")
    given = parser.parse_args()
    options = Options(given.long, given.write, given.former and given.former.resolve())
    figures = []
    for figure in measured(options):
        figures.append(figure)
        print(f"{figure.title}: {', '.join(figure.samples)}", file=sys.stderr, flush=True)
    print(f"{conditions()}\n\n{as_text(figures)}")
    if options.write:
        write("figures", f"{conditions()}\n\n{as_markdown(figures)}")
        write("image", image_table())


def measured(options: Options) -> Iterator[Figure]:
    """Yield every figure as soon as it is known."""
    yield processes(STARTS, options.former)
    if engine_answers():
        yield from containers(STARTS, options.former)
    else:
        print("No Docker engine answers: containers are not measured.", file=sys.stderr)
    for case in SMALL:
        yield from deployments(case, DEPLOYMENTS, options.former)
    yield from deployments(LARGE, LARGE_RUNS, options.former)
    if options.long:
        yield roles(STARTS)
        yield from deployments(MIDDLE, DEPLOYMENTS, options.former)
        yield from deployments(ALL_AT_ONCE, LARGE_RUNS, options.former)


def conditions() -> str:
    """Return how the figures came about."""
    text = (
        f"Medians, with minimum and maximum, on {os.cpu_count()} cores with Python "
        f"{platform.python_version()}: {STARTS} starts of each, alternating; {DEPLOYMENTS} "
        f"deployments of each by all tools at the same time, and {LARGE_RUNS} of the largest by "
        "one tool after the other, each on a portal of its own. _Overhead_ is the time from the "
        "moment the last new pod is up to the end of the run, less the "
        f"{STABLE_SECONDS} s for which the pipe watches new pods (`STABLE_SECONDS`); the other "
        "tool does not watch them. CPU time includes start-up, but for that of a look, which is "
        "the time from one request for the list of pods to the next."
    )
    return textwrap.fill(text, 100)


def image_table() -> str:
    """Return what the compressed image consists of, for a document."""
    sizes = contents.parts(build_pipe(ROOT))
    rows = sorted(sizes.items(), key=lambda part: -part[1])
    lines = [f"| {name} | {size / contents.MEGABYTE:.2f} MB |" for name, size in rows]
    return "\n".join(["| Part of the image | Compressed |", "| --- | --- |", *lines])


def write(name: str, text: str) -> None:
    """Replace a generated part of the README."""
    README.write_text(replaced(README.read_text("utf-8"), name, text), "utf-8")


def replaced(page: str, name: str, text: str) -> str:
    """Return a document with another text in one of its generated parts."""
    pattern = re.compile(_PART.format(name), re.MULTILINE | re.DOTALL)
    return pattern.sub(lambda part: f"{part['head']}\n{text}\n\n{part['tail']}", page)


if __name__ == "__main__":
    main()
