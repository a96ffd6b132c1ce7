"""The shortcut for looks at unchanged pods does not affect verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipe.kind import Kind
from pipe.kinds.service.judge import judge, state
from pipe.kinds.service.rollout import Look, observe, start
from pipe.kinds.service.snapshot import ServiceDetail
from pipe.model import MAIN, Snapshot, Target, Update
from pipe.portal import Fault, Pod, Service
from pipe.portal.pods import decode_pod
from pipe.portal.service_body import decode_found


def service(image: str, active: int | None) -> Service:
    found = decode_found(
        {
            "Name": "web",
            "Replicas": 2,
            "ReplicasActive": active,
            "Template": {"Containers": [{"Name": "web", "Image": image}], "AgentPlatform": 7},
        }
    )
    assert found
    return found


def pod(number: int, image: str, status: int, restarts: int) -> Pod:
    container = {"Name": "web", "Image": image, "DockerId": f"{number}", "RestartCount": restarts}
    if restarts:
        container["LastContainerState"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    return decode_pod(
        {
            "Name": "web",
            "InstanceId": f"web-{number}",
            "CurrentStatus": status,
            "DesiredStatus": 1,
            "ControlledBy": {"QualifiedType": "apps/v1/ReplicaSet", "NativeId": image},
            "Containers": [container],
        }
    )


OLD = (pod(0, "web:1", 1, 0), pod(1, "web:1", 1, 0))
POOL = [
    *OLD,
    *(pod(number, "web:2", status, 0) for number in (2, 3) for status in (1, 3)),
    pod(2, "web:2", 4, 1),
    pod(3, "web:2", 7, 0),
]
FAULTS = [(), (Fault(frozenset({"web-2"}), "Back-off restarting failed container", 3),)]
looks = st.tuples(
    st.lists(st.sampled_from(POOL), max_size=4, unique_by=lambda one: one.name),
    st.sampled_from([None, service("web:1", 2), service("web:2", 2), service("web:2", None)]),
    st.sampled_from([None, *FAULTS]),
    st.integers(1, 3),
)


@settings(max_examples=200)
@given(st.lists(looks, min_size=2, max_size=8))
def test_pods_with_and_without_revisions_lead_to_the_same_verdicts(
    story: list[tuple[Any, ...]],
) -> None:
    """Revisions only save the comparison of pods that have not changed."""
    before = Snapshot(
        Target(Kind.SERVICE, "web"),
        {MAIN: "web:1"},
        "1",
        ServiceDetail(service("web:1", 2), {pod.name: pod.restarts for pod in OLD}),
    )
    change = Update(before, {MAIN: "web:2"})
    with_revisions = without = start(change, 0.0)
    at = 0.0
    for pods, seen, faults, times in story:
        for _ in range(times):
            at += 1.0
            with_revisions = observe(with_revisions, Look(at, tuple(pods), seen, faults))
            bare = tuple(replace(one, revision="") for one in pods)
            without = observe(without, Look(at, bare, seen, faults))
            assert judge(with_revisions, 2.0, 3) == judge(without, 2.0, 3)
            assert state(with_revisions) == state(without)
            assert with_revisions.ends == without.ends
