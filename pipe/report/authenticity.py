"""The MAC that shows which record was written by a run with this portal token.

It is the last key of the record and covers every byte before it, so that a planted file is refused
before it is parsed. Its key is derived from the token; a token as random as the portal's cannot be
found out from a MAC.
"""

from __future__ import annotations

import hmac

from pipe.secret import Secret

_PURPOSE = b"nholuongut deploy record v2"
"""Changes with the record's schema, so that a record of another version is not authentic."""


def sign(record: bytes, token: Secret) -> bytes:
    """Return the JSON of an object with its MAC as the last key, null without a token."""
    body = record.rstrip().removesuffix(b"}").rstrip()
    return body + _ending(_mac(body, token) if token else None)


def is_authentic(record: bytes, token: Secret) -> bool:
    """Return whether these are the bytes that a run with this token signed."""
    length = len(_ending(_mac(b"", token)))
    body, ending = record[:-length], record[-length:]
    return bool(token) and hmac.compare_digest(ending, _ending(_mac(body, token)))


def is_signed(record: bytes) -> bool:
    """Return False for the records of runs that did not know the token."""
    return not record.endswith(_ending(None))


def _ending(mac: str | None) -> bytes:
    return b',\n  "mac": %b\n}\n' % (f'"{mac}"' if mac else "null").encode()


def _mac(body: bytes, token: Secret) -> str:
    # As the token is sent: bytes of a variable need not be UTF-8.
    key = hmac.digest(token.reveal().encode("utf-8", "surrogateescape"), _PURPOSE, "sha256")
    return hmac.digest(key, body, "sha256").hex()
