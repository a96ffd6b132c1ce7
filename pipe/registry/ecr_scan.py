"""Scans of images in ECR: wait until they are complete, and read their findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from pipe.clock import Clock, Deadline
from pipe.registry.base import CannotVerify, Finding

MOST_PAGES = 20
_PATIENCE = 180.0
_PAUSE = 5.0
_UNFINISHED = ("IN_PROGRESS", "PENDING")
_FINISHED = ("COMPLETE", "ACTIVE")

Pages = Callable[[str], Iterator[Mapping[str, Any]]]
"""Reads the pages of an image's scan by digest; the last has a `nextToken` if there are more."""


def read(pages: Pages, digests: Sequence[str], clock: Clock) -> Sequence[Finding]:
    """Return the findings of all images; raise `CannotVerify` without complete scans.

    A running scan is waited for: it begins with the push, often a minute before the deploy.
    """
    deadline = Deadline.after(clock, _PATIENCE)
    findings = [one for digest in digests for one in _scan(pages, digest, deadline)]
    return list(dict.fromkeys(findings))


def _scan(pages: Pages, digest: str, deadline: Deadline) -> Iterator[Finding]:
    following = pages(digest)
    first = next(following)
    while (status := _status(first)) in _UNFINISHED and not deadline.passed():
        deadline.clock.sleep(_PAUSE)
        following = pages(digest)
        first = next(following)
    if status not in _FINISHED:
        raise CannotVerify(
            f"its scan in ECR is not complete (status {status or 'unknown'}, waited for up to "
            f"{_PATIENCE:g} s)",
            "Run the step again once the scan is done; ECR's console shows its status.",
        )
    for page in chain([first], following):
        yield from _findings(page.get("imageScanFindings") or {})
    _check_last(page)


def _status(page: Mapping[str, Any]) -> str:
    return str((page.get("imageScanStatus") or {}).get("status", ""))


def _check_last(page: Mapping[str, Any]) -> None:
    if page.get("nextToken"):
        raise CannotVerify(
            f"its scan in ECR has findings beyond the {MOST_PAGES} pages that are read",
            "Rebuild it on a base image with fewer findings.",
        )


def _findings(scan: Mapping[str, Any]) -> Iterator[Finding]:
    for entry in (listed or {} for listed in scan.get("findings") or []):
        yield Finding(str(entry.get("name", "?")), str(entry.get("severity", "UNDEFINED")))
    for entry in (listed or {} for listed in scan.get("enhancedFindings") or []):
        package = entry.get("packageVulnerabilityDetails") or {}
        name = package.get("vulnerabilityId") or entry.get("title") or "?"
        yield Finding(str(name), str(entry.get("severity", "UNDEFINED")))
