"""What Kubernetes reported during a rollout: marks under the chart, and a list with the words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipe.report.markup import Markup, tag
from pipe.rollout import RolloutEvent
from pipe.secret import cut

_MOST = 30
"""Events that are shown: warnings before others, and the earliest of each."""
_LONGEST = 300
_PLACES = 200
"""Places for marks; events closer than that share one."""


def event_marks(events: Sequence[RolloutEvent], length: float) -> Markup:
    """Return a mark for each moment at which something was reported, on a scale of `length`."""
    places: dict[int, bool] = {}
    for event in _shown(events):
        place = round(_PLACES * min(1.0, event.seconds / length))
        places[place] = places.get(place, False) or event.warning
    if not places:
        return Markup()
    marks = (
        tag("i", class_="alarm" if warning else "note", style=f"left:{100 * place / _PLACES:g}%")
        for place, warning in sorted(places.items())
    )
    return tag("div", *marks, class_="marks", aria_hidden="true")


def event_list(events: Sequence[RolloutEvent], *, unfolded: bool) -> Markup:
    """Return the events with their moments, the earliest first; warnings belong to good rollouts.

    That is why the list is folded unless the rollout failed.
    """
    shown = _shown(events)
    if not shown:
        return Markup()
    warnings = sum(event.warning for event in shown)
    summary = tag("summary", f"Events of Kubernetes: {len(shown)}, of them warnings: {warnings}")
    more = len(events) - len(shown)
    rest = tag("p", tag("small", f"and {more} more")) if more > 0 else ""
    entries = tag("ul", *map(_entry, shown), class_="events")
    return tag("details", summary, entries, rest, open=unfolded)


def _shown(events: Sequence[RolloutEvent]) -> Sequence[RolloutEvent]:
    first = sorted(events, key=lambda event: (not event.warning, event.seconds))[:_MOST]
    return sorted((event for event in first if event.seconds >= 0), key=lambda one: one.seconds)


def _entry(event: RolloutEvent) -> Markup:
    return tag(
        "li",
        tag("span", f"{event.seconds:.0f} s", class_="moment"),
        tag("div", *_words(event)),
        class_="alarm" if event.warning else "note",
    )


def _words(event: RolloutEvent) -> Iterator[Markup | str]:
    yield tag("b", cut(event.reason, _LONGEST))
    if event.count > 1:
        yield f" {event.count} times"
    yield tag("small", f" {cut(event.subject, _LONGEST)}")
    yield tag("p", cut(event.message, _LONGEST))
