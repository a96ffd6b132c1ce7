"""Registries other than ECR, and servers that are not registries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from urllib3.exceptions import NewConnectionError

from pipe import image
from pipe.errors import ImageRefused, Unreachable
from pipe.hosts import ecr_address
from pipe.http import Network
from pipe.registry.address import oci_address
from pipe.registry.base import CannotVerify, ImageNotFound
from pipe.registry.oci import OciRegistry
from pipe.registry.oci_client import OciClient
from pipe.registry.verification import verify
from pipe.secret import Mask, Secret
from pipe.settings import ImageRules, Proxies, Verify
from tests.support.fake_clock import FakeClock
from tests.support.scripted_adapter import Response, Scripted

IMAGE = image.parse("registry.example/team/web:1")
MANIFEST = "/v2/team/web/manifests/1"
TAGS = "/v2/team/web/tags/list?n=1000"
UNKNOWN = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]})
DIGEST = f"sha256:{'0' * 64}"

MANIFEST_BODY = '{"schemaVersion": 2}'


def registry_with(
    responses: Mapping[str, Response | list[Response]], user: str = ""
) -> tuple[OciRegistry, Scripted, Mask]:
    """Return a registry with these responses, its adapter and its mask."""
    adapter, mask = Scripted(responses), Mask()
    network = Network(Proxies(), "", FakeClock(), adapter)
    rules = ImageRules(Verify.AUTO, False, None, user, Secret("password" if user else ""))
    return (
        OciRegistry(OciClient(network, mask, oci_address(IMAGE), rules, {}), pin_digest=False),
        adapter,
        mask,
    )


def test_a_missing_digest_is_computed() -> None:
    """It is the hash of the manifest's bytes."""
    body = '{"schemaVersion": 2}'
    registry, _, _ = registry_with(
        {f"HEAD {MANIFEST}": (200, {}, ""), f"GET {MANIFEST}": (200, {}, body)}
    )
    assert registry.find(IMAGE).digest == f"sha256:{hashlib.sha256(body.encode()).hexdigest()}"


def test_a_registry_without_head_is_read_with_get() -> None:
    """Status 405 does not describe the image."""
    registry, _, _ = registry_with(
        {f"HEAD {MANIFEST}": (405, {}, ""), f"GET {MANIFEST}": (200, {}, MANIFEST_BODY)}
    )
    assert registry.find(IMAGE).digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, "<html>nothing here</html>", "returned status 404 and may not be a registry"),
        (404, "[]", "returned status 404 and may not be a registry"),
        (429, "", "returned status 429"),
        (307, "", "returned status 307"),
        (503, "", "returned status 503"),
        (403, "", "does not show team/web without a login"),
        (200, "<html>sign in</html>", "did not return a manifest and may not be a registry"),
        (200, '{"schemaVersion": 2, "con', "did not return a manifest"),
    ],
)
def test_a_response_that_is_not_conclusive_cannot_verify_an_image(
    status: int, body: str, reason: str
) -> None:
    """Only a registry's own error means that the image is missing."""
    response: Response = (status, {}, body)
    registry, _, _ = registry_with({f"HEAD {MANIFEST}": response, f"GET {MANIFEST}": response})
    with pytest.raises(CannotVerify, match=reason):
        registry.find(IMAGE)


def test_a_missing_tag_is_reported() -> None:
    """The registry returns 404 with an error code."""
    registry, _, _ = registry_with(
        {f"HEAD {MANIFEST}": (404, {}, ""), f"GET {MANIFEST}": (404, {}, UNKNOWN)}
    )
    with pytest.raises(ImageNotFound, match='has no tag "1"'):
        registry.find(IMAGE)


def test_tags_are_read_page_by_page() -> None:
    """The address of the next page is in a header."""
    following = "/v2/team/web/tags/list?last=b&n=2"
    link = {"Link": f'<{following}>; rel="next"'}
    registry, _, _ = registry_with(
        {
            f"GET {TAGS}": (200, link, '{"tags": ["a", "b"]}'),
            f"GET {following}": (200, {}, '{"tags": ["c"]}'),
        }
    )
    assert registry.tags(IMAGE) == ["a", "b", "c"]


@pytest.mark.parametrize("body", ['{"tags": null}', "{}", "no json", "[]", '{"tags": 1}'])
def test_an_empty_or_unexpected_list_of_tags_is_empty(body: str) -> None:
    """It only means that there is no tag to suggest."""
    registry, _, _ = registry_with({f"GET {TAGS}": (200, {}, body)})
    assert registry.tags(IMAGE) == []


def test_only_valid_tags_are_suggested() -> None:
    """A registry may list any text as a tag."""
    listed = ["1-rc", "1\nERROR: forged", "1" * 1000, "", "1 a"]
    registry, _, _ = registry_with(
        {
            f"HEAD {MANIFEST}": (404, {}, ""),
            f"GET {MANIFEST}": (404, {}, UNKNOWN),
            f"GET {TAGS}": (200, {}, json.dumps({"tags": listed})),
        }
    )
    rules = ImageRules(Verify.AUTO, False, None, "", Secret(""))
    with pytest.raises(ImageRefused) as refused:
        verify(IMAGE, registry, rules)
    assert refused.value.diagnosis.endswith("Did you mean 1-rc?")


def test_a_token_is_fetched_from_the_challenges_realm() -> None:
    """Service and scope are sent, and both names of the token are accepted."""
    challenge = {
        "WWW-Authenticate": 'Bearer realm="https://auth.example/t?a=b",service="registry.example"'
    }
    scope = "scope=repository%3Ateam%2Fweb%3Apull&service=registry.example"
    registry, adapter, mask = registry_with(
        {
            f"HEAD {MANIFEST}": (401, challenge, ""),
            f"GET /t?a=b&{scope}": (200, {}, '{"access_token": "fresh-token-0123"}'),
            f"GET {MANIFEST}": (401, challenge, ""),
        },
        user="me",
    )
    with pytest.raises(CannotVerify, match="refuses team/web to the user of REGISTRY_USERNAME"):
        registry.find(IMAGE)
    sent = [request.headers.get("Authorization") for request in adapter.requests]
    assert sent[:3] == [None, "Basic bWU6cGFzc3dvcmQ=", "Bearer fresh-token-0123"]
    assert mask.text("fresh-token-0123") == "***"


@pytest.mark.parametrize("part", ["a", 'a="', "a=", '"'])
def test_a_long_challenge_is_not_parsed(part: str) -> None:
    """At the length that the HTTP client allows, a quadratic pattern would take half a minute."""
    challenge = {"WWW-Authenticate": f"Bearer {part * (60_000 // len(part))}"}
    registry, _, _ = registry_with({f"HEAD {MANIFEST}": (401, challenge, "")})
    with pytest.raises(CannotVerify, match="more than 4096 bytes"):
        registry.find(IMAGE)


def test_a_password_is_never_sent_without_tls() -> None:
    """A realm with plain http on another machine gets no request."""
    challenge = {"WWW-Authenticate": 'Bearer realm="http://auth.example/token"'}
    registry, adapter, _ = registry_with({f"HEAD {MANIFEST}": (401, challenge, "")}, user="me")
    with pytest.raises(CannotVerify, match="as its token service"):
        registry.find(IMAGE)
    assert len(adapter.requests) == 1


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
def test_the_image_name_determines_the_registry(text: str, host: str, repository: str) -> None:
    """No registry means Docker Hub, as for Docker."""
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
def test_only_local_registries_may_use_plain_http(host: str, local: bool) -> None:
    """The rule is Docker's."""
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
def test_account_and_region_are_parsed_from_ecr_names(host: str, account: str, region: str) -> None:
    """In every partition of AWS."""
    address = ecr_address(image.parse(f"{host}/team/web:1"))
    assert address is not None
    assert (address.account, address.region) == (account, region)


@pytest.mark.parametrize(
    "host", ["public.ecr.aws", "dkr.ecr.eu-west-1.amazonaws.com", "ghcr.io", "x.on.aws"]
)
def test_other_names_are_not_parsed_as_ecr(host: str) -> None:
    """The public gallery is a registry like any other."""
    assert ecr_address(image.parse(f"{host}/team/web:1")) is None


def test_an_unreachable_registry_is_tried_once_in_a_run() -> None:
    """A hundred of its images take no longer than one."""

    class Unknown(Scripted):
        def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
            self.requests.append(request)
            refused = NewConnectionError(None, "Connection refused")  # type: ignore[arg-type]
            raise requests.ConnectionError(refused, request=request)

    adapter, clock = Unknown({}), FakeClock()
    network = Network(Proxies(), "", clock, adapter)
    rules = ImageRules(Verify.AUTO, False, None, "", Secret(""))
    unreachable: dict[str, Unreachable] = {}
    for _ in range(3):
        registry = OciRegistry(
            OciClient(network, Mask(), oci_address(IMAGE), rules, unreachable), pin_digest=False
        )
        with pytest.raises(CannotVerify, match="cannot be reached"):
            registry.find(IMAGE)
    assert len(adapter.requests) == 1
    assert clock.slept == []


def test_an_outage_of_a_registry_is_retried() -> None:
    """One failed request does not decide about a deploy."""
    found = (200, {"Docker-Content-Digest": DIGEST}, "")
    registry, adapter, _ = registry_with(
        {f"HEAD {MANIFEST}": [(503, {}, ""), (502, {}, ""), found]}
    )
    assert registry.find(IMAGE).digest == DIGEST
    assert len(adapter.requests) == 3
