"""Images in a registry other than ECR."""

from __future__ import annotations

from tests.sandbox.registry import Registry
from tests.support.harness import Harness


def test_a_pushed_image_is_verified_pinned_and_deployed(
    harness: Harness, registry: Registry
) -> None:
    """The digest is the registry's, in the service and in the record."""
    harness.web()
    digest = registry.push("team/web", "1.4.2")
    image = f"{registry.host}/team/web"
    result = harness.deploy(f"{image}:1.4.2", VERIFY_IMAGE="true", PIN_DIGEST="true")
    assert result.code == 0, result.text
    assert f"Image {image}:1.4.2: exists, {digest}" in result.log
    assert harness.world.service("web").image == f"{image}@{digest}"
    assert result.report["targets"][0]["digest"] == digest
    assert result.report["targets"][0]["after"] == {"": f"{image}@{digest}"}


def test_an_image_index_is_pinned_by_its_own_digest(harness: Harness, registry: Registry) -> None:
    """Whichever platform pulls it."""
    harness.web()
    platforms = [registry.push("team/web", f"1.5.0-{name}") for name in ("amd64", "arm64")]
    digest = registry.push_index("team/web", "1.5.0", platforms)
    image = f"{registry.host}/team/web"
    assert harness.deploy(f"{image}:1.5.0", PIN_DIGEST="true").code == 0
    assert harness.world.service("web").image == f"{image}@{digest}"


def test_a_digest_is_verified(harness: Harness, registry: Registry) -> None:
    """An image that is given by digest is looked up by digest."""
    harness.web()
    digest = registry.push("team/web", "1.4.2")
    image = f"{registry.host}/team/web@{digest}"
    result = harness.deploy(image, VERIFY_IMAGE="true")
    assert result.code == 0, result.text
    assert harness.world.service("web").image == image


def test_a_missing_tag_is_refused_with_similar_ones(harness: Harness, registry: Registry) -> None:
    """Exit 5, nothing changed, two tags suggested."""
    harness.web()
    result = harness.deploy(f"{registry.host}/team/web:1.4.22")
    assert result.code == 5
    assert 'has no tag "1.4.22"' in result.stdout
    assert "Did you mean 1.4.2 or 1.4.1?" in result.stdout
    assert harness.world.write_attempts() == []


def test_a_missing_repository_is_refused(harness: Harness, registry: Registry) -> None:
    """Exit 5 names repository and registry."""
    harness.web()
    result = harness.deploy(f"{registry.host}/team/wep:1.4.2")
    assert result.code == 5
    assert f"there is no repository team/wep at {registry.host}" in result.stdout


def test_a_missing_digest_is_refused(harness: Harness, registry: Registry) -> None:
    """Exit 5; no tag is similar to a digest."""
    harness.web()
    result = harness.deploy(f"{registry.host}/team/web@sha256:{'0' * 64}")
    assert result.code == 5
    assert f"the repository team/web has no sha256:{'0' * 64}" in result.stdout


def test_a_limit_on_findings_only_applies_to_ecr(harness: Harness, registry: Registry) -> None:
    """A warning is logged, and the image is deployed."""
    harness.web()
    result = harness.deploy(f"{registry.host}/team/web:1.4.2", MAX_SEVERITY="HIGH")
    assert result.code == 0, result.text
    assert "MAX_SEVERITY does not apply to" in result.log


def test_an_image_for_another_architecture_is_refused(harness: Harness, registry: Registry) -> None:
    """Exit 5 before anything changes; the configuration of each image names its platform."""
    registry.push("team/web", "arm", "arm64")
    image = f"{registry.host}/team/web"
    harness.web(f"{image}:1.4.1")
    result = harness.deploy(f"{image}:arm")
    assert result.code == 5, result.text
    assert f"The image {image}:arm is for linux/arm64, and {image}:1.4.1" in result.stdout
    assert harness.world.write_attempts() == []


def test_an_image_for_fewer_platforms_is_warned_of(harness: Harness, registry: Registry) -> None:
    """The deploy goes on; the record has the warning."""
    digests = [registry.push("team/web", f"1.6-{name}", name) for name in ("amd64", "arm64")]
    registry.push_index("team/web", "1.6.0", digests)
    image = f"{registry.host}/team/web"
    harness.web(f"{image}:1.6.0")
    result = harness.deploy(f"{image}:1.4.2")
    assert result.code == 0, result.text
    (warning,) = result.report["warnings"]
    assert "is for linux/amd64, linux/arm64 too" in warning
