"""End a command with every process it started, including those that left its process group."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

from pipe.clock import Deadline

_THREADS = Path("/proc/self/task")
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends; Linux only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> frozenset[int]:
    """Return the ids of our child processes; none where Linux' /proc is missing."""
    pids: set[int] = set()
    for path in _THREADS.glob("*/children"):
        with contextlib.suppress(OSError):
            pids.update(map(int, path.read_text("ascii").split()))
    return frozenset(pids)


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to a command's process group, if it still exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def kill_children(spared: frozenset[int], deadline: Deadline) -> None:
    """Kill our children except `spared`, and the orphans that become our children thereby.

    Daemons and chains of forks leave the command's group and session, but not its descendants:
    see test_a_command_that_forks_and_hangs_leaves_nothing_behind and
    test_a_chain_of_forks_ends_with_its_command.
    """
    if os.getpid() == 1 and not spared:
        # Every other process of the container is the command's. The kernel signals them all before
        # any of them can fork again, so no chain of forks is faster.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
    own = os.getpgrp()
    while (left := children() - spared) and not deadline.passed():
        for pid in left:
            try:
                # The group first: its members, even those being forked, are signalled at once.
                if (group := os.getpgid(pid)) not in (own, 0):
                    signal_group(group, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except PermissionError:
                spared |= {pid}
            except (ProcessLookupError, ChildProcessError):
                pass
