"""Any portal: fields missing, null, of another type, huge or deep, anywhere in any answer."""

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
from pipe.portal.services import decode_found
from pipe.portal.tenants import decode_tenants
from pipe.secret import Mask, Secret
from tests.fuzz.share import Tally, cases
from tests.fuzz.test_variables import check
from tests.reliability import harness
from tests.reliability.harness import DEPLOY, RESTART, ROLLBACK, Harness, Scenario
from tests.sandbox import RequestRecord
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
plays = st.sampled_from([DEPLOY, RESTART, ROLLBACK])
GONE = object()


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a body something can be put."""
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


def put(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The body with something else at that place."""
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


class Meddler(harness.WatchedAdapter):
    """Gives answers in which something is not as it should be."""

    def __init__(self, scene: Harness) -> None:
        super().__init__(scene)
        self.scene: Any = scene

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        response = super().send(request, **options)
        content = self.scene.meddle(self.scene.sent, response.content)
        raw = HTTPResponse(io.BytesIO(content), status=response.status_code, preload_content=False)
        return self.build_response(request, raw)


def play_against(
    folder: Path, play: Scenario, numbers: range, pick: int, value: Any
) -> tuple[Harness, Any]:
    """A run in which the answers with these numbers have `value` at some place."""
    scene: Any = Harness(folder, play)

    def meddle(number: int, content: bytes) -> bytes:
        if number not in numbers:
            return content
        try:
            body = json.loads(content)
        except ValueError:
            # Nothing, or a refusal in plain words: what was meddled with before earned it.
            return content
        every = list(places(body))
        changed = put(body, every[pick % len(every)], value)
        return json.dumps(changed).encode("utf-8", "surrogatepass")

    scene.meddle = meddle
    scene.adapter = Meddler
    return scene, scene.run(WAIT_TIMEOUT="60")


def test_any_field_of_any_answer(tmp_path: Path, tally: Tally) -> None:
    """No defect, no hang, at most one change for each image, and the truth about it."""

    @cases(4000)
    @given(
        plays,
        st.integers(1, 45),
        st.integers(0, 60),
        st.integers(0, 10_000),
        anything | st.just(GONE),
    )
    def holds(play: Scenario, first: int, more: int, pick: int, value: Any) -> None:
        tally.one()
        scene, ending = play_against(tmp_path, play, range(first, first + more + 1), pick, value)
        check(scene, ending)
        acted = [json.dumps([one.path, one.body]) for one in _changes(scene)]
        assert len(acted) == len(set(acted)), ending.text
        assert ending.seconds < 600, ending.text
        assert not scene.leaks

    holds()


def _changes(scene: Harness) -> list[RequestRecord]:
    return scene.writes()


def test_any_body_at_all(tmp_path: Path, tally: Tally) -> None:
    """From any JSON to types, or to a sentence that says what was expected."""
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


def test_any_bytes_at_all(tally: Tally) -> None:
    """Error bodies become one printable line of bounded length."""

    @cases(6000)
    @given(st.binary(max_size=200), st.integers(100, 599))
    def holds(body: bytes, status: int) -> None:
        tally.one()
        reply = Reply(status, {}, body, 0.0)
        for line in (error_body.message(reply), excerpt(reply)):
            assert line.isprintable()
            assert len(line) <= 303
        error_body.transient(reply)

    holds()


def test_any_secret_in_any_text(tally: Tally) -> None:
    """Masked wherever it stands, and nothing else is touched."""

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
