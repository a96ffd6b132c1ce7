"""Certificates with one fault each, and a proxy that is not part of this project."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)
YEAR = 365 * DAY


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """The certificate as PEM text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def context(self, folder: Path) -> ssl.SSLContext:
        """Return a server context that presents the certificate."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = folder / f"{self.certificate.serial_number}.pem"
        path.write_bytes(self.pem.encode() + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def identity(
    name: str,
    *names: str,
    issuer: Identity | None = None,
    until: datetime | None = None,
    authority: bool = False,
) -> Identity:
    """Create a certificate for host, IP and directory names, self-signed without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    until = until or datetime.now(UTC) + YEAR
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - YEAR)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(one) for one in names]), critical=False
        )
    return Identity(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _general_name(text: str) -> x509.GeneralName:
    if "=" in text:
        return x509.DirectoryName(x509.Name.from_rfc4514_string(text))
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def free_port() -> int:
    """Return an unused port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def tinyproxy(folder: Path, user: str = "", password: str = "") -> Iterator[tuple[str, Path]]:
    """Run Debian's tinyproxy on this machine; yield its address without a login, and its log."""
    program = shutil.which("tinyproxy")
    assert program, "only used where it is installed"
    port, log = free_port(), folder / "tinyproxy.log"
    login = f"BasicAuth {user} {password}\n" if user else ""
    config = folder / "tinyproxy.conf"
    config.write_text(
        f'Port {port}\nListen 127.0.0.1\nTimeout 30\nLogFile "{log}"\nLogLevel Info\n'
        f"MaxClients 20\nAllow 127.0.0.1\n{login}",
        "utf-8",
    )
    with subprocess.Popen([program, "-d", "-c", str(config)]) as process:
        try:
            _wait(port)
            yield f"127.0.0.1:{port}", log
        finally:
            process.terminate()


def _wait(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the proxy does not start")
