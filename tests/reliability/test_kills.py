"""SIGKILL at every point, and the next run of the same step."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.reliability.scene import (
    DEPLOY,
    DEPLOY_OLD,
    OTHER_KINDS,
    RESTART,
    RESTART_NEW,
    ROLLBACK,
    Killed,
    Play,
    Scene,
    kill,
    nth,
    share,
)
from tests.support.stage import RunResult

Moment = tuple[str, int]


def clean(folder: Path, play: Play) -> tuple[Scene, RunResult]:
    """The run that nobody disturbs."""
    scene = Scene(folder / "clean", play)
    return scene, scene.run()


def moments(scene: Scene) -> Sequence[Moment]:
    """Before and after each request, and at each pause."""
    requests: list[Moment] = [
        (when, n) for n in range(1, scene.sent + 1) for when in ("before", "after")
    ]
    pauses: list[Moment] = [("pause", n) for n in range(1, len(scene.clock.slept) + 1)]
    return share([*requests, *pauses], 5)


def arm(scene: Scene, moment: Moment) -> None:
    """Have the next run killed at that moment."""
    when, number = moment
    if when == "pause":
        scene.clock.sleep = _deadly(scene.clock.sleep, number)  # type: ignore[method-assign]
    else:
        setattr(scene, when, nth(number, kill))


def disarm(scene: Scene) -> None:
    """Let the next run live."""
    scene.before = scene.after = lambda _: None
    scene.clock.__dict__.pop("sleep", None)


def _deadly(sleep: Callable[[float], None], number: int) -> Callable[[float], None]:
    count = 0

    def slept(seconds: float) -> None:
        nonlocal count
        count += 1
        if count == number:
            kill()
        sleep(seconds)

    return slept


def killed(scene: Scene, moment: Moment, **environ: str) -> None:
    """One run that is killed at `moment`."""
    arm(scene, moment)
    with pytest.raises(Killed):
        scene.run(**environ)
    scene.report()
    disarm(scene)


def again(scene: Scene, *, survives: bool, number: int = 2) -> RunResult:
    """The same step once more, with or without the folder of the run before."""
    if not survives:
        shutil.rmtree(scene.report_dir, ignore_errors=True)
    return scene.run(BITBUCKET_STEP_RUN_NUMBER=str(number))


@pytest.mark.parametrize("survives", [True, False], ids=["record", "no-record"])
@pytest.mark.parametrize("play", [DEPLOY, DEPLOY_OLD, RESTART, RESTART_NEW, *OTHER_KINDS], ids=str)
def test_a_killed_run_is_picked_up_and_ends_as_if_it_had_lived(
    tmp_path: Path, play: Play, survives: bool, record_property: Callable[[str, object], None]
) -> None:
    """At every request and pause: same exit code, same image, one change, no second restart."""
    model, ending = clean(tmp_path, play)
    assert ending.code == play.code
    wrong = []
    points = moments(model)
    for number, moment in enumerate(points):
        scene = Scene(tmp_path / str(number), play)
        killed(scene, moment)
        second = again(scene, survives=survives)
        got = (second.code, scene.web.image, len(scene.writes()), scene.starts)
        if got != (play.code, play.left, 1, model.starts):
            wrong.append(f"{moment}: {got}\n{second.text}")
    record_property("kills", len(points))
    record_property("kills_failed", len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("survives", [True, False], ids=["record", "no-record"])
def test_a_killed_run_that_was_to_fail_ends_with_the_version_before(
    tmp_path: Path, survives: bool, record_property: Callable[[str, object], None]
) -> None:
    """On the way there and on the way back: exit 8, and the old pods serve."""
    model, _ = clean(tmp_path, ROLLBACK)
    wrong = []
    points = moments(model)
    for number, moment in enumerate(points):
        scene = Scene(tmp_path / str(number), ROLLBACK)
        killed(scene, moment)
        second = again(scene, survives=survives)
        if (second.code, scene.web.image) != (8, ROLLBACK.left):
            wrong.append(f"{moment}: {second.code} {scene.web.image}\n{second.text}")
    record_property("kills", len(points))
    record_property("kills_failed", len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("play", [DEPLOY, RESTART], ids=str)
def test_two_kills_in_a_row_are_survived(
    tmp_path: Path, play: Play, record_property: Callable[[str, object], None]
) -> None:
    """The second run leaves as good a record as the first; the third ends it."""
    model, _ = clean(tmp_path, play)
    wrong = []
    points = [(m, n) for m in moments(model)[3::4] for n in (3, 5, 7)]
    for number, (first, then) in enumerate(points):
        scene = Scene(tmp_path / str(number), play)
        killed(scene, first)
        with contextlib.suppress(pytest.fail.Exception):  # it may have ended before
            killed(scene, ("after", then), BITBUCKET_STEP_RUN_NUMBER="2")
        disarm(scene)
        third = again(scene, survives=True, number=3)
        got = (third.code, scene.web.image, len(scene.writes()), scene.starts)
        if got != (play.code, play.left, 1, model.starts):
            wrong.append(f"{first} {then}: {got}\n{third.text}")
    record_property("kills", 2 * len(points))
    record_property("kills_failed", len(wrong))
    assert not wrong, "\n".join(wrong)
