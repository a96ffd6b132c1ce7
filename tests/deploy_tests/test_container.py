"""Commands inside an image, through a real Docker engine."""

from __future__ import annotations

import gc
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipe import image
from pipe.clock import SystemClock
from pipe.deploy_tests import CommandResult, StepRunner
from pipe.deploy_tests.model import describe
from pipe.errors import ConfigError
from tests.deploy_tests.commands import command
from tests.support.docker import BASE_IMAGE, require_base_image

pytestmark = [
    pytest.mark.container,
    # The Docker client leaves sockets of broken-off streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DEBIAN = image.parse(BASE_IMAGE)


@pytest.fixture(autouse=True, scope="module")
def _engine() -> None:
    require_base_image()


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What the Docker client leaves behind is cleared away in the test that it comes from."""
    yield
    gc.collect()


def run(text: str, folder: Path, **given) -> tuple[CommandResult, list[str]]:
    """Run in Debian; how it ended, and every line that was told."""
    told: list[str] = []
    environment = {"PATH": os.environ["PATH"], **given.pop("environment", {})}
    # A busy engine may take long to start a container.
    defaults = {"image": DEBIAN, "setting": "PRE_DEPLOY_TEST_IMAGE", "seconds": 120.0}
    given = defaults | given
    wanted = command(text, folder, environment=environment, **given)
    return StepRunner().run(wanted, told.append), told


def containers(folder: Path) -> list[str]:
    """Containers that have the folder mounted, running or not."""
    listed = ["docker", "ps", "-aq", "--filter", f"volume={folder}"]
    return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()


def test_the_clone_folder_is_there_at_its_own_path(tmp_path: Path) -> None:
    """Mounted, writable, and the working folder; the container is gone afterwards."""
    (tmp_path / "given").write_text("hello\n")
    ending, told = run("pwd; cat given; echo made > made", tmp_path)
    assert ending.passed, describe(ending, 30)
    assert told == [str(tmp_path), "hello"]
    assert (tmp_path / "made").read_text() == "made\n"
    assert containers(tmp_path) == []


def test_the_program_is_the_images_own(tmp_path: Path) -> None:
    """Its PATH is not the pipe's, its other variables are those of the test."""
    environment = {"PATH": "/nowhere", "DEPLOY_TENANT": "dev01", "PYTHONPATH": "/pipe"}
    ending, told = run("grep ^ID= /etc/os-release; printenv", tmp_path, environment=environment)
    assert ending.passed
    assert told[0] == "ID=debian"
    assert "DEPLOY_TENANT=dev01" in told
    assert not [line for line in told if "nowhere" in line or "PYTHONPATH" in line]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo no; exit 3", "failed with exit status 3"),
        ("no-such-program", "exit status 127 (a command was not found)"),
        ("kill -9 $$; sleep 1; exit 137", "exit status 137 (as after signal 9, SIGKILL)"),
    ],
)
def test_the_end_inside_a_container_is_told(tmp_path: Path, text: str, words: str) -> None:
    """As for a command outside of one."""
    ending, _ = run(text, tmp_path)
    assert not ending.passed
    assert words in describe(ending, 30)


def test_output_is_told_while_the_container_runs(tmp_path: Path) -> None:
    """A line is seen before the command goes on."""
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        (tmp_path / "seen").touch()

    text = "echo first; while [ ! -e seen ]; do sleep 0.05; done; echo second >&2"
    wanted = command(text, tmp_path, image=DEBIAN, seconds=120.0)
    assert StepRunner().run(wanted, tell).passed
    assert told == ["first", "second"]


def test_a_container_that_hangs_is_ended_and_removed(tmp_path: Path) -> None:
    """With all it started, at its limit."""
    ending, told = run("trap '' TERM; echo begun; sleep 600 & wait; sleep 600", tmp_path, seconds=1)
    assert told == ["begun"]
    assert ending.timed_out
    assert containers(tmp_path) == []


def test_an_interrupt_removes_the_container(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM leave nothing on the Docker service."""

    class Stopped(SystemClock):
        """A clock on which somebody presses Ctrl-C when the waiting begins."""

        asked = 0

        def monotonic(self) -> float:
            self.asked += 1
            if self.asked == 3:
                assert len(containers(tmp_path)) == 1
                raise KeyboardInterrupt
            return super().monotonic()

    wanted = command("sleep 600", tmp_path, image=DEBIAN)
    with pytest.raises(KeyboardInterrupt):
        StepRunner(Stopped()).run(wanted, lambda _: None)
    assert containers(tmp_path) == []


def test_all_of_a_long_output_arrives(tmp_path: Path) -> None:
    """Fifty thousand lines, each of them told."""
    ending, told = run("seq 50000", tmp_path)
    assert ending.passed
    assert told == [str(number) for number in range(1, 50_001)]
    assert len(ending.output) == 501


def test_an_image_without_a_shell_is_told(tmp_path: Path) -> None:
    """Not as a riddle of the container runtime."""
    name = f"pipe-test-no-shell:{uuid.uuid4().hex[:8]}"
    made = subprocess.run(
        ["docker", "build", "-q", "-t", name, "-"],
        input="FROM scratch\nLABEL empty=yes\n",
        text=True,
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    try:
        ending, _ = run("true", tmp_path, image=image.parse(name))
    finally:
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)
    assert "the image has no shell (sh)" in describe(ending, 30)
    assert containers(tmp_path) == []


def test_an_image_that_is_not_there_is_a_problem_of_the_variable(tmp_path: Path) -> None:
    """Found out before anything changes, with what to do."""
    gone = image.parse("localhost:1/team/gone:1")
    wanted = command("true", tmp_path, image=gone, setting="POST_DEPLOY_TEST_IMAGE")
    with pytest.raises(ConfigError) as raised:
        StepRunner().ready(wanted)
    (problem,) = raised.value.problems
    assert problem.variable == "POST_DEPLOY_TEST_IMAGE"
    assert "cannot fetch" in problem.what
    assert "earlier in the step's script" in problem.fix


def test_an_image_that_the_service_has_will_do(tmp_path: Path, logged: list[str]) -> None:
    """Where its registry cannot be asked, it is used with a warning."""
    name = f"localhost:1/team/here:{uuid.uuid4().hex[:8]}"
    subprocess.run(["docker", "tag", str(DEBIAN), name], check=True)
    try:
        StepRunner().ready(command("true", tmp_path, image=image.parse(name)))
    finally:
        subprocess.run(["docker", "rmi", name], capture_output=True, check=False)
    assert "Using the one that is here" in "\n".join(logged)
