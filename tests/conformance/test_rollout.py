"""Rollouts in the sandbox proceed as in Kubernetes, and take time."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Client
from tests.sandbox import Behaviour, World
from tests.sandbox.service import ActiveCount, Service
from tests.sandbox.strategy import Strategy
from tests.support.fake_clock import FakeClock


def test_old_pods_stay_until_new_ones_are_up(
    client: Client, clock: FakeClock, web: Service
) -> None:
    client.deploy("team/web:2")
    clock.advance(1)
    assert client.statuses() == [("1", 1, 1), ("1", 1, 1), ("2", 3, 1)]
    clock.advance(1)
    assert client.statuses() == [("1", 1, 1), ("1", 1, 5), ("2", 1, 1), ("2", 3, 1)]
    clock.advance(2)
    assert client.statuses() == [("1", 1, 5), ("1", 1, 5), ("2", 1, 1), ("2", 1, 1)]
    clock.advance(4)
    assert client.statuses() == [("1", 1, 5), ("2", 1, 1), ("2", 1, 1)]
    clock.advance(2)
    assert client.statuses() == [("2", 1, 1), ("2", 1, 1)]
    assert web.starts == 2


def test_the_frequency_of_reads_makes_no_difference(
    client: Client, clock: FakeClock, web: Service
) -> None:
    client.deploy("team/web:2")
    for _ in range(100):
        clock.advance(0.1)
        client.pods()
    assert client.statuses() == [("2", 1, 1), ("2", 1, 1)]
    often = [pod.name for pod in web.pods]
    client.deploy("team/web:3")
    clock.advance(10)
    assert client.statuses() == [("3", 1, 1), ("3", 1, 1)]
    assert web.starts == 4
    assert len(often) == 2


def test_a_rollback_reuses_the_previous_replica_set(
    client: Client, clock: FakeClock, web: Service
) -> None:
    before = {pod["ControlledBy"]["NativeId"] for pod in client.pods()}
    client.deploy("team/web:2")
    clock.advance(10)
    client.deploy("team/web:1")
    clock.advance(10)
    assert {pod["ControlledBy"]["NativeId"] for pod in client.pods()} == before
    assert web.starts == 4


def test_a_rollback_from_a_crash_starts_no_new_pods(
    client: Client, clock: FakeClock, world: World, web: Service
) -> None:
    world.behave("team/web:bad", Behaviour("crash"))
    first = [pod.name for pod in web.pods]
    client.deploy("team/web:bad")
    clock.advance(10)
    client.deploy("team/web:1")
    clock.advance(world.leave_seconds)
    assert [pod.name for pod in web.pods] == first
    assert web.starts == 1


def test_a_deploy_over_a_stuck_rollout_removes_its_pods_first(
    client: Client, clock: FakeClock, world: World, web: Service
) -> None:
    world.behave("team/web:bad", Behaviour("crash"))
    client.deploy("team/web:bad")
    clock.advance(10)
    client.deploy("team/web:3")
    clock.advance(10)
    assert client.statuses() == [("3", 1, 1), ("3", 1, 1)]


def test_setting_the_same_image_changes_the_deploy_time_and_no_pod(
    client: Client, clock: FakeClock, web: Service
) -> None:
    clock.advance(60)
    before = client.service()
    client.deploy("team/web:1")
    clock.advance(10)
    after = client.service()
    assert after["LastDeployedAt"] > before["LastDeployedAt"]
    assert after["LastDeployedBy"] == "ci-bot"
    assert (web.starts, len(web.generations)) == (0, 1)


def test_a_portal_may_restart_pods_for_the_same_image(
    client: Client, clock: FakeClock, world: World, web: Service
) -> None:
    world.same_image_restarts = True
    client.deploy("team/web:1")
    clock.advance(10)
    assert web.starts == 2


def test_a_restart_replaces_all_pods_with_the_same_image(
    client: Client, clock: FakeClock, web: Service
) -> None:
    before = client.service()
    names = {pod["ControlledBy"]["NativeId"] for pod in client.pods()}
    client.v2("ReplicationControllerReboot/web", {})
    clock.advance(10)
    after = client.service()
    assert after["Template"]["RestartTime"]
    assert after["LastDeployedAt"] == before["LastDeployedAt"]
    assert names.isdisjoint(pod["ControlledBy"]["NativeId"] for pod in client.pods())
    assert client.statuses() == [("1", 1, 1), ("1", 1, 1)]


def test_a_stateful_set_replaces_its_pods_one_at_a_time(
    client: Client, clock: FakeClock, world: World
) -> None:
    world.add_service("db", "team/db:1", replicas=2, statefulset=True)
    client.deploy("team/db:2", "db")
    assert client.statuses("db") == [("1", 1, 1), ("1", 1, 5)]
    clock.advance(world.leave_seconds)
    assert client.statuses("db") == [("1", 1, 1), ("2", 3, 1)]
    clock.advance(20)
    assert client.statuses("db") == [("2", 1, 1), ("2", 1, 1)]
    assert sorted(pod["InstanceId"] for pod in client.pods("db")) == ["db-0", "db-1"]
    assert client.pods("db")[0]["ControlledBy"] == {
        "QualifiedType": "kubernetes:apps/v1/StatefulSet",
        "NativeId": "db",
    }


def test_a_broken_stateful_set_blocks_its_rollback(
    client: Client, clock: FakeClock, world: World
) -> None:
    world.behave("team/db:bad", Behaviour("crash"))
    world.add_service("db", "team/db:1", replicas=2, statefulset=True)
    client.deploy("team/db:bad", "db")
    clock.advance(20)
    client.deploy("team/db:1", "db")
    clock.advance(200)
    assert [tag for tag, _, _ in client.statuses("db")] == ["1", "bad"]


def test_a_daemon_set_has_one_pod_per_host(client: Client, clock: FakeClock, world: World) -> None:
    world.add_service("agent", "team/agent:1", daemonset=True)
    client.deploy("team/agent:2", "agent")
    clock.advance(30)
    pods = client.pods("agent")
    assert client.statuses("agent") == [("2", 1, 1)] * 3
    assert {pod["ControlledBy"]["NativeId"] for pod in pods} == {"agent"}


def test_the_autoscaler_decides_the_count(client: Client, clock: FakeClock, world: World) -> None:
    service = world.add_service("worker", "team/worker:1", hpa=(2, 6), hpa_replicas=4)
    body = client.service("worker")
    assert (body["Replicas"], body["ReplicasActive"]) == (1, 4)
    assert (body["HPASpecs"]["minReplicas"], body["HPASpecs"]["maxReplicas"]) == (2, 6)
    client.deploy("team/worker:2", "worker")
    clock.advance(30)
    assert client.statuses("worker") == [("2", 1, 1)] * 4
    assert service.starts == 4


def test_native_docker_marks_the_pod_that_leaves_next(
    client: Client, clock: FakeClock, world: World
) -> None:
    world.add_service("nat", "team/nat:1", replicas=2, platform=0)
    world.behave("team/nat:bad", Behaviour("never-ready"))
    client.deploy("team/nat:bad", "nat")
    clock.advance(60)
    assert client.statuses("nat") == [("1", 1, 1), ("1", 3, 5), ("bad", 3, 1)]
    assert {pod["ControlledBy"] for pod in client.pods("nat")} == {None}


def test_a_stopped_service_starts_with_as_many_pods_as_before(
    client: Client, clock: FakeClock, web: Service
) -> None:
    client.v2("ReplicationControllerStop/web", {})
    clock.advance(6)
    stopped = client.service()
    assert client.pods() == []
    assert (stopped["Replicas"], stopped["ReplicasPrev"]) == (0, 2)
    client.deploy("team/web:2")
    clock.advance(5)
    assert client.pods() == []
    client.v2("ReplicationControllerStart/web", {})
    clock.advance(5)
    assert client.statuses() == [("2", 1, 1), ("2", 1, 1)]


def test_the_later_of_two_deployments_wins(
    client: Client, clock: FakeClock, world: World, web: Service
) -> None:
    world.intrude(lambda _: web.set_images({"duplo-main-container": "team/web:9"}, "eve"), after=3)
    client.deploy("team/web:2")
    clock.advance(20)
    assert client.statuses() == [("9", 1, 1), ("9", 1, 1)]
    assert client.service()["LastDeployedBy"] == "eve"


def test_recreate_ends_every_previous_pod_before_the_first_new_one(
    client: Client, clock: FakeClock, world: World
) -> None:
    """In between there is no pod at all: the moment that no recording reached."""
    strategy = {"DeploymentStrategy": {"Type": "Recreate"}}
    world.add_service("cron", "team/cron:1", replicas=2, other_docker_config=strategy)
    client.deploy("team/cron:2", "cron")
    clock.advance(world.leave_seconds - 0.5)
    assert client.statuses("cron") == [("1", 1, 5), ("1", 1, 5)]
    clock.advance(1)
    assert client.statuses("cron") == [("2", 3, 1), ("2", 3, 1)]
    clock.advance(world.rollout_seconds)
    assert client.statuses("cron") == [("2", 1, 1), ("2", 1, 1)]


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable"), [(1, 1, 0), (3, 1, 0), (4, 1, 1), (10, 3, 2)]
)
def test_a_quarter_more_is_rounded_up_and_a_quarter_fewer_down(
    replicas: int, surge: int, unavailable: int
) -> None:
    strategy = Strategy()
    assert (strategy.surge(replicas), strategy.unavailable(replicas)) == (surge, unavailable)


@pytest.mark.parametrize(("counts", "count"), [(True, 2), ("existing", 3), ("ready", 2)])
def test_the_active_count_is_of_wanted_existing_or_ready_pods(
    client: Client, clock: FakeClock, world: World, counts: ActiveCount, count: int
) -> None:
    world.behave("team/web:bad", Behaviour("never-ready"))
    world.add_service("web", "team/web:1", replicas=2, replicas_active=counts)
    client.deploy("team/web:bad")
    clock.advance(10)
    assert client.service()["ReplicasActive"] == count


def test_an_evicted_pod_is_replaced_and_its_object_stays(
    client: Client, clock: FakeClock, web: Service
) -> None:
    evicted = web.evict().name
    clock.advance(10)
    assert client.statuses() == [("1", 1, 1), ("1", 1, 1), ("1", 10, 1)]
    fault = client.v2("GetFaultsByTenant").json()[0]
    assert fault["Resource"]["Name"] == evicted
    assert "low on resource" in fault["Description"]


def test_a_quota_is_a_fault_of_the_replica_set_and_makes_no_pod(
    client: Client, clock: FakeClock, world: World, web: Service
) -> None:
    world.limit_pods(2)
    client.deploy("team/web:2")
    clock.advance(30)
    assert client.statuses() == [("1", 1, 1), ("1", 1, 1)]
    fault = client.v2("GetFaultsByTenant").json()[0]
    assert fault["Resource"]["Name"] == web.generation
    assert "exceeded quota" in fault["Description"]
    world.limit_pods(None)
    clock.advance(10)
    assert client.statuses()[-2:] == [("2", 1, 1), ("2", 1, 1)]


def test_pods_of_lost_nodes_look_as_before_and_serve_nothing(
    client: Client, clock: FakeClock, world: World, web: Service
) -> None:
    world.lose_nodes()
    clock.advance(30)
    assert client.statuses() == [("1", 1, 1), ("1", 1, 1)]
    assert not any(pod["IsLbRegistered"] for pod in client.pods())
    world.lose_nodes(False)
    assert all(pod["IsLbRegistered"] for pod in client.pods())
