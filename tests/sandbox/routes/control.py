"""The handles for a person: what to ask the sandbox itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request

from tests.sandbox.behaviour import FATES, Behaviour
from tests.sandbox.replies import answer, refusal
from tests.sandbox.script import KINDS, ApiFault
from tests.sandbox.service import MAIN_CONTAINER
from tests.sandbox.world import World

HELP = f"""The sandbox of the portal. No token is needed under /sandbox/.

GET  /sandbox/         this text
GET  /sandbox/log      every request so far, and what became of it
GET  /sandbox/state    services and pods at a glance
POST /sandbox/behave   {{"image": "team/web:bad", "fate": "crash", "log": ["boom"]}}
                       fates: {", ".join(FATES)}
                       also: seconds, passes_after, up_seconds, backoff, ready, exit_code, fault
POST /sandbox/script   {{"method": "PUT", "path": "containerimage$", "kind": "reset-after"}}
                       drivers: {", ".join(KINDS)}
                       also: times, skip, status, body, headers, content_type, size, location
POST /sandbox/intrude  {{"service": "web", "image": "team/web:theirs", "after": 5}}
                       also: tenant (dev01); without `after` it happens at once
POST /sandbox/reset    back to the beginning
"""


def control_routes(world: World, seed: Callable[[World], None] | None) -> Blueprint:
    """The routes under /sandbox/."""
    routes = Blueprint("control", __name__)

    @routes.get("/")
    def help_text() -> Response:
        return Response(HELP, content_type="text/plain; charset=utf-8")

    @routes.get("/log")
    def log() -> Response:
        return answer([asdict(record) for record in world.log])

    @routes.get("/state")
    def state() -> Response:
        return Response(overview(world), content_type="text/plain; charset=utf-8")

    @routes.post("/behave")
    def behave() -> Response:
        wanted = _wanted()
        try:
            image = str(wanted.pop("image"))
            world.behave(image, Behaviour(**wanted))
        except (KeyError, TypeError, ValueError) as problem:
            return refusal(400, str(problem))
        return answer({"image": image, **wanted})

    @routes.post("/script")
    def script() -> Response:
        wanted = _wanted()
        try:
            world.script(ApiFault(**wanted))
        except (TypeError, ValueError) as problem:
            return refusal(400, str(problem))
        return answer(wanted)

    @routes.post("/intrude")
    def intrude() -> Response:
        wanted = _wanted()
        try:
            service = world.service(wanted["service"], wanted.get("tenant", "dev01"))
            images = {wanted.get("container", MAIN_CONTAINER): str(wanted["image"])}
            seconds = float(wanted.get("after", 0))
        except (KeyError, TypeError, ValueError) as problem:
            return refusal(400, str(problem))
        world.intrude(lambda _: service.set_images(images, "somebody.else"), after=seconds)
        return answer(wanted)

    @routes.post("/reset")
    def reset() -> Response:
        world.clear()
        if seed is not None:
            seed(world)
        return answer(None)

    return routes


def _wanted() -> dict[str, Any]:
    given = request.get_json(silent=True, force=True)
    return dict(given) if isinstance(given, dict) else {}


def overview(world: World) -> str:
    """Services and their pods, one line each."""
    lines = []
    for service in world.services:
        lines.append(f"{service.tenant.name}/{service.name}  {service.image}")
        lines += [
            f"  {pod.name}  {pod.image}  status {pod.status}"
            f"{'  leaving' if pod.leaving else ''}"
            f"{f'  {pod.step.restarts} restarts' if pod.step.restarts else ''}"
            for pod in service.pods
        ]
    return "\n".join(lines) + "\n"
