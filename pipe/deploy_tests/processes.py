"""CommandResult a command with everything it started, also what left its process group.

The process group catches nearly all. What a shell's job control or `setsid` put elsewhere is
found through Linux' /proc: by session, by parentage, and, once orphaned, as our own child.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36
_MOST_ROUNDS = 20


def adopt_orphans() -> None:
    """Make orphans of our descendants our children, so that they can be found; Linux only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> frozenset[int]:
    """Our children at this moment; none where /proc cannot tell."""
    us = os.getpid()
    return frozenset(pid for pid, (parent, _) in _table().items() if parent == us)


def terminate(leader: int) -> None:
    """Ask the command's process group to end."""
    _signal_group(leader, signal.SIGTERM)


def end_all(leader: int | None, before: frozenset[int]) -> None:
    """Kill the command's process group and every descendant; `before` are children to spare.

    Without a known `leader` every new child of ours is the command's. Repeated until nothing is
    found: whoever is killed may have forked a moment earlier.
    """
    for _ in range(_MOST_ROUNDS):
        if leader is not None:
            _signal_group(leader, signal.SIGKILL)
        left = family(leader, before)
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            # The leader is left to whoever started it, for its exit status.
            if pid != leader:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
        if not left - {leader}:
            return


def family(leader: int | None, before: frozenset[int]) -> frozenset[int]:
    """Every living process that belongs to the command, the leader included while it lives."""
    table = _table()
    us = os.getpid()
    found = {
        pid
        for pid, (parent, session) in table.items()
        if (leader is not None and session == leader) or (parent == us and pid not in before)
    }
    grown = True
    while grown:
        offspring = {pid for pid, (parent, _) in table.items() if parent in found} - found
        found |= offspring
        grown = bool(offspring)
    return frozenset(found)


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _table() -> dict[int, tuple[int, int]]:
    """Parent and session of every process."""
    found = {}
    for entry in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            # The name in parentheses may hold anything, more parentheses included.
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            found[int(entry.parent.name)] = (int(fields[1]), int(fields[3]))
    return found
