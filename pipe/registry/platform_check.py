"""Compare the platforms of new images with those of the images that run.

An image for another architecture is pulled, and ends on every node with `exec format error`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from pipe.errors import ImageRefused, PipeError, combined
from pipe.hosts import DOCKER_HUB, registry_host
from pipe.image import Image, ImageError, parse_deployed
from pipe.model import Change
from pipe.parallel import run_concurrently
from pipe.registry.base import CannotVerify, ImageNotFound, Registry
from pipe.settings import Action, Settings, Verify

log = logging.getLogger(__name__)

Pair = tuple[Image, Image]
"""The image that runs, and the one to replace it."""


class PlatformCheck:
    """Checks the changes of a run; `warn` gets the warnings. Images it cannot ask about pass.

    A rollback is not checked: the image that runs may be the one for the wrong platform.
    """

    def __init__(
        self,
        settings: Settings,
        registry_of: Callable[[Image], Registry],
        warn: Callable[[str], None],
    ) -> None:
        self._rules = settings.image_rules
        self._wanted = settings.action is Action.DEPLOY and self._rules.verify is not Verify.NEVER
        self._registry_of = registry_of
        self._warn = warn

    def check(self, changes: Sequence[Change]) -> None:
        """Raise one `ImageRefused` for all images without a platform of their predecessor."""
        if not self._wanted:
            return
        replaced = dict.fromkeys(pair for change in changes for pair in _pairs(change))
        pairs = [pair for pair in replaced if self._is_asked(pair)]
        images = list(dict.fromkeys(image for pair in pairs for image in pair))
        known: dict[Image, frozenset[str]] = {}

        def read(image: Image) -> None:
            known[image] = self._platforms(image)

        for error in run_concurrently(read, images):
            raise error
        if refused := [refusal for pair in pairs if (refusal := self._compare(pair, known))]:
            raise combined(refused)

    def _is_asked(self, pair: Pair) -> bool:
        """Return whether to read manifests: in one registry, and not as pulls of Docker Hub."""
        hosts = {registry_host(image) for image in pair}
        required = self._rules.verify is Verify.ALWAYS or self._rules.pin_digest
        return len(hosts) == 1 and (required or hosts != {DOCKER_HUB})

    def _platforms(self, image: Image) -> frozenset[str]:
        """Return an image's platforms, none if they are not known."""
        try:
            return self._registry_of(image).platforms(image)
        except (CannotVerify, ImageNotFound, PipeError) as error:
            log.debug("The platforms of %s are not known: %s", image, error)
            return frozenset()

    def _compare(self, pair: Pair, known: Mapping[Image, frozenset[str]]) -> ImageRefused | None:
        old, new = pair
        before, after = known[old], known[new]
        if not before or not after or before <= after:
            return None
        if before & after:
            self._warn(
                f"The image {new} is for {_listed(after)}; {old}, which runs now, is for "
                f"{_listed(before)} too: pods on nodes of other platforms will fail to start."
            )
            return None
        return ImageRefused(
            f"The image {new} is for {_listed(after)}, and {old}, which runs now, for "
            f"{_listed(before)}: on the present nodes it would fail with exec format error.",
            f"Build it for {_listed(before)} as well (docker buildx build --platform). If the "
            "nodes are of another platform than the present image, set VERIFY_IMAGE: 'false'.",
        )


def _pairs(change: Change) -> Sequence[Pair]:
    """Return the images that a change replaces, as far as their names can be parsed."""
    pairs: list[Pair] = []
    for container, new in change.images.items() if not change.resumes else ():
        old = change.before.images.get(container, "")
        if old and old != new:
            try:
                pairs.append((parse_deployed(old), parse_deployed(new)))
            except ImageError:
                continue
    return pairs


def _listed(platforms: frozenset[str]) -> str:
    return ", ".join(sorted(platforms))
