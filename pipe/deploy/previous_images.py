"""`ACTION: rollback`: the images that a target ran before the present ones, and their source.

The portal's own history comes first, then `IMAGE`, then the record that this pipe left in the
step's storage (`pipe/deploy/previous_run.py` has its limits). An `IMAGE` that contradicts the
history is an error: it may be a version that never ran. Nothing is guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
    moment: datetime,
) -> Mapping[Target, Mapping[str, str]]:
    """Return for each target the images to roll back to, by container.

    `previous_run` is what is known at `moment`. Raises `ConfigError` for the targets whose previous
    images are unknown, or not those that the variables give.
    """
    sources = _Sources(settings, drivers, previous_run, moment)
    found = {target: sources.images(now) for target, now in snapshots.items()}
    unknown = [sources.unknown(target) for target, images in found.items() if not images]
    if problems := [*sources.clashes, *unknown]:
        raise ConfigError(problems)
    return found


@dataclass(frozen=True)
class _Sources:
    """Where previous images are looked up; `clashes` collects the contradictions."""

    settings: Settings
    drivers: Drivers
    previous_run: PreviousRun
    moment: datetime
    clashes: list[Problem] = field(default_factory=list)

    def images(self, now: Snapshot) -> Mapping[str, str]:
        """Return the images to roll a target back to, empty where they are unknown."""
        if begun := self.previous_run.images_rolled_back_to(now):
            log.info("%s: an earlier run of this step has begun to roll back.", now.target)
            return begun
        requests = [one for one in self.settings.image_requests if one.target == now.target]
        only = {now.container(request.container) for request in requests if request.container}
        if self.previous_run.is_rolled_back_already(now, self.moment):
            log.warning(
                "%s: it was changed within the last hour, and an earlier run of this step may have "
                "rolled it back already, so it stays as it is. To roll it back now, run a new "
                "pipeline.",
                now.target,
            )
            return {name: set_to for name, set_to in now.images.items() if not only or name in only}
        requested = _requested(now, requests)
        sources: tuple[tuple[str, Callable[[], Mapping[str, str] | None]], ...] = (
            ("the portal's history", lambda: self.drivers.previous_images(now, only)),
            ("IMAGE", lambda: requested),
            ("the record of an earlier run", lambda: self.previous_run.images_before(now)),
        )
        for source, read in sources:
            known = read() or {}
            chosen = {name: then for name, then in known.items() if not only or name in only}
            if chosen and all(map(image.is_deployable, chosen.values())):
                log.info("%s: rolling back to the image in %s.", now.target, source)
                self._compare(now, requested, chosen)
                return chosen
        return {}

    def unknown(self, target: Target) -> Problem:
        """Return the problem of a target whose previous images are unknown."""
        history = target.kind.capabilities.keeps_history.reason or (
            "the portal's history names none"
        )
        return Problem(
            self._variable,
            f"must give the image to roll {target} back to: {history}, and no record of an earlier "
            "run describes what it runs now",
            f"Write under variables:   IMAGE: '...'   or   SERVICES: ['{target}=...']",
        )

    @property
    def _variable(self) -> str:
        return "IMAGE" if len(self.settings.image_requests) == 1 else "SERVICES"

    def _compare(
        self, now: Snapshot, requested: Mapping[str, str], chosen: Mapping[str, str]
    ) -> None:
        """Note the images given in the variables that the portal's history contradicts."""
        for name, wanted in requested.items():
            if not image.same(wanted, chosen.get(name, wanted)):
                self.clashes.append(
                    Problem(
                        self._variable,
                        f"gives {wanted} for {now.target}, but the portal's history shows that it "
                        f"ran {chosen[name]} before",
                        f"Remove the image to roll back to {chosen[name]}, or deploy {wanted} with "
                        "ACTION: 'deploy'",
                    )
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
