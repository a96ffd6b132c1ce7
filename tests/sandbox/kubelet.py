"""The lives of pods as the kubelet leads them, held against recordings of a real cluster.

The kubelet looks at a pod that does not start once in a period, and acts only then: a back-off of
10 s takes 14. What it shows of such a pod is the result of the look before: after a crash the
container is `terminated` for one period, and `waiting` with the reason only then.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from tests.sandbox.behaviour import RUNNING, WARNING, Behaviour, Complaint, State, Step

LONGEST_BACKOFF = 300.0
PERIOD = 1.4
"""The kubelet's period between looks at a failing pod, in units of the first back-off."""
FIRST_RESTART = 1.0
"""Seconds from the first end of a container to its restart, which has no back-off."""
FIRST_PULL = 1.0
FIRST_LOOK = 0.2
"""When the kubelet first looks at a pod, as a part of the time that its start takes."""

_NOT_FOUND = (
    "rpc error: code = NotFound desc = failed to pull and unpack image"
    ' "{image}": failed to resolve reference "{image}": {image}: not found'
)
_REFUSED = (
    "rpc error: code = Unknown desc = failed to pull and unpack image"
    ' "{image}": failed to resolve reference "{image}": failed to do request:'
    " dial tcp 127.0.0.1:443: connect: connection refused"
)
_INVALID = (
    'Failed to apply default image tag "{image}": couldn\'t parse image reference "{image}":'
    " invalid reference format: repository name must be lowercase"
)
_NO_COMMAND = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed:"
    ' runc create failed: unable to start container process: exec: "/bin/nope":'
    " stat /bin/nope: no such file or directory: unknown"
)
_BACKING_OFF = 'Back-off pulling image "{image}"'
_PROBE = "Readiness probe failed: HTTP probe failed with statuscode: 503"

Life = Iterator[Step]


def timeline(behaviour: Behaviour, rollout_seconds: float, *, init: bool = False) -> Life:
    """Yield the steps of a pod's life, possibly without end; `init`: of an init container's."""
    start = rollout_seconds if behaviour.seconds is None else behaviour.seconds
    if behaviour.passes_after is None and behaviour.fate == "pull-error-passing":
        behaviour = replace(behaviour, passes_after=start + 4.0)
    if init and behaviour.fate == "run":
        yield from _initialising(behaviour, start)
        return
    for step in _LIVES[behaviour.fate](behaviour, start):
        is_over = step.ready or step.passed or step.phase == "Failed"
        yield replace(step, phase="Pending") if init and not is_over else step


def _waiting(reason: str, message: str = "") -> State:
    return {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}


def _ended(reason: str, code: int, message: str = "") -> State:
    text = {"message": message} if message else {}
    return {"terminated": {"exitCode": code, "reason": reason, **text}}


def _pause(first: float, number: int) -> float:
    return min(first * 2.0 ** min(number - 1, 10), LONGEST_BACKOFF)


def _duration(seconds: float) -> str:
    """Return a duration as Go prints it."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"


def _beginning(start: float) -> Life:
    yield Step(0.0, scheduled=False)
    yield Step(start * FIRST_LOOK, state=_waiting("ContainerCreating"))


def _serving(behaviour: Behaviour, before: Step) -> Life:
    """Yield the steps of a container that starts and stays up, at the age of `before`."""
    up = replace(
        before,
        phase="Running",
        state=RUNNING,
        started=True,
        reason="",
        message="",
        complaints=(),
        passed=behaviour.fate != "run",
    )
    if behaviour.ready_after:
        yield replace(up, ready=False, complaints=(Complaint(_PROBE, WARNING),))
    yield replace(up, after=up.after + behaviour.ready_after, ready=True, scheduled=True)


def _run(behaviour: Behaviour, start: float) -> Life:
    yield from _beginning(start)
    yield from _serving(behaviour, Step(start))


def _initialising(behaviour: Behaviour, start: float) -> Life:
    """Yield the steps of a pod whose init container takes until `start`."""
    yield from _beginning(min(FIRST_PULL, start))
    yield Step(min(FIRST_PULL, start), state=RUNNING, started=True)
    yield from _serving(behaviour, Step(start))


def _crash(behaviour: Behaviour, start: float) -> Life:
    yield from _beginning(start)
    yield from _restarting(behaviour, start, _ended("Error", behaviour.exit_code), up=0.0)


def _oom(behaviour: Behaviour, start: float) -> Life:
    yield from _beginning(start)
    seen = replace(behaviour, ready=True)
    yield from _restarting(seen, start, _ended("OOMKilled", 137), up=2.5)


def _bad_command(behaviour: Behaviour, start: float) -> Life:
    yield from _beginning(min(FIRST_PULL, start))
    dead = _ended("StartError", 128, _NO_COMMAND)
    shown = _waiting("RunContainerError", _NO_COMMAND)
    text = behaviour.fault or f"Error: {_NO_COMMAND}"
    for step in _restarting(behaviour, min(FIRST_PULL, start), dead, up=0.0):
        if "terminated" in step.state:
            complaints = (Complaint(text), *step.complaints)
            yield replace(step, state=shown, last=dead, complaints=complaints)
        else:
            yield step


def _restarting(behaviour: Behaviour, start: float, dead: State, *, up: float) -> Life:
    """Yield the steps of a container that ends again and again.

    The first restart follows at once. From the second end on the kubelet backs off.
    """
    up = up if behaviour.up_seconds is None else behaviour.up_seconds
    now = Step(start, "Running", dead, started=True)
    text = behaviour.fault or "Back-off restarting failed container {container} in pod {pod}"
    while not behaviour.succeeds(now.after, now.restarts):
        if up:
            yield replace(now, state=RUNNING, ready=behaviour.ready)
        complaints = (Complaint(text),) if now.restarts else ()
        now = replace(now, after=now.after + up, complaints=complaints)
        yield now
        age = now.after + FIRST_RESTART
        if now.restarts:
            age = yield from _back_off(behaviour, replace(now, last=dead), seen_up=up >= 1)
        now = replace(now, after=age, restarts=now.restarts + 1, last=dead, complaints=())
    yield from _serving(behaviour, now)


def _back_off(behaviour: Behaviour, end: Step, *, seen_up: bool) -> Generator[Step, None, float]:
    """Yield the back-off that the kubelet shows; return the age at which it restarts."""
    period = behaviour.backoff * PERIOD
    pause = _pause(behaviour.backoff, end.restarts)
    # A container that ends as soon as it starts makes the kubelet look twice, the first time.
    look = end.after + (period if seen_up or end.restarts > 1 else FIRST_RESTART)
    if look < end.after + pause:
        message = (
            f"back-off {_duration(pause)} restarting failed container={{container}} pod={{pod}}"
        )
        yield replace(end, after=look, state=_waiting("CrashLoopBackOff", message))
    while look < end.after + pause:
        look += period
    return look


def _liveness(behaviour: Behaviour, start: float) -> Life:
    """Yield the steps of a container that the kubelet kills: it is up again at once, twice."""
    yield from _beginning(start)
    up = 8.0 if behaviour.up_seconds is None else behaviour.up_seconds
    dead = _ended("Completed", 0)
    failed = Complaint(behaviour.fault or "Liveness probe failed: ", WARNING)
    now = Step(start, "Running", RUNNING, ready=True, started=True)
    while not behaviour.succeeds(now.after, now.restarts):
        yield replace(now, complaints=(failed,))
        age = now.after + up
        if now.restarts >= 2:
            pause = _pause(behaviour.backoff, now.restarts - 1)
            message = f"back-off {_duration(pause)} restarting failed container={{container}}"
            backing = Complaint("Back-off restarting failed container {container} in pod {pod}")
            state = _waiting("CrashLoopBackOff", f"{message} pod={{pod}}")
            yield replace(
                now, after=age, state=state, ready=False, last=dead, complaints=(backing,)
            )
            period = behaviour.backoff * PERIOD
            age += period * -(-pause // period)
        now = replace(now, after=age, restarts=now.restarts + 1, last=dead)
    yield from _serving(behaviour, now)


def _pull_error(behaviour: Behaviour, start: float) -> Life:
    age = next_pull = min(FIRST_PULL, start)
    yield from _beginning(age)
    cause = _NOT_FOUND if behaviour.fate == "pull-error" else _REFUSED
    refused = _waiting("ErrImagePull", behaviour.fault or cause)
    backing = _waiting("ImagePullBackOff", _BACKING_OFF)
    failed = behaviour.fault or f'Failed to pull image "{{image}}": {cause}'
    pulls, before = 0, refused
    while True:
        found = backing
        complaints: tuple[str, ...] = ("Error: ImagePullBackOff",)
        if age >= next_pull:
            if behaviour.succeeds(age, pulls):
                break
            pulls += 1
            next_pull = age + _pause(behaviour.backoff, pulls)
            found = refused if pulls > 1 else backing
            # The first look is followed by a second one at once.
            again = ("Error: ImagePullBackOff",) if pulls == 1 else ()
            complaints = (failed, "Error: ErrImagePull", _BACKING_OFF, *again)
        yield Step(age, state=before, complaints=tuple(map(Complaint, complaints)))
        before = found
        age += behaviour.backoff * PERIOD
    yield from _serving(behaviour, Step(age))


def _stuck(behaviour: Behaviour, stuck: Step) -> Life:
    """Yield a step that lasts until the problem passes, if it does."""
    yield stuck
    if behaviour.passes_after is not None:
        yield from _serving(behaviour, replace(stuck, after=behaviour.passes_after))


def _invalid_name(behaviour: Behaviour, start: float) -> Life:
    age = min(FIRST_PULL, start)
    yield from _beginning(age)
    text = behaviour.fault or _INVALID
    complaints = (Complaint(text), Complaint("Error: InvalidImageName"))
    yield Step(age, state=_waiting("InvalidImageName", text), complaints=complaints)


def _never_ready(behaviour: Behaviour, start: float) -> Life:
    yield from _beginning(start)
    probe = Complaint(behaviour.fault or _PROBE, WARNING)
    yield from _stuck(behaviour, Step(start, "Running", RUNNING, started=True, complaints=(probe,)))


def _unschedulable(behaviour: Behaviour, start: float) -> Life:
    text = behaviour.fault or "0/3 nodes are available: 3 Insufficient memory."
    yield from _stuck(
        behaviour,
        Step(
            0.0,
            scheduled=False,
            reason="Unschedulable",
            message=text,
            complaints=(Complaint(text),),
        ),
    )


def _config_error(behaviour: Behaviour, start: float) -> Life:
    yield from _beginning(start)
    cause = 'secret "db-password" not found'
    text = behaviour.fault or f"Error: {cause}"
    state = _waiting("CreateContainerConfigError", behaviour.fault or cause)
    yield from _stuck(behaviour, Step(start, state=state, complaints=(Complaint(text),)))


def _missing_volume(behaviour: Behaviour, start: float) -> Life:
    yield Step(0.0, scheduled=False)
    text = behaviour.fault or (
        'MountVolume.SetUp failed for volume "conf" : configmap "nope" not found'
    )
    creating = _waiting("ContainerCreating")
    yield from _stuck(
        behaviour, Step(start * FIRST_LOOK, state=creating, complaints=(Complaint(text),))
    )


def _failed(behaviour: Behaviour, start: float) -> Life:
    text = "Pod {pod} failed: container {container} exited"
    yield from _lost(behaviour, start, "NodeShutdown", text)


def _evicted(behaviour: Behaviour, start: float) -> Life:
    text = "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. "
    yield from _lost(behaviour, start, "Evicted", text)


def _lost(behaviour: Behaviour, start: float, reason: str, text: str) -> Life:
    """Yield the steps of a pod that ends for good: its object stays, without any container."""
    up = 1.0 if behaviour.up_seconds is None else behaviour.up_seconds
    text = behaviour.fault or text
    yield from _beginning(start)
    yield Step(start, "Running", RUNNING, ready=behaviour.ready, started=True)
    yield Step(
        start + up,
        "Failed",
        scheduled=True,
        reason=reason,
        message=text,
        complaints=(Complaint(text),),
    )


_LIVES: dict[str, Callable[[Behaviour, float], Life]] = {
    "run": _run,
    "crash": _crash,
    "oom": _oom,
    "liveness": _liveness,
    "bad-command": _bad_command,
    "pull-error": _pull_error,
    "pull-error-passing": _pull_error,
    "no-registry": _pull_error,
    "invalid-name": _invalid_name,
    "never-ready": _never_ready,
    "unschedulable": _unschedulable,
    "failed": _failed,
    "evicted": _evicted,
    "config-error": _config_error,
    "missing-volume": _missing_volume,
}
