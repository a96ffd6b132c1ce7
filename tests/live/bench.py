"""One run of one case: set the service up, run the pipe as a process, and observe."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.live import jobs, truth
from tests.live.access import GRANTED
from tests.live.cluster import Cluster
from tests.live.images import Images, serve_registry, tag
from tests.live.observer import Moment, Observer
from tests.live.portal import Call, Portal
from tests.live.services import MAIN_CONTAINER, Services
from tests.live.truth import is_complete
from tests.live.workloads import Service, collection, manifest
from tests.support.environment import environment, report_dir
from tests.support.process import PIPE, ROOT, machine_environment

_KUBERNETES_REQUEST = re.compile(r"(?:GET|POST) apis?/\S+: ")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SETTLE_SECONDS = 120.0
_POLL_SECONDS = 0.1
_SPARE_SECONDS = 90.0
"""How long a run may take beyond WAIT_TIMEOUT before it is killed."""


@dataclass(frozen=True)
class Bench:
    """What all cases share."""

    cluster: Cluster
    namespace: str
    images: Images
    portal: Portal
    url: str
    observer: Observer
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End all runs that are still under way, and let no other begin."""
        self.stopped.set()
        for process in self.processes:
            if process.poll() is None:
                process.kill()


@dataclass
class Stage:
    """One case's service and what may be done to it while the pipe runs."""

    bench: Bench
    name: str
    service: Service
    cleanup: ExitStack
    access: str
    """The access to Kubernetes that its runs get."""
    process: subprocess.Popen[str] | None = None
    """The latest run of the pipe."""

    @property
    def cluster(self) -> Cluster:
        return self.bench.cluster

    @property
    def namespace(self) -> str:
        return self.bench.namespace

    @property
    def images(self) -> Images:
        return self.bench.images

    @property
    def services(self) -> Services:
        return self.bench.portal.services

    @property
    def late_registry(self) -> str:
        """The address of a registry that does not answer until it is opened."""
        host, _, port = self.images.registry.rpartition(":")
        return f"{host}:{int(port) + 1}"

    def pods(self, image: str) -> list[str]:
        """Return the names of the service's pods whose main container has this image."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        listed = self.cluster.items(path, labelSelector=f"app={self.name}")
        return [
            pod["metadata"]["name"]
            for pod in listed
            if pod["spec"]["containers"][0]["image"] == image
            and not pod["metadata"].get("deletionTimestamp")
        ]

    def jobs(self) -> list[str]:
        """Return the names of the jobs that exist beside the service."""
        listed = self.cluster.get(jobs.collection(self.namespace))["items"] or []
        names = [str(job["metadata"]["name"]) for job in listed]
        return [name for name in names if jobs.is_of(name, self.name)]

    def interrupt(self) -> None:
        """Send SIGTERM to the pipe."""
        if self.process is not None:
            self.process.terminate()

    def settle(self) -> None:
        """Wait until the present version serves."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline and not self.bench.stopped.is_set():
            workload, kind = self.services.workload(self.name)
            if is_complete({**workload, "kind": kind}):
                return
            time.sleep(_POLL_SECONDS)
        raise AssertionError(f"{self.name} did not come up")

    def open_registry(self) -> None:
        """Start the registry that was away."""
        port = int(self.late_registry.rpartition(":")[2])
        self.cleanup.enter_context(serve_registry(port, tag(self.images.new)))

    def deploy_elsewhere(self, image: str) -> None:
        """Change the service as another deployment does."""
        self.services.set_images(self.name, {MAIN_CONTAINER: image}, "another-pipeline")


Action = Callable[[Stage], None]


@dataclass(frozen=True)
class Plan:
    """How to run a case.

    `images` are what the pipe is asked for, by container; `meanwhile` happens so many seconds
    after the change, or after the start of a command where there is one. With `kill_after`, the
    run is killed then, and the step is run again.
    """

    images: Callable[[Stage], Mapping[str, str]]
    variables: Mapping[str, str] = field(default_factory=dict)
    before: Action | None = None
    meanwhile: Sequence[tuple[float, Action]] = ()
    kill_after: float | None = None
    has_command: bool = False
    access: str = GRANTED
    """The access to Kubernetes that the portal hands out, a key of `access.KINDS`."""


@dataclass(frozen=True)
class Result:
    """One finished run. Times are monotonic seconds; `changes` are all made through the portal.

    `lines` are those of the output with the time at which they came, and `jobs` what was seen of
    every job.
    """

    stage: Stage
    wanted: Mapping[str, str]
    generation: int
    started: float
    changes: Sequence[float]
    ended: float
    timeout: float
    stable: float
    code: int
    lines: Sequence[tuple[float, str]]
    moments: Sequence[Moment]
    jobs: Sequence[Sequence[Moment]]
    slowest_answer: float
    calls: Sequence[Call]
    """The requests to the portal."""

    @property
    def reads_of_kubernetes(self) -> int:
        """The number of requests to the API server, of which a run with DEBUG has the log."""
        return len(_KUBERNETES_REQUEST.findall(self.output))

    @property
    def changed(self) -> float | None:
        """When the pipe changed the service, None if it did not."""
        return self.changes[0] if self.changes else None

    @property
    def output(self) -> str:
        """What the run printed."""
        return "\n".join(text for _, text in self.lines)

    @property
    def last_line(self) -> str:
        """What the run ended with."""
        lines = self.output.strip().splitlines()
        return lines[-1] if lines else ""


def run_case(bench: Bench, name: str, service: Service, plan: Plan) -> Result:
    """Run one case in a service of its own, which is removed at the end."""
    with ExitStack() as cleanup, tempfile.TemporaryDirectory() as folder:
        stage = Stage(bench, name, service, cleanup, plan.access)
        path = collection(bench.namespace, service.kind)
        if service.has_secret:
            secrets = f"/api/v1/namespaces/{bench.namespace}/secrets"
            secret = {"metadata": {"name": name}, "stringData": {"PASSWORD": "live"}}
            bench.cluster.create(secrets, secret)
            cleanup.callback(bench.cluster.delete, f"{secrets}/{name}")
        bench.cluster.create(path, manifest(name, service, bench.images))
        cleanup.callback(bench.cluster.delete, f"{path}/{name}")
        stage.services.established(name)
        stage.settle()
        if plan.before:
            plan.before(stage)
        workload, _ = stage.services.workload(name)
        generation = int(workload["metadata"]["generation"])
        return _run(stage, plan, generation, Path(folder))


def _run(stage: Stage, plan: Plan, generation: int, folder: Path) -> Result:
    wanted = plan.images(stage)
    variables = {"VERIFY_IMAGE": "false", "STABLE_SECONDS": "3", "WAIT_TIMEOUT": "180"}
    variables |= plan.variables
    already = len(stage.services.changes[stage.name])
    started = time.monotonic()
    process = stage.process = _start(stage, wanted, variables, folder, 1)
    over = threading.Event()
    meanwhile = threading.Thread(target=_act, args=(stage, plan, already, process, over))
    meanwhile.start()
    timeout = float(variables["WAIT_TIMEOUT"])
    lines = _finish(process, timeout)
    if plan.kill_after is not None:
        process = stage.process = _start(stage, wanted, variables, folder, 2)
        lines += _finish(process, timeout)
    ended = time.monotonic()
    over.set()
    meanwhile.join()
    stage.bench.observer.catch_up(ended)
    changes = stage.services.changes[stage.name][already:]
    return Result(
        stage=stage,
        wanted=wanted,
        generation=generation,
        started=started,
        changes=changes,
        ended=ended,
        timeout=timeout,
        stable=float(variables["STABLE_SECONDS"]),
        code=process.returncode,
        lines=lines,
        moments=stage.bench.observer.moments(stage.name, started),
        jobs=stage.bench.observer.jobs(stage.name, started),
        slowest_answer=stage.bench.portal.slowest,
        calls=stage.bench.portal.calls(stage.name),
    )


def _act(
    stage: Stage,
    plan: Plan,
    already: int,
    process: subprocess.Popen[str],
    over: threading.Event,
) -> None:
    """Do what happens meanwhile, timed from the moment of the change or of the command."""
    while (began := _began(stage, plan, already)) is None:
        if over.wait(_POLL_SECONDS):
            return
    actions: list[tuple[float, Action]] = [*plan.meanwhile]
    if plan.kill_after is not None:
        actions.append((plan.kill_after, lambda _: process.send_signal(signal.SIGKILL)))
    for after, action in sorted(actions, key=lambda entry: entry[0]):
        if over.wait(max(0.0, began + after - time.monotonic())):
            return
        action(stage)


def _began(stage: Stage, plan: Plan, already: int) -> float | None:
    """Return the moment of the change, or of the start of the command; None before it."""
    if plan.has_command:
        seen = (one for job in stage.bench.observer.jobs(stage.name, 0.0) for one in job)
        return truth.first(sorted(seen, key=lambda one: one.at), truth.is_running)
    changes = stage.services.changes[stage.name]
    return changes[already] if len(changes) > already else None


def _start(
    stage: Stage,
    wanted: Mapping[str, str],
    variables: Mapping[str, str],
    folder: Path,
    run_number: int,
) -> subprocess.Popen[str]:
    """Start the pipe as a step of a pipeline does."""
    main = wanted[stage.name]
    entries = [
        f"{stage.name}={image}" if name == stage.name else f"{stage.name}/{name}={image}"
        for name, image in wanted.items()
    ]
    targets = (
        {"SERVICES": " ".join(entries)}
        if len(entries) > 1
        else {"SERVICE": stage.name, "IMAGE": main}
    )
    portal = stage.bench.portal
    usual = environment(
        stage.bench.url,
        portal.token_for(stage.name, stage.access),
        tenant=portal.tenant.name,
        service=None,
        image=None,
        folder=folder,
        step=True,
        BITBUCKET_STEP_RUN_NUMBER=str(run_number),
    )
    report_dir(folder).mkdir(exist_ok=True)
    process = subprocess.Popen(
        PIPE,
        cwd=folder,
        env=machine_environment(**{**usual, **targets, **variables, "PYTHONPATH": str(ROOT)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stage.bench.processes.append(process)
    return process


def _finish(process: subprocess.Popen[str], timeout: float) -> list[tuple[float, str]]:
    """Wait for the process; return what it printed and when, without colours."""
    lines: list[tuple[float, str]] = []
    reader = threading.Thread(target=_read, args=(process, lines))
    reader.start()
    try:
        process.wait(timeout + _SPARE_SECONDS)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        lines.append((time.monotonic(), "(killed: the run did not end)"))
    reader.join()
    if process.stdout:
        process.stdout.close()
    return lines


def _read(process: subprocess.Popen[str], lines: list[tuple[float, str]]) -> None:
    assert process.stdout is not None
    with process.stdout as printed:
        lines.extend((time.monotonic(), _COLOUR.sub("", line.rstrip("\n"))) for line in printed)
