"""Somebody else at the same target, at every request of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.scene import (
    DEPLOY,
    DEPLOY_OLD,
    NEW,
    PLAYS,
    ROLLBACK,
    Play,
    Scene,
    nth,
    share,
)
from tests.support.stage import RunResult

THEIRS = "team/web:9.9.9"
REPLACED = "which replaced it"


def moments(model: Scene) -> list[tuple[str, int]]:
    """Before and after every request of the undisturbed run."""
    return [(when, n) for n in range(1, model.sent + 1) for when in ("before", "after")]


def last_look(model: Scene) -> int:
    """The request with which a run looks for the last time what the service is to run."""
    reads = [
        number
        for number, record in enumerate(model.world.log, 1)
        if record.method == "GET" and "replicationcontroller" in record.path.lower()
    ]
    return reads[-1]


def right(model: Scene, scene: Scene, ending: RunResult, moment: tuple[str, int]) -> bool:
    """Whether the run noticed, and left theirs alone."""
    if f"Plan: web: {THEIRS} -> " in ending.log:
        return True  # it was there before the first look: that is what ran before
    if ending.code == 7 and (scene.web.image == THEIRS or REPLACED in ending.text):
        return True
    over = moment[1] > last_look(model) or moment == ("after", last_look(model))
    return over and ending.code == scene.play.code and scene.web.image == THEIRS


@pytest.mark.parametrize("play", PLAYS, ids=str)
def test_theirs_is_noticed_and_never_undone(
    play: Play, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """At every request: exit 7 and their image stays, unless the last look was over.

    Between our last look and our change no request lies, and the portal knows no conditional
    change: there ours replaces theirs, and that ends the run with exit 7 as well.
    """
    model = Scene(tmp_path / "model", play)
    model.run()
    wrong = []
    for when, number in (points := share(moments(model), 3)):
        scene = Scene(tmp_path / f"{when}{number}", play)

        def eve(scene: Scene = scene) -> None:
            scene.web.set_images({"duplo-main-container": THEIRS}, "eve")

        setattr(scene, when, nth(number, eve))
        ending = scene.run()
        if not right(model, scene, ending, (when, number)):
            wrong.append(f"{when} {number}: {ending.code} {scene.web.image}\n{ending.text}")
    record_property("cells", len(points))
    record_property("cells_failed", len(wrong))
    assert not wrong, "\n".join(wrong)


def test_without_history_a_change_in_the_same_moment_cannot_be_known(tmp_path: Path) -> None:
    """The one gap that the portal leaves: no request of ours lies in it, and ours serves."""
    scene = Scene(tmp_path, DEPLOY)
    scene.web.keeps_history = False

    def eve() -> None:
        scene.web.set_images({"duplo-main-container": THEIRS}, "eve")

    scene.world.intrude(lambda _: eve(), when=("PUT", "containerimage", 1), moment="before")
    ending = scene.run()
    assert (ending.code, scene.web.image) == (0, NEW)


@pytest.mark.parametrize("play", [DEPLOY, DEPLOY_OLD, ROLLBACK], ids=str)
def test_two_runs_at_once_never_both_succeed_with_different_images(
    play: Play, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A whole other run at every request of the first: one serves, and the other says so."""
    model = Scene(tmp_path / "model", play)
    model.run()
    wrong = []
    for when, number in (points := share(moments(model), 5)):
        scene = Scene(tmp_path / f"{when}{number}", play)
        second: list[RunResult] = []

        def other(scene: Scene = scene, second: list[RunResult] = second) -> None:
            scene.before = scene.after = lambda _: None
            environ = {"IMAGE": THEIRS, "BITBUCKET_STEP_UUID": "{other}", "ROLLBACK": ""}
            second.append(scene.run(REPORT_DIR=str(tmp_path / "other"), **environ))

        setattr(scene, when, nth(number, other))
        first = scene.run()
        if not one_served(scene, first, second[0]):
            wrong.append(f"{when} {number}: {first.text}\nand: {second[0].text}")
    record_property("cells", len(points))
    record_property("cells_failed", len(wrong))
    assert not wrong, "\n".join(wrong)


def one_served(scene: Scene, first: RunResult, second: RunResult) -> bool:
    """Whether at most one of two runs succeeds, or they succeed knowingly after each other."""
    if first.code or second.code:
        return scene.web.image in (scene.play.image, scene.play.left, THEIRS)
    return f"(before: {THEIRS})" in first.result or f"(before: {NEW})" in second.result
