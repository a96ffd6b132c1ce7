"""`ACTION: rollback`: the images that a target ran before the present ones, and their source.

The portal's own history comes first, then `IMAGE`, then the record that this pipe left in the
step's storage (`pipe/deploy/previous_run.py` has its limits). Nothing is guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from pipe import image
from pipe.deploy.previous_run import PreviousRun
from pipe.errors import ConfigError, Problem
from pipe.kinds import Drivers
from pipe.model import Snapshot, Target
from pipe.settings import ImageRequest, Settings

log = logging.getLogger(__name__)


def previous_images(
    settings: Settings,
    snapshots: Mapping[Target, Snapshot],
    drivers: Drivers,
    previous_run: PreviousRun,
) -> Mapping[Target, Mapping[str, str]]:
    """Return for each target the images to roll back to, by container.

    Raises `ConfigError` for the targets whose previous images are unknown.
    """
    found: dict[Target, Mapping[str, str]] = {}
    for target, now in snapshots.items():
        requests = [request for request in settings.image_requests if request.target == target]
        found[target] = _of_target(now, requests, drivers, previous_run)
    if unknown := [target for target, images in found.items() if not images]:
        raise ConfigError([_problem(settings, target) for target in unknown])
    return found


def _of_target(
    now: Snapshot,
    requests: Sequence[ImageRequest],
    drivers: Drivers,
    previous_run: PreviousRun,
) -> Mapping[str, str]:
    if begun := previous_run.images_rolled_back_to(now):
        log.info("%s: an earlier run of this step has begun to roll back.", now.target)
        return begun
    requested = _requested(now, requests)
    sources: tuple[tuple[str, Callable[[], Mapping[str, str] | None]], ...] = (
        ("the portal's history", lambda: drivers.previous_images(now)),
        ("IMAGE", lambda: requested),
        ("the record of an earlier run", lambda: previous_run.images_before(now)),
    )
    only = {now.container(request.container) for request in requests if request.container}
    for source, read in sources:
        known = read() or {}
        chosen = {name: then for name, then in known.items() if not only or name in only}
        if chosen and all(map(image.is_deployable, chosen.values())):
            log.info("%s: rolling back to the image in %s.", now.target, source)
            _warn_of_other(now, requested, chosen)
            return chosen
    return {}


def _warn_of_other(now: Snapshot, requested: Mapping[str, str], chosen: Mapping[str, str]) -> None:
    """Log the images given in the variables that the portal's history outweighs."""
    for name, wanted in requested.items():
        if not image.same(wanted, chosen.get(name, wanted)):
            log.warning(
                "%s: the variables give %s, but the portal's history shows that it ran %s before.",
                now.target,
                wanted,
                chosen[name],
            )


def _requested(now: Snapshot, requests: Sequence[ImageRequest]) -> Mapping[str, str]:
    """Return the images given in the variables, without those that run already."""
    given = {
        now.container(request.container): str(request.image)
        for request in requests
        if request.image != image.NONE
    }
    return {
        name: wanted
        for name, wanted in given.items()
        if not image.same(wanted, now.images.get(name, ""))
    }


def _problem(settings: Settings, target: Target) -> Problem:
    variable = "IMAGE" if len(settings.image_requests) == 1 else "SERVICES"
    history = target.kind.capabilities.keeps_history.reason or "the portal's history names none"
    return Problem(
        variable,
        f"must give the image to roll {target} back to: {history}, and no record of an earlier "
        "run describes what it runs now",
        f"Write under variables:   IMAGE: '...'   or   SERVICES: ['{target}=...']",
    )
