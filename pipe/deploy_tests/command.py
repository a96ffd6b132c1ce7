"""A shell command right here, streamed, limited in time and ended with all it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
from collections.abc import Iterator

from pipe.clock import Clock, Deadline
from pipe.deploy_tests import processes
from pipe.deploy_tests.lines import Lines
from pipe.deploy_tests.model import Command, CommandResult, WriteLine

_READ = 64 * 1024
_LOOK = 0.2
"""Seconds between looks whether a silent command has ended."""
_MOST_LEFT_OVER = 1 << 20
"""Bytes a pipe can hold at most; more after the shell's end is of those it left behind."""
_GRACE = 3.0
"""Seconds to say a last word in after SIGTERM."""


def run_here(command: Command, tell: WriteLine, clock: Clock) -> CommandResult:
    """Run the command with `sh -c`; its end is that of the shell, not of what it left behind."""
    started = clock.monotonic()
    lines = Lines(tell, command.mask)
    try:
        with _started(command) as process:
            timed_out = not _listen(process, lines, Deadline.after(clock, command.seconds))
            if timed_out:
                processes.terminate(process.pid)
                _listen(process, lines, Deadline.after(clock, _GRACE))
    except OSError as error:
        trouble = f"cannot be begun in {command.folder}: {(error.strerror or 'it fails').lower()}"
        return CommandResult(clock.monotonic() - started, trouble=trouble)
    lines.close()
    code = process.returncode
    return CommandResult(
        clock.monotonic() - started,
        lines.kept(),
        status=code if code >= 0 else None,
        signal=max(0, -code),
        timed_out=timed_out,
    )


@contextlib.contextmanager
def _started(command: Command) -> Iterator[subprocess.Popen[bytes]]:
    """The command's shell, the first of its own session; nothing of it lives on afterwards."""
    processes.adopt_orphans()
    before = processes.children()
    process = None
    try:
        process = subprocess.Popen(
            ["sh", "-c", command.text],  # noqa: S607 - the shell of wherever this runs
            cwd=command.folder,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        yield process
    finally:
        # An interruption may come before we know the process that was started: it is a new
        # child of ours all the same.
        processes.end_all(None if process is None else process.pid, before)
        if process is not None:
            process.wait()
            if process.stdout:
                process.stdout.close()


def _listen(process: subprocess.Popen[bytes], lines: Lines, deadline: Deadline) -> bool:
    """Take in output until the shell has ended; False when the deadline comes first."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    source = process.stdout.fileno()
    os.set_blocking(source, False)
    open_still, left_over = True, _MOST_LEFT_OVER
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        while not deadline.passed():
            # Asked before reading: what an ended shell has written is then all there.
            ended = process.poll() is not None
            if open_still and not ended:
                selector.select(min(_LOOK, deadline.left()))
            data = _read(source) if open_still else None
            if data:
                lines.feed(data)
            if ended:
                left_over -= len(data or b"")
                if not data or left_over <= 0:
                    return True
            elif data is None:
                open_still = False
                _wait(process, min(_LOOK, deadline.left()))
    return False


def _read(source: int) -> bytes | None:
    """What is there to read: empty when nothing is yet, None when nothing will be."""
    try:
        return os.read(source, _READ) or None
    except BlockingIOError:
        return b""


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
