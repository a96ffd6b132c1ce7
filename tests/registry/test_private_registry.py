"""Registries that require a login."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.registry import Registry
from tests.sandbox.token_service import TokenService
from tests.support.harness import Harness

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


def test_a_public_image_needs_no_login(harness: Harness, registry: Registry) -> None:
    """An anonymous token is fetched and used."""
    harness.web()
    result = harness.deploy(f"{registry.host}/team/open:1.4.2", VERIFY_IMAGE="true")
    assert result.code == 0, result.text
    assert "exists, sha256:" in result.log


def test_a_private_image_needs_a_login(harness: Harness, registry: Registry) -> None:
    """Auto deploys unverified; true is exit 5 and names the variables."""
    harness.web()
    image = f"{registry.host}/team/web:1.4.2"
    refused = harness.deploy(image, VERIFY_IMAGE="true")
    assert refused.code == 5
    assert "does not show team/web without a login (401): it is private, or does not exist" in (
        refused.stdout
    )
    assert "Give REGISTRY_USERNAME and REGISTRY_PASSWORD" in refused.log
    result = harness.deploy(image)
    assert result.code == 0, result.text
    assert "not verified (VERIFY_IMAGE: auto): " in result.log


def test_user_and_password_give_access(
    harness: Harness, registry: Registry, service: TokenService
) -> None:
    """Neither password nor token is logged."""
    harness.web()
    image = f"{registry.host}/team/web:1.4.2"
    result = harness.deploy(image, VERIFY_IMAGE="true", DEBUG="true", **LOGIN)
    assert result.code == 0, result.text
    for secret in (PASSWORD, service.issued[-1]):
        assert secret not in result.text


def test_similar_tags_of_a_private_image_are_suggested(
    harness: Harness, registry: Registry
) -> None:
    """The token also gives access to the tags."""
    harness.web()
    result = harness.deploy(f"{registry.host}/team/web:1.4.3", **LOGIN)
    assert result.code == 5
    assert "Did you mean 1.4.2?" in result.stdout


def test_a_wrong_password_is_reported(harness: Harness, registry: Registry) -> None:
    """The message names the variables."""
    harness.web()
    wrong = {**LOGIN, "REGISTRY_PASSWORD": "wrong-password"}
    result = harness.deploy(f"{registry.host}/team/web:1.4.2", VERIFY_IMAGE="true", **wrong)
    assert result.code == 5
    assert "to the user of REGISTRY_USERNAME (401)" in result.stdout
    assert "Check REGISTRY_USERNAME and REGISTRY_PASSWORD" in result.log


def test_a_registry_may_demand_the_password_itself(harness: Harness, tmp_path: Path) -> None:
    """Without a token service; the message without a login names the variables."""
    harness.web()
    (tmp_path / "htpasswd").write_text(f"{USER}:{PASSWORD_HASH}\n", "utf-8")
    auth = {"htpasswd": {"realm": "basic", "path": str(tmp_path / "htpasswd")}}
    with Registry(tmp_path / "registry", auth) as registry:
        registry.session.auth = (USER, PASSWORD)
        registry.push("team/web", "1.4.2")
        image = f"{registry.host}/team/web:1.4.2"
        result = harness.deploy(image, VERIFY_IMAGE="true", **LOGIN)
        assert result.code == 0, result.text
        refused = harness.deploy(image, VERIFY_IMAGE="true")
        assert refused.code == 5
        assert "requires a user and a password" in refused.stdout


def test_a_rollback_logs_in_only_where_a_variable_names_the_registry(
    harness: Harness, registry: Registry
) -> None:
    """The portal's history does not decide which registry gets the password."""
    image = f"{registry.host}/team/web"
    web = harness.web(f"{image}:1.4.2")
    assert harness.deploy(f"{image}:new", VERIFY_IMAGE="false").code == 0
    variables = {"ACTION": "rollback", "VERIFY_IMAGE": "true", **LOGIN}
    refused = harness.deploy("", **variables)
    assert refused.code == 5
    assert "does not show team/web without a login" in refused.stdout
    result = harness.deploy(f"{image}:new", **variables)
    assert result.code == 0, result.text
    assert web.image == f"{image}:1.4.2"
