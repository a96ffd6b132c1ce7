"""The sentences about a run's end: what to do after a failure, and why nothing was to be done."""

from __future__ import annotations

import pytest

from pipe import image
from pipe.deploy import outcome
from pipe.kind import Kind
from pipe.model import MAIN, Plan, Snapshot, Target, Update
from pipe.settings import ImageRequest

WEB = Target(Kind.SERVICE, "web")
BEFORE = {MAIN: "team/web:1", "log": "team/log:3"}


def update(target: Target = WEB, **images: str) -> Update:
    """Return an update of these containers; `main` is the main one."""
    wanted = {MAIN if name == "main" else name: new for name, new in images.items()}
    before = Snapshot(target, BEFORE, "1", None)
    return Update(before, wanted, rollback_to={name: BEFORE[name] for name in wanted})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (update(main="team/web:2"), "IMAGE: 'team/web:1'."),
        (update(log="team/log:4"), "SERVICES: 'web/log=team/log:3' (instead of"),
        (
            update(main="team/web:2", log="team/log:4"),
            "SERVICES: 'web=team/web:1 web/log=team/log:3' (instead of",
        ),
        (
            update(Target(Kind.ECS, "api"), log="team/log:4"),
            "SERVICES: 'ecs:api/log=team/log:3' (instead of",
        ),
    ],
    ids=["main", "sidecar", "both", "ecs"],
)
def test_the_advice_restores_the_container_that_failed(change: Update, line: str) -> None:
    """A sidecar's image must never get into the main container."""
    assert f"restore the previous version with {line}" in outcome.advice([change], rollback=False)


def nothing_to_do(requested: str, kind: Kind = Kind.SERVICE, container: str = "") -> str:
    """Return the sentence for a target that runs the requested image."""
    target = Target(kind, "web")
    now = Snapshot(target, {**BEFORE, container: requested}, "1", None, main="web")
    request = ImageRequest(target, image.parse(requested), container)
    return outcome.nothing_to_do(Plan((), (now,)), [request])


@pytest.mark.parametrize("tag", ["latest", "main", "stable"])
def test_an_unchanged_tag_without_a_digit_may_have_moved(tag: str) -> None:
    """The portal shows the tag only; two settings deploy what it names now."""
    message = nothing_to_do(f"team/web:{tag}")
    assert f"web already runs team/web:{tag}. If {tag} was pushed again since" in message
    assert "RESTART: 'true'" in message
    assert "PIN_DIGEST: 'true'" in message


@pytest.mark.parametrize("name", ["team/web:1.4.1", f"team/web:latest@sha256:{64 * 'a'}"])
def test_a_version_or_a_digest_gets_no_hint(name: str) -> None:
    """A tag with a digit is rarely moved, and a digest never."""
    assert nothing_to_do(name) == f"Nothing to change: web already runs {name}."


def test_restart_is_no_hint_for_a_kind_that_cannot_restart() -> None:
    """A CronJob has no pods to restart."""
    message = nothing_to_do("team/web:latest", Kind.CRONJOB)
    assert "RESTART" not in message
    assert "PIN_DIGEST" in message


def test_an_unchanged_sidecar_is_named_as_in_the_settings() -> None:
    """The other containers were not asked for."""
    assert nothing_to_do("log:3", container="log") == (
        "Nothing to change: web/log already runs log:3."
    )
