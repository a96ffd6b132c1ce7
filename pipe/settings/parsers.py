"""Readers of single values: text in, a typed value out, or a `ValueError` that says why not.

The error's text is the rest of a sentence that begins with the variable's name.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from pipe import image as reference
from pipe.hosts import LOCAL_HOSTS
from pipe.image import NONE, Image
from pipe.model import Kind, Target
from pipe.secret import Secret
from pipe.settings.model import ImageRequest

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Parser = Callable[[str], T]

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST_NAME = 253
_LONGEST_SHOWN = 60
LITERAL = re.compile(r"\$\{?\w+\}?")
"""A variable that nothing gave a value to: Bitbucket passes its name on as it stands."""

_SHORTEST_PATH = 12
_PEM = "-----BEGIN CERTIFICATE-----"


def yes_or_no(value: str) -> bool:
    """`true` or `false` in any case."""
    try:
        return {"true": True, "false": False}[value.lower()]
    except KeyError:
        message = f'must be true or false, not "{short(value)}"'
        raise ValueError(message) from None


def seconds(least: int, most: int) -> Parser[float]:
    """A whole number of seconds between two bounds."""

    def parse(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            message = (
                f'must be a whole number of seconds from {least} to {most}, not "{short(value)}"'
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
            message = f'must be one of {listed}, not "{short(value)}"'
            raise ValueError(message) from None

    return parse


def portal_address(value: str) -> str:
    """The portal's scheme, host and port; whatever else the address holds is dropped."""
    parts = _address(value if "://" in value else f"https://{value}")
    if parts.scheme not in ("http", "https"):
        message = f'must begin with https://, not "{short(parts.scheme)}://"'
        raise ValueError(message)
    if parts.username is not None:
        message = "must not hold a user or password; the token goes into DUPLO_TOKEN"
        raise ValueError(message)
    host = parts.hostname or ""
    if parts.scheme == "http" and host not in LOCAL_HOSTS:
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
        message = f'must be an http:// proxy, not "{short(parts.scheme)}://"'
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
        message = f'"{short(value)}" {error}'
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
    if twice := [name for name, times in Counter(found).items() if times > 1]:
        message = f"names {', '.join(twice)} more than once"
        raise ValueError(message)
    return found


def entry(default: Kind) -> Parser[ImageRequest]:
    """`[kind:]name[/container]=image`; without `=image` only a rollback can use it."""

    def parse(value: str) -> ImageRequest:
        left, equals, given = value.partition("=")
        before, colon, rest = left.rpartition(":")
        name, slash, container = rest.partition("/")
        if equals and not given:
            message = f'holds "{short(value)}", which has no image behind the ='
            raise ValueError(message)
        if slash and not container:
            message = f'holds "{short(value)}", which has no container behind the /'
            raise ValueError(message)
        kind = choice(Kind)(before) if colon else default
        if container:
            _name(container)
        return ImageRequest(Target(kind, _name(name)), image(given) if equals else NONE, container)

    return parse


def probe_address(value: str) -> str:
    """A full http address, or a path that begins with a slash."""
    if not value.isprintable() or " " in value:
        message = "holds blanks or line breaks, which no address has"
        raise ValueError(message)
    if value.startswith("/") and not value.startswith("//"):
        return value
    parts = _address(value)
    if parts.scheme not in ("http", "https") or parts.username is not None:
        message = (
            "must be a path such as /health, or an address that begins with https:// or http:// "
            "and holds no password"
        )
        raise ValueError(message)
    return value


def status_codes(value: str) -> tuple[tuple[int, int], ...]:
    """Codes and ranges of codes, separated by commas or blanks: `200-399` or `200, 204`."""
    ranges = []
    for part in re.split(r"[,\s]+", value):
        if not (found := re.fullmatch(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", part)):
            message = f'must be codes such as 200 or 200-399, not "{short(value)}"'
            raise ValueError(message)
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            message = f'holds the range "{part}", which ends before it begins'
            raise ValueError(message)
        ranges.append((first, last))
    return tuple(ranges)


def expression(value: str) -> re.Pattern[str] | None:
    """A regular expression; `^` and `$` mean lines."""
    try:
        return re.compile(value, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        message = f'is no regular expression: "{short(value)}": {error}'
        raise ValueError(message) from None


def webhook(value: str) -> Secret:
    """The address of a webhook, which is a secret as a whole."""
    try:
        parts = urlsplit(value)
        fine = parts.port is None or parts.port > 0
    except ValueError:
        fine = False
    if not fine or parts.scheme not in ("http", "https") or not parts.hostname:
        message = "must be the whole address of the webhook, beginning with https://"
        raise ValueError(message)
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        message = "must begin with https://: plain http would show it to anyone on the way"
        raise ValueError(message)
    return Secret(value)


def webhook_path(value: str) -> str:
    """What is secret in a webhook's address, empty when there is nothing worth hiding."""
    try:
        path = urlsplit(value).path.strip("/")
    except ValueError:
        return ""
    return path if len(path) >= _SHORTEST_PATH else ""


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
        message = f'is neither PEM text nor a readable file: "{short(str(path))}": {reason}'
        raise ValueError(message) from None
    if _PEM not in text:
        message = f'names the file "{short(str(path))}", which holds no PEM certificate'
        raise ValueError(message)
    return text


def _address(value: str) -> SplitResult:
    # What stands before an @ may be a password.
    message = f'is no address: "{short(value.rpartition("@")[2])}"'
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
    if ":" in name:
        try:
            return bool(ipaddress.IPv6Address(name))
        except ValueError:
            return False
    parts = name.removesuffix(".").split(".")
    return len(name) <= _LONGEST_NAME and all(
        len(part) <= 63 and _HOST.fullmatch(part) for part in parts
    )


def _name(value: str) -> str:
    if len(value) > _LONGEST_NAME or not _NAME.fullmatch(value):
        message = f'holds "{short(value)}", which is no name: letters, digits, ".", "_", "-" only'
        raise ValueError(message)
    return value


def short(value: str) -> str:
    """At most 60 printable characters: a value in a message must not forge a line."""
    shown = "".join(char if char.isprintable() else "?" for char in value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 3]}..."


def literal(value: str) -> str:
    """The first `$NAME` in a value that still holds one, else nothing."""
    found = LITERAL.search(value)
    return found[0] if found else ""
