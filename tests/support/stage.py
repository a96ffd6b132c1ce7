"""A whole run of the pipe in process: a world, a clock that jumps, and what came out."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import BaseAdapter

from pipe.dependencies import Dependencies
from pipe.run import run
from tests.conformance.models import check_exchange
from tests.sandbox import World, WsgiAdapter, create_app
from tests.sandbox.hosts import Hosts
from tests.support.fake_clock import FakeClock
from tests.support.transcript import watch, watch_files

HOST = "https://portal.example"
LATENCY = 0.02
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class RunResult:
    """What a run left behind. `log` is standard error, `result` standard output."""

    code: int
    log: str
    result: str
    seconds: float
    report: Mapping[str, Any]

    @property
    def text(self) -> str:
        """Everything a person could read."""
        return f"{self.log}\n{self.result}"


def play(environ: Mapping[str, str], dependencies: Dependencies, report_dir: Path) -> RunResult:
    """Run the pipe with exactly these variables; its record is looked for in `report_dir`.

    Whatever it says and writes is searched for secrets.
    """
    began, out, err = dependencies.clock.monotonic(), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(environ, dependencies)
    log, result = (_COLOUR.sub("", said.getvalue()) for said in (err, out))
    watch(f"{log}\n{result}", environ)
    watch_files(report_dir, environ)
    seconds = dependencies.clock.monotonic() - began
    return RunResult(int(code), log, result, seconds, record_in(report_dir))


def record_in(report_dir: Path) -> Mapping[str, Any]:
    """The record on disk; whole at every moment, or not there at all."""
    path = report_dir / "deploy.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


class Stage:
    """The tenant `dev01` with the service `web` on `team/web:1.4.1`, and runs against it."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.world = World(self.clock)
        self.world.add_tenant("dev01")
        self.folder = folder
        self.report_dir = folder / "report"
        self.dependencies: dict[str, Any] = {}
        """What else a run is connected to, by name."""
        self.hosts: dict[str, BaseAdapter] = {}
        """Who else is in the world besides the portal, by host name."""

    def web(self, image: str = "team/web:1.4.1", **options: Any) -> Any:
        """Add the service `web`, with two pods unless told otherwise."""
        return self.world.add_service("web", image, **{"replicas": 2, **options})

    def deploy(self, image: str = "team/web:1.4.2", **environ: str) -> RunResult:
        """Run the pipe with the usual variables and those given; '' takes one away."""
        variables = {
            "DUPLO_HOST": HOST,
            "DUPLO_TOKEN": self.world.token,
            "TENANT": "dev01",
            "SERVICE": "web",
            "IMAGE": image,
            "REPORT_DIR": str(self.report_dir),
            "BITBUCKET_CLONE_DIR": str(self.folder),
            **environ,
        }
        return self.run(variables)

    def run(self, environ: Mapping[str, str], *, sockets: bool = False) -> RunResult:
        """Run the pipe with exactly these variables, in process or over real sockets."""
        portal = WsgiAdapter(create_app(self.world), self.clock, latency=LATENCY)
        hosts = Hosts({urlsplit(HOST).hostname or "": portal, **self.hosts})
        dependencies = Dependencies(self.clock, None if sockets else hosts, **self.dependencies)
        ending = play(environ, dependencies, self.report_dir)
        self._check_honesty()
        self._check_secrecy(ending)
        return ending

    def _check_honesty(self) -> None:
        """Every body that went over the wire loads into the vendor's own models."""
        for record in self.world.log:
            if record.fault is None:
                check_exchange(record)

    def _check_secrecy(self, ending: RunResult) -> None:
        """The token is in no output and in no file."""
        assert self.world.token not in ending.text
        for path in self.folder.rglob("*"):
            if path.is_file():
                assert self.world.token.encode() not in path.read_bytes()


def ticking(clock: FakeClock, moment: float, action: Callable[[], None]) -> None:
    """Do `action` when the clock is slept past `moment` seconds from now."""
    due = clock.elapsed + moment
    sleep = clock.sleep
    done: list[bool] = []

    def watched(seconds: float) -> None:
        sleep(seconds)
        if clock.elapsed >= due and not done:
            done.append(True)
            action()

    clock.sleep = watched  # type: ignore[method-assign]
