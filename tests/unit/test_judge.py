"""The verdict's truth table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipe.kind import Kind
from pipe.kinds.service.generation import ServiceDetail, identities, images
from pipe.kinds.service.judge import judge, state
from pipe.kinds.service.track import Look, ServiceRollout, begin, fold
from pipe.model import MAIN, Change, Restart, Snapshot, Target, Update
from pipe.portal import Container, Fault, Phase, Pod, Service
from pipe.rollout import Failed, Ready, Superseded, TimedOut, Verdict, Waiting

OLD, NEW = "team/web:1", "team/web:2"
DEADLINE = 900.0
REPLICA_SET = "kubernetes:apps/v1/ReplicaSet"


def service(image: str = NEW, **fields: Any) -> Service:
    """A plain service of two replicas."""
    plain = Service(
        name="web",
        image=image,
        other_images={},
        replicas=2,
        replicas_active=None,
        min_replicas=None,
        one_pod_per_host=False,
        stateful=False,
        platform=7,
        cloud=0,
        allocation_tags="",
        deployed_at="",
        deployed_by="",
        restarted_at="",
        history=(),
        flags={},
    )
    return replace(plain, **fields)


def pod(name: str, image: str = NEW, phase: int = 1, desired: int = 1, **container: Any) -> Pod:
    """A pod of the web service; its ReplicaSet follows from its image."""
    inside = Container("web", image, f"id-{name}", **container)
    controller = f"web-{image[-1]}"
    return Pod(name, "web", Phase(phase), Phase(desired), "h", controller, REPLICA_SET, (inside,))


def change(
    before: Service, pods: tuple[Pod, ...] = (), to: str = NEW, make: type[Change] = Update
) -> Change:
    """From the service as it was to a new main image."""
    detail = ServiceDetail(before, {pod.name: pod.restarts for pod in pods})
    snapshot = Snapshot(Target(Kind.SERVICE, "web"), images(before), "", detail)
    seen = frozenset(one for entry in pods for one in identities(entry))
    return make(snapshot, {MAIN: to}, previous_pods=seen)


def watch(what: Change, *looks: Look) -> ServiceRollout:
    """What a watch knows after these looks."""
    track = begin(what, 0.0)
    for look in looks:
        track = fold(track, look)
    return track


def verdict(what: Change, *looks: Look, stable: float = 5.0) -> Verdict:
    """The verdict after these looks."""
    return judge(watch(what, *looks), stable, DEADLINE)


PLAIN = change(service(OLD))
TWO_UP = (pod("a"), pod("b"))
TWO_OLD = (pod("x", OLD), pod("y", OLD))


def test_ready_after_the_stable_time() -> None:
    """All new pods up at two looks five seconds apart."""
    shown = verdict(PLAIN, Look(1.0, TWO_UP, service()), Look(6.0, TWO_UP, service()))
    assert shown == Ready("2 pods up for 5 s")


def test_stability_says_when_it_will_be_over() -> None:
    """The loop need not look before that."""
    shown = verdict(PLAIN, Look(1.0, TWO_UP, service()))
    assert isinstance(shown, Waiting)
    assert shown.until == 6.0


@pytest.mark.parametrize(
    ("pods", "why"),
    [
        ((), "no pod yet"),
        ((pod("a"),), "one of two"),
        ((pod("a"), pod("b", phase=3)), "one is starting"),
        ((pod("a"), pod("b"), pod("c", phase=3)), "a third one is starting"),
        (TWO_OLD, "only old ones"),
        ((pod("a"), *TWO_OLD), "one new, two old"),
        ((pod("a"), pod("b", desired=5)), "one is going"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_waiting_while_pods_are_missing(pods: tuple[Pod, ...], why: str) -> None:
    """Nothing but enough new pods, all of them up, will do."""
    looks = [Look(float(at), pods, service()) for at in (1, 100, 200)]
    assert isinstance(verdict(PLAIN, *looks), Waiting)


def test_old_pods_do_not_hold_up_a_known_count() -> None:
    """With as many new pods as wanted, the old ones may take their time."""
    both = (*TWO_UP, *TWO_OLD)
    looks = [Look(1.0, both, service()), Look(6.0, both, service())]
    assert isinstance(verdict(PLAIN, *looks), Ready)


def test_old_pods_hold_up_an_unknown_count() -> None:
    """Where only a lower bound is known, no old pod may be left."""
    scaled = service(min_replicas=1)
    with_old = Look(6.0, (*TWO_UP, *TWO_OLD), scaled)
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, scaled), with_old), Waiting)
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, scaled), Look(6.0, TWO_UP, scaled)), Ready)


def test_a_count_that_includes_surge_pods_is_waited_for() -> None:
    """ReplicasActive may count old pods for a moment."""
    busy = service(min_replicas=1, replicas_active=3)
    looks = [Look(1.0, TWO_UP, busy), Look(6.0, TWO_UP, busy)]
    assert isinstance(verdict(PLAIN, *looks), Waiting)
    calm = Look(7.0, TWO_UP, service(min_replicas=1, replicas_active=2))
    assert isinstance(verdict(PLAIN, *looks, calm), Ready)


def test_fewer_pods_than_configured_are_a_scalers_will_after_a_calm() -> None:
    """An autoscaler the portal does not know of may want fewer pods than `Replicas`."""
    scaled = service(replicas=3, replicas_active=2)
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, scaled), Look(8.0, TWO_UP, scaled)), Waiting)
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, scaled), Look(17.0, TWO_UP, scaled)), Ready)


def test_a_pod_that_restarts_begins_its_stable_time_anew() -> None:
    """Another container in the same pod is another life."""
    once = (pod("a"), pod("b", restarts=1))
    looks = [Look(1.0, TWO_UP, service()), Look(5.0, once, service()), Look(7.0, once, service())]
    assert isinstance(verdict(PLAIN, *looks), Waiting)
    assert isinstance(verdict(PLAIN, *looks, Look(10.0, once, service())), Ready)


def test_no_pods_wanted_is_ready_at_once() -> None:
    """A stopped service has nothing to wait for."""
    none = service(replicas=0)
    assert isinstance(verdict(PLAIN, Look(0.1, (), none)), Ready)


def test_the_portal_must_show_the_new_image_first() -> None:
    """Right after the change it may still show the one from before: no reason for alarm."""
    shown = verdict(PLAIN, Look(1.0, TWO_OLD, service(OLD)))
    assert shown == Waiting("the portal still shows the image from before")


@pytest.mark.parametrize("image", ["team/web:3", ""])
def test_a_third_image_means_overtaken(image: str) -> None:
    """Somebody else's change ends ours, whatever the pods do."""
    assert isinstance(verdict(PLAIN, Look(1.0, TWO_UP, service(image))), Superseded)


def test_the_old_image_after_ours_means_overtaken() -> None:
    """Somebody put it back."""
    looks = [Look(1.0, TWO_UP, service()), Look(2.0, TWO_UP, service(OLD))]
    assert verdict(PLAIN, *looks) == Superseded(OLD)


def test_late_says_what_was_waited_for() -> None:
    """With the reason, if there is one."""
    stuck = Look(
        901.0,
        (pod("a"), pod("b", phase=3)),
        service(),
        (Fault(frozenset({"b"}), "Readiness probe failed", 2),),
    )
    shown = verdict(PLAIN, stuck)
    assert isinstance(shown, TimedOut)
    assert "1 of 2 new pods up" in shown.detail
    assert "Readiness probe failed" in shown.detail


def test_ready_wins_over_late() -> None:
    """A rollout that is done at the very end is done."""
    looks = [Look(895.0, TWO_UP, service()), Look(901.0, TWO_UP, service())]
    assert isinstance(verdict(PLAIN, *looks), Ready)


def test_two_restarts_are_a_crash_loop() -> None:
    """Seen once is enough: the count is the repetition."""
    shown = verdict(PLAIN, Look(1.0, (pod("a", restarts=2, exit_code=137),), service()))
    assert isinstance(shown, Failed)
    assert shown.pod == "a"
    assert "exit code 137, 2 restarts" in shown.reason


def test_one_bad_look_is_none() -> None:
    """A first pull error may pass."""
    failing = (pod("a", phase=4, waiting="ErrImagePull", message="not found"),)
    first = Look(1.0, failing, service())
    assert isinstance(verdict(PLAIN, first), Waiting)
    assert isinstance(verdict(PLAIN, first, Look(1.5, failing, service())), Waiting)
    assert isinstance(verdict(PLAIN, first, Look(3.5, failing, service())), Failed)


def test_a_trouble_that_passed_is_forgotten() -> None:
    """A pull that succeeded in between starts from nothing."""
    failing = (pod("a", phase=4, waiting="ErrImagePull", message="not found"),)
    fine = (pod("a", phase=3),)
    looks = [
        Look(1.0, failing, service()),
        Look(2.0, fine, service()),
        Look(9.0, failing, service()),
    ]
    assert isinstance(verdict(PLAIN, *looks), Waiting)


def test_falling_twice_is_a_crash_loop_where_nothing_is_counted() -> None:
    """Portals without restart counts show a pod going up and down."""
    up, down = (pod("a"),), (pod("a", phase=4),)
    looks = [Look(float(at), up if at % 2 else down, service()) for at in range(1, 5)]
    shown = verdict(PLAIN, *looks)
    assert isinstance(shown, Failed)
    assert "went down 2 times" in shown.reason


def test_an_old_pods_trouble_dooms_nobody() -> None:
    """Only the new generation is judged."""
    crashing = pod("x", OLD, phase=4, waiting="CrashLoopBackOff", restarts=50)
    looks = [Look(float(at), (*TWO_UP, crashing), service()) for at in (1, 6)]
    assert isinstance(verdict(PLAIN, *looks), Ready)


def test_a_way_back_counts_the_old_pods_that_survived() -> None:
    """Their ReplicaSet is reused, so they are the wanted generation."""
    failing = pod("a", NEW, phase=4)
    back = change(service(NEW), (*TWO_OLD, failing), to=OLD)
    pods = (*TWO_OLD, pod("a", NEW, phase=4, desired=5))
    looks = [Look(1.0, pods, service(OLD)), Look(6.0, pods, service(OLD))]
    assert isinstance(verdict(back, *looks), Ready)


def test_a_restart_needs_pods_that_were_not_there() -> None:
    """Same image, so only the controller's new name proves anything."""
    again = change(service(NEW), TWO_UP, make=Restart)
    same = [Look(1.0, TWO_UP, service()), Look(60.0, TWO_UP, service())]
    assert isinstance(verdict(again, *same), Waiting)
    fresh = tuple(replace(entry, name=f"new-{entry.name}", controller="web-z") for entry in TWO_UP)
    done = [Look(1.0, fresh, service()), Look(6.0, fresh, service())]
    assert isinstance(verdict(again, *done), Ready)


def test_a_pod_that_shows_no_container_yet_is_told_by_its_controller() -> None:
    """Trap 9: `Containers` may be empty while a pod is created."""
    bare = replace(pod("c", phase=3), containers=(), controller="web-2")
    track = watch(change(service(OLD), TWO_OLD), Look(1.0, (*TWO_OLD, bare), service()))
    assert track.generations.new == (bare,)
    old_bare = replace(bare, controller="web-1")
    track = watch(change(service(OLD), TWO_OLD), Look(1.0, (*TWO_OLD, old_bare), service()))
    assert track.generations.new == ()


def test_a_sidecar_change_is_told_by_the_sidecar() -> None:
    """The main image stays the same: comparing it alone would prove nothing (trap 7)."""
    before = service(NEW, other_images={"log": "team/log:3"})
    snapshot = Snapshot(Target(Kind.SERVICE, "web"), images(before), "", ServiceDetail(before))
    what = Update(snapshot, {"log": "team/log:4"})

    def with_log(name: str, image: str) -> Pod:
        plain = pod(name)
        return replace(plain, containers=(*plain.containers, Container("log", image, "l")))

    after = service(NEW, other_images={"log": "team/log:4"})
    old, new = with_log("x", "team/log:3"), with_log("a", "team/log:4")
    assert watch(what, Look(1.0, (old, new), after)).generations.new == (new,)


def test_the_state_counts_pods_by_image_and_condition() -> None:
    """For the sentence that says what runs now."""
    crashing = pod("a", NEW, phase=4, waiting="CrashLoopBackOff")
    told = state(watch(PLAIN, Look(1.0, (crashing, *TWO_OLD), service())))
    assert (
        told == "asks for team/web:2, with 2 pods up on team/web:1, 1 pod in trouble on team/web:2"
    )
