"""Images in a registry other than ECR."""

from __future__ import annotations

from tests.sandbox.registry import Registry
from tests.support.stage import Stage


def test_a_pushed_image_is_verified_pinned_and_deployed(stage: Stage, registry: Registry) -> None:
    """The digest is the registry's, in the service and in the record."""
    stage.web()
    digest = registry.push("team/web", "1.4.2")
    image = f"{registry.host}/team/web"
    ending = stage.deploy(f"{image}:1.4.2", VERIFY_IMAGE="true", PIN_DIGEST="true")
    assert ending.code == 0, ending.text
    assert f"Image {image}:1.4.2: exists, {digest}" in ending.log
    assert stage.world.service("web").image == f"{image}@{digest}"
    assert ending.report["targets"][0]["digest"] == digest
    assert ending.report["targets"][0]["after"] == {"": f"{image}@{digest}"}


def test_an_image_index_is_pinned_by_its_own_digest(stage: Stage, registry: Registry) -> None:
    """Whichever platform pulls it."""
    stage.web()
    platforms = [registry.push("team/web", f"1.5.0-{name}") for name in ("amd64", "arm64")]
    digest = registry.push_index("team/web", "1.5.0", platforms)
    image = f"{registry.host}/team/web"
    assert stage.deploy(f"{image}:1.5.0", PIN_DIGEST="true").code == 0
    assert stage.world.service("web").image == f"{image}@{digest}"


def test_a_digest_is_verified(stage: Stage, registry: Registry) -> None:
    """An image that is given by digest is looked up by digest."""
    stage.web()
    digest = registry.push("team/web", "1.4.2")
    image = f"{registry.host}/team/web@{digest}"
    ending = stage.deploy(image, VERIFY_IMAGE="true")
    assert ending.code == 0, ending.text
    assert stage.world.service("web").image == image


def test_a_missing_tag_is_refused_with_similar_ones(stage: Stage, registry: Registry) -> None:
    """Exit 5, nothing changed, two tags suggested."""
    stage.web()
    ending = stage.deploy(f"{registry.host}/team/web:1.4.22")
    assert ending.code == 5
    assert 'has no tag "1.4.22"' in ending.result
    assert "Did you mean 1.4.2 or 1.4.1?" in ending.result
    assert stage.world.write_attempts() == []


def test_a_missing_repository_is_refused(stage: Stage, registry: Registry) -> None:
    """Exit 5 names repository and registry."""
    stage.web()
    ending = stage.deploy(f"{registry.host}/team/wep:1.4.2")
    assert ending.code == 5
    assert f"there is no repository team/wep at {registry.host}" in ending.result


def test_a_missing_digest_is_refused(stage: Stage, registry: Registry) -> None:
    """Exit 5; no tag is similar to a digest."""
    stage.web()
    ending = stage.deploy(f"{registry.host}/team/web@sha256:{'0' * 64}")
    assert ending.code == 5
    assert f"the repository team/web has no sha256:{'0' * 64}" in ending.result


def test_a_limit_on_findings_only_applies_to_ecr(stage: Stage, registry: Registry) -> None:
    """A warning is logged, and the image is deployed."""
    stage.web()
    ending = stage.deploy(f"{registry.host}/team/web:1.4.2", MAX_SEVERITY="HIGH")
    assert ending.code == 0, ending.text
    assert "MAX_SEVERITY does not apply to" in ending.log
