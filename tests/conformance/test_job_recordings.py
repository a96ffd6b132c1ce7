"""Jobs of the sandbox go as those of a real cluster: the same states, status and times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from tests.conformance.playbook import LEAVE_SECONDS, START_SECONDS, STOP_SECONDS
from tests.conformance.recorded import (
    STEP,
    Course,
    Roles,
    Sight,
    courses,
    differences_in_time,
    messages,
    surely_before,
    within,
)
from tests.kubernetes import recordings
from tests.kubernetes.portal_view import K8s
from tests.kubernetes.recordings import Recording
from tests.sandbox import Behaviour, Command, World
from tests.sandbox.pod_body import pod_object
from tests.support.fake_clock import FakeClock

IMAGE = "127.0.0.1:5000/app:nope"


@dataclass(frozen=True)
class JobPlay:
    """A job in the sandbox: how its command goes, and its specification."""

    command: Command = field(default_factory=Command)
    image: Behaviour = field(default_factory=Behaviour)
    spec: Mapping[str, Any] = field(default_factory=dict)


PLAYS: Mapping[str, JobPlay] = {
    "job-crash": JobPlay(Command(seconds=0, exit_code=1), spec={"backoffLimit": 2}),
    "job-deadline": JobPlay(Command(seconds=60), spec={"activeDeadlineSeconds": 10}),
    "job-good": JobPlay(Command(seconds=0)),
    "job-no-image": JobPlay(image=Behaviour("pull-error"), spec={"activeDeadlineSeconds": 25}),
    "job-ttl": JobPlay(Command(seconds=0), spec={"ttlSecondsAfterFinished": 5}),
}


@dataclass(frozen=True)
class Look:
    """A job and its pods at one moment; a job that does not exist has no status."""

    sight: Sight
    status: K8s | None


@cache
def looks(name: str) -> tuple[tuple[Look, ...], tuple[Look, ...]]:
    """Return what the recording shows, and what the sandbox shows of the same job."""
    recording = recordings.load(name)
    return tuple(_recorded(recording)), tuple(_played(recording, PLAYS[name]))


def _recorded(recording: Recording) -> Iterable[Look]:
    for number in range(int(recording.length / STEP) + 1):
        moment = recording.at(number * STEP + 0.1)
        yield Look(Sight(number * STEP, moment.pods), moment.workload.get("status"))


def _played(recording: Recording, play: JobPlay) -> Iterable[Look]:
    clock = FakeClock()
    world = World(clock)
    tenant = world.add_tenant("dev01")
    world.rollout_seconds = START_SECONDS
    world.stop_seconds, world.leave_seconds = STOP_SECONDS, LEAVE_SECONDS
    world.behave(IMAGE, play.image)
    world.command(IMAGE, play.command)
    pod = {"containers": [{"name": "web", "image": IMAGE}], "restartPolicy": "Never"}
    spec = {"template": {"spec": pod}, **play.spec}
    world.jobs.add({"metadata": {"name": "web"}, "spec": spec})
    for number in range(int(recording.length / STEP) + 1):
        job = world.jobs.find("web")
        pods = {one.name: pod_object(one) for one in world.jobs.pods_of(tenant)}
        yield Look(Sight(number * STEP, pods), job.body()["status"] if job else None)
        clock.advance(STEP)
        world.advance()


def lives(name: str) -> tuple[list[Course], list[Course]]:
    recorded, ours = (courses((look.sight for look in seen), Roles({})) for seen in looks(name))
    return recorded, ours


def changes(seen: Iterable[Look]) -> list[tuple[float, tuple[Any, ...] | None]]:
    """Return each state of the status, and when it began; before the first the job is new."""
    found: list[tuple[float, tuple[Any, ...] | None]] = []
    for look in seen:
        state = None if look.status is None else _state(look.status)
        if (found and found[-1][1] != state) or (not found and state and any(state)):
            found.append((look.sight.at, state))
    return found


def _state(status: K8s) -> tuple[Any, ...]:
    conditions = [
        (one["type"], one["status"], one.get("reason"), one.get("message"))
        for one in status.get("conditions") or ()
    ]
    return (*(status.get(key, 0) for key in ("active", "succeeded", "failed")), *conditions)


def test_every_recording_of_a_job_is_played() -> None:
    assert sorted(PLAYS) == recordings.job_names()


@pytest.mark.parametrize("name", PLAYS)
def test_a_job_counts_its_pods_and_ends_as_recorded(name: str) -> None:
    recorded, ours = (changes(seen) for seen in looks(name))
    assert [state for _, state in ours] == [state for _, state in recorded]
    for (at, state), (our_at, _) in zip(recorded, ours, strict=True):
        assert within(at, our_at), (state, at, our_at)


@pytest.mark.parametrize("name", PLAYS)
def test_the_pods_of_a_job_go_through_the_recorded_states(name: str) -> None:
    recorded, ours = lives(name)
    assert [course.words for course in ours] == [course.words for course in recorded]
    for one, other in zip(recorded, ours, strict=True):
        assert differences_in_time(one, other) == [], (one.words, other.words)


@pytest.mark.parametrize("name", PLAYS)
def test_the_containers_of_a_job_report_the_recorded_messages(name: str) -> None:
    end = recordings.load(name).length
    recorded, ours = ([look.sight for look in seen] for seen in looks(name))
    assert messages(ours, surely_before(end)) <= messages(recorded, end)
    assert messages(recorded, surely_before(end)) <= messages(ours, end)
