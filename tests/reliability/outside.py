"""Whoever a run talks to besides the portal, in process, each with trouble of its own.

AWS is moto behind a door that checks identities, the registry a real one behind a pipe of ours;
the rest says yes to everything.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from werkzeug.wrappers import Request, Response

from pipe.clock import SystemClock
from tests.reliability.scene import DEPLOY, Scene
from tests.sandbox import WsgiAdapter
from tests.sandbox.aws import REGION, Cloud
from tests.sandbox.aws.cloud import scan
from tests.sandbox.fault_injection import FaultyApp
from tests.sandbox.issued_secrets import SECRET_KEY
from tests.sandbox.registry import BINARY, Registry
from tests.sandbox.token_service import TokenService
from tests.sandbox.world import DEFAULT_TOKEN
from tests.support.fake_clock import FakeClock

USER, PASSWORD = "puller", "cAnArY-registry-password"
TAG = "1.4.2"
SECRET = "deploy/portal-token"
HOOK = "/services/cAnArY/hook-0123456789"
_REGISTRY = "registry.example"
_PAGE = "app.example"
_SLACK = "hooks.example"
_BITBUCKET = "api.bitbucket.org"
_NOT_FORWARDED = ("content-length", "transfer-encoding", "connection", "date", "server")


@dataclass(frozen=True)
class Errand:
    """Something a run does elsewhere; `environ` makes its variables.

    `hosts` are those whose requests are disturbed. `code` is how the run ends when nobody is,
    `failing` how it may end when they fail for good. It is a `message` when nobody waits for an
    answer, and `asks_on` when it is repeated until it holds.
    """

    name: str
    hosts: tuple[str, ...]
    failing: frozenset[int]
    environ: Callable[[Elsewhere], Mapping[str, str]]
    code: int = 0
    message: bool = False
    asks_on: bool = False
    installed: bool = True

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Elsewhere:
    """What stays from cell to cell: AWS and the registry."""

    cloud: Cloud
    registry: Registry | None
    tokens: TokenService


@contextmanager
def opened(folder: Path) -> Iterator[Elsewhere]:
    """Everything that has to be started."""
    with ExitStack() as stack:
        cloud = stack.enter_context(Cloud(SystemClock()))
        tokens = stack.enter_context(TokenService(folder, USER, PASSWORD, set()))
        registry = None
        if BINARY:
            registry = stack.enter_context(Registry(folder / "registry", tokens.settings()))
            token = tokens.token("team/web", "push", "pull")
            registry.session.headers["Authorization"] = f"Bearer {token}"
            registry.push("team/web", TAG)
        yield Elsewhere(cloud, registry, tokens)


class Outing(Scene):
    """A scene in which the run has an errand."""

    def __init__(self, folder: Path, errand: Errand, world: Elsewhere) -> None:
        super().__init__(folder, DEPLOY)
        self.errand = errand
        world.cloud.reset(self.clock)
        self._given = errand.environ(world)
        self.guarded |= _guarded(self._given)
        self.parties = dict(self._invite(errand, world))
        # Messages travel beside the run: the time that they take is not the run's.
        clock = FakeClock() if errand.message else self.clock
        self.others = {host: WsgiAdapter(app, clock) for host, app in self.parties.items()}

    def environ(self, **extra: str) -> dict[str, str]:
        """The variables of the play, and those of the errand."""
        return super().environ(**{**self._given, **extra})

    def _invite(self, errand: Errand, world: Elsewhere) -> Iterator[tuple[str, FaultyApp]]:
        apps = {
            **dict.fromkeys(map(aws, ("sts", "api.ecr", "secretsmanager")), world.cloud.door),
            _REGISTRY: forward(world.registry) if world.registry else content,
            "127.0.0.1": world.tokens.app,
        }
        for host in {*apps, *errand.hosts}:
            yield host, FaultyApp(apps.get(host, content))


def _guarded(given: Mapping[str, str]) -> dict[str, str]:
    """The secrets that an errand brings, and the host that each is for."""
    login = f"{given.get('REGISTRY_USERNAME')}:{given.get('REGISTRY_PASSWORD')}"
    found = {
        given.get("BITBUCKET_STEP_OIDC_TOKEN", ""): aws("sts"),
        given.get("REGISTRY_PASSWORD", ""): "127.0.0.1",
        base64.b64encode(login.encode()).decode(): "127.0.0.1",
        HOOK: _SLACK,
        SECRET_KEY: "nowhere",
    }
    return {secret: host for secret, host in found.items() if secret}


def aws(service: str) -> str:
    """The name of a service's endpoint."""
    return f"{service}.{REGION}.amazonaws.com"


def content(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Everything is fine."""
    return Response("{}", content_type="application/json")(environ, start_response)


def forward(registry: Registry) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """The way to a registry that runs as a process of its own."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        reply = requests.request(
            request.method, f"http://{registry.host}{request.full_path}", headers=headers, timeout=9
        )
        kept = [
            (name, value)
            for name, value in reply.headers.items()
            if name.lower() not in _NOT_FORWARDED
        ]
        return Response(reply.content, reply.status_code, kept)(environ, start_response)

    return app


def with_role(world: Elsewhere) -> dict[str, str]:
    """A step that assumes the role."""
    return {**world.cloud.environ(), "VERIFY_IMAGE": "false"}


def with_secret(world: Elsewhere) -> dict[str, str]:
    """The portal's token comes from Secrets Manager."""
    client = world.cloud.client("secretsmanager")
    client.create_secret(Name=SECRET, SecretString=DEFAULT_TOKEN)
    return {**with_role(world), "DUPLO_TOKEN": "", "DUPLO_TOKEN_SECRET": SECRET}


def with_ecr(world: Elsewhere) -> dict[str, str]:
    """An image that is proven, its scan included."""
    name = world.cloud.repository()
    world.cloud.scanned(world.cloud.push(TAG), scan(CVE_1="LOW"))
    image = {"IMAGE": f"{name}:{TAG}", "VERIFY_IMAGE": "true", "MAX_SEVERITY": "high"}
    return {**world.cloud.environ(), **image}


def with_registry(world: Elsewhere) -> dict[str, str]:
    """An image in a private registry, proven with user and password."""
    return {
        "IMAGE": f"{_REGISTRY}/team/web:{TAG}",
        "VERIFY_IMAGE": "true",
        "REGISTRY_USERNAME": USER,
        "REGISTRY_PASSWORD": PASSWORD,
    }


def with_page(_: Elsewhere) -> dict[str, str]:
    """A test that asks an address after the rollout."""
    return {"POST_DEPLOY_URL": f"https://{_PAGE}/health", "TEST_TIMEOUT": "60"}


def with_slack(_: Elsewhere) -> dict[str, str]:
    """Messages to a channel."""
    return {"SLACK_WEBHOOK": f"https://{_SLACK}{HOOK}"}


def with_insights(_: Elsewhere) -> dict[str, str]:
    """A report on the commit."""
    return {
        "CODE_INSIGHTS": "true",
        "BITBUCKET_WORKSPACE": "acme",
        "BITBUCKET_REPO_SLUG": "shop",
        "BITBUCKET_COMMIT": "8f2c1d9a7b3e",
    }


def with_a_tag_that_is_not_there(world: Elsewhere) -> dict[str, str]:
    """An image that does not exist, for which like tags are looked up."""
    return {**with_registry(world), "IMAGE": f"{_REGISTRY}/team/web:{TAG}-typo"}


_PRIVATE = (_REGISTRY, "127.0.0.1")
ERRANDS = (
    Errand("role", (aws("sts"),), frozenset({3, 4}), with_role),
    Errand("token-secret", (aws("secretsmanager"),), frozenset({3, 4}), with_secret),
    Errand("ecr", (aws("api.ecr"),), frozenset({5}), with_ecr),
    Errand("registry", _PRIVATE, frozenset({5}), with_registry, installed=bool(BINARY)),
    Errand(
        "tags",
        _PRIVATE,
        frozenset({5}),
        with_a_tag_that_is_not_there,
        code=5,
        installed=bool(BINARY),
    ),
    Errand("page", (_PAGE,), frozenset({10}), with_page, asks_on=True),
    Errand("slack", (_SLACK,), frozenset({0}), with_slack, message=True),
    Errand("insights", (_BITBUCKET,), frozenset({0}), with_insights, message=True),
)
