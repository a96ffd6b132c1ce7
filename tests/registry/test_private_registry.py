"""Registries that require a login."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.registry import Registry
from tests.sandbox.token_service import TokenService
from tests.support.stage import Stage

USER, PASSWORD = "puller", "never-shown-password"
# bcrypt, the only hash that the registry accepts; no dependency here can create one.
PASSWORD_HASH = "$2b$04$L6XcPVms40OS.VSpsHUkd.wB8w25yBXM3tCO0fKeI0jT9j77rLI/u"
LOGIN = {"REGISTRY_USERNAME": USER, "REGISTRY_PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenService]:
    """Run a token service that gives anonymous users access to team/open."""
    folder = tmp_path_factory.mktemp("token-service")
    with TokenService(folder, USER, PASSWORD, {"team/open"}) as service:
        yield service


@pytest.fixture(scope="module")
def registry(service: TokenService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run a registry behind it, with an image in each of two repositories."""
    with Registry(tmp_path_factory.mktemp("registry"), service.settings()) as registry:
        for repository in ("team/open", "team/web"):
            token = service.token(repository, "push", "pull")
            registry.session.headers["Authorization"] = f"Bearer {token}"
            registry.push(repository, "1.4.2")
        yield registry


def test_a_public_image_needs_no_login(stage: Stage, registry: Registry) -> None:
    """An anonymous token is fetched and used."""
    stage.web()
    ending = stage.deploy(f"{registry.host}/team/open:1.4.2", VERIFY_IMAGE="true")
    assert ending.code == 0, ending.text
    assert "exists, sha256:" in ending.log


def test_a_private_image_needs_a_login(stage: Stage, registry: Registry) -> None:
    """Auto deploys unverified; true is exit 5 and names the variables."""
    stage.web()
    image = f"{registry.host}/team/web:1.4.2"
    refused = stage.deploy(image, VERIFY_IMAGE="true")
    assert refused.code == 5
    assert "does not show team/web without a login (401): it is private, or does not exist" in (
        refused.result
    )
    assert "Give REGISTRY_USERNAME and REGISTRY_PASSWORD" in refused.log
    ending = stage.deploy(image)
    assert ending.code == 0, ending.text
    assert "not verified, because" in ending.log


def test_user_and_password_give_access(
    stage: Stage, registry: Registry, service: TokenService
) -> None:
    """Neither password nor token is logged."""
    stage.web()
    image = f"{registry.host}/team/web:1.4.2"
    ending = stage.deploy(image, VERIFY_IMAGE="true", DEBUG="true", **LOGIN)
    assert ending.code == 0, ending.text
    for secret in (PASSWORD, service.issued[-1]):
        assert secret not in ending.text


def test_similar_tags_of_a_private_image_are_suggested(stage: Stage, registry: Registry) -> None:
    """The token also gives access to the tags."""
    stage.web()
    ending = stage.deploy(f"{registry.host}/team/web:1.4.3", **LOGIN)
    assert ending.code == 5
    assert "Did you mean 1.4.2?" in ending.result


def test_a_wrong_password_is_reported(stage: Stage, registry: Registry) -> None:
    """The message names the variables."""
    stage.web()
    wrong = {**LOGIN, "REGISTRY_PASSWORD": "wrong-password"}
    ending = stage.deploy(f"{registry.host}/team/web:1.4.2", VERIFY_IMAGE="true", **wrong)
    assert ending.code == 5
    assert "to the user of REGISTRY_USERNAME (401)" in ending.result
    assert "Check REGISTRY_USERNAME and REGISTRY_PASSWORD" in ending.log


def test_a_registry_may_demand_the_password_itself(stage: Stage, tmp_path: Path) -> None:
    """Without a token service; the message without a login names the variables."""
    stage.web()
    (tmp_path / "htpasswd").write_text(f"{USER}:{PASSWORD_HASH}\n", "utf-8")
    auth = {"htpasswd": {"realm": "basic", "path": str(tmp_path / "htpasswd")}}
    with Registry(tmp_path / "registry", auth) as registry:
        registry.session.auth = (USER, PASSWORD)
        registry.push("team/web", "1.4.2")
        image = f"{registry.host}/team/web:1.4.2"
        ending = stage.deploy(image, VERIFY_IMAGE="true", **LOGIN)
        assert ending.code == 0, ending.text
        refused = stage.deploy(image, VERIFY_IMAGE="true")
        assert refused.code == 5
        assert "requires a user and a password" in refused.result
