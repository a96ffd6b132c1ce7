"""Where REGISTRY_PASSWORD goes: to the registry of the images to deploy, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pipe import image
from pipe.http import Network
from pipe.identity.establish import Identity
from pipe.registry.base import CannotVerify
from pipe.registry.login import logins
from pipe.registry.lookup import registry_lookup
from pipe.secret import Mask
from pipe.settings import Proxies, Settings, load
from tests.support.environment import environment
from tests.support.fake_clock import FakeClock
from tests.support.harness import Harness
from tests.support.scripted_adapter import Scripted

LOGIN = {"REGISTRY_USERNAME": "ci", "REGISTRY_PASSWORD": "a-password-of-one-registry"}
BASIC = {"WWW-Authenticate": 'Basic realm="registry"'}
OWN, OTHER = "registry.example/team/web:1.4.2", "other.example/thirdparty/sidecar:1"


def demanding(path: str) -> Scripted:
    """Return a registry that demands the password for a manifest."""
    return Scripted({f"HEAD {path}": (401, BASIC, ""), f"GET {path}": (401, BASIC, "")})


def settings(**variables: str) -> Settings:
    """Return the settings of a run with a login."""
    given: dict[str, Any] = {**LOGIN, **variables}
    return load(environment("https://portal.example", "a-token", **given))


def test_a_run_with_images_in_two_registries_sends_the_password_to_neither(
    harness: Harness,
) -> None:
    """Exit 2 names both; the registries get no request."""
    harness.web()
    harness.world.add_service("api", "team/api:1")
    own = harness.hosts["registry.example"] = demanding("/v2/team/web/manifests/1.4.2")
    other = harness.hosts["other.example"] = demanding("/v2/thirdparty/sidecar/manifests/1")
    entries = f"web={OWN} api={OTHER}"
    result = harness.deploy("", SERVICE="", SERVICES=entries, **LOGIN)
    assert result.code == 2, result.text
    assert "the images are in 2: other.example, registry.example" in result.log
    assert "Deploy the images of each registry in a step of its own" in result.log
    assert own.requests == other.requests == []


@pytest.mark.parametrize(
    ("variables", "name", "sent"),
    [
        ({"IMAGE": OWN}, OWN, True),
        ({"IMAGE": OWN}, OTHER, False),
        ({"ACTION": "rollback", "IMAGE": ""}, OTHER, False),
    ],
    ids=["own", "other", "rollback"],
)
def test_only_the_registry_of_the_image_to_deploy_gets_the_password(
    variables: Mapping[str, str], name: str, sent: bool
) -> None:
    """Another one is asked anonymously, whatever it demands."""
    wanted = image.parse(name)
    adapter = demanding(f"/v2/{wanted.repository}/manifests/{wanted.tag}")
    network = Network(Proxies(), "", FakeClock(), adapter)
    given = settings(**variables)
    registry = registry_lookup(given, Identity(given.token), network, Mask())(wanted)
    with pytest.raises(CannotVerify):
        registry.find(wanted)
    assert any("Authorization" in request.headers for request in adapter.requests) is sent


@pytest.mark.parametrize(
    ("variables", "name", "sent"),
    [
        ({"IMAGE": OWN}, "registry.example/tool:1", True),
        ({"IMAGE": OWN}, "other.example/tool:1", False),
        ({"IMAGE": OWN}, "tool:1", False),
        ({"IMAGE": "team/web:1"}, "docker.io/team/tool:1", True),
        ({"ACTION": "rollback", "IMAGE": ""}, "tool:1", False),
    ],
)
def test_test_images_elsewhere_are_pulled_without_the_password(
    variables: Mapping[str, str], name: str, sent: bool
) -> None:
    """Docker sends the login to the registry in the image's name."""
    given = settings(**variables)
    login = logins(given, Identity(given.token), Mask())(image.parse(name))
    assert (login is not None) is sent
