"""Environment and replicas of targets other than services."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.sandbox import ApiFault, Behaviour, RequestRecord
from tests.sandbox.task_definition import usual_definition
from tests.support.harness import Harness

OLD, NEW, BAD = "team/api:1", "team/api:2", "team/api:bad"
CANARY, THEIRS = "canary-of-ours-5Rk9", "canary-of-theirs-8Wq2"
ENV = f"LOG=debug\nNEW_FLAG={CANARY}"


def definition() -> dict[str, Any]:
    """Return a definition with a variable from a secret and a value to keep secret."""
    made = usual_definition({"default": OLD})
    container = made["ContainerDefinitions"][0]
    container["Environment"].append({"Name": "OLD_FLAG", "Value": THEIRS})
    container["Secrets"] = [{"Name": "KEY", "ValueFrom": "arn:aws:ssm:key"}]
    return made


def ecs(harness: Harness, **options: Any) -> Any:
    return harness.world.ecs.add("api", "", definition=definition(), **options)


def container_of(harness: Harness, service: Any) -> dict[str, Any]:
    found = harness.world.ecs.definitions[service.definition]["ContainerDefinitions"]
    return dict(found[0])


def check_secrecy(harness: Harness) -> None:
    """Check that no value is in the output or in any file."""
    texts = [harness.output, *(one.read_text("utf-8") for one in harness.report_dir.glob("*"))]
    for value in (CANARY, THEIRS):
        assert all(value not in text for text in texts)


def run(harness: Harness, kind: str, image: str, **variables: str) -> int:
    """Deploy with an environment, and see that no value of it shows anywhere."""
    usual = {"ENV": ENV, "ENV_REMOVE": "OLD_FLAG", "REPORT_DIR": str(harness.report_dir)}
    result = harness.run(SERVICES=f"{kind}:api={image}", **(usual | variables))
    check_secrecy(harness)
    return result.code


@pytest.mark.parametrize("image", [NEW, OLD])
def test_one_revision_carries_image_and_environment(harness: Harness, image: str) -> None:
    """And one update sets the revision together with the replicas."""
    api = ecs(harness)
    before = container_of(harness, api)
    assert run(harness, "ecs", image, REPLICAS="3") == 0
    assert len(harness.requests("UpdateEcsTaskDefinition")) == 1
    assert len(harness.requests("UpdateEcsService")) == 1
    environment = [{"Name": "LOG", "Value": "debug"}, {"Name": "NEW_FLAG", "Value": CANARY}]
    after = {**before, "Image": image, "Environment": environment}
    assert container_of(harness, api) == after
    assert (api.document["Replicas"], api.primary.running) == (3, 3)


def test_replicas_of_an_ecs_service_alone_need_no_revision(harness: Harness) -> None:
    """AWS starts no deployment for them; they are followed all the same."""
    api = ecs(harness)
    api.starts_late = 20.0
    assert run(harness, "ecs", OLD, ENV="", ENV_REMOVE="", REPLICAS="3") == 0
    assert harness.requests("UpdateEcsTaskDefinition") == []
    assert (api.primary.running, len(api.deployments)) == (3, 1)
    assert run(harness, "ecs", OLD, ENV="", ENV_REMOVE="", REPLICAS="3") == 0
    assert len(harness.requests("UpdateEcsService")) == 1


@pytest.mark.parametrize("rolls_back", [True, False])
def test_an_ecs_service_returns_to_its_former_revision(harness: Harness, rolls_back: bool) -> None:
    """And to its number of replicas, also where AWS has rolled back the revision."""
    api = ecs(harness, breaker=(True, rolls_back))
    former = api.definition
    harness.world.behave(BAD, Behaviour("crash"))
    assert run(harness, "ecs", BAD, REPLICAS="3", ROLLBACK="true") == 8
    assert (api.definition, api.document["Replicas"]) == (former, 2)
    assert len(harness.requests("UpdateEcsTaskDefinition")) == 1


def test_a_lost_reply_to_replicas_is_looked_up(harness: Harness) -> None:
    """The revision is the same before and after: the number shows whether it arrived."""
    ecs(harness)
    harness.world.script(ApiFault("POST", "UpdateEcsService", kind="reset-before", times=1))
    assert run(harness, "ecs", OLD, ENV="", ENV_REMOVE="", REPLICAS="3") == 0


def test_a_cronjob_gets_image_and_environment_together(harness: Harness) -> None:
    """By the one PUT of the whole object."""
    job = harness.world.cronjobs.add("api", OLD)
    job.pod["containers"][0]["env"].append({"name": "OLD_FLAG", "value": THEIRS})
    before = copy.deepcopy(job.document["spec"])
    assert run(harness, "cronjob", NEW) == 0
    assert job.replaced == 1
    container = before["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    container["image"] = NEW
    container["env"] = [
        {"name": "LOG", "value": "debug"},
        {"name": "NEW_FLAG", "value": CANARY},
    ]
    assert job.document["spec"] == before
    assert run(harness, "cronjob", NEW) == 0
    assert job.replaced == 1


def test_a_cronjob_is_restored_as_it_was(harness: Harness) -> None:
    """After another target's rollout failed."""
    job = harness.world.cronjobs.add("api", OLD)
    reference = {"secretKeyRef": {"name": "db", "key": "k"}}
    job.pod["containers"][0]["env"].append({"name": "OLD_FLAG", "valueFrom": reference})
    before = copy.deepcopy(job.document["spec"])
    harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash"))
    result = harness.run(
        SERVICES=f"cronjob:api={NEW} web=team/web:bad",
        ENV="cronjob:api:LOG=debug",
        ENV_REMOVE="cronjob:api:OLD_FLAG",
        ROLLBACK="true",
    )
    assert result.code == 8
    assert job.document["spec"] == before


def test_values_of_a_cronjob_are_in_no_record(harness: Harness) -> None:
    """Its version in the record is made from the whole object."""
    job = harness.world.cronjobs.add("api", OLD)
    job.pod["containers"][0]["env"].append({"name": "PASSWORD", "value": THEIRS})
    harness.run(SERVICES=f"cronjob:api={NEW}", REPORT_DIR=str(harness.report_dir))
    assert (harness.report_dir / "deploy.json").exists()
    check_secrecy(harness)


def test_a_function_takes_no_environment(harness: Harness) -> None:
    """AWS has separate requests for it."""
    harness.world.functions.add("api", OLD)
    assert run(harness, "lambda", NEW, REPLICAS="2") == 2
    assert "ENV cannot be used with lambda:api" in harness.output
    assert "REPLICAS cannot be used with lambda:api" in harness.output


def test_a_cronjob_whose_environment_others_set_is_superseded(harness: Harness) -> None:
    """It is not waited for until the time is up."""
    job = harness.world.cronjobs.add("api", OLD)

    def change(record: RequestRecord) -> None:
        if record.method == "PUT":
            for one in job.pod["containers"][0]["env"]:
                one["value"] = "trace"

    harness.world.listeners.append(change)
    assert run(harness, "cronjob", OLD, ENV_REMOVE="") == 7
    assert "it is now set to another environment" in harness.output
