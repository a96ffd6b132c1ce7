"""The example that rolls back after a stop, run on the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.contract.documents import ROOT
from tests.sandbox import Behaviour
from tests.support.harness import Harness, RunResult, at_time

FINAL = yaml.safe_load((ROOT / "examples/rollback-after-stop.yml").read_text("utf-8"))
NOTE, DEPLOY, ROLL_BACK = (
    next(iter(entry.values())) for entry in FINAL["pipelines"]["tags"]["*.*.*"]
)


class Killed(BaseException):
    """SIGKILL, which nothing in the run catches."""


def kill() -> None:
    """End the run as Bitbucket's Stop does."""
    raise Killed


class Pipeline:
    """The example in one clone folder, which keeps what Bitbucket carries between steps."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness

    def step(self, step: Mapping[str, Any]) -> RunResult | None:
        """Run a step's script, the pipe in process; return None if a shell line ended it."""
        result = None
        known = dict.fromkeys(("BITBUCKET_TAG", "BITBUCKET_COMMIT"), "2.0.0")
        known["DUPLO_TOKEN"] = self.harness.world.token
        for line in step["script"]:
            if isinstance(line, str):
                has_ended, known = shell(line, known, self.harness.folder)
                if has_ended:
                    return None
            else:
                result = self.harness.run_with(self._variables(line["variables"], known))
        return result

    def _variables(self, given: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
        filled = {}
        for name, value in given.items():
            for key, known_value in known.items():
                value = value.replace(f"${{{key}}}", known_value).replace(f"${key}", known_value)  # noqa: PLW2901
            filled[name] = value
        clone = {"BITBUCKET_CLONE_DIR": str(self.harness.folder)}
        return filled | clone | {"DUPLO_HOST": "https://portal.example", "TENANT": "dev01"}


def shell(line: str, known: Mapping[str, str], folder: Path) -> tuple[bool, dict[str, str]]:
    """Run one line of a script; return whether it ended the script, and the variables then."""
    show = "import os, json; print(json.dumps(dict(os.environ)))"
    script = f"set -a -e\n{line}\npython3 -c '{show}'"
    environ = {**known, "PATH": os.environ["PATH"]}
    command = ["bash", "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    last = done.stdout.splitlines()[-1:]
    if not last or not last[0].startswith("{"):
        return True, dict(known)
    after = json.loads(last[0])
    return False, {name: after[name] for name in after if name.startswith(("DEPLOY_", *known))}


def noted_pipeline(harness: Harness) -> Pipeline:
    """Add the example's service and run the step that notes its image."""
    harness.world.add_service("myservice", "myimage:1.9.0", replicas=2)
    pipeline = Pipeline(harness)
    noted = pipeline.step(NOTE)
    assert noted
    assert noted.code == 0
    assert harness.world.writes() == []
    return pipeline


def test_a_successful_deploy_is_left_alone(harness: Harness) -> None:
    """The final step runs and changes nothing."""
    pipeline = noted_pipeline(harness)
    deployed = pipeline.step(DEPLOY)
    assert deployed
    assert deployed.code == 0
    assert pipeline.step(ROLL_BACK) is None
    assert harness.world.service("myservice").image == "myimage:2.0.0"


def test_a_stopped_deploy_is_rolled_back(harness: Harness) -> None:
    """After a kill in mid-rollout the final step restores the noted image."""
    pipeline = noted_pipeline(harness)
    harness.world.behave("myimage:2.0.0", Behaviour("never-ready"))
    at_time(harness.clock, 3.0, kill)
    try:
        pipeline.step(DEPLOY)
    except Killed:
        assert harness.world.service("myservice").image == "myimage:2.0.0"
    else:
        raise AssertionError("the deploy was not killed")
    rolled_back = pipeline.step(ROLL_BACK)
    assert rolled_back
    assert rolled_back.code == 0
    assert harness.world.service("myservice").image == "myimage:1.9.0"


def test_a_deploy_that_rolled_back_is_left_alone(harness: Harness) -> None:
    """After exit 8 the final step finds nothing to change."""
    pipeline = noted_pipeline(harness)
    harness.world.behave("myimage:2.0.0", Behaviour("crash"))
    code = failed_step(pipeline)
    assert code == 8
    writes = len(harness.world.writes())
    rolled_back = pipeline.step(ROLL_BACK)
    assert rolled_back
    assert rolled_back.code == 0
    assert len(harness.world.writes()) == writes
    assert harness.world.service("myservice").image == "myimage:1.9.0"


def test_a_run_without_changes_is_left_alone(harness: Harness) -> None:
    """The service already ran the image; the final step leaves it."""
    harness.world.add_service("myservice", "myimage:2.0.0", replicas=2)
    pipeline = Pipeline(harness)
    pipeline.step(NOTE)
    pipeline.step(ROLL_BACK)
    assert harness.world.writes() == []
    assert harness.world.service("myservice").image == "myimage:2.0.0"


def failed_step(pipeline: Pipeline) -> int:
    """Run the deploy up to the failing pipe, where Bitbucket ends the script."""
    uses = {**DEPLOY, "script": [line for line in DEPLOY["script"] if not isinstance(line, str)]}
    result = pipeline.step(uses)
    assert result
    return result.code
