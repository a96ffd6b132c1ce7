"""A chart of old and new pods over the seconds of a rollout, drawn without script.

Widths are percentages, so that the chart fits a phone while its text keeps its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipe.report.events import event_list, event_marks
from pipe.report.markup import Markup, tag
from pipe.rollout import PodCounts, RolloutEvent

_HEIGHT = 150
_TICK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400)
_MAX_TICKS = 6
_LAST_TICK = 0.97
_MAX_LINES = 5
_MAX_SPOKEN = 40


@dataclass(frozen=True)
class Names:
    """Whose pods the layers show: in words for the legend."""

    incoming: str
    outgoing: str


ROLLOUT = Names("new", "previous version")
ROLLBACK = Names("previous version", "failed version")


@dataclass(frozen=True)
class _Span:
    """A period without change, in seconds; `counts` are in the order of the layers."""

    begin: float
    end: float
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True)
class _Layer:
    """Pods in one state, with a class in the style sheet and words for the legend."""

    style: str
    name: str


def timeline(
    samples: Sequence[PodCounts],
    caption: str,
    names: Names,
    events: Sequence[RolloutEvent] = (),
    *,
    failed: bool = False,
) -> Markup:
    """Return the chart with its legend, its events and, for screen readers, its numbers."""
    shows_readiness = any(sample.ready is not None for sample in samples)
    spans = list(_spans(samples, shows_readiness=shows_readiness))
    if not spans:
        return Markup()
    layers = _layers(names, shows_readiness=shows_readiness)
    length = spans[-1].end
    top = max(1, *(span.total for span in spans))
    chart = tag(
        "div",
        tag("div", *_levels(top), class_="levels", aria_hidden="true"),
        _drawing(spans, length, top, layers),
        event_marks(events, length),
        tag("div", *_ticks(length), class_="ticks", aria_hidden="true"),
        class_="chart",
    )
    legend, numbers = _legend(spans[-1], layers), _numbers(spans, layers)
    listed = event_list(events, unfolded=failed)
    return tag("figure", tag("figcaption", caption), chart, legend, listed, numbers)


def _layers(names: Names, *, shows_readiness: bool) -> Sequence[_Layer]:
    """Return the layers from bottom to top, in the order of `_counts`."""
    ready = [_Layer("ready", f"{names.incoming}, ready")] if shows_readiness else []
    return (
        *ready,
        _Layer("unready" if shows_readiness else "up", f"{names.incoming}, up"),
        _Layer("starting", f"{names.incoming}, starting"),
        _Layer("old", names.outgoing),
    )


def _spans(samples: Sequence[PodCounts], *, shows_readiness: bool) -> Iterator[_Span]:
    """Merge equal neighbours; the last span is never too narrow to see."""
    if not samples:
        return
    last = max(1.0, samples[-1].seconds)
    begin, counts = 0.0, _counts(samples[0], shows_readiness=shows_readiness)
    for sample in samples[1:]:
        if (current := _counts(sample, shows_readiness=shows_readiness)) != counts:
            yield _Span(begin, sample.seconds, counts)
            begin, counts = sample.seconds, current
    yield _Span(begin, max(last, begin + last / 50), counts)


def _counts(sample: PodCounts, *, shows_readiness: bool) -> tuple[int, ...]:
    ready = sample.ready or 0
    counts = (sample.up - ready, sample.starting, sample.old)
    return (ready, *counts) if shows_readiness else counts


def _drawing(spans: Sequence[_Span], length: float, top: int, layers: Sequence[_Layer]) -> Markup:
    heights = (round(_HEIGHT * (1 - level / top), 1) for level in _marks(top))
    lines = [tag("line", x1="0", x2="100%", y1=y, y2=y, class_="level") for y in heights]
    bars = [bar for span in spans for bar in _bars(span, length, top, layers)]
    spoken = ". ".join(
        f"from {span.begin:.0f} s {_described(span, layers)}" for span in spans[:_MAX_SPOKEN]
    )
    return tag(
        "svg",
        *bars,
        *lines,
        role="img",
        aria_label=f"Pods over time: {spoken}",
        width="100%",
        height=_HEIGHT,
    )


def _bars(span: _Span, length: float, top: int, layers: Sequence[_Layer]) -> Iterator[Markup]:
    title = f"{span.begin:.1f} s to {span.end:.1f} s: {_described(span, layers)}"
    below = 0
    for layer, count in zip(layers, span.counts, strict=True):
        if count:
            below += count
            yield tag(
                "rect",
                tag("title", title),
                x=f"{100 * span.begin / length:.3f}%",
                # Slightly wider, or the background shines through between two bars.
                width=f"{100 * (span.end - span.begin) / length + 0.1:.3f}%",
                y=round(_HEIGHT * (1 - below / top), 2),
                height=round(_HEIGHT * count / top, 2),
                class_=layer.style,
            )


def _levels(top: int) -> Iterator[Markup]:
    for level in _marks(top):
        yield tag("span", level, style=f"bottom:{100 * level / top:.2f}%")


def _marks(top: int) -> Sequence[int]:
    step = -(-top // _MAX_LINES)
    return range(0, top + 1, step)


def _ticks(length: float) -> Iterator[Markup]:
    step = next((step for step in _TICK_STEPS if length / step <= _MAX_TICKS), length)
    for number in range(int(length / step) + 1):
        seconds = number * step
        # A label too close to the end would stick out.
        if number == 0 or seconds / length <= _LAST_TICK:
            yield tag("span", f"{seconds:g} s", style=f"left:{100 * seconds / length:.2f}%")


def _legend(last: _Span, layers: Sequence[_Layer]) -> Markup:
    entries = [
        tag("li", tag("i", class_=layer.style), tag("b", count), f" {layer.name}")
        for layer, count in zip(layers, last.counts, strict=True)
    ]
    return tag("ul", tag("li", "At the end:"), *entries, class_="legend")


def _numbers(spans: Sequence[_Span], layers: Sequence[_Layer]) -> Markup:
    head = tag("tr", tag("th", "from"), *(tag("th", layer.name) for layer in layers))
    rows = [
        tag("tr", tag("td", f"{span.begin:.1f} s"), *(tag("td", count) for count in span.counts))
        for span in spans
    ]
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    return tag("details", tag("summary", "Show as a table"), tag("div", table, class_="wide"))


def _described(span: _Span, layers: Sequence[_Layer]) -> str:
    pairs = zip(layers, span.counts, strict=True)
    return "; ".join(f"{layer.name}: {count}" for layer, count in pairs)
