"""Readers of single values: text in, a typed value out, or a `ValueError` that says why not.

The error's text is the rest of a sentence that begins with the variable's name.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from pipe import image as reference
from pipe.image import Image
from pipe.secret import Secret

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Parser = Callable[[str], T]

_PLAIN_HTTP_HOSTS = ("localhost", "127.0.0.1", "::1", "host.docker.internal")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:.]+")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST_NAME = 253
_LONGEST_SHOWN = 60
_PEM = "-----BEGIN CERTIFICATE-----"


def yes_or_no(value: str) -> bool:
    """`true` or `false` in any case."""
    try:
        return {"true": True, "false": False}[value.lower()]
    except KeyError:
        message = f'must be true or false, not "{_short(value)}"'
        raise ValueError(message) from None


def seconds(least: int, most: int) -> Parser[float]:
    """A whole number of seconds between two bounds."""

    def parse(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            message = (
                f'must be a whole number of seconds from {least} to {most}, not "{_short(value)}"'
            )
            raise ValueError(message)
        return float(value)

    return parse


def choice(options: type[E]) -> Parser[E]:
    """One of an enum's values."""

    def parse(value: str) -> E:
        try:
            return options(value)
        except ValueError:
            listed = ", ".join(options)
            message = f'must be one of {listed}, not "{_short(value)}"'
            raise ValueError(message) from None

    return parse


def portal_address(value: str) -> str:
    """The portal's scheme, host and port; whatever else the address holds is dropped."""
    parts = _address(value if "://" in value else f"https://{value}")
    if parts.scheme not in ("http", "https"):
        message = f'must begin with https://, not "{_short(parts.scheme)}://"'
        raise ValueError(message)
    if parts.username is not None:
        message = "must not hold a user or password; the token goes into DUPLO_TOKEN"
        raise ValueError(message)
    host = parts.hostname or ""
    if parts.scheme == "http" and host not in _PLAIN_HTTP_HOSTS:
        message = (
            f"must begin with https://: plain http would send the token to {host} for anyone "
            "to read"
        )
        raise ValueError(message)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{parts.port}" if parts.port else "")


def proxy(value: str) -> str:
    """A proxy's address, http:// when no scheme is given."""
    parts = _address(value if "://" in value else f"http://{value}")
    if parts.scheme not in ("http", "https"):
        message = f'must be an http:// proxy, not "{_short(parts.scheme)}://"'
        raise ValueError(message)
    return parts.geturl()


def proxy_password(value: str) -> str:
    """The password in a proxy's address, empty when there is none."""
    try:
        return unquote(urlsplit(value if "://" in value else f"//{value}").password or "")
    except ValueError:
        return ""


def token(value: str) -> Secret:
    """A token as it can travel in a header."""
    if value.lower().startswith("bearer "):
        message = 'must be the token alone, without "Bearer" before it'
        raise ValueError(message)
    if not value.isascii() or not value.isprintable() or " " in value:
        message = "holds blanks, line breaks or other characters no token has; copy it again"
        raise ValueError(message)
    return Secret(value)


def image(value: str) -> Image:
    """An image reference with a tag or a digest."""
    try:
        return reference.parse(value)
    except reference.ImageError as error:
        message = f'"{_short(value)}" {error}'
        raise ValueError(message) from None


def tenant(value: str) -> str:
    """A tenant's name or id."""
    return _name(value)


def names(value: str) -> tuple[str, ...]:
    """One or several names, separated by commas or blanks, each once."""
    found = tuple(_name(name) for name in re.split(r"[,\s]+", value) if name)
    if not found:
        message = "holds no name"
        raise ValueError(message)
    return tuple(dict.fromkeys(found))


def certificates(base: Path) -> Parser[str]:
    """PEM text, or a path (below `base` when relative) of a file that holds it."""

    def parse(value: str) -> str:
        pem = value if _PEM in value else _read(base / value)
        try:
            ssl.create_default_context(cadata=pem)
        except ssl.SSLError as error:
            message = f"holds no usable certificate ({error.reason or error})"
            raise ValueError(message) from None
        return pem

    return parse


def _read(path: Path) -> str:
    try:
        # A pipe or a device may have no end.
        if path.exists() and not path.is_file():
            raise OSError(0, "it is no file")  # noqa: TRY301 - told like what the system refuses
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        message = f'is neither PEM text nor a readable file: "{_short(str(path))}": {reason}'
        raise ValueError(message) from None
    if _PEM not in text:
        message = f'names the file "{_short(str(path))}", which holds no PEM certificate'
        raise ValueError(message)
    return text


def _address(value: str) -> SplitResult:
    # What stands before an @ may be a password.
    message = f'is no address: "{_short(value.rpartition("@")[2])}"'
    if not value.isprintable():  # urlsplit would drop line breaks in silence
        raise ValueError(message)
    try:
        parts = urlsplit(value)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError(message) from None
    if not port_is_fine or not _is_host(parts.hostname or ""):
        raise ValueError(message)
    return parts


def _is_host(name: str) -> bool:
    """Whether it can be a host; DNS knows no longer names, nor longer parts of one."""
    fits = len(name) <= _LONGEST_NAME and all(len(part) <= 63 for part in name.split("."))
    return fits and bool(_HOST.fullmatch(name))


def _name(value: str) -> str:
    if len(value) > _LONGEST_NAME or not _NAME.fullmatch(value):
        message = f'holds "{_short(value)}", which is no name: letters, digits, ".", "_", "-" only'
        raise ValueError(message)
    return value


def _short(value: str) -> str:
    """At most 60 printable characters: a value in a message must not forge a line."""
    shown = "".join(char if char.isprintable() else "?" for char in value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 3]}..."
