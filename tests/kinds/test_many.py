"""Many targets: side by side, one loop, all or nothing."""

from __future__ import annotations

import itertools
import threading
from collections import Counter

from pipe import parallel
from pipe.dependencies import Dependencies
from pipe.parallel import MOST_THREADS, run_concurrently
from pipe.run import run
from tests.sandbox import ApiFault, Behaviour, WsgiAdapter, create_app


def many(world, count, replicas=3):
    names = [f"svc-{number:02d}" for number in range(count)]
    return [world.add_service(name, f"team/{name}:1", replicas=replicas) for name in names]


def entries(services, tag):
    return " ".join(f"{one.name}=team/{one.name}:{tag}" for one in services)


def test_twenty_services_take_no_more_requests_than_promised(stage):
    """20 services of 3 pods, 5 s rollout: 45 requests, 1.5 s beyond rollout and STABLE_SECONDS."""
    stage.world.rollout_seconds = 5 / 3
    services = many(stage.world, 20)
    assert stage.run(SERVICES=entries(services, 2)).code == 0
    assert {one.image.rsplit(":", 1)[1] for one in services} == {"2"}
    assert len(stage.world.log) <= 45
    assert stage.world.clock.elapsed <= 5 + 5 + 1.5


def test_a_look_costs_the_same_for_few_and_many(stage):
    """Reads are of the whole tenant."""
    reads = []
    for count in (2, 12):
        stage.world.clear()
        stage.world.add_tenant("dev01")
        assert stage.run(SERVICES=entries(many(stage.world, count), 2)).code == 0
        paths = (one.path for one in stage.world.log if one.method == "GET")
        reads.append(Counter(path.rsplit("/", 1)[1] for path in paths))
    assert reads[0] == reads[1]
    assert reads[0]["GetPods"] <= stage.world.clock.elapsed


def test_one_of_twenty_crashes_and_all_come_back(stage):
    """All are verified on the old image, restarted no more than going and coming back takes."""
    services = many(stage.world, 20)
    stage.world.behave("team/svc-07:2", Behaviour("crash", log=["boom"]))
    assert stage.run(SERVICES=entries(services, 2), ROLLBACK="true").code == 8
    for one in services:
        pods = [pod for pod in one.pods if not pod.leaving]
        assert [pod.image for pod in pods] == [f"team/{one.name}:1"] * 3
        assert all(pod.ready for pod in pods)
    # Three pods there and three back for a good one; the bad one never replaced an old pod.
    assert all(one.starts <= 6 for one in services)
    assert services[7].starts == 1
    assert "boom" in stage.output
    puts = [one.path.split("/")[-2] for one in stage.world.writes()]
    assert puts[20:] == [one.name for one in reversed(services)]


def test_without_rollback_each_target_is_told(stage):
    """Whoever reads the log knows what runs where."""
    services = many(stage.world, 5, replicas=1)
    stage.world.behave("team/svc-02:2", Behaviour("crash"))
    assert stage.run(SERVICES=entries(services, 2)).code == 10
    for one in services:
        assert f"Now: {one.name} is set to team/{one.name}:2" in stage.output
    assert len(stage.world.writes()) == 5


def test_what_somebody_else_took_over_stays_theirs(stage):
    """The others come back; the run says which one did not, and why."""
    services = many(stage.world, 4, replicas=1)
    stage.world.behave("team/svc-00:2", Behaviour("crash"))
    taken = services[1]
    stage.world.intrude(
        lambda _: taken.set_images({"duplo-main-container": "team/theirs:9"}, "somebody"),
        when=("POST", "findContainerLogs$", 1),
    )
    assert stage.run(SERVICES=entries(services, 2), ROLLBACK="true").code == 7
    assert [one.image for one in services] == [
        "team/svc-00:1",
        "team/theirs:9",
        "team/svc-02:1",
        "team/svc-03:1",
    ]
    assert "svc-01: another deployment changed it meanwhile" in stage.output


def test_a_refused_change_brings_the_others_back(stage):
    """All or nothing, from the first write on."""
    services = many(stage.world, 6, replicas=1)
    stage.world.script(ApiFault("PUT", "svc-03/containerimage$", status=403, body="no", times=9))
    assert stage.run(SERVICES=entries(services, 2), ROLLBACK="true").code == 8
    assert {one.image.rsplit(":", 1)[1] for one in services} == {"1"}


def test_every_wrong_name_is_told_with_its_neighbour(stage):
    """Drivers and containers included, in one run."""
    world = stage.world
    world.add_service("web", "team/web:1", sidecars={"log": "log:1"})
    world.ecs.add("billing", "team/billing:1")
    world.functions.add("resize", "team/resize:1")
    world.cronjobs.add("nightly", "team/batch:1")
    wrong = "wep=a:1 ecs:biling=a:1 lambda:resise=a:1 cronjob:nightli=a:1 web/lock=a:1"
    assert stage.run(SERVICES=wrong).code == 4
    for near in ("web", "billing", "resize", "nightly"):
        assert f"Did you mean {near}?" in stage.output
    assert 'no container of web called "lock"' in stage.output
    assert world.writes() == []


def test_all_kinds_go_together(stage):
    """One plan, one loop, one table; a failure of one brings back all."""
    world = stage.world
    web = world.add_service("web", "team/web:1", replicas=2)
    api = world.ecs.add("api", "team/api:1")
    resize = world.functions.add("resize", "team/resize:1")
    nightly = world.cronjobs.add("nightly", "team/batch:1", any_host=True)
    things = (web, api, resize, nightly)
    wanted = "web=t:{0} ecs:api=t:{0} lambda:resize=t:{0} cronjob:nightly=t:{0}"
    assert stage.run(SERVICES=wanted.format(2)).code == 0
    assert [one.image for one in things] == ["t:2"] * 4
    world.behave("t:3", Behaviour("crash"))
    resize.world.behave("t:3", Behaviour("crash"))
    assert stage.run(SERVICES=wanted.format(3), ROLLBACK="true").code == 8
    assert [one.image for one in things] == ["t:2"] * 4
    assert nightly.any_host


def test_the_table_has_a_row_for_what_changed_only(stage):
    """A target that stands still is silent until the sign of life."""
    world = stage.world
    world.add_service("web", "team/web:1")
    world.cronjobs.add("nightly", "team/batch:1")
    assert stage.run(SERVICES="web=team/web:2 cronjob:nightly=team/batch:2").code == 0
    rows = [line for line in stage.output.splitlines() if "cronjob:nightly  " in line]
    assert len(rows) == 1
    assert stage.output.count("target           state") == 1


def test_a_slow_portal_is_asked_a_tenth_of_the_time(stage):
    """Pauses grow with the portal's own answer time."""
    world = stage.world
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
    assert asked <= 0.13 * (world.clock.elapsed + 1000 - max(writes))


def test_no_more_than_a_handful_at_a_time():
    """Bounded, and everything gets its turn."""
    lock, running, most, done = threading.Lock(), [0], [0], []
    gate = threading.Barrier(MOST_THREADS)

    def act(thing):
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


def test_after_a_failure_nothing_more_is_begun():
    """What is in flight comes to its end, and every failure is handed out."""
    begun = []
    gate = threading.Barrier(MOST_THREADS)

    def act(thing):
        begun.append(thing)
        if len(begun) <= MOST_THREADS:  # one that ended may begin another before anybody looks
            gate.wait(10)
        raise ValueError(thing)

    errors = run_concurrently(act, range(100))
    assert len(begun) < 100
    assert sorted(str(error) for error in errors) == sorted(str(thing) for thing in begun)


def test_an_interruption_leaves_nothing_unsaid(stage, monkeypatch):
    """Ctrl-C during the changes: those in flight are noted as made, the rest is not begun."""
    services = many(stage.world, 30, replicas=1)

    def interrupted(futures, **_):
        futures[3].result()
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "wait", interrupted)
    assert stage.run(SERVICES=entries(services, 2), VERIFY_IMAGE="false").code == 11
    changed = {one.path.split("/")[-2] for one in stage.world.writes()}
    assert 4 <= len(changed) <= 30
    told = {
        line.split("Now: ")[1].split()[0] for line in stage.output.splitlines() if "Now: " in line
    }
    assert told == changed


def test_many_targets_do_not_fill_the_log(stage):
    """Twenty rollouts of six pods: rows for what is new at once, for mere numbers now and then."""
    services = many(stage.world, 20, replicas=6)
    assert stage.run(SERVICES=entries(services, 2), STABLE_SECONDS="0").code == 0
    rows = [line for line in stage.output.splitlines() if " s] svc-07  " in line]
    assert "6 pods up" in rows[-1]
    seconds = [int(row.split("[")[1].split(" s]")[0]) for row in rows]
    # What is ready is told at once, whenever the last row was.
    pauses = [then - now for now, then in itertools.pairwise(seconds[:-1])]
    assert all(pause >= 4 for pause in pauses), rows
