"""Scripted faults look the same in process and over a socket."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import requests

from pipe.clock import SystemClock
from tests.conformance.conftest import Client
from tests.sandbox import ApiFault, Server, World
from tests.sandbox.script import KINDS, FaultKind
from tests.sandbox.service import Service
from tests.support.fake_clock import FakeClock

ROOT = Path(__file__).parents[2]
BREAKS = {
    "refused": requests.ConnectionError,
    "reset-before": requests.ConnectionError,
    "reset-after": requests.ConnectionError,
    "silence": requests.ReadTimeout,
    "silence-after": requests.ReadTimeout,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(World(SystemClock())) as server:
        yield server


@pytest.fixture(params=["in process", "socket"])
def anywhere(request: pytest.FixtureRequest, client: Client, server: Server) -> Client:
    """A client of an in-process portal, and one of a portal behind a socket."""
    if request.param == "socket":
        server.world.clear()
        server.world.add_tenant("dev01")
        client.world = server.world
        client.session = requests.Session()
        client.session.trust_env = False
        client.session.headers["Authorization"] = f"Bearer {server.world.token}"
        client.base = server.url
    client.world.add_service("web", "team/web:1")
    return client


def put(client: Client) -> requests.Response:
    body = [{"ContainerName": "duplo-main-container", "ImageName": "team/web:2"}]
    path = f"v3/subscriptions/{client.tid}/containers/replicationController/web/containerimage"
    url = f"{client.base}/{path}"
    return client.session.put(url, json=body, timeout=(0.3, 0.3), allow_redirects=False)


@pytest.mark.parametrize("kind", BREAKS)
def test_a_broken_connection_raises_what_a_real_one_would(
    anywhere: Client, kind: FaultKind
) -> None:
    anywhere.world.script(ApiFault(method="PUT", path="containerimage$", kind=kind))
    with pytest.raises(BREAKS[kind]):
        put(anywhere)
    acted = kind.endswith("after")
    assert (anywhere.world.service("web").image == "team/web:2") == acted
    record = anywhere.world.log[-1]
    assert (record.status, record.fault, record.acted) == (None, kind, acted)
    assert put(anywhere).ok


def test_silence_takes_the_whole_read_timeout(
    client: Client, clock: FakeClock, world: World, web: Service
) -> None:
    world.script(ApiFault(kind="silence"))
    with pytest.raises(requests.ReadTimeout):
        client.v2("GetPods")
    assert (clock.elapsed, clock.slept) == (7, [])


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(BREAKS)))
def test_a_spoilt_response_arrives_as_scripted(anywhere: Client, kind: FaultKind) -> None:
    anywhere.world.script(
        ApiFault(path="GetPods", kind=kind, size=100_000, status=503, body="restarting")
    )
    url = f"{anywhere.base}/subscriptions/{anywhere.tid}/GetPods"
    reply = anywhere.session.get(url, timeout=3, allow_redirects=False)
    expected = {
        "status": (503, "restarting"),
        "rate-exceeded": (400, '{"Message": "Rate exceeded"}'),
        "truncated": (200, '[{"Name"'),
        "html": (200, ""),
        "huge": (200, '"xxx'),
        "content-type": (200, "[{"),
        "redirect": (302, ""),
    }
    status, start = expected[kind]
    assert reply.status_code == status
    assert reply.text.startswith(start)
    assert (kind == "huge") == (len(reply.content) == 100_000)
    assert ("text" in reply.headers["Content-Type"]) == (
        kind in {"status", "html", "content-type", "redirect"}
    )
    assert (kind == "redirect") == ("Location" in reply.headers)
    assert anywhere.v2("GetPods").json()


def test_a_huge_response_can_be_read_in_chunks(anywhere: Client) -> None:
    anywhere.world.script(ApiFault(kind="huge", path="GetPods"))
    url = f"{anywhere.base}/subscriptions/{anywhere.tid}/GetPods"
    with anywhere.session.get(url, timeout=3, stream=True) as reply:
        parts = reply.iter_content(1000)
        assert 0 < sum(len(next(parts)) for _ in range(3)) <= 3000


def test_a_fault_skips_requests_and_then_counts_its_times(
    client: Client, world: World, web: Service
) -> None:
    world.script(ApiFault(path="GetPods", kind="status", status=502, times=2, skip=1))
    assert [client.v2("GetPods").status_code for _ in range(5)] == [200, 502, 502, 200, 200]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_another_deployment_can_act_before_or_after_a_request(
    client: Client, world: World, web: Service, moment: Literal["before", "after"]
) -> None:
    world.intrude(
        lambda _: web.set_images({"duplo-main-container": "team/web:9"}, "eve"),
        when=("GET", "/replicationcontroller/web$", 2),
        moment=moment,
    )
    images = [client.service()["Template"]["Containers"][0]["Image"] for _ in range(3)]
    second = "team/web:9" if moment == "before" else "team/web:1"
    assert images == ["team/web:1", second, "team/web:9"]


def test_an_unknown_kind_of_fault_is_rejected() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        ApiFault(kind="gremlin")  # type: ignore[arg-type]


def test_an_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    session = requests.Session()
    session.trust_env = False
    with Server(World(SystemClock()), tls=tmp_path) as server:
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"{server.url}/sandbox/", timeout=3)
        session.verify = str(server.ca_path)
        assert "POST /sandbox/behave" in session.get(f"{server.url}/sandbox/", timeout=3).text


def test_it_runs_on_its_own_and_is_controlled_over_http(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "tests.sandbox", "--port", "0", "--ready-file", str(ready)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 20
            while not ready.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            drive(ready.read_text(encoding="utf-8").strip())
        finally:
            process.terminate()
        assert process.stdout is not None
        printed = process.stdout.read()
    assert process.returncode == 0
    assert "token" in printed
    assert "ReplicationControllerStop/web" in printed


def drive(url: str) -> None:
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {World(SystemClock()).token}"
    ask = f"{url}/sandbox"
    tenant = session.get(f"{url}/admin/GetTenantsForUser", timeout=3).json()[0]["TenantId"]
    assert session.post(f"{ask}/behave", json={"image": "a:1", "fate": "crash"}, timeout=3).ok
    assert session.post(f"{ask}/behave", json={"image": "a:1", "fate": "?"}, timeout=3).text
    assert session.post(f"{ask}/intrude", json={"service": "api", "image": "b:1"}, timeout=3).ok
    assert "dev01/api  b:1" in session.get(f"{ask}/state", timeout=3).text
    stop = f"{url}/subscriptions/{tenant}/ReplicationControllerStop/web"
    assert session.post(stop, json={}, timeout=3).ok
    assert session.get(f"{ask}/log", timeout=3).json()[-1]["path"].endswith("Stop/web")
    script = {"path": "GetPods", "kind": "status", "status": 418}
    assert session.post(f"{ask}/script", json=script, timeout=3).ok
    pods = f"{url}/subscriptions/{tenant}/GetPods"
    assert session.get(pods, timeout=3).status_code == 418
    assert session.post(f"{ask}/reset", timeout=3).ok
    assert "dev01/api  team/api:2.0.0" in session.get(f"{ask}/state", timeout=3).text
