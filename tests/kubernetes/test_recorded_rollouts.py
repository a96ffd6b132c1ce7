"""Recordings of a real cluster as judges: the right verdict, at the right time, for the reason.

The table was written from the recordings, not from the pipe's answers. Seconds are those of the
recording: `earliest` is the evidence, before which the verdict would be a guess, and `latest` is
when the evidence plus `STABLE_SECONDS` and two or three looks have passed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import pytest

from pipe.rollout import Failed, Ready, Superseded, TimedOut, Verdict
from pipe.rollout.verdict import words
from tests.kubernetes.portal_view import VARIANTS, is_ready
from tests.kubernetes.recordings import FOLDER, is_available, job_names, load, names
from tests.kubernetes.replay import Outcome, play

BLIND = ("older", "last-states", "phases-alone", "bare", "least")
"""Portals that show less: a failure may become evident later, or not before the time is up."""


@dataclass(frozen=True)
class Row:
    """What must come of one change in a recording, made at `start`.

    `reason` must be found in the words of the verdict, unless the portal is blind. `time_limit`
    is the second at which the time is up, the end of the recording if None.
    """

    recording: str
    verdict: type[Verdict] | tuple[type[Verdict], ...]
    earliest: float
    latest: float
    reason: str
    start: float = 0.0
    time_limit: float | None = None
    restart: bool = False

    def __str__(self) -> str:
        """Return the row's name in a test's id."""
        return f"{self.recording}-from-{self.start:g}" if self.start else self.recording


def ready(recording: str, earliest: float, latest: float, *, start: float = 0.0) -> Row:
    """Return the row of a rollout that serves."""
    return Row(recording, Ready, earliest, latest, "up for 5 s", start=start)


ROWS = (
    # Good rollouts.
    ready("good", 6.0, 12.5),
    ready("good-no-probe", 4.5, 11.0),
    ready("surge-100", 3.5, 10.0),
    ready("ready-late", 30.5, 37.0),
    ready("init-slow", 27.5, 34.0),
    ready("pulled", 14.3, 21.0),
    ready("digest", 6.5, 13.0),
    ready("tag-and-digest", 11.0, 17.5),
    ready("statefulset", 29.0, 35.5),
    ready("daemonset", 12.5, 19.0),
    ready("undo", 6.1, 12.5),
    Row("restart", Ready, 5.1, 11.5, "up for 5 s", restart=True),
    # Nothing had to change: what an earlier run set stands, and is up already.
    Row("same-image", Ready, 0.0, 6.5, "up"),
    # The previous pods ignore SIGTERM until 17 s; the new version serves long before.
    ready("slow-stop", 5.0, 11.5),
    # Trouble that passes.
    ready("crash-twice", 52.5, 59.0),
    ready("registry-late", 16.6, 23.0),
    ready("paused", 16.3, 23.0),
    ready("quota", 48.5, 55.0),
    ready("pod-deleted", 30.5, 37.0),
    ready("drain", 61.0, 67.5),
    ready("node-lost", 69.0, 75.5),
    # Three replicas become one: one new pod is all that will ever come.
    ready("scale-down", 9.0, 15.5),
    # Five instead of three. The fifth is ready at 26.5 s; that no previous pod is left at 20 s,
    # of which one may be unavailable, is the evidence where readiness is not shown.
    ready("scale-up", 20.0, 33.0),
    # The new version serves at 6.5 s, its pods are evicted for the first time at 46 s.
    ready("evicted", 6.5, 13.0),
    # Back to the image before, beside three objects of evicted pods.
    ready("evicted", 85.0, 91.5, start=80.0),
    # A pod whose status was Evicted for seven seconds.
    ready("evicted-patched", 27.0, 33.5, start=20.0),
    # The previous ReplicaSet never went below its count.
    ready("rollback", 25.5, 31.5, start=25.0),
    # Crashes: the third end of a container is final. Some of these serve for a moment.
    Row("crash", Failed, 19.0, 22.0, r"web-67cf7b46cd-ccqz7 keeps crashing \(exit code 1"),
    Row("crash-deadline", Failed, 20.5, 23.5, r"keeps crashing \(exit code 1"),
    Row("crash-glimpse", Failed, 15.5, 18.5, r"keeps crashing \(exit code 1"),
    Row("crash-later", Failed, 34.0, 37.0, r"keeps crashing \(exit code 3"),
    Row("rollback", Failed, 19.5, 22.5, r"keeps crashing \(exit code 1", time_limit=25.0),
    Row("statefulset-crash", Failed, 23.5, 26.5, r"web-2 keeps crashing", time_limit=30.0),
    Row("oom", Failed, 24.1, 27.1, r"keeps crashing \(exit code 137"),
    Row("liveness", Failed, 26.0, 29.0, "keeps crashing"),
    Row("init-fail", Failed, 18.0, 21.0, r"keeps crashing \(exit code 1"),
    Row("sidecar-crash", Failed, 17.0, 20.0, r"keeps crashing \(exit code 1"),
    Row("sidecar-crash-glimpse", Failed, 16.8, 19.8, r"keeps crashing \(exit code 1"),
    # Images that will never come.
    Row("no-image", Failed, 1.0, 8.0, r"cannot pull its image: .*app:nope.*not found"),
    Row("pull-always", Failed, 1.0, 8.0, r"cannot pull its image: .*app:ok-2.*not found"),
    Row("invalid-name", Failed, 1.0, 8.0, r"cannot pull its image: .*must be lowercase"),
    # Containers that cannot be started as they are specified.
    Row("bad-command", Failed, 1.0, 35.0, r"/bin/nope.*no such file"),
    Row("missing-secret", Failed, 1.0, 20.0, r'secret "db" not found'),
    # What may yet come right, and did not before the time was up.
    Row("no-registry", (Failed, TimedOut), 30.0, 60.5, "connection refused"),
    Row("missing-volume", TimedOut, 60.0, 60.5, r'0 of 3 new pods up.*configmap "nope" not found'),
    Row("unschedulable", TimedOut, 45.0, 45.5, r"0 of 3 new pods up.*Insufficient cpu"),
    Row("never-ready-1", TimedOut, 60.0, 60.5, r"1 pod of the previous version"),
    Row("never-ready-3", TimedOut, 60.0, 60.5, r"3 pods of the previous version"),
    # The last previous pods would not go before the recording ended.
    Row("recreate", TimedOut, 25.0, 25.5, r"0 of 3 new pods up"),
    # A set never replaces the pod that crashed, although its image was set back.
    Row("statefulset-crash", TimedOut, 100.0, 100.5, r"web-2", start=30.0),
    # Another deployment set a third image, which then serves.
    Row("superseded", Superseded, 3.0, 5.0, "app:ok-3"),
    ready("superseded", 9.0, 15.5, start=3.0),
)


CASES = [(row, variant) for row in ROWS for variant in VARIANTS]


@pytest.mark.parametrize(("row", "variant"), CASES, ids=str)
def test_a_recorded_rollout_gets_the_right_verdict_at_the_right_time(
    row: Row, variant: str
) -> None:
    check(row, variant, outcome_of(row, variant))


@cache
def outcome_of(row: Row, variant: str, *, autoscaled: bool = False) -> Outcome:
    """Play a row's recording under a variant."""
    recording = load(row.recording)
    return play(
        recording,
        VARIANTS[variant],
        start=row.start,
        end=row.time_limit,
        restart=row.restart,
        autoscaled=autoscaled and recording.kind != "DaemonSet",
    )


def check(row: Row, variant: str, outcome: Outcome) -> None:
    """Fail unless the outcome is what the row allows under the variant."""
    reported = words(outcome.verdict)
    latest = row.latest
    if variant in BLIND and row.verdict is Failed:
        recording = load(row.recording)
        if isinstance(outcome.verdict, TimedOut):
            return
        if isinstance(outcome.verdict, Ready):
            # It did serve for a while; what came after looks the same without the states.
            assert outcome.at >= recording.available_since(row.start, fully=False), reported
            return
        latest = recording.length if row.time_limit is None else row.time_limit
    assert isinstance(outcome.verdict, row.verdict), (outcome.at, reported)
    assert row.earliest <= outcome.at <= latest, (outcome.at, reported)
    if variant not in BLIND:
        assert re.search(row.reason, reported)


def test_every_recording_has_a_row() -> None:
    assert {row.recording for row in ROWS} == set(names())


@pytest.mark.parametrize("name", names())
def test_every_recording_begins_with_a_service_that_is_up(name: str) -> None:
    recording = load(name)
    before = recording.moments[0]
    wanted = before.workload["spec"].get("replicas", 1)
    assert is_available(before.workload, recording.kind, fully=True)
    assert [is_ready(pod) for pod in before.pods.values()] == [True] * wanted


def test_every_recording_is_described() -> None:
    lines = (FOLDER / "README.md").read_text().splitlines()
    described = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
    services, jobs = ["Recording", "---", *names()], ["Recording of a job", "---", *job_names()]
    assert described == services + jobs
