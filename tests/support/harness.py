"""Complete runs of the pipe in this process, against a world on a clock that jumps."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from requests.adapters import BaseAdapter

from pipe.dependencies import Dependencies
from pipe.run import run
from tests.conformance.models import check_exchange
from tests.sandbox import RequestRecord, World, WsgiAdapter, create_app
from tests.sandbox.hosts import Hosts
from tests.sandbox.kubernetes.api import create_kubernetes_app
from tests.sandbox.kubernetes.cluster import HOST as KUBERNETES
from tests.support.environment import NEW_IMAGE, OLD_IMAGE, TENANT, environment, report_dir
from tests.support.fake_clock import FakeClock
from tests.support.prose import check_prose
from tests.support.transcript import watch, watch_files

HOST = "https://portal.example"
LATENCY = 0.02
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class RunResult:
    """What a run of the pipe left. `log` is standard error, `stdout` standard output."""

    code: int
    log: str
    stdout: str
    seconds: float
    report: Mapping[str, Any]

    @property
    def text(self) -> str:
        """Everything the run printed."""
        return f"{self.log}\n{self.stdout}"


def run_pipe(environ: Mapping[str, str], dependencies: Dependencies, report_dir: Path) -> RunResult:
    """Run the pipe with exactly these variables and read its record from `report_dir`.

    Output and files are searched for secrets.
    """
    began, out, err = dependencies.clock.monotonic(), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(environ, dependencies)
    log, stdout = (_COLOUR.sub("", stream.getvalue()) for stream in (err, out))
    watch(f"{log}\n{stdout}", environ)
    watch_files(report_dir, environ)
    seconds = dependencies.clock.monotonic() - began
    return RunResult(int(code), log, stdout, seconds, read_record(report_dir))


def read_record(report_dir: Path) -> Mapping[str, Any]:
    """Return the record in a report folder, empty if there is none; it is never incomplete."""
    path = report_dir / "deploy.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


class Harness:
    """The tenant `dev01`, without services at first, and runs of the pipe against it."""

    def __init__(
        self, folder: Path, portal: Literal["new", "old"] = "new", *, kubernetes: bool = False
    ) -> None:
        self.clock = FakeClock()
        self.world = World(self.clock, portal=portal)
        self.world.kubernetes.enabled = kubernetes
        self.world.add_tenant(TENANT)
        self.folder = folder
        self.report_dir = report_dir(folder)
        self.dependencies: dict[str, Any] = {}
        """Further dependencies of a run, by name."""
        self.hosts: dict[str, BaseAdapter] = {}
        """Hosts other than the portal, by name."""
        self.output = ""
        """Everything the last run printed."""

    def web(self, image: str = OLD_IMAGE, **options: Any) -> Any:
        """Add the service `web`, with two pods by default."""
        return self.world.add_service("web", image, **{"replicas": 2, **options})

    def deploy(self, image: str = NEW_IMAGE, **variables: str) -> RunResult:
        """Deploy `web`, with reports; '' unsets a variable."""
        usual = environment(HOST, self.world.token, image=image, folder=self.folder)
        return self.run_with(usual | variables)

    def run(self, **variables: str) -> RunResult:
        """Run with these variables, portal and tenant, and without reports."""
        usual = environment(HOST, self.world.token, service=None, image=None)
        return self.run_with(usual | variables)

    def run_with(self, environ: Mapping[str, str], *, sockets: bool = False) -> RunResult:
        """Run with exactly these variables, in process or over real sockets."""
        portal = WsgiAdapter(create_app(self.world), self.clock, latency=LATENCY)
        kubernetes = WsgiAdapter(create_kubernetes_app(self.world), self.clock, latency=LATENCY)
        known = {urlsplit(HOST).hostname or "": portal, KUBERNETES: kubernetes}
        hosts = Hosts({**known, **self.hosts})
        replaced = {"adapter": hosts, "resolve": _no_dns} if not sockets else {}
        dependencies = Dependencies(self.clock, **{**replaced, **self.dependencies})
        result = run_pipe(environ, dependencies, self.report_dir)
        self.output = result.text
        check_prose(result.stdout, result.log)
        self._check_conformance()
        self._check_secrecy(result)
        return result

    def requests(self, word: str) -> list[RequestRecord]:
        """Return the requests whose path contains a word, in any case."""
        return [record for record in self.world.log if word.lower() in record.path.lower()]

    def _check_conformance(self) -> None:
        """Check that the vendor's own models load every body that was exchanged."""
        for record in self.world.log:
            if record.fault is None:
                check_exchange(record)

    def _check_secrecy(self, result: RunResult) -> None:
        """Check that the token is neither in the output nor in any file."""
        assert self.world.token not in result.text
        for path in self.folder.rglob("*"):
            if path.is_file():
                assert self.world.token.encode() not in path.read_bytes()


def _no_dns(host: str) -> tuple[str, ...]:
    """Know no host, as behind a proxy that resolves the names."""
    raise OSError(host)


def at_time(clock: FakeClock, moment: float, action: Callable[[], None]) -> None:
    """Do `action` once, as soon as the clock has slept past `moment` seconds from now."""
    due = clock.elapsed + moment
    sleep = clock.sleep
    done: list[bool] = []

    def sleep_and_act(seconds: float) -> None:
        sleep(seconds)
        if clock.elapsed >= due and not done:
            done.append(True)
            action()

    clock.sleep = sleep_and_act  # type: ignore[method-assign]
