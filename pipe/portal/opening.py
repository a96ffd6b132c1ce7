"""The portal with its list of tenants, which everything else waits for."""

from __future__ import annotations

from collections.abc import Sequence

from pipe.http import Network
from pipe.identity.token_life import TokenEnd, end_of
from pipe.portal.connect import connect
from pipe.portal.first_request import comes_first
from pipe.portal.portal import Portal
from pipe.portal.tenants import Tenant, choose
from pipe.secret import Secret
from pipe.settings import Settings


class OpenedPortal:
    """A portal and its list of tenants, or the reason why there is none."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self._tenants: Sequence[Tenant] = ()
        self._error: Exception | KeyboardInterrupt | None = None
        try:
            self._tenants = portal.tenants.list()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - raised by `tenant`
            self._error = error

    def tenant(self, wanted: str) -> Tenant:
        """Return a tenant by name or id; raise `NotFound`, or what prevented the list.

        An interrupt is raised here too, where a run can still report how it ended.
        """
        if self._error is not None:
            raise self._error
        return choose(self._tenants, wanted)


def open_portal(
    settings: Settings, network: Network, token: Secret, end: TokenEnd | None
) -> OpenedPortal:
    """Request the list of tenants with a token."""
    variable = settings.token_variable
    return OpenedPortal(connect(settings.host, token, network, variable, end))


def open_early(settings: Settings, network: Network) -> OpenedPortal | None:
    """Request it before anything else, or return None where something has to come before it."""
    if not comes_first(settings):
        return None
    return open_portal(settings, network, settings.token, end_of(settings.token))
