"""Whole runs in numbers: a small world made anew for every cell, and what a run left of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from pipe.dependencies import Dependencies
from tests.sandbox import Behaviour, RequestRecord, World, WsgiAdapter, create_app
from tests.sandbox.hosts import Hosts
from tests.sandbox.kinds import KINDS
from tests.support.fake_clock import FakeClock
from tests.support.stage import HOST, LATENCY, RunResult, play, record_in

T = TypeVar("T")

FULL = os.environ.get("RELIABILITY") == "full"
"""Whether every cell is run (`make reliability`), or a fixed share of them (`make test`)."""
PORTAL = "portal.example"
OLD, NEW, BAD = "team/web:1.4.1", "team/web:1.4.2", "team/web:bad"
STEP = {
    "BITBUCKET_PIPELINE_UUID": "{pipeline}",
    "BITBUCKET_STEP_UUID": "{step}",
    "BITBUCKET_STEP_RUN_NUMBER": "1",
}


class Killed(BaseException):
    """SIGKILL, as far as it can be had within a process: nothing in the pipe catches it."""


@dataclass(frozen=True)
class Play:
    """One thing to ask of the pipe, and how it ends when nothing goes wrong."""

    name: str
    code: int
    image: str = NEW
    left: str = NEW
    environ: Mapping[str, str] = field(default_factory=dict)
    portal: str = "new"
    kind: str = "service"

    def __str__(self) -> str:
        return self.name


DEPLOY = Play("deploy", 0)
DEPLOY_OLD = Play("deploy-old-portal", 0, portal="old")
RESTART = Play("restart", 0, image=OLD, left=OLD, environ={"RESTART": "true"})
RESTART_NEW = Play("restart-and-change", 0, environ={"RESTART": "true"})
ROLLBACK = Play("rollback", 8, image=BAD, left=OLD, environ={"ROLLBACK": "true"})
LEFT_AS_IT_IS = Play("failed", 10, image=BAD, left=BAD)
OTHER_KINDS = tuple(Play(kind, 0, kind=kind) for kind in KINDS)
OTHER_KINDS_BACK = tuple(
    Play(f"{kind}-rollback", 8, image=BAD, left=OLD, environ={"ROLLBACK": "true"}, kind=kind)
    for kind in KINDS
    if KINDS[kind].fails
)
PLAYS = (DEPLOY, DEPLOY_OLD, RESTART, RESTART_NEW, ROLLBACK, LEFT_AS_IT_IS)


class WatchedAdapter(WsgiAdapter):
    """Counts what leaves the pipe, notes for whom, and calls `before` and `after` around it."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(create_app(scene.world), scene.clock, latency=LATENCY)
        self._scene = scene

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """Answer one request."""
        scene = self._scene
        scene.sent += 1
        number = scene.sent
        scene.before(number)
        response = super().send(request, **options)
        scene.after(number)
        return response


class WatchedHosts(Hosts):
    """The world outside: notes who is spoken to, and who gets to see the portal's token."""

    def __init__(self, scene: Scene) -> None:
        super().__init__({PORTAL: scene.adapter(scene), **scene.others})
        self._scene = scene

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Pass one request on."""
        host = urlsplit(str(request.url)).hostname or ""
        self._scene.hosts.add(host)
        shown = f"{request.url} {request.headers} {request.body!r}"
        for secret, its_host in self._scene.guarded.items():
            if host != its_host and secret in shown:
                self._scene.leaks.add(host)
        return super().send(request, **options)


def share(cells: Sequence[T], every: int) -> Sequence[T]:
    """All cells, or one in `every` of them: always the same ones."""
    return cells if FULL else cells[::every]


def nothing(_: int) -> None:
    """Let a request pass."""


class Scene:
    """A tenant with the service `web`, deployed long ago, and runs of the pipe against it."""

    def __init__(self, folder: Path, play: Play) -> None:
        self.play = play
        self.folder = folder
        self.clock = FakeClock()
        self.world = World(self.clock)
        self.world.portal = play.portal  # type: ignore[assignment]
        self.world.add_tenant("dev01")
        self.web: Any = self._target(play.kind)
        self.world.behave(BAD, Behaviour("crash", log=("fatal: no database",)))
        self.clock.advance(86400.0)
        self.adapter: Callable[[Scene], WatchedAdapter] = WatchedAdapter
        self.others: Mapping[str, BaseAdapter] = {}
        """Who else is in the world, by host name."""
        self.guarded = {self.world.token: PORTAL}
        """Secrets, and the only host that may see each."""
        self.hosts: set[str] = set()
        self.leaks: set[str] = set()
        self.sent = 0
        self.before: Callable[[int], None] = nothing
        self.after: Callable[[int], None] = nothing

    def _target(self, kind: str) -> Any:
        if kind == "service":
            return self.world.add_service("web", OLD, replicas=2, allocation_tags="tier-app")
        return self.world.resources[kind].add("web", OLD)

    @property
    def starts(self) -> int:
        """Pods started since the beginning, where pods are counted."""
        return int(getattr(self.web, "starts", 0))

    @property
    def report_dir(self) -> Path:
        """Where runs write their record."""
        return self.folder / "report"

    def environ(self, **extra: str) -> dict[str, str]:
        """The variables of the play."""
        return {
            "DUPLO_HOST": HOST,
            "DUPLO_TOKEN": self.world.token,
            "TENANT": "dev01",
            "SERVICE": "web",
            "IMAGE": self.play.image,
            "KIND": self.play.kind,
            "REPORT_DIR": str(self.report_dir),
            "BITBUCKET_CLONE_DIR": str(self.folder),
            **STEP,
            **self.play.environ,
            **extra,
        }

    def run(self, **extra: str) -> RunResult:
        """One run of the pipe; raises `Killed` where it was told to."""
        self.sent = 0
        dependencies = Dependencies(self.clock, WatchedHosts(self))
        return play(self.environ(**extra), dependencies, self.report_dir)

    def report(self) -> Mapping[str, Any]:
        """See `record_in`."""
        return record_in(self.report_dir)

    def writes(self) -> list[RequestRecord]:
        """What took hold at the portal; a registered revision alone changes nothing yet."""
        return [one for one in self.world.writes() if "TaskDefinition" not in one.path]


def nth(number: int, action: Callable[[], None]) -> Callable[[int], None]:
    """Do `action` at the request with that number, counted from 1."""

    def act(current: int) -> None:
        if current == number:
            action()

    return act


def kill() -> None:
    """End the run as SIGKILL would: no handler, no last words."""
    raise Killed
