"""Counting crashes: the limit-th end of a container is final, whatever shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipe.kinds.service.judge import state
from pipe.kinds.service.rollout import Look
from pipe.portal import Container, Pod
from pipe.rollout import Failed, Ready, Verdict, Waiting
from tests.support.service_looks import (
    NEW,
    OLD,
    change,
    every_second,
    fault,
    in_set,
    pod,
    service,
    verdict,
    watch,
    without_details,
)

ONE = service(replicas=1)
PLAIN = change(service(OLD))
BACK_OFF = "Back-off restarting failed container"


def looks(*pods: Pod, at: int = 1) -> list[Look]:
    """Return one look a second, each at one pod."""
    return [Look(float(at + index), (one,), ONE) for index, one in enumerate(pods)]


def ended(restarts: int, **more: Any) -> Pod:
    """Return a pod whose container has ended, and was not started again yet."""
    return pod("a", restarts=restarts, **{"ended": "Error", "exit_code": 1, **more})


def backing_off(restarts: int) -> Pod:
    """Return a pod whose container is about to be started again."""
    return pod("a", phase=4, restarts=restarts, waiting="CrashLoopBackOff", exit_code=1)


# As recorded: the end shows for a moment or longer, then CrashLoopBackOff does, then the next.
CRASHES = (ended(0), ended(1), backing_off(1), ended(2), backing_off(2), ended(3))


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_the_crash_that_reaches_the_limit_is_final(limit: int) -> None:
    """The third one by default: a database or a proxy may answer by then."""
    last = {1: 1, 2: 2, 3: 4, 4: 6}[limit]
    # The running previous pod shows that the portal shows present states.
    story = looks(pod("x", OLD), *CRASHES)
    assert isinstance(verdict(PLAIN, *story[:last], crash_limit=limit), Waiting)
    result = verdict(PLAIN, *story[: last + 1], crash_limit=limit)
    assert isinstance(result, Failed)
    assert result.pod == "a"
    times = "once" if limit == 1 else f"{limit} times"
    assert f"crash{'ed' if limit == 1 else 'ing'} (exit code 1, ended {times})" in result.reason


def test_no_crash_is_final_without_a_limit() -> None:
    """CRASH_LIMIT 0 waits until the time is up, and then gives the reason."""
    result = verdict(PLAIN, *looks(*CRASHES, backing_off(20)), crash_limit=0)
    assert isinstance(result, Waiting)
    assert "ended 21 times" in result.stuck


def test_two_crashes_until_a_database_answers_end_well() -> None:
    """The run says what it sees meanwhile, and that it is up afterwards."""
    up = pod("a", restarts=2)
    story = [*looks(ended(0), ended(1), backing_off(1)), *every_second(range(4, 10), (up,), ONE)]
    assert isinstance(verdict(PLAIN, *story), Ready)
    assert state(watch(PLAIN, *story)).endswith("with 1 pod up on team/web:2")


def test_an_ended_container_is_not_up_although_its_pod_is_running() -> None:
    """Kubernetes shows that for up to 15 s before CrashLoopBackOff."""
    story = [*looks(pod("a", restarts=1)), *every_second(range(2, 14), (ended(1),), ONE)]
    assert isinstance(verdict(PLAIN, *story), Waiting)
    assert state(watch(PLAIN, *story)).endswith("with 1 pod failing on team/web:2")


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [("OOMKilled", 137, "exit code 137, OOMKilled, "), ("Completed", 0, "exit code 0, ")],
)
def test_every_end_counts(reason: str, code: int, words: str) -> None:
    """Out of memory, or killed by a liveness probe and heeding it with 0."""
    result = verdict(PLAIN, *looks(pod("x", OLD), ended(2, ended=reason, exit_code=code)))
    assert isinstance(result, Failed)
    assert f"keeps crashing ({words}ended 3 times)" in result.reason


def test_an_image_whose_command_is_missing_is_a_crash() -> None:
    """It is tried again, so that it is final at the limit as well."""
    failing = pod("a", restarts=2, waiting="RunContainerError", message="exec: no such file")
    result = verdict(PLAIN, *looks(failing))
    assert isinstance(result, Failed)
    assert result.reason.endswith("exec: no such file")


def with_other(container: Container, *, init: bool = False) -> Pod:
    """Return a pod that has this container beside its main one."""
    plain = pod("a")
    if init:
        return replace(plain, init_containers=(container,))
    return replace(plain, containers=(*plain.containers, container))


@pytest.mark.parametrize("init", [False, True])
def test_other_containers_count_by_themselves(init: bool) -> None:
    """One container of several, named; the ends of two are not added up."""
    crashing = Container("log", "team/log:3", "l", restarts=2, waiting="CrashLoopBackOff")
    result = verdict(PLAIN, *looks(with_other(crashing, init=init)))
    assert isinstance(result, Failed)
    assert "container log, ended 3 times" in result.reason
    once = replace(crashing, restarts=1)
    both = with_other(once, init=init)
    main = replace(both.containers[0], restarts=1)
    both = replace(both, containers=(main, *both.containers[1:]))
    assert isinstance(verdict(PLAIN, *looks(both)), Waiting)


def test_an_init_container_that_is_done_has_not_crashed() -> None:
    """It ended, with 0, and that is its purpose."""
    done = Container("migrate", "team/m:1", "m", restarts=0, ended="Completed", exit_code=0)
    story = every_second(range(1, 7), (with_other(done, init=True),), ONE)
    assert verdict(PLAIN, *story, crash_limit=1) == Ready("1 pod up for 5 s, as the portal shows")


def test_restarts_from_before_the_change_do_not_count() -> None:
    """A pod that crashed last week is not in a crash loop today, as after a rollback."""
    survivor = pod("x", OLD, restarts=7)
    what = change(service(NEW), (survivor,), to=OLD)
    seen = service(OLD, replicas=1)
    assert isinstance(verdict(what, *every_second(range(1, 7), (survivor,), seen)), Ready)


def test_a_stateful_set_counts_the_restarts_of_its_new_pod_from_zero() -> None:
    """It has the same name as the old one, which had been restarted often."""
    old = in_set(pod("web-0", OLD, restarts=7))
    what = change(service(OLD), (old,))
    fresh = [in_set(pod("web-0", restarts=count, docker_id=f"n{count}")) for count in range(4)]
    assert isinstance(verdict(what, *looks(*fresh[:3])), Waiting)
    assert isinstance(verdict(what, *looks(*fresh)), Failed)


# Portals that show less


def bare(number: int, phase: int = 1) -> Pod:
    """Return a pod of an older portal; the container has another ID after each restart."""
    return without_details(pod("a", phase=phase), f"id-{number}")


def test_ids_of_containers_count_where_restarts_are_not_shown() -> None:
    """Up and waiting in turn: the third end is the second time it waits."""
    story = looks(bare(1), bare(2), bare(2, phase=4), bare(3), bare(3, phase=4))
    assert isinstance(verdict(PLAIN, *story[:-1]), Waiting)
    result = verdict(PLAIN, *story)
    assert isinstance(result, Failed)
    assert "ended 3 times" in result.reason


def test_going_down_counts_where_not_even_ids_are_shown() -> None:
    """The phase alone."""

    def nameless(phase: int) -> Pod:
        plain = pod("a", phase=phase)
        return replace(plain, containers=(Container("web", NEW),))

    story = looks(*[nameless(phase) for phase in (1, 4, 1, 4, 1, 4)])
    assert isinstance(verdict(PLAIN, *story[:-1]), Waiting)
    assert isinstance(verdict(PLAIN, *story), Failed)


def test_a_fault_alone_is_not_a_crash_loop() -> None:
    """Both raise it at once, so only counting decides."""
    waiting = without_details(pod("a", phase=4), "id-1")
    story = every_second(range(1, 60), (waiting,), ONE, (fault("a", BACK_OFF),))
    result = verdict(PLAIN, *story)
    assert isinstance(result, Waiting)
    assert BACK_OFF in result.stuck


def test_a_pod_that_has_crashed_must_stay_up_for_longer_where_states_are_not_shown() -> None:
    """A container that has ended again would look the same until it is started again."""
    hidden = [replace(one, running=False) for one in pod("a", restarts=1).containers]
    running = replace(pod("a"), containers=tuple(hidden))
    story = every_second(range(1, 15), (running,), ONE)

    def after(*more: Look) -> Verdict:
        return verdict(PLAIN, *story, *more)

    assert after() == Waiting("1 pod up; must stay up for 15 s", until=16.0)
    assert isinstance(after(Look(16.0, (running,), ONE)), Ready)


# Portals that show neither restarts nor states: a fault is all there is between two crashes


def blind(name: str, image: str = NEW, docker_id: str = "") -> Pod:
    """Return a pod that runs, or seems to."""
    return without_details(pod(name, image), docker_id)


def after_a_rolling_update(gap: float, *texts: str) -> list[Look]:
    """Return looks at a pod that took over from another within `gap` seconds, and is restarted."""
    faults = tuple(fault("a", text) for text in texts)
    both, alone = (blind("x", OLD), blind("a")), (blind("a", docker_id="again"),)
    return [Look(1.0, both, ONE), Look(1.0 + gap, alone, ONE), Look(17.0, alone, ONE, faults)]


def test_a_crash_in_the_faults_holds_back_a_pod_that_seems_to_run() -> None:
    """It may be waiting for its next start, as recorded for up to 15 s."""
    result = verdict(PLAIN, *after_a_rolling_update(8.0, BACK_OFF))
    assert isinstance(result, Waiting)
    assert result.until == 1.0 + 8.0 + 30.0
    assert result.stuck == f"pod a has crashed: {BACK_OFF}"


@pytest.mark.parametrize("texts", [(), ("Readiness probe failed",)])
def test_other_faults_do_not_hold_it_back(texts: tuple[str, ...]) -> None:
    """They may be about the time before it was ready."""
    assert isinstance(verdict(PLAIN, *after_a_rolling_update(8.0, *texts)), Ready)


def test_a_crash_is_over_where_the_pod_then_replaced_a_previous_one() -> None:
    """Started right before the last previous pod left, it was what made Kubernetes go on."""
    assert isinstance(verdict(PLAIN, *after_a_rolling_update(0.5, BACK_OFF)), Ready)


def test_a_pod_that_stays_up_after_a_crash_is_ready_in_the_end() -> None:
    """Faults outlive their cause."""
    story = after_a_rolling_update(8.0, BACK_OFF)
    assert isinstance(verdict(PLAIN, *story, replace(story[-1], at=40.0)), Ready)


def test_a_fault_holds_nothing_back_where_states_are_shown() -> None:
    """A container that has ended shows that itself."""
    story = [Look(float(at), (pod("a"),), ONE, (fault("a", BACK_OFF),)) for at in (1, 6)]
    assert isinstance(verdict(PLAIN, *story), Ready)
