"""The cases of an API server that cannot be used: the rollout is followed all the same."""

from __future__ import annotations

import re

from tests.live.bench import Plan, Result
from tests.live.cases import Case, new_version, nothing_to_wait_for, serves
from tests.live.workloads import Service

_MOST_LOST = 3.3
"""Seconds that the attempt may take: three, and what two processes on a busy machine add."""
_ATTEMPT = "k8s/jitAccess"
_ONE_LINE = re.compile(r"Kubernetes cannot be used: .*", re.MULTILINE)


def lost_seconds(result: Result) -> float:
    """Return how long the run was without a request to the portal after it was given access."""
    calls = list(result.calls)
    place = next(n for n, call in enumerate(calls) if call.path.endswith(_ATTEMPT))
    return calls[place + 1].began - calls[place].ended


def _lost_little_and_said_so_once(result: Result) -> None:
    lines = _ONE_LINE.findall(result.output)
    assert len(lines) == 1, lines
    lost = lost_seconds(result)
    assert lost <= _MOST_LOST, f"{lost:.1f} s were lost"


def _changed_nothing(result: Result) -> None:
    assert not result.changes, "the portal was asked for a change"


def _refused(access: str, reason: str) -> Case:
    return Case(
        f"access-{access}",
        Service(),
        Plan(new_version(), access=access),
        code=0,
        reason=reason,
        evidence=serves,
        after=_lost_little_and_said_so_once,
        mode="auto",
    )


ACCESS_CASES: tuple[Case, ...] = (
    _refused("closed", r"cannot be used: .*refused the connection"),
    _refused("silent", r"cannot be used: .*did not (answer|respond)"),
    _refused("other-authority", r"cannot be used: .*certificate .* is not trusted"),
    _refused("expired", r"cannot be used: .*refuses the token"),
    _refused("no-rights", r"cannot be used: .*lacks the rights to list pods"),
    Case(
        "access-required",
        Service(),
        Plan(new_version(), access="closed"),
        code=4,
        reason=r"refused the connection.*(?s:.*)inside the cluster's network",
        evidence=nothing_to_wait_for,
        after=_changed_nothing,
        mode="true",
    ),
)
