"""The command of a job's container, and the line by which a shell reports how it ended."""

from __future__ import annotations

import math
import re

from pipe.jobs.model import SHELL
from pipe.portal.job_body import literal

PAUSE = 3
"""Seconds that the container outlives the command: the portal hides the log of one that ended."""
_SCRIPT = f"""\
trap 'kill -TERM $!' TERM
sh -c "$1" &
p=$!
wait $p
s=$?
while kill -0 $p 2>/dev/null; do wait $p; s=$?; done
echo "[deploy-pipe: exit status $s]"
sleep {PAUSE}
exit $s
"""
"""The first process of a container ignores SIGTERM, so the shell passes it on and waits again."""
_TASK_SCRIPT = """\
sh -c "$1" &
p=$!
trap 'kill -TERM $p' TERM
(sleep {seconds}; kill -TERM $p; sleep 10; kill -KILL $p) 2>/dev/null &
w=$!
wait $p
s=$?
while kill -0 $p 2>/dev/null; do wait $p; s=$?; done
kill $w 2>/dev/null
exit $s
"""
"""The portal cannot stop a task of ECS, so the shell ends the command at its limit."""
_STATUS = re.compile(r"\[deploy-pipe: exit status (\d{1,3})\]$")


def is_shell(command: tuple[str, ...]) -> bool:
    """Return whether a command is one text for the image's shell."""
    return len(command) == len(SHELL) + 1 and command[: len(SHELL)] == SHELL


def container_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the container runs: a text for the shell in a script that reports its end.

    A program and its arguments run as they are, because the image may have no shell.
    """
    whole = (*SHELL, _SCRIPT, "sh", command[-1]) if is_shell(command) else command
    return tuple(map(literal, whole))


def task_command(command: tuple[str, ...], seconds: float) -> tuple[str, ...]:
    """Return what the container of an ECS task runs, which has to end by itself."""
    if not is_shell(command):
        return command
    return (*SHELL, _TASK_SCRIPT.format(seconds=math.ceil(seconds)), "sh", command[-1])


def split_status(line: str) -> tuple[str, int | None]:
    """Return a line of the log without the report of the end, and the exit status in it."""
    found = _STATUS.search(line)
    return (line[: found.start()], int(found[1])) if found else (line, None)
