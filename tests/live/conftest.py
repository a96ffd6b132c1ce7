"""The cluster, the portal over it, and all cases side by side."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.kubernetes.portal_view import VARIANTS
from tests.live import table
from tests.live.access import unresponsive
from tests.live.bench import Bench, Result, run_case
from tests.live.cases import Case
from tests.live.cluster import ApiError, Cluster, connect
from tests.live.images import Images, prepare, serve_registry, tag
from tests.live.observer import Observer
from tests.live.portal import Portal
from tests.sandbox.access import Tenant, Token, tenant_id_for
from tests.sandbox.listener import Listener

_SIDE_BY_SIDE = 6
_REMOVAL_SECONDS = 90.0

Running = dict[str, Future[Result]]


@pytest.fixture(scope="session")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of this run's own, removed with everything in it."""
    name = f"pipe-live-{secrets.token_hex(3)}"
    cluster.create("/api/v1/namespaces", {"metadata": {"name": name}})
    try:
        _wait_for_account(cluster, name)
        yield name
    finally:
        _remove(cluster, name)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The cluster that KUBECONFIG names."""
    return connect(tmp_path_factory.mktemp("kubeconfig"))


@pytest.fixture(scope="session")
def bench(
    cluster: Cluster, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """The portal over the namespace, the images, and the observer."""
    images = prepare(tmp_path_factory.mktemp("images"))
    name = namespace.removeprefix("pipe-")
    tenant, token = Tenant(name, tenant_id_for(name)), Token(secrets.token_hex(16))
    variant = VARIANTS[os.environ.get("LIVE_PORTAL", "likeliest")]
    portal = Portal(cluster, namespace, tenant, token, variant)
    portal.access.prepare()
    with (
        _registry(images),
        unresponsive() as (portal.access.closed, portal.access.silent),
        Listener(portal.app().wsgi_app) as server,
        Observer(cluster, namespace) as observer,
    ):
        yield Bench(cluster, namespace, images, portal, server.url, observer)
        table.note(
            f"The observer looked at least every {observer.longest_gap:.1f} s; the portal's "
            f"slowest answer took {portal.slowest:.1f} s."
        )


@pytest.fixture(scope="session")
def running(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Running]:
    """Every selected case, some of them at the same time; the tests wait for the results."""
    selected = [
        case
        for item in request.session.items
        if isinstance(item, pytest.Function)
        if isinstance(case := _parameters(item).get("case"), Case)
    ]
    side_by_side = int(os.environ.get("LIVE_JOBS", _SIDE_BY_SIDE))
    with ThreadPoolExecutor(side_by_side) as pool:
        futures = {
            case.name: pool.submit(run_case, bench, case.name, case.service, case.plan)
            for case in selected
            if bench.images.registry or not case.needs_registry
        }
        yield futures
        for future in futures.values():
            future.cancel()
        bench.stop()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of all cases."""
    for line in table.lines():
        terminalreporter.write_line(line)


def _parameters(item: pytest.Function) -> dict[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}


@contextmanager
def _registry(images: Images) -> Iterator[None]:
    """Serve the registry that lacks the absent image, where nodes can reach this machine."""
    if not images.registry:
        yield
        return
    with serve_registry(int(images.registry.rpartition(":")[2]), tag(images.new)):
        yield


def _wait_for_account(cluster: Cluster, namespace: str) -> None:
    """Wait for the account that pods run as; before that, they are refused."""
    for _ in range(100):
        try:
            cluster.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
        except ApiError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the namespace {namespace} got no default account")


def _remove(cluster: Cluster, namespace: str) -> None:
    cluster.delete(f"/api/v1/namespaces/{namespace}")
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while time.monotonic() < deadline:
        try:
            cluster.get(f"/api/v1/namespaces/{namespace}")
        except ApiError:
            return
        time.sleep(0.5)
    table.note(f"the namespace {namespace} is still being removed")
