"""The world, tenant and token of the request being served."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from flask import g, request

if TYPE_CHECKING:
    from tests.sandbox.access import Tenant, Token
    from tests.sandbox.world import World

WORLD = "sandbox.world"
SEED = "sandbox.seed"
"""Keys of the WSGI environment; one application serves every world in the process."""


def current_world() -> World:
    """Return the world that the request is addressed to."""
    return cast("World", request.environ[WORLD])


def current_seed() -> Callable[[World], None] | None:
    """Return the function that fills the world again after a reset."""
    return cast("Callable[[World], None] | None", request.environ[SEED])


def current_tenant() -> Tenant:
    """Return the tenant named in the path; the token may use it."""
    return cast("Tenant", g.tenant)


def current_token() -> Token:
    """Return the token that the request was sent with."""
    return cast("Token", g.token)


def sent_object() -> dict[str, Any]:
    """Return the JSON object in the request, empty when there is none."""
    sent = request.get_json(silent=True, force=True)
    return dict(sent) if isinstance(sent, dict) else {}
