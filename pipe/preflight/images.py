"""Check the images in their registries."""

from __future__ import annotations

from pipe.errors import ExitCode
from pipe.identity.establish import Identity
from pipe.image import Image
from pipe.preflight.checker import Checker
from pipe.registry.base import Registry
from pipe.registry.ecr import EcrRegistry
from pipe.registry.lookup import registry_lookup
from pipe.registry.oci import OciRegistry
from pipe.registry.verification import describe, is_required, verify
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
    reached: dict[str, bool] = {}
    for image in dict.fromkeys(request.image for request in settings.image_requests):
        registry = registry_of(image)
        if _is_reached(checker, image, registry, reached):
            _check_image(checker, image, registry)
        else:
            checker.unknown("image", f"{image}: not verified, its registry cannot be reached")


def _check_image(checker: Checker, image: Image, registry: Registry) -> None:
    rules = checker.settings.image_rules
    verification = checker.attempt("image", lambda: verify(image, registry, rules))
    if verification and verification.digest:
        checker.passed("image", describe(verification))
    elif verification:
        checker.unknown("image", describe(verification))
    if isinstance(registry, EcrRegistry) and registry.cross_account_note:
        checker.unknown("accounts", registry.cross_account_note)


def _is_reached(
    checker: Checker, image: Image, registry: Registry, reached: dict[str, bool]
) -> bool:
    """Report the connection to a registry once; `reached` holds those that were tried.

    Without it a deploy fails only if the image must be verified.
    """
    if not isinstance(registry, (EcrRegistry, OciRegistry)):
        return True
    url = registry.url
    if url not in reached:
        failure = ExitCode.IMAGE if is_required(image, checker.settings.image_rules) else None
        reached[url] = checker.connection("the registry", url, "IMAGE", failure)
    return reached[url]
