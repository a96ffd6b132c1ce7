"""The cases of commands inside the tenant: release commands, tests, and commands of their own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from tests.live import table, truth
from tests.live.bench import Plan, Result, Stage
from tests.live.cases import Case, serves
from tests.live.jobs import is_of
from tests.live.observer import Moment
from tests.live.truth import Truth
from tests.live.workloads import Service

_LATEST_LINE = 2.0
"""Seconds by which a line may come late."""
_GONE_SECONDS = 90.0
"""Seconds for the pod of a deleted job to go, on a busy machine."""
_NEXT_STEP = 6.0
"""Seconds from the end of a job until the run goes on, or ends."""
_STEPS = """\
for step in 1 2 3 4 5; do read up idle </proc/uptime; echo "step $step at $up"; sleep 1; done"""
_SLOW = """\
read up idle </proc/uptime; echo "step 1 at $up"; sleep 12
read up idle </proc/uptime; echo "step 2 at $up"; printf 'without an end'"""
_STEP = re.compile(r"step (\d+) at ([\d.]+)")


def jobs_moments(result: Result) -> Sequence[Moment]:
    """Return what was seen of all jobs of a run, in order of time."""
    return sorted(chain.from_iterable(result.jobs), key=lambda moment: moment.at)


def _job(is_true: Truth) -> Callable[[Result], float | None]:
    """Return when something was first true of a job."""
    return lambda result: truth.first(jobs_moments(result), is_true)


job_failed = _job(truth.job_ended("Failed"))
job_complete = _job(truth.job_ended("Complete"))
not_pulled = _job(truth.pod_waits("ErrImagePull", "ImagePullBackOff"))
not_configured = _job(truth.pod_waits("CreateContainerConfigError"))
command_started = _job(truth.is_running)


def _new(stage: Stage) -> Mapping[str, str]:
    return {stage.name: stage.images.new}


def _absent(stage: Stage) -> Mapping[str, str]:
    return {stage.name: stage.images.absent}


def _plan(command: str, **variables: str) -> Plan:
    return Plan(_new, {"RELEASE_COMMAND": command, **variables}, has_command=True)


def _list(*words: str) -> dict[str, str]:
    entries = {f"RELEASE_COMMAND_{place}": word for place, word in enumerate(words)}
    return {"RELEASE_COMMAND_COUNT": str(len(words)), **entries}


def _remove_secret(stage: Stage) -> None:
    stage.cluster.delete(f"/api/v1/namespaces/{stage.namespace}/secrets/{stage.name}")


def _touched_nothing(result: Result) -> None:
    """Check that the same pods go on, that at most one job ran, and that none is left."""
    assert not result.changes, "the portal was asked for a change"
    uids = [{pod["metadata"]["uid"] for pod in moment.pods} for moment in result.moments]
    assert len({frozenset(one) for one in uids}) == 1, "the pods are not those from before"
    _ran_once(result)


def _ran_once(result: Result) -> None:
    pods = {
        pod["metadata"]["uid"]
        for moment in jobs_moments(result)
        if truth.has_started(moment)
        for pod in moment.pods
    }
    assert len(pods) <= 1, f"the command was started {len(pods)} times"
    assert result.stage.jobs() == [], "a job is left"


def _showed_its_lines_in_time(result: Result) -> None:
    late = _lateness(result)
    _ran_once(result)
    assert late, "no line of the command is in the log"
    assert max(late) <= _LATEST_LINE + result.slowest_answer, f"lines were late: {late}"
    ended, changed = job_complete(result), result.changed
    assert ended is not None, "the job did not complete"
    assert changed is not None, "the service was not changed"
    assert ended - 1 <= changed <= ended + _NEXT_STEP, "the change came too early or too late"
    table.note(
        f"{result.stage.name}: {len(late)} lines, at most {max(late):.1f} s late; the change came "
        f"{changed - ended:.1f} s after the end of the job."
    )


def _lateness(result: Result) -> list[float]:
    """Return how late each line was that names the time at which it was written."""
    offset = float(Path("/proc/uptime").read_text("utf-8").split()[0]) - time.monotonic()
    found = ((at, _STEP.search(text)) for at, text in result.lines)
    return [at + offset - float(match.group(2)) for at, match in found if match]


def _all_lines_of(count: int) -> Callable[[Result], None]:
    def check(result: Result) -> None:
        shown = [match.group(1) for match in map(_STEP.search, result.output.splitlines()) if match]
        assert shown == [str(step + 1) for step in range(count)], shown
        _showed_its_lines_in_time(result)

    return check


def _followed_the_first(result: Result) -> None:
    assert re.search(r"still running; following it", result.output), "the job was not followed"
    _ran_once(result)


def _ended_its_pod(result: Result) -> None:
    _touched_nothing(result)
    path = f"/api/v1/namespaces/{result.stage.namespace}/pods"
    deadline = time.monotonic() + _GONE_SECONDS
    while time.monotonic() < deadline:
        pods = result.stage.cluster.get(path)["items"] or []
        names = [pod["metadata"]["name"] for pod in pods]
        if not any(is_of(name, result.stage.name) for name in names):
            return
        time.sleep(0.5)
    raise AssertionError("the pod of the deleted job is still there")


def _failed(name: str, command: str, reason: str, service: Service | None = None) -> Case:
    """Return a case in which the command fails and nothing is touched."""
    return Case(
        name,
        service or Service(replicas=2),
        _plan(command),
        code=6,
        reason=reason,
        evidence=job_failed,
        latest=_NEXT_STEP,
        after=_touched_nothing,
    )


def _run_alone(name: str, command: str, code: int, reason: str) -> Case:
    """Return a case of `ACTION: run` in the image that the service runs."""
    variables = {"ACTION": "run", "COMMAND": command, "IMAGE": ""}
    return Case(
        name,
        Service(replicas=1),
        Plan(lambda stage: {stage.name: stage.images.old}, variables, has_command=True),
        code=code,
        reason=reason,
        evidence=job_failed if code else job_complete,
        latest=_NEXT_STEP,
        after=_touched_nothing,
    )


_MIGRATES = Case(
    "migrates",
    Service(replicas=2),
    _plan(_STEPS),
    code=0,
    reason=r"✔ .* runs ",
    evidence=serves,
    after=_all_lines_of(5),
)
_CANNOT_START = Case(
    "migrates-absent",
    Service(replicas=2),
    replace(_plan("true"), images=_absent),
    code=6,
    reason=r"cannot pull its image",
    evidence=not_pulled,
    latest=30.0,
    after=_touched_nothing,
)

COMMAND_CASES: tuple[Case, ...] = (
    _MIGRATES,
    replace(
        _MIGRATES, name="migrates-slowly", plan=_plan(_SLOW), after=_all_lines_of(2), latest=12.0
    ),
    replace(
        _MIGRATES,
        name="migrates-killed",
        plan=replace(_plan(f"{_STEPS}; sleep 20"), kill_after=2),
        after=_followed_the_first,
    ),
    replace(
        _MIGRATES,
        name="tests-in-tenant",
        plan=Plan(
            _new,
            {
                "PRE_DEPLOY_TEST": f'test -n "$DEPLOY_IMAGE"; {_STEPS}',
                "PRE_DEPLOY_TEST_IN": "tenant",
                "POST_DEPLOY_TEST": "true",
                "POST_DEPLOY_TEST_IN": "tenant",
            },
            has_command=True,
        ),
        after=None,
        latest=25.0,
    ),
    _failed("migration-fails", "echo no such table; exit 3", r"no such table[\s\S]*status 3"),
    _failed(
        "migration-hog",
        "echo begun; tail /dev/zero",
        r"out of memory|SIGKILL",
        Service(replicas=1, memory="24Mi"),
    ),
    replace(
        _failed("migration-no-program", "", r"nope"),
        plan=Plan(_new, _list("/bin/nope", "--all"), has_command=True),
    ),
    replace(
        _failed("migration-fails-list", "", r"✖ .*RELEASE_COMMAND"),
        plan=Plan(_new, _list("/bin/cat", "/nope"), has_command=True),
    ),
    replace(
        _failed("migration-too-long", "", r"within 25 s"),
        plan=_plan("echo begun; sleep 90", RELEASE_TIMEOUT="25"),
        evidence=command_started,
        latest=42.0,
        after=_ended_its_pod,
    ),
    replace(
        _failed("migration-stopped", "", r"was deleted"),
        plan=replace(_plan("echo begun; sleep 60"), meanwhile=[(3, Stage.interrupt)]),
        code=11,
        evidence=command_started,
        latest=12.0,
        after=_ended_its_pod,
    ),
    _CANNOT_START,
    replace(
        _CANNOT_START,
        name="migration-no-secret",
        service=Service(replicas=1, has_secret=True),
        plan=replace(_plan("true"), before=_remove_secret),
        reason=r"secret .*not found",
        evidence=not_configured,
    ),
    _run_alone("runs-a-command", 'echo "version is $VERSION"', 0, r"version is \S+"),
    _run_alone("runs-in-vain", "echo begun; exit 4", 6, r"begun[\s\S]*status 4"),
)
