"""A world in process, on a clock that moves only when a test moves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.sandbox import World, WsgiAdapter, create_app
from tests.sandbox.service import MAIN_CONTAINER, Service
from tests.support.fake_clock import FakeClock


@dataclass
class Client:
    """A plain HTTP client of the portal."""

    world: World
    clock: FakeClock
    session: requests.Session
    base: str = "https://portal.example"

    @property
    def tid(self) -> str:
        return self.world.tenants[0].id

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.base}/{path}", timeout=(3, 7), **options)

    def v2(self, verb: str, body: Any = None) -> requests.Response:
        method = "GET" if body is None else "POST"
        return self.ask(method, f"subscriptions/{self.tid}/{verb}", json=body)

    def service(self, name: str = "web") -> Any:
        path = f"v3/subscriptions/{self.tid}/replicationcontroller/{name}"
        return self.ask("GET", path).json()

    def pods(self, name: str = "web") -> list[dict[str, Any]]:
        return [pod for pod in self.v2("GetPods").json() if pod["Name"] == name]

    def put_images(self, images: dict[str, str], name: str = "web") -> requests.Response:
        body = [{"ContainerName": key, "ImageName": image} for key, image in images.items()]
        path = f"v3/subscriptions/{self.tid}/containers/replicationController/{name}"
        return self.ask("PUT", f"{path}/containerimage", json=body)

    def deploy(self, image: str, name: str = "web") -> requests.Response:
        return self.put_images({MAIN_CONTAINER: image}, name)

    def statuses(self, name: str = "web") -> list[tuple[str, int, int]]:
        """Tag, current and desired status of each pod, sorted."""
        return sorted(
            (
                pod["Containers"][0]["Image"].rsplit(":", 1)[1],
                pod["CurrentStatus"],
                pod["DesiredStatus"],
            )
            for pod in self.pods(name)
        )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(clock: FakeClock) -> World:
    world = World(clock)
    world.add_tenant("dev01")
    return world


@pytest.fixture
def client(world: World, clock: FakeClock) -> Client:
    return connect(world, clock)


@pytest.fixture
def web(world: World) -> Service:
    return world.add_service("web", "team/web:1", replicas=2)


def connect(world: World, clock: FakeClock, token: str | None = None) -> Client:
    """Return a client of that world with that token."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", WsgiAdapter(create_app(world), world.clock))
    session.headers["Authorization"] = f"Bearer {token or world.token}"
    return Client(world, clock, session)
