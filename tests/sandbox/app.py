"""The portal as a web application: who may ask what, and where the answer is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from tests.sandbox.gate import Gate
from tests.sandbox.record import RequestRecord
from tests.sandbox.replies import refusal
from tests.sandbox.routes.control import control_routes
from tests.sandbox.routes.others import cronjob_routes, ecs_routes, lambda_routes
from tests.sandbox.routes.pods import pod_routes
from tests.sandbox.routes.services import service_routes
from tests.sandbox.routes.tenants import tenant_routes
from tests.sandbox.script import matches
from tests.sandbox.world import World

# What portals of last year do not have; the rest of the routes they share.
NEWER_ROUTES = (
    ("GET|DELETE", r"^/v3/subscriptions/[^/]+/replicationcontroller(/|$)"),
    ("PUT", r"/containerimage$"),
    ("PUT", r"/rollback(/|$)"),
    ("GET", r"^/v3/version$"),
    ("GET", r"^/v3/subscriptions/[^/]+/aws/ecs/service(/|$)"),
)

_BEFORE_NAMES = (
    "getlbdetailsinservice",
    "getecsservicedetails",
    "taskdeffamily",
    "lambda",
    "cronjob",
)

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


def _is_missing(world: World) -> bool:
    """Whether this portal is too old for the route."""
    return world.portal == "old" and any(
        matches(method, path, request.method, request.path) for method, path in NEWER_ROUTES
    )


class AnyCaseRule(Rule):
    """A route whose fixed words are kept in lower case; see `any_case`."""

    def __init__(self, string: str, **options: Any) -> None:
        words = [word if word.startswith("<") else word.lower() for word in string.split("/")]
        super().__init__("/".join(words), **options)


class Portal(Flask):
    """Flask, with routes whose case does not matter."""

    url_rule_class: type[Rule] = AnyCaseRule


def create_app(world: World, seed: Callable[[World], None] | None = None) -> Flask:
    """The portal over a world; `seed` fills the world again after a reset."""
    app = Portal("sandbox", static_folder=None)
    app.url_map.strict_slashes = False
    app.config["WORLD"] = world
    topics = (tenant_routes, service_routes, pod_routes, ecs_routes, lambda_routes, cronjob_routes)
    for routes in topics:
        app.register_blueprint(routes(world))
    app.register_blueprint(control_routes(world, seed), url_prefix="/sandbox")

    @app.before_request
    def check() -> Response | None:
        if request.path.startswith("/sandbox"):
            return None
        return _refuse(world)

    @app.errorhandler(HTTPException)
    def nothing_here(problem: HTTPException) -> Response:
        # The portal says nothing at all about a route that it does not have.
        return Response("", problem.code or 500)

    spelled = any_case(app.wsgi_app, literals(app))
    app.wsgi_app = Gate(spelled, world)  # type: ignore[method-assign]
    return app


def _refuse(world: World) -> Response | None:
    """Refuse what the token does not allow; otherwise leave token and tenant in `g`."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    token = world.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        return refusal(401, "Authorization has been denied for this request.")
    if request.url_rule is None or _is_missing(world):
        return Response("", world.missing_status if request.url_rule else 404)
    g.token = token
    request.environ["sandbox.user"] = token.user
    tid = (request.view_args or {}).get("tid")
    if tid is not None:
        tenant = next((one for one in world.tenants if one.id == tid.lower()), None)
        if tenant is None or not token.opens(tenant):
            return refusal(403, f"User {token.user} has no access to tenant {tid}")
        g.tenant = tenant
    record = RequestRecord(world.at, request.method, request.path)
    if token.read_only and record.writes:
        return refusal(403, f"User {token.user} has read only access")
    return None


def literals(app: Flask) -> set[str]:
    """The fixed words of all routes."""
    words = {word for rule in app.url_map.iter_rules() for word in rule.rule.split("/")}
    return {word for word in words if word and not word.startswith("<")}


def any_case(app: WsgiApp, words: set[str]) -> WsgiApp:
    """Let route words match in any case and after doubled slashes; names are left alone."""

    def spelled(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        parts = [part for part in environ.get("PATH_INFO", "").split("/") if part]
        named = _name_positions(parts)
        environ["PATH_INFO"] = "/" + "/".join(
            part.lower() if part.lower() in words and place not in named else part
            for place, part in enumerate(parts)
        )
        return app(environ, start_response)

    return spelled


def _name_positions(parts: list[str]) -> set[int]:
    """Where a thing's name stands, which may look like one of the portal's own words."""
    lowered = [part.lower() for part in parts]
    places: set[int] = set()
    for place, word in enumerate(lowered[:-1]):
        if word.startswith("replicationcontroller") or word in _BEFORE_NAMES:
            places.add(place + 1)
    return places
