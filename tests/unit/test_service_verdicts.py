"""The verdict's truth table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipe.kind import Kind
from pipe.kinds.service.judge import judge, state
from pipe.kinds.service.pods import identities
from pipe.kinds.service.rollout import Look, ServiceRollout, observe, start
from pipe.kinds.service.snapshot import ServiceDetail, images
from pipe.model import MAIN, Change, Restart, Snapshot, Target, Update
from pipe.portal import Container, Fault, Phase, Pod, Service
from pipe.rollout import Failed, Ready, Superseded, TimedOut, Verdict, Waiting

OLD, NEW = "team/web:1", "team/web:2"
DEADLINE = 900.0
REPLICA_SET = "kubernetes:apps/v1/ReplicaSet"


def service(image: str = NEW, **fields: Any) -> Service:
    """Return a plain service of two replicas."""
    plain = Service(
        name="web",
        image=image,
        other_images={},
        replicas=2,
        replicas_active=None,
        min_replicas=None,
        one_pod_per_host=False,
        platform=7,
        cloud=0,
        allocation_tags="",
        deployed_at="",
        restarted_at="",
        history=(),
        flags={},
    )
    return replace(plain, **fields)


def pod(name: str, image: str = NEW, phase: int = 1, desired: int = 1, **container: Any) -> Pod:
    """Return a pod of the web service, in a ReplicaSet for its image."""
    inside = Container("web", image, f"id-{name}", **container)
    controller = f"web-{image[-1]}"
    return Pod(name, "web", Phase(phase), Phase(desired), "h", controller, REPLICA_SET, (inside,))


def change(
    before: Service, pods: tuple[Pod, ...] = (), to: str = NEW, make: type[Change] = Update
) -> Change:
    """Return the change of a service to another main image."""
    detail = ServiceDetail(before, {pod.name: pod.restarts for pod in pods})
    snapshot = Snapshot(Target(Kind.SERVICE, "web"), images(before), "", detail)
    seen = frozenset(one for entry in pods for one in identities(entry))
    return make(snapshot, {MAIN: to}, previous_pods=seen)


def watch(what: Change, *looks: Look) -> ServiceRollout:
    """Return what was observed at these looks."""
    rollout = start(what, 0.0)
    for look in looks:
        rollout = observe(rollout, look)
    return rollout


def verdict(what: Change, *looks: Look, stable: float = 5.0, limit: int = 3) -> Verdict:
    """Return the verdict after these looks."""
    return judge(watch(what, *looks), stable, limit, DEADLINE)


PLAIN = change(service(OLD))
TWO_UP = (pod("a"), pod("b"))
TWO_OLD = (pod("x", OLD), pod("y", OLD))


def test_ready_after_the_stable_time() -> None:
    """All new pods up at two looks five seconds apart."""
    result = verdict(PLAIN, Look(1.0, TWO_UP, service()), Look(6.0, TWO_UP, service()))
    assert result == Ready("2 pods up for 5 s")


def test_a_stable_rollout_has_a_moment_at_which_it_is_ready() -> None:
    """The loop does not have to look before that."""
    result = verdict(PLAIN, Look(1.0, TWO_UP, service()))
    assert isinstance(result, Waiting)
    assert result.until == 6.0


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


def test_previous_pods_do_not_delay_a_known_count() -> None:
    """With enough new pods, the previous ones may take their time."""
    both = (*TWO_UP, *TWO_OLD)
    looks = [Look(1.0, both, service()), Look(6.0, both, service())]
    assert isinstance(verdict(PLAIN, *looks), Ready)


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


def test_fewer_pods_than_configured_are_attributed_to_an_autoscaler_once_stable() -> None:
    """An autoscaler unknown to the portal may need fewer pods than `Replicas`."""
    scaled = service(replicas=3, replicas_active=2)
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, scaled), Look(8.0, TWO_UP, scaled)), Waiting)
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, scaled), Look(17.0, TWO_UP, scaled)), Ready)


def test_a_restarted_pod_starts_its_stable_time_again() -> None:
    """A restarted container is a new incarnation of the pod."""
    once = (pod("a"), pod("b", restarts=1))
    looks = [Look(1.0, TWO_UP, service()), Look(5.0, once, service()), Look(7.0, once, service())]
    assert isinstance(verdict(PLAIN, *looks), Waiting)
    assert isinstance(verdict(PLAIN, *looks, Look(10.0, once, service())), Ready)


def test_a_stopped_service_is_ready_at_once() -> None:
    """There are no pods to wait for."""
    none = service(replicas=0)
    assert isinstance(verdict(PLAIN, Look(0.1, (), none)), Ready)


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


def test_a_timeout_reports_what_was_missing() -> None:
    """The detail includes the problem of a pod, and the seconds are counted from the start."""
    stuck = Look(
        901.0,
        (pod("a"), pod("b", phase=3)),
        service(),
        (Fault(frozenset({"b"}), "Readiness probe failed", 2),),
    )
    result = verdict(PLAIN, stuck)
    assert isinstance(result, TimedOut)
    assert result.seconds == DEADLINE
    assert "1 of 2 new pods up" in result.detail
    assert "Readiness probe failed" in result.detail


def test_ready_wins_over_a_timeout() -> None:
    """A rollout that completes just before the time limit is ready."""
    looks = [Look(895.0, TWO_UP, service()), Look(901.0, TWO_UP, service())]
    assert isinstance(verdict(PLAIN, *looks), Ready)


def test_two_restarts_are_a_crash_loop() -> None:
    """One look is enough, because the count shows the repetition."""
    result = verdict(PLAIN, Look(1.0, (pod("a", restarts=2, exit_code=137),), service()))
    assert isinstance(result, Failed)
    assert result.pod == "a"
    assert "exit code 137, 2 restarts" in result.reason


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


def test_going_down_twice_is_a_crash_loop_where_restarts_are_not_counted() -> None:
    """Portals without restart counts show a pod going up and down."""
    up, down = (pod("a"),), (pod("a", phase=4),)
    looks = [Look(float(at), up if at % 2 else down, service()) for at in range(1, 5)]
    result = verdict(PLAIN, *looks)
    assert isinstance(result, Failed)
    assert "went down 2 times" in result.reason


def test_a_problem_of_a_previous_pod_is_ignored() -> None:
    """Only new pods are judged."""
    crashing = pod("x", OLD, phase=4, waiting="CrashLoopBackOff", restarts=50)
    looks = [Look(float(at), (*TWO_UP, crashing), service()) for at in (1, 6)]
    assert isinstance(verdict(PLAIN, *looks), Ready)


def test_a_rollback_counts_the_previous_pods_that_survived() -> None:
    """Their ReplicaSet is reused, so they run the wanted version."""
    failing = pod("a", NEW, phase=4)
    rollback = change(service(NEW), (*TWO_OLD, failing), to=OLD)
    pods = (*TWO_OLD, pod("a", NEW, phase=4, desired=5))
    looks = [Look(1.0, pods, service(OLD)), Look(6.0, pods, service(OLD))]
    assert isinstance(verdict(rollback, *looks), Ready)


def test_a_restart_needs_pods_that_did_not_exist_before() -> None:
    """The image is the same, so only the controller's new name proves the restart."""
    again = change(service(NEW), TWO_UP, make=Restart)
    same = [Look(1.0, TWO_UP, service()), Look(60.0, TWO_UP, service())]
    assert isinstance(verdict(again, *same), Waiting)
    fresh = tuple(replace(entry, name=f"new-{entry.name}", controller="web-z") for entry in TWO_UP)
    done = [Look(1.0, fresh, service()), Look(6.0, fresh, service())]
    assert isinstance(verdict(again, *done), Ready)


def test_a_pod_without_containers_yet_is_recognised_by_its_controller() -> None:
    """Trap 9: `Containers` may be empty while a pod is created."""
    bare = replace(pod("c", phase=3), containers=(), controller="web-2")
    rollout = watch(change(service(OLD), TWO_OLD), Look(1.0, (*TWO_OLD, bare), service()))
    assert rollout.pods.new == (bare,)
    old_bare = replace(bare, controller="web-1")
    rollout = watch(change(service(OLD), TWO_OLD), Look(1.0, (*TWO_OLD, old_bare), service()))
    assert rollout.pods.new == ()


def test_a_sidecar_change_is_recognised_by_the_sidecar() -> None:
    """The main image stays the same: comparing it alone would prove nothing (trap 7)."""
    before = service(NEW, other_images={"log": "team/log:3"})
    snapshot = Snapshot(Target(Kind.SERVICE, "web"), images(before), "", ServiceDetail(before))
    what = Update(snapshot, {"log": "team/log:4"})

    def with_log(name: str, image: str) -> Pod:
        plain = pod(name)
        return replace(plain, containers=(*plain.containers, Container("log", image, "l")))

    after = service(NEW, other_images={"log": "team/log:4"})
    old, new = with_log("x", "team/log:3"), with_log("a", "team/log:4")
    assert watch(what, Look(1.0, (old, new), after)).pods.new == (new,)


def test_the_state_counts_pods_by_image_and_condition() -> None:
    """The sentence about what runs now is precise."""
    crashing = pod("a", NEW, phase=4, waiting="CrashLoopBackOff")
    text = state(watch(PLAIN, Look(1.0, (crashing, *TWO_OLD), service())))
    assert text == "is set to team/web:2, with 2 pods up on team/web:1, 1 pod failing on team/web:2"
