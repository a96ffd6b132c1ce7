"""Showing people why a target failed."""

from __future__ import annotations

import logging

from pipe.rollout import Evidence

log = logging.getLogger(__name__)


def log_evidence(evidence: Evidence) -> None:
    """Write faults and last log lines to the log."""
    for text in evidence.faults:
        log.error("  fault: %s", text)
    if evidence.log:
        log.error("  last log lines of %s:", evidence.pod)
    elif evidence.pod:
        log.error("  The portal has no log of %s.", evidence.pod)
    for line in evidence.log:
        log.error("  | %s", line)
