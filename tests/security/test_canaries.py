"""Every secret at once, in every kind of ending: none of them is seen anywhere."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from pipe.deploy.sequence import Deploy
from pipe.settings.variables import VARIABLES
from tests.reliability.harness import FAILED, SCENARIOS, Harness, Scenario
from tests.sandbox import ApiFault, Behaviour
from tests.security import canaries
from tests.support.stage import RunResult

TOKEN = canaries.value_of("duplo_token")
Check = Callable[[Harness, RunResult], None]


@pytest.fixture
def clean(record_property: Callable[[str, object], None]) -> Check:
    """Look for canaries in what a run said and wrote."""

    def check(scene: Harness, ending: RunResult) -> None:
        found = [*canaries.found_in(ending.text), *canaries.found_below(scene.folder)]
        record_property("canaries", len(found))
        assert not found, f"{found}\n{ending.text}"

    return check


def scene_of(play: Scenario, folder: Path) -> Harness:
    """A portal whose token is a canary too."""
    scene = Harness(folder, play)
    scene.world.add_token(TOKEN)
    return scene


def run(scene: Harness, **extra: str) -> RunResult:
    """A run with every secret there is, in full detail."""
    secret = {**canaries.environ(), "DUPLO_TOKEN": TOKEN, "DEBUG": "true"}
    return scene.run(**{**secret, **extra})


@pytest.mark.parametrize("play", SCENARIOS, ids=str)
def test_no_ending_shows_a_secret(play: Scenario, tmp_path: Path, clean: Check) -> None:
    """Success, restart, rollback and failure, with DEBUG on."""
    scene = scene_of(play, tmp_path)
    ending = run(scene)
    assert ending.code == play.code, ending.text
    clean(scene, ending)


def test_refused_variables_show_no_secret(tmp_path: Path, clean: Check) -> None:
    """Secrets beside variables that are wrong are secrets all the same."""
    scene = scene_of(FAILED, tmp_path)
    ending = scene.run(DUPLO_TOKEN=f"{TOKEN} ", **canaries.environ(), WAIT="perhaps")
    assert ending.code == 2
    clean(scene, ending)


@pytest.mark.parametrize("name", [v.name for v in VARIABLES if not v.secret])
def test_a_secret_in_the_wrong_variable_is_not_shown(
    name: str, tmp_path: Path, clean: Check
) -> None:
    """Whoever mixes two lines up must not find the token in the log."""
    scene = scene_of(FAILED, tmp_path)
    if name in ("REPORT_DIR", "TEST_REPORT_DIR") or name.endswith("_TEST"):
        pytest.skip("it would become a folder's name, or a command")
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
def test_a_portal_that_repeats_the_token_is_not_repeated(
    spell: Callable[[str], str], status: int, tmp_path: Path, clean: Check
) -> None:
    """In an error or in nonsense, in any spelling, and where the text is cut off."""
    scene = scene_of(FAILED, tmp_path)
    body = f"denied: {spell(TOKEN)}"
    scene.world.script(ApiFault(status=status, body=body, times=999, skip=1))
    ending = run(scene)
    assert ending.code in (3, 4)
    clean(scene, ending)


def test_faults_and_logs_of_pods_show_no_secret(tmp_path: Path, clean: Check) -> None:
    """Evidence comes from outside: what the run knows to be secret is hidden there as well."""
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
    """A defect is told in full, but not that."""

    def broken(self: Deploy) -> str:
        raise RuntimeError(f"{TOKEN!r} {TOKEN} {TOKEN.encode()!r}")

    monkeypatch.setattr(Deploy, "run", broken)
    scene = scene_of(FAILED, tmp_path)
    ending = run(scene)
    assert ending.code == 1
    assert "RuntimeError" in ending.log
    clean(scene, ending)


def words(data: object) -> set[str]:
    """Every key and every text of a record, and what JSON and shells spell themselves."""
    if isinstance(data, dict):
        return set(data) | {word for entry in data.values() for word in words(entry)}
    if isinstance(data, list):
        return {word for entry in data for word in words(entry)}
    return {data} if isinstance(data, str) else set()


def test_a_secret_that_is_an_everyday_word_breaks_no_report(tmp_path: Path) -> None:
    """`true`, `null`, `targets`: whatever a password is, every file stays readable."""
    record = Harness(tmp_path / "plain", FAILED).run().report
    everyday = {word for word in words(dict(record)) if len(word) >= 4 and word.isprintable()}
    for number, word in enumerate(sorted({*everyday, "true", "null", "false", '"]},', "DEPLOY_"})):
        scene = Harness(tmp_path / str(number), FAILED)
        ending = scene.run(REGISTRY_USERNAME="ci", REGISTRY_PASSWORD=word)
        assert ending.code == FAILED.code, ending.text
        assert ending.report["targets"]
        assert ending.report["exit_code"] == FAILED.code
        for name in ("deploy.env", "deploy.html"):
            assert (scene.report_dir / name).stat().st_size


def test_the_search_finds_what_it_is_for(tmp_path: Path) -> None:
    """A canary in any form and any file does not escape it."""
    for number, form in enumerate(canaries.forms(TOKEN)):
        (tmp_path / f"{number}.txt").write_text(f"harmless {form} text", "utf-8")
    assert canaries.found_in(f"see {canaries.value_of('aws_session_token')}")
    raw = [line for line in canaries.found_below(tmp_path) if "duplo_token" in line.lower()]
    assert raw or canaries.found_below(tmp_path)
