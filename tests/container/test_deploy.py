"""Complete runs of the image, started as Bitbucket starts it, against the sandbox portal."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.container.bitbucket import STEP, STRICT, USERS, Agent, variables
from tests.sandbox import Behaviour, Server, World
from tests.support.environment import NEW_IMAGE, OLD_IMAGE

pytestmark = [pytest.mark.container, pytest.mark.slow]


@pytest.mark.parametrize("user", USERS)
def test_a_deploy(agent: Agent, server: Server, user: str) -> None:
    """Root and any other user deploy, and own the files they write."""
    run = agent.run(variables(server, STABLE_SECONDS="1"), [*STRICT, f"--user={user}"])
    assert run.code == 0, run.text
    assert "\u2714" in run.result
    assert server.world.service("web").image == NEW_IMAGE
    record = run.record()
    assert (record["outcome"], record["exit_code"]) == ("done", 0)
    assert f"DEPLOY_IMAGE={NEW_IMAGE}" in run.left_behind("deploy.env").read_text()
    assert run.left_behind("deploy.json").stat().st_uid == int(user.partition(":")[0])


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(("rollback", "code"), [("false", 10), ("true", 8)])
def test_a_crashing_version(
    agent: Agent, server: Server, user: str, rollback: str, code: int
) -> None:
    """The pods' log lines are shown, and ROLLBACK decides what is left."""
    server.world.behave(
        NEW_IMAGE, Behaviour("crash", log=["fatal: DATABASE_URL is not set"], backoff=1.0)
    )
    given = variables(server, ROLLBACK=rollback, STABLE_SECONDS="1")
    run = agent.run(given, [*STRICT, f"--user={user}"])
    assert run.code == code, run.text
    assert "\u2716" in run.result
    assert "fatal: DATABASE_URL is not set" in run.text
    assert server.world.service("web").image == (NEW_IMAGE if code == 10 else OLD_IMAGE)
    assert run.record()["exit_code"] == code


def test_report_dir_is_inside_the_clone_folder(agent: Agent, server: Server) -> None:
    """A relative REPORT_DIR starts at the clone folder."""
    run = agent.run(variables(server, REPORT_DIR="out/report"), STRICT)
    assert run.code == 0, run.text
    assert (agent.clone / "out/report/deploy.json").exists()


def test_secrets_appear_in_no_output(agent: Agent, server: Server) -> None:
    """Neither the log with DEBUG nor any file contains a token."""
    run = agent.run(variables(server, DEBUG="true"), STRICT)
    secrets = [server.world.token, STEP["PIPELINES_JWT_TOKEN"]]
    files = [file for file in agent.clone.rglob("*") if file.is_file()]
    assert run.code == 0, run.text
    assert len(files) >= 2
    for text in [run.text, *(file.read_text() for file in files)]:
        assert not any(secret in text for secret in secrets)


def test_all_invalid_variables_are_reported_at_once(agent: Agent) -> None:
    """Exit 2 lists every variable that is missing or malformed."""
    run = agent.run({"DUPLO_HOST": "http://portal.example", "IMAGE": "$IMAGE"}, STRICT)
    assert run.code == 2, run.text
    for name in ("DUPLO_HOST", "DUPLO_TOKEN", "TENANT", "SERVICE", "IMAGE"):
        assert name in run.text


def test_a_private_authority(agent: Agent, world: World, tmp_path: Path) -> None:
    """Exit 4 names CA_CERT, and CA_CERT as a file of the clone makes it work."""
    with Server(world, tls=tmp_path, host="0.0.0.0") as server:
        run = agent.run(variables(server), STRICT)
        assert run.code == 4, run.text
        assert "CA_CERT" in run.text
        assert server.ca_path
        (agent.clone / "ca.pem").write_bytes(server.ca_path.read_bytes())
        run = agent.run(variables(server, CA_CERT="ca.pem"), STRICT)
        assert run.code == 0, run.text


def test_without_bitbucket_variables(agent: Agent, server: Server) -> None:
    """A hand-written `docker run`, as on a shell runner, needs no home and no known user."""
    run = agent.bare(variables(server, REPORT_DIR="report"), [*STRICT, "--user=54321"])
    assert run.code == 0, run.text
    assert (agent.clone / "report/deploy.json").exists()


def test_docker_stop_ends_the_run(agent: Agent, server: Server) -> None:
    """SIGTERM reaches the pipe itself, without a shell in between."""
    server.world.rollout_seconds = 120
    code, text = interrupted(agent, server, "stop", "--time=30")
    assert code == 11, text
    assert "web" in text


def test_a_killed_run_is_resumed(agent: Agent, server: Server) -> None:
    """Stopping a pipeline kills without warning; the next run follows the same change."""
    server.world.rollout_seconds = 2
    code, text = interrupted(agent, server, "kill")
    assert code == 137, text
    run = agent.run(variables(server, BITBUCKET_STEP_RUN_NUMBER="2"), STRICT)
    assert run.code == 0, run.text
    assert len(server.world.writes()) == 1


def interrupted(agent: Agent, server: Server, *how: str) -> tuple[int, str]:
    """Start a deploy and interrupt it after its change; return exit code and output."""
    name = f"pipe-{uuid.uuid4().hex[:8]}"
    line = agent.command(variables(server), [*STRICT, f"--name={name}"])
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        wait_until(server.world.writes)
        agent.docker(*how, name)
        text, _ = process.communicate(timeout=40)
    return process.returncode, text


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"nothing happened within {seconds:g} s"
        time.sleep(0.1)
