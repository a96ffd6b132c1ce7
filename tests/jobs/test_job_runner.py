"""A command as a job in the tenant: once, followed to its end, with its log, and deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipe.deploy_tests.model import describe
from pipe.errors import Refused, Unreachable
from pipe.jobs.naming import JobName
from pipe.portal import Container, Pod
from pipe.settings import Step
from tests.jobs.conftest import Log
from tests.sandbox import ApiFault, Behaviour, Command
from tests.support.service_looks import NEW, pod
from tests.support.tenant_commands import LOCAL, STEP, command
from tests.support.tenant_jobs import TenantHarness

AGAIN = replace(STEP, run_number="2")
COUNTED = [(float(second), f"line {second}") for second in range(6)]
START = 3.0
"""Seconds from the creation of a job to the start of its command, about."""
MISSING = "[the last lines may be missing: the portal no longer shows them]"


def test_a_command_succeeds_and_its_lines_appear_as_they_are_written(
    tenant: TenantHarness, log: Log
) -> None:
    tenant.world.command("migrate", Command(seconds=5, lines=COUNTED))
    result = tenant.run(command())
    started = tenant.started("migrate")
    assert (result.passed, result.status) == (True, 0)
    assert result.output == tuple(text for _, text in COUNTED)
    seen = [at - started for at, _ in tenant.lines]
    assert all(0 <= at - written < 2 for at, (written, _) in zip(seen, COUNTED, strict=True))
    assert tenant.world.jobs.runs("migrate") == 1
    assert "runs in the tenant as the job web-release-71-1-" in log.text


def test_a_run_takes_no_more_than_a_few_seconds_beyond_its_command(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(seconds=5))
    assert tenant.run(command()).seconds < 5 + 3 + 4


def test_a_failure_shows_status_and_log_and_leaves_no_job(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(2, [(1, "no such table")], exit_code=3))
    result = tenant.run(command())
    assert describe(result, 60) == "failed with exit status 3"
    assert result.output == ("no such table",)
    assert tenant.world.jobs.left() == []


@pytest.mark.parametrize("shell", [True, False])
def test_the_status_is_known_where_the_portal_drops_the_pods_of_failed_jobs(
    tenant: TenantHarness, *, shell: bool
) -> None:
    tenant.world.jobs.drops_failed = True
    tenant.world.command("migrate", Command(4, [(0, "one"), (4, "two")], exit_code=3))
    result = tenant.run(command() if shell else command(command=("migrate",)))
    message = describe(result, 60)
    if shell:
        assert message == "failed with exit status 3"
        assert result.output == ("one", "two")
    else:
        assert message.startswith("failed, and the portal shows no exit status (BackoffLimit")
        assert result.output == ("one", MISSING)


def test_a_command_that_ends_at_once_loses_no_line(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(0, [(0, "done")]))
    assert tenant.run(command()).output == ("done",)


def test_lines_that_could_not_be_read_are_noted(tenant: TenantHarness) -> None:
    """Without a shell nothing keeps the pod until its log has been read."""
    tenant.world.command("migrate", Command(0, [(0, "done")]))
    result = tenant.run(command(command=("migrate",)))
    assert result.passed
    assert result.output == ("[the log could not be read: the portal no longer shows the pod]",)


def test_a_reply_without_a_log_is_made_up_for(tenant: TenantHarness) -> None:
    tenant.world.jobs.log_gap = 2
    tenant.world.command("migrate", Command(5, COUNTED))
    assert tenant.run(command()).output == tuple(text for _, text in COUNTED)


def test_a_log_that_stays_silent_does_not_delay_the_verdict(tenant: TenantHarness) -> None:
    tenant.world.script(ApiFault("POST", "findContainerLogs", "silence", times=99))
    tenant.world.command("migrate", Command(seconds=5))
    result = tenant.run(command())
    assert result.passed
    assert result.seconds < 40
    assert result.output == ("[the log could not be read: the portal no longer shows the pod]",)


def test_a_command_out_of_memory_is_named_as_such(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(2, out_of_memory=True))
    message = describe(tenant.run(command()), 60)
    assert message == "was killed by signal 9 (SIGKILL) (out of memory)"


def test_a_missing_image_ends_it_long_before_the_limit(tenant: TenantHarness) -> None:
    tenant.world.behave(NEW, Behaviour("pull-error"))
    result = tenant.run(command(seconds=600))
    assert "could not be started: the pod of the job web-release-71-1-" in describe(result, 600)
    assert "cannot pull its image" in describe(result, 600)
    assert result.seconds < 60
    assert result.remedy
    assert tenant.world.jobs.left() == []


def test_an_unreadable_secret_ends_it_long_before_the_limit(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(fate="config-error"))
    result = tenant.run(command(seconds=600))
    assert "CreateContainerConfigError" in describe(result, 600)
    assert result.seconds < 60


def test_a_pull_that_works_in_the_end_is_waited_for(tenant: TenantHarness) -> None:
    tenant.world.behave(NEW, Behaviour("no-registry", passes_after=20))
    assert tenant.run(command()).passed


def test_a_pod_without_a_node_ends_at_the_limit_with_its_reason(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(fate="unschedulable"))
    result = tenant.run(command(seconds=30))
    assert "was not started within 30 s: its pod has no node" in describe(result, 30)
    assert 30 <= result.seconds < 45
    assert tenant.world.jobs.left() == []


@pytest.mark.parametrize(
    ("setting", "words"),
    [("RELEASE_COMMAND", "RELEASE_COMMAND_COUNT"), ("PRE_DEPLOY_TEST", "PRE_DEPLOY_TEST_IMAGE")],
)
def test_an_image_without_the_program_is_named_with_a_remedy(
    tenant: TenantHarness, setting: str, words: str
) -> None:
    tenant.world.command("migrate", Command(fate="bad-command"))
    result = tenant.run(command(setting=setting))
    assert describe(result, 60).startswith("could not be started: ")
    assert words in result.remedy


def test_a_command_beyond_its_limit_is_ended_and_its_job_deleted(
    tenant: TenantHarness, log: Log
) -> None:
    tenant.world.command("migrate", Command(3600, COUNTED))
    result = tenant.run(command(seconds=20))
    assert describe(result, 20) == "did not finish within 20 s and was stopped"
    assert 20 <= result.seconds < 35
    assert "was deleted; what its command did until then stays." in log.text
    assert tenant.world.jobs.left() == []


def test_a_failed_job_stays_with_debug_and_the_line_that_deletes_it(
    tenant: TenantHarness, log: Log
) -> None:
    tenant.world.command("migrate", Command(exit_code=1))
    tenant.run(command(), keep_failed=True)
    (name,) = tenant.world.jobs.left()
    assert f"duploctl job delete {name} --tenant dev01" in log.text


def test_what_is_left_out_is_named(tenant: TenantHarness, log: Log) -> None:
    config = '{"AdditionalContainers": [{"Name": "nginx"}], "livenessProbe": {"tcpSocket": {}}}'
    tenant.run(command(fields={"docker_config": config}))
    assert "The job is made without AdditionalContainers (nginx), livenessProbe." in log.text


def test_a_pod_that_outlives_its_deleted_job_ends_by_itself(tenant: TenantHarness) -> None:
    """Kubernetes deletes a job without its pods unless the portal asks for both."""
    tenant.world.jobs.deletion = "orphan"
    tenant.world.command("migrate", Command(3600))
    assert "left its pod running" in tenant.interrupt(command(seconds=60), 5)
    tenant.clock.advance(180)
    tenant.world.advance()
    assert [pod for pod in tenant.world.jobs.orphans if pod.step.phase == "Running"] == []


# Once and only once


@pytest.mark.parametrize("kind", ["reset-after", "silence-after", "truncated", "html", "status"])
def test_a_lost_reply_to_the_creation_starts_nothing_twice(
    tenant: TenantHarness, kind: str
) -> None:
    tenant.world.script(ApiFault("POST", "k8s/job", kind, status=502, acts=True))  # type: ignore[arg-type]
    assert tenant.run(command()).passed
    assert tenant.world.jobs.runs("migrate") == 1
    assert tenant.count("POST", "k8s/job") == 1


def test_a_creation_that_did_not_arrive_is_repeated(tenant: TenantHarness) -> None:
    tenant.world.script(ApiFault("POST", "k8s/job", "reset-before"))
    assert tenant.run(command()).passed
    assert tenant.world.jobs.runs("migrate") == 1
    assert tenant.count("POST", "k8s/job") == 2


def test_a_complete_job_stays_as_the_proof_until_it_is_cleared(tenant: TenantHarness) -> None:
    tenant.run(command())
    assert len(tenant.world.jobs.left()) == 1
    result = tenant.run(command(), AGAIN)
    assert result.passed
    assert "is not run again" in result.output[0]
    assert tenant.world.jobs.runs("migrate") == 1
    tenant.runner(AGAIN).clear(command())
    assert tenant.world.jobs.left() == []


def test_a_command_that_may_run_again_leaves_no_job(tenant: TenantHarness) -> None:
    for _ in range(2):
        assert tenant.run(command(once=False)).passed
        assert tenant.world.jobs.left() == []
    assert tenant.world.jobs.runs("migrate") == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [(STEP, STEP), (STEP, AGAIN), (LOCAL, LOCAL)],
    ids=["same-run", "next-run", "local"],
)
def test_the_job_of_a_killed_run_is_followed(
    tenant: TenantHarness, first: Step, second: Step
) -> None:
    tenant.world.command("migrate", Command(20, COUNTED))
    tenant.kill(command(), 5, first)
    tenant.lines.clear()
    assert tenant.run(command(), second).passed
    assert tenant.texts == [text for _, text in COUNTED]
    assert tenant.world.jobs.runs("migrate") == 1


def test_a_failed_job_of_an_earlier_run_is_removed_and_the_command_tried_again(
    tenant: TenantHarness,
) -> None:
    tenant.world.command("migrate", Command(exit_code=1, failures=None))
    tenant.run(command(), keep_failed=True)
    tenant.world.command("migrate", Command())
    for step in (STEP, AGAIN):
        assert tenant.run(command(once=False), step).passed
    assert tenant.world.jobs.left() == []


def test_what_an_earlier_run_ran_otherwise_is_removed(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(600))
    tenant.kill(command(), 5)
    assert tenant.run(command("other", once=False), AGAIN).passed
    assert tenant.world.jobs.left() == []


# Interruptions and refusals


def test_an_interruption_deletes_the_job_and_reports_it(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(600))
    sentence = tenant.interrupt(command(seconds=600), 5)
    assert sentence.endswith("was deleted; what its command did until then stays.")
    assert tenant.world.jobs.left() == []


def test_a_runner_that_runs_nothing_stops_nothing(tenant: TenantHarness) -> None:
    runner = tenant.runner()
    runner.run(command(), tenant.write)
    assert runner.stop() == ""


def test_a_job_that_cannot_be_deleted_is_named_with_the_line_that_does(
    tenant: TenantHarness, log: Log
) -> None:
    tenant.world.script(ApiFault("DELETE", "k8s/job", "status", status=500, times=9))
    assert tenant.run(command(once=False)).passed
    assert "could not be deleted" in log.text
    assert "duploctl job delete web-release-71-1-" in log.text


def test_a_permission_set_that_forbids_jobs_is_named_before_anything_runs(
    tenant: TenantHarness,
) -> None:
    tenant.world.jobs.denied = frozenset({"GET", "POST"})
    with pytest.raises(Refused, match="answered 400 for the list of jobs") as caught:
        tenant.runner().check_ready(command())
    assert "permission set" in caught.value.remedy
    tenant.world.jobs.denied = frozenset({"POST"})
    with pytest.raises(Refused, match="answered 400 for the new job"):
        tenant.run(command())
    assert tenant.world.jobs.runs("migrate") == 0


def test_an_older_portal_without_jobs_is_named_before_anything_runs(
    tenant: TenantHarness,
) -> None:
    tenant.world.jobs.available = False
    with pytest.raises(Refused, match="cannot run jobs"):
        tenant.runner().check_ready(command())


def test_an_outage_is_waited_for(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(20))
    tenant.world.script(ApiFault("GET", "", "status", status=503, times=12, skip=8))
    assert tenant.run(command()).passed
    assert tenant.world.jobs.runs("migrate") == 1


def test_a_portal_that_is_away_until_the_limit_is_an_error(tenant: TenantHarness, log: Log) -> None:
    tenant.world.command("migrate", Command(600))
    tenant.world.script(ApiFault(".*", "", "refused", times=9999, skip=8))
    with pytest.raises(Unreachable):
        tenant.run(command(seconds=60, once=False))
    assert "Its command may still be running." in log.text


@pytest.mark.parametrize("status", [403, 503])
def test_a_job_whose_end_cannot_be_seen_stays_for_the_next_run(
    tenant: TenantHarness, log: Log, status: int
) -> None:
    fault = ApiFault("GET", "k8s/job/", "status", status=status, times=9999)
    tenant.world.script(fault)
    runner = tenant.runner()
    with pytest.raises((Unreachable, Refused)):
        runner.run(command(seconds=60), tenant.write)
    runner.clear(command())
    assert "its command may be done, and the next run of this step finds out." in log.text
    fault.times = 0
    assert tenant.run(command(), AGAIN).passed
    assert tenant.world.jobs.runs("migrate") == 1


@pytest.mark.parametrize("seconds", [1, 2, 3])
def test_an_interruption_after_the_end_keeps_the_proof(
    tenant: TenantHarness, seconds: float
) -> None:
    """For a few seconds the command has ended, and the job has not."""
    tenant.world.command("migrate", Command(seconds=5))
    begun = tenant.clock.monotonic() + 5 + START + seconds - 1
    assert "is complete; it stays" in tenant.interrupt(command(), begun - tenant.clock.monotonic())
    assert tenant.run(command(), AGAIN).passed
    assert tenant.world.jobs.runs("migrate") == 1


def test_a_success_that_ends_at_the_limit_is_a_success(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(seconds=18))
    assert tenant.run(command(seconds=20)).passed


def test_a_job_that_vanishes_is_an_error(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(600))
    tenant.world.intrude(lambda world: world.jobs.items[0].delete("background"), after=10)
    assert "was deleted meanwhile" in describe(tenant.run(command()), 60)


def test_a_success_in_the_log_counts_although_the_job_vanishes(tenant: TenantHarness) -> None:
    """Reported as lost, it would be run again."""
    tenant.world.command("migrate", Command(5, COUNTED))
    tenant.world.intrude(lambda world: world.jobs.items[0].delete("background"), after=5 + START)
    assert tenant.run(command()).passed


@pytest.mark.parametrize("status", [404, 405])
def test_a_job_that_cannot_be_read_alone_is_followed_in_the_list(
    tenant: TenantHarness, status: int
) -> None:
    tenant.world.command("migrate", Command(5, COUNTED))
    tenant.world.script(ApiFault("GET", "k8s/job/", "status", status=status, times=9999))
    for step in (STEP, AGAIN):
        assert tenant.run(command(), step).passed
    assert tenant.world.jobs.runs("migrate") == 1


@pytest.mark.parametrize("seen", [0, 3])
@pytest.mark.parametrize("status", [404, 405])
def test_a_job_is_not_gone_where_the_list_of_jobs_cannot_be_read_either(
    tenant: TenantHarness, log: Log, status: int, seen: int
) -> None:
    """The first list is that of earlier jobs."""
    tenant.world.command("migrate", Command(600))
    alone = ApiFault("GET", "k8s/job/", "status", status=status, times=9999, skip=seen)
    every = ApiFault("GET", "k8s/job$", "status", status=404, times=9999, skip=1)
    tenant.world.script(alone, every)
    runner = tenant.runner()
    with pytest.raises(Refused, match=f"answered {status} for the job web-release-71-1-"):
        runner.run(command(seconds=600), tenant.write)
    assert "the next run of this step finds out" in log.text
    with pytest.raises(Refused, match="answered 404 for the list of jobs"):
        tenant.run(command(), AGAIN)
    alone.times = every.times = 0
    runner.clear(command())
    assert len(tenant.world.jobs.left()) == 1
    assert tenant.run(command(seconds=900), AGAIN).passed
    assert tenant.world.jobs.runs("migrate") == 1


def test_a_job_that_a_list_left_out_for_a_while_is_found_by_the_next_run(
    tenant: TenantHarness,
) -> None:
    tenant.world.command("migrate", Command(60))
    empty = ApiFault("GET", "k8s/job$", status=200, body="[]", times=9999, skip=1)
    tenant.world.script(ApiFault("GET", "k8s/job/", status=404, times=9999, skip=3), empty)
    runner = tenant.runner()
    assert "was deleted meanwhile" in describe(runner.run(command(), tenant.write), 60)
    tenant.world.scripted.clear()
    runner.clear(command())
    assert tenant.run(command(seconds=120), AGAIN).passed
    assert tenant.world.jobs.runs("migrate") == 1


@pytest.mark.parametrize("status", [404, 405])
def test_a_refused_deletion_is_not_taken_for_a_job_that_is_gone(
    tenant: TenantHarness, log: Log, status: int
) -> None:
    tenant.world.script(ApiFault("DELETE", "k8s/job", "status", status=status, times=9))
    assert tenant.run(command(once=False)).passed
    assert f"could not be deleted: The portal portal.example answered {status} for" in log.text


def test_an_interruption_keeps_a_job_whose_state_cannot_be_read(tenant: TenantHarness) -> None:
    """Its command may have succeeded: deleted, it would be run again."""
    tenant.world.command("migrate", Command(seconds=5))
    tenant.world.script(ApiFault("GET", "k8s/job", "status", status=405, times=9999, skip=2))
    tenant.world.script(ApiFault("POST", "findContainerLogs", "status", status=500, times=9999))
    assert "the next run of this step finds out" in tenant.interrupt(command(), 8)
    tenant.world.scripted.clear()
    assert tenant.run(command(), AGAIN).passed
    assert tenant.world.jobs.runs("migrate") == 1


def test_a_portal_that_lists_no_pods_hides_the_log_and_not_the_end(tenant: TenantHarness) -> None:
    tenant.world.script(ApiFault("GET", "GetPods", "status", status=403, times=999))
    tenant.world.command("migrate", Command(5, COUNTED))
    result = tenant.run(command())
    assert result.passed
    assert result.output == ("[the log could not be read: the portal no longer shows the pod]",)


def test_a_moment_without_the_job_is_waited_for(tenant: TenantHarness) -> None:
    tenant.world.command("migrate", Command(20))
    tenant.world.script(ApiFault("GET", "k8s/job/", "status", status=404, times=3, skip=6))
    assert tenant.run(command()).passed


def test_thousands_of_lines_are_written_once(tenant: TenantHarness) -> None:
    lines = [(number / 500, f"line {number}") for number in range(5000)]
    tenant.world.command("migrate", Command(10, lines))
    tenant.run(command())
    assert tenant.texts == [text for _, text in lines]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (Container("web", NEW, exit_code=3, ended="Error"), "failed with exit status 3"),
        (
            Container("web", NEW, exit_code=137, ended="OOMKilled"),
            "was killed by signal 9 (SIGKILL) (out of memory)",
        ),
    ],
    ids=["status", "memory"],
)
def test_kubernetes_shows_the_end_that_the_portal_hides(
    tenant: TenantHarness, container: Container, message: str
) -> None:
    tenant.world.jobs.drops_failed = True
    tenant.world.command("migrate", Command(exit_code=3))
    asked: list[str] = []

    def pods_inside(job: str) -> list[Pod]:
        asked.append(job)
        return [replace(pod("x"), containers=(container,))]

    what = command(command=("migrate",))
    assert describe(tenant.run(what, pods_inside=pods_inside), 60) == message
    assert asked == [str(JobName.of(what, STEP))]
    tenant.run(command(), pods_inside=pods_inside)
    assert len(asked) == 1, "the portal's own log shows the status"
