"""Registries that choose addresses, tokens and lists to the harm of the run."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from pipe import image
from pipe.clock import SystemClock
from pipe.errors import NotFound
from pipe.hosts import is_internal
from pipe.http import Network
from pipe.registry.address import oci_address
from pipe.registry.base import CannotVerify
from pipe.registry.oci import OciRegistry
from pipe.registry.oci_client import OciClient
from pipe.registry.verification import verify
from pipe.secret import Mask, Secret
from pipe.settings import ImageRules, Proxies, Verify
from tests.support.http_server import Answer, HttpServer, Request
from tests.unit.test_oci_registry import IMAGE, MANIFEST, TAGS, UNKNOWN, registry_with

PASSWORD = "registry-password-0123456789"
REALMS = [
    "http://auth.example/token",
    "http://localhost:8080/token",
    "https://localhost/token",
    "https://localhost./token",
    "https://app.localhost/token",
    "https://127.0.0.1:8443/token",
    "https://127.1/token",
    "https://2130706433/token",
    "https://0x7f000001/token",
    "https://[::1]/token",
    "https://[::ffff:10.0.0.1]/token",
    "https://10.0.0.1/token",
    "https://192.168.1.1/token",
    "https://169.254.169.254/latest",
    "https://100.64.0.1/token",
    "https://host.docker.internal/token",
    "https://user:password@auth.example/token",
    "https://[::bad",
    "https://auth.example:99999999/token",
    "https://",
    "file:///etc/passwd",
    "ftp://auth.example/token",
    "//auth.example/token",
    "/token",
    "",
    "https://auth.example/" + "x" * 5000,
]
TOKENS: list[Any] = [
    'a<"+/' * 400_000,
    "a" * 20_000,
    "/team/web",
    "registry.example/team/web",
    "team/web:1.4.1-with-a-long-tag",
    "word",
    "two words that are long",
    "t\u00f6ken-that-is-long-enough",
    "token-with-a\nline-break",
    ["token-in-a-list-0123456789"],
    {"a": 1},
    5,
    None,
]


@pytest.mark.parametrize("realm", REALMS)
def test_a_public_registry_names_a_public_token_service(realm: str) -> None:
    """Nothing is sent to any other address, and the image counts as unverified."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'}
    registry, adapter, _ = registry_with({f"HEAD {MANIFEST}": (401, challenge, "")}, user="me")
    with pytest.raises(CannotVerify, match=r"as its token service|demands a login in more than"):
        registry.find(IMAGE)
    assert len(adapter.requests) == 1


def test_an_internal_registry_may_name_an_internal_token_service() -> None:
    """Registries of companies often are addresses of a private network."""
    for host, internal in [("10.0.0.5:5000", True), ("[::1]:5000", True), ("ghcr.io", False)]:
        assert oci_address(image.parse(f"{host}/team/web:1")).internal is internal
    assert not is_internal("registry.corp.example")
    assert not is_internal("8.8.8.8")


@pytest.mark.parametrize("token", TOKENS, ids=range(len(TOKENS)))
def test_a_token_that_cannot_be_one_is_not_used(token: Any) -> None:
    """Neither a huge one, nor one that would mask the name of the image in log and record."""
    challenge = {"WWW-Authenticate": 'Bearer realm="https://auth.example/t"'}
    scope = "scope=repository%3Ateam%2Fweb%3Apull"
    registry, _, mask = registry_with(
        {
            f"HEAD {MANIFEST}": (401, challenge, ""),
            f"GET /t?{scope}": (200, {}, json.dumps({"token": token})),
        }
    )
    began = time.monotonic()
    with pytest.raises(CannotVerify, match=r"returned a token that cannot be one|no token"):
        registry.find(IMAGE)
    assert mask.text(str(IMAGE)) == str(IMAGE)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("link", ["https://[::bad", "https://x:99999999/", "x" * 5000])
def test_an_invalid_address_of_the_next_page_is_not_followed(link: str) -> None:
    """The list of tags cannot be read, and the missing image is reported all the same."""
    missing: tuple[int, dict[str, str], str] = (404, {}, UNKNOWN)
    registry, _, _ = registry_with(
        {
            f"HEAD {MANIFEST}": missing,
            f"GET {MANIFEST}": missing,
            f"GET {TAGS}": (200, {"Link": f'<{link}>; rel="next"'}, '{"tags": ["2"]}'),
        }
    )
    with pytest.raises(CannotVerify, match="by an invalid address"):
        registry.tags(IMAGE)
    with pytest.raises(Exception, match="does not exist"):
        verify(IMAGE, registry, ImageRules(Verify.AUTO, False, None, "", Secret("")))


def test_a_challenge_of_any_length_is_read_in_time() -> None:
    """Headers may have megabytes, and the search for parameters would be quadratic."""
    challenge = {"WWW-Authenticate": "Bearer " + "a" * 1_000_000}
    registry, _, _ = registry_with({f"HEAD {MANIFEST}": (401, challenge, "")})
    began = time.monotonic()
    with pytest.raises(CannotVerify, match="demands a login in more than"):
        registry.find(IMAGE)
    assert time.monotonic() - began < 1


def test_a_list_of_tags_is_bounded() -> None:
    """Only what has the form of a tag is compared, and no more than five pages of it."""
    tags = ["x" * 129, 5, None, ["a"], {"a": "b"}, "a b", "", *map(str, range(200_000))]
    registry, _, _ = registry_with({f"GET {TAGS}": (200, {}, json.dumps({"tags": tags}))})
    assert registry.tags(IMAGE) == [str(number) for number in range(5000)]


def test_a_misspelled_name_is_compared_in_time() -> None:
    """A portal with a million names takes no longer than one with five thousand."""
    names = [f"my-service-name-{number}" for number in range(200_000)]
    began = time.monotonic()
    assert "Did you mean" in str(NotFound.named("service", "SERVICE", "my-service-nam-1", names))
    NotFound.named("service", "SERVICE", "my-service", ["my-service" * 100_000])
    assert time.monotonic() - began < 10


def test_a_hostile_registry_over_sockets_only_leaves_an_image_unverified() -> None:
    """A local registry may name a token service on this machine, whose huge token is refused."""

    def respond(request: Request) -> Answer:
        if request.path.startswith("/token"):
            return Answer(200, json.dumps({"token": 'a<\\"+/' * 300_000}))
        realm = f'Bearer realm="{server.url}/token",service="s"'
        return Answer(401, "{}", {"WWW-Authenticate": realm})

    with HttpServer(respond) as server:
        network = Network(Proxies(), "", SystemClock())
        wanted = image.parse(f"{server.url.removeprefix('http://')}/team/web:1")
        rules = ImageRules(Verify.AUTO, False, None, "me", Secret(PASSWORD))
        registry = OciRegistry(
            OciClient(network, Mask(), oci_address(wanted), rules, {}), pin_digest=False
        )
        result = verify(wanted, registry, rules)
    assert "returned a token that cannot be one" in result.unverified_reason
