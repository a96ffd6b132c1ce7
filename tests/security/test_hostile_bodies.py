"""Bodies made to exhaust stack, memory or time: too deep, too many objects, too many log lines."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from operator import attrgetter
from typing import Any

import pytest
import requests
from urllib3.response import HTTPResponse

from pipe.http.json_body import CONTAINERS, DEPTH, VALUES, TooComplex, loads
from pipe.portal.list_reader import ListReader
from pipe.portal.pods import decode_log, decode_pod
from tests.contract.documents import ROOT
from tests.sandbox import ApiFault, Behaviour, WsgiAdapter, create_app
from tests.support.harness import HOST, Harness, RunResult

DEPTHS = [DEPTH + 1, 500, 900, 1500, 20_000]
KINDS = ["service", "cronjob", "ecs", "lambda"]
CRASH = Behaviour("crash", log=["boom"])


def nested(depth: int, key: str = "Message") -> str:
    """Return an object within an object within an object."""
    return f'{{"{key}":' * depth + '"x"' + "}" * depth


class DeepAdapter(WsgiAdapter):
    """Adds a deeply nested field to every object of every response, from one request on."""

    def __init__(self, harness: Harness, depth: int, first: int) -> None:
        super().__init__(create_app(harness.world), harness.clock, latency=0.02)
        self._field = f'{{"deep":{nested(depth)},'.encode()
        self._first = first
        self._count = 0

    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        response = super().send(*arguments, **options)
        self._count += 1
        if self._count < self._first:
            return response
        # One field is enough, at the outermost object and in the metadata that is sent back.
        content = re.sub(rb'\{(?=")', lambda _: self._field, response.content, count=1)
        content = content.replace(b'"metadata":{', b'"metadata":' + self._field, 1)
        raw = HTTPResponse(io.BytesIO(content), status=response.status_code, preload_content=False)
        return self.build_response(arguments[0], raw)


def deploy(harness: Harness, kind: str, **variables: str) -> RunResult:
    """Deploy a target of this kind, with the rollback requested."""
    if kind == "service":
        return harness.deploy(ROLLBACK="true", WAIT_TIMEOUT="20", **variables)
    return harness.run(
        KIND=kind,
        SERVICE="job",
        IMAGE="team/job:2",
        WAIT_TIMEOUT="20",
        ROLLBACK="true",
        **variables,
    )


def add_target(harness: Harness, kind: str) -> None:
    """Add the target that `deploy` deploys."""
    if kind == "service":
        harness.web()
    else:
        owner = {"cronjob": "cronjobs", "lambda": "functions"}.get(kind, kind)
        getattr(harness.world, owner).add("job", "team/job:1")


@pytest.mark.parametrize("first", [1, 3, 6, 9])
@pytest.mark.parametrize("depth", [DEPTH + 1, 1500])
@pytest.mark.parametrize("kind", KINDS)
def test_deep_json_is_never_a_defect(harness: Harness, kind: str, depth: int, first: int) -> None:
    """Neither where it is decoded, nor where it is copied, compared or sent back."""
    add_target(harness, kind)
    harness.hosts[HOST.removeprefix("https://")] = DeepAdapter(harness, depth, first)
    result = deploy(harness, kind)
    assert result.code != 1, result.text
    assert "defect" not in result.text


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_a_deep_error_after_the_change_leads_to_the_rollback(
    harness: Harness, status: int, depth: int
) -> None:
    """Its message is read without recursion beyond the limit."""
    harness.web()
    harness.world.behave("team/web:bad", CRASH)
    deep = ApiFault(
        path="GetPods", status=status, body=nested(depth), content_type="application/json",
        times=1, skip=1,
    )  # fmt: skip
    harness.world.script(deep)
    result = harness.deploy("team/web:bad", ROLLBACK="true", WAIT_TIMEOUT="60")
    assert result.code == 8, result.text


@pytest.mark.parametrize("requested", ["\u00b2", "9" * 5000, "-1", "1e9", "\u0663"])
def test_no_pause_that_a_server_requests_is_a_defect(harness: Harness, requested: str) -> None:
    """Digits of other scripts and endless numbers count as no request."""
    harness.web()
    harness.world.behave("team/web:bad", CRASH)
    headers = {"Retry-After": requested.encode("utf-8").decode("latin-1")}
    if requested == "\u00b2":
        headers = {"Retry-After": requested}
    harness.world.script(
        ApiFault(path="GetPods", status=503, headers=headers, body="{}", times=1, skip=1)
    )
    result = harness.deploy("team/web:bad", ROLLBACK="true", WAIT_TIMEOUT="60")
    assert result.code == 8, result.text


def test_a_list_of_millions_of_objects_leads_to_the_rollback(harness: Harness) -> None:
    """It is refused, and read again."""
    harness.web()
    harness.world.behave("team/web:bad", CRASH)
    body = "[" + "{}," * (4 << 20) + "{}]"
    harness.world.script(
        ApiFault(
            path="GetPods", status=200, body=body, content_type="application/json", times=1, skip=2
        )
    )
    result = harness.deploy("team/web:bad", ROLLBACK="true", WAIT_TIMEOUT="60")
    assert result.code == 8, result.text


def test_a_list_of_millions_of_objects_is_explained(harness: Harness) -> None:
    """The message names the limit."""
    harness.web()
    body = "[" + "{}," * 100_000 + "{}]"
    harness.world.script(
        ApiFault(path="GetPods", status=200, body=body, content_type="application/json", times=99)
    )
    result = harness.deploy()
    assert result.code == 4, result.text
    assert "expected at most 50,000 entries" in result.text


BODIES = {
    "objects": b"{},",
    "lists": b"[],",
    "fields": b'{"":0},',
    "texts": b'"ab",',
    "numbers": b"1e1,",
    "pairs": b"[1,{}],",
    "wide characters": '"\U0001f600",'.encode(),
}
"""What fills a list, comma included."""
_DECODE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from pipe.http.json_body import loads, TooComplex
from pipe.portal.list_reader import ListReader
from pipe.portal.pods import decode_pod
piece = bytes.fromhex(sys.argv[1])
body = b"[" + piece * ((32 << 20) // len(piece)) + b"0]"
wrapped = b'[{"Containers":' + body + b"}]"
for decode, text in [
    (loads, body),
    (ListReader(decode_pod, lambda pod: pod.name).read, [body]),
    (ListReader(decode_pod, lambda pod: pod.name).read, [wrapped]),
]:
    try:
        decode(text)
    except TooComplex as error:
        print(error)
"""


@pytest.mark.parametrize("piece", BODIES.values(), ids=BODIES)
def test_the_largest_body_is_decoded_within_the_memory_of_a_step(piece: bytes) -> None:
    """32 MB of anything end within one GB, the memory of Bitbucket's Docker service."""
    command = [sys.executable, "-c", _DECODE, piece.hex()]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "at most" in done.stdout


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("opening", "closing"), ["[]", ("[[", "]]"), ('{"a":[', "]}")])
def test_depth_is_limited(depth: int, opening: str, closing: str) -> None:
    """The limit is the same for every version of Python."""
    with pytest.raises(TooComplex, match=f"at most {DEPTH} levels"):
        loads(opening * depth + closing * depth)


def test_usual_depth_and_size_are_within_the_limits() -> None:
    """Nothing that a portal really sends comes near them."""
    assert loads("[" * DEPTH + "]" * DEPTH)
    assert loads(b"5") == 5
    pods = json.dumps([{"Containers": [{"Name": "a"}] * 20}] * 5000).encode()
    assert len(ListReader(decode_pod, attrgetter("name")).read([pods])) == 5000
    assert CONTAINERS < VALUES


def test_a_log_is_cut_to_the_lines_that_were_requested() -> None:
    """A portal may ignore the number of lines."""
    lines = decode_log({"Data": "a\r\n" * 1_000_000 + "last\n"})
    assert lines == (*["a"] * 49, "last")


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r"])
def test_a_line_of_a_log_stays_one_line(separator: str) -> None:
    """Only a line feed ends it, whatever Python takes for a line break."""
    (line,) = decode_log({"Data": f"a{separator}" * 200_000})
    assert len(line) == 4003


@pytest.mark.parametrize(("data", "lines"), [("", ()), ("\n", ()), ("a\n\nb", ("a", "", "b"))])
def test_a_short_log_is_kept_as_it_is(data: str, lines: tuple[str, ...]) -> None:
    """Without the line break at its end."""
    assert decode_log({"Data": data}) == lines


def test_an_application_cannot_flood_the_log(harness: Harness) -> None:
    """One line of 400 KB stays one line, and the rollback is not late."""
    harness.web()
    harness.world.behave("team/web:bad", Behaviour("crash", log=["a\x0b" * 200_000]))
    result = harness.deploy("team/web:bad", ROLLBACK="true")
    assert result.code == 8, result.text
    assert result.log.count("\n") < 60
