"""Pods of failing images go through the states that Kubernetes shows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conformance.conftest import Client
from tests.sandbox import Behaviour, World
from tests.sandbox.behaviour import FATES, Fate
from tests.sandbox.kubelet import timeline
from tests.sandbox.service import Service
from tests.support.fake_clock import FakeClock


def bad_pod(client: Client, name: str = "web") -> dict[str, Any]:
    return next(pod for pod in client.pods(name) if pod["Containers"][0]["Image"].endswith(":bad"))


def descriptions(client: Client) -> list[str]:
    return [fault["Description"] for fault in client.v2("GetFaultsByTenant").json()]


def logs(client: Client, pod: dict[str, Any], container: int = 0) -> requests.Response:
    shown_container = pod["Containers"][container]
    body = {"HostName": pod["Host"], "DockerId": shown_container["DockerId"], "Tail": 2}
    return client.v2("findContainerLogs", body)


@pytest.fixture
def deploy(client: Client, world: World, web: Service) -> Callable[[Behaviour], None]:
    def deploy(behaviour: Behaviour) -> None:
        world.behave("team/web:bad", behaviour)
        client.deploy("team/web:bad")

    return deploy


def test_a_crash_loop_restarts_with_growing_pauses_and_a_fault(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None]
) -> None:
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


def test_the_pause_between_crashes_doubles_up_to_five_minutes() -> None:
    steps = itertools.islice(timeline(Behaviour("crash"), 2.0), 40)
    ups = [step.after for step in steps if step.status == 1]
    gaps = [round(later - earlier, 3) for earlier, later in itertools.pairwise(ups)]
    assert gaps[:7] == [1.0, 11.0, 21.0, 41.0, 81.0, 161.0, 301.0]


def test_a_crashing_pod_without_a_probe_still_replaces_old_pods(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None]
) -> None:
    deploy(Behaviour("crash", ready=True, up_seconds=3))
    clock.advance(2.5)
    assert ("1", 1, 5) in client.statuses()


def test_a_pull_error_shows_in_status_and_fault_and_leaves_no_log(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None]
) -> None:
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


def test_the_fault_of_a_temporary_pull_error_outlives_it(
    client: Client, clock: FakeClock, world: World, deploy: Callable[[Behaviour], None]
) -> None:
    deploy(Behaviour("pull-error-passing", passes_after=5))
    clock.advance(5)
    assert bad_pod(client)["CurrentStatus"] == 1
    assert len(descriptions(client)) == 2
    clock.advance(15)
    assert client.statuses() == [("bad", 1, 1), ("bad", 1, 1)]
    assert descriptions(client)
    clock.advance(world.fault_linger)
    assert descriptions(client) == []


def test_a_pod_that_is_never_ready_stays_pending_with_a_warning(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None]
) -> None:
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
def test_other_failures_have_their_own_status_and_fault(
    client: Client, deploy: Callable[[Behaviour], None], fate: Fate, status: int, word: str
) -> None:
    deploy(Behaviour(fate))
    client.clock.advance(5)
    pod = bad_pod(client)
    assert pod["CurrentStatus"] == status
    assert word in descriptions(client)[0]
    assert (pod["Host"] == "") == (fate == "unschedulable")


@pytest.mark.parametrize("fate", [fate for fate in FATES if fate != "run"])
def test_every_failure_can_be_temporary(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None], fate: Fate
) -> None:
    deploy(Behaviour(fate, passes_after=8))
    clock.advance(40)
    assert client.statuses() == [("bad", 1, 1), ("bad", 1, 1)]


def test_a_sidecar_may_crash_instead_of_the_main_container(
    client: Client, clock: FakeClock, world: World
) -> None:
    world.add_service("api", "team/api:1", sidecars={"log": "team/log:3"})
    world.behave("team/log:bad", Behaviour("crash", log=["no disk"]))
    client.put_images({"log": "team/log:bad"}, "api")
    clock.advance(5)
    pod = next(pod for pod in client.pods("api") if pod["CurrentStatus"] == 4)
    main, sidecar = pod["Containers"]
    assert (main["RestartCount"], sidecar["RestartCount"]) == (0, 1)
    assert logs(client, pod, 1).json()["Data"] == "no disk\n"
    assert "container log" in descriptions(client)[0]


def test_azure_faults_name_the_service(client: Client, clock: FakeClock, world: World) -> None:
    world.add_service("az", "team/az:1", cloud=2)
    world.behave("team/az:bad", Behaviour("crash"))
    client.deploy("team/az:bad", "az")
    clock.advance(5)
    fault = client.v2("GetFaultsByTenant").json()[0]
    assert fault["ResourceName"] == "az"
    assert "Resource" not in fault
    assert bad_pod(client, "az")["ControlledBy"] is None


def test_an_unknown_fate_is_rejected() -> None:
    with pytest.raises(ValueError, match="unknown fate"):
        Behaviour("explode")  # type: ignore[arg-type]
