"""Which pods run the new version: by image, by ReplicaSet, and which objects are no pods."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipe.kinds.service.pods import by_owner, owner
from pipe.kinds.service.rollout import Look
from pipe.model import MAIN, Change
from pipe.portal import Container, Phase, Pod
from pipe.rollout import Failed, Ready, Waiting
from tests.support.service_looks import (
    DAEMON_SET,
    NEW,
    OLD,
    STATEFUL_SET,
    TWO_OLD,
    TWO_UP,
    change,
    every_second,
    fault,
    in_set,
    pod,
    restart,
    resumed,
    service,
    verdict,
    watch,
)

DIGEST = "sha256:" + "ab" * 32
PLAIN = change(service(OLD), TWO_OLD)


def shown(image: str, *names: str, controller: str = "web-9") -> tuple[Pod, ...]:
    """Return pods that show this image, in a ReplicaSet that was not there before."""
    return tuple(replace(pod(name, image), controller=controller) for name in names)


def new_names(what: Change, *pods: Pod) -> set[str]:
    """Return the names of the pods that count as new."""
    return {one.name for one in watch(what, Look(1.0, pods, service())).pods.new}


# Objects of pods that have failed


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.EVICTED])
@pytest.mark.parametrize("image", [OLD, NEW])
def test_an_evicted_pod_does_not_fail_the_rollout(phase: Phase, image: str) -> None:
    """Kubernetes keeps its object for hours after its ReplicaSet has replaced it."""
    pods = (*TWO_UP, pod("gone", image, phase=phase))
    assert isinstance(verdict(PLAIN, *every_second(range(1, 7), pods, service())), Ready)


def test_an_evicted_pod_is_the_reason_while_its_replacement_is_missing() -> None:
    """It is evidence: what evicted one pod may evict the next."""
    pods = (pod("a"), pod("gone", phase=10))
    faults = (fault("gone", "Pod ephemeral local storage usage exceeds the limit"),)
    result = verdict(PLAIN, *every_second(range(1, 3), pods, service(), faults))
    assert isinstance(result, Waiting)
    assert result.stuck.startswith("pod gone was evicted: Pod ephemeral local storage")


def test_an_evicted_pod_from_before_the_change_is_not_the_reason() -> None:
    """It has nothing to do with the new version."""
    leftover = pod("gone", OLD, phase=10)
    what = change(service(OLD), (*TWO_OLD, leftover))
    result = verdict(what, Look(1.0, (*TWO_OLD, leftover), service()))
    assert isinstance(result, Waiting)
    assert result.stuck == ""


def test_a_failed_pod_of_native_docker_ends_the_wait() -> None:
    """There is no controller that would replace it."""
    native = service(platform=0)
    failed = replace(pod("a", phase=7), controller="", controller_kind="")
    what = change(replace(native, image=OLD))
    assert isinstance(verdict(what, *every_second(range(1, 8), (failed,), native)), Failed)


# Images as a kubelet shows them


@pytest.mark.parametrize(
    ("before", "wanted", "text"),
    [
        ("team/web:2-rc1", NEW, "docker.io/team/web:2-rc1"),
        (OLD, f"team/web@{DIGEST}", "team/web:2"),
        (OLD, f"team/web:2@{DIGEST}", "sha256:" + "cd" * 32),
        (OLD, NEW, f"registry.example/team/web@{DIGEST}"),
        (OLD, NEW, "other.example/mirror:7"),
    ],
)
def test_a_pod_of_a_new_replica_set_is_new_whatever_image_it_shows(
    before: str, wanted: str, text: str
) -> None:
    """A kubelet shows another tag, an ID, or no tag for the same content (kubernetes#51017)."""
    old = shown(before, "x", "y", controller="web-8")
    what = change(service(before), old, to=wanted)
    pods = shown(text, "a", "b")
    assert new_names(what, *old, *pods) == {"a", "b"}
    looks = every_second(range(1, 7), pods, service(wanted))
    assert isinstance(verdict(what, *looks), Ready)


def test_pods_that_the_previous_replica_set_makes_later_are_previous() -> None:
    """Scaling up in mid-rollout, or draining a node, makes more pods of the previous version."""
    late = pod("z", OLD)
    assert new_names(PLAIN, *TWO_OLD, late, *TWO_UP) == {"a", "b"}


def test_previous_pods_that_show_the_new_tag_are_previous() -> None:
    """Once a node knows the new tag of the same content, it may show it for running pods."""
    old = shown("team/web:2-rc1", "x", controller="web-8")
    what = change(service("team/web:2-rc1"), old)
    assert new_names(what, *shown(NEW, "x", controller="web-8")) == set()


def test_a_rollback_knows_the_surviving_pods_whose_image_is_not_shown_by_name() -> None:
    """The change that it undoes has noted their ReplicaSet."""
    wanted, bad = f"team/web@{DIGEST}", NEW
    survivors = shown("sha256:" + "cd" * 32, "x", "y", controller="web-8")
    failing = pod("a", bad)
    what = change(
        service(bad), (*survivors, failing), to=wanted, surviving_pods=frozenset({"web-8"})
    )
    assert new_names(what, *survivors, failing) == {"x", "y"}


def test_without_a_record_an_image_that_cannot_be_compared_must_be_the_only_one() -> None:
    """Which of two ReplicaSets is the new one cannot be seen, so one has to go."""
    what = resumed(service(OLD), to=f"team/web@{DIGEST}")
    one = shown("sha256:" + "1" * 64, "a")
    other = shown("sha256:" + "2" * 64, "b", controller="web-7")
    seen = service(f"team/web@{DIGEST}")
    both = every_second(range(1, 60), (*one, *other), seen)
    assert isinstance(verdict(what, *both), Waiting)
    alone = every_second(range(60, 66), other, replace(seen, replicas=1))
    assert isinstance(verdict(what, *both, *alone), Ready)


def test_a_rollback_that_could_not_look_at_the_pods_waits_for_the_only_version() -> None:
    """Without a look at the pods before it, which of two templates is wanted cannot be seen."""
    wanted, survivors = f"team/web@{DIGEST}", shown("sha256:" + "c" * 64, "x", "y")
    failing = shown("sha256:" + "d" * 64, "a", controller="web-7")
    what = change(service(NEW), to=wanted)
    both = every_second(range(1, 60), (*survivors, *failing), service(wanted, replicas=3))
    assert isinstance(verdict(what, *both), Waiting)
    alone = every_second(range(60, 66), survivors, service(wanted))
    assert isinstance(verdict(what, *both, *alone), Ready)


KNOWN = ({MAIN: OLD}, {MAIN: NEW})
"""The images that the portal's history holds."""


@pytest.mark.parametrize(
    ("history", "text", "is_new"),
    [
        (KNOWN, "team/web:nightly", True),
        (KNOWN, "mirror.example/team/web:2", True),
        (KNOWN, OLD, False),
        (KNOWN, f"docker.io/{OLD}", False),
        (KNOWN, "mirror.example/web:1", False),
        ((), "team/web:nightly", False),
        (({MAIN: NEW},), "team/web:nightly", False),
    ],
)
def test_without_a_record_only_an_image_that_the_service_had_proves_a_previous_pod(
    history: tuple[dict[str, str], ...], text: str, *, is_new: bool
) -> None:
    """Any other is the kubelet's own name for the content, where the portal keeps a history."""
    what = resumed(service(history=history))
    assert new_names(what, *shown(text, "a", "b")) == ({"a", "b"} if is_new else set())


def test_without_a_record_a_set_is_held_against_its_pods_that_show_the_wanted_image() -> None:
    """Its pods have no ReplicaSet that tells the versions apart."""
    what = resumed(service(history=KNOWN))
    other = in_set(pod("web-0", "team/web:nightly"))
    assert new_names(what, other, in_set(pod("web-1"))) == {"web-1"}
    assert new_names(what, other) == {"web-0"}


def test_pods_of_a_first_deploy_are_new_whatever_image_they_show() -> None:
    """A service without pods leaves none to compare with, but its image before is known."""
    what = change(service(OLD, replicas=0))
    assert new_names(what, *shown("team/web:nightly", "a")) == {"a"}
    assert new_names(what, *shown(OLD, "a")) == set()
    moved = change(service("old.example/web:2", replicas=0))
    assert new_names(moved, *shown("old.example/web:2", "a")) == set()


# Pods that no controller made


@pytest.mark.parametrize("image", [OLD, NEW])
def test_a_pod_without_a_controller_does_not_block_the_rollout(image: str) -> None:
    """Made by hand, or detached from its ReplicaSet for a closer look, it stays for ever."""
    stray = replace(pod("web-debug", image, phase=4), controller="", controller_kind="")
    what = change(service(OLD), (*TWO_OLD, stray))
    looks = every_second(range(1, 7), (*TWO_UP, stray), service())
    assert isinstance(verdict(what, *looks), Ready)
    stopped = [Look(1.0, (*TWO_UP, stray), service()), Look(7.0, (stray,), service(replicas=0))]
    assert isinstance(verdict(what, *stopped), Ready)


@pytest.mark.parametrize("platform", [0, 7], ids=["native Docker", "no controllers shown"])
def test_pods_without_a_controller_count_where_none_shows_one(platform: int) -> None:
    """Azure does not report controllers, and native Docker has none."""
    old = replace(pod("x", OLD), controller="", controller_kind="")
    what = change(service(OLD, platform=platform), (old,))
    assert isinstance(verdict(what, Look(1.0, (old,), service(platform=platform))), Waiting)
    seen = watch(what, Look(1.0, (old,), service(platform=platform)))
    assert [one.name for one in seen.pods.previous] == ["x"]


# Sets, whose pods keep their names


def test_a_restarted_container_of_a_stateful_set_is_not_a_new_pod() -> None:
    """It has another ID, but its restarts have risen; a new pod begins at zero."""
    old = in_set(pod("web-0", OLD))
    what = restart(service(OLD), (old,))
    assert new_names(what, in_set(pod("web-0", OLD, restarts=1, docker_id="other"))) == set()
    assert new_names(what, in_set(pod("web-0", OLD, docker_id="other"))) == {"web-0"}


def test_a_stateful_set_is_judged_by_image_where_its_pods_show_it() -> None:
    """A pod evicted in mid-rollout is made anew with the previous image."""
    old = tuple(in_set(pod(f"web-{number}", OLD)) for number in range(3))
    what = change(service(OLD), old)
    updated, evicted = in_set(pod("web-2", docker_id="n")), in_set(pod("web-0", OLD, docker_id="m"))
    assert new_names(what, evicted, old[1], updated) == {"web-2"}


def test_a_stateful_set_is_judged_by_its_pods_where_they_show_another_tag() -> None:
    """No pod shows the wanted tag, so the ones made since the change count as new."""
    old = tuple(in_set(pod(f"web-{number}", "team/web:2-rc1")) for number in range(2))
    what = change(service("team/web:2-rc1"), old)
    again = in_set(pod("web-1", "team/web:2-rc1", docker_id="n"))
    assert new_names(what, old[0], again) == {"web-1"}


def test_the_crashed_pod_that_a_stateful_set_never_replaces_is_the_reason() -> None:
    """Rolling back does not help: it keeps the bad image until it is deleted."""
    good = tuple(in_set(pod(f"web-{number}", OLD)) for number in range(2))
    crashed = in_set(pod("web-2", waiting="CrashLoopBackOff", restarts=2))
    what = change(service(NEW), (*good, crashed), to=OLD)
    seen = service(OLD, replicas=3)
    restarted = in_set(pod("web-2", waiting="CrashLoopBackOff", restarts=3, docker_id="other"))
    looks = [Look(1.0, (*good, crashed), seen), Look(900.0, (*good, restarted), seen)]
    result = verdict(what, *looks)
    assert isinstance(result, Waiting)
    assert "pod web-2 of the previous version is not up" in result.stuck
    assert "delete it" in result.stuck


# Changes of single containers


def with_sidecar(name: str, log: str, main: str = NEW, controller: str = "") -> Pod:
    """Return a pod with a second container."""
    plain = pod(name, main)
    both = (*plain.containers, Container("log", log, f"log-{name}", restarts=0, running=True))
    return replace(plain, containers=both, controller=controller or plain.controller)


def test_a_sidecar_change_is_recognised_by_the_sidecar() -> None:
    """The main image stays the same: comparing it alone would prove nothing."""
    before = service(NEW, other_images={"log": "team/log:3"})
    what = change(before, images={"log": "team/log:4"})
    old, new = with_sidecar("x", "team/log:3"), with_sidecar("a", "team/log:4")
    assert new_names(what, old, new) == {"a"}


def test_a_sidecar_that_another_step_changes_does_not_make_our_pods_previous() -> None:
    """Only the containers of this change are compared."""
    before = service(OLD, other_images={"log": "team/log:3"})
    what = change(before, (with_sidecar("x", "team/log:3", OLD),))
    pods = tuple(with_sidecar(name, "team/log:4", controller="web-9") for name in "ab")
    seen = service(other_images={"log": "team/log:4"})
    assert isinstance(verdict(what, *every_second(range(1, 7), pods, seen)), Ready)


def test_a_change_of_a_container_that_pods_do_not_list_needs_new_pods() -> None:
    """Init containers may be missing in the list of pods."""
    before = service(NEW, other_images={"migrate": "team/migrate:9"})
    what = change(before, TWO_UP, images={"migrate": "team/migrate:10"})
    after = service(NEW, other_images={"migrate": "team/migrate:10"})
    looks = every_second(range(1, 60), TWO_UP, after)
    assert isinstance(verdict(what, *looks), Waiting)
    fresh = every_second(range(60, 66), shown(NEW, "c", "d"), after)
    assert isinstance(verdict(what, *looks, *fresh), Ready)


def test_a_pod_without_containers_yet_is_recognised_by_its_controller() -> None:
    """`Containers` may be empty while a pod is created."""
    bare = replace(pod("c", phase=3), containers=())
    assert new_names(PLAIN, *TWO_OLD, bare) == {"c"}
    assert new_names(PLAIN, *TWO_OLD, replace(bare, controller="web-1")) == set()


# Owners


@pytest.mark.parametrize(
    ("name", "controller", "kind"),
    [
        ("web-api-6d5f7c9b8d-x2k4p", "web-api-6d5f7c9b8d", "kubernetes:apps/v1/ReplicaSet"),
        ("web-api-0", "web-api", STATEFUL_SET),
        ("web-api-x2k4p", "web-api", DAEMON_SET),
        ("web-api-6d5f7c9b8d-x2k4p", "", ""),
        ("web-api-0", "", ""),
        ("web-api-x2k4p", "", ""),
    ],
)
def test_a_pod_without_a_service_name_belongs_to_what_its_names_show(
    name: str, controller: str, kind: str
) -> None:
    """`Name` may be absent, and on Azure the controller as well."""
    nameless = replace(pod(name), owner="", controller=controller, controller_kind=kind)
    assert owner(nameless) == "web-api"
    assert by_owner([nameless])["web-api"] == (nameless,)
