"""CronJobs."""

from __future__ import annotations

import copy

import pytest

from tests.sandbox import ApiFault, World
from tests.support.harness import Harness


def test_an_update_preserves_every_other_field(harness: Harness) -> None:
    """Schedule, placement and everything else stay, the any-host setting included."""
    job = harness.world.cronjobs.add(
        "nightly",
        "team/batch:1",
        any_host=True,
        inits={"fetch": "fetch:1"},
        sidecars={"log": "log:1"},
        allocation_tags="tier-app",
    )
    before = copy.deepcopy(job.body())
    assert (
        harness.run(SERVICES="cronjob:nightly=team/batch:2 cronjob:nightly/fetch=fetch:2").code == 0
    )
    after = job.body()
    assert job.any_host
    assert after["spec"]["jobTemplate"]["spec"]["template"]["spec"]["initContainers"] == [
        {"name": "fetch", "image": "fetch:2"}
    ]
    pod = after["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "team/batch:2"
    pod["containers"][0]["image"] = "team/batch:1"
    pod["initContainers"][0]["image"] = "fetch:1"
    after["metadata"]["generation"] = 1
    assert after == before


def test_an_update_ends_at_once_and_reports_when_the_image_is_used(harness: Harness) -> None:
    """There is no rollout to wait for; annotations may be null."""
    harness.world.cronjobs.add("nightly", "team/batch:1")
    assert harness.run(KIND="cronjob", SERVICE="nightly", IMAGE="team/batch:2").code == 0
    assert harness.clock.slept == []
    assert "its next run uses it (schedule 0 2 * * *)" in harness.output


def test_after_a_lost_reply_the_job_is_not_updated_again(harness: Harness) -> None:
    """The job is read back instead."""
    job = harness.world.cronjobs.add("nightly", "team/batch:1")
    harness.world.script(ApiFault("PUT", "cronJob/nightly$", "reset-after"))
    assert harness.run(SERVICES="cronjob:nightly=team/batch:2").code == 0
    assert job.replaced == 1


def test_a_refused_update_changes_nothing(harness: Harness) -> None:
    """The message confirms it."""
    job = harness.world.cronjobs.add("nightly", "team/batch:1")
    harness.world.script(ApiFault("PUT", "cronJob/nightly$", status=403, body="read only"))
    assert harness.run(SERVICES="cronjob:nightly=team/batch:2").code == 4
    assert job.image == "team/batch:1"
    assert "Nothing was changed" in harness.output


def test_a_change_by_another_deployment_before_the_update_stops_it(harness: Harness) -> None:
    """A change to any field of the job counts."""
    job = harness.world.cronjobs.add("nightly", "team/batch:1")

    def reschedule(_: World) -> None:
        job.document["spec"]["schedule"] = "0 3 * * *"

    harness.world.intrude(reschedule, when=("GET", "k8s/cronJob$", 1))
    assert harness.run(SERVICES="cronjob:nightly=team/batch:2").code == 7
    assert job.replaced == 0


def test_settings_changed_during_the_pre_deploy_test_stay(harness: Harness) -> None:
    """The write is built from the last look before it."""
    job = harness.world.cronjobs.add("nightly", "team/batch:1", allocation_tags="tier-a")

    def move(_: World) -> None:
        job.document["AllocationTags"] = "tier-b"
        job.document["metadata"]["labels"] = {"owner": "x"}

    harness.world.intrude(move, when=("GET", "k8s/cronJob$", 1))
    assert harness.run(SERVICES="cronjob:nightly=team/batch:2").code == 0
    assert job.image == "team/batch:2"
    assert job.document["AllocationTags"] == "tier-b"
    assert job.document["metadata"]["labels"] == {"owner": "x"}


@pytest.mark.parametrize("action", ["deploy", "roll back"])
def test_a_suspended_job_has_no_next_run(harness: Harness, action: str) -> None:
    """Its new image waits until it is resumed."""
    job = harness.world.cronjobs.add("nightly", "team/batch:1")
    job.document["spec"]["suspend"] = True
    wanted = "cronjob:nightly=team/batch:2"
    if action == "deploy":
        assert harness.run(SERVICES=wanted).code == 0
    else:
        harness.world.functions.add("resize", "t:1")
        harness.world.script(ApiFault("POST", "UpdateLambda", status=403, times=9))
        assert harness.run(SERVICES=f"{wanted} lambda:resize=t:2", ROLLBACK="true").code == 8
    assert "runs nothing until it is resumed (schedule 0 2 * * *)" in harness.output
    assert "next run" not in harness.output


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("Allow", "a run under way keeps the image it was started with."),
        ("Forbid", "the image it was started with, and no other starts before it ends."),
        ("Replace", "the image it was started with until the next one replaces it."),
    ],
)
def test_a_run_under_way_keeps_its_image(harness: Harness, policy: str, expected: str) -> None:
    """Kubernetes changes no job that it has created."""
    job = harness.world.cronjobs.add("nightly", "team/batch:1")
    job.document["spec"]["concurrencyPolicy"] = policy
    job.document["status"] = {"active": [{"name": "nightly-1"}]}
    assert harness.run(SERVICES="cronjob:nightly=team/batch:2").code == 0
    assert expected in harness.output


def test_a_run_that_starts_between_look_and_change_is_no_conflict(harness: Harness) -> None:
    """It changes the job's status, so that Kubernetes refuses what was read before."""
    job = harness.world.cronjobs.add("nightly", "team/batch:1")
    job.checks_version = True
    job.touch()
    harness.world.intrude(
        lambda _: job.touch(), when=("PUT", "cronJob/nightly$", 1), moment="before"
    )
    assert harness.run(SERVICES="cronjob:nightly=team/batch:2").code == 0
    assert (job.image, job.replaced) == ("team/batch:2", 1)


def test_another_deployment_between_look_and_change_is_a_conflict(harness: Harness) -> None:
    """Kubernetes refuses our change, and theirs stays."""
    job = harness.world.cronjobs.add("nightly", "team/batch:1")
    job.checks_version = True

    def take_over(_: World) -> None:
        job.pod["containers"][0]["image"] = "team/batch:theirs"
        job.touch()

    job.touch()
    harness.world.intrude(take_over, when=("PUT", "cronJob/nightly$", 1), moment="before")
    assert harness.run(SERVICES="cronjob:nightly=team/batch:2").code == 7
    assert job.image == "team/batch:theirs"


def test_the_image_of_a_changed_sidecar_is_the_one_that_is_named(harness: Harness) -> None:
    """The main one stays as it is."""
    world = harness.world
    world.cronjobs.add("nightly", "team/batch:1", sidecars={"log": "log:1"})
    world.functions.add("resize", "t:1")
    world.script(ApiFault("POST", "UpdateLambda", status=403, times=9))
    wanted = "cronjob:nightly/log=log:2 lambda:resize=t:2"
    assert harness.run(SERVICES=wanted, ROLLBACK="true").code == 8
    assert "cronjob:nightly is set to log:1" in harness.output
