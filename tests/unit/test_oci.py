"""Registries of other makes, and things that are no registries, answer in their own ways."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import NewConnectionError
from urllib3.response import HTTPResponse

from pipe import image
from pipe.errors import Unreachable
from pipe.hosts import ecr_address
from pipe.http import Network
from pipe.registry.address import oci_address
from pipe.registry.base import Absent, CannotAsk
from pipe.registry.oci import OciRegistry
from pipe.secret import Mask, Secret
from pipe.settings import ImageRules, Proxies, Verify
from tests.support.fake_clock import FakeClock

IMAGE = image.parse("registry.example/team/web:1")
MANIFEST = "/v2/team/web/manifests/1"
TAGS = "/v2/team/web/tags/list?n=1000"
UNKNOWN = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]})
Answer = tuple[int, Mapping[str, str], str]
DIGEST = f"sha256:{'0' * 64}"

SHOWN = '{"schemaVersion": 2}'


class Scripted(BaseAdapter):
    """Answers by method and path, a list in turn; `asked` keeps whole requests."""

    def __init__(self, answers: Mapping[str, Answer | list[Answer]]) -> None:
        super().__init__()
        self._answers = answers
        self.asked: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        """Answer one request."""
        self.asked.append(request)
        answer = self._answers[f"{request.method} {request.path_url}"]
        status, headers, body = answer.pop(0) if isinstance(answer, list) else answer
        response = requests.Response()
        response.status_code = status
        response.raw = HTTPResponse(io.BytesIO(body.encode()), preload_content=False)
        response.headers.update(headers)
        return response

    def close(self) -> None:
        """Nothing is open."""


def ask(
    answers: Mapping[str, Answer | list[Answer]], user: str = ""
) -> tuple[OciRegistry, Scripted, Mask]:
    """A registry that answers like this."""
    adapter, mask = Scripted(answers), Mask()
    network = Network(Proxies(), "", FakeClock(), adapter)
    rules = ImageRules(Verify.AUTO, False, None, user, Secret("password" if user else ""))
    return OciRegistry(network, mask, oci_address(IMAGE), rules, {}), adapter, mask


def test_a_digest_that_is_not_told_is_computed() -> None:
    """From the manifest's own bytes."""
    body = '{"schemaVersion": 2}'
    registry, _, _ = ask({f"HEAD {MANIFEST}": (200, {}, ""), f"GET {MANIFEST}": (200, {}, body)})
    assert registry.find(IMAGE).digest == f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"


def test_a_registry_without_head_is_asked_with_get() -> None:
    """405 is no answer about the image."""
    registry, _, _ = ask({f"HEAD {MANIFEST}": (405, {}, ""), f"GET {MANIFEST}": (200, {}, SHOWN)})
    assert registry.find(IMAGE).digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (404, "<html>nothing here</html>", "answers 404, and not as a registry does"),
        (404, "[]", "answers 404, and not as a registry does"),
        (429, "", "answers 429"),
        (307, "", "answers 307"),
        (503, "", "answers 503"),
        (403, "", "does not show team/web to everybody"),
        (200, "<html>sign in</html>", "answers with no manifest, and not as a registry does"),
        (200, '{"schemaVersion": 2, "con', "answers with no manifest"),
    ],
)
def test_what_proves_nothing_is_no_proof(status: int, body: str, why: str) -> None:
    """Only a registry's own no counts as one."""
    answer: Answer = (status, {}, body)
    registry, _, _ = ask({f"HEAD {MANIFEST}": answer, f"GET {MANIFEST}": answer})
    with pytest.raises(CannotAsk, match=why):
        registry.find(IMAGE)


def test_a_registry_says_no() -> None:
    """404 with its own words."""
    registry, _, _ = ask({f"HEAD {MANIFEST}": (404, {}, ""), f"GET {MANIFEST}": (404, {}, UNKNOWN)})
    with pytest.raises(Absent, match='has no tag "1"'):
        registry.find(IMAGE)


def test_tags_come_page_by_page() -> None:
    """The next page's address is in a header."""
    following = "/v2/team/web/tags/list?last=b&n=2"
    link = {"Link": f'<{following}>; rel="next"'}
    registry, _, _ = ask(
        {
            f"GET {TAGS}": (200, link, '{"tags": ["a", "b"]}'),
            f"GET {following}": (200, {}, '{"tags": ["c"]}'),
        }
    )
    assert registry.tags(IMAGE) == ["a", "b", "c"]


@pytest.mark.parametrize("body", ['{"tags": null}', "{}", "no json", "[]", '{"tags": 1}'])
def test_no_tags_are_no_trouble(body: str) -> None:
    """An emptied repository, and nonsense, hold none."""
    registry, _, _ = ask({f"GET {TAGS}": (200, {}, body)})
    assert registry.tags(IMAGE) == []


def test_a_token_is_fetched_where_the_registry_says() -> None:
    """Service and scope are passed on, and either name of the token is understood."""
    challenge = {
        "WWW-Authenticate": 'Bearer realm="https://auth.example/t?a=b",service="registry.example"'
    }
    scope = "scope=repository%3Ateam%2Fweb%3Apull&service=registry.example"
    registry, adapter, mask = ask(
        {
            f"HEAD {MANIFEST}": (401, challenge, ""),
            f"GET /t?a=b&{scope}": (200, {}, '{"access_token": "fresh-token"}'),
            f"GET {MANIFEST}": (401, challenge, ""),
        },
        user="me",
    )
    with pytest.raises(CannotAsk, match="refuses team/web to the user of REGISTRY_USERNAME"):
        registry.find(IMAGE)
    sent = [request.headers.get("Authorization") for request in adapter.asked]
    assert sent[:3] == [None, "Basic bWU6cGFzc3dvcmQ=", "Bearer fresh-token"]
    assert mask.text("fresh-token") == "***"


def test_a_password_never_travels_without_tls() -> None:
    """A realm with plain http on another machine is not asked."""
    challenge = {"WWW-Authenticate": 'Bearer realm="http://auth.example/token"'}
    registry, adapter, _ = ask({f"HEAD {MANIFEST}": (401, challenge, "")}, user="me")
    with pytest.raises(CannotAsk, match="sends us to"):
        registry.find(IMAGE)
    assert len(adapter.asked) == 1


@pytest.mark.parametrize(
    ("text", "host", "repository"),
    [
        ("nginx:1", "registry-1.docker.io", "library/nginx"),
        ("team/web:1", "registry-1.docker.io", "team/web"),
        ("docker.io/team/web:1", "registry-1.docker.io", "team/web"),
        ("ghcr.io/team/web:1", "ghcr.io", "team/web"),
        ("localhost:5000/web:1", "localhost:5000", "web"),
    ],
)
def test_a_name_tells_where_to_ask(text: str, host: str, repository: str) -> None:
    """As Docker reads it: no registry means Docker Hub."""
    address = oci_address(image.parse(text))
    assert (address.host, address.repository) == (host, repository)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("host.docker.internal:5000", True),
        ("[::1]:5000", True),
        ("localhost.example:5000", False),
        ("registry.example", False),
        ("10.0.0.1", False),
    ],
)
def test_only_this_machine_may_do_without_tls(host: str, local: bool) -> None:
    """As for Docker."""
    assert oci_address(image.parse(f"{host}/web:1")).local is local


@pytest.mark.parametrize(
    ("host", "account", "region"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "123456789012", "eu-west-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "123456789012", "us-gov-west-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "123456789012", "cn-north-1"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "123456789012", "eu-west-1"),
    ],
)
def test_an_ecr_name_tells_account_and_region(host: str, account: str, region: str) -> None:
    """In every partition."""
    address = ecr_address(image.parse(f"{host}/team/web:1"))
    assert address is not None
    assert (address.account, address.region) == (account, region)


@pytest.mark.parametrize(
    "host", ["public.ecr.aws", "dkr.ecr.eu-west-1.amazonaws.com", "ghcr.io", "x.on.aws"]
)
def test_no_other_name_is_taken_for_ecr(host: str) -> None:
    """The public gallery is a registry like any other."""
    assert ecr_address(image.parse(f"{host}/team/web:1")) is None


def test_a_registry_out_of_reach_is_tried_once_in_a_run() -> None:
    """A hundred images of it would otherwise take a hundred times as long to go unproven."""

    class Unknown(Scripted):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
            self.asked.append(request)
            refused = NewConnectionError(None, "Connection refused")  # type: ignore[arg-type]
            raise requests.ConnectionError(refused, request=request)

    adapter, clock = Unknown({}), FakeClock()
    network = Network(Proxies(), "", clock, adapter)
    rules = ImageRules(Verify.AUTO, False, None, "", Secret(""))
    out_of_reach: dict[str, Unreachable] = {}
    for _ in range(3):
        registry = OciRegistry(network, Mask(), oci_address(IMAGE), rules, out_of_reach)
        with pytest.raises(CannotAsk, match="no way to"):
            registry.find(IMAGE)
    assert len(adapter.asked) == 1
    assert clock.slept == []


def test_an_outage_of_a_registry_is_waited_for() -> None:
    """One failure on the way must not decide about a deploy."""
    shown = (200, {"Docker-Content-Digest": DIGEST}, "")
    registry, adapter, _ = ask({f"HEAD {MANIFEST}": [(503, {}, ""), (502, {}, ""), shown]})
    assert registry.find(IMAGE).digest == DIGEST
    assert len(adapter.asked) == 3
