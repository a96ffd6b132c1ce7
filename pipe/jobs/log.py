"""The log of a container as it grows, from answers that hold no more than its last lines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipe.deploy_tests.lines import Lines
from pipe.errors import PlatformError
from pipe.jobs.shell import split_status

log = logging.getLogger(__name__)

TAIL = 1000
"""Lines to request: a program that writes more of them between two reads loses some."""
_MISSING = "[lines are missing here: the portal shows no more than the last {}]"
_MOST_LEFT_OUT = 15

ReadLog = Callable[[str, int], Sequence[str] | None]
"""Returns the last lines of the container with an id, None where there is no log."""


@dataclass
class LogStream:
    """Writes every line of a log once to `lines`.

    `status` is the exit status that the log reports; `was_read` is true once there was a log;
    `written` counts the lines.
    """

    lines: Lines
    status: int | None = None
    was_read: bool = False
    written: int = 0
    _container: str = ""
    _last: Sequence[str] = field(default_factory=tuple)
    _failures: int = 0
    _left_out: int = 0

    def poll(self, read: ReadLog, container: str, *, insist: bool = False) -> bool:
        """Read the log and write what is new; return whether the read worked.

        The more reads have failed in a row, the more of the next ones are left out, unless
        `insist` is set: a portal that stays silent must not delay the verdict.
        """
        if not insist and self._left_out < min(self._failures, _MOST_LEFT_OUT):
            self._left_out += 1
            return False
        self._left_out = 0
        try:
            current = read(container, TAIL)
        except PlatformError as error:
            log.debug("no log of the job: %s", error)
            current = None
        if current is None:
            self._failures = 2 * self._failures + 1
            return False
        self._failures = 0
        self._write(container, current)
        return True

    def close(self) -> None:
        """End the last line."""
        self.lines.close()

    def note(self, text: str) -> None:
        """Write a line about the log itself, in brackets."""
        self.lines.feed(f"[{text}]\n".encode())

    def _write(self, container: str, current: Sequence[str]) -> None:
        if container != self._container:
            if self._container:
                self.note("Kubernetes started the command again; the log of that start follows")
            self._container, self._last = container, ()
        known = overlap(self._last, current)
        if self._last and not known and not current[0].startswith(self._last[0]):
            self.lines.feed(f"{_MISSING.format(TAIL)}\n".encode())
        for line in current[known:]:
            text, status = split_status(line)
            if status is not None:
                self.status = status
            if status is None or text:
                self.lines.feed(f"{text}\n".encode("utf-8", "replace"))
                self.written += 1
        self._last, self.was_read = current, True


def overlap(last: Sequence[str], current: Sequence[str]) -> int:
    """Return how many of the first lines of an answer are the last ones of the previous answer.

    The previous answer's last line may have been incomplete: it then counts as new.
    """
    whole = _common(last, current)
    if not last:
        return whole
    part = _common(last[:-1], current)
    is_longer = part < len(current) and current[part].startswith(last[-1])
    return part if is_longer and part >= whole and (part or len(last) == 1) else whole


def _common(last: Sequence[str], current: Sequence[str]) -> int:
    """Return the length of the longest beginning of `current` that `last` ends with.

    The prefix function of Knuth, Morris and Pratt: logs repeat lines, and a thousand of them must
    not take a million comparisons.
    """
    borders: list[int] = []
    for line in current:
        length = borders[-1] if borders else 0
        while borders and length and current[length] != line:
            length = borders[length - 1]
        borders.append(length + 1 if borders and current[length] == line else 0)
    length = 0
    for line in last[-len(current) :] if current else ():
        while length and (length == len(current) or current[length] != line):
            length = borders[length - 1]
        length += current[length] == line
    return length
