"""What a look at services reads beside their pods, and when: pure decisions.

While pods are coming up, services are read at every second look: one may be scaled meanwhile, or
changed by another deployment. While only time is missing, the pods alone are enough; what happens
to them makes the same look read services. They are read once more before a final verdict. Faults
are read at once when a pod shows a problem, and in turn while pods are coming up: rarely where pods
show the states of their containers.

Where Kubernetes can be asked, its workloads and pods take the place of the portal's pods, and its
events that of the faults. The workloads show changes as well, so services are read only until the
portal has taken the change, and before a final verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from pipe.kinds.service import problems
from pipe.kinds.service.pods import has_failed, is_terminating, seems_over
from pipe.kinds.service.reads import Reads
from pipe.kinds.service.rollout import ServiceRollout
from pipe.model import Target
from pipe.rollout import Ready, Verdict, Waiting

_SERVICES_EVERY = 2
_FAULTS_EVERY, _FAULTS_EVERY_BESIDE_STATES = 2, 6
"""At each how many looks faults are read while pods come up without a problem.

Where pods show present states, these show every problem that ends a rollout.
"""
_EVENTS_AGE = 2.0
"""Seconds after which the events of Kubernetes are read again in the same case."""


class Need(Enum):
    """How much a verdict needs services to be read for it."""

    NONE = "none"
    IF_POSSIBLE = "if possible"
    REQUIRED = "required"


@dataclass(frozen=True)
class Turn:
    """A look whose pods were read: the one after `looks` others, the last of which gave `verdicts`.

    `events_age` is how many seconds ago the events of Kubernetes were read.
    """

    looks: int
    rollouts: Mapping[Target, ServiceRollout]
    verdicts: Mapping[Target, Verdict]
    reads: Reads
    events_age: float

    @cached_property
    def includes_services(self) -> bool:
        """Whether to read services at once.

        Where the pods alone show that only time may be missing now, services are left to the
        verdict.
        """
        return self._is_turn_of_services and not self._seems_over

    @property
    def includes_faults(self) -> bool:
        """Whether to read faults at once: to explain a problem, or in turn while pods come up."""
        troubled = [
            pod
            for rollout in self.rollouts.values()
            for pod in self.reads.pods[rollout.change.target.name]
            if not pod.is_steady
            if not is_terminating(pod) and not has_failed(pod, rollout.service)
        ]
        if any(problems.find_problem(pod, ()) for pod in troubled):
            return True
        if self.includes_services or not self._is_turn_of_faults:
            return False
        # New pods that are up may not be ready: then previous pods remain.
        lacks_pods = any(one.pods.previous or not one.pods.new for one in self.rollouts.values())
        return lacks_pods or any(not problems.is_up(pod) for pod in troubled)

    def need_of_services(self, verdicts: Mapping[Target, Verdict], *, is_last: bool) -> Need:
        """Return whether these verdicts, made without reading services, need them to be read.

        Success requires it, and so does a setback after only time had seemed to be missing. A
        failure is reported even if the portal does not respond.
        """
        seemed_close = self._is_turn_of_services or only_time_is_missing(self.verdicts)
        is_setback = seemed_close and not only_time_is_missing(verdicts)
        if is_setback or any(isinstance(verdict, Ready) for verdict in verdicts.values()):
            return Need.REQUIRED
        is_open = all(isinstance(verdict, Waiting) for verdict in verdicts.values())
        return Need.NONE if is_open and not is_last else Need.IF_POSSIBLE

    @property
    def _is_turn_of_services(self) -> bool:
        """Whether services may show something new: until all were set, then at times."""
        if not all(rollout.was_set for rollout in self.rollouts.values()):
            return True
        if self.reads.all_by_kubernetes or only_time_is_missing(self.verdicts):
            return False
        return self.looks % _SERVICES_EVERY == 0

    @property
    def _is_turn_of_faults(self) -> bool:
        if self.reads.all_by_kubernetes:
            return self.events_age >= _EVENTS_AGE
        show_states = all(rollout.shows_state for rollout in self.rollouts.values())
        every = _FAULTS_EVERY_BESIDE_STATES if show_states else _FAULTS_EVERY
        return self.looks % every == every - 1

    @property
    def _seems_over(self) -> bool:
        """Whether only time may be missing now, as far as the pods alone show it."""
        return all(
            rollout.was_set and seems_over(rollout.change, self.reads.pods[target.name])
            for target, rollout in self.rollouts.items()
        )


def may_hide_crashes(
    rollouts: Mapping[Target, ServiceRollout], verdicts: Mapping[Target, Verdict]
) -> bool:
    """Return whether pods may seem to run between crashes, which then only faults show."""
    return any(
        isinstance(verdict, Ready)
        and rollouts[target].pods.new
        and not rollouts[target].shows_state
        for target, verdict in verdicts.items()
    )


def only_time_is_missing(verdicts: Mapping[Target, Verdict]) -> bool:
    """Return whether every rollout is ready or only has to stay as it is."""
    return bool(verdicts) and all(
        isinstance(verdict, Ready) or (isinstance(verdict, Waiting) and verdict.until)
        for verdict in verdicts.values()
    )
