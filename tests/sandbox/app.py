"""The portal as a web application: one Flask application serves every world in the process."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.wrappers import Response as BaseResponse

from tests.sandbox.current import current_world
from tests.sandbox.fault_injection import WsgiApp
from tests.sandbox.gate import Answer, Gate
from tests.sandbox.kinds import KINDS
from tests.sandbox.record import RequestRecord
from tests.sandbox.replies import refusal
from tests.sandbox.routes import control, jobs, kubernetes, pods, services, tenants
from tests.sandbox.script import matches
from tests.sandbox.web import Web
from tests.sandbox.world import World

# Routes that portals of last year do not have.
NEWER_ROUTES = (
    ("GET|DELETE", r"^/v3/subscriptions/[^/]+/replicationcontroller(/|$)"),
    ("PUT", r"/containerimage$"),
    ("PUT", r"/rollback(/|$)"),
    ("GET", r"^/v3/version$"),
    ("GET", r"/k8s/jitAccess$"),
    *(route for kind in KINDS.values() for route in kind.newer_routes),
)

_NAMES = ("<name>", "<family>")


class AnyCaseRule(Rule):
    """A route whose fixed words are kept in lower case; see `any_case`."""

    def __init__(self, string: str, **options: Any) -> None:
        words = [word if word.startswith("<") else word.lower() for word in string.split("/")]
        super().__init__("/".join(words), **options)


class Portal(Web):
    """Flask, with routes whose case does not matter."""

    url_rule_class: type[Rule] = AnyCaseRule


def create_app(world: World, seed: Callable[[World], None] | None = None) -> WsgiApp:
    """Return the portal over a world; `seed` fills the world again after a reset."""
    return Gate(portal_app(), world, seed)


@cache
def portal_app() -> Answer:
    """Build the application, once: compiling its routes takes longer than a whole run of the pipe.

    The world comes with each request, in the WSGI environment.
    """
    app = Portal("sandbox", static_folder=None)
    app.url_map.strict_slashes = False
    every = (tenants.routes, services.routes, pods.routes, jobs.routes, kubernetes.routes)
    for routes in every:
        app.register_blueprint(routes)
    for kind in KINDS.values():
        app.register_blueprint(kind.routes)
    app.register_blueprint(control.routes, url_prefix="/sandbox")
    app.before_request(_refuse)
    app.register_error_handler(HTTPException, _without_text)
    return any_case(app.answer, route_words(app), words_before_names(app))


def _without_text(problem: HTTPException) -> Response:
    """Return an empty body, as the portal does for a route that it does not have."""
    return Response("", problem.code or 500)


def _is_missing(world: World) -> bool:
    """Return whether this portal is too old for the route."""
    return world.portal == "old" and any(
        matches(method, path, request.method, request.path) for method, path in NEWER_ROUTES
    )


def _refuse() -> Response | None:
    """Refuse what the token does not allow; otherwise leave token and tenant in `g`."""
    if request.path.startswith("/sandbox"):
        return None
    world = current_world()
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    token = world.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        return refusal(401, "Authorization has been denied for this request.")
    if request.url_rule is None or _is_missing(world):
        return Response("", world.missing_status if request.url_rule else 404)
    g.token = token
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


def route_words(app: Flask) -> set[str]:
    """Return the fixed words of all routes."""
    words = {word for rule in app.url_map.iter_rules() for word in rule.rule.split("/")}
    return {word for word in words if word and not word.startswith("<")}


def words_before_names(app: Flask) -> set[str]:
    """Return the words that the name of a resource follows in a route."""
    pairs = (pairwise(rule.rule.split("/")) for rule in app.url_map.iter_rules())
    return {word for pair in pairs for word, following in pair if following in _NAMES}


def any_case(answer: Answer, words: set[str], before_names: set[str]) -> Answer:
    """Let route words match in any case and after doubled slashes; leave names alone."""

    def spelled(environ: dict[str, Any]) -> BaseResponse:
        parts = [part for part in environ.get("PATH_INFO", "").split("/") if part]
        lowered = [part.lower() for part in parts]
        # A name may look like one of the portal's own words.
        names = {place + 1 for place, word in enumerate(lowered) if word in before_names}
        environ["PATH_INFO"] = "/" + "/".join(
            word if word in words and place not in names else part
            for place, (part, word) in enumerate(zip(parts, lowered, strict=True))
        )
        return answer(environ)

    return spelled
