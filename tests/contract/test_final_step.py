"""The example that goes back after a stop, played through on the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.contract.documents import ROOT
from tests.sandbox import Behaviour
from tests.support.stage import RunResult, Stage, ticking

FINAL = yaml.safe_load((ROOT / "examples/rollback-after-stop.yml").read_text("utf-8"))
NOTE, DEPLOY, GO_BACK = (
    next(iter(entry.values())) for entry in FINAL["pipelines"]["tags"]["*.*.*"]
)


class Killed(BaseException):
    """SIGKILL: nobody in the run can catch it."""


def kill() -> None:
    """What Bitbucket's Stop does."""
    raise Killed


class Pipeline:
    """The example in one clone folder; what Bitbucket carries from step to step stays in it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def step(self, step: Mapping[str, object]) -> RunResult | None:
        """Run a step's script: shell lines in a shell, the pipe in process; None if it ended."""
        ending = None
        known = {"BITBUCKET_TAG": "2.0.0", "DUPLO_TOKEN": self.stage.world.token}
        for line in step["script"]:
            if isinstance(line, str):
                ended, known = shell(line, known, self.stage.folder)
                if ended:
                    return None
            else:
                ending = self.stage.run_with(self._variables(line["variables"], known))
        return ending

    def _variables(self, given: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
        filled = {}
        for name, value in given.items():
            for key, known_value in known.items():
                value = value.replace(f"${{{key}}}", known_value).replace(f"${key}", known_value)  # noqa: PLW2901
            filled[name] = value
        clone = {"BITBUCKET_CLONE_DIR": str(self.stage.folder)}
        return filled | clone | {"DUPLO_HOST": "https://portal.example", "TENANT": "dev01"}


def shell(line: str, known: Mapping[str, str], folder: Path) -> tuple[bool, dict[str, str]]:
    """Run one line as part of a script: whether it ended it, and the variables afterwards."""
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


def stand(stage: Stage) -> Pipeline:
    """The service of the example, and the pipeline with its note taken."""
    stage.world.add_service("myservice", "myimage:1.9.0", replicas=2)
    pipeline = Pipeline(stage)
    noted = pipeline.step(NOTE)
    assert noted
    assert noted.code == 0
    assert stage.world.writes() == []
    return pipeline


def test_a_deploy_that_went_well_is_left_alone(stage: Stage) -> None:
    """The final step runs all the same, and does nothing."""
    pipeline = stand(stage)
    deployed = pipeline.step(DEPLOY)
    assert deployed
    assert deployed.code == 0
    assert pipeline.step(GO_BACK) is None
    assert stage.world.service("myservice").image == "myimage:2.0.0"


def test_a_stopped_deploy_is_taken_back(stage: Stage) -> None:
    """Killed in the middle of the rollout: the final step puts the noted image back."""
    pipeline = stand(stage)
    stage.world.behave("myimage:2.0.0", Behaviour("never-ready"))
    ticking(stage.clock, 3.0, kill)
    try:
        pipeline.step(DEPLOY)
    except Killed:
        assert stage.world.service("myservice").image == "myimage:2.0.0"
    else:
        raise AssertionError("the deploy was not killed")
    back = pipeline.step(GO_BACK)
    assert back
    assert back.code == 0
    assert stage.world.service("myservice").image == "myimage:1.9.0"


def test_a_deploy_that_went_back_itself_is_not_undone(stage: Stage) -> None:
    """Exit 8 already put the image back: the final step finds nothing to change."""
    pipeline = stand(stage)
    stage.world.behave("myimage:2.0.0", Behaviour("crash"))
    code = failed_step(pipeline)
    assert code == 8
    writes = len(stage.world.writes())
    back = pipeline.step(GO_BACK)
    assert back
    assert back.code == 0
    assert len(stage.world.writes()) == writes
    assert stage.world.service("myservice").image == "myimage:1.9.0"


def test_a_run_that_changed_nothing_has_nothing_to_undo(stage: Stage) -> None:
    """The image was there already; the final step leaves it."""
    stage.world.add_service("myservice", "myimage:2.0.0", replicas=2)
    pipeline = Pipeline(stage)
    pipeline.step(NOTE)
    pipeline.step(GO_BACK)
    assert stage.world.writes() == []
    assert stage.world.service("myservice").image == "myimage:2.0.0"


def failed_step(pipeline: Pipeline) -> int:
    """Run the deploy up to the pipe that fails, where Bitbucket ends the script."""
    uses = {**DEPLOY, "script": [line for line in DEPLOY["script"] if not isinstance(line, str)]}
    ending = pipeline.step(uses)
    assert ending
    return ending.code
