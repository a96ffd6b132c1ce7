"""How many pods a rollout needs, and what shows that none is under way."""

from __future__ import annotations

from typing import Any

import pytest

from pipe.kinds.service.judge import is_complete
from pipe.kinds.service.rollout import Look
from pipe.portal import Pod
from pipe.rollout import Ready, Waiting
from tests.support.service_looks import (
    DAEMON_SET,
    OLD,
    PLAIN,
    TWO_OLD,
    TWO_UP,
    change,
    every_second,
    in_set,
    pod,
    resumed,
    service,
    verdict,
    watch,
)


def test_fewer_pods_than_configured_are_attributed_to_an_autoscaler_once_stable() -> None:
    """An autoscaler unknown to the portal may need fewer pods than `Replicas`, as it did before."""
    what = change(service(OLD, replicas=3, replicas_active=2), TWO_OLD)
    scaled = service(replicas=3, replicas_active=2)
    assert isinstance(verdict(what, Look(1.0, TWO_UP, scaled), Look(8.0, TWO_UP, scaled)), Waiting)
    assert isinstance(verdict(what, Look(1.0, TWO_UP, scaled), Look(17.0, TWO_UP, scaled)), Ready)


def test_previous_pods_delay_an_unknown_count() -> None:
    """If only a lower bound is known, no previous pod may be left."""
    scaled = service(min_replicas=1)
    with_old = Look(6.0, (*TWO_UP, *TWO_OLD), scaled)
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, scaled), with_old), Waiting)
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, scaled), Look(6.0, TWO_UP, scaled)), Ready)


def test_a_count_that_includes_surge_pods_is_waited_for() -> None:
    """ReplicasActive may briefly count previous pods too."""
    busy = service(min_replicas=1, replicas_active=3)
    looks = [Look(1.0, TWO_UP, busy), Look(6.0, TWO_UP, busy)]
    assert isinstance(verdict(PLAIN, *looks), Waiting)
    calm = Look(7.0, TWO_UP, service(min_replicas=1, replicas_active=2))
    assert isinstance(verdict(PLAIN, *looks, calm), Ready)


def test_a_count_that_falls_while_all_pods_are_up_is_the_new_goal() -> None:
    """The service was scaled down: the other two will never come."""
    before = Look(1.0, TWO_UP, service(replicas=4))
    looks = every_second(range(2, 8), TWO_UP, service(replicas=2))
    assert isinstance(verdict(PLAIN, before, *looks), Ready)


def test_an_autoscaler_may_scale_down_during_a_rolling_update() -> None:
    """The previous pods left once the new ones were ready: they are all there are to be."""
    scaled = service(replicas=3, replicas_active=2)
    beside = Look(1.0, (*TWO_UP, *TWO_OLD), scaled)
    looks = every_second(range(2, 18), TWO_UP, scaled)
    assert isinstance(verdict(PLAIN, beside, *looks), Ready)


def test_pods_that_a_quota_prevents_are_not_attributed_to_an_autoscaler() -> None:
    """The strategy Recreate ends all previous pods first, and `ReplicasActive` may count pods."""
    what = change(service(OLD, replicas=4, replicas_active=4), TWO_OLD)
    looks = every_second(range(1, 60), TWO_UP, service(replicas=4, replicas_active=2))
    assert isinstance(verdict(what, Look(0.0, (), service(replicas=4)), *looks), Waiting)


@pytest.mark.parametrize("autoscaler", [None, 2])
def test_a_stopped_service_is_ready_at_once(autoscaler: int | None) -> None:
    """There are no pods to wait for, whatever an autoscaler's lower bound is."""
    none = service(replicas=0, min_replicas=autoscaler)
    assert isinstance(verdict(PLAIN, Look(0.1, (), none)), Ready)


@pytest.mark.parametrize("active", [None, 0])
@pytest.mark.parametrize("fields", [{"min_replicas": 2}, {"one_pod_per_host": True}])
def test_a_service_that_has_no_pods_is_ready_after_several_looks(
    active: int | None, fields: dict[str, Any]
) -> None:
    """An autoscaler scaled it to zero, or its daemon set fits no host."""
    none = service(replicas_active=active, **fields)
    looks = every_second(range(1, 15), (), none)
    assert isinstance(verdict(PLAIN, *looks), Waiting)
    assert isinstance(verdict(PLAIN, *looks, Look(15.0, (), none)), Ready)


def test_the_moment_without_pods_of_a_recreate_is_not_the_end() -> None:
    """All previous pods end before the first new one is made, which a quota may prevent."""
    scaled = service(min_replicas=2, replicas_active=0)
    leaving = Look(1.0, (pod("x", OLD, desired=5),), scaled)
    looks = every_second(range(2, 60), (), scaled)
    assert isinstance(verdict(PLAIN, leaving, *looks), Waiting)


def test_a_daemon_set_is_not_complete_while_a_pod_makes_room_for_its_successor() -> None:
    """It ends the old pod first, and the portal may not know how many hosts there are."""
    seen = service(one_pod_per_host=True)
    up, leaving = in_set(pod("a"), DAEMON_SET), in_set(pod("x", OLD, desired=5), DAEMON_SET)
    looks = every_second(range(1, 30), (up, leaving), seen)
    assert isinstance(verdict(PLAIN, *looks), Waiting)


@pytest.mark.parametrize(
    ("pods", "is_over"),
    [
        (TWO_UP, True),
        ((*TWO_UP, pod("gone", phase=10)), True),
        ((*TWO_UP, pod("gone", OLD, phase=7)), True),
        ((pod("a", restarts=4), pod("b")), True),
        ((*TWO_UP, pod("c", phase=8)), True),
        ((*TWO_UP, pod("x", OLD, desired=5)), True),
        ((*TWO_UP, *TWO_OLD), False),
        ((pod("a"), pod("b", phase=3)), False),
        ((pod("a"), pod("b", ended="Error", exit_code=1)), False),
        ((pod("a"),), False),
        ((), False),
    ],
)
def test_what_is_no_sign_of_a_rollout_leaves_nothing_to_follow(
    pods: tuple[Pod, ...], is_over: bool
) -> None:
    """Failed objects, earlier restarts and a pod without a node are none; starting pods are."""
    rollout = watch(resumed(service()), Look(1.0, pods, service()))
    assert is_complete(rollout) is is_over
