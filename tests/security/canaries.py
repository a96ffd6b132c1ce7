"""Values that must never be seen, for every secret variable, and how to find them."""

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
from tests.sandbox.issued_secrets import SECRET_KEY, SESSION_TOKEN

AMBIENT = ("BITBUCKET_STEP_OIDC_TOKEN", "PIPELINES_JWT_TOKEN")
PROXY_PASSWORD = "cAnArY-pr0xy/pass+word=9"
MARK = "cAnArY"
_SECRET = (*(variable.name for variable in VARIABLES if variable.secret), *AMBIENT)
_TELLING = re.compile(r"(?!\d{4}-\d\d-\d\dT).{16,}", re.DOTALL)
"""A value that no text holds by chance: long enough, and no moment in time."""


def value_of(name: str) -> str:
    """A canary with every character that some encoding changes."""
    return f"{MARK}-{name.lower()}-\"q'u&o<t>e\\s/+=%-0123456789"


def environ() -> dict[str, str]:
    """Every secret the pipe may be given besides the portal's token."""
    names = [variable.name for variable in VARIABLES if variable.secret]
    found = {name: value_of(name) for name in (*names, *AMBIENT) if name != "DUPLO_TOKEN"}
    return {
        **found,
        "SLACK_WEBHOOK": f"https://hooks.example/services/{MARK}/webhook-0123456789",
        "REGISTRY_USERNAME": "ci",
        "HTTP_PROXY": f"http://ci:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:9",
    }


@cache
def planted() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every canary's value, and how it may show itself."""
    secret = {**environ(), "DUPLO_TOKEN": value_of("DUPLO_TOKEN")}
    secret.pop("REGISTRY_USERNAME", None)
    values = [*secret.values(), PROXY_PASSWORD, DEFAULT_TOKEN, SECRET_KEY, SESSION_TOKEN]
    return tuple((value, tuple(forms(value))) for value in values)


def forms(value: str) -> Iterator[str]:
    """How a value may show itself."""
    yield value
    # Half a character has no encoding; a run shows it as a question mark.
    encoded = value.encode("utf-8", "replace")
    yield from (quote(encoded, safe=""), quote(encoded), quote_plus(encoded))
    yield from (json.dumps(value)[1:-1], html.escape(value), repr(value)[1:-1])
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in (b"", b"u", b"us"):
            yield encode(before + encoded).decode().rstrip("=")[4:-4]


def found_in(text: str) -> list[str]:
    """The canaries that a text shows."""
    seen = [MARK] if MARK in text.replace(f"{MARK}-harmless", "") else []
    return seen + [value for value, spelled in planted() if any(form in text for form in spelled)]


def given_in(text: str, environ: Mapping[str, str]) -> list[str]:
    """The names of the secret variables whose values a text shows; short ones say nothing."""
    secret = {name: environ.get(name, "").strip() for name in _SECRET}
    return [
        name
        for name, value in secret.items()
        if _TELLING.match(value) and any(form in text for form in forms(value))
    ]


def found_below(folder: Path) -> list[str]:
    """The canaries that any file below a folder shows."""
    return [
        f"{path.name}: {value}"
        for path in folder.rglob("*")
        if path.is_file()
        for value in found_in(path.read_bytes().decode("utf-8", "replace"))
    ]
