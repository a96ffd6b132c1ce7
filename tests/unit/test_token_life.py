"""When a portal token ends, and what is reported about it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipe.identity.token_life import TokenEnd, end_of
from pipe.secret import Secret

NOW = datetime(2026, 2, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def jwt(claims: Any) -> Secret:
    """Return a token with these claims, unsigned."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Secret(f"eyJh.{payload}.c2ln")


def test_a_token_that_is_a_jwt_states_its_end() -> None:
    """Whatever the date of its storage."""
    end = end_of(jwt({"exp": int((NOW + DAY).timestamp())}), NOW - 99 * DAY)
    assert end == TokenEnd(NOW + DAY, exact=True)


@pytest.mark.parametrize("exp", [None, True, "soon", -1, 10**15, 1.5, []])
def test_an_unusable_end_is_ignored(exp: Any) -> None:
    """As if it were not there."""
    assert end_of(jwt({"exp": exp})) is None


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.!!.c", "..", f"a.{'b' * 20000}.c"])
def test_any_other_token_states_nothing(token: str) -> None:
    """Only the date of its storage is known then, and a permanent token lasts a year from it."""
    assert end_of(Secret(token)) is None
    assert end_of(Secret(token), NOW) == TokenEnd(NOW + 365 * DAY, exact=False)


def test_the_payload_need_not_be_an_object() -> None:
    """A list is no set of claims."""
    assert end_of(jwt([1])) is None


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (31 * DAY, ""),
        (29 * DAY, "expires in 29 days: 2026-03-04 10:00 UTC."),
        (DAY, "expires within a day: 2026-02-04 10:00 UTC."),
        (-DAY, "was due to expire on 2026-02-02 10:00 UTC, and is still accepted."),
    ],
)
def test_the_warning_becomes_more_urgent(left: timedelta, expected: str) -> None:
    """From 30 days before the end; it always names the variable to renew."""
    warning = TokenEnd(NOW + left, exact=True).warning(NOW, "DUPLO_TOKEN")
    assert expected in warning
    assert warning.endswith("store it in DUPLO_TOKEN.") == bool(expected)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (TokenEnd(NOW - DAY, exact=True), "It expired on 2026-02-02 10:00 UTC."),
        (TokenEnd(NOW - DAY, exact=False), "It expired on 2026-02-02 10:00 UTC at the latest."),
        (TokenEnd(NOW + DAY, exact=True), "not due to expire before 2026-02-04, so it is wrong or"),
        (TokenEnd(NOW + DAY, exact=False), "may last until 2026-02-04: it is wrong, was revoked,"),
    ],
)
def test_a_refused_token_is_explained_by_its_end(end: TokenEnd, expected: str) -> None:
    """Expired, or wrong and revoked."""
    assert expected in end.refusal(NOW)
