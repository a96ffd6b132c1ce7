"""The sandbox shows of a change what a real cluster shows of it, at the same times."""

from __future__ import annotations

from functools import cache

import pytest

from tests.conformance.playbook import LEFT_OUT, PLAYS, recorded_sights
from tests.conformance.recorded import (
    Course,
    Roles,
    Sight,
    conditions,
    counts,
    courses,
    differences_in_time,
    is_observed,
    messages,
    pattern,
    status_counts,
    surely_before,
    until,
    within,
)
from tests.kubernetes import recordings
from tests.kubernetes.recordings import Recording

_OF_THE_MACHINE = (
    # A probe that met a container which had just ended: whether it does is luck.
    "Readiness probe errored",
    "Liveness probe errored",
    # Once, after all pods had to be started at the same moment; and on the deletion of a pod that
    # was just being created.
    "MountVolume.SetUp failed for volume <name> : failed to sync secret cache",
    "Error: failed to create containerd task",
)
# The portal's documentation shows it as a fault; in Kubernetes it is no warning.
_OF_THE_PORTAL = {"Back-off pulling image <name>"}


@cache
def played(name: str) -> tuple[tuple[Sight, ...], tuple[Sight, ...]]:
    """Return what the recording shows, and what the sandbox shows of the same change."""
    recording = recordings.load(name)
    return tuple(recorded_sights(recording)), tuple(PLAYS[name].sights(recording))


def end_of(recording: Recording) -> float:
    return PLAYS[recording.name].ends_at or recording.length


def lives(name: str) -> tuple[list[Course], list[Course]]:
    """Return the lives of the recorded pods, and those of the sandbox's."""
    end = end_of(recordings.load(name))
    both = [
        [until(course, end) for course in courses(sights, Roles(sights[0].pods))]
        for sights in played(name)
    ]
    return both[0], both[1]


def test_every_recording_is_played_or_left_out_for_a_reason() -> None:
    assert sorted([*PLAYS, *LEFT_OUT]) == recordings.names()


@pytest.mark.parametrize("name", PLAYS)
def test_pods_go_through_the_recorded_states(name: str) -> None:
    recorded, ours = lives(name)
    assert [course.role for course in ours] == [course.role for course in recorded]
    for one, other in zip(recorded, ours, strict=True):
        common = min(len(one.words), len(other.words))
        # The end of the recording may cut off one state more of the one than of the other.
        assert abs(len(one.words) - len(other.words)) <= 1, (one.words, other.words)
        assert other.words[:common] == one.words[:common]


@pytest.mark.parametrize("name", PLAYS)
def test_states_last_as_long_as_recorded(name: str) -> None:
    for one, other in zip(*lives(name), strict=True):
        assert differences_in_time(one, other) == [], (one.words, other.words)


@pytest.mark.parametrize("name", PLAYS)
def test_counts_are_as_recorded_at_every_second(name: str) -> None:
    """At every look the sandbox's counts are those of some look nearby in the recording."""
    recorded, ours = (
        [(sight.at, counts(sight.pods.values(), Roles(sights[0].pods))) for sight in sights]
        for sights in played(name)
    )
    end = end_of(recordings.load(name))
    for at, count in ours:
        nearby = [theirs for moment, theirs in recorded if within(at, moment)]
        for key in ("old", "new", "ready", "failed"):
            near = [getattr(theirs, key) for theirs in nearby]
            value = getattr(count, key)
            assert at > end or min(near) <= value <= max(near), f"{key} at {at:.1f} s"


@pytest.mark.parametrize("name", PLAYS)
def test_reasons_come_with_the_recorded_messages(name: str) -> None:
    """What one of the two shows early enough, the other shows before the end."""
    end = end_of(recordings.load(name))
    recorded, ours = played(name)
    assert messages(ours, surely_before(end)) <= messages(recorded, end)
    assert messages(recorded, surely_before(end)) <= messages(ours, end)


@pytest.mark.parametrize("name", PLAYS)
def test_warnings_are_those_of_the_recording(name: str) -> None:
    recorded, ours = (
        {pattern(text) for sight in sights for text in sight.warnings} for sights in played(name)
    )
    assert {text for text in ours - _OF_THE_PORTAL if not _is_of_its_machine(text)} == {
        text for text in recorded if not _is_of_its_machine(text)
    }


@pytest.mark.parametrize("name", PLAYS)
def test_the_status_of_the_workload_counts_as_recorded_at_every_second(name: str) -> None:
    """At every look the sandbox's counts are those of some look nearby in the recording."""
    recorded, ours = (
        [
            (sight.at, status_counts(sight.workload))
            for sight in sights
            if is_observed(sight.workload)
        ]
        for sights in played(name)
    )
    end = end_of(recordings.load(name))
    for at, count in ours:
        nearby = [theirs for moment, theirs in recorded if within(at, moment)]
        for key, value in count.items():
            near = [theirs[key] for theirs in nearby]
            assert at > end or min(near) <= value <= max(near), f"{key} at {at:.1f} s"


@pytest.mark.parametrize("kind", ["Progressing", "Available", "ReplicaFailure"])
@pytest.mark.parametrize("name", PLAYS)
def test_conditions_come_as_recorded(name: str, kind: str) -> None:
    """In the same order, and at about the same times."""
    end = end_of(recordings.load(name))
    recorded, ours = (
        [spell for spell in conditions(sights, kind) if spell.start < end]
        for sights in played(name)
    )
    words = [spell.word for spell in recorded]
    common = min(len(recorded), len(ours))
    assert abs(len(recorded) - len(ours)) <= (end != recordings.load(name).length)
    assert [spell.word for spell in ours][:common] == words[:common]
    for one, other in zip(recorded, ours, strict=False):
        assert within(one.start, other.start), (one, other)


@pytest.mark.parametrize("name", PLAYS)
def test_warnings_have_the_recorded_reasons(name: str) -> None:
    """Kubernetes reports them about the same kinds of objects."""
    recorded, ours = (
        {
            (kind, reason, pattern(text))
            for sight in sights
            for kind, reason, text in sight.events
            if not _is_of_its_machine(pattern(text))
        }
        for sights in played(name)
    )
    assert ours == recorded


def _is_of_its_machine(text: str) -> bool:
    return text.startswith(_OF_THE_MACHINE)
