"""Parsers of single values: text in, a typed value out, or a `ValueError` with the reason.

The error's text completes a sentence that begins with the variable's name.
"""

from __future__ import annotations

import re
import ssl
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pipe import files
from pipe import image as reference
from pipe.image import NONE, Image
from pipe.kind import Kind
from pipe.secret import Secret
from pipe.settings.model import ImageRequest
from pipe.target import Target

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Parser = Callable[[str], T]

LONGEST_NAME = 253
"""Characters in a host name, as DNS allows; names of targets become part of one."""
LITERAL = re.compile(r"\$\{?\w+\}?")
"""A reference that Bitbucket passed on as text, because the variable has no value."""
SECRET_LITERAL = re.compile(r"\$\{?[A-Z]+(?:_[A-Z0-9]+)*\}?")
"""The same for a secret, which may begin with a dollar sign: only what reads like a name."""
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST_QUOTE = 60
_PEM = "-----BEGIN CERTIFICATE-----"
_MOST_PEM = 1 << 20
"""Bytes; the authorities of a whole operating system take a quarter of that."""


def boolean(value: str) -> bool:
    """Parse `true` or `false` in any case."""
    try:
        return {"true": True, "false": False}[value.lower()]
    except KeyError:
        message = f'must be true or false, not "{short(value)}"'
        raise ValueError(message) from None


def seconds(least: int, most: int) -> Parser[float]:
    """Return a parser of whole seconds between two bounds."""

    def parse(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            message = (
                f'must be a whole number of seconds from {least} to {most}, not "{short(value)}"'
            )
            raise ValueError(message)
        return float(value)

    return parse


def limit(most: int) -> Parser[int]:
    """Return a parser of a whole number up to `most`, where 0 means no limit."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) > most:
            message = f'must be a whole number from 0 (no limit) to {most}, not "{short(value)}"'
            raise ValueError(message)
        return int(value)

    return parse


def choice(options: type[E]) -> Parser[E]:
    """Return a parser of an enum's values."""

    def parse(value: str) -> E:
        try:
            return options(value)
        except ValueError:
            message = f'must be one of {", ".join(options)}, not "{short(value)}"'
            raise ValueError(message) from None

    return parse


def token(value: str) -> Secret:
    """Parse a token that can be sent in a header."""
    if value.lower().startswith("bearer "):
        message = 'must be the token alone, without "Bearer" in front'
        raise ValueError(message)
    if not value.isascii() or not value.isprintable() or " " in value:
        message = "contains spaces, line breaks or other characters no token has; copy it again"
        raise ValueError(message)
    return Secret(value)


def image(value: str) -> Image:
    """Parse an image reference with a tag or a digest."""
    try:
        return reference.parse(value)
    except reference.ImageError as error:
        message = f'"{short(value)}" {error}'
        raise ValueError(message) from None


def name(value: str) -> str:
    """Parse the name or id of a tenant, target or container."""
    if len(value) > LONGEST_NAME or not _NAME.fullmatch(value):
        message = (
            f'contains "{short(value)}", which is not a valid name: '
            'use letters, digits, ".", "_" and "-" only'
        )
        raise ValueError(message)
    return value


def names(value: str) -> tuple[str, ...]:
    """Parse one or more names, separated by commas or whitespace; each may appear once."""
    parsed = tuple(name(part) for part in re.split(r"[,\s]+", value) if part)
    if not parsed:
        message = "contains no name"
        raise ValueError(message)
    if repeated := [one for one, count in Counter(parsed).items() if count > 1]:
        message = f"names {', '.join(repeated)} more than once"
        raise ValueError(message)
    return parsed


def entry(default: Kind) -> Parser[ImageRequest]:
    """Return a parser of `[kind:]name[/container]=image`; only a rollback may omit `=image`."""

    def parse(value: str) -> ImageRequest:
        left, equals, right = value.partition("=")
        prefix, colon, rest = left.rpartition(":")
        target, slash, container = rest.partition("/")
        if equals and not right:
            message = f'contains "{short(value)}", which has no image after the ='
            raise ValueError(message)
        if slash and not container:
            message = f'contains "{short(value)}", which has no container after the /'
            raise ValueError(message)
        kind = choice(Kind)(prefix) if colon else default
        if container:
            name(container)
        return ImageRequest(Target(kind, name(target)), image(right) if equals else NONE, container)

    return parse


def target(default: Kind) -> Parser[Target]:
    """Return a parser of `[kind:]name`."""

    def parse(value: str) -> Target:
        prefix, colon, rest = value.rpartition(":")
        return Target(choice(Kind)(prefix) if colon else default, name(rest))

    return parse


def status_codes(value: str) -> tuple[tuple[int, int], ...]:
    """Parse codes and ranges, separated by commas or whitespace: `200-399` or `200, 204`."""
    ranges = []
    for part in re.split(r"[,\s]+", value):
        if not (matched := re.fullmatch(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", part)):
            message = f'must be codes such as 200 or 200-399, not "{short(value)}"'
            raise ValueError(message)
        first, last = int(matched[1]), int(matched[2] or matched[1])
        if first > last:
            message = f'contains the range "{part}", which ends before it starts'
            raise ValueError(message)
        ranges.append((first, last))
    return tuple(ranges)


def regular_expression(value: str) -> re.Pattern[str] | None:
    """Compile a regular expression in which `^` and `$` match at line ends."""
    try:
        return re.compile(value, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        message = f'is not a valid regular expression: "{short(value)}": {error}'
        raise ValueError(message) from None


def certificates(base: Path) -> Parser[str]:
    """Return a parser of PEM text, or of the path (relative to `base`) of a PEM file."""

    def parse(value: str) -> str:
        pem = value if _PEM in value else _read_pem(base / value)
        try:
            ssl.create_default_context(cadata=pem)
        except ssl.SSLError as error:
            message = f"contains no usable certificate ({error.reason or error})"
            raise ValueError(message) from None
        return pem

    return parse


def short(value: str) -> str:
    """Return at most 60 printable characters, so that a value cannot forge a log line."""
    printable = "".join(char if char.isprintable() else "?" for char in value)
    if len(printable) <= _LONGEST_QUOTE:
        return printable
    return f"{printable[: _LONGEST_QUOTE - 3]}..."


def literal(value: str) -> str:
    """Return the first unreplaced `$NAME` in a value, empty if there is none."""
    matched = LITERAL.search(value)
    return matched[0] if matched else ""


def _read_pem(path: Path) -> str:
    try:
        # Files of authorities often are links: in /etc/ssl, and wherever Kubernetes mounts them.
        text = files.read(path, _MOST_PEM, follow=True).decode("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        message = f'is neither PEM text nor a readable file: "{short(str(path))}": {reason}'
        raise ValueError(message) from None
    if _PEM not in text:
        message = f'names the file "{short(str(path))}", which contains no PEM certificate'
        raise ValueError(message)
    return text
