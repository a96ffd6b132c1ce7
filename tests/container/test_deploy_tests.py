"""Deploy tests, run by the image itself."""

from __future__ import annotations

import pytest

from tests.container.bitbucket import HOST, STRICT, USERS, Agent, docker_run, variables
from tests.sandbox import Server
from tests.support.docker import BASE_IMAGE, require_base_image

pytestmark = [pytest.mark.container, pytest.mark.slow]

SOCKET = "/var/run/docker.sock"


@pytest.mark.parametrize("user", USERS)
def test_commands_run_in_the_image(agent: Agent, server: Server, user: str) -> None:
    """Any user runs them with the image's shell, and every file is where it belongs."""
    run = agent.run(
        variables(
            server,
            PRE_DEPLOY_TEST="printenv; sleep 600 & echo begun",
            POST_DEPLOY_TEST="echo hello > made; cat made; exit 4",
            ROLLBACK="true",
        ),
        [*STRICT, f"--user={user}"],
    )
    assert run.code == 8, run.text
    assert "PRE_DEPLOY_TEST | DEPLOY_IMAGE=team/web:1.4.2" in run.text
    assert "PIPELINES_JWT_TOKEN" not in run.text
    assert " DOCKER_HOST=" not in run.text, "the service shows the environment of the pipe"
    assert "POST_DEPLOY_TEST | hello" in run.text
    assert "failed with exit status 4" in run.result
    assert run.left_behind("deploy.html").read_text().startswith("<!doctype html>")
    assert (agent.clone / "test-results" / "deploy-dev01-web.xml").exists()


def test_a_command_runs_in_another_image(agent: Agent, server: Server) -> None:
    """The Docker service mounts the clone folder; no Docker command line is needed."""
    require_base_image()
    folder = agent.clone
    (folder / "given").write_text("from the clone\n")
    line = docker_run(
        agent.image,
        variables(
            server,
            PRE_DEPLOY_TEST="cat given; grep ^ID= /etc/os-release; printenv DEPLOY_IMAGE",
            PRE_DEPLOY_TEST_IMAGE=BASE_IMAGE,
            REPORT_DIR="report",
        ),
        [f"--volume={folder}:{folder}", f"--workdir={folder}", f"--volume={SOCKET}:{SOCKET}"],
    )
    done = agent.docker(*line[1:])
    assert done.returncode == 0, done.stderr
    for words in ("from the clone", "ID=debian", "team/web:1.4.2"):
        assert f"PRE_DEPLOY_TEST | {words}" in done.stderr


def test_a_missing_docker_service_is_reported_before_any_change(
    agent: Agent, server: Server
) -> None:
    """Exit 2 names what to add to the step."""
    run = agent.run(
        variables(
            server,
            POST_DEPLOY_TEST="true",
            POST_DEPLOY_TEST_IMAGE=BASE_IMAGE,
            DOCKER_HOST="tcp://127.0.0.1:1",
        ),
        STRICT,
    )
    assert run.code == 2, run.text
    assert "services: [docker]" in run.text
    assert server.world.write_attempts() == []


def test_a_page_is_probed_over_a_real_connection(agent: Agent, server: Server) -> None:
    """POST_DEPLOY_URL is requested from inside the container; here it is the portal's page."""
    run = agent.run(
        variables(
            server,
            POST_DEPLOY_URL=f"http://{HOST}:{server.port}/sandbox/",
            POST_DEPLOY_BODY="^GET  /sandbox/log",
        ),
        STRICT,
    )
    assert run.code == 0, run.text
    assert "POST_DEPLOY_URL passed: status 200, 3 times in a row" in run.text
