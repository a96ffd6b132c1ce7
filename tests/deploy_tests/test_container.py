"""Commands run in an image by a real Docker engine."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipe import image
from pipe.clock import SystemClock
from pipe.deploy_tests import CommandResult, StepRunner, container_limits
from pipe.deploy_tests.model import describe
from pipe.errors import ConfigError
from tests.deploy_tests.commands import command
from tests.support.docker import BASE_IMAGE, ROOT, require_base_image

pytestmark = [
    pytest.mark.container,
    # The Docker client leaves sockets of aborted streams to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DEBIAN = image.parse(BASE_IMAGE)


@pytest.fixture(autouse=True, scope="module")
def _engine() -> None:
    require_base_image()


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Collect what the Docker client leaves behind in the test that caused it."""
    yield
    gc.collect()


def run(text: str, folder: Path, **given: Any) -> tuple[CommandResult, list[str]]:
    """Run a command in Debian and return its result and every line of output."""
    lines: list[str] = []
    environment = {"PATH": os.environ["PATH"], **given.pop("environment", {})}
    # A busy engine may take long to start a container.
    defaults = {"image": DEBIAN, "setting": "PRE_DEPLOY_TEST_IMAGE", "seconds": 120.0}
    given = defaults | given
    wanted = command(text, folder, environment=environment, **given)
    return StepRunner().run(wanted, lines.append), lines


def containers(folder: Path) -> list[str]:
    """Return the containers that mount the folder, running or not."""
    listed = ["docker", "ps", "-aq", "--filter", f"volume={folder}"]
    return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()


def test_the_clone_folder_is_mounted_at_its_own_path(tmp_path: Path) -> None:
    """It is writable and the working directory; the container is removed afterwards."""
    (tmp_path / "given").write_text("hello\n")
    result, lines = run("pwd; cat given; echo made > made", tmp_path)
    assert result.passed, describe(result, 30)
    assert lines == [str(tmp_path), "hello"]
    assert (tmp_path / "made").read_text() == "made\n"
    assert containers(tmp_path) == []


def test_variables_of_the_machine_are_not_passed_on(tmp_path: Path) -> None:
    """PATH is the image's; other variables are those of the test."""
    environment = {"PATH": "/nowhere", "DEPLOY_TENANT": "dev01", "PYTHONPATH": "/pipe"}
    result, lines = run("grep ^ID= /etc/os-release; printenv", tmp_path, environment=environment)
    assert result.passed
    assert lines[0] == "ID=debian"
    assert "DEPLOY_TENANT=dev01" in lines
    assert not [line for line in lines if "nowhere" in line or "PYTHONPATH" in line]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo no; exit 3", "failed with exit status 3"),
        ("no-such-program", "exit status 127 (command not found)"),
        ("kill -9 $$; sleep 1; exit 137", "exit status 137 (killed by signal 9, SIGKILL)"),
    ],
)
def test_the_exit_status_in_a_container_is_reported(tmp_path: Path, text: str, words: str) -> None:
    """The meaning is added as for a local command."""
    result, _ = run(text, tmp_path)
    assert not result.passed
    assert words in describe(result, 30)


def test_output_of_a_container_is_streamed(tmp_path: Path) -> None:
    """A line is written before the command continues."""
    lines: list[str] = []

    def write_line(line: str) -> None:
        lines.append(line)
        (tmp_path / "seen").touch()

    text = "echo first; while [ ! -e seen ]; do sleep 0.05; done; echo second >&2"
    wanted = command(text, tmp_path, image=DEBIAN, seconds=120.0)
    assert StepRunner().run(wanted, write_line).passed
    assert lines == ["first", "second"]


def test_a_hanging_container_is_stopped_and_removed(tmp_path: Path) -> None:
    """It ends at its time limit with all its processes."""
    result, lines = run(
        "trap '' TERM; echo started; sleep 600 & wait; sleep 600", tmp_path, seconds=3
    )
    assert lines == ["started"]
    assert result.timed_out
    assert containers(tmp_path) == []


def test_an_interrupt_removes_the_container(tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM leave no container behind."""

    class Stopped(SystemClock):
        """A clock that raises KeyboardInterrupt when the wait starts."""

        calls = 0

        def monotonic(self) -> float:
            self.calls += 1
            if self.calls == 3:
                assert len(containers(tmp_path)) == 1
                raise KeyboardInterrupt
            return super().monotonic()

    wanted = command("sleep 600", tmp_path, image=DEBIAN)
    with pytest.raises(KeyboardInterrupt):
        StepRunner(Stopped()).run(wanted, lambda _: None)
    assert containers(tmp_path) == []


def test_long_output_is_complete(tmp_path: Path) -> None:
    """All of fifty thousand lines are written."""
    result, lines = run("seq 50000", tmp_path)
    assert result.passed
    assert lines == [str(number) for number in range(1, 50_001)]
    assert len(result.output) == 501


def test_an_image_without_a_shell_is_reported(tmp_path: Path) -> None:
    """The message is plainer than that of the container runtime."""
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
        result, _ = run("true", tmp_path, image=image.parse(name))
    finally:
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)
    assert "the image has no shell (sh)" in describe(result, 30)
    assert containers(tmp_path) == []


def test_a_missing_image_is_a_problem_of_the_variable(tmp_path: Path) -> None:
    """It is found before anything changes, with the remedy."""
    gone = image.parse("localhost:1/team/gone:1")
    wanted = command("true", tmp_path, image=gone, setting="POST_DEPLOY_TEST_IMAGE")
    with pytest.raises(ConfigError) as raised:
        StepRunner().check_ready(wanted)
    (problem,) = raised.value.problems
    assert problem.variable == "POST_DEPLOY_TEST_IMAGE"
    assert "cannot pull" in problem.what
    assert "earlier in the step's script" in problem.fix


def test_a_local_copy_of_the_image_is_used(tmp_path: Path, logged: list[str]) -> None:
    """If its registry cannot be reached, a warning is logged."""
    name = f"localhost:1/team/here:{uuid.uuid4().hex[:8]}"
    subprocess.run(["docker", "tag", str(DEBIAN), name], check=True)
    try:
        StepRunner().check_ready(command("true", tmp_path, image=image.parse(name)))
    finally:
        subprocess.run(["docker", "rmi", name], capture_output=True, check=False)
    assert "Using the local copy" in "\n".join(logged)


KILLED = """
import os, sys
from pathlib import Path
from pipe import image
from pipe.deploy_tests import Command, StepRunner
folder = Path(sys.argv[1])
wanted = Command("echo started > started; sleep 600 & sleep 600", folder, dict(os.environ), 300.0,
    lambda line: line, image=image.parse(sys.argv[2]))
StepRunner().run(wanted, print)
"""


def test_a_container_ends_when_the_pipe_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves the pipe no time; the container notices that the connection is gone."""
    arguments = [sys.executable, "-c", KILLED, str(tmp_path), str(DEBIAN)]
    with subprocess.Popen(arguments, cwd=ROOT) as process:
        wait_until((tmp_path / "started").exists)
        process.kill()
    (container,) = containers(tmp_path)
    try:
        wait_until(lambda: not running(tmp_path))
    finally:
        subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=False)


def test_a_container_is_limited(tmp_path: Path) -> None:
    """It cannot take all of the step's memory or process ids."""
    limits: list[Any] = []

    def write_line(_: str) -> None:
        inspect = ["docker", "inspect", *containers(tmp_path)]
        shown = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout
        limits.append(json.loads(shown)[0]["HostConfig"])

    wanted = command("echo x; sleep 1", tmp_path, image=DEBIAN, seconds=120.0)
    assert StepRunner().run(wanted, write_line).passed
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert limits[0]["PidsLimit"] == container_limits.MOST_PROCESSES
    assert 0 < limits[0]["Memory"] == limits[0]["MemorySwap"] < whole


def test_variables_of_the_docker_service_are_not_passed_on(tmp_path: Path) -> None:
    """The service shows the environment of the pipe's own container."""
    variables = {"DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": "/certs", "DOCKER_CONTEXT": "x"}
    result, lines = run("printenv", tmp_path, environment=variables)
    assert result.passed
    assert not [line for line in lines if line.startswith("DOCKER_")]


def running(folder: Path) -> list[str]:
    """Return the running containers that mount the folder."""
    listed = ["docker", "ps", "-q", "--filter", f"volume={folder}"]
    return subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"nothing happened within {seconds:g} s"
        time.sleep(0.1)
