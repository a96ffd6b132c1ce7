"""The part of IAM that decides which web identities may assume a role.

Follows AWS's documentation of web identity federation and string conditions. Independent of the
pipe's own code for trust policies, which it verifies.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pipe.clock import Clock

_RFC_WILDCARDS = {"*": ".*", "?": "."}


class StsError(Exception):
    """An error as STS returns it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass
class Provider:
    """An OpenID Connect provider of the account: its audiences and its issuer's keys."""

    client_ids: list[str]
    keys: KeySet


@dataclass
class Role:
    """A role: its trust policy, and the longest duration of a session in seconds."""

    trust: Mapping[str, Any]
    longest: int = 3600


@dataclass
class Iam:
    """An account; the keys of `providers` are issuers without https://, those of `roles` ARNs."""

    account: str
    clock: Clock
    providers: dict[str, Provider] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)

    def admit(self, role_arn: str, token: str, duration: int) -> None:
        """Check that the token may assume the role; raises the `StsError` that AWS would return."""
        if not re.fullmatch(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+", role_arn):
            raise StsError(400, "ValidationError", "Request ARN is invalid")
        claims = self._verified(token)
        role = self.roles.get(role_arn)
        if role is None or not self._trusted(role.trust, claims):
            raise StsError(
                403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"
            )
        if duration > role.longest:
            raise StsError(
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )

    def _verified(self, token: str) -> Mapping[str, Any]:
        claims = _peek(token)
        issuer = str(claims.get("iss", ""))
        provider = self.providers.get(issuer.removeprefix("https://"))
        if provider is None or not issuer.startswith("https://"):
            raise StsError(
                400,
                "InvalidIdentityToken",
                f"No OpenIDConnect provider found in your account for {issuer}",
            )
        try:
            jwt.decode(token, provider.keys, algorithms=["RS256"])
        except JoseError:
            raise StsError(
                400,
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider,  please "
                "reference AssumeRoleWithWebIdentity documentation for requirements",
            ) from None
        now = self.clock.now().timestamp()
        if now > claims["exp"]:
            raise StsError(
                400,
                "ExpiredTokenException",
                f"Token expired: current date/time {int(now)} must be before the expiration "
                f"date/time {claims['exp']}",
            )
        if not set(_several(claims["aud"])) & set(provider.client_ids):
            raise StsError(400, "InvalidIdentityToken", "Incorrect token audience")
        return claims

    def _trusted(self, policy: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
        return any(
            statement["Effect"] == "Allow"
            and "sts:AssumeRoleWithWebIdentity" in _several(statement["Action"])
            and self._federated(statement) == claims["iss"].removeprefix("https://")
            and _conditions_hold(statement, claims)
            for statement in policy["Statement"]
        )

    def _federated(self, statement: Mapping[str, Any]) -> str:
        prefix = f"arn:aws:iam::{self.account}:oidc-provider/"
        arn = str(statement["Principal"]["Federated"])
        return arn.removeprefix(prefix) if arn.startswith(prefix) else ""


def _peek(token: str) -> Mapping[str, Any]:
    """Return the claims without verifying their signature."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, IndexError):
        claims = None
    if not isinstance(claims, dict):
        raise StsError(
            400,
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an "
            "Access Token)",
        )
    return claims


def _conditions_hold(statement: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Return whether every operator and every key holds; one of several values is enough."""
    issuer = claims["iss"].removeprefix("https://")
    keys = {f"{issuer}:aud": _several(claims["aud"]), f"{issuer}:sub": [claims["sub"]]}
    for operator, expected in statement.get("Condition", {}).items():
        matches = {"StringEquals": str.__eq__, "StringLike": _like}[operator]
        for key, values in expected.items():
            actual = keys.get(key, [])
            if not any(matches(value, one) for value in _several(values) for one in actual):
                return False
    return True


def _like(pattern: str, value: str) -> bool:
    parts = (_RFC_WILDCARDS.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]
