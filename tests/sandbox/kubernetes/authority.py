"""The authority of the cluster: no system trusts it, as with the clusters of every cloud."""

from __future__ import annotations

from functools import cache

import trustme


@cache
def authority() -> trustme.CA:
    """Return the authority; making one takes longer than a run of the pipe."""
    return trustme.CA(organization_name="sandbox cluster")


def authority_pem() -> str:
    """Return its certificate, as the portal hands it out before encoding."""
    return authority().cert_pem.bytes().decode()
