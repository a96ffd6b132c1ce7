"""The script around a text for the shell, with the machine's own shell."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from pipe.jobs.model import SHELL
from pipe.jobs.shell import container_command, split_status, task_command


def program(text: str) -> list[str]:
    """What the container runs, after Kubernetes has replaced `$$` by `$`."""
    return [part.replace("$$", "$") for part in container_command((*SHELL, text))]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which nothing sleeps for long."""
    sleep = tmp_path / "sleep"
    sleep.write_text("#!/bin/sh\nexec /bin/sleep 0.02\n")
    sleep.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("text", "status", "lines"),
    [
        ("true", 0, []),
        ("echo one; exit 3; echo two", 3, ["one"]),
        ("echo 'a  b' \"$HOME\" $((1 + 1)); false", 1, ["a  b  2"]),
        ("printf half", 0, ["half"]),
        ("kill -9 $$", 137, []),
        ("no-such-program", 127, None),
        ("if", 2, None),
        ("set -e\nfalse\necho never", 1, []),
    ],
)
def test_the_script_ends_as_its_command_does_and_reports_it(
    text: str, status: int, lines: list[str] | None, environ: dict[str, str]
) -> None:
    ended = subprocess.run(
        program(text), env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    *before, last = [split_status(line) for line in ended.stdout.decode().splitlines()]
    assert (ended.returncode, last[1]) == (status, status)
    found = [line for line, _ in before] + ([last[0]] if last[0] else [])
    assert lines is None or found == lines


def test_a_signal_reaches_the_command(environ: dict[str, str]) -> None:
    """The first process of a container ignores signals that it has no handler for."""
    text = "trap 'echo stopping; exit 7' TERM; echo ready; while :; do sleep 1; done"
    with subprocess.Popen(program(text), env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
    assert rest.decode().splitlines() == ["stopping", "[deploy-pipe: exit status 7]"]
    assert process.returncode == 7


@pytest.mark.parametrize(("text", "status"), [("exit 3", 3), ("true", 0), ("kill -9 $$", 137)])
def test_a_task_ends_as_its_command_does(text: str, status: int) -> None:
    ended = subprocess.run(task_command((*SHELL, text), 5.0), check=False, timeout=20)
    assert ended.returncode == status


def test_a_task_ends_at_its_limit(environ: dict[str, str]) -> None:
    words = task_command((*SHELL, "while :; do :; done"), 1.0)
    assert subprocess.run(words, env=environ, check=False, timeout=20).returncode == 143


def test_a_program_without_a_shell_is_left_alone() -> None:
    assert task_command(("/app", "$(A) $$"), 1.0) == ("/app", "$(A) $$")
    assert container_command(("/app", "$(A) $$")) == ("/app", "$$(A) $$$$")
