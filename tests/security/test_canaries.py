"""Runs with every secret variable set: none of them appears in any output."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from pipe.deploy.sequence import Deploy
from pipe.settings.variables import VARIABLES
from tests.reliability.scenarios import FAILED, SCENARIOS, Scenario, ScenarioHarness
from tests.sandbox import ApiFault, Behaviour
from tests.security import canaries
from tests.support.stage import RunResult

TOKEN = canaries.value_of("duplo_token")
Check = Callable[[ScenarioHarness, RunResult], None]


@pytest.fixture
def clean(record_property: Callable[[str, object], None]) -> Check:
    """Return a check that no canary is in a run's output and files."""

    def check(scene: ScenarioHarness, ending: RunResult) -> None:
        found = [*canaries.found_in(ending.text), *canaries.found_below(scene.folder)]
        record_property("canaries", len(found))
        assert not found, f"{found}\n{ending.text}"

    return check


def scene_of(play: Scenario, folder: Path) -> ScenarioHarness:
    """Return a scene whose portal accepts a canary as token."""
    scene = ScenarioHarness(folder, play)
    scene.world.add_token(TOKEN)
    return scene


def run(scene: ScenarioHarness, **extra: str) -> RunResult:
    """Run the pipe with every secret variable and DEBUG."""
    secret = {**canaries.environ(), "DUPLO_TOKEN": TOKEN, "DEBUG": "true"}
    return scene.run(**{**secret, **extra})


@pytest.mark.parametrize("play", SCENARIOS, ids=str)
def test_no_run_shows_a_secret(play: Scenario, tmp_path: Path, clean: Check) -> None:
    """Neither success nor restart, rollback or failure does, with DEBUG."""
    scene = scene_of(play, tmp_path)
    ending = run(scene)
    assert ending.code == play.code, ending.text
    clean(scene, ending)


def test_refused_variables_show_no_secret(tmp_path: Path, clean: Check) -> None:
    """Secrets stay masked when other variables are invalid."""
    scene = scene_of(FAILED, tmp_path)
    ending = scene.run(DUPLO_TOKEN=f"{TOKEN} ", **canaries.environ(), WAIT="perhaps")
    assert ending.code == 2
    clean(scene, ending)


@pytest.mark.parametrize("name", [v.name for v in VARIABLES if not v.secret])
def test_a_secret_in_the_wrong_variable_is_not_shown(
    name: str, tmp_path: Path, clean: Check
) -> None:
    """A token that is pasted into another variable is masked."""
    scene = scene_of(FAILED, tmp_path)
    if name in ("REPORT_DIR", "TEST_REPORT_DIR") or name.endswith("_TEST"):
        pytest.skip("the value would be the name of a folder, or a command")
    clean(scene, run(scene, **{name: TOKEN}))


@pytest.mark.parametrize(
    "spell",
    [
        lambda token: token,
        lambda token: quote(token, safe=""),
        lambda token: base64.b64encode(token.encode()).decode(),
        lambda token: base64.b64encode(f"ci:{token}".encode()).decode(),
        lambda token: "x" * 260 + token,
        lambda token: "x" * 90 + token,
    ],
    ids=["raw", "url", "base64", "basic", "cut at 300", "cut at 100"],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_a_token_in_a_response_is_masked(
    spell: Callable[[str], str], status: int, tmp_path: Path, clean: Check
) -> None:
    """In error bodies and unexpected ones, in any encoding, and where the text is cut off."""
    scene = scene_of(FAILED, tmp_path)
    body = f"denied: {spell(TOKEN)}"
    scene.world.script(ApiFault(status=status, body=body, times=999, skip=1))
    ending = run(scene)
    assert ending.code in (3, 4)
    clean(scene, ending)


def test_faults_and_logs_of_pods_show_no_secret(tmp_path: Path, clean: Check) -> None:
    """Evidence from the cluster is masked as well."""
    scene = scene_of(FAILED, tmp_path)
    crash = Behaviour("crash", log=(f"env: DUPLO_TOKEN={TOKEN}",), fault=f"Back-off {TOKEN}")
    scene.world.behave("team/web:bad", crash)
    ending = run(scene)
    assert ending.code == 10
    assert "env: DUPLO_TOKEN=***" in ending.log
    clean(scene, ending)


def test_a_traceback_shows_no_secret(
    tmp_path: Path, clean: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect is logged in full, with secrets masked."""

    def broken(self: Deploy) -> str:
        raise RuntimeError(f"{TOKEN!r} {TOKEN} {TOKEN.encode()!r}")

    monkeypatch.setattr(Deploy, "run", broken)
    scene = scene_of(FAILED, tmp_path)
    ending = run(scene)
    assert ending.code == 1
    assert "RuntimeError" in ending.log
    clean(scene, ending)


def words(data: object) -> set[str]:
    """Return every key and text of a record, for JSON and for shells."""
    if isinstance(data, dict):
        return set(data) | {word for entry in data.values() for word in words(entry)}
    if isinstance(data, list):
        return {word for entry in data for word in words(entry)}
    return {data} if isinstance(data, str) else set()


def test_a_secret_that_is_a_common_word_breaks_no_report(tmp_path: Path) -> None:
    """Every file stays readable, whether the password is `true`, `null` or `targets`."""
    record = ScenarioHarness(tmp_path / "plain", FAILED).run().report
    everyday = {word for word in words(dict(record)) if len(word) >= 4 and word.isprintable()}
    for number, word in enumerate(sorted({*everyday, "true", "null", "false", '"]},', "DEPLOY_"})):
        scene = ScenarioHarness(tmp_path / str(number), FAILED)
        ending = scene.run(REGISTRY_USERNAME="ci", REGISTRY_PASSWORD=word)
        assert ending.code == FAILED.code, ending.text
        assert ending.report["targets"]
        assert ending.report["exit_code"] == FAILED.code
        for name in ("deploy.env", "deploy.html"):
            assert (scene.report_dir / name).stat().st_size


def test_the_search_finds_planted_canaries(tmp_path: Path) -> None:
    """Every form of a canary in a file is found."""
    for number, form in enumerate(canaries.forms(TOKEN)):
        (tmp_path / f"{number}.txt").write_text(f"harmless {form} text", "utf-8")
    assert canaries.found_in(f"see {canaries.value_of('aws_session_token')}")
    raw = [line for line in canaries.found_below(tmp_path) if "duplo_token" in line.lower()]
    assert raw or canaries.found_below(tmp_path)
