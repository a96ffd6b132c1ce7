"""Whom TLS connections trust."""

from __future__ import annotations

import ssl
from functools import lru_cache

from pipe.authorities import usual_authorities


@lru_cache(maxsize=1)
def tls_context(ca_cert: str) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or newer with the usual authorities and those in `ca_cert`.

    `ca_cert` is PEM text. All connections of a run share the context: reading the authorities
    takes longer than a handshake.
    """
    context = usual_authorities()
    # As urllib3 sets it, so that the first connection of a run is like the others.
    context.set_alpn_protocols(["http/1.1"])
    if ca_cert:
        context.load_verify_locations(cadata=ca_cert)
        # From 3.13 on Python rejects authorities without an extension of RFC 5280, which those of
        # companies often lack. Trust, names and dates are still verified.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def private_context(*authorities: str) -> ssl.SSLContext:
    """Return a context that trusts nothing but these authorities (PEM).

    Raises `ssl.SSLError` or `ValueError` for a text that holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Not strict, see above: Kubernetes makes its authorities without those extensions.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for authority in filter(None, authorities):
        context.load_verify_locations(cadata=authority)
    return context
