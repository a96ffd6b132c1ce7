"""Registries that redirect requests for manifests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pipe import image
from pipe.http import Network
from pipe.registry.address import oci_address
from pipe.registry.base import CannotVerify, ImageNotFound, RegistryImage
from pipe.registry.oci import OciRegistry
from pipe.registry.oci_client import OciClient
from pipe.secret import Mask, Secret
from pipe.settings import ImageRules, Proxies, Verify
from tests.sandbox.hosts import Hosts
from tests.support.fake_clock import FakeClock
from tests.support.scripted_adapter import Response, Scripted

IMAGE = image.parse("registry.example/team/web:1")
PATH = "/v2/team/web/manifests/1"
MOVED = "/v2/project/team/web/manifests/1"
DIGEST = f"sha256:{'0' * 64}"
FOUND: Response = (200, {"Docker-Content-Digest": DIGEST}, "")
CHALLENGE: Response = (401, {"WWW-Authenticate": 'Bearer realm="https://auth.example/t"'}, "")
UNKNOWN: Response = (404, {}, '{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
TOKEN: dict[str, Response] = {
    "GET /t?scope=repository%3Ateam%2Fweb%3Apull": (200, {}, '{"token": "fresh-token-0123"}')
}


def to(location: str, status: int = 307) -> Response:
    """Return a redirect."""
    return status, {"Location": location}, ""


def find(registry: Scripted, elsewhere: Scripted, tokens: Scripted | None = None) -> RegistryImage:
    """Look the image up with a login, at a registry and the host it redirects to."""
    hosts = {
        "registry.example": registry,
        "elsewhere.example": elsewhere,
        "auth.example": tokens or Scripted({}),
    }
    rules = ImageRules(Verify.ALWAYS, False, None, "me", Secret("password"))
    network = Network(Proxies(), "", FakeClock(), Hosts(hosts))
    return OciRegistry(
        OciClient(network, Mask(), oci_address(IMAGE), rules, {}), pin_digest=False
    ).find(IMAGE)


def authorizations(host: Scripted) -> list[str | None]:
    """Return the Authorization header of each request."""
    return [request.headers.get("Authorization") for request in host.requests]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_image_is_verified(status: int) -> None:
    """As those of registry.k8s.io, which keeps its manifests elsewhere."""
    registry = Scripted({f"HEAD {PATH}": to(f"https://elsewhere.example{MOVED}?a=b", status)})
    elsewhere = Scripted({f"HEAD {MOVED}?a=b": FOUND})
    assert find(registry, elsewhere).digest == DIGEST


def test_a_missing_redirected_image_is_reported() -> None:
    """The other host responds like the registry itself."""
    redirect = to(f"https://elsewhere.example{MOVED}")
    registry = Scripted({f"HEAD {PATH}": redirect, f"GET {PATH}": redirect})
    elsewhere = Scripted({f"HEAD {MOVED}": (404, {}, ""), f"GET {MOVED}": UNKNOWN})
    with pytest.raises(ImageNotFound, match='has no tag "1"'):
        find(registry, elsewhere)


def test_credentials_stay_with_the_registry() -> None:
    """Neither the other host gets them, nor an address of the registry that it names."""
    registry = Scripted(
        {
            f"HEAD {PATH}": [CHALLENGE, to("/v2/mirror")],
            "HEAD /v2/mirror": to(f"https://elsewhere.example{MOVED}"),
            "HEAD /v2/third-party": FOUND,
        }
    )
    elsewhere = Scripted({f"HEAD {MOVED}": to("https://registry.example/v2/third-party")})
    tokens = Scripted(TOKEN)
    assert find(registry, elsewhere, tokens).digest == DIGEST
    bearer = "Bearer fresh-token-0123"
    assert authorizations(registry) == [None, bearer, bearer, None]
    assert authorizations(elsewhere) == [None]
    assert len(tokens.requests) == 1


def test_another_hosts_challenge_is_not_answered() -> None:
    """It names no token service that gets the password."""
    redirect = to(f"https://elsewhere.example{MOVED}")
    registry = Scripted({f"HEAD {PATH}": redirect, f"GET {PATH}": redirect})
    elsewhere = Scripted({f"HEAD {MOVED}": CHALLENGE, f"GET {MOVED}": CHALLENGE})
    tokens = Scripted(TOKEN)
    with pytest.raises(CannotVerify, match="which returned status 401") as why:
        find(registry, elsewhere, tokens)
    assert "a login is not sent there" in str(why.value)
    assert "by its address at elsewhere.example" in why.value.remedy
    assert authorizations(elsewhere) == [None, None]
    assert tokens.requests == []


@pytest.mark.parametrize(
    "location",
    [
        f"http://elsewhere.example{MOVED}",
        f"http://registry.example{MOVED}",
        f"https://me:password@elsewhere.example{MOVED}",
        f"https://localhost{MOVED}",
        f"https://127.0.0.1:5000{MOVED}",
        f"https://127.1{MOVED}",
        f"https://10.0.0.5{MOVED}",
        f"https://169.254.169.254{MOVED}",
        f"https://[::ffff:192.168.0.1]{MOVED}",
        f"https://elsewhere.example:port{MOVED}",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_leads_to_https_on_another_machine(location: str) -> None:
    """Anything else gets no request, and is reported."""
    registry, elsewhere = Scripted({f"HEAD {PATH}": to(location)}), Scripted({})
    with pytest.raises(CannotVerify, match="expected an address with https:"):
        find(registry, elsewhere)
    assert (len(registry.requests), elsewhere.requests) == (1, [])


def test_a_few_redirects_are_followed() -> None:
    """A loop ends after three."""
    loop: Mapping[str, Response] = {f"HEAD {PATH}": to(PATH)}
    registry = Scripted(loop)
    with pytest.raises(CannotVerify, match="redirects to another address more than 3 times"):
        find(registry, Scripted({}))
    assert len(registry.requests) == 4
