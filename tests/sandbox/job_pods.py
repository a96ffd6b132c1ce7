"""Pods of Kubernetes jobs, which the portal lists together with the services' pods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.sandbox.access import Tenant
from tests.sandbox.behaviour import RUNNING, Behaviour, Phase, State, Step
from tests.sandbox.commands import Command, Start, lingers, reported
from tests.sandbox.kubelet import timeline
from tests.sandbox.pods import Pod, Template
from tests.sandbox.stamp import suffix

if TYPE_CHECKING:
    from tests.sandbox.world import World

_PHASES: dict[int, Phase] = {1: "Running", 3: "Pending", 7: "Failed", 11: "Succeeded"}
_COMPLETED: State = {"terminated": {"exitCode": 0, "reason": "Completed"}}
_KILLED: State = {"terminated": {"exitCode": 137, "reason": "Error"}}


@dataclass
class JobPod(Pod):
    """A pod of a job: its one command runs to an end, and is started again only `on_failure`.

    `attempt` is the number of pods that the job had before it.
    """

    command: Command = field(default_factory=Command)
    line: str = ""
    attempt: int = 0
    on_failure: bool = False
    grace_seconds: float = 30.0
    limit_seconds: float | None = None
    """Age at which the kubelet ends it, whether its job still exists or not."""
    started_at: float | None = None
    ended_at: float | None = None
    _start: Start | None = None

    @property
    def finished(self) -> bool:
        """Whether its containers have ended for good."""
        return self.step.phase in ("Succeeded", "Failed")

    @property
    def _code(self) -> int:
        """The exit code of the present start."""
        return self.command.code_of(self.attempt + self.step.restarts)

    def live(self) -> None:
        """Start the life that the command has, unless the image keeps it from starting."""
        self.born = self.world.at
        self.failing, image = self.world.next_behaviour(self.template)
        stop = self.command.stop_seconds
        self.behaviour = replace(
            self.command.failing(image),
            stop_seconds=None if stop is None else min(stop, self.grace_seconds),
        )
        self._go(self._life())
        if self.limit_seconds is not None:
            self.world.agenda.later(self.limit_seconds, self._out_of_time)

    def leave(self) -> None:
        """Start terminating; a pod that has ended is gone at once."""
        if self.finished and not self.leaving:
            self.leaving = True
            self._vanish()
        super().leave()

    def log(self, container: str) -> list[str]:
        """Return the lines that the command has written since its last start."""
        if self.started_at is None:
            return []
        until = self.world.at if self.ended_at is None else self.ended_at
        lines = self.command.written(until - self.started_at)
        if until - self.started_at + 1e-9 < self.command.seconds:
            return lines
        killed = ["Killed"] if self._code and self.command.out_of_memory else []
        return [*lines, *killed, *reported(self.line, self._code)]

    def _stop(self) -> None:
        """End as SIGTERM ends it: a program that heeds it exits with 0."""
        if "running" not in self.step.state:
            return
        self._end(None)
        heeds = self.behaviour.stop_seconds is None
        self.step = replace(
            self.step,
            phase="Succeeded" if heeds else "Failed",
            state=_COMPLETED if heeds else _KILLED,
            ready=False,
        )

    def _enter(self, step: Step, steps: Iterator[Step]) -> None:
        if self.leaving or self.gone or self.finished:
            return
        if step.started and (not self.step.started or step.restarts > self.step.restarts):
            self.started_at, self.ended_at = self.world.at, None
            self._start = Start(self.world.at, self.line, self.template.name)
            self.world.commands.starts.append(self._start)
        if "terminated" in step.state:
            self._end(step.state["terminated"]["exitCode"])
        super()._enter(step, steps)
        if self.step.phase == "Succeeded":
            self.changed()

    def _end(self, code: int | None) -> None:
        """Note that the container has ended; without a code it was killed."""
        self.ended_at = self.world.at
        if self._start is not None and self._start.ended is None:
            self._start.end(self.world.at, code)

    def _out_of_time(self) -> None:
        if not self.leaving and not self.finished:
            self._end(None)
            message = "Pod was active on the node longer than the specified deadline"
            self.fail("DeadlineExceeded", message)

    def _life(self) -> Iterator[Step]:
        """Yield the steps from the creation to the end of the command, if it has one."""
        start = self.world.rollout_seconds
        if self.behaviour.fate == "bad-command":
            yield from _without_program(timeline(self.behaviour, start))
            return
        if self.on_failure and self.command.code:
            yield from self._restarting(start)
            return
        for step in timeline(self.behaviour, start):
            if step.started:
                yield from self._course(step, self.attempt)
                return
            yield step

    def _restarting(self, start: float) -> Iterator[Step]:
        """Yield the steps of a command that the kubelet starts again until it succeeds."""
        command = self.command
        failing = replace(
            self.behaviour,
            fate="oom" if command.out_of_memory else "crash",
            up_seconds=command.seconds + lingers(self.line),
            crashes=command.failures,
            exit_code=command.exit_code,
            ready=True,
        )
        for step in timeline(failing, start):
            if step.passed:
                yield from self._course(step, step.restarts)
                return
            yield step

    def _course(self, begun: Step, attempt: int) -> Iterator[Step]:
        """Yield the steps of a command that starts at the age of `begun`."""
        running = replace(begun, phase="Running", state=RUNNING, ready=True, started=True)
        seconds = self.command.seconds + lingers(self.line)
        if seconds:
            yield running
        code = self.command.code_of(attempt)
        reason = "OOMKilled" if code and self.command.out_of_memory else "Error"
        yield replace(
            running,
            after=begun.after + seconds,
            phase="Failed" if code else "Succeeded",
            state={"terminated": {"exitCode": code, "reason": reason}} if code else _COMPLETED,
            ready=False,
        )


def _without_program(steps: Iterator[Step]) -> Iterator[Step]:
    """Yield the steps of a pod whose image lacks the command: it ends without a start."""
    for step in steps:
        if step.last:
            yield replace(step, phase="Failed", state=step.last, last={}, started=False)
            return
        yield step


def make_foreign_pod(world: World, tenant: Tenant, name: str, image: str, status: int) -> Pod:
    """Return a job's pod that stays in the given status, one of the portal's codes."""
    index = world.next_pod_index()
    phase = _PHASES[status]
    state: State = {"running": {}} if phase == "Running" else {"terminated": {"exitCode": 0}}
    return Pod(
        world=world,
        tenant_id=tenant.id,
        account=tenant.name,
        template=Template(name, ((name, image),)),
        name=f"{name}-{suffix(f'{tenant.id}/{index}', 5)}",
        generation=name,
        controller=controller_of(name),
        index=index,
        changed=lambda: None,
        step=Step(0.0, phase, state, ready=phase == "Running", started=True),
        behaviour=Behaviour(),
        born=world.at,
    )


def controller_of(name: str) -> dict[str, str]:
    """Return how a pod names the job that it belongs to."""
    return {"QualifiedType": "kubernetes:batch/v1/Job", "NativeId": name}
