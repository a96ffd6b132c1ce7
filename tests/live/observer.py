"""What Kubernetes itself reported, and when, observed beside the portal and the pipe."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import requests

from tests.live import jobs
from tests.live.cluster import ApiError, Cluster
from tests.live.workloads import COLLECTIONS, collection

Json = dict[str, Any]

_INTERVAL = 0.2
_PATIENCE = 10.0


@dataclass(frozen=True)
class Moment:
    """One service at one moment, in monotonic seconds; `workload` is None before it exists."""

    at: float
    workload: Json | None
    pods: tuple[Json, ...]


class Observer:
    """Reads all workloads and pods of a namespace every 0.2 s, and keeps what changed."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._looked = threading.Condition()
        self._looked_at = 0.0
        self._moments: dict[str, list[Moment]] = defaultdict(list)
        self._versions: dict[str, tuple[str, ...]] = {}
        self.longest_gap = 0.0
        """The longest time between two looks, which is how exact the moments are."""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)

    def catch_up(self, moment: float) -> None:
        """Wait for a look that began after a moment: the pipe may see an end before this does."""
        with self._looked:
            self._looked.wait_for(lambda: self._looked_at > moment, _PATIENCE)

    def moments(self, name: str, since: float) -> Sequence[Moment]:
        """Return what was seen of a service since a moment, the state at that moment first."""
        with self._lock:
            every = list(self._moments[name])
        first = sum(moment.at < since for moment in every)
        return every[max(0, first - 1) :]

    def jobs(self, service: str, since: float) -> Sequence[Sequence[Moment]]:
        """Return what was seen of every job that ran a command beside a service."""
        with self._lock:
            found = [seen for name, seen in self._moments.items() if jobs.is_of(name, service)]
        return [[one for one in seen if one.at >= since] for seen in found]

    def _run(self) -> None:
        last = time.monotonic()
        while not self._ended.is_set():
            started = time.monotonic()
            try:
                self._look(started)
            except (requests.RequestException, ApiError):
                # A lost look only widens the gap to the next one.
                pass
            else:
                self.longest_gap = max(self.longest_gap, time.monotonic() - last)
                last = started
                with self._looked:
                    self._looked_at = started
                    self._looked.notify_all()
            self._ended.wait(max(0.0, _INTERVAL - (time.monotonic() - started)))

    def _look(self, at: float) -> None:
        pods: dict[str, list[Json]] = defaultdict(list)
        listed = self._cluster.items(f"/api/v1/namespaces/{self._namespace}/pods")
        # The API server's memory has no order.
        for pod in sorted(listed, key=lambda one: str(one["metadata"]["name"])):
            pods[(pod["metadata"].get("labels") or {}).get("app", "")].append(pod)
        paths = {kind: collection(self._namespace, kind) for kind in COLLECTIONS}
        for kind, path in {**paths, "Job": jobs.collection(self._namespace)}.items():
            for workload in self._cluster.items(path):
                name = workload["metadata"]["name"]
                self._keep(name, Moment(at, {**workload, "kind": kind}, tuple(pods[name])))

    def _keep(self, name: str, moment: Moment) -> None:
        objects = (moment.workload or {}, *moment.pods)
        versions = tuple(one["metadata"]["resourceVersion"] for one in objects)
        if self._versions.get(name) != versions:
            self._versions[name] = versions
            with self._lock:
                self._moments[name].append(moment)
