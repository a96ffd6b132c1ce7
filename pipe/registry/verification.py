"""Verification of images before anything changes: existence, digest and scan findings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import SequenceMatcher
from itertools import islice

from pipe.errors import ImageRefused, combined
from pipe.hosts import ecr_address
from pipe.image import Image, is_tag
from pipe.parallel import run_concurrently
from pipe.registry import severity
from pipe.registry.base import CannotVerify, Finding, ImageNotFound, Registry, RegistryImage
from pipe.registry.ecr import EcrRegistry
from pipe.settings import ImageRequest, ImageRules, Verify

log = logging.getLogger(__name__)

_SUGGESTIONS = 2
_MOST_CANDIDATES = 5000
"""Comparing them takes a second, ten if a hostile registry chooses them."""


@dataclass(frozen=True)
class ImageVerification:
    """The result for one image.

    `deploy` is the reference to deploy: the image itself, or its digest. `digest` is empty for an
    image that could not be verified, `unverified_reason` for one that was. `findings` is None
    without MAX_SEVERITY.
    """

    image: Image
    deploy: Image
    digest: str = ""
    pushed: datetime | None = None
    findings: tuple[Finding, ...] | None = None
    unverified_reason: str = ""


def verify(image: Image, registry: Registry, rules: ImageRules) -> ImageVerification:
    """Look an image up in its registry; raise `ImageRefused` if it must not be deployed."""
    try:
        registry_image = _find(image, registry)
    except CannotVerify as error:
        if is_required(image, rules):
            raise _unverified(image, error, rules) from None
        return ImageVerification(image, image, unverified_reason=str(error))
    if image.digest and registry_image.digest != image.digest:
        raise _other_image(image, registry_image.digest)
    findings = None
    if rules.max_severity:
        findings = _check_findings(image, registry_image, registry, rules)
    deploy = replace(image, tag="", digest=registry_image.digest) if rules.pin_digest else image
    return ImageVerification(image, deploy, registry_image.digest, registry_image.pushed, findings)


class ImageVerifier:
    """Verifies each image of a run once; `results` holds what is known so far."""

    def __init__(self, rules: ImageRules, registry_of: Callable[[Image], Registry]) -> None:
        self._rules = rules
        self._registry_of = registry_of
        self.results: dict[Image, ImageVerification] = {}

    def resolve(self, image_requests: Sequence[ImageRequest]) -> tuple[ImageRequest, ...]:
        """Return the requests with the references to deploy.

        Raises one `ImageRefused` for all images that must not be deployed.
        """
        if self._rules.verify is Verify.NEVER:
            return tuple(image_requests)
        images = list(dict.fromkeys(request.image for request in image_requests))
        refused: dict[Image, ImageRefused] = {}

        def verify_one(image: Image) -> None:
            try:
                self.results[image] = self._verify(image)
            except ImageRefused as error:
                refused[image] = error

        for error in run_concurrently(verify_one, images):
            raise error
        if refused:
            raise combined([refused[image] for image in images if image in refused])
        return tuple(
            replace(request, image=self.results[request.image].deploy) for request in image_requests
        )

    def _verify(self, image: Image) -> ImageVerification:
        registry = self._registry_of(image)
        verification = verify(image, registry, self._rules)
        log.info("Image %s", describe(verification))
        if isinstance(registry, EcrRegistry) and registry.cross_account_note:
            log.info("%s", registry.cross_account_note)
        return verification


def describe(verification: ImageVerification) -> str:
    """Describe a verification in one line."""
    image = verification.image
    if not verification.digest:
        reason = verification.unverified_reason
        return f"{image}: not verified (VERIFY_IMAGE: auto): {reason}."
    pushed, findings = "", ""
    if verification.pushed:
        pushed = f", pushed {verification.pushed:%Y-%m-%d %H:%M} UTC"
    if verification.findings is not None:
        findings = f", findings: {severity.tally(verification.findings)}"
    return f"{image}: exists, {verification.digest}{pushed}{findings}"


def is_required(image: Image, rules: ImageRules) -> bool:
    """Return whether an image that cannot be verified must not be deployed."""
    limited = rules.max_severity is not None and ecr_address(image) is not None
    return rules.verify is Verify.ALWAYS or rules.pin_digest or limited


def _unverified(image: Image, error: CannotVerify, rules: ImageRules) -> ImageRefused:
    rule = "VERIFY_IMAGE: 'true'"
    if rules.max_severity:
        rule = f"MAX_SEVERITY: '{rules.max_severity}'"
    if rules.pin_digest:
        rule = "PIN_DIGEST: 'true'"
    return ImageRefused(
        f"The image {image} could not be verified, which {rule} requires: {error}.",
        f"{error.remedy} Without {rule} it would be deployed unverified.".strip(),
    )


def _other_image(image: Image, digest: str) -> ImageRefused:
    return ImageRefused(
        f"The registry returned another image for {image}: its digest is {digest}, expected "
        f"{image.digest}.",
        "Correct the digest in IMAGE, or find out which server responds in the registry's place.",
    )


def _find(image: Image, registry: Registry) -> RegistryImage:
    """Look an image up; raise `ImageRefused` if it does not exist, or `CannotVerify`."""
    try:
        return registry.find(image)
    except ImageNotFound as error:
        upstream = registry.upstream(image) if isinstance(registry, EcrRegistry) else ""
        if upstream:
            raise CannotVerify(
                f"ECR has not cached it: the first pull gets it from {upstream}",
                f"Pull it once through ECR, or look it up at {upstream}.",
            ) from error
        raise _missing(image, str(error), registry, rules_hidden=upstream is None) from None


def _missing(image: Image, missing: str, registry: Registry, *, rules_hidden: bool) -> ImageRefused:
    similar: Sequence[str] = ()
    if image.tag and not image.digest:
        try:
            similar = _most_similar(image.tag, registry.tags(image))
        except ImageNotFound as error:
            missing = str(error)
        except CannotVerify:
            pass
    remedy = "Check that the image was built and pushed, and correct IMAGE."
    if isinstance(registry, EcrRegistry) and registry.cross_account_note:
        remedy = f"{remedy} {registry.cross_account_note}"
    if rules_hidden:
        remedy = (
            f"{remedy} If ECR pulls it from another registry, allow the role "
            "ecr:DescribePullThroughCacheRules."
        )
    suggestion = f" Did you mean {' or '.join(similar)}?" if similar else ""
    return ImageRefused(f"The image {image} does not exist: {missing}.{suggestion}", remedy)


def _most_similar(missing_tag: str, tags: Sequence[str]) -> Sequence[str]:
    """Return the tags most similar to the missing one; a registry may list anything as a tag."""
    candidates = [tag for tag in islice(tags, _MOST_CANDIDATES) if is_tag(tag)]

    def similarity(tag: str) -> tuple[float, str]:
        return SequenceMatcher(None, missing_tag, tag).ratio(), tag

    return sorted(candidates, key=similarity, reverse=True)[:_SUGGESTIONS]


def _check_findings(
    image: Image, registry_image: RegistryImage, registry: Registry, rules: ImageRules
) -> tuple[Finding, ...] | None:
    """Return the findings, None without a scan; raise `ImageRefused` for those above the limit."""
    limit = rules.max_severity
    assert limit is not None  # noqa: S101 - the caller has checked it
    if not isinstance(registry, EcrRegistry):
        log.warning("MAX_SEVERITY does not apply to %s: only ECR reports findings.", image)
        return None
    try:
        findings = tuple(registry.findings(image, registry_image))
    except ImageNotFound as error:
        raise _unverified(image, CannotVerify(str(error)), rules) from None
    except CannotVerify as error:
        raise _unverified(image, error, rules) from None
    severe = severity.above(findings, limit)
    if severe:
        count = "1 finding" if len(severe) == 1 else f"{len(severe)} findings"
        raise ImageRefused(
            f"The image {image} has {count} above MAX_SEVERITY: '{limit}': "
            f"{severity.names(severe)}.",
            "Rebuild it on a fixed base image, or raise MAX_SEVERITY if they may be deployed.",
        )
    return findings
