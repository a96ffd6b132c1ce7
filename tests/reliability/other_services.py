"""The services that a run uses in addition to the portal, in process, each with faults of its own.

AWS is moto behind a check of identities, the registry a real one behind a forwarder; the others
accept everything.
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
from tests.reliability.scenarios import DEPLOY, ScenarioHarness
from tests.sandbox import WsgiAdapter
from tests.sandbox.aws import REGION, Cloud
from tests.sandbox.aws.cloud import scan
from tests.sandbox.fault_injection import FaultyApp, WsgiApp
from tests.sandbox.issued_secrets import SECRET_KEY
from tests.sandbox.registry import BINARY, Registry
from tests.sandbox.token_service import TokenService
from tests.sandbox.world import DEFAULT_TOKEN
from tests.support.fake_clock import FakeClock

USER, PASSWORD = "puller", "cAnArY-registry-password"
TAG = "1.4.2"
SECRET = "deploy/portal-token"
HOOK = "/services/cAnArY/hook-0123456789"
_REGISTRY, _TOKENS = "registry.example", "auth.example"
_PAGE = "app.example"
_SLACK = "hooks.example"
_BITBUCKET = "api.bitbucket.org"
_NOT_FORWARDED = ("content-length", "transfer-encoding", "connection", "date", "server")


@dataclass(frozen=True)
class Integration:
    """A use of another service; `environ` returns its variables.

    `hosts` are those whose requests fail in a test. `code` is the exit code when none does,
    `failing` those allowed when they never recover. A `message` is sent in the background;
    `polls` means that the request is repeated until it succeeds, `redirects` that it goes where a
    redirect leads, without secrets.
    """

    name: str
    hosts: tuple[str, ...]
    failing: frozenset[int]
    environ: Callable[[Services], Mapping[str, str]]
    code: int = 0
    message: bool = False
    polls: bool = False
    redirects: bool = False
    installed: bool = True

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Services:
    """The services that all cells share: AWS and the registry."""

    cloud: Cloud
    registry: Registry | None
    tokens: TokenService


@contextmanager
def start_services(folder: Path) -> Iterator[Services]:
    """Start the services, and stop them at the end."""
    with ExitStack() as stack:
        cloud = stack.enter_context(Cloud(SystemClock()))
        tokens = stack.enter_context(TokenService(folder, USER, PASSWORD, set()))
        registry = None
        if BINARY:
            registry = stack.enter_context(Registry(folder / "registry", tokens.settings()))
            token = tokens.token("team/web", "push", "pull")
            registry.session.headers["Authorization"] = f"Bearer {token}"
            registry.push("team/web", TAG)
        yield Services(cloud, registry, tokens)


class IntegrationHarness(ScenarioHarness):
    """A harness whose runs use one integration."""

    def __init__(self, folder: Path, integration: Integration, services: Services) -> None:
        super().__init__(folder, DEPLOY)
        self.integration = integration
        services.cloud.reset(self.clock)
        self._variables = integration.environ(services)
        self.secrets |= _secrets(self._variables)
        self.apps = dict(_faulty_apps(integration, services))
        # Messages are sent in the background: their time is not the run's.
        clock = FakeClock() if integration.message else self.clock
        self.other_hosts = {host: WsgiAdapter(app, clock) for host, app in self.apps.items()}

    def environ(self, **extra: str) -> dict[str, str]:
        """Return the variables of the scenario and of the integration."""
        return super().environ(**{**self._variables, **extra})


def _faulty_apps(integration: Integration, services: Services) -> Iterator[tuple[str, FaultyApp]]:
    apps: dict[str, WsgiApp] = {
        **dict.fromkeys(map(aws, ("sts", "api.ecr", "secretsmanager")), services.cloud.door),
        _REGISTRY: forward(services.registry, services.tokens) if services.registry else accept_all,
        _TOKENS: services.tokens.app,
    }
    for host in {*apps, *integration.hosts}:
        yield host, FaultyApp(apps.get(host, accept_all))


def _secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets of an integration, each with the host that it is for."""
    login = f"{variables.get('REGISTRY_USERNAME')}:{variables.get('REGISTRY_PASSWORD')}"
    secrets = {
        variables.get("BITBUCKET_STEP_OIDC_TOKEN", ""): aws("sts"),
        variables.get("REGISTRY_PASSWORD", ""): _TOKENS,
        base64.b64encode(login.encode()).decode(): _TOKENS,
        HOOK: _SLACK,
        SECRET_KEY: "nowhere",
    }
    return {secret: host for secret, host in secrets.items() if secret}


def aws(service: str) -> str:
    """Return the host name of a service of AWS."""
    return f"{service}.{REGION}.amazonaws.com"


def accept_all(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Reply that everything is fine."""
    return Response("{}", content_type="application/json")(environ, start_response)


def forward(registry: Registry, tokens: TokenService) -> WsgiApp:
    """Return an application that forwards to a registry in another process.

    The address of its token service is a public one: from another the pipe wants no token.
    """

    def forwarder(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        reply = requests.request(
            request.method, f"http://{registry.host}{request.full_path}", headers=headers, timeout=9
        )
        reply_headers = [
            (name, value.replace(tokens.url, f"https://{_TOKENS}"))
            for name, value in reply.headers.items()
            if name.lower() not in _NOT_FORWARDED
        ]
        return Response(reply.content, reply.status_code, reply_headers)(environ, start_response)

    return forwarder


def with_role(services: Services) -> dict[str, str]:
    """Assume the role."""
    return {**services.cloud.environ(), "VERIFY_IMAGE": "false"}


def with_secret(services: Services) -> dict[str, str]:
    """Read the portal's token from Secrets Manager."""
    client = services.cloud.client("secretsmanager")
    client.create_secret(Name=SECRET, SecretString=DEFAULT_TOKEN)
    return {**with_role(services), "DUPLO_TOKEN": "", "DUPLO_TOKEN_SECRET": SECRET}


def with_ecr(services: Services) -> dict[str, str]:
    """Verify an image in ECR, including its scan."""
    name = services.cloud.repository()
    services.cloud.scanned(services.cloud.push(TAG), scan(CVE_1="LOW"))
    image = {"IMAGE": f"{name}:{TAG}", "VERIFY_IMAGE": "true", "MAX_SEVERITY": "high"}
    return {**services.cloud.environ(), **image}


def with_registry(services: Services) -> dict[str, str]:
    """Verify an image in a private registry with user and password."""
    return {
        "IMAGE": f"{_REGISTRY}/team/web:{TAG}",
        "VERIFY_IMAGE": "true",
        "REGISTRY_USERNAME": USER,
        "REGISTRY_PASSWORD": PASSWORD,
    }


def with_page(_: Services) -> dict[str, str]:
    """Probe an address after the rollout."""
    return {"POST_DEPLOY_URL": f"https://{_PAGE}/health", "TEST_TIMEOUT": "60"}


def with_slack(_: Services) -> dict[str, str]:
    """Send messages to a channel."""
    return {"SLACK_WEBHOOK": f"https://{_SLACK}{HOOK}"}


def with_insights(_: Services) -> dict[str, str]:
    """Send a report on the commit."""
    return {
        "CODE_INSIGHTS": "true",
        "BITBUCKET_WORKSPACE": "acme",
        "BITBUCKET_REPO_SLUG": "shop",
        "BITBUCKET_COMMIT": "8f2c1d9a7b3e",
    }


def with_missing_tag(services: Services) -> dict[str, str]:
    """Deploy a missing image, for which similar tags are looked up."""
    return {**with_registry(services), "IMAGE": f"{_REGISTRY}/team/web:{TAG}-typo"}


_PRIVATE = (_REGISTRY, _TOKENS)
INTEGRATIONS = (
    Integration("role", (aws("sts"),), frozenset({3, 4}), with_role),
    Integration("token-secret", (aws("secretsmanager"),), frozenset({3, 4}), with_secret),
    Integration("ecr", (aws("api.ecr"),), frozenset({5}), with_ecr),
    Integration(
        "registry",
        _PRIVATE,
        frozenset({5}),
        with_registry,
        redirects=True,
        installed=bool(BINARY),
    ),
    Integration(
        "tags",
        _PRIVATE,
        frozenset({5}),
        with_missing_tag,
        code=5,
        redirects=True,
        installed=bool(BINARY),
    ),
    Integration("page", (_PAGE,), frozenset({10}), with_page, polls=True, redirects=True),
    Integration("slack", (_SLACK,), frozenset({0}), with_slack, message=True),
    Integration("insights", (_BITBUCKET,), frozenset({0}), with_insights, message=True),
)
