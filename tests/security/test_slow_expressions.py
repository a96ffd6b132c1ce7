"""Pages made to be slow to compare with POST_DEPLOY_BODY."""

from __future__ import annotations

import re
import time

import pytest

from pipe.clock import SystemClock
from pipe.deploy_tests.pattern import LONGEST_TEXT, CannotMatch, matches
from pipe.deploy_tests.probe import Probe
from pipe.settings import load
from tests.support.environment import environment
from tests.support.http_server import Answer, HttpServer


@pytest.mark.parametrize(
    ("pattern", "page"), [("status.*ok", "status" * 60_000), ("(a+)+$", "a" * 100_000 + "!")]
)
def test_a_probe_ends_in_time_whatever_the_page_contains(pattern: str, page: str) -> None:
    """An ordinary expression is quadratic on a page made for it, and another one exponential."""
    with HttpServer(lambda _: Answer(200, page)) as server:
        variables = environment("portal.example", "token-0123456789", TEST_TIMEOUT="2")
        settings = load({**variables, "POST_DEPLOY_URL": server.url, "POST_DEPLOY_BODY": pattern})
        began = time.monotonic()
        result = Probe(settings, server.url, SystemClock()).run()
        assert time.monotonic() - began < 6
    assert not result.passed
    assert "to compare with" in result.message


def test_the_search_in_another_process_finds_what_the_expression_finds() -> None:
    """Flags, line ends, other alphabets and broken characters included."""
    cases: list[tuple[str, str | bytes, bool]] = [
        ("^state: ok$", "x\nstate: ok\ny", True),
        ("(?i)STATE", "state", True),
        ("STATE", "state", False),
        ("gr\u00fc\u00dfe \U0001f600", "gr\u00fc\u00dfe \U0001f600", True),
        ("\ufffd", b"\xff", True),
        (r"\d", "\u0663", True),
        (r"(?a)\d", "\u0663", False),
    ]
    for text, body, found in cases:
        page = body if isinstance(body, bytes) else body.encode()
        assert matches(re.compile(text, re.MULTILINE), page, 10.0) is found


def test_only_the_beginning_of_a_page_is_searched() -> None:
    """One megabyte, many times the size of a page that reports health."""
    page = b" " * LONGEST_TEXT + b"ok"
    assert not matches(re.compile("ok"), page, 10.0)
    assert matches(re.compile("ok"), page[2:], 10.0)


def test_an_endless_search_is_given_up() -> None:
    """The reason names the expression."""
    with pytest.raises(CannotMatch, match="takes more than 1 s"):
        matches(re.compile("(a+)+$"), b"a" * 1000 + b"!", 1.0)
