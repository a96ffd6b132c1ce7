"""An AWS account for runs of the pipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipe.clock import SystemClock
from tests.sandbox.aws import Cloud
from tests.support.stage import RunResult, Stage


@pytest.fixture(scope="session")
def _server() -> Iterator[Cloud]:
    with Cloud(SystemClock()) as cloud:
        yield cloud


@pytest.fixture
def cloud(_server: Cloud, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Return a new account that boto3's endpoints lead to, on the stage's clock."""
    _server.reset(stage.clock)
    for name, value in _server.endpoints().items():
        monkeypatch.setenv(name, value)
    return _server


class AwsStage:
    """Runs the pipe in a step with an identity token and a role."""

    def __init__(self, stage: Stage, cloud: Cloud) -> None:
        self.stage = stage
        self.cloud = cloud
        stage.web()

    def deploy(self, image: str = "team/web:1.4.2", **environ: str) -> RunResult:
        """Deploy with the role; `environ` overrides the usual variables."""
        return self.stage.deploy(image, **{**self.cloud.environ(), **environ})

    def refused(self, code: int, image: str = "team/web:1.4.2", **environ: str) -> RunResult:
        """Deploy, and check that nothing is changed and the run ends with `code`."""
        before = list(self.stage.world.write_attempts())
        ending = self.deploy(image, **environ)
        assert ending.code == code, ending.text
        assert self.stage.world.write_attempts() == before
        assert "othing was changed" in ending.result
        return ending


@pytest.fixture
def aws(stage: Stage, cloud: Cloud) -> AwsStage:
    """Return a portal with the service `web`, and an account whose role trusts the step."""
    return AwsStage(stage, cloud)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the clone folder."""
    return tmp_path
