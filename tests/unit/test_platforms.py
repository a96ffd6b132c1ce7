"""The platforms of images, and the comparison before a deploy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipe.errors import ImageRefused
from pipe.image import Image
from pipe.kind import Kind
from pipe.model import Resumption, Snapshot, Target, Update
from pipe.registry import platforms
from pipe.registry.base import CannotVerify, RegistryImage
from pipe.registry.platform_check import PlatformCheck
from pipe.settings import Action, ImageRules, Verify, load
from tests.support.environment import environment

SETTINGS = load(environment("https://portal.example", "the-portal-token"))
RULES = SETTINGS.image_rules
BOTH = ("linux/amd64", "linux/arm64")


class Images:
    """A registry that knows the platforms of tags."""

    def __init__(self, **tags: Sequence[str] | None) -> None:
        self._tags = tags
        self.asked: list[str] = []

    def find(self, image: Image) -> RegistryImage:
        raise NotImplementedError

    def tags(self, image: Image) -> Sequence[str]:
        raise NotImplementedError

    def platforms(self, image: Image) -> frozenset[str]:
        self.asked.append(str(image))
        known = self._tags[image.tag]
        if known is None:
            raise CannotVerify("not allowed")
        return frozenset(known)


def change(old: str = "registry.example/web:old", new: str = "registry.example/web:new") -> Update:
    """Return the change of a service's image."""
    return Update(Snapshot(Target(Kind.SERVICE, "web"), {"": old}, "1", None), {"": new})


def check(registry: Images, *changes: Update, rules: ImageRules = RULES) -> list[str]:
    """Check changes; return the warnings."""
    warnings: list[str] = []
    settings = replace(SETTINGS, image_rules=rules)
    PlatformCheck(settings, lambda _: registry, warnings.append).check(changes or (change(),))
    return warnings


def test_an_image_for_other_platforms_is_refused() -> None:
    """Both are named, and what it would end with."""
    with pytest.raises(ImageRefused) as error:
        check(Images(old=["linux/amd64"], new=["linux/arm64"]))
    assert "web:new is for linux/arm64, and registry.example/web:old, which runs now, for " in str(
        error.value
    )
    assert "linux/amd64: on the present nodes it would fail with exec format error" in str(
        error.value
    )


def test_fewer_platforms_are_warned_of() -> None:
    """Only nodes of the missing one are affected, and there may be none."""
    (warning,) = check(Images(old=BOTH, new=["linux/amd64"]))
    assert "web:new is for linux/amd64; " in warning
    assert "linux/amd64, linux/arm64 too" in warning


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (BOTH, BOTH),
        (["linux/amd64"], BOTH),
        (None, ["linux/arm64"]),
        (["linux/amd64"], None),
        ([], ["linux/arm64"]),
    ],
)
def test_the_same_more_or_unknown_platforms_pass(old: Any, new: Any) -> None:
    """A registry that cannot be asked stops nothing."""
    assert check(Images(old=old, new=new)) == []


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("registry.example/web:old", "other.example/web:new", RULES),
        ("team/web:old", "team/web:new", RULES),
        ("***", "registry.example/web:new", RULES),
        (
            "registry.example/web:old",
            "registry.example/web:new",
            replace(RULES, verify=Verify.NEVER),
        ),
    ],
)
def test_some_images_are_not_asked_about(old: str, new: str, rules: ImageRules) -> None:
    """Another registry, a pull of Docker Hub, no image at all, and VERIFY_IMAGE: 'false'."""
    registry = Images(old=["linux/amd64"], new=["linux/arm64"])
    assert check(registry, change(old, new), rules=rules) == []
    assert registry.asked == []


def test_docker_hub_is_asked_if_verification_is_required() -> None:
    """The pulls are worth it then."""
    registry = Images(old=["linux/amd64"], new=["linux/arm64"])
    with pytest.raises(ImageRefused):
        check(
            registry,
            change("team/web:old", "team/web:new"),
            rules=replace(RULES, verify=Verify.ALWAYS),
        )


def test_a_rollback_is_not_checked() -> None:
    """The image that runs may be the one that cannot."""
    registry = Images(old=["linux/amd64"], new=["linux/arm64"])
    settings = replace(SETTINGS, action=Action.ROLLBACK)
    PlatformCheck(settings, lambda _: registry, print).check([change()])
    assert registry.asked == []


def test_each_image_is_asked_about_once() -> None:
    """Whatever the number of targets."""
    registry = Images(old=BOTH, new=BOTH)
    check(registry, change(), change())
    assert sorted(registry.asked) == ["registry.example/web:new", "registry.example/web:old"]


def test_a_resumed_change_is_not_refused() -> None:
    """It has been made."""
    registry = Images(old=["linux/amd64"], new=["linux/arm64"])
    assert check(registry, replace(change(), resumes=Resumption())) == []


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({}, set()),
        ({"manifests": None}, set()),
        ({"manifests": [None, {}, {"platform": None}, {"platform": {"os": "linux"}}]}, set()),
        ({"manifests": [{"platform": {"os": "unknown", "architecture": "unknown"}}]}, set()),
        ({"manifests": [{"platform": {"os": "linux", "architecture": ["amd64"]}}]}, set()),
        (
            {
                "manifests": [
                    {"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
                    {"platform": {"os": "windows", "architecture": "amd64"}},
                ]
            },
            {"linux/arm64", "windows/amd64"},
        ),
    ],
)
def test_the_platforms_of_an_index(manifest: Any, expected: set[str]) -> None:
    """Attestations and malformed entries are left out, and so are variants."""
    assert platforms.of_index(manifest) == expected


@pytest.mark.parametrize("config", [None, [], {}, {"digest": 7}, {"digest": "../x"}])
def test_an_invalid_digest_of_a_configuration_is_not_used(config: Any) -> None:
    """It would become part of an address."""
    assert platforms.config_digest({"config": config}) == ""
