"""The verdict by a workload's own status, where the recordings have no example."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipe.configuration import Configuration
from pipe.kinds.service.rollout import Look, has_arrived
from pipe.kinds.service.snapshot import detail
from pipe.kubernetes import GAVE_UP, Condition, Workload, WorkloadKind, selector
from pipe.model import MAIN, Change, Update
from pipe.portal import Pod
from pipe.rollout import Failed, Ready, Superseded, Waiting
from pipe.rollout.verdict import words
from tests.support.service_looks import NEW, OLD, change, fault, pod, restart, resumed, service
from tests.support.service_looks import verdict as judged

BEFORE = Workload(
    kind=WorkloadKind.DEPLOYMENT,
    name="web",
    generation=1,
    observed=1,
    images={MAIN: OLD},
    wanted=2,
    total=2,
    updated=2,
    ready=2,
    available=2,
)
AFTER = replace(BEFORE, generation=2, observed=2, images={MAIN: NEW})
EXCEEDED = Condition("Progressing", "False", GAVE_UP, "ReplicaSet has timed out.", "10:00")


def ready(name: str, image: str = NEW, *, is_ready: bool = True, **container: Any) -> Pod:
    """Return a pod as Kubernetes shows it."""
    return replace(pod(name, image, **container), ready=is_ready)


def before(what: Change, workload: Workload | None = BEFORE) -> Change:
    """Return the change with what Kubernetes showed before it."""
    noted = replace(detail(what.before), workload=workload)
    return what.with_snapshot(replace(what.before, detail=noted))


OLD_PODS = (ready("o1", OLD), ready("o2", OLD))
NEW_PODS = (ready("n1"), ready("n2"))
UPDATE = before(change(service(OLD), OLD_PODS))


def look(at: float, workload: Workload = AFTER, pods: tuple[Pod, ...] = NEW_PODS) -> Look:
    """Return a look at which the portal shows the new image."""
    return Look(at, pods, service(), workload=workload)


def test_a_rollout_is_over_once_it_has_been_available_for_long_enough() -> None:
    assert isinstance(judged(UPDATE, look(1.0), look(5.9)), Waiting)
    assert judged(UPDATE, look(1.0), look(6.0)) == Ready(
        "2 pods available for 5 s, as Kubernetes reports"
    )


def test_pods_that_are_ready_have_to_stay_so_before_they_count_as_available() -> None:
    """With minReadySeconds, Kubernetes calls them available later."""
    early = replace(AFTER, available=0)
    waiting = judged(UPDATE, look(1.0, early), look(9.0, early))
    assert words(waiting) == "2 of 2 new pods ready, 0 available"
    assert isinstance(judged(UPDATE, look(1.0, early), look(9.0), look(13.9)), Waiting)
    assert isinstance(judged(UPDATE, look(1.0, early), look(9.0), look(14.0)), Ready)


def test_a_status_of_an_older_generation_proves_nothing() -> None:
    stale = replace(AFTER, observed=1)
    waiting = judged(UPDATE, look(1.0, stale), look(9.0, stale))
    assert words(waiting) == "Kubernetes has not begun the rollout yet"


def test_the_portal_may_pass_a_change_on_late() -> None:
    waiting = judged(UPDATE, look(1.0, BEFORE, OLD_PODS), look(9.0, BEFORE, OLD_PODS))
    assert words(waiting) == "Kubernetes still has the previous image"


def test_a_pod_that_is_not_ready_again_begins_the_time_anew() -> None:
    fallen = (ready("n1"), ready("n2", is_ready=False))
    less = replace(AFTER, available=1)
    looks = [look(1.0), look(4.0, less, fallen), look(5.0), look(9.9)]
    assert isinstance(judged(UPDATE, *looks), Waiting)
    assert isinstance(judged(UPDATE, *looks, look(10.0)), Ready)


def test_a_crash_between_two_looks_begins_the_time_anew() -> None:
    restarted = (ready("n1"), ready("n2", restarts=1))
    looks = [look(1.0), look(5.0, pods=restarted), look(9.9, pods=restarted)]
    assert isinstance(judged(UPDATE, *looks), Waiting)


def test_a_lagging_status_does_not_hide_a_pod_that_is_not_ready() -> None:
    fallen = (ready("n1"), ready("n2", is_ready=False))
    waiting = judged(UPDATE, look(1.0), look(7.0, pods=fallen))
    assert "1 of 2 new pods ready, 1 not ready" in words(waiting)


def test_surplus_pods_have_to_go() -> None:
    """A rolling update may end with more pods than are wanted, and so may a smaller number."""
    more = replace(AFTER, total=3, updated=3, ready=3, available=3)
    pods = (*NEW_PODS, ready("n3"))
    waiting = judged(UPDATE, look(1.0, more, pods), look(9.0, more, pods))
    assert words(waiting) == "3 of 2 new pods ready, 1 pod still to end"


def test_a_stopped_service_has_no_pods_to_wait_for() -> None:
    none = replace(AFTER, wanted=0, total=0, updated=0, ready=0, available=0)
    assert judged(UPDATE, look(1.0, none, ())) == Ready(
        "it is stopped, so there are no pods to wait for"
    )


def test_a_quota_is_named_by_the_condition() -> None:
    failure = Condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota: pods")
    none = replace(AFTER, updated=0, conditions=(failure,))
    assert "exceeded quota: pods" in words(judged(UPDATE, look(1.0, none, OLD_PODS)))


def test_another_deployment_shows_in_the_template() -> None:
    theirs = replace(AFTER, generation=3, images={MAIN: "team/web:9"})
    assert judged(UPDATE, look(1.0), look(2.0, theirs)) == Superseded("team/web:9")


def test_kubernetes_gives_up_what_makes_no_progress() -> None:
    unready = (ready("n1", is_ready=False),)
    stuck = replace(AFTER, updated=1, available=0, conditions=(EXCEEDED,))
    one = Look(
        1.0, unready, service(), (fault("n1", "Readiness probe failed: HTTP 503"),), workload=stuck
    )
    failed = judged(UPDATE, one)
    assert isinstance(failed, Failed)
    assert failed.pod == "n1"
    assert failed.reason == (
        "Kubernetes gave up (ProgressDeadlineExceeded): ReplicaSet has timed out; "
        "pod n1 is not ready: Readiness probe failed: HTTP 503"
    )
    assert isinstance(judged(UPDATE, one, crash_limit=0), Waiting)


def test_a_deadline_that_passed_before_the_change_says_nothing_of_it() -> None:
    """As in a rollback: the condition stays until there is progress."""
    stuck = replace(BEFORE, conditions=(EXCEEDED,))
    update = before(change(service(OLD), OLD_PODS), stuck)
    going = replace(AFTER, updated=0, conditions=(EXCEEDED,))
    assert isinstance(judged(update, look(1.0, going, OLD_PODS)), Waiting)
    again = replace(going, conditions=(replace(EXCEEDED, updated="10:20"),))
    assert isinstance(judged(update, look(1.0, again, OLD_PODS)), Failed)


def test_a_paused_deployment_is_named() -> None:
    paused = replace(AFTER, is_paused=True, updated=0)
    assert "is paused" in words(judged(UPDATE, look(1.0, paused, OLD_PODS)))


SAME = replace(BEFORE, images={MAIN: NEW})
SETS_REPLICAS = Configuration(replicas=3)


@pytest.mark.parametrize(
    ("what", "workload", "arrived"),
    [
        (UPDATE, BEFORE, False),
        (UPDATE, AFTER, True),
        # An admission controller may rewrite images, such as to those of a mirror.
        (UPDATE, replace(AFTER, images={MAIN: "mirror.example/team/web@sha256:1"}), True),
        (UPDATE, replace(AFTER, generation=2, images={MAIN: OLD}), False),
        # Someone had set the image in Kubernetes already: the portal's change changes nothing.
        (before(change(service(OLD), OLD_PODS), SAME), SAME, True),
        # A restart leaves the images as they are.
        (before(restart(service(), NEW_PODS), SAME), SAME, False),
        (before(restart(service(), NEW_PODS), SAME), replace(SAME, generation=2), True),
        (before(restart(service(), NEW_PODS), None), SAME, False),
        # The portal may also delete the workload and make it anew.
        (before(restart(service(), NEW_PODS), SAME), replace(SAME, uid="another"), True),
        # So may a change of the configuration.
        (before(change(service(), make=Update, configuration=SETS_REPLICAS), SAME), SAME, False),
        (
            before(change(service(), make=Update, configuration=SETS_REPLICAS), SAME),
            replace(SAME, generation=2),
            True,
        ),
        # What an earlier run made has arrived before.
        (before(resumed(service()), SAME), SAME, True),
    ],
)
def test_a_change_has_arrived_once_the_workload_is_set_to_it(
    what: Change, workload: Workload, *, arrived: bool
) -> None:
    assert has_arrived(what, workload) is arrived


@pytest.mark.parametrize(
    ("changed", "available"),
    [
        ({}, True),
        ({"observed": 1}, False),
        ({"updated": 1}, False),
        ({"total": 3}, False),
        ({"available": 1}, False),
        # Pods below the partition of a set keep their version.
        ({"updated": 1, "outdated_stay": 1}, True),
    ],
)
def test_a_workload_is_available_as_kubectl_would_call_it(
    changed: dict[str, Any], *, available: bool
) -> None:
    assert replace(AFTER, **changed).is_available is available


def test_pods_of_many_services_are_selected_by_one_request() -> None:
    one, two = (replace(AFTER, name=name, selector=(("app", name),)) for name in ("a", "b"))
    assert selector([one]) == "app=a"
    assert selector([one, two]) == "app in (a,b)"
    assert not selector([one, replace(two, selector=(("name", "b"),))])
    assert not selector([one, replace(two, selector=())])
    many = [replace(one, selector=(("app", f"service-{number}"),)) for number in range(500)]
    assert not selector(many)
