"""The order in which things are looked at; what depends on something bad is left open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pipe.errors import NotFound, PipeError
from pipe.http import Network
from pipe.identity import claims, sts, trust
from pipe.identity.aws import AwsClient
from pipe.identity.establish import Identity, in_aws, with_token
from pipe.image import Image
from pipe.kinds import Drivers
from pipe.portal import TenantPortal, choose, connect
from pipe.preflight.connection import reach
from pipe.preflight.result import CheckResult, CheckStatus, bad, good, unknown
from pipe.registry.ecr import EcrRegistry
from pipe.registry.oci import OciRegistry
from pipe.registry.proof import describe, prove
from pipe.registry.registries import registries
from pipe.secret import Mask
from pipe.settings import Settings, Verify

T = TypeVar("T")


@dataclass
class Preflight:
    """One pass over everything; `tell` gets each fact as soon as it is known.

    `open_drivers` makes the kinds whose targets are looked for in a tenant.
    """

    settings: Settings
    network: Network
    mask: Mask
    open_drivers: Callable[[TenantPortal], Drivers]
    tell: Callable[[CheckResult], None]

    def run(self) -> None:
        """Look at everything; nothing bad ends it early."""
        settings = self.settings
        image_requests = ", ".join(
            f"{request.target} to {request.image}" for request in settings.image_requests
        )
        self.tell(
            good("variables", f"complete and well-formed; {settings.tenant}: {image_requests}")
        )
        identity = self._identity() if self._claims_hold() else None
        self._portal(identity)
        self._images(identity)

    def _claims_hold(self) -> bool:
        """What the identity token says, and what the role's trust policy must say to it.

        False when there is no use in showing the token to AWS.
        """
        wanted, now = self.settings.aws, self.network.clock.now()
        if not wanted.role_arn:
            return True
        told = self._try("identity token", lambda: claims.checked(wanted.web_identity, now))
        if told is None:
            return False
        left = (told.expires - now).total_seconds() / 60
        needed = trust.from_claims(told, wanted.role_arn)
        must = "the role's trust policy must say"
        audiences = " or ".join(told.audiences)
        for topic, found in {
            "identity token": f"valid until {told.expires:%Y-%m-%d %H:%M:%S} UTC, {left:.0f} min",
            "claim iss": f"{told.issuer}; {must} Federated {needed.provider_arn}",
            "claim aud": f"{audiences}; {must} StringEquals {needed.provider}:aud {audiences}",
            "claim sub": f"{told.subject}; {must} StringLike {needed.provider}:sub "
            f"{needed.subject}, which lets in {needed.bound_to}",
            "claim environment": told.environment or "none: the step has no deployment",
        }.items():
            self.tell(good(topic, found))
        return True

    def _identity(self) -> Identity | None:
        """Who the run is in AWS, None when it was to be somebody and is not."""
        settings = self.settings
        if not settings.aws.given:
            return Identity(settings.token)
        if settings.aws.region:
            nobody = AwsClient(self.network, self.mask, settings.aws.region)
            self.tell(reach("STS", nobody.endpoint("sts"), "AWS_DEFAULT_REGION", self.network))
        identity = self._try("AWS identity", lambda: in_aws(settings, self.network, self.mask))
        if identity is None:
            return None
        if identity.role:
            until = f"{identity.role.expires:%Y-%m-%d %H:%M:%S}"
            told = f"{identity.role.arn}, account {identity.role.account}, until {until} UTC"
            self.tell(good("AWS role", told))
        elif identity.aws and settings.aws.region:
            self._owner(identity.aws)
        return identity

    def _owner(self, aws: AwsClient) -> None:
        if owner := self._try("AWS keys", lambda: sts.whoami(aws, self.settings.aws)):
            self.tell(good("AWS keys", f"{owner[1]}, account {owner[0]}"))

    def _portal(self, identity: Identity | None) -> None:
        settings = self.settings
        self.tell(reach("the portal", settings.host, "DUPLO_HOST", self.network))
        if identity is None and settings.token_secret:
            self.tell(unknown("portal token", "AWS has to accept the run first"))
            return
        if identity and identity.aws and settings.token_secret:
            url = identity.aws.endpoint("secretsmanager")
            self.tell(reach("Secrets Manager", url, "AWS_DEFAULT_REGION", self.network))
        known = identity or Identity(settings.token)
        known_too = self._try("portal token", lambda: with_token(settings, known))
        if known_too is None:
            return
        portal = connect(settings.host, known_too.token, self.network)
        tenants = self._try("portal token", portal.tenants.list)
        if tenants is None:
            return
        names = ", ".join(sorted(tenant.name for tenant in tenants)) or "none"
        user = self._try("portal user", portal.tenants.user) or "a user the portal does not name"
        self.tell(good("portal token", f"accepted; it is {user}'s, for the tenants {names}"))
        tenant = self._try("tenant", lambda: choose(tenants, settings.tenant))
        if tenant:
            self.tell(good("tenant", f"{tenant.name}, id {tenant.id}"))
            self._targets(self.open_drivers(portal.tenant(tenant)))

    def _targets(self, drivers: Drivers) -> None:
        targets = list(dict.fromkeys(request.target for request in self.settings.image_requests))
        found = self._try("targets", lambda: drivers.read(targets))
        if found is None:
            return
        for target, snapshot in found.items():
            images = ", ".join(snapshot.images.values())
            self.tell(good(f"{target.kind} {target.name}", f"there, asks for {images}"))
        for target in targets:
            if target not in found:
                names = tuple(self._try("targets", lambda: drivers.names(target.kind)) or ())  # noqa: B023 - called at once
                error = NotFound.named(target.kind, "SERVICE", target.name, names)
                self.tell(bad(f"{target.kind} {target.name}", error))

    def _images(self, identity: Identity | None) -> None:
        rules = self.settings.image_rules
        images: Sequence[Image] = list(
            dict.fromkeys(one.image for one in self.settings.image_requests)
        )
        if rules.verify is Verify.NEVER:
            self.tell(unknown("image", "not looked at, because of VERIFY_IMAGE: 'false'"))
            return
        whoever = identity or Identity(self.settings.token)
        registry_of = registries(self.settings, whoever, self.network, self.mask)
        for image in images:
            registry = registry_of(image)
            if isinstance(registry, (EcrRegistry, OciRegistry)):
                self._reach_registry(registry.url)
            proof = self._try("image", lambda: prove(image, registry, rules))  # noqa: B023
            if proof and proof.digest:
                self.tell(good("image", describe(proof)))
            elif proof:
                self.tell(unknown("image", describe(proof)))
            if isinstance(registry, EcrRegistry) and registry.foreign:
                self.tell(unknown("accounts", registry.foreign))

    def _reach_registry(self, url: str) -> None:
        """A registry out of reach stops a deploy only if the image must be proven."""
        fact = reach("the registry", url, "IMAGE", self.network)
        if fact.verdict is CheckStatus.BAD and self.settings.image_rules.verify is Verify.AUTO:
            fact = replace(fact, verdict=CheckStatus.OPEN)
        self.tell(fact)

    def _try(self, topic: str, look: Callable[[], T]) -> T | None:
        """What `look` finds, None after telling what is wrong."""
        try:
            return look()
        except PipeError as error:
            self.tell(bad(topic, error))
            return None
