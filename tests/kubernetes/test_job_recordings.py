"""The recordings of jobs are read as Kubernetes reported them."""

from __future__ import annotations

import pytest

from tests.kubernetes.recordings import job_names, load


@pytest.mark.parametrize(
    ("name", "condition", "reason", "phases"),
    [
        ("job-crash", "Failed", "BackoffLimitExceeded", ["Failed"] * 3),
        ("job-deadline", "Failed", "DeadlineExceeded", []),
        ("job-good", "Complete", None, ["Succeeded"]),
        ("job-no-image", "Failed", "DeadlineExceeded", ["Pending"]),
        ("job-ttl", "Complete", None, []),
    ],
)
def test_a_recorded_job_ends_with_one_condition(
    name: str, condition: str, reason: str | None, phases: list[str]
) -> None:
    recording = load(name)
    workloads = [moment.workload for moment in recording.moments if moment.workload]
    (ended,) = workloads[-1]["status"]["conditions"]
    assert (ended["type"], ended["status"], ended.get("reason")) == (condition, "True", reason)
    last = recording.moments[-1]
    assert [pod["status"]["phase"] for pod in last.pods.values()] == phases
    assert bool(last.workload) == (name != "job-ttl")


@pytest.mark.parametrize("name", job_names())
def test_a_recorded_job_begins_with_nothing(name: str) -> None:
    before = load(name).moments[0]
    assert (before.workload, before.pods, before.at) == ({}, {}, -1.0)
