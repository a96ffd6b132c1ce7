"""Names of jobs, by which a run recognizes what an earlier run of its step left."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256

from pipe.jobs.model import TenantCommand
from pipe.portal.jobs import Job
from pipe.settings import Step

_LONGEST_LABEL = 63
_LONGEST = _LONGEST_LABEL - 6
"""Characters; Kubernetes adds six of its own for the name of the pod."""
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_BUILD, _LONGEST_RUN = 12, 4
_STEP, _RUN = "deploy-pipe.nholuongut.com/step", "deploy-pipe.nholuongut.com/run"


@dataclass(frozen=True)
class JobName:
    """The name of a command's job: target, key, build and run of the step, and a digest.

    The digest stands for what is run and for the pipeline, so that a name never stands for two
    different commands. A local run has no build and no run number: the same command for the same
    image has the same name each time.
    """

    prefix: str
    run: str
    digest: str
    step: str

    @classmethod
    def of(cls, command: TenantCommand, step: Step) -> JobName:
        """Return the name for a command of this step."""
        build = _plain(step.build_number)[:_LONGEST_BUILD] or "local"
        run = _plain(step.run_number)[:_LONGEST_RUN] or "1"
        middle = f"-{command.key}-{build}-"
        digest = _digest(command, step)
        room = _LONGEST - len(middle) - _LONGEST_RUN - 1 - len(digest)
        service = _plain(command.snapshot.target.name)[:room].strip("-") or "job"
        if not service[0].isalpha():
            service = f"j{service}"[:room]
        return cls(f"{service}{middle}", run, digest, _label(step.step))

    def __str__(self) -> str:
        return f"{self.prefix}{self.run}-{self.digest}"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the job."""
        return {_RUN: self.run, **({_STEP: self.step} if self.step else {})}

    def is_same(self, job: Job) -> bool:
        """Return whether a job runs the same, for this run of the step or another one."""
        return job.name.startswith(self.prefix) and job.name.endswith(f"-{self.digest}")

    def is_outdated(self, job: Job) -> bool:
        """Return whether an earlier run of this step made a job to run something else.

        A parallel step may have made one with the same prefix.
        """
        return (
            job.name.startswith(self.prefix)
            and not self.is_same(job)
            and bool(self.step)
            and job.labels.get(_STEP) == self.step
            and _number(job.labels.get(_RUN, "")) < _number(self.run)
        )


def _digest(command: TenantCommand, step: Step) -> str:
    parts = (
        step.repository_id,
        step.build_number,
        step.deployment,
        str(command.snapshot.target),
        command.key,
        command.image,
        list(command.command),
    )
    return sha256(json.dumps(parts).encode()).hexdigest()[:8]


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("-", name.casefold()).strip("-")


def _label(value: str) -> str:
    return _NOT_IN_LABELS.sub("", value)[:_LONGEST_LABEL].strip("-_.")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_RUN else 0
