"""Pods of failing images go through the states that Kubernetes shows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conformance.conftest import Client
from tests.kubernetes.portal_view import VARIANTS
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
    assert (pod["CurrentStatus"], restarts_and_reason(pod)) == (1, (0, "Error"))
    assert descriptions(client) == []
    clock.advance(1)
    pod = bad_pod(client)
    assert restarts_and_reason(pod) == (1, "Error")
    assert descriptions(client) == [
        f"Back-off restarting failed container web in pod {pod['InstanceId']}"
    ]
    clock.advance(1)
    pod = bad_pod(client)
    assert (pod["CurrentStatus"], restarts_and_reason(pod)) == (4, (1, "CrashLoopBackOff"))
    assert logs(client, pod).json()["Data"] == "two\nboom\n"
    clock.advance(15)
    again = bad_pod(client)
    assert (again["CurrentStatus"], restarts_and_reason(again)) == (1, (2, "Error"))
    assert client.statuses()[:2] == [("1", 1, 1), ("1", 1, 1)]


def restarts_and_reason(pod: dict[str, Any]) -> tuple[int, str]:
    container = pod["Containers"][0]
    (state,) = container["LastContainerState"].values()
    return container["RestartCount"], state.get("reason", "")


def test_the_pause_between_crashes_doubles_up_to_five_minutes() -> None:
    """Each pause ends with the next look of the kubelet, once in 14 s."""
    steps = itertools.islice(timeline(Behaviour("crash"), 2.0), 40)
    ends = [step.after for step in steps if "terminated" in step.state]
    gaps = [round(later - earlier, 3) for earlier, later in itertools.pairwise(ends)]
    assert gaps[:8] == [1.0, 15.0, 28.0, 42.0, 84.0, 168.0, 308.0, 308.0]


def test_an_image_that_crashes_twice_serves_from_the_third_start(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None]
) -> None:
    deploy(Behaviour("crash", crashes=2))
    clock.advance(19)
    assert restarts_and_reason(bad_pod(client)) == (2, "")
    clock.advance(25)
    assert client.statuses() == [("bad", 1, 1), ("bad", 1, 1)]


def test_only_the_first_pods_of_an_image_may_misbehave(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None]
) -> None:
    """The object of an evicted pod stays, and its ReplicaSet makes another."""
    deploy(Behaviour("evicted", pods=1))
    clock.advance(60)
    assert client.statuses() == [("bad", 1, 1), ("bad", 1, 1), ("bad", 10, 1)]
    client.deploy("team/web:3")
    clock.advance(60)
    assert client.statuses() == [("3", 1, 1), ("3", 1, 1), ("bad", 10, 1)]


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
    pod = bad_pod(client)
    assert (pod["CurrentStatus"], restarts_and_reason(pod)) == (9, (0, "ErrImagePull"))
    assert descriptions(client)[0].startswith('Failed to pull image "team/web:bad": rpc error:')
    assert descriptions(client)[0].endswith("team/web:bad: not found")
    clock.advance(14)
    pod = bad_pod(client)
    assert (pod["CurrentStatus"], restarts_and_reason(pod)) == (9, (0, "ImagePullBackOff"))
    assert pod["Containers"][0]["DockerId"] == ""
    assert logs(client, pod).status_code == 400


def test_the_fault_of_a_temporary_pull_error_outlives_it(
    client: Client, clock: FakeClock, world: World, deploy: Callable[[Behaviour], None]
) -> None:
    """The image is pulled at the second attempt, 14 s after the first, not as soon as it can."""
    deploy(Behaviour("pull-error-passing", passes_after=5, pods=1))
    clock.advance(14)
    assert bad_pod(client)["CurrentStatus"] == 9
    clock.advance(1)
    assert bad_pod(client)["CurrentStatus"] == 1
    assert any("connection refused" in text for text in descriptions(client))
    clock.advance(10)
    assert client.statuses() == [("bad", 1, 1), ("bad", 1, 1)]
    assert any("connection refused" in text for text in descriptions(client))
    clock.advance(world.fault_linger)
    assert descriptions(client) == []


def test_a_pod_that_is_never_ready_runs_with_a_warning(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None]
) -> None:
    """Nothing but the warning, and the previous pods that stay, shows it."""
    deploy(Behaviour("never-ready"))
    clock.advance(100)
    assert client.statuses() == [("1", 1, 1), ("1", 1, 1), ("bad", 1, 1)]
    fault = client.v2("GetFaultsByTenant").json()[0]
    assert fault["Severity"] == 3
    assert "Readiness probe failed" in fault["Description"]


def test_a_portal_may_show_readiness_in_the_status(
    client: Client, world: World, deploy: Callable[[Behaviour], None]
) -> None:
    world.variant = VARIANTS["running-means-ready"]
    deploy(Behaviour("never-ready"))
    client.clock.advance(100)
    assert bad_pod(client)["CurrentStatus"] == 3


def test_a_portal_may_show_nothing_but_phases(
    client: Client, world: World, deploy: Callable[[Behaviour], None]
) -> None:
    world.variant = VARIANTS["phases-alone"]
    deploy(Behaviour("crash"))
    client.clock.advance(5)
    pod = bad_pod(client)
    assert pod["CurrentStatus"] == 1
    assert "RestartCount" not in pod["Containers"][0]


def test_readiness_may_come_some_time_after_the_start(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None]
) -> None:
    """A previous pod goes only when a new one is ready."""
    deploy(Behaviour(ready_after=8))
    clock.advance(9.5)
    assert client.statuses() == [("1", 1, 1), ("1", 1, 1), ("bad", 1, 1)]
    clock.advance(1)
    assert [desired for _, _, desired in client.statuses()] == [1, 5, 1, 1]


def test_the_kubelet_may_know_an_image_by_another_name(
    client: Client, clock: FakeClock, world: World, web: Service
) -> None:
    """Another tag of the same content, or its id; until the container runs it is as requested."""
    world.show_image_as("team/web@sha256:12", "sha256:c037")
    client.deploy("team/web@sha256:12")
    clock.advance(1)
    assert "team/web@sha256:12" in shown_images(client)
    clock.advance(20)
    assert shown_images(client) == ["sha256:c037"] * 2


def shown_images(client: Client) -> list[str]:
    return [pod["Containers"][0]["Image"] for pod in client.pods()]


def test_a_pod_is_shown_while_it_leaves_and_says_so(
    client: Client, clock: FakeClock, world: World, web: Service
) -> None:
    """Its phase stays Running, its container ends, and a probe may miss it."""
    web.scale(1)
    clock.advance(world.stop_seconds)
    (leaving,) = (pod for pod in client.pods() if pod["DesiredStatus"] == 5)
    assert (leaving["CurrentStatus"], restarts_and_reason(leaving)) == (1, (0, "Completed"))
    assert "Readiness probe errored" in descriptions(client)[0]
    clock.advance(world.leave_seconds)
    assert len(client.pods()) == 1


@pytest.mark.parametrize(
    ("fate", "status", "word"),
    [
        ("unschedulable", 8, "nodes are available"),
        ("failed", 7, "failed"),
        ("evicted", 10, "exceeds the total limit"),
        ("invalid-name", 9, "couldn't parse"),
        ("missing-volume", 3, "configmap"),
        ("bad-command", 4, "no such file"),
        ("oom", 1, "Back-off"),
        ("liveness", 1, "Liveness probe failed"),
        ("config-error", 4, "secret"),
    ],
)
def test_other_failures_have_their_own_status_and_fault(
    client: Client, deploy: Callable[[Behaviour], None], fate: Fate, status: int, word: str
) -> None:
    deploy(Behaviour(fate, pods=1))
    client.clock.advance(9)
    pods = [pod for pod in client.pods() if pod["Containers"][0]["Image"].endswith(":bad")]
    pod = min(pods, key=lambda one: one["StartTime"])
    assert pod["CurrentStatus"] == status
    assert any(word in text for text in descriptions(client))
    assert (pod["Host"] == "") == (fate == "unschedulable")


LOST = {"evicted", "failed", "invalid-name"}


@pytest.mark.parametrize("fate", [fate for fate in FATES if fate not in {"run", *LOST}])
def test_every_failure_of_a_container_can_be_temporary(
    client: Client, clock: FakeClock, deploy: Callable[[Behaviour], None], fate: Fate
) -> None:
    deploy(Behaviour(fate, passes_after=8))
    clock.advance(50)
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
