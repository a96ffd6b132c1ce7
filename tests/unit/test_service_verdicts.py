"""The verdict's truth table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipe.kinds.service.judge import state
from pipe.kinds.service.rollout import Look
from pipe.portal import Fault, Pod
from pipe.rollout import Failed, Ready, Superseded, Waiting
from tests.support.service_looks import (
    NEW,
    OLD,
    PLAIN,
    TWO_OLD,
    TWO_UP,
    change,
    every_second,
    pod,
    restart,
    service,
    verdict,
    watch,
    without_details,
)


def test_ready_after_the_stable_time() -> None:
    """All new pods up at two looks five seconds apart."""
    result = verdict(PLAIN, Look(1.0, TWO_UP, service()), Look(6.0, TWO_UP, service()))
    assert result == Ready("2 pods up for 5 s, as the portal shows")


def test_a_stable_rollout_has_a_moment_at_which_it_is_ready() -> None:
    """The loop does not have to look before that."""
    result = verdict(PLAIN, Look(1.0, TWO_UP, service()))
    assert isinstance(result, Waiting)
    assert result.until == 6.0


@pytest.mark.parametrize(
    ("pods", "crash_limit", "is_calm"),
    [
        (TWO_UP, 3, True),
        (TWO_UP, 0, True),
        (TWO_UP, 2, False),
        ((pod("a"), pod("b", restarts=1)), 3, False),
        (tuple(map(without_details, TWO_UP)), 3, False),
        ((pod("a"), pod("b", restarts=None)), 3, False),
    ],
    ids=["calm", "no limit", "a low limit", "a restart", "no states", "restarts are not counted"],
)
def test_few_looks_are_enough_where_none_can_come_too_late(
    pods: tuple[Pod, ...], crash_limit: int, is_calm: bool
) -> None:
    """The container that ends last before the limit must have been seen to end before."""
    result = verdict(PLAIN, Look(1.0, pods, service()), crash_limit=crash_limit)
    assert isinstance(result, Waiting)
    assert result.until
    assert result.is_calm == is_calm


@pytest.mark.parametrize(
    ("pods", "why"),
    [
        ((), "no pod yet"),
        ((pod("a"),), "one of two"),
        ((pod("a"), pod("b", phase=3)), "one is starting"),
        ((pod("a"), pod("b"), pod("c", phase=3)), "a third one is starting"),
        (TWO_OLD, "previous pods only"),
        ((pod("a"), *TWO_OLD), "one new, two previous"),
        ((pod("a"), pod("b", desired=5)), "one is terminating"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_waiting_while_pods_are_missing(pods: tuple[Pod, ...], why: str) -> None:
    """A rollout is ready only with enough new pods, all of them up."""
    looks = [Look(float(at), pods, service()) for at in (1, 100, 200)]
    assert isinstance(verdict(PLAIN, *looks), Waiting)


def test_a_restarted_pod_starts_its_stable_time_again() -> None:
    """A restarted container is a new incarnation of the pod."""
    once = (pod("a"), pod("b", restarts=1))
    looks = [Look(1.0, TWO_UP, service()), Look(5.0, once, service()), Look(7.0, once, service())]
    assert isinstance(verdict(PLAIN, *looks), Waiting)
    assert isinstance(verdict(PLAIN, *looks, Look(10.0, once, service())), Ready)


def test_the_portal_must_show_the_new_image_first() -> None:
    """Right after the change it may still show the previous image, which is normal."""
    result = verdict(PLAIN, Look(1.0, TWO_OLD, service(OLD)))
    assert result == Waiting("the portal still shows the previous image")


@pytest.mark.parametrize("image", ["team/web:3", ""])
def test_a_third_image_means_superseded(image: str) -> None:
    """A change by another deployment ends ours, whatever the pods do."""
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, service(image))), Superseded)


def test_the_previous_image_after_ours_means_superseded() -> None:
    """Another deployment restored it."""
    looks = [Look(1.0, TWO_UP, service()), Look(2.0, TWO_UP, service(OLD))]
    assert verdict(PLAIN, *looks) == Superseded(OLD)


def test_what_is_missing_includes_the_problem_of_a_pod() -> None:
    stuck = Look(
        901.0,
        (pod("a"), pod("b", phase=3)),
        service(),
        (Fault(frozenset({"b"}), "Readiness probe failed", 2),),
    )
    result = verdict(PLAIN, stuck)
    assert isinstance(result, Waiting)
    assert "1 of 2 new pods up" in result.detail
    assert "Readiness probe failed" in result.stuck


def test_ready_wins_over_a_timeout() -> None:
    """A rollout that completes just before the time limit is ready."""
    looks = [Look(895.0, TWO_UP, service()), Look(901.0, TWO_UP, service())]
    assert isinstance(verdict(PLAIN, *looks), Ready)


def test_a_single_bad_look_is_not_final() -> None:
    """The first pull error may pass."""
    failing = (pod("a", phase=4, waiting="ErrImagePull", message="not found"),)
    first = Look(1.0, failing, service())
    assert isinstance(verdict(PLAIN, first), Waiting)
    assert isinstance(verdict(PLAIN, first, Look(1.5, failing, service())), Waiting)
    assert isinstance(verdict(PLAIN, first, Look(3.5, failing, service())), Failed)


def test_a_problem_that_passed_is_forgotten() -> None:
    """A pull error after a success starts a new grace period."""
    failing = (pod("a", phase=4, waiting="ErrImagePull", message="not found"),)
    fine = (pod("a", phase=3),)
    looks = [
        Look(1.0, failing, service()),
        Look(2.0, fine, service()),
        Look(9.0, failing, service()),
    ]
    assert isinstance(verdict(PLAIN, *looks), Waiting)


def test_a_rollback_counts_the_previous_pods_that_survived() -> None:
    """Their ReplicaSet is reused, so they run the wanted version."""
    failing = pod("a", NEW, phase=4)
    rollback = change(service(NEW), (*TWO_OLD, failing), to=OLD)
    pods = (*TWO_OLD, pod("a", NEW, phase=4, desired=5))
    looks = [Look(1.0, pods, service(OLD)), Look(6.0, pods, service(OLD))]
    assert isinstance(verdict(rollback, *looks), Ready)


def test_a_restart_needs_pods_that_did_not_exist_before() -> None:
    """The image is the same, so only the controller's new name proves the restart."""
    again = restart(service(NEW), TWO_UP)
    same = [Look(1.0, TWO_UP, service()), Look(60.0, TWO_UP, service())]
    assert isinstance(verdict(again, *same), Waiting)
    fresh = tuple(replace(entry, name=f"new-{entry.name}", controller="web-z") for entry in TWO_UP)
    done = [Look(1.0, fresh, service()), Look(6.0, fresh, service())]
    assert isinstance(verdict(again, *done), Ready)


def test_the_state_counts_pods_by_image_and_condition() -> None:
    """The sentence about what runs now is precise."""
    crashing = pod("a", NEW, phase=4, waiting="CrashLoopBackOff")
    text = state(watch(PLAIN, Look(1.0, (crashing, *TWO_OLD), service())))
    assert text == "is set to team/web:2, with 2 pods up on team/web:1, 1 pod failing on team/web:2"


# Rolling updates: the previous pods are the evidence


@pytest.mark.parametrize("replicas", [1, 2])
def test_new_pods_that_run_beside_the_last_previous_one_prove_nothing(replicas: int) -> None:
    """Kubernetes keeps the previous pods until enough new ones are ready."""
    new, what, seen = TWO_UP[:replicas], change(service(OLD), TWO_OLD), service(replicas=replicas)
    looks = every_second(range(1, 60), (*new, TWO_OLD[0]), seen)
    assert isinstance(verdict(what, *looks), Waiting)
    assert isinstance(verdict(what, *looks, *every_second(range(60, 66), new, seen)), Ready)


def test_the_stable_time_begins_when_the_last_previous_pod_leaves() -> None:
    """Only that shows that the new ones are ready."""
    beside, alone = Look(1.0, (*TWO_UP, *TWO_OLD), service()), Look(30.0, TWO_UP, service())
    waiting = Waiting("2 pods up; must stay up for 5 s", until=35.0, is_calm=True)
    assert verdict(PLAIN, beside, alone) == waiting


def test_a_broken_previous_pod_does_not_fail_the_rollout() -> None:
    """Only new pods are judged; the previous one is waited for until it leaves."""
    crashing = pod("x", OLD, phase=4, waiting="CrashLoopBackOff", restarts=50)
    looks = every_second(range(1, 10), (*TWO_UP, crashing), service())
    assert isinstance(verdict(PLAIN, *looks), Waiting)
    after = every_second(range(10, 16), TWO_UP, service())
    assert isinstance(verdict(PLAIN, *looks, *after), Ready)


def test_the_probe_of_the_pod_that_came_up_last_is_the_reason_while_previous_pods_remain() -> None:
    """A pod may be up and not ready; earlier ones had the same fault before they were."""
    faults = tuple(Fault(frozenset({name}), f"Readiness probe failed: {name}", 2) for name in "ab")
    looks = [
        Look(1.0, (pod("a"), *TWO_OLD), service()),
        Look(9.0, (pod("a"), pod("b"), TWO_OLD[0]), service(), faults),
    ]
    result = verdict(PLAIN, *looks)
    assert isinstance(result, Waiting)
    assert result.stuck == "pod b may not be ready: Readiness probe failed: b"
    alone = verdict(PLAIN, *looks, Look(10.0, TWO_UP, service(), faults))
    assert isinstance(alone, Waiting)
    assert alone.stuck == ""


def test_a_probe_that_is_mentioned_in_passing_is_no_reason() -> None:
    """Only faults that are warnings or worse are."""
    faults = (Fault(frozenset({"a"}), "Readiness probe succeeded", 1),)
    result = verdict(PLAIN, Look(1.0, (pod("a"), *TWO_OLD), service(), faults))
    assert isinstance(result, Waiting)
    assert result.stuck == ""


def test_a_problem_need_not_last_until_one_look_more_because_a_clock_is_inexact() -> None:
    missing = pod("a", phase=4, waiting="CreateContainerConfigError", message="not found")
    looks = [Look(1.0, (missing,), service()), Look(5.9999, (missing,), service())]
    assert isinstance(verdict(PLAIN, *looks), Failed)
