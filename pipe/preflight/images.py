"""Check the images in their registries."""

from __future__ import annotations

from dataclasses import replace

from pipe.identity.establish import Identity
from pipe.image import Image
from pipe.preflight.checker import Checker
from pipe.preflight.connection import check_connection
from pipe.preflight.result import CheckStatus
from pipe.registry.base import Registry
from pipe.registry.ecr import EcrRegistry
from pipe.registry.lookup import registry_lookup
from pipe.registry.oci import OciRegistry
from pipe.registry.verification import describe, verify
from pipe.settings import Verify


def check_images(checker: Checker, identity: Identity | None) -> None:
    """Check each image once; without an identity if there is none."""
    settings = checker.settings
    if settings.image_rules.verify is Verify.NEVER:
        checker.unknown("image", "not checked, because of VERIFY_IMAGE: 'false'")
        return
    registry_of = registry_lookup(
        settings, identity or Identity(settings.token), checker.network, checker.mask
    )
    for image in dict.fromkeys(request.image for request in settings.image_requests):
        _check_image(checker, image, registry_of(image))


def _check_image(checker: Checker, image: Image, registry: Registry) -> None:
    if isinstance(registry, (EcrRegistry, OciRegistry)):
        _check_connection(checker, registry.url)
    rules = checker.settings.image_rules
    verification = checker.attempt("image", lambda: verify(image, registry, rules))
    if verification and verification.digest:
        checker.passed("image", describe(verification))
    elif verification:
        checker.unknown("image", describe(verification))
    if isinstance(registry, EcrRegistry) and registry.cross_account_note:
        checker.unknown("accounts", registry.cross_account_note)


def _check_connection(checker: Checker, url: str) -> None:
    """Report the connection; without it a deploy fails only if the image must be verified."""
    result = check_connection("the registry", url, "IMAGE", checker.network)
    optional = checker.settings.image_rules.verify is Verify.AUTO
    if result.status is CheckStatus.FAILED and optional:
        result = replace(result, status=CheckStatus.UNKNOWN)
    checker.report(result)
