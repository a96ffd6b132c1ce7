"""`ACTION: rollback`: which images were there before the present ones, and who says so.

The portal's own history first, then the record that this pipe left in the step's storage, then
`IMAGE`. A record counts only when it describes what runs now. Nothing is guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipe import image
from pipe.deploy import previous_run
from pipe.errors import ConfigError, Problem
from pipe.kinds import Drivers
from pipe.model import MAIN, Snapshot, Target
from pipe.settings import Action, ImageRequest, Settings

log = logging.getLogger(__name__)


def earlier_images(
    settings: Settings, found: Mapping[Target, Snapshot], drivers: Drivers
) -> Mapping[Target, Mapping[str, str]]:
    """For each target the images to go back to; raises `ConfigError` where nobody knows them."""
    memory = Memory.of(settings)
    known: dict[Target, Mapping[str, str]] = {}
    for target, now in found.items():
        image_requests = [
            request for request in settings.image_requests if request.target == target
        ]
        known[target] = _for_target(now, image_requests, drivers, memory)
    if unknown := [target for target, images in known.items() if not images]:
        raise ConfigError([_problem(settings, target) for target in unknown])
    return known


def _for_target(
    now: Snapshot, image_requests: list[ImageRequest], drivers: Drivers, memory: Memory
) -> Mapping[str, str]:
    if resumed := memory.went_back_to(now):
        log.info("%s: an earlier run of this step has begun to go back.", now.target)
        return resumed
    sources = (
        ("the portal's history", drivers.previous(now)),
        ("the record of an earlier run", memory.before(now)),
        ("IMAGE", _given(now, image_requests)),
    )
    only = {now.container(request.container) for request in image_requests if request.container}
    for source, images in sources:
        chosen = {name: then for name, then in (images or {}).items() if not only or name in only}
        if chosen:
            log.info("%s: going back to what %s names.", now.target, source)
            return chosen
    return {}


def _given(now: Snapshot, image_requests: list[ImageRequest]) -> Mapping[str, str]:
    """What was given as a last resort; the image that is there already leads nowhere."""
    given = {
        now.container(w.container): str(w.image) for w in image_requests if w.image != image.NONE
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
        f"must say which image {target} is to go back to: {history}, and there is no record of an "
        "earlier run that made it what it is now",
        f"Write under variables:   IMAGE: '...'   or   SERVICES: ['{target}=...']",
    )


@dataclass(frozen=True)
class Memory:
    """What an earlier run wrote down, if there is anything that can be read."""

    settings: Settings
    record: Mapping[str, Any]

    @classmethod
    def of(cls, settings: Settings) -> Memory:
        """The record in the report's folder; one that cannot be read counts as none."""
        return cls(settings, previous_run.read(settings.report_dir) or {})

    def before(self, now: Snapshot) -> Mapping[str, str]:
        """What `now` ran before the recorded run made it what it is."""
        for entry in self._entries(now.target):
            after, before = _images(entry, "after"), _images(entry, "before")
            if after and _same(after, now.images):
                return _differing(before, now)
        return {}

    def went_back_to(self, now: Snapshot) -> Mapping[str, str]:
        """The present images, when a run of this very step has put them there to go back."""
        step, mine = self.record.get("step"), self.settings.step
        if self.record.get("action") != Action.ROLLBACK or not isinstance(step, dict):
            return {}
        if not mine.step or (step.get("step"), step.get("pipeline")) != (mine.step, mine.pipeline):
            return {}
        for entry in self._entries(now.target):
            after, before = _images(entry, "after"), _images(entry, "before")
            changed = {name: new for name, new in after.items() if before.get(name) != new}
            if changed and _same(after, now.images):
                return changed
        return {}

    def _entries(self, target: Target) -> Iterator[Mapping[str, Any]]:
        same_place = (
            self.record.get("portal") == self.settings.host
            and self.record.get("changed") is True
            and str(self.record.get("tenant", "")).casefold() == self.settings.tenant.casefold()
        )
        entries = self.record.get("targets")
        for entry in entries if same_place and isinstance(entries, list) else []:
            if isinstance(entry, dict) and (entry.get("kind"), entry.get("name")) == (
                target.kind.value,
                target.name,
            ):
                yield entry


def _images(entry: Mapping[str, Any], key: str) -> Mapping[str, str]:
    found = entry.get(key)
    if not isinstance(found, dict):
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str) and text}


def _same(images: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return MAIN in images and all(
        image.same(then, now.get(name, "")) for name, then in images.items()
    )


def _differing(images: Mapping[str, str], now: Snapshot) -> Mapping[str, str]:
    return {
        name: then
        for name, then in images.items()
        if name in now.images and not image.same(then, now.images[name])
    }
