"""What the sandbox needs to know about a kind of target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from flask import Blueprint

    from tests.sandbox.world import Tenant, World


class Resource(Protocol):
    """One target of a kind."""

    tenant: Tenant

    @property
    def name(self) -> str:
        """The name in the portal."""

    @property
    def image(self) -> str:
        """The main container's image at this moment."""


R = TypeVar("R", bound=Resource)


class Resources(ABC, Generic[R]):
    """All targets of one kind in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.items: list[R] = []

    @abstractmethod
    def add(self, name: str, image: str, tenant: str = "dev01") -> R:
        """Add a target that has been running for a long time."""

    def of_tenant(self, tenant: Tenant) -> list[R]:
        """Return the tenant's targets."""
        return [one for one in self.items if one.tenant is tenant]

    def find(self, tenant: Tenant, name: str) -> R | None:
        """Return the target with exactly that name."""
        return next((one for one in self.of_tenant(tenant) if one.name == name), None)


@dataclass(frozen=True)
class SandboxKind:
    """A kind of target: its state in a world and its routes.

    `newer_routes` and `unmodelled` are pairs of method and path, both regular expressions.
    """

    attribute: str
    """The attribute of `World` that holds its targets."""
    resources: type[Resources[Any]]
    routes: Blueprint
    fails: bool = True
    """Whether a bad image shows, as a failed rollout; a CronJob starts nothing when it changes."""
    newer_routes: tuple[tuple[str, str], ...] = ()
    """Routes that portals of last year do not have."""
    unmodelled: tuple[tuple[str, str], ...] = ()
    """Routes whose bodies the vendor's models do not describe."""
    reads_by_post: tuple[str, ...] = ()
    """Last words, in lower case, of paths that only read although they are posted."""
