"""A whole run of the pipe in process: a world, a clock that jumps, and what came out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from requests.adapters import BaseAdapter

from pipe.run import Wires, run
from tests.fake_clock import FakeClock
from tests.honesty.models import check_exchange
from tests.sandbox import World, WsgiAdapter, create_app
from tests.sandbox.hosts import Hosts
from tests.transcript import watch

HOST = "https://portal.example"
LATENCY = 0.02
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Ending:
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


class Stage:
    """The tenant `dev01` with the service `web` on `team/web:1.4.1`, and runs against it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.clock = FakeClock()
        self.world = World(self.clock)
        self.world.add_tenant("dev01")
        self.folder = folder
        self.report_dir = folder / "report"
        self.wires: dict[str, Any] = {}
        """What else a run is connected to, by name."""
        self.hosts: dict[str, BaseAdapter] = {}
        """Who else is in the world besides the portal, by host name."""
        self._capsys = capsys

    def web(self, image: str = "team/web:1.4.1", **options: Any) -> Any:
        """Add the service `web`, with two pods unless told otherwise."""
        return self.world.add_service("web", image, **{"replicas": 2, **options})

    def deploy(self, image: str = "team/web:1.4.2", **environ: str) -> Ending:
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

    def run(self, environ: Mapping[str, str], *, sockets: bool = False) -> Ending:
        """Run the pipe with exactly these variables, in process or over real sockets."""
        before = self.clock.elapsed
        portal = WsgiAdapter(create_app(self.world), latency=LATENCY)
        hosts = Hosts({urlsplit(HOST).hostname or "": portal, **self.hosts})
        code = run(environ, Wires(self.clock, None if sockets else hosts, **self.wires))
        captured = self._capsys.readouterr()
        ending = Ending(
            int(code),
            _COLOUR.sub("", captured.err),
            _COLOUR.sub("", captured.out),
            self.clock.elapsed - before,
            self._report(),
        )
        watch(ending.text)
        self._check_honesty()
        self._check_secrecy(ending)
        return ending

    def _report(self) -> Mapping[str, Any]:
        path = self.report_dir / "deploy.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def _check_honesty(self) -> None:
        """Every body that went over the wire loads into the vendor's own models."""
        for record in self.world.log:
            if record.fault is None:
                check_exchange(record)

    def _check_secrecy(self, ending: Ending) -> None:
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


def clean_environ(**extra: str) -> dict[str, str]:
    """The environment for a real process: what any machine has, and `extra`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **extra}
