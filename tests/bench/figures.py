"""The figures of a benchmark, and the one table they are shown in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

PIPE = "pipe"
COLUMNS = ("Figure", PIPE, "Compared with", "", "Ratio")


@dataclass(frozen=True)
class Figure:
    """What was measured in several runs: of the pipe, and of what it is compared with, by name.

    `form` shows one value, with its unit.
    """

    title: str
    form: str
    samples: Mapping[str, Sequence[float]]

    def shown(self, name: str) -> str:
        """Return the median, and the minimum and maximum where they look different."""
        values = self.samples[name]
        middle, least, most = (
            self.form.format(value) for value in (median(values), min(values), max(values))
        )
        number = least.partition(" ")[0]
        return middle if least == most else f"{middle} ({number}-{most.partition(' ')[0]})"

    def ratio(self, name: str) -> str:
        """Return the pipe's median as a multiple of another one's."""
        other = median(self.samples[name])
        return f"{median(self.samples[PIPE]) / other:.2f}" if other > 0 else ""


def rows(figures: Iterable[Figure]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each figure and everything that the pipe is compared with in it."""
    for figure in figures:
        title, ours = figure.title, figure.shown(PIPE)
        others = [name for name in figure.samples if name != PIPE]
        for name in others:
            yield title, ours, name, figure.shown(name), figure.ratio(name)
            title = ours = ""
        if not others:
            yield title, ours, "", "", ""


def as_text(figures: Iterable[Figure]) -> str:
    """Return the table for a terminal."""
    lines = [COLUMNS, *rows(figures)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_markdown(figures: Iterable[Figure]) -> str:
    """Return the table for a document."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *rows(figures)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
