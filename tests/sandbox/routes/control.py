"""Routes for a person at the sandbox: its log and state, and what goes wrong next."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, Response

from tests.sandbox.behaviour import FATES, Behaviour
from tests.sandbox.commands import Command
from tests.sandbox.current import current_seed, current_world, sent_object
from tests.sandbox.pods import Pod
from tests.sandbox.replies import answer, refusal
from tests.sandbox.script import KINDS, ApiFault
from tests.sandbox.service import MAIN_CONTAINER
from tests.sandbox.world import World

HELP = f"""The sandbox of the portal. No token is needed under /sandbox/.

GET  /sandbox/         this text
GET  /sandbox/log      every request so far, and its outcome
GET  /sandbox/state    services, jobs and pods at a glance
POST /sandbox/behave   {{"image": "team/web:bad", "fate": "crash", "log": ["boom"]}}
                       fates: {", ".join(FATES)}
                       also: seconds, ready_after, crashes, passes_after, pods, up_seconds, backoff,
                             ready, exit_code, stop_seconds, fault
POST /sandbox/command  {{"text": "migrate", "seconds": 5, "lines": [[0, "one"]], "exit_code": 1}}
                       also: out_of_memory, failures, fate, passes_after, stop_seconds
POST /sandbox/script   {{"method": "PUT", "path": "containerimage$", "kind": "reset-after"}}
                       kinds: {", ".join(KINDS)}
                       also: times, skip, status, body, headers, content_type, size, location
POST /sandbox/intrude  {{"service": "web", "image": "team/web:theirs", "after": 5}}
                       also: tenant (dev01); without `after` at once
POST /sandbox/reset    back to the start
"""


routes = Blueprint("control", __name__)


@routes.get("/")
def help_text() -> Response:
    return Response(HELP, content_type="text/plain; charset=utf-8")


@routes.get("/log")
def log() -> Response:
    return answer([asdict(record) for record in current_world().log])


@routes.get("/state")
def state() -> Response:
    return Response(overview(current_world()), content_type="text/plain; charset=utf-8")


@routes.post("/behave")
def behave() -> Response:
    body = sent_object()
    try:
        image = str(body.pop("image"))
        current_world().behave(image, Behaviour(**body))
    except (KeyError, TypeError, ValueError) as problem:
        return refusal(400, str(problem))
    return answer({"image": image, **body})


@routes.post("/command")
def command() -> Response:
    body = sent_object()
    try:
        text = str(body.pop("text"))
        current_world().command(text, Command(**body))
    except (KeyError, TypeError, ValueError) as problem:
        return refusal(400, str(problem))
    return answer({"text": text, **body})


@routes.post("/script")
def script() -> Response:
    body = sent_object()
    try:
        current_world().script(ApiFault(**body))
    except (TypeError, ValueError) as problem:
        return refusal(400, str(problem))
    return answer(body)


@routes.post("/intrude")
def intrude() -> Response:
    body = sent_object()
    try:
        service = current_world().service(body["service"], body.get("tenant", "dev01"))
        images = {body.get("container", MAIN_CONTAINER): str(body["image"])}
        seconds = float(body.get("after", 0))
    except (KeyError, TypeError, ValueError) as problem:
        return refusal(400, str(problem))
    current_world().intrude(
        lambda _: service.set_images(images, "another.deployment"), after=seconds
    )
    return answer(body)


@routes.post("/reset")
def reset() -> Response:
    current_world().clear()
    seed = current_seed()
    if seed is not None:
        seed(current_world())
    return answer(None)


def overview(world: World) -> str:
    """Return services, jobs and their pods, one line each."""
    lines = []
    for service in world.services:
        lines.append(f"{service.tenant.name}/{service.name}  {service.image}")
        lines += map(_pod_line, service.pods)
    for job in world.jobs.items:
        lines.append(f"{job.tenant.name}/{job.name}  {job.condition.get('type', 'active')}")
        lines += map(_pod_line, job.pods)
    return "\n".join(lines) + "\n"


def _pod_line(pod: Pod) -> str:
    return (
        f"  {pod.name}  {pod.image}  {pod.step.reason or pod.step.phase}"
        f"{'  ready' if pod.ready else ''}{'  leaving' if pod.leaving else ''}"
        f"{f'  {pod.step.restarts} restarts' if pod.step.restarts else ''}"
    )
