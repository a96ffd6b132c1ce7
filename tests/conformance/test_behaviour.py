"""What becomes of pods whose image is known for trouble."""

from __future__ import annotations

import itertools

import pytest

from tests.sandbox import Behaviour
from tests.sandbox.behaviour import FATES, timeline


def bad_pod(client, name="web"):
    return next(pod for pod in client.pods(name) if pod["Containers"][0]["Image"].endswith(":bad"))


def descriptions(client):
    return [fault["Description"] for fault in client.v2("GetFaultsByTenant").json()]


def logs(client, pod, container=0):
    shown = pod["Containers"][container]
    asked = {"HostName": pod["Host"], "DockerId": shown["DockerId"], "Tail": 2}
    return client.v2("findContainerLogs", asked)


@pytest.fixture
def deploy(client, world, web):
    def deploy(behaviour):
        world.behave("team/web:bad", behaviour)
        client.deploy("team/web:bad")

    return deploy


def test_a_crash_loop(client, clock, deploy):
    deploy(Behaviour("crash", log=["one", "two", "boom"]))
    clock.advance(2.5)
    pod = bad_pod(client)
    assert (pod["CurrentStatus"], pod["Containers"][0]["RestartCount"]) == (1, 0)
    assert descriptions(client) == []
    clock.advance(1)
    assert bad_pod(client)["Containers"][0]["RestartCount"] == 1
    clock.advance(1)
    pod = bad_pod(client)
    assert pod["CurrentStatus"] == 4
    state = pod["Containers"][0]["LastContainerState"]
    assert state["waiting"]["reason"] == "CrashLoopBackOff"
    assert descriptions(client) == [
        f"Back-off restarting failed container web in pod {pod['InstanceId']}"
    ]
    assert logs(client, pod).json()["Data"] == "two\nboom\n"
    clock.advance(10)
    again = bad_pod(client)
    assert (again["CurrentStatus"], again["Containers"][0]["RestartCount"]) == (1, 2)
    assert client.statuses()[:2] == [("1", 1, 1), ("1", 1, 1)]


def test_the_pause_between_crashes_grows():
    steps = itertools.islice(timeline(Behaviour("crash"), 2.0), 40)
    ups = [step.after for step in steps if step.status == 1]
    gaps = [round(later - sooner, 3) for sooner, later in itertools.pairwise(ups)]
    assert gaps[:7] == [1.0, 11.0, 21.0, 41.0, 81.0, 161.0, 301.0]


def test_a_crash_without_probe_lets_the_old_pods_go(client, clock, deploy):
    deploy(Behaviour("crash", ready=True, up_seconds=3))
    clock.advance(2.5)
    assert ("1", 1, 5) in client.statuses()


def test_a_pull_error(client, clock, deploy):
    deploy(Behaviour("pull-error"))
    clock.advance(1.5)
    assert bad_pod(client)["CurrentStatus"] == 9
    assert descriptions(client) == ['Failed to pull image "team/web:bad": not found']
    clock.advance(2)
    pod = bad_pod(client)
    state = pod["Containers"][0]["LastContainerState"]
    assert (pod["CurrentStatus"], state["waiting"]["reason"]) == (4, "ImagePullBackOff")
    assert pod["Containers"][0]["DockerId"] == ""
    assert logs(client, pod).status_code == 400


def test_a_passing_pull_error_leaves_its_fault_behind(client, clock, world, deploy):
    deploy(Behaviour("pull-error-passing", passes_after=5))
    clock.advance(5)
    assert bad_pod(client)["CurrentStatus"] == 1
    assert len(descriptions(client)) == 2
    clock.advance(15)
    assert client.statuses() == [("bad", 1, 1), ("bad", 1, 1)]
    assert descriptions(client)
    clock.advance(world.fault_linger)
    assert descriptions(client) == []


def test_never_ready(client, clock, deploy):
    deploy(Behaviour("never-ready"))
    clock.advance(100)
    assert bad_pod(client)["CurrentStatus"] == 3
    fault = client.v2("GetFaultsByTenant").json()[0]
    assert fault["Severity"] == 3
    assert "Readiness probe failed" in fault["Description"]


@pytest.mark.parametrize(
    ("fate", "status", "word"),
    [
        ("unschedulable", 8, "nodes are available"),
        ("failed", 7, "failed"),
        ("evicted", 10, "evicted"),
        ("config-error", 4, "secret"),
    ],
)
def test_other_ends(client, deploy, fate, status, word):
    deploy(Behaviour(fate))
    client.clock.advance(5)
    pod = bad_pod(client)
    assert pod["CurrentStatus"] == status
    assert word in descriptions(client)[0]
    assert (pod["Host"] == "") == (fate == "unschedulable")


@pytest.mark.parametrize("fate", [fate for fate in FATES if fate != "run"])
def test_everything_can_pass(client, clock, deploy, fate):
    deploy(Behaviour(fate, passes_after=8))
    clock.advance(40)
    assert client.statuses() == [("bad", 1, 1), ("bad", 1, 1)]


def test_a_sidecar_can_be_the_one_that_crashes(client, clock, world):
    world.add_service("api", "team/api:1", sidecars={"log": "team/log:3"})
    world.behave("team/log:bad", Behaviour("crash", log=["no disk"]))
    client.put_images({"log": "team/log:bad"}, "api")
    clock.advance(5)
    pod = next(pod for pod in client.pods("api") if pod["CurrentStatus"] == 4)
    main, sidecar = pod["Containers"]
    assert (main["RestartCount"], sidecar["RestartCount"]) == (0, 1)
    assert logs(client, pod, 1).json()["Data"] == "no disk\n"
    assert "container log" in descriptions(client)[0]


def test_azure_faults_name_the_service(client, clock, world):
    world.add_service("az", "team/az:1", cloud=2)
    world.behave("team/az:bad", Behaviour("crash"))
    client.deploy("team/az:bad", "az")
    clock.advance(5)
    fault = client.v2("GetFaultsByTenant").json()[0]
    assert fault["ResourceName"] == "az"
    assert "Resource" not in fault
    assert bad_pod(client, "az")["ControlledBy"] is None


def test_a_fate_must_be_known():
    with pytest.raises(ValueError, match="unknown fate"):
        Behaviour("explode")  # type: ignore[arg-type]
