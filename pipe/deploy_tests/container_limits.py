"""What a test's container may use, and how it ends when the pipe is killed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOST_PROCESSES = 4096
"""Processes and threads; a browser takes some hundreds."""

_MEGABYTE = 1 << 20
_LEFT_FOR_THE_PIPE = 256 * _MEGABYTE
_LEAST = 256 * _MEGABYTE
_UNLIMITED = 1 << 60
"""What version 1 of control groups shows is a little less than 2**63."""
_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

WATCHED = """
exec 3<&0 </dev/null
(exec 3<&-; exec sh -c "$0") &
command=$!
(while read -r _ <&3; do :; done; kill -9 -1) >/dev/null 2>&1 &
exec 3<&-
trap 'kill -TERM $command 2>/dev/null' TERM
wait $command
status=$?
while kill -0 $command 2>/dev/null; do wait $command; status=$?; done
exit $status
"""
"""Runs the command `$0`, and ends all its processes when standard input ends.

The pipe holds the other end. The Docker service closes it when the pipe's connection is gone,
also after a SIGKILL, which leaves the pipe no time to stop anything.
"""


def memory(engine: Mapping[str, Any]) -> int:
    """Return the bytes for a test's container, less than the step has; `engine` is its `info`."""
    own = [limit for path in _LIMITS if 0 < (limit := _limit(path)) < _UNLIMITED]
    whole = min([*own, int(engine.get("MemTotal") or _UNLIMITED)])
    return max(_LEAST, whole - _LEFT_FOR_THE_PIPE)


def _limit(path: Path) -> int:
    """Return the memory limit of the pipe's own container, 0 if it has none."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return 0
