"""Many targets: changed in parallel, followed together, all or nothing."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from concurrent.futures import Future
from typing import Never

import pytest

from pipe import parallel
from pipe.dependencies import Dependencies
from pipe.parallel import MOST_THREADS, run_concurrently
from pipe.run import run
from tests.sandbox import ApiFault, Behaviour, World, WsgiAdapter, create_app
from tests.sandbox.service import Service
from tests.support.harness import Harness


def many(world: World, count: int, replicas: int = 3) -> list[Service]:
    names = [f"svc-{number:02d}" for number in range(count)]
    return [world.add_service(name, f"team/{name}:1", replicas=replicas) for name in names]


def entries(services: list[Service], tag: int) -> str:
    return " ".join(f"{one.name}=team/{one.name}:{tag}" for one in services)


def test_twenty_services_take_no_more_requests_than_documented(harness: Harness) -> None:
    """20 services of 3 pods, 5 s rollout: 45 requests, 1.5 s beyond rollout and STABLE_SECONDS."""
    harness.world.rollout_seconds = 5 / 3
    services = many(harness.world, 20)
    assert harness.run(SERVICES=entries(services, 2)).code == 0
    assert {one.image.rsplit(":", 1)[1] for one in services} == {"2"}
    assert len(harness.world.log) <= 45
    assert harness.clock.elapsed <= 5 + 5 + 1.5


def test_a_look_takes_as_many_requests_for_many_targets_as_for_a_few(harness: Harness) -> None:
    """Lists are read for the whole tenant."""
    reads = []
    for count in (2, 12):
        harness.world.clear()
        harness.world.add_tenant("dev01")
        assert harness.run(SERVICES=entries(many(harness.world, count), 2)).code == 0
        paths = (one.path for one in harness.world.log if one.method == "GET")
        reads.append(Counter(path.rsplit("/", 1)[1] for path in paths))
    assert reads[0] == reads[1]
    assert reads[0]["GetPods"] <= harness.clock.elapsed


def test_if_one_of_twenty_crashes_all_are_rolled_back(harness: Harness) -> None:
    """All are verified on the previous image, without needless restarts."""
    services = many(harness.world, 20)
    harness.world.behave("team/svc-07:2", Behaviour("crash", log=["boom"]))
    assert harness.run(SERVICES=entries(services, 2), ROLLBACK="true").code == 8
    for one in services:
        pods = [pod for pod in one.pods if not pod.leaving]
        assert [pod.image for pod in pods] == [f"team/{one.name}:1"] * 3
        assert all(pod.ready for pod in pods)
    # Three new pods and three for the rollback; the crashing service never replaced a pod.
    assert all(one.starts <= 6 for one in services)
    assert services[7].starts == 1
    assert "boom" in harness.output
    puts = [one.path.split("/")[-2] for one in harness.world.writes()]
    assert puts[20:] == [one.name for one in reversed(services)]


def test_without_rollback_the_state_of_each_target_is_logged(harness: Harness) -> None:
    """The log shows what runs where."""
    services = many(harness.world, 5, replicas=1)
    harness.world.behave("team/svc-02:2", Behaviour("crash"))
    assert harness.run(SERVICES=entries(services, 2)).code == 10
    for one in services:
        assert f"Now: {one.name} is set to team/{one.name}:2" in harness.output
    assert len(harness.world.writes()) == 5


def test_a_target_that_another_deployment_changed_is_not_rolled_back(harness: Harness) -> None:
    """The others are; the message names the one that was not, and why."""
    services = many(harness.world, 4, replicas=1)
    harness.world.behave("team/svc-00:2", Behaviour("crash"))
    taken = services[1]
    harness.world.intrude(
        lambda _: taken.set_images({"duplo-main-container": "team/theirs:9"}, "another-deployment"),
        when=("POST", "findContainerLogs$", 1),
    )
    assert harness.run(SERVICES=entries(services, 2), ROLLBACK="true").code == 7
    assert [one.image for one in services] == [
        "team/svc-00:1",
        "team/theirs:9",
        "team/svc-02:1",
        "team/svc-03:1",
    ]
    assert "svc-01: another deployment changed it meanwhile" in harness.output


def test_a_refused_change_rolls_back_the_others(harness: Harness) -> None:
    """It is all or nothing from the first change on."""
    services = many(harness.world, 6, replicas=1)
    harness.world.script(ApiFault("PUT", "svc-03/containerimage$", status=403, body="no", times=9))
    assert harness.run(SERVICES=entries(services, 2), ROLLBACK="true").code == 8
    assert {one.image.rsplit(":", 1)[1] for one in services} == {"1"}


def test_every_wrong_name_is_reported_with_a_suggestion(harness: Harness) -> None:
    """Names of every kind and of containers, all in one run."""
    world = harness.world
    world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    world.ecs.add("billing", "team/billing:1")
    world.functions.add("resize", "team/resize:1")
    world.cronjobs.add("nightly", "team/batch:1")
    wrong = "wep=a:1 ecs:biling=a:1 lambda:resise=a:1 cronjob:nightli=a:1 web/lock=a:1"
    assert harness.run(SERVICES=wrong).code == 4
    for near in ("web", "billing", "resize", "nightly"):
        assert f"Did you mean {near}?" in harness.output
    for called in ("service", "ECS service", "Lambda function", "CronJob"):
        assert f"There is no {called} called" in harness.output
    assert 'no container of web called "lock"' in harness.output
    assert world.writes() == []


def test_all_kinds_are_deployed_together(harness: Harness) -> None:
    """A failure of one rolls back all."""
    world = harness.world
    web = world.add_service("web", "team/web:1", replicas=2)
    api = world.ecs.add("api", "team/api:1")
    resize = world.functions.add("resize", "team/resize:1")
    nightly = world.cronjobs.add("nightly", "team/batch:1", any_host=True)
    things = (web, api, resize, nightly)
    wanted = "web=t:{0} ecs:api=t:{0} lambda:resize=t:{0} cronjob:nightly=t:{0}"
    assert harness.run(SERVICES=wanted.format(2)).code == 0
    assert [one.image for one in things] == ["t:2"] * 4
    world.behave("t:3", Behaviour("crash"))
    resize.world.behave("t:3", Behaviour("crash"))
    assert harness.run(SERVICES=wanted.format(3), ROLLBACK="true").code == 8
    assert [one.image for one in things] == ["t:2"] * 4
    assert nightly.any_host


def test_the_table_has_a_new_row_only_for_a_new_verdict(harness: Harness) -> None:
    """A target without a new verdict is not logged again at once."""
    world = harness.world
    world.add_service("web", "team/web:1")
    world.cronjobs.add("nightly", "team/batch:1")
    assert harness.run(SERVICES="web=team/web:2 cronjob:nightly=team/batch:2").code == 0
    rows = [line for line in harness.output.splitlines() if "cronjob:nightly  " in line]
    assert len(rows) == 1
    assert harness.output.count("target           state") == 1


def test_looks_at_a_slow_portal_take_a_tenth_of_the_time(harness: Harness) -> None:
    """Pauses grow with the portal's response time."""
    world = harness.world
    services = many(world, 3, replicas=1)
    world.rollout_seconds = 120.0
    environ = {"DUPLO_HOST": "https://p.example", "DUPLO_TOKEN": world.token, "TENANT": "dev01"}
    adapter = WsgiAdapter(create_app(world), world.clock, latency=0.5)
    assert (
        run({**environ, "SERVICES": entries(services, 2)}, Dependencies(world.clock, adapter)) == 0
    )
    writes = [one.at for one in world.writes()]
    looks = [one for one in world.log if one.at > max(writes) + 2]
    asked = 0.5 * len(looks)
    assert asked <= 0.13 * (harness.clock.elapsed + 1000 - max(writes))


def test_concurrency_is_limited() -> None:
    """Everything still gets its turn."""
    lock, running, most, done = threading.Lock(), [0], [0], []
    gate = threading.Barrier(MOST_THREADS)

    def act(thing: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        if thing < MOST_THREADS:
            gate.wait(10)
        with lock:
            running[0] -= 1
            done.append(thing)

    assert run_concurrently(act, range(30)) == ()
    assert most[0] == MOST_THREADS
    assert sorted(done) == list(range(30))


def test_after_a_failure_nothing_more_is_started() -> None:
    """What is running is finished, and every failure is returned."""
    begun = []
    gate = threading.Barrier(MOST_THREADS)

    def act(thing: int) -> Never:
        begun.append(thing)
        if len(begun) <= MOST_THREADS:  # one that ended may start another before the check
            gate.wait(10)
        raise ValueError(thing)

    errors = run_concurrently(act, range(100))
    assert len(begun) < 100
    assert sorted(str(error) for error in errors) == sorted(str(thing) for thing in begun)


def test_an_interruption_reports_every_change_that_was_made(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C during the changes: running ones count as made, the rest is not started."""
    services = many(harness.world, 30, replicas=1)

    def interrupted(futures: list[Future[None]], **_: object) -> Never:
        futures[3].result()
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "wait", interrupted)
    assert harness.run(SERVICES=entries(services, 2), VERIFY_IMAGE="false").code == 11
    changed = {one.path.split("/")[-2] for one in harness.world.writes()}
    assert 4 <= len(changed) <= 30
    reported = {
        line.split("Now: ")[1].split()[0] for line in harness.output.splitlines() if "Now: " in line
    }
    assert reported == changed


def test_many_targets_do_not_fill_the_log(harness: Harness) -> None:
    """Rows that differ only in numbers are logged every few seconds."""
    services = many(harness.world, 20, replicas=6)
    assert harness.run(SERVICES=entries(services, 2), STABLE_SECONDS="0").code == 0
    rows = [line for line in harness.output.splitlines() if " s] svc-07  " in line]
    assert "6 pods up" in rows[-1]
    seconds = [int(row.split("[")[1].split(" s]")[0]) for row in rows]
    # A ready target is logged at once, whenever its last row was.
    pauses = [then - now for now, then in itertools.pairwise(seconds[:-1])]
    assert all(pause >= 4 for pause in pauses), rows
