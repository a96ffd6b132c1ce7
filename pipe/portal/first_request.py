"""The first request to the portal, the list of tenants, which everything else waits for."""

from __future__ import annotations

from pipe import __version__
from pipe.http import early
from pipe.settings import Action, Settings

PATH = "admin/GetTenantsForUser"
_USE_A_TARGET = (Action.DEPLOY, Action.ROLLBACK, Action.RUN)

HEADERS = {
    "User-Agent": f"bitbucket-deploy-pipe/{__version__}",
    # What every build of requests can decode.
    "Accept-Encoding": "gzip, deflate",
    "Accept": "application/json",
    "Connection": "keep-alive",
    # A cache in between would show an outdated rollout.
    "Cache-Control": "no-cache",
}
"""The headers of all requests to the portal, before the token's."""


def comes_first(settings: Settings) -> bool:
    """Return whether nothing has to come before it: a role, or the preflight checks."""
    aws_comes_first = settings.aws.role_arn or settings.token_secret
    return not aws_comes_first and settings.action in _USE_A_TARGET


def send_early(settings: Settings) -> early.SentRequest | None:
    """Send it before the libraries are loaded that read its response.

    Returns None where the ordinary client has to send it, also where there are proxies.
    """
    if not comes_first(settings) or settings.proxies.http or settings.proxies.https:
        return None
    token = {"Authorization": f"Bearer {settings.token.reveal()}"}
    return early.send(settings.host, PATH, {**HEADERS, **token}, settings.ca_cert)
