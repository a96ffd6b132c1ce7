"""The token service that a registry refers its clients to."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask, Response, request
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.sandbox.listener import Listener

ISSUER, SERVICE = "token-service", "registry"


class TokenService(Listener):
    """Issues tokens that follow the token specification of Docker's registries.

    Everyone may pull from the `public` repositories, only `user` from the others.
    """

    def __init__(self, folder: Path, user: str, password: str, public: set[str]) -> None:
        self.user, self.password, self.public = user, password, public
        self.issued: list[str] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _self_signed(self._key)
        self.bundle = folder / "token-service.pem"
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self.app = Flask("token-service")
        self.app.add_url_rule("/token", view_func=self._answer)
        super().__init__(self.app)

    def settings(self) -> Any:
        """Return the registry's settings for this token service."""
        settings = {"realm": f"{self.url}/token", "service": SERVICE, "issuer": ISSUER}
        return {"token": {**settings, "rootcertbundle": str(self.bundle)}}

    def token(self, repository: str, *actions: str) -> str:
        """Return a token for the actions on a repository."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": SERVICE,
            "sub": self.user,
            "iat": now,
            "nbf": now - 10,
            "exp": now + 300,
            "access": [{"type": "repository", "name": repository, "actions": list(actions)}],
        }
        der = self._certificate.public_bytes(serialization.Encoding.DER)
        header = {"alg": "ES256", "typ": "JWT", "x5c": [base64.b64encode(der).decode()]}
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return jwt.encode(header, claims, ECKey.import_key(pem.decode()))

    def _answer(self) -> Response:
        login = request.authorization
        known = login is not None and (login.username, login.password) == (self.user, self.password)
        if login is not None and not known:
            body = json.dumps({"details": "incorrect username or password"})
            return Response(body, 401, content_type="application/json")
        _, repository, actions = request.args["scope"].split(":")
        allowed = actions.split(",") if known or repository in self.public else []
        token = self.token(repository, *allowed)
        self.issued.append(token)
        return Response(json.dumps({"token": token}), content_type="application/json")


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
