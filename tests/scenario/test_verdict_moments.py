"""No verdict comes later than when every look came as soon as the one before it was judged.

The moments are those of looks twice a second (once a second for several services) from the change
to the verdict. Looks may become fewer; what they find must not become known later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.sandbox import Behaviour, World
from tests.sandbox.strategy import ONE_MORE
from tests.support.environment import NEW_IMAGE
from tests.support.harness import Harness

MAIN = "duplo-main-container"
TWO_REQUESTS = 0.041
"""Seconds by which the last look may read more; a look less often would take half a second."""


@dataclass(frozen=True)
class Case:
    """A deploy, and the seconds from the change to the end of a run that looks all the time."""

    name: str
    moment: float
    code: int = 0
    rollout_seconds: float = 2.0
    behaviour: Behaviour | None = None
    service: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[World], object] = lambda _: None

    def __str__(self) -> str:
        """Return the name in the test's id."""
        return self.name


def good(seconds: float, moment: float, **options: Any) -> Case:
    """Return a rollout of one pod that takes so many seconds."""
    one = {"replicas": 1, **options.pop("service", {})}
    name = options.pop("name", "good")
    return Case(f"{name} {seconds:g} s", moment, 0, seconds, service=one, **options)


def bad(name: str, moment: float, behaviour: Behaviour, code: int = 10, **options: Any) -> Case:
    """Return a rollout whose pods behave like this."""
    variables = {"WAIT_TIMEOUT": "60", **options.pop("variables", {})}
    return Case(name, moment, code, behaviour=behaviour, variables=variables, **options)


def deploy_another_version(world: World) -> None:
    """Change the service's image as another user."""
    world.service("web").set_images({MAIN: "team/web:9"}, "another-user")


def superseded(after: float, moment: float) -> Case:
    """Return a rollout of ten seconds that another deployment ends so many after the change."""

    def prepare(world: World) -> None:
        world.intrude(
            lambda _: world.intrude(deploy_another_version, after=after),
            when=("PUT", "containerimage", 1),
        )

    return Case(f"superseded after {after:g} s", moment, 7, 10.0, prepare=prepare)


def older(world: World) -> None:
    """Show neither restarts nor states."""
    world.pod_details = False


def limit(crashes: int) -> dict[str, str]:
    """Return the variables of that limit of crashes."""
    return {"CRASH_LIMIT": str(crashes)}


CASES = [
    good(1.9, 7.08),
    good(2, 7.08),
    good(2.2, 7.58),
    good(3.1, 8.58),
    good(4.4, 9.58),
    good(7.7, 13.08),
    good(10, 15.08),
    good(14.2, 19.58),
    good(20, 25.08),
    good(33.3, 38.58),
    good(60, 65.08),
    good(2.0, 11.08, name="three pods", service={"replicas": 3}),
    good(12.5, 42.58, name="three pods", service={"replicas": 3}),
    good(2.0, 7.10, name="without states", prepare=older),
    good(7.3, 12.60, name="without states", prepare=older),
    good(3.3, 24.08, name="stateful set", service={"replicas": 2, "statefulset": True}),
    good(2.0, 32.08, name="stable for 30 s", variables={"STABLE_SECONDS": "30"}),
    good(2.0, 2.04, name="not watched", variables={"STABLE_SECONDS": "0"}),
    bad("crash", 18.06, Behaviour("crash")),
    bad("crash, up between", 26.06, Behaviour("crash", up_seconds=3.0, ready=True)),
    bad("crash, up for long", 31.56, Behaviour("crash", up_seconds=4.7, ready=True)),
    bad(
        "crash, two allowed",
        10.06,
        Behaviour("crash", up_seconds=3.3, ready=True),
        variables=limit(2),
    ),
    bad(
        "crash, one allowed",
        5.58,
        Behaviour("crash", up_seconds=3.3, ready=True),
        variables=limit(1),
    ),
    bad(
        "crash without states", 40.08, Behaviour("crash", up_seconds=3.0, ready=True), prepare=older
    ),
    bad("out of memory", 24.56, Behaviour("oom")),
    bad("liveness", 14.08, Behaviour("liveness", up_seconds=4.0)),
    bad("absent image", 3.06, Behaviour("pull-error")),
    bad("absent image without states", 3.06, Behaviour("pull-error"), prepare=older),
    bad("invalid name", 3.06, Behaviour("invalid-name")),
    bad("no command", 17.08, Behaviour("bad-command")),
    bad("absent secret", 7.06, Behaviour("config-error")),
    bad("never ready", 20.06, Behaviour("never-ready"), variables={"WAIT_TIMEOUT": "20"}),
    bad("no node", 20.06, Behaviour("unschedulable"), variables={"WAIT_TIMEOUT": "20"}),
    bad(
        "evicted",
        20.06,
        Behaviour("evicted", up_seconds=3.0, ready=True),
        variables={"WAIT_TIMEOUT": "20"},
    ),
    bad("evicted once", 12.08, Behaviour("evicted", up_seconds=3.0, ready=True, pods=1), 0),
    bad("one crash", 11.08, Behaviour("crash", crashes=1), 0),
    bad("two crashes", 41.08, Behaviour("crash", crashes=2), 0),
    superseded(0.3, 1.04),
    superseded(1.4, 2.04),
    superseded(2.9, 3.04),
    superseded(5.5, 6.04),
    superseded(9.9, 10.04),
    superseded(10.3, 11.04),
    superseded(11.2, 12.04),
    superseded(12.9, 13.04),
    superseded(14.4, 15.04),
]


def moment_of(harness: Harness, case: Case) -> tuple[int, float]:
    """Return the exit code, and the seconds from the change to the end."""
    world = harness.world
    world.rollout_seconds = case.rollout_seconds
    harness.web(**case.service)
    case.prepare(world)
    if case.behaviour:
        world.behave(NEW_IMAGE, case.behaviour)
    result = harness.deploy(VERIFY_IMAGE="false", **case.variables)
    return result.code, harness.clock.monotonic() - world.writes()[0].at


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_verdict_is_later_than_with_a_look_all_the_time(harness: Harness, case: Case) -> None:
    code, moment = moment_of(harness, case)
    assert code == case.code
    assert moment <= case.moment + TWO_REQUESTS


def fall(name: str, moment: float, behaviour: Behaviour, code: int = 0) -> Case:
    """Return a rollout of one pod that is up after 2 s, and no longer so before 7 s."""
    return Case(name, moment, code, behaviour=behaviour, service={"replicas": 1})


def superseded_when_up(after: float, moment: float) -> Case:
    """Return a rollout that another deployment ends when only time is missing."""
    case = superseded(after, moment)
    return replace(case, rollout_seconds=2.0, service={"replicas": 1})


LONGEST_WITHOUT_LOOK = 2.5
FALLS = [
    fall("crash after 1 s", 9.08, Behaviour("crash", crashes=1, up_seconds=1.0, ready=True)),
    fall("crash after 2.2 s", 10.54, Behaviour("crash", crashes=1, up_seconds=2.2, ready=True)),
    fall("crash after 4.4 s", 12.54, Behaviour("crash", crashes=1, up_seconds=4.4, ready=True)),
    fall("evicted after 3.1 s", 12.54, Behaviour("evicted", up_seconds=3.1, ready=True, pods=1)),
    superseded_when_up(2.6, 4.04),
    superseded_when_up(4.1, 5.04),
    superseded_when_up(6.8, 8.04),
]


@pytest.mark.parametrize("case", FALLS, ids=str)
def test_a_fall_while_only_time_is_missing_is_found_by_the_next_look(
    harness: Harness, case: Case
) -> None:
    """Looks are fewer then; the one that finds it is followed by as many as ever."""
    code, moment = moment_of(harness, case)
    assert code == case.code
    assert moment <= case.moment + LONGEST_WITHOUT_LOOK - 0.5


@pytest.mark.parametrize(
    ("services", "pods", "seconds", "most"), [(1, 1, 2.0, 18), (20, 3, 5.0, 40)]
)
def test_a_rollout_takes_few_requests(
    harness: Harness, services: int, pods: int, seconds: float, most: int
) -> None:
    """The two smaller cases of the benchmark, with one write for each service.

    Two requests are for access to Kubernetes, which the portal does not issue.
    """
    harness.world.rollout_seconds = seconds / pods
    harness.world.strategy, harness.world.probes_miss = ONE_MORE, False
    names = [f"web-{number}" for number in range(services)]
    for name in names:
        harness.world.add_service(name, f"team/{name}:1", replicas=pods)
    changes = " ".join(f"{name}=team/{name}:2" for name in names)
    result = harness.run(SERVICES=changes, STABLE_SECONDS="5", VERIFY_IMAGE="false")
    assert result.code == 0
    assert len(harness.world.log) <= most
