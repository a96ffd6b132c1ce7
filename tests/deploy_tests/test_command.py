"""Commands run as real processes."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from pipe.deploy_tests import CommandResult, StepRunner
from pipe.deploy_tests.lines import Lines
from pipe.deploy_tests.model import describe
from tests.deploy_tests.commands import alive, appear, command

ROOT = Path(__file__).parents[2]


def run(text: str, folder: Path, **given: Any) -> tuple[CommandResult, list[str]]:
    """Run a command and return its result and every line of output."""
    lines: list[str] = []
    result = StepRunner().run(command(text, folder, **given), lines.append)
    return result, lines


@pytest.mark.parametrize(
    ("text", "passed", "words"),
    [
        ("true", True, "passed in"),
        ("exit 3", False, "failed with exit status 3"),
        ("no-such-program", False, "exit status 127 (command not found)"),
        ("kill -9 $$", False, "was killed by signal 9 (SIGKILL)"),
        ("sh -c 'kill -SEGV $$'; exit $?", False, "exit status 139 (killed by signal 11, SIGSEGV)"),
    ],
)
def test_the_result_names_exit_status_and_signal(
    tmp_path: Path, text: str, passed: bool, words: str
) -> None:
    """The usual meaning of an exit status is added."""
    result, _ = run(text, tmp_path)
    assert result.passed is passed
    assert words in describe(result, 30.0)


def test_a_command_runs_in_the_clone_folder(tmp_path: Path) -> None:
    """It finds the repository's scripts."""
    (tmp_path / "smoke.sh").write_text("pwd\n")
    _, lines = run("sh smoke.sh", tmp_path)
    assert lines == [str(tmp_path)]


def test_output_is_streamed(tmp_path: Path) -> None:
    """A line is written before the command continues."""
    seen = tmp_path / "seen"
    text = "echo first; while [ ! -e seen ]; do sleep 0.02; done; echo second"
    lines: list[str] = []

    def write_line(line: str) -> None:
        lines.append(line)
        seen.touch()

    result = StepRunner().run(command(text, tmp_path), write_line)
    assert result.passed
    assert lines == ["first", "second"]


def test_output_and_errors_share_one_stream(tmp_path: Path) -> None:
    """Lines keep the order in which they were written."""
    _, lines = run("echo 1; echo 2 >&2; printf 3", tmp_path)
    assert lines == ["1", "2", "3"]


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    """The result gives the reason instead of a traceback."""
    result, _ = run("true", tmp_path / "gone")
    assert not result.passed
    assert "could not be started in" in describe(result, 30.0)
    assert "no such file or directory" in describe(result, 30.0)


HANG = """
trap '' TERM
sleep 7{marker} &
(trap '' TERM; sleep 8{marker} & wait) &
setsid sh -c 'trap "" TERM; sleep 9{marker} & wait' &
(setsid setsid sleep 6{marker} &) &
python3 -c 'import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "5{marker}"])
    os._exit(0)
time.sleep(600)' &
echo ready
wait
sleep 600
"""


def test_a_command_that_forks_and_hangs_leaves_nothing_behind(tmp_path: Path) -> None:
    """Children, daemons and processes that ignore SIGTERM are killed at the time limit."""
    marker = str(uuid.uuid4().int)[:12]
    result, lines = run(HANG.format(marker=marker), tmp_path, seconds=1.0)
    assert lines[0] == "ready"
    assert result.timed_out
    assert describe(result, 1.0) == "did not finish within 1 s and was stopped"
    assert alive(marker) == []


FORK_CHAIN = """
import os, time
if os.fork():
    os._exit(0)
os.setsid()
log = os.open("forks", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
os.dup2(log, 1)
os.dup2(log, 2)
end = time.monotonic() + 10
while time.monotonic() < end:
    os.write(log, b".")
    if os.fork():
        os._exit(0)
"""


def test_a_chain_of_forks_ends_with_its_command(tmp_path: Path) -> None:
    """Each process forks and ends at once, so that its id is never valid for long."""
    (tmp_path / "chain.py").write_text(FORK_CHAIN)
    python = shlex.quote(sys.executable)
    result, _ = run(f"{python} chain.py; until [ -s forks ]; do sleep 0.05; done", tmp_path)
    assert result.passed
    forks = (tmp_path / "forks").stat().st_size
    time.sleep(0.3)
    assert (tmp_path / "forks").stat().st_size == forks


def test_a_command_may_clean_up_at_its_time_limit(tmp_path: Path) -> None:
    """SIGTERM comes before SIGKILL."""
    text = "trap 'echo stopped at step 7; exit 0' TERM; sleep 600 & wait"
    result, lines = run(text, tmp_path, seconds=0.5)
    assert lines == ["stopped at step 7"]
    assert not result.passed


def test_a_background_process_does_not_delay_the_result(tmp_path: Path) -> None:
    """It keeps the output open, but the command ends with its shell."""
    marker = str(uuid.uuid4().int)[:12]
    result, lines = run(f"sleep 6{marker} & echo done", tmp_path)
    assert result.passed
    assert lines == ["done"]
    assert alive(marker) == []


def test_endless_output_in_the_background_does_not_delay_the_result(tmp_path: Path) -> None:
    """It is not read to its end."""
    result, _ = run("yes & exit 4", tmp_path)
    assert result.status == 4
    assert not result.timed_out


def test_an_interrupt_kills_the_command(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM leave no process behind."""
    marker = str(uuid.uuid4().int)[:12]

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StepRunner().run(command(f"sleep 6{marker} & echo x; wait", tmp_path), interrupt)
    assert alive(marker) == []


def test_an_interrupt_during_the_start_kills_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process exists before Popen has returned its id."""
    marker = str(uuid.uuid4().int)[:12]

    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)
            assert appear(marker)
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    wanted = command(f"setsid sleep 8{marker} & sleep 9{marker}", tmp_path)
    with pytest.raises(KeyboardInterrupt):
        StepRunner().run(wanted, print)
    assert alive(marker) == []
    assert started[0].stdout
    started[0].stdout.close()
    started[0].wait()


def test_a_command_sees_only_the_given_environment(tmp_path: Path) -> None:
    """The pipe's own variables are not passed on."""
    _, lines = run("printenv | grep -v -E '^(PATH|PWD|OLDPWD|SHLVL|_)='; true", tmp_path)
    assert lines == []


MEASURE = """
import json, os, resource, sys
from pathlib import Path
from typing import Any
from pipe.deploy_tests import Command, StepRunner
count, last = 0, ""
def write_line(line):
    global count, last
    count, last = count + 1, line
result = StepRunner().run(
    Command(sys.argv[1], Path("."), dict(os.environ), 60.0, lambda line: line), write_line
)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([result.passed, count, last, list(result.output), peak]))
"""


def measured(text: str) -> tuple[bool, int, str, list[str], int]:
    """Run in a fresh process; return passed, line count, last line, kept lines and peak kB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, text],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    passed, count, last, kept, peak = json.loads(done.stdout)
    return passed, count, last, kept, peak


def talk(count: int) -> str:
    """Return a command that prints `count` lines; not every `seq` has -f, so awk does it."""
    line = '"line " i " of a test with much to say about everything it does"'
    return f"awk 'BEGIN {{ for (i = 1; i <= {count}; i++) print {line} }}'"


def test_two_hundred_thousand_lines_take_no_memory() -> None:
    """All are written; the first and last are kept, with a note of how many were omitted."""
    _, _, _, _, little = measured(talk(2_000))
    passed, count, last, kept, much = measured(talk(200_000))
    assert passed
    assert count == 200_000
    assert last.startswith("line 200000 of")
    assert much - little < 2_000, f"{much - little} kB more for 198,000 lines more"
    assert len(kept) == 501
    assert kept[0].startswith("line 1 of")
    assert kept[200] == "[199,500 lines omitted; the step's log has them all]"
    assert kept[-1] == last


def test_one_endless_line_takes_no_memory() -> None:
    """Fifty megabytes without a line break are cut, with a note of the length."""
    text = "head -c {} /dev/zero | tr '\\0' x; echo; echo end"
    _, _, _, _, little = measured(text.format(200_000))
    _, count, last, kept, much = measured(text.format(50_000_000))
    assert (count, last) == (2, "end")
    assert much - little < 2_000, f"{much - little} kB more for 50 MB"
    assert kept[0].endswith("x [49,999,000 more characters]")


def test_colours_and_overwritten_text_are_removed() -> None:
    """What remains is what a terminal would show."""
    written: list[str] = []
    lines = Lines(written.append, lambda line: line)
    lines.feed(b"\x1b[1;32mgreen\x1b[0m\r\n 10%\r 50%\r100%\n\x1b]0;title\x07x\ty\n\xff\xfe\n")
    lines.close()
    assert written == ["green", "100%", "x   y", "\ufffd\ufffd"]


def test_a_line_in_pieces_is_one_line() -> None:
    """Secrets are masked however the bytes arrive."""
    written: list[str] = []
    lines = Lines(written.append, lambda line: line.replace("secret", "***"))
    for piece in (b"a sec", b"ret\nan", b"other"):
        lines.feed(piece)
    lines.close()
    assert written == ["a ***", "another"]


def test_a_secret_at_the_cut_of_a_long_line_is_hidden() -> None:
    """Secrets are masked before the line is cut."""
    written: list[str] = []
    lines = Lines(written.append, lambda line: line.replace("secret", "***"))
    lines.feed(b"x" * 3997 + b"secret" + b"y" * 100 + b"\n")
    assert "sec" not in written[0]


def test_commands_in_several_threads_do_not_kill_each_other(tmp_path: Path) -> None:
    """Processes that were running before a command are spared."""
    marker = str(uuid.uuid4().int)[:12]
    results: list[CommandResult] = []
    started = threading.Event()

    def slow() -> None:
        text = f"echo go; sleep 1.{marker}; exit 5"
        results.append(StepRunner().run(command(text, tmp_path), lambda _: started.set()))

    thread = threading.Thread(target=slow)
    thread.start()
    started.wait(10)
    run("true", tmp_path)
    thread.join()
    assert results[0].status == 5


def test_signals_are_named() -> None:
    """The name is added to the number."""
    assert describe(CommandResult(1.0, signal=int(signal.SIGKILL)), 1.0).endswith(
        "signal 9 (SIGKILL)"
    )
    assert "unknown" in describe(CommandResult(1.0, signal=200), 1.0)
