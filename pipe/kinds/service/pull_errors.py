"""Errors of image pulls, in the words of kubelets and container runtimes: which of them pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

_PULL = re.compile(
    r"pull|errimage|invalidimagename|image .*not (be )?found|manifest", re.IGNORECASE
)
_INVALID = re.compile(
    r"invalidimagename|invalid reference|couldn't parse image|repository name must|"
    r"errimageneverpull",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(
    r"time-?d? ?out|timeout|temporar|too ?many ?requests|rate limit|qps exceeded|"
    r"connection re(set|fused)|\beof\b|unavailable|no such host|unreachable|no route to host|"
    r"server misbehaving|deadline exceeded|\b(429|50[0-4])\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"denied|unauthori[sz]ed|forbidden|authori[sz]ation|credential", re.IGNORECASE)
_BROKEN_OFF = re.compile(r"failed to copy|httpreadseeker|\bblob\b", re.IGNORECASE)
"""The image was found, and its content could not be fetched completely."""
_ABSENT = re.compile(
    r"not found|manifest unknown|name unknown|does not exist|no such image|"
    r"no (match|matching manifest)",
    re.IGNORECASE,
)
_WITHOUT_CAUSE = re.compile(
    r"(\w+\s+)?(error: )?(back-?off pulling image|errimagepull|imagepullbackoff)?", re.IGNORECASE
)
_QUOTED = re.compile(r'\\?"[^"\\]*\\?"')


class PullError(IntEnum):
    """What is known of a pull that failed; of several texts, the lowest one explains it."""

    ABSENT = 0
    """The image is not there, or its name is invalid: no retry resolves that."""
    TEMPORARY = 1
    """The registry could not be reached, or is busy: a retry may work at any time."""
    UNCLEAR = 2
    """There is a cause, and retries may resolve it: refused credentials, for example."""
    UNEXPLAINED = 3
    """The text does not hold the cause."""


def concerns_pull(text: str) -> bool:
    """Return whether a fault is about a pull."""
    return bool(_PULL.search(text))


def explain(texts: Sequence[str], image: str) -> tuple[PullError, str]:
    """Return what explains a failed pull of `image`, and the text that does.

    The first text with a cause counts: a container's own is more recent than faults, which
    outlive their cause.
    """
    for text in texts:
        if concerns_pull(text) and (error := classify(text, image)) is not PullError.UNEXPLAINED:
            return error, text
    return PullError.UNEXPLAINED, next((text for text in texts if concerns_pull(text)), "")


def classify(text: str, image: str) -> PullError:
    """Return what a text shows of a failed pull. The image's name is left out: it may be any."""
    words = _QUOTED.sub("", text)
    if image:
        words = words.replace(image, "")
    if _INVALID.search(words):
        return PullError.ABSENT
    if _TEMPORARY.search(words):
        return PullError.TEMPORARY
    if _DENIED.search(words) or _BROKEN_OFF.search(words):
        return PullError.UNCLEAR
    if _ABSENT.search(words):
        return PullError.ABSENT
    return (
        PullError.UNEXPLAINED if _WITHOUT_CAUSE.fullmatch(words.strip(" :")) else PullError.UNCLEAR
    )
