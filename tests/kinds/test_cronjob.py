"""CronJobs."""

from __future__ import annotations

import copy

from tests.sandbox import ApiFault, World
from tests.support.harness import Harness


def test_an_update_preserves_every_other_field(harness: Harness) -> None:
    """Trap 38: schedule, placement and everything else stay, the any-host setting included."""
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
    """There is no rollout to wait for; annotations may be null (trap 38)."""
    harness.world.cronjobs.add("nightly", "team/batch:1")
    assert harness.run(KIND="cronjob", SERVICE="nightly", IMAGE="team/batch:2").code == 0
    assert harness.world.clock.slept == []
    assert "its next run takes the new image (schedule 0 2 * * *)" in harness.output


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
