"""Grades of scan findings, compared with MAX_SEVERITY."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipe.registry.base import Finding
from pipe.settings import Severity

# Findings without a grade (UNDEFINED, UNTRIAGED) are not known to be harmless.
_RANKS = {"INFORMATIONAL": 1, "LOW": 2, "MEDIUM": 3, "HIGH": 4, "CRITICAL": 5}
_UNGRADED = 1
_LIMITS = {Severity.NONE: 0, Severity.LOW: 2, Severity.MEDIUM: 3, Severity.HIGH: 4}
_MOST_NAMES = 10


def above(findings: Sequence[Finding], limit: Severity) -> Sequence[Finding]:
    """Return the findings above `limit`, the most severe first."""
    severe = [finding for finding in findings if _rank(finding) > _LIMITS[limit]]
    return sorted(severe, key=lambda finding: (-_rank(finding), finding.name))


def names(findings: Sequence[Finding]) -> str:
    """List findings by name and grade, at most ten."""
    listed = [f"{finding.name} ({finding.severity})" for finding in findings[:_MOST_NAMES]]
    more = len(findings) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")


def tally(findings: Sequence[Finding]) -> str:
    """Count the findings of each grade, the most severe first."""
    counts = Counter(finding.severity for finding in sorted(findings, key=_rank, reverse=True))
    return ", ".join(f"{count} {grade}" for grade, count in counts.items()) or "none"


def _rank(finding: Finding) -> int:
    return _RANKS.get(finding.severity, _UNGRADED)
