"""Test images without a Docker service."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipe import image
from pipe.deploy_tests import StepRunner
from pipe.errors import ConfigError
from tests.deploy_tests.commands import command

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "unix:///nowhere/docker.sock"])
def test_no_docker_service_is_a_problem_of_the_variable(tmp_path: Path, address: str) -> None:
    """The problem names the address and what to add to the step."""
    wanted = command(
        "true",
        tmp_path,
        image=image.parse("team/web:1"),
        environment={"DOCKER_HOST": address},
        setting="PRE_DEPLOY_TEST_IMAGE",
    )
    with pytest.raises(ConfigError) as raised:
        StepRunner().check_ready(wanted)
    (problem,) = raised.value.problems
    assert problem.variable == "PRE_DEPLOY_TEST_IMAGE"
    assert f"none responds at {address} (DOCKER_HOST)" in problem.what
    assert "services: [docker]" in problem.fix


def test_the_docker_client_is_imported_only_when_needed() -> None:
    """Most runs use no test image and start faster without it."""
    script = "import sys, pipe.run, pipe.composition; sys.exit('docker' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), check=False
    )
    assert done.returncode == 0
