"""Bitbucket as an identity provider: signed tokens of steps, and the keys that verify them."""

from __future__ import annotations

from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from pipe.clock import Clock
from tests.sandbox.stamp import guid

WORKSPACE = "acme"
LIFETIME = 3600


@cache
def _key(name: str) -> RSAKey:
    """Return a key; generating one is slow, so that all tests share them."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


class Issuer:
    """Issues the tokens of one workspace."""

    def __init__(self, clock: Clock, workspace: str = WORKSPACE) -> None:
        self.clock = clock
        self.workspace = workspace
        self.workspace_id = guid(f"workspace/{workspace}")
        self.repository = "{" + guid("repository") + "}"
        self.environment = "{" + guid("production") + "}"
        self.step = "{" + guid("step") + "}"
        self.audience = f"ari:cloud:bitbucket::workspace/{self.workspace_id}"
        self.url = (
            f"https://api.bitbucket.org/2.0/workspaces/{workspace}/pipelines-config/identity/oidc"
        )

    @property
    def provider(self) -> str:
        """The issuer as IAM names it."""
        return self.url.removeprefix("https://")

    def token(self, *, deployment: bool = True, key: str = "bitbucket", **claims: Any) -> str:
        """Return a step's token; `claims` override the defaults, and None removes a claim."""
        now = int(self.clock.now().timestamp())
        parts = [self.repository, *([self.environment] if deployment else []), self.step]
        usual = {
            "iss": self.url,
            "aud": [self.audience],
            "sub": ":".join(parts),
            "iat": now,
            "exp": now + LIFETIME,
            "repositoryUuid": self.repository,
            "workspaceUuid": "{" + self.workspace_id + "}",
            "stepUuid": self.step,
            "branchName": "main",
            **({"deploymentEnvironmentUuid": self.environment} if deployment else {}),
            **claims,
        }
        present = {name: value for name, value in usual.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": "bitbucket"}, present, _key(key))

    def keys(self) -> KeySet:
        """Return the public keys of the issuer."""
        public = _key("bitbucket").as_dict(private=False)
        return KeySet.import_key_set({"keys": [public]})

    def environ(self, *, deployment: bool = True) -> dict[str, str]:
        """Return the variables that Bitbucket sets for the step, except its token."""
        variables = {
            "BITBUCKET_WORKSPACE": self.workspace,
            "BITBUCKET_REPO_OWNER_UUID": "{" + self.workspace_id + "}",
            "BITBUCKET_REPO_SLUG": "shop",
            "BITBUCKET_REPO_UUID": self.repository,
            "BITBUCKET_BUILD_NUMBER": "87",
        }
        if deployment:
            variables["BITBUCKET_DEPLOYMENT_ENVIRONMENT"] = "production"
            variables["BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID"] = self.environment
        return variables
