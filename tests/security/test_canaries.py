"""Runs with every secret variable set: none of them appears in any output."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from pipe.deploy.sequence import Deploy
from pipe.settings.variables import VARIABLES
from tests.reliability.scenarios import (
    BAD,
    CONFIGURATIONS,
    FAILED,
    SCENARIOS,
    SEEN_BY_KUBERNETES,
    SEEN_ROLLBACK,
    Scenario,
    ScenarioHarness,
)
from tests.sandbox import ApiFault, Behaviour, RequestRecord
from tests.security import canaries
from tests.support.harness import RunResult

TOKEN = canaries.value_of("duplo_token")
Check = Callable[[ScenarioHarness, RunResult], None]


@pytest.fixture
def clean(record_property: Callable[[str, object], None]) -> Check:
    """Return a check that no canary is in a run's output and files."""

    def check(harness: ScenarioHarness, result: RunResult) -> None:
        found = [*canaries.found_in(result.text), *canaries.found_below(harness.folder)]
        record_property("canaries", len(found))
        assert not found, f"{found}\n{result.text}"

    return check


def harness_of(scenario: Scenario, folder: Path) -> ScenarioHarness:
    """Return a harness whose portal accepts a canary as token."""
    harness = ScenarioHarness(folder, scenario)
    harness.world.add_token(TOKEN)
    return harness


def run(harness: ScenarioHarness, **extra: str) -> RunResult:
    """Run the pipe with every secret variable and DEBUG."""
    secret = {**canaries.environ(), "DUPLO_TOKEN": TOKEN, "DEBUG": "true"}
    return harness.run(**{**secret, **extra})


@pytest.mark.parametrize("scenario", [*SCENARIOS, *SEEN_BY_KUBERNETES], ids=str)
def test_no_run_shows_a_secret(scenario: Scenario, tmp_path: Path, clean: Check) -> None:
    """Neither success nor restart, rollback or failure does, with DEBUG."""
    harness = harness_of(scenario, tmp_path)
    result = run(harness)
    assert result.code == scenario.code, result.text
    clean(harness, result)


@pytest.mark.parametrize("scenario", [*SCENARIOS, *CONFIGURATIONS], ids=str)
def test_no_run_shows_a_value_of_the_environment(
    scenario: Scenario, tmp_path: Path, clean: Check
) -> None:
    """Values that `ENV` sets are masked like secrets, also where the run fails."""
    harness = harness_of(scenario, tmp_path)
    result = run(harness, ENV=f"NEW_FLAG={canaries.ENVIRONMENT}")
    assert result.code == scenario.code, result.text
    clean(harness, result)


def test_refused_variables_show_no_secret(tmp_path: Path, clean: Check) -> None:
    """Secrets stay masked when other variables are invalid."""
    harness = harness_of(FAILED, tmp_path)
    result = harness.run(DUPLO_TOKEN=f"{TOKEN} ", **canaries.environ(), WAIT="perhaps")
    assert result.code == 2
    clean(harness, result)


@pytest.mark.parametrize("name", [v.name for v in VARIABLES if not v.secret])
def test_a_secret_in_the_wrong_variable_is_not_shown(
    name: str, tmp_path: Path, clean: Check
) -> None:
    """A token that is pasted into another variable is masked."""
    harness = harness_of(FAILED, tmp_path)
    if name in ("REPORT_DIR", "TEST_REPORT_DIR") or name.endswith("_TEST"):
        pytest.skip("the value would be the name of a folder, or a command")
    clean(harness, run(harness, **{name: TOKEN}))


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
    harness = harness_of(FAILED, tmp_path)
    body = f"denied: {spell(TOKEN)}"
    harness.world.script(ApiFault(status=status, body=body, times=999, skip=1))
    result = run(harness)
    assert result.code in (3, 4)
    clean(harness, result)


def test_faults_and_logs_of_pods_show_no_secret(tmp_path: Path, clean: Check) -> None:
    """Evidence from the cluster is masked as well."""
    harness = harness_of(FAILED, tmp_path)
    lines = (f"env: DUPLO_TOKEN={TOKEN}", f"env: NEW_FLAG={canaries.ENVIRONMENT}")
    crash = Behaviour("crash", log=lines, fault=f"Back-off {TOKEN}")
    harness.world.behave("team/web:bad", crash)
    result = run(harness, ENV=f"NEW_FLAG={canaries.ENVIRONMENT}")
    assert result.code == 10
    assert "env: DUPLO_TOKEN=***" in result.log
    assert "env: NEW_FLAG=***" in result.log
    clean(harness, result)


@pytest.mark.parametrize(
    "spell",
    [
        lambda token: token,
        lambda token: quote(token, safe=""),
        lambda token: base64.b64encode(token.encode()).decode(),
    ],
    ids=["raw", "url", "base64"],
)
def test_the_access_token_for_kubernetes_is_masked(
    spell: Callable[[str], str], tmp_path: Path, clean: Check
) -> None:
    """Although it is known only once it was issued: in errors, events, states and logs."""
    harness = harness_of(SEEN_ROLLBACK, tmp_path)

    def leak(record: RequestRecord) -> None:
        if record.path.endswith("/jitAccess"):
            text = spell(record.response["Token"])
            crash = Behaviour("crash", log=(f"token: {text}",), fault=f"Back-off {text}")
            harness.world.behave(BAD, crash)
            harness.world.script(ApiFault(path="/events$", status=403, body=f"denied: {text}"))

    harness.world.listeners.append(leak)
    result = run(harness)
    assert result.code == 8, result.text
    assert "token: ***" in result.log
    clean(harness, result)


def test_a_traceback_shows_no_secret(
    tmp_path: Path, clean: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect is logged in full, with secrets masked."""

    def broken(self: Deploy) -> str:
        raise RuntimeError(f"{TOKEN!r} {TOKEN} {TOKEN.encode()!r}")

    monkeypatch.setattr(Deploy, "run", broken)
    harness = harness_of(FAILED, tmp_path)
    result = run(harness)
    assert result.code == 1
    assert "RuntimeError" in result.log
    clean(harness, result)


def words(data: object) -> set[str]:
    """Return every key and text of a record, for JSON and for shells."""
    if isinstance(data, dict):
        return set(data) | {word for entry in data.values() for word in words(entry)}
    if isinstance(data, list):
        return {word for entry in data for word in words(entry)}
    return {data} if isinstance(data, str) else set()


def test_a_secret_that_is_a_common_word_breaks_no_report(tmp_path: Path) -> None:
    """Every file stays readable, whether the password is `true`, `null` or `targets`."""
    record = dict(ScenarioHarness(tmp_path / "plain", FAILED).run().report)
    # No password is the authentication code that the run makes of its own record.
    del record["mac"]
    everyday = {word for word in words(record) if len(word) >= 4 and word.isprintable()}
    for number, word in enumerate(sorted({*everyday, "true", "null", "false", '"]},', "DEPLOY_"})):
        harness = ScenarioHarness(tmp_path / str(number), FAILED)
        result = harness.run(REGISTRY_USERNAME="ci", REGISTRY_PASSWORD=word)
        assert result.code == FAILED.code, result.text
        assert result.report["targets"]
        assert result.report["exit_code"] == FAILED.code
        for name in ("deploy.env", "deploy.html"):
            assert (harness.report_dir / name).stat().st_size


def test_the_search_finds_planted_canaries(tmp_path: Path) -> None:
    """Every form of a canary in a file is found."""
    for number, form in enumerate(canaries.forms(TOKEN)):
        (tmp_path / f"{number}.txt").write_text(f"harmless {form} text", "utf-8")
    assert canaries.found_in(f"see {canaries.value_of('aws_session_token')}")
    raw = [line for line in canaries.found_below(tmp_path) if "duplo_token" in line.lower()]
    assert raw or canaries.found_below(tmp_path)
