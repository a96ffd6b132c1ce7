"""Connect to the portal."""

from __future__ import annotations

import requests

from pipe.http import HttpClient, Network
from pipe.identity.token_life import TokenEnd
from pipe.portal.calls import Calls
from pipe.portal.first_request import HEADERS
from pipe.portal.portal import Portal
from pipe.secret import Secret


class BearerAuth(requests.auth.AuthBase):
    """Adds the token to requests to the portal, and to no others."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


def connect(
    host: str,
    token: Secret,
    network: Network,
    variable: str,
    end: TokenEnd | None = None,
) -> Portal:
    """Return the portal at this address; `variable` is where the token is from, `end` its end."""
    session = network.session(host)
    session.headers = requests.structures.CaseInsensitiveDict(HEADERS)
    session.auth = BearerAuth(token)
    http = HttpClient(host, session, network.clock, setting="DUPLO_HOST")
    life = end.refusal(network.clock.now()) if end else ""
    return Portal(Calls(http, variable, life=life))
