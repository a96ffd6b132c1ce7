"""The example whose rollback is triggered by a failed deployment, run on the sandbox."""

from __future__ import annotations

import pytest
import yaml

from tests.contract.documents import ROOT
from tests.contract.test_rollback_after_stop import Pipeline
from tests.sandbox import Behaviour
from tests.sandbox.service import MAIN_CONTAINER
from tests.support.harness import Harness

EXAMPLE = yaml.safe_load((ROOT / "examples/rollback-on-failure.yml").read_text("utf-8"))[
    "pipelines"
]
DEPLOY = EXAMPLE["branches"]["main"][0]["stage"]["steps"][0]["step"]
ROLL_BACK = EXAMPLE["custom"]["roll-back"][0]["step"]


@pytest.fixture
def pipeline(harness: Harness) -> Pipeline:
    """The example's service, on an image that an earlier deploy has set."""
    harness.world.add_service("myservice", "myimage:1.8.0", replicas=2)
    harness.world.service("myservice").set_images({MAIN_CONTAINER: "myimage:1.9.0"}, "eve")
    harness.clock.advance(60)
    return Pipeline(harness)


@pytest.mark.parametrize("fate", ["good", "crash"])
def test_a_failed_deployment_is_rolled_back(
    pipeline: Pipeline, harness: Harness, fate: str
) -> None:
    """Its version crashes, or a later step has found a fault in it."""
    if fate == "crash":
        harness.world.behave("myimage:2.0.0", Behaviour("crash"))
    deployed = pipeline.step(DEPLOY)
    assert deployed
    assert deployed.code == (10 if fate == "crash" else 0)
    rolled_back = pipeline.step(ROLL_BACK)
    assert rolled_back
    assert rolled_back.code == 0, rolled_back.text
    assert harness.world.service("myservice").image == "myimage:1.9.0"


def test_a_deployment_that_changed_nothing_is_left_alone(
    pipeline: Pipeline, harness: Harness
) -> None:
    """It failed before the change: a rollback would remove the version that runs well."""
    assert pipeline.step(ROLL_BACK) is None
    assert harness.world.service("myservice").image == "myimage:1.9.0"
