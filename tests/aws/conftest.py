"""An AWS account, and runs of the pipe in a step that can assume a role in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipe.clock import SystemClock
from tests.sandbox.aws import Cloud
from tests.support.harness import Harness, RunResult


@pytest.fixture(scope="session")
def _server() -> Iterator[Cloud]:
    with Cloud(SystemClock()) as cloud:
        yield cloud


@pytest.fixture
def cloud(_server: Cloud, harness: Harness) -> Cloud:
    """A new account on the harness's clock."""
    _server.reset(harness.clock)
    return _server


class AwsHarness:
    """Runs in a step that has an identity token and a role to assume."""

    def __init__(self, harness: Harness, cloud: Cloud) -> None:
        self.harness = harness
        self.cloud = cloud
        harness.web()

    def deploy(self, image: str = "team/web:1.4.2", **variables: str) -> RunResult:
        """Deploy `web` with the role; `variables` are added to those of the step."""
        step = self.cloud.environ() | self.cloud.endpoints()
        return self.harness.deploy(image, **{**step, **variables})

    def refused(self, code: int, image: str = "team/web:1.4.2", **variables: str) -> RunResult:
        """Deploy; check that the run ends with `code` and has changed nothing."""
        before = list(self.harness.world.write_attempts())
        result = self.deploy(image, **variables)
        assert result.code == code, result.text
        assert self.harness.world.write_attempts() == before
        assert "othing was changed" in result.stdout
        return result


@pytest.fixture
def aws(harness: Harness, cloud: Cloud) -> AwsHarness:
    """A portal with the service `web`, and an account whose role trusts the step."""
    return AwsHarness(harness, cloud)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The clone folder."""
    return tmp_path
