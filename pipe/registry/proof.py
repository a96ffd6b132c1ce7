"""The proof that an image is there and sound, before anything changes because of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import SequenceMatcher

from pipe.errors import ImageRefused, combined
from pipe.hosts import ecr_address
from pipe.image import Image
from pipe.parallel import run_concurrently
from pipe.registry import severity
from pipe.registry.base import Absent, CannotAsk, Finding, Found, Registry
from pipe.registry.ecr import EcrRegistry
from pipe.settings import ImageRequest, ImageRules, Verify

log = logging.getLogger(__name__)

_NEAREST = 2


@dataclass(frozen=True)
class Proof:
    """What is known of one image. `digest` is empty when its registry could not be asked.

    `why_not` then says why. `findings` is None when nobody asked for them. `deploy` is the
    reference to deploy: the image itself, or its digest.
    """

    image: Image
    deploy: Image
    digest: str = ""
    pushed: datetime | None = None
    findings: tuple[Finding, ...] | None = None
    why_not: str = ""


def prove(image: Image, registry: Registry, rules: ImageRules) -> Proof:
    """Ask the registry; raises `ImageRefused` when the image must not be deployed."""
    try:
        found = registry.find(image)
    except Absent as missing:
        raise _absent(image, str(missing), registry) from None
    except CannotAsk as reason:
        if not _may_be_unproven(image, rules):
            raise _unproven(image, reason, rules) from None
        return Proof(image, image, why_not=str(reason))
    findings = _sound(image, found, registry, rules) if rules.max_severity else None
    deploy = replace(image, tag="", digest=found.digest) if rules.pin_digest else image
    return Proof(image, deploy, found.digest, found.pushed, findings)


class ImageProver:
    """Proves images with the registries they live in, each image once."""

    def __init__(self, rules: ImageRules, registry_of: Callable[[Image], Registry]) -> None:
        self._rules = rules
        self._registry_of = registry_of
        self.proofs: dict[Image, Proof] = {}

    def resolve(self, image_requests: Sequence[ImageRequest]) -> tuple[ImageRequest, ...]:
        """The image_requests with the references to deploy; raises `ImageRefused` for all bad images."""
        if self._rules.verify is Verify.NEVER:
            return tuple(image_requests)
        images = list(dict.fromkeys(request.image for request in image_requests))
        refused: dict[Image, ImageRefused] = {}

        def look(image: Image) -> None:
            try:
                self.proofs[image] = self._prove(image)
            except ImageRefused as error:
                refused[image] = error

        for trouble in run_concurrently(look, images):
            raise trouble
        if refused:
            raise combined([refused[image] for image in images if image in refused])
        return tuple(
            replace(request, image=self.proofs[request.image].deploy) for request in image_requests
        )

    def _prove(self, image: Image) -> Proof:
        registry = self._registry_of(image)
        proof = prove(image, registry, self._rules)
        log.info("Image %s", describe(proof))
        if isinstance(registry, EcrRegistry) and registry.foreign:
            log.info("%s", registry.foreign)
        return proof


class Unauthenticated:
    """Stands in for a registry that only somebody known to AWS may ask."""

    def find(self, image: Image) -> Found:
        """See `Registry`."""
        raise self._silence(image)

    def tags(self, image: Image) -> Sequence[str]:
        """See `Registry`."""
        raise self._silence(image)

    def _silence(self, image: Image) -> CannotAsk:
        return CannotAsk(
            f"{image.registry} only answers somebody known to AWS",
            "Give AWS_OIDC_ROLE_ARN with oidc: true on the step, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY.",
        )


def describe(proof: Proof) -> str:
    """One line about an image."""
    if not proof.digest:
        return f"{proof.image}: not proven, because {proof.why_not}. (VERIFY_IMAGE: auto)"
    pushed = f", pushed {proof.pushed:%Y-%m-%d %H:%M} UTC" if proof.pushed else ""
    found = "" if proof.findings is None else f", findings: {severity.tally(proof.findings)}"
    return f"{proof.image}: exists, {proof.digest}{pushed}{found}"


def _may_be_unproven(image: Image, rules: ImageRules) -> bool:
    limited = rules.max_severity is not None and ecr_address(image) is not None
    return rules.verify is not Verify.ALWAYS and not rules.pin_digest and not limited


def _unproven(image: Image, reason: CannotAsk, rules: ImageRules) -> ImageRefused:
    demand = "VERIFY_IMAGE: 'true'"
    if rules.max_severity:
        demand = f"MAX_SEVERITY: '{rules.max_severity}'"
    if rules.pin_digest:
        demand = "PIN_DIGEST: 'true'"
    return ImageRefused(
        f"The image {image} could not be proven, which {demand} demands: {reason}.",
        f"{reason.remedy} Without {demand} it would be deployed unproven.".strip(),
    )


def _absent(image: Image, missing: str, registry: Registry) -> ImageRefused:
    near: Sequence[str] = ()
    if image.tag and not image.digest:
        try:
            near = _nearest(image.tag, registry.tags(image))
        except Absent as even_more:
            missing = str(even_more)
        except CannotAsk:
            pass
    remedy = "Check that the image was built and pushed, and correct IMAGE."
    if isinstance(registry, EcrRegistry) and registry.foreign:
        remedy = f"{remedy} {registry.foreign}"
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return ImageRefused(f"The image {image} does not exist: {missing}.{meant}", remedy)


def _nearest(wanted: str, tags: Sequence[str]) -> Sequence[str]:
    """The tags most like the missing one."""

    def likeness(tag: str) -> tuple[float, str]:
        return SequenceMatcher(None, wanted, tag).ratio(), tag

    return sorted(tags, key=likeness, reverse=True)[:_NEAREST]


def _sound(
    image: Image, found: Found, registry: Registry, rules: ImageRules
) -> tuple[Finding, ...] | None:
    limit = rules.max_severity
    assert limit is not None  # noqa: S101 - only asked with a limit
    if not isinstance(registry, EcrRegistry):
        log.warning("MAX_SEVERITY says nothing about %s: only ECR tells findings.", image)
        return None
    try:
        findings = tuple(registry.findings(image, found))
    except (Absent, CannotAsk) as reason:
        shown = reason if isinstance(reason, CannotAsk) else CannotAsk(str(reason))
        raise _unproven(image, shown, rules) from None
    grave = severity.above(findings, limit)
    if grave:
        count = "1 finding" if len(grave) == 1 else f"{len(grave)} findings"
        raise ImageRefused(
            f"The image {image} has {count} above MAX_SEVERITY: '{limit}': "
            f"{severity.names(grave)}.",
            "Rebuild it on a mended base image, or raise MAX_SEVERITY if they may be deployed.",
        )
    return findings
