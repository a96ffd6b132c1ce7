"""A portal whose responses have missing, null, mistyped, huge or deeply nested fields."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from hypothesis import given
from hypothesis import strategies as st
from urllib3.response import HTTPResponse

from pipe.http import Reply
from pipe.http.excerpt import excerpt
from pipe.portal import error_body
from pipe.portal.faults import decode_faults
from pipe.portal.fields import UnexpectedShape
from pipe.portal.pods import decode_log
from pipe.portal.service_body import decode_found
from pipe.portal.tenants import decode_tenants
from pipe.secret import Mask, Secret
from tests.fuzz.share import Tally, cases
from tests.fuzz.test_variables import check
from tests.reliability.scenarios import (
    DEPLOY,
    RESTART,
    ROLLBACK,
    Scenario,
    ScenarioHarness,
    WatchedAdapter,
)
from tests.support.portal_lists import decode_pods, decode_services

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 12),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "web", "team/web:1.4.2", "9" * 5000, 10**400, -1, 1e308, "\ud800", "\x1b[2J\n", "{"]
    ),
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
any_scenario = st.sampled_from([DEPLOY, RESTART, ROLLBACK])
GONE = object()


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a body."""
    yield path
    items = (
        body.items()
        if isinstance(body, dict)
        else enumerate(body)
        if isinstance(body, list)
        else ()
    )
    for key, value in items:
        yield from places(value, (*path, key))


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the body with another value at that path."""
    if not path:
        return None if value is GONE else value
    changed = copy.deepcopy(body)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


class CorruptingAdapter(WatchedAdapter):
    """Corrupts responses on their way to the pipe."""

    def __init__(self, harness: ScenarioHarness) -> None:
        super().__init__(harness)
        self.harness: Any = harness

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        response = super().send(request, **options)
        content = self.harness.corrupt(self.harness.sent, response.content)
        raw = HTTPResponse(io.BytesIO(content), status=response.status_code, preload_content=False)
        return self.build_response(request, raw)


def run_against(
    folder: Path, scenario: Scenario, numbers: range, pick: int, value: Any
) -> tuple[ScenarioHarness, Any]:
    """Run the pipe with `value` somewhere in the responses with these numbers."""
    harness: Any = ScenarioHarness(folder, scenario)

    def corrupt(number: int, content: bytes) -> bytes:
        if number not in numbers:
            return content
        try:
            body = json.loads(content)
        except ValueError:
            # An empty body, or a plain-text refusal of what an earlier corruption caused.
            return content
        paths = list(places(body))
        changed = replaced(body, paths[pick % len(paths)], value)
        return json.dumps(changed).encode("utf-8", "surrogatepass")

    harness.corrupt = corrupt
    harness.adapter = CorruptingAdapter
    return harness, harness.run(WAIT_TIMEOUT="60")


def test_any_field_of_any_response(tmp_path: Path, tally: Tally) -> None:
    """No defect, no hang, at most one change for each image, and a true report of it."""

    @cases(4000)
    @given(
        any_scenario,
        st.integers(1, 45),
        st.integers(0, 60),
        st.integers(0, 10_000),
        anything | st.just(GONE),
    )
    def holds(scenario: Scenario, first: int, more: int, pick: int, value: Any) -> None:
        tally.one()
        harness, result = run_against(
            tmp_path, scenario, range(first, first + more + 1), pick, value
        )
        check(harness, result)
        writes = [json.dumps([one.path, one.body]) for one in harness.writes()]
        assert len(writes) == len(set(writes)), result.text
        assert result.seconds < 600, result.text
        assert not harness.leaks

    holds()


def test_any_json_body(tmp_path: Path, tally: Tally) -> None:
    """It becomes a typed value, or an error that names what was expected."""
    readers = (
        decode_tenants,
        decode_services,
        decode_found,
        decode_pods,
        decode_faults,
        decode_log,
    )

    @cases(5000)
    @given(anything)
    def holds(body: Any) -> None:
        tally.one()
        for read in readers:
            with contextlib.suppress(UnexpectedShape):
                read(body)
                read([body])
                read([{"Name": "web", "Template": body, "Containers": [body], "HPASpecs": body}])
                read([{"ControlledBy": body, "LastContainerState": body, "Resource": body}])

    holds()


def test_any_bytes(tally: Tally) -> None:
    """Error bodies become one printable line of bounded length."""

    @cases(6000)
    @given(st.binary(max_size=200), st.integers(100, 599))
    def holds(body: bytes, status: int) -> None:
        tally.one()
        reply = Reply(status, {}, body)
        for line in (error_body.message(reply), excerpt(reply)):
            assert line.isprintable()
            assert len(line) <= 303
        error_body.transient(reply)

    holds()


def test_any_secret_in_any_text(tally: Tally) -> None:
    """It is masked wherever it occurs, and nothing else is changed."""

    @cases(3000)
    @given(st.text(min_size=4, max_size=40), st.text(max_size=20), st.text(max_size=20))
    def holds(secret: str, before: str, after: str) -> None:
        tally.one()
        mask = Mask()
        mask.add(Secret(secret))
        masked = mask.text(f"{before}{secret}{after}")
        assert secret not in masked or secret in "***"
        assert Mask().text(before) == before

    holds()
