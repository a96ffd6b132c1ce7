"""Whole runs of the image, started as Bitbucket starts it, against the sandbox portal."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator

import pytest

from pipe.clock import SystemClock
from tests.container.bitbucket import HOST, STEP, Agent
from tests.sandbox import Behaviour, Server, World

pytestmark = [pytest.mark.container, pytest.mark.slow]

OLD, NEW = "team/web:1.4.1", "team/web:1.4.2"
USERS = ["0:0", "12345:12345"]
# What a step may be given at worst: little memory, and nothing writable but the clone folder.
STRICT = ("--read-only", "--memory=512m")


@pytest.fixture
def world() -> World:
    world = World(SystemClock())
    world.rollout_seconds = 1.0
    world.add_tenant("dev01")
    world.add_service("web", OLD, replicas=2)
    return world


@pytest.fixture
def server(world) -> Iterator[Server]:
    """The portal where containers reach it."""
    with Server(world, host="0.0.0.0") as server:
        yield server


def variables(server: Server, **more: str) -> dict[str, str]:
    scheme = server.url.partition(":")[0]
    return {
        "DUPLO_HOST": f"{scheme}://{HOST}:{server.port}",
        "DUPLO_TOKEN": server.world.token,
        "TENANT": "dev01",
        "SERVICE": "web",
        "IMAGE": NEW,
        "STABLE_SECONDS": "1",
        **more,
    }


@pytest.mark.parametrize("user", USERS)
def test_deploys(agent: Agent, server, user):
    run = agent.run(variables(server), [*STRICT, f"--user={user}"])
    assert run.code == 0, run.text
    assert "\u2714" in run.result
    assert server.world.service("web").image == NEW
    record = run.record()
    assert (record["outcome"], record["exit_code"]) == ("done", 0)
    assert f"DEPLOY_IMAGE={NEW}" in run.left_behind("deploy.env").read_text()
    assert run.left_behind("deploy.json").stat().st_uid == int(user.partition(":")[0])


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(("rollback", "code"), [("false", 10), ("true", 8)])
def test_crash(agent: Agent, server, user, rollback, code):
    server.world.behave(NEW, Behaviour("crash", log=["fatal: DATABASE_URL is not set"]))
    run = agent.run(variables(server, ROLLBACK=rollback), [*STRICT, f"--user={user}"])
    assert run.code == code, run.text
    assert "\u2716" in run.result
    assert "fatal: DATABASE_URL is not set" in run.text
    assert server.world.service("web").image == (NEW if code == 10 else OLD)
    assert run.record()["exit_code"] == code


def test_report_goes_where_it_is_asked_for(agent: Agent, server):
    run = agent.run(variables(server, REPORT_DIR="out/report"), STRICT)
    assert run.code == 0, run.text
    assert (agent.clone / "out/report/deploy.json").exists()


def test_secrets_show_nowhere(agent: Agent, server):
    run = agent.run(variables(server, DEBUG="true"), STRICT)
    secrets = [server.world.token, STEP["PIPELINES_JWT_TOKEN"]]
    files = [file for file in agent.clone.rglob("*") if file.is_file()]
    assert run.code == 0, run.text
    assert len(files) >= 2
    for text in [run.text, *(file.read_text() for file in files)]:
        assert not any(secret in text for secret in secrets)


def test_all_problems_at_once(agent: Agent):
    run = agent.run({"DUPLO_HOST": "http://portal.example", "IMAGE": "$IMAGE"}, STRICT)
    assert run.code == 2, run.text
    for name in ("DUPLO_HOST", "DUPLO_TOKEN", "TENANT", "SERVICE", "IMAGE"):
        assert name in run.text


def test_unknown_authority_then_known(agent: Agent, world, tmp_path):
    with Server(world, tls=tmp_path, host="0.0.0.0") as server:
        run = agent.run(variables(server), STRICT)
        assert run.code == 4, run.text
        assert "CA_CERT" in run.text
        (agent.clone / "ca.pem").write_bytes(server.ca_path.read_bytes())
        run = agent.run(variables(server, CA_CERT="ca.pem"), STRICT)
        assert run.code == 0, run.text


def test_no_home_and_no_network_name(agent: Agent, server):
    """As on a shell runner, where a person writes the line: no Bitbucket variables at all."""
    run = agent.bare(variables(server, REPORT_DIR="report"), [*STRICT, "--user=54321"])
    assert run.code == 0, run.text
    assert (agent.clone / "report/deploy.json").exists()


def test_stops_cleanly(agent: Agent, server):
    """`docker stop` sends SIGTERM to the pipe itself: there is no shell in between."""
    server.world.rollout_seconds = 120
    code, text = interrupted(agent, server, "stop", "--time=30")
    assert code == 11, text
    assert "web" in text


def test_killed_and_run_again(agent: Agent, server):
    """Stopping a pipeline kills without warning; the next run picks the rollout up."""
    server.world.rollout_seconds = 4
    code, text = interrupted(agent, server, "kill")
    assert code == 137, text
    run = agent.run(variables(server, BITBUCKET_STEP_RUN_NUMBER="2"), STRICT)
    assert run.code == 0, run.text
    assert len(server.world.writes()) == 1


def interrupted(agent: Agent, server: Server, *how: str) -> tuple[int, str]:
    """Start a deploy, interrupt it once the portal was told, and say how it ended."""
    name = f"pipe-{uuid.uuid4().hex[:8]}"
    line = agent.command(variables(server), [*STRICT, f"--name={name}"])
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(line, **pipes) as process:
        wait_until(server.world.writes)
        agent.docker(*how, name)
        text, _ = process.communicate(timeout=40)
    return process.returncode, text


def wait_until(true, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.1)
