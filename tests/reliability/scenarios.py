"""A small world for each of many runs of the pipe, and the state that a run leaves in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from pipe.dependencies import Dependencies
from tests.sandbox import Behaviour, Command, RequestRecord, World, WsgiAdapter, create_app
from tests.sandbox.fault_injection import WsgiApp
from tests.sandbox.hosts import Hosts
from tests.sandbox.issued_secrets import CLUSTER_SIGNATURE
from tests.sandbox.kinds import KINDS
from tests.sandbox.kubernetes.api import create_kubernetes_app
from tests.sandbox.kubernetes.cluster import HOST as KUBERNETES
from tests.support.environment import NEW_IMAGE, OLD_IMAGE, environment, report_dir
from tests.support.fake_clock import FakeClock
from tests.support.harness import HOST, LATENCY, RunResult, read_record, run_pipe

T = TypeVar("T")

FULL = os.environ.get("RELIABILITY") == "full"
"""Whether every cell is run (`make reliability`), or a fixed share of them (`make test`)."""
PORTAL = "portal.example"
OLD, NEW, BAD = OLD_IMAGE, NEW_IMAGE, "team/web:bad"


class Killed(BaseException):
    """SIGKILL, as far as a process can simulate it: nothing in the pipe catches it."""


@dataclass(frozen=True)
class Scenario:
    """A task for the pipe, with its exit code and the image it leaves when nothing interferes."""

    name: str
    code: int
    image: str = NEW
    left: str = NEW
    environ: Mapping[str, str] = field(default_factory=dict)
    portal: str = "new"
    kind: str = "service"
    kubernetes: bool = False
    """Whether the portal hands out access to Kubernetes."""

    def __str__(self) -> str:
        return self.name


DEPLOY = Scenario("deploy", 0)
DEPLOY_OLD = Scenario("deploy-old-portal", 0, portal="old")
RESTART = Scenario("restart", 0, image=OLD, left=OLD, environ={"RESTART": "true"})
RESTART_AND_CHANGE = Scenario("restart-and-change", 0, environ={"RESTART": "true"})
ROLLBACK = Scenario("rollback", 8, image=BAD, left=OLD, environ={"ROLLBACK": "true"})
FAILED = Scenario("failed", 10, image=BAD, left=BAD)
OTHER_KINDS = tuple(Scenario(kind, 0, kind=kind) for kind in KINDS)
OTHER_KINDS_ROLLBACK = tuple(
    Scenario(f"{kind}-rollback", 8, image=BAD, left=OLD, environ={"ROLLBACK": "true"}, kind=kind)
    for kind in KINDS
    if KINDS[kind].fails
)
_CONFIGURATION = {"ENV": "LOG=debug\nNEW_FLAG=value", "REPLICAS": "3"}
CONFIGURE = Scenario("configure", 0, image=OLD, left=OLD, environ=_CONFIGURATION)
CONFIGURE_ROLLBACK = Scenario(
    "configure-rollback", 8, image=BAD, left=OLD, environ={**_CONFIGURATION, "ROLLBACK": "true"}
)
SEEN = Scenario("kubernetes", 0, kubernetes=True)
SEEN_ROLLBACK = Scenario(
    "kubernetes-rollback", 8, image=BAD, left=OLD, environ={"ROLLBACK": "true"}, kubernetes=True
)
SEEN_BY_KUBERNETES = (SEEN, SEEN_ROLLBACK)
MIGRATE, FAIL = "./migrate", "./fail"
_BUILD = {"BITBUCKET_BUILD_NUMBER": "17"}
_STEP = {"RELEASE_TIMEOUT": "60", **_BUILD}
_RUN = {"ACTION": "run", **_STEP}
RELEASE = Scenario("release", 0, environ={"RELEASE_COMMAND": MIGRATE, **_STEP})
RELEASE_FAILED = Scenario("release-failed", 6, left=OLD, environ={"RELEASE_COMMAND": FAIL, **_STEP})
RELEASE_ECS = replace(RELEASE, name="release-ecs", kind="ecs")
RUN = Scenario("run", 0, image="", left=OLD, environ={"COMMAND": MIGRATE, **_RUN})
RUN_FAILED = Scenario("run-failed", 6, image="", left=OLD, environ={"COMMAND": FAIL, **_RUN})
_TEST = {"POST_DEPLOY_TEST": FAIL, "POST_DEPLOY_TEST_IN": "tenant", "TEST_TIMEOUT": "60"}
TEST_IN_TENANT = Scenario(
    "test-in-tenant", 8, left=OLD, environ={**_TEST, **_BUILD, "ROLLBACK": "true"}
)
COMMANDS = (RELEASE, RELEASE_FAILED, RELEASE_ECS, RUN, RUN_FAILED, TEST_IN_TENANT)
SCENARIOS = (DEPLOY, DEPLOY_OLD, RESTART, RESTART_AND_CHANGE, ROLLBACK, FAILED)
CONFIGURATIONS = (CONFIGURE, CONFIGURE_ROLLBACK)


class WatchedAdapter(WsgiAdapter):
    """Counts the requests to the platform and calls `before` and `after` around each.

    They go to the portal unless another application is given.
    """

    def __init__(self, harness: ScenarioHarness, app: WsgiApp | None = None) -> None:
        super().__init__(app or create_app(harness.world), harness.clock, latency=LATENCY)
        self._harness = harness

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Answer one request."""
        harness = self._harness
        if harness.is_killed:
            raise Killed
        harness.sent += 1
        number = harness.sent
        harness.before(number)
        response = super().send(request, **options)
        harness.after(number)
        return response


class WatchedHosts(Hosts):
    """Records the hosts that the pipe contacts, and those that receive the secret of another."""

    def __init__(self, harness: ScenarioHarness) -> None:
        kubernetes = WatchedAdapter(harness, create_kubernetes_app(harness.world))
        known = {PORTAL: harness.adapter(harness), KUBERNETES: kubernetes}
        super().__init__({**known, **harness.other_hosts})
        self._harness = harness

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Pass one request on."""
        host = urlsplit(str(request.url)).hostname or ""
        self._harness.hosts.add(host)
        content = f"{request.url} {request.headers} {request.body!r}"
        for secret, owner in self._harness.secrets.items():
            if host != owner and secret in content:
                self._harness.leaks.add(host)
        return super().send(request, **options)


def share(cells: Sequence[T], every: int) -> Sequence[T]:
    """Return all cells, or every nth of them, always the same."""
    return cells if FULL else cells[::every]


def nothing(_: int) -> None:
    """Let a request pass."""


class ScenarioHarness:
    """A tenant with the service `web`, deployed long ago, and runs of the pipe against it."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.scenario = scenario
        self.folder = folder
        self.clock = FakeClock()
        self.world = World(self.clock)
        self.world.portal = scenario.portal  # type: ignore[assignment]
        self.world.kubernetes.enabled = scenario.kubernetes
        self.world.add_tenant("dev01")
        self.web: Any = self._target(scenario.kind)
        self.world.behave(BAD, Behaviour("crash", log=("fatal: no database",)))
        self.world.command(MIGRATE, Command(seconds=3, lines=((0, "one"), (2, "two"))))
        self.world.command(FAIL, Command(seconds=2, lines=((0, "no table"),), exit_code=3))
        self.clock.advance(86400.0)
        self.adapter: Callable[[ScenarioHarness], WatchedAdapter] = WatchedAdapter
        self.other_hosts: Mapping[str, BaseAdapter] = {}
        """Adapters of the hosts other than the portal, by name."""
        self.secrets = {self.world.token: PORTAL, CLUSTER_SIGNATURE: KUBERNETES}
        """Secrets, each with the only host that may receive it."""
        self.hosts: set[str] = set()
        self.leaks: set[str] = set()
        self.sent = 0
        self.is_killed = False
        self.before: Callable[[int], None] = nothing
        self.after: Callable[[int], None] = nothing

    def _target(self, kind: str) -> Any:
        if kind == "service":
            return self.world.add_service("web", OLD, replicas=2, allocation_tags="tier-app")
        return self.world.resources[kind].add("web", OLD)

    @property
    def starts(self) -> int:
        """Pods started so far, where pods are counted."""
        return int(getattr(self.web, "starts", 0))

    @property
    def report_dir(self) -> Path:
        """The directory that runs write their reports to."""
        return report_dir(self.folder)

    def environ(self, **extra: str) -> dict[str, str]:
        """Return the variables of the scenario."""
        usual = environment(
            HOST,
            self.world.token,
            image=self.scenario.image,
            folder=self.folder,
            step=True,
            KIND=self.scenario.kind,
        )
        return {**usual, **self.scenario.environ, **extra}

    def kill(self) -> None:
        """End the run as SIGKILL would: no handler of it reaches the portal any more."""
        self.is_killed = True
        raise Killed

    def run(self, **extra: str) -> RunResult:
        """Run the pipe once; raises `Killed` if the test kills it."""
        self.sent, self.is_killed = 0, False
        dependencies = Dependencies(self.clock, WatchedHosts(self))
        return run_pipe(self.environ(**extra), dependencies, self.report_dir)

    def report(self) -> Mapping[str, Any]:
        """Return the record of the last run, empty if there is none."""
        return read_record(self.report_dir)

    def writes(self) -> list[RequestRecord]:
        """Return the changes of targets that took effect.

        A registered revision alone changes nothing, nor does a job or a task of its own.
        """
        others = ("TaskDefinition", "/k8s/job", "/runEcsTask")
        return [one for one in self.world.writes() if not any(word in one.path for word in others)]


def nth(number: int, action: Callable[[], None]) -> Callable[[int], None]:
    """Return a hook that performs `action` at the request with that number, counted from 1."""

    def act(current: int) -> None:
        if current == number:
            action()

    return act
