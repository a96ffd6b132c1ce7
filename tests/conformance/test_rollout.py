"""Rollouts in the sandbox go as they do in Kubernetes, and take time."""

from __future__ import annotations

import pytest

from tests.sandbox import Behaviour


def test_old_pods_stay_until_new_ones_are_up(client, clock, web):
    client.deploy("team/web:2")
    clock.advance(1)
    assert client.statuses() == [("1", 1, 1), ("1", 1, 1), ("2", 3, 1)]
    clock.advance(1)
    assert client.statuses() == [("1", 1, 1), ("1", 1, 5), ("2", 1, 1), ("2", 3, 1)]
    clock.advance(2)
    assert client.statuses() == [("1", 1, 5), ("2", 1, 1), ("2", 1, 1)]
    clock.advance(2)
    assert client.statuses() == [("2", 1, 1), ("2", 1, 1)]
    assert web.starts == 2


def test_looking_often_or_seldom_makes_no_difference(client, clock, web):
    client.deploy("team/web:2")
    for _ in range(60):
        clock.advance(0.1)
        client.pods()
    assert client.statuses() == [("2", 1, 1), ("2", 1, 1)]
    often = [pod.name for pod in web.pods]
    client.deploy("team/web:3")
    clock.advance(6)
    assert client.statuses() == [("3", 1, 1), ("3", 1, 1)]
    assert web.starts == 4
    assert len(often) == 2


def test_going_back_brings_the_earlier_replica_set_back(client, clock, web):
    before = {pod["ControlledBy"]["NativeId"] for pod in client.pods()}
    client.deploy("team/web:2")
    clock.advance(10)
    client.deploy("team/web:1")
    clock.advance(10)
    assert {pod["ControlledBy"]["NativeId"] for pod in client.pods()} == before
    assert web.starts == 4


def test_going_back_from_a_crash_needs_no_new_pods(client, clock, world, web):
    world.behave("team/web:bad", Behaviour("crash"))
    first = [pod.name for pod in web.pods]
    client.deploy("team/web:bad")
    clock.advance(10)
    client.deploy("team/web:1")
    clock.advance(5)
    assert [pod.name for pod in web.pods] == first
    assert web.starts == 1


def test_a_deploy_over_a_stuck_one_makes_room_first(client, clock, world, web):
    world.behave("team/web:bad", Behaviour("crash"))
    client.deploy("team/web:bad")
    clock.advance(10)
    client.deploy("team/web:3")
    clock.advance(10)
    assert client.statuses() == [("3", 1, 1), ("3", 1, 1)]


def test_the_same_image_changes_the_stamp_and_no_pod(client, clock, web):
    clock.advance(60)
    before = client.service()
    client.deploy("team/web:1")
    clock.advance(10)
    after = client.service()
    assert after["LastDeployedAt"] > before["LastDeployedAt"]
    assert after["LastDeployedBy"] == "ci-bot"
    assert (web.starts, len(web.generations)) == (0, 1)


def test_a_world_may_restart_on_the_same_image(client, clock, world, web):
    world.same_image_restarts = True
    client.deploy("team/web:1")
    clock.advance(10)
    assert web.starts == 2


def test_restart_makes_a_new_generation_with_the_same_image(client, clock, web):
    before = client.service()
    names = {pod["ControlledBy"]["NativeId"] for pod in client.pods()}
    client.v2("ReplicationControllerReboot/web", {})
    clock.advance(10)
    after = client.service()
    assert after["Template"]["RestartTime"]
    assert after["LastDeployedAt"] == before["LastDeployedAt"]
    assert names.isdisjoint(pod["ControlledBy"]["NativeId"] for pod in client.pods())
    assert client.statuses() == [("1", 1, 1), ("1", 1, 1)]


def test_a_stateful_set_replaces_its_pods_one_at_a_time(client, clock, world):
    world.add_service("db", "team/db:1", replicas=2, statefulset=True)
    client.deploy("team/db:2", "db")
    assert client.statuses("db") == [("1", 1, 1), ("1", 1, 5)]
    clock.advance(2)
    assert client.statuses("db") == [("1", 1, 1), ("2", 3, 1)]
    clock.advance(20)
    assert client.statuses("db") == [("2", 1, 1), ("2", 1, 1)]
    assert sorted(pod["InstanceId"] for pod in client.pods("db")) == ["db-0", "db-1"]
    assert client.pods("db")[0]["ControlledBy"] == {
        "QualifiedType": "kubernetes:apps/v1/StatefulSet",
        "NativeId": "db",
    }


@pytest.mark.parametrize("sticks", [False, True])
def test_a_broken_stateful_set_may_block_the_way_back(client, clock, world, sticks):
    world.statefulset_sticks = sticks
    world.behave("team/db:bad", Behaviour("crash"))
    world.add_service("db", "team/db:1", replicas=2, statefulset=True)
    client.deploy("team/db:bad", "db")
    clock.advance(20)
    client.deploy("team/db:1", "db")
    clock.advance(20)
    tags = [tag for tag, _, _ in client.statuses("db")]
    assert tags == (["1", "bad"] if sticks else ["1", "1"])


def test_a_daemon_set_has_one_pod_per_host(client, clock, world):
    world.add_service("agent", "team/agent:1", daemonset=True)
    client.deploy("team/agent:2", "agent")
    clock.advance(30)
    pods = client.pods("agent")
    assert client.statuses("agent") == [("2", 1, 1)] * 3
    assert {pod["ControlledBy"]["NativeId"] for pod in pods} == {"agent"}


def test_the_autoscaler_decides_the_count(client, clock, world):
    service = world.add_service("worker", "team/worker:1", hpa=(2, 6), hpa_replicas=4)
    shown = client.service("worker")
    assert (shown["Replicas"], shown["ReplicasActive"]) == (1, 4)
    assert (shown["HPASpecs"]["minReplicas"], shown["HPASpecs"]["maxReplicas"]) == (2, 6)
    client.deploy("team/worker:2", "worker")
    clock.advance(30)
    assert client.statuses("worker") == [("2", 1, 1)] * 4
    assert service.starts == 4


def test_native_docker_shows_which_pod_goes_next(client, clock, world):
    world.add_service("nat", "team/nat:1", replicas=2, platform=0)
    world.behave("team/nat:bad", Behaviour("never-ready"))
    client.deploy("team/nat:bad", "nat")
    clock.advance(60)
    assert client.statuses("nat") == [("1", 1, 1), ("1", 3, 5), ("bad", 3, 1)]
    assert {pod["ControlledBy"] for pod in client.pods("nat")} == {None}


def test_stop_and_start(client, clock, web):
    client.v2("ReplicationControllerStop/web", {})
    clock.advance(2)
    stopped = client.service()
    assert client.pods() == []
    assert (stopped["Replicas"], stopped["ReplicasPrev"]) == (0, 2)
    client.deploy("team/web:2")
    clock.advance(5)
    assert client.pods() == []
    client.v2("ReplicationControllerStart/web", {})
    clock.advance(5)
    assert client.statuses() == [("2", 1, 1), ("2", 1, 1)]


def test_somebody_elses_change_wins(client, clock, world, web):
    world.intrude(lambda _: web.set_images({"duplo-main-container": "team/web:9"}, "eve"), after=3)
    client.deploy("team/web:2")
    clock.advance(20)
    assert client.statuses() == [("9", 1, 1), ("9", 1, 1)]
    assert client.service()["LastDeployedBy"] == "eve"
