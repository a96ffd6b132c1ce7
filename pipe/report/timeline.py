"""Old and new pods against the seconds of a rollout, drawn without script.

Widths are percentages, so that the drawing fits a phone while its text keeps its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipe.report.markup import Markup, tag

_HEIGHT = 150
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400)
_MOST_TICKS = 6
_LAST_TICK = 0.97
_MOST_LINES = 5
_LAYERS = ("up", "starting", "old")

FORTH = ("new, up", "new, starting", "version before")
BACK = ("version before, up", "version before, starting", "failed version")
"""What the layers are called, on the way forth and back."""


@dataclass(frozen=True)
class _Span:
    """A stretch of time in which nothing changed; seconds."""

    begin: float
    end: float
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def timeline(
    samples: Sequence[Mapping[str, Any]], caption: str, names: Sequence[str] = FORTH
) -> Markup:
    """The drawing with its legend and, for those who cannot see it, its numbers.

    `names` are those of the pods that are up, that start, and that are to go.
    """
    spans = list(_spans(samples))
    if not spans:
        return Markup()
    length = spans[-1].end
    top = max(1, *(span.total for span in spans))
    return tag(
        "figure",
        tag("figcaption", caption),
        tag(
            "div",
            tag("div", *_levels(top), class_="levels", aria_hidden="true"),
            _drawing(spans, length, top, names),
            tag("div", *_ticks(length), class_="ticks", aria_hidden="true"),
            class_="chart",
        ),
        _legend(spans[-1], names),
        _numbers(spans, names),
    )


def _spans(samples: Sequence[Mapping[str, Any]]) -> Iterator[_Span]:
    """Samples with like neighbours taken together; the last one gets a little room."""
    if not samples:
        return
    last = max(1.0, float(samples[-1]["seconds"]))
    begin, held = 0.0, _counts(samples[0])
    for sample in samples[1:]:
        if (counts := _counts(sample)) != held:
            yield _Span(begin, float(sample["seconds"]), held)
            begin, held = float(sample["seconds"]), counts
    yield _Span(begin, max(last, begin + last / 50), held)


def _counts(sample: Mapping[str, Any]) -> Mapping[str, int]:
    return {name: int(sample[name]) for name in _LAYERS}


def _drawing(spans: Sequence[_Span], length: float, top: int, names: Sequence[str]) -> Markup:
    lines = [
        tag("line", x1="0", x2="100%", y1=y, y2=y, class_="level")
        for level in _marks(top)
        for y in [round(_HEIGHT * (1 - level / top), 1)]
    ]
    bars = [bar for span in spans for bar in _bars(span, length, top, names)]
    words = ". ".join(f"from {span.begin:.0f} s {_words(span, names)}" for span in spans[:40])
    return tag(
        "svg",
        *bars,
        *lines,
        role="img",
        aria_label=f"Pods over time: {words}",
        width="100%",
        height=_HEIGHT,
    )


def _bars(span: _Span, length: float, top: int, names: Sequence[str]) -> Iterator[Markup]:
    below = 0
    for name in _LAYERS:
        count = span.counts[name]
        if count:
            below += count
            yield tag(
                "rect",
                tag("title", f"{span.begin:.1f} s to {span.end:.1f} s: {_words(span, names)}"),
                x=f"{100 * span.begin / length:.3f}%",
                # A hair wider than it is, or the background shines through between two.
                width=f"{100 * (span.end - span.begin) / length + 0.1:.3f}%",
                y=round(_HEIGHT * (1 - below / top), 2),
                height=round(_HEIGHT * count / top, 2),
                class_=name,
            )


def _levels(top: int) -> Iterator[Markup]:
    for level in _marks(top):
        yield tag("span", level, style=f"bottom:{100 * level / top:.2f}%")


def _marks(top: int) -> Sequence[int]:
    step = -(-top // _MOST_LINES)
    return range(0, top + 1, step)


def _ticks(length: float) -> Iterator[Markup]:
    step = next((step for step in _STEPS if length / step <= _MOST_TICKS), length)
    for number in range(int(length / step) + 1):
        seconds = number * step
        # One that would stick out at the end is left out.
        if number == 0 or seconds / length <= _LAST_TICK:
            yield tag("span", f"{seconds:g} s", style=f"left:{100 * seconds / length:.2f}%")


def _legend(last: _Span, names: Sequence[str]) -> Markup:
    entries = [
        tag("li", tag("i", class_=name), tag("b", last.counts[name]), f" {words}")
        for name, words in zip(_LAYERS, names, strict=True)
    ]
    return tag("ul", tag("li", "at the end:"), *entries, class_="legend")


def _numbers(spans: Sequence[_Span], names: Sequence[str]) -> Markup:
    head = tag("tr", *(tag("th", words) for words in ("from", *names)))
    rows = [
        tag(
            "tr",
            tag("td", f"{span.begin:.1f} s"),
            *(tag("td", span.counts[layer]) for layer in _LAYERS),
        )
        for span in spans
    ]
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    return tag("details", tag("summary", "The same in numbers"), tag("div", table, class_="wide"))


def _words(span: _Span, names: Sequence[str]) -> str:
    told = zip(_LAYERS, names, strict=True)
    return "; ".join(f"{words}: {span.counts[layer]}" for layer, words in told)
