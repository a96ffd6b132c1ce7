"""Finding out and showing why targets failed, without holding up the rollback."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pipe.clock import Clock, Deadline
from pipe.model import Target
from pipe.report import Recorder
from pipe.rollout import Evidence, Verdict, Watcher

log = logging.getLogger(__name__)

_SECONDS = 15.0
"""For the evidence of all targets together: until the rollback, the bad version serves."""


def gather(
    watcher: Watcher, verdicts: Mapping[Target, Verdict], recorder: Recorder, clock: Clock
) -> None:
    """Record and log why each target failed; never raises an `Exception`."""
    deadline = None
    for target, verdict in verdicts.items():
        try:
            deadline = deadline or Deadline.after(clock, _SECONDS)
            evidence = watcher.evidence(target, verdict, deadline)
            recorder.explained(evidence)
            recorder.reported(target, watcher.events(target))
            _log(evidence)
        except Exception as error:  # noqa: BLE001 - must not replace the failure itself
            log.warning("%s: no evidence because of %s.", target, type(error).__name__)


def _log(evidence: Evidence) -> None:
    """Write faults, the states of containers, and last log lines to the log."""
    for text in evidence.faults:
        log.error("  fault: %s", text)
    for text in evidence.containers:
        log.error("  container %s", text)
    if evidence.log:
        whose = f", {evidence.log_of}" if evidence.log_of else ""
        log.error("  last log lines of %s%s:", evidence.pod, whose)
    elif evidence.pod:
        log.error("  The portal has no log of %s.", evidence.pod)
    for line in evidence.log:
        log.error("  | %s", line)
