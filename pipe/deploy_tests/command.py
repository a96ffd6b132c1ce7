"""Run a shell command locally, with streamed output and a time limit."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Iterator

from pipe.clock import Clock, Deadline
from pipe.deploy_tests import isolation, processes
from pipe.deploy_tests.environment import without_engine
from pipe.deploy_tests.lines import Lines
from pipe.deploy_tests.model import Command, CommandResult, WriteLine

_READ = 64 * 1024
_POLL_SECONDS = 0.2
"""Between checks whether a silent command has ended."""
_LARGEST_PIPE = 1 << 20
"""Bytes; more output after the shell's end comes from processes it left behind."""
_GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL."""
_CLEANUP = 5.0
"""Seconds to kill processes that keep forking."""


def run_locally(command: Command, write_line: WriteLine, clock: Clock) -> CommandResult:
    """Run the command with `sh -c` until the shell ends, then kill what it left running."""
    started = clock.monotonic()
    lines = Lines(write_line, command.mask)
    try:
        with _started(command, clock) as process:
            timed_out = not _read_output(process, lines, Deadline.after(clock, command.seconds))
            if timed_out:
                processes.signal_group(process.pid, signal.SIGTERM)
                _read_output(process, lines, Deadline.after(clock, _GRACE))
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        reason = f"could not be started in {command.folder}: {cause}"
        return CommandResult(clock.monotonic() - started, error=reason)
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
def _started(command: Command, clock: Clock) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command's shell in a session of its own; kill all its processes afterwards."""
    isolation.load_everything()
    processes.adopt_orphans()
    before = processes.children()
    process = None
    try:
        process = isolation.without_privileges(lambda: _start(command))
        yield process
    finally:
        if process is not None:
            processes.signal_group(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()
        # If an interrupt came before Popen returned, the shell itself is among the children.
        processes.kill_children(before, Deadline.after(clock, _CLEANUP))


def _start(command: Command) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sh", "-c", command.text],  # noqa: S607 - whichever shell the system has
        cwd=command.folder,
        env=without_engine(command.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,
    )


def _read_output(process: subprocess.Popen[bytes], lines: Lines, deadline: Deadline) -> bool:
    """Read output until the shell has ended; return False if the deadline passes first."""
    assert process.stdout is not None  # noqa: S101 - started with stdout=PIPE
    source = process.stdout.fileno()
    os.set_blocking(source, False)
    is_open, left_over = True, _LARGEST_PIPE
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        while not deadline.passed():
            # Polled before reading, so that all output of an ended shell is read.
            ended = process.poll() is not None
            if is_open and not ended:
                selector.select(min(_POLL_SECONDS, deadline.left()))
            data = _read(source) if is_open else None
            if data:
                lines.feed(data)
            if ended:
                left_over -= len(data or b"")
                if not data or left_over <= 0:
                    return True
            elif data is None:
                is_open = False
                _wait(process, min(_POLL_SECONDS, deadline.left()))
    return False


def _read(source: int) -> bytes | None:
    """Return the available output, empty if there is none yet, None at its end."""
    try:
        return os.read(source, _READ) or None
    except BlockingIOError:
        return b""


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
