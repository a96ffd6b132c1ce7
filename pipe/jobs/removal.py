"""Delete jobs or leave them, and report what became of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pipe.clock import Clock, Deadline
from pipe.errors import PipeError
from pipe.portal import TenantPortal
from pipe.portal.jobs import Jobs
from pipe.retry import Retryable, RetryPolicy

log = logging.getLogger(__name__)

_POLICY = RetryPolicy(patience=20.0, longest_pause=2.0, tries=3)
_PODS_SECONDS = 2.0
"""In which Kubernetes begins to end the pods of a deleted job."""
_GONE_SECONDS = 60.0
"""How long a deleted job may take to go before one of its name is created."""


@dataclass(frozen=True)
class Left:
    """What became of a job that is not followed any more, in a `sentence`.

    `kept` is its name if the next run of the step needs it.
    """

    sentence: str
    kept: str = ""

    @classmethod
    def complete(cls, name: str) -> Left:
        """Return what becomes of a job that is the proof that its command ran."""
        sentence = (
            f"The job {name} is complete; it stays, so that the next run of this step does not run "
            "its command again."
        )
        return cls(sentence, kept=name)


@dataclass(frozen=True)
class Removal:
    """Deletes jobs of one tenant."""

    portal: TenantPortal
    clock: Clock

    def delete(self, name: str) -> bool:
        """Delete a job; return False after logging that it could not be deleted."""
        error = self._error(name)
        if error:
            log.warning("%s", self._failure(name, error))
        return error is None

    def stop(self, name: str) -> str:
        """Delete a job whose command may be running, and return a sentence on it."""
        if error := self._error(name):
            return self._failure(name, error, " Its command may still be running.")
        if self._has_running_pod(name):
            return (
                f"The job {name} was deleted, and the portal left its pod running: it ends by "
                "itself a minute after the time limit at the latest."
            )
        return f"The job {name} was deleted; what its command did until then stays."

    def leave(self, name: str) -> Left:
        """Return what becomes of a job whose end cannot be read: nothing."""
        sentence = (
            f"The job {name} stays: its command may be done, and the next run of this step finds "
            f"out. {self.remedy(name)}"
        )
        return Left(sentence, kept=name)

    def _has_running_pod(self, name: str) -> bool:
        """Return whether a deleted job's pod goes on: by default Kubernetes leaves it behind."""
        self.clock.sleep(_PODS_SECONDS)
        try:
            return any(pod.is_running for pod in Jobs(self.portal.scope).pods(name))
        except PipeError:
            return False

    def wait_until_gone(self, name: str) -> None:
        """Wait until the portal no longer shows a deleted job, for a minute at most."""
        jobs, deadline = Jobs(self.portal.scope), Deadline.after(self.clock, _GONE_SECONDS)
        while jobs.find(name) is not None and not deadline.passed():
            self.clock.sleep(1.0)

    def remedy(self, name: str) -> str:
        """Return the sentence on how to delete a job by hand."""
        return f"To delete it: duploctl job delete {name} --tenant {self.portal.tenant.name}"

    def _failure(self, name: str, error: PipeError, consequence: str = "") -> str:
        return f"The job {name} could not be deleted: {error}{consequence} {self.remedy(name)}"

    def _error(self, name: str) -> PipeError | None:
        """Delete a job; return the error of the last try if it could not be deleted."""
        jobs = Jobs(self.portal.scope)

        def attempt() -> PipeError | None:
            try:
                jobs.delete(name)
            except PipeError as error:
                return error
            return None

        def classify(error: PipeError | None) -> Retryable | None:
            return Retryable(str(error)) if error and error.retryable else None

        return _POLICY.call(self.clock, attempt, classify_result=classify)
