"""Shell commands, run for real."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from pipe.deploy_tests import CommandResult, StepRunner
from pipe.deploy_tests.lines import Lines
from pipe.deploy_tests.model import describe
from tests.deploy_tests.commands import alive, appear, command

ROOT = Path(__file__).parents[2]


def run(text: str, folder: Path, **given) -> tuple[CommandResult, list[str]]:
    """Run for real; how it ended, and every line that was told."""
    told: list[str] = []
    ending = StepRunner().run(command(text, folder, **given), told.append)
    return ending, told


@pytest.mark.parametrize(
    ("text", "passed", "words"),
    [
        ("true", True, "passed in"),
        ("exit 3", False, "failed with exit status 3"),
        ("no-such-program", False, "exit status 127 (a command was not found)"),
        ("kill -9 $$", False, "was ended by signal 9 (SIGKILL)"),
        ("sh -c 'kill -SEGV $$'; exit $?", False, "exit status 139 (as after signal 11, SIGSEGV)"),
    ],
)
def test_the_end_of_a_command_is_told(tmp_path: Path, text: str, passed: bool, words: str) -> None:
    """Exit status and signal, with what they usually mean."""
    ending, _ = run(text, tmp_path)
    assert ending.passed is passed
    assert words in describe(ending, 30.0)


def test_a_command_runs_in_the_clone_folder(tmp_path: Path) -> None:
    """So that it finds the repository's own scripts."""
    (tmp_path / "smoke.sh").write_text("pwd\n")
    _, told = run("sh smoke.sh", tmp_path)
    assert told == [str(tmp_path)]


def test_output_is_told_while_the_command_runs(tmp_path: Path) -> None:
    """A line is seen before the command goes on."""
    seen = tmp_path / "seen"
    text = "echo first; while [ ! -e seen ]; do sleep 0.02; done; echo second"
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        seen.touch()

    ending = StepRunner().run(command(text, tmp_path), tell)
    assert ending.passed
    assert lines == ["first", "second"]


def test_errors_and_output_come_in_one_stream(tmp_path: Path) -> None:
    """In the order in which they were written."""
    _, told = run("echo 1; echo 2 >&2; printf 3", tmp_path)
    assert told == ["1", "2", "3"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """No traceback: a sentence."""
    ending, _ = run("true", tmp_path / "gone")
    assert not ending.passed
    assert "cannot be begun in" in describe(ending, 30.0)
    assert "no such file or directory" in describe(ending, 30.0)


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
    """Ended at its limit with children, daemons and all that ignores SIGTERM."""
    marker = str(uuid.uuid4().int)[:12]
    ending, told = run(HANG.format(marker=marker), tmp_path, seconds=1.0)
    assert told[0] == "ready"
    assert ending.timed_out
    assert describe(ending, 1.0) == "did not end within 1 s and was stopped"
    assert alive(marker) == []


def test_a_command_has_a_last_word_at_its_limit(tmp_path: Path) -> None:
    """SIGTERM comes first, so that a test can say where it stood."""
    text = "trap 'echo stopped at step 7; exit 0' TERM; sleep 600 & wait"
    ending, told = run(text, tmp_path, seconds=0.5)
    assert told == ["stopped at step 7"]
    assert not ending.passed


def test_what_a_command_leaves_running_does_not_hold_it_up(tmp_path: Path) -> None:
    """A server in the background keeps the output open; the shell's end counts all the same."""
    marker = str(uuid.uuid4().int)[:12]
    ending, told = run(f"sleep 6{marker} & echo done", tmp_path)
    assert ending.passed
    assert told == ["done"]
    assert alive(marker) == []


def test_a_noisy_process_left_behind_does_not_hold_it_up_either(tmp_path: Path) -> None:
    """Endless output of what the shell left behind is not waited out."""
    ending, _ = run("yes & exit 4", tmp_path)
    assert ending.status == 4
    assert not ending.timed_out


def test_an_interrupt_ends_the_command_too(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM leave no process behind."""
    marker = str(uuid.uuid4().int)[:12]

    def tell(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StepRunner().run(command(f"sleep 6{marker} & echo x; wait", tmp_path), tell)
    assert alive(marker) == []


def test_an_interrupt_while_the_shell_is_being_started_ends_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is there already, and nobody has been told its number yet."""
    marker = str(uuid.uuid4().int)[:12]

    begun: list[subprocess.Popen] = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *args, **options) -> None:
            super().__init__(*args, **options)
            begun.append(self)
            assert appear(marker)
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    asked = command(f"setsid sleep 8{marker} & sleep 9{marker}", tmp_path)
    with pytest.raises(KeyboardInterrupt):
        StepRunner().run(asked, print)
    assert alive(marker) == []
    begun[0].stdout.close()
    begun[0].wait()


def test_the_environment_is_the_one_given(tmp_path: Path) -> None:
    """Nothing of the pipe's own leaks through."""
    _, told = run("printenv | grep -v -E '^(PATH|PWD|OLDPWD|SHLVL|_)='; true", tmp_path)
    assert told == []


MEASURE = """
import json, os, resource, sys
from pathlib import Path
from pipe.deploy_tests import Command, StepRunner
count, last = 0, ""
def tell(line):
    global count, last
    count, last = count + 1, line
ending = StepRunner().run(
    Command(sys.argv[1], Path("."), dict(os.environ), 60.0, lambda line: line), tell
)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([ending.passed, count, last, list(ending.output), peak]))
"""


def measured(text: str) -> tuple[bool, int, str, list[str], int]:
    """Run in a fresh process: passed, lines told, the last one, lines kept, peak of kilobytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, text],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(json.loads(done.stdout))


def talk(count: int) -> str:
    """A command that says so many lines; awk, because not every `seq` knows -f."""
    line = '"line " i " of a test with much to say about everything it does"'
    return f"awk 'BEGIN {{ for (i = 1; i <= {count}; i++) print {line} }}'"


def test_two_hundred_thousand_lines_take_no_memory() -> None:
    """All are told; the record keeps the first and the last and says what it left out."""
    _, _, _, _, little = measured(talk(2_000))
    passed, count, last, kept, much = measured(talk(200_000))
    assert passed
    assert count == 200_000
    assert last.startswith("line 200000 of")
    assert much - little < 2_000, f"{much - little} kB more for 198,000 lines more"
    assert len(kept) == 501
    assert kept[0].startswith("line 1 of")
    assert kept[200] == "[199,500 lines are left out here; the step's log has them all]"
    assert kept[-1] == last


def test_one_endless_line_takes_no_memory() -> None:
    """Fifty megabytes without a line break are cut, with a note."""
    text = "head -c {} /dev/zero | tr '\\0' x; echo; echo end"
    _, _, _, _, little = measured(text.format(200_000))
    _, count, last, kept, much = measured(text.format(50_000_000))
    assert (count, last) == (2, "end")
    assert much - little < 2_000, f"{much - little} kB more for 50 MB"
    assert kept[0].endswith("x [49,999,000 more characters]")


def test_colours_and_overwriting_are_taken_out() -> None:
    """What remains is what a terminal would show at the end."""
    told: list[str] = []
    lines = Lines(told.append, lambda line: line)
    lines.feed(b"\x1b[1;32mgreen\x1b[0m\r\n 10%\r 50%\r100%\n\x1b]0;title\x07x\ty\n\xff\xfe\n")
    lines.close()
    assert told == ["green", "100%", "x   y", "\ufffd\ufffd"]


def test_a_line_in_pieces_is_one_line() -> None:
    """However the bytes arrive, secrets in them are found."""
    told: list[str] = []
    lines = Lines(told.append, lambda line: line.replace("secret", "***"))
    for piece in (b"a sec", b"ret\nan", b"other"):
        lines.feed(piece)
    lines.close()
    assert told == ["a ***", "another"]


def test_a_secret_at_the_cut_of_a_long_line_is_hidden() -> None:
    """Secrets are replaced before the line is shortened."""
    told: list[str] = []
    lines = Lines(told.append, lambda line: line.replace("secret", "***"))
    lines.feed(b"x" * 3997 + b"secret" + b"y" * 100 + b"\n")
    assert "sec" not in told[0]


def test_commands_in_threads_of_their_own_do_not_end_each_other(tmp_path: Path) -> None:
    """Whatever else the process started is left alone."""
    marker = str(uuid.uuid4().int)[:12]
    endings: list[CommandResult] = []
    begun = threading.Event()

    def slow() -> None:
        text = f"echo go; sleep 1.{marker}; exit 5"
        endings.append(StepRunner().run(command(text, tmp_path), lambda _: begun.set()))

    thread = threading.Thread(target=slow)
    thread.start()
    begun.wait(10)
    run("true", tmp_path)
    thread.join()
    assert endings[0].status == 5


def test_signals_are_named() -> None:
    """A number alone helps nobody at night."""
    assert describe(CommandResult(1.0, signal=int(signal.SIGKILL)), 1.0).endswith(
        "signal 9 (SIGKILL)"
    )
    assert "unknown" in describe(CommandResult(1.0, signal=200), 1.0)
