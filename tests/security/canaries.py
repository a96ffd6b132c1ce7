"""Canaries for every secret variable: values that must not appear in any output."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote, quote_plus

from pipe.settings.variables import VARIABLES
from tests.sandbox import DEFAULT_TOKEN
from tests.sandbox.issued_secrets import (
    CLUSTER_SIGNATURE,
    CONSOLE_TOKEN,
    SECRET_KEY,
    SESSION_TOKEN,
)

AMBIENT = ("BITBUCKET_STEP_OIDC_TOKEN", "PIPELINES_JWT_TOKEN")
PROXY_PASSWORD = "cAnArY-pr0xy/pass+word=9"
MARK = "cAnArY"
_SECRET = (*(variable.name for variable in VARIABLES if variable.secret), *AMBIENT)
_DISTINCTIVE = re.compile(r"(?!\d{4}-\d\d-\d\dT|[a-z_]+\Z).{16,}", re.DOTALL)
"""A value that no text contains by chance: long, and neither a timestamp nor a record's key."""


def value_of(name: str) -> str:
    """Return a canary with every character that some encoding changes."""
    return f"{MARK}-{name.lower()}-\"q'u&o<t>e\\s/+=%-0123456789"


def environ() -> dict[str, str]:
    """Return every secret variable except the portal token."""
    names = [variable.name for variable in VARIABLES if variable.secret]
    secrets = {name: value_of(name) for name in (*names, *AMBIENT) if name != "DUPLO_TOKEN"}
    return {
        **secrets,
        "SLACK_WEBHOOK": f"https://hooks.example/services/{MARK}/webhook-0123456789",
        "WEBHOOK": f"https://hooks.example/hooks/{MARK}/receiver-0123456789",
        "REGISTRY_USERNAME": "ci",
        "HTTP_PROXY": f"http://ci:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:9",
    }


ENVIRONMENT = value_of("env")
"""A value that `ENV` sets."""


@cache
def planted() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the value of every canary and the forms it may appear in."""
    secret = {**environ(), "DUPLO_TOKEN": value_of("DUPLO_TOKEN")}
    secret.pop("REGISTRY_USERNAME", None)
    issued = (SECRET_KEY, SESSION_TOKEN, CONSOLE_TOKEN, CLUSTER_SIGNATURE, ENVIRONMENT)
    values = [*secret.values(), PROXY_PASSWORD, DEFAULT_TOKEN, *issued]
    return tuple((value, tuple(forms(value))) for value in values)


def forms(value: str) -> Iterator[str]:
    """Yield the forms in which a value may appear."""
    yield value
    # A lone surrogate has no encoding; a run shows it as a question mark.
    encoded = value.encode("utf-8", "replace")
    yield from (quote(encoded, safe=""), quote(encoded), quote_plus(encoded))
    yield from (json.dumps(value)[1:-1], html.escape(value), repr(value)[1:-1])
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in (b"", b"u", b"us"):
            yield encode(before + encoded).decode().rstrip("=")[4:-4]


def found_in(text: str) -> list[str]:
    """Return the canaries in a text."""
    canaries = [MARK] if MARK in text.replace(f"{MARK}-harmless", "") else []
    return canaries + [value for value, forms in planted() if any(form in text for form in forms)]


def given_in(text: str, environ: Mapping[str, str]) -> list[str]:
    """Return the names of secret variables whose values are in a text; short values are skipped."""
    secret = {name: environ.get(name, "").strip() for name in _SECRET}
    return [
        name
        for name, value in secret.items()
        if _DISTINCTIVE.match(value) and any(form in text for form in forms(value))
    ]


def found_below(folder: Path) -> list[str]:
    """Return the canaries in the files below a folder."""
    return [
        f"{path.name}: {value}"
        for path in folder.rglob("*")
        if path.is_file()
        for value in found_in(path.read_bytes().decode("utf-8", "replace"))
    ]
