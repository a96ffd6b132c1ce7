"""Any value in any variable: a usable message, and no change if the exit code is 2."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe import image
from pipe.image import ImageError
from pipe.settings.variables import VARIABLES
from tests.fuzz.share import Tally, cases
from tests.reliability.scenarios import DEPLOY, ScenarioHarness
from tests.support.environment import STEP
from tests.support.harness import RunResult
from tests.support.records import plant

LOG_LINE = re.compile(r"(DEBUG|INFO|WARNING|ERROR): .*|")
# Variables that act on this machine: folders stay below the test's own, commands come from a list.
FOLDERS = ("REPORT_DIR", "TEST_REPORT_DIR")
COMMANDS = ("PRE_DEPLOY_TEST", "POST_DEPLOY_TEST")
NAMES = [variable.name for variable in VARIABLES]
AMBIENT = [*STEP, "BITBUCKET_BUILD_NUMBER", "BITBUCKET_COMMIT", "BITBUCKET_STEP_OIDC_TOKEN"]

# The environment of a process can hold any bytes but NUL.
texts = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.text("\t\n\r \x1b\u2028\u202e'\"`$&<>{}%\\;|-_.:/@0aZ", max_size=40),
    st.sampled_from(
        [
            *("true", "FALSE", "yes", "on", "0", "-1", "1e9", "9" * 400, "٣", "²", "nan", "inf"),
            *("$IMAGE", "${X}", "$(id)", "~", "null", "[]", "{}", "!!python/object:os.system"),
            *("https://", "https://[", "https://[::1", "https://a:b@c", "https://x:99999", "//"),
            *("http://[::1]:0", "https://xn--a", "https://ü.example", "ftp://x", "https://a/%00"),
            *("a:b@sha256:" + "0" * 64, "a@sha256:0", ":", "a:", "@", "A:1", "a//b:1", "a:1:2"),
            *(".", "..", "/", "a,b", ",", "a b", "x" * 5000, "/dev/zero", "/proc/self/mem"),
            *("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
            *("deploy", "check", "rollback", "service", "ecs", "lambda", "auto", "NONE", "200-"),
        ]
    ),
).map(lambda text: text.replace("\x00", ""))
environs = st.dictionaries(st.sampled_from([*NAMES, *AMBIENT]), texts, min_size=1, max_size=5)


def harmless(name: str, value: str, folder: Path) -> str:
    """Return the value, restricted so that it has no effect outside the test."""
    if name in FOLDERS:
        safe = "".join(char for char in value if char not in "/\\").strip(". ")[:50]
        return str(folder / safe) if safe else ""
    if name in COMMANDS:
        return ("true", "false", "exit 300", "kill -9 $$", "no-such-command")[len(value) % 5]
    return value


def check(harness: ScenarioHarness, result: RunResult) -> None:
    """Assert no defect, no forged log line and a true report of what was changed."""
    assert result.code in range(12)
    assert result.code != 1, result.text
    assert "Traceback" not in result.text
    for line in result.log.splitlines():
        assert LOG_LINE.fullmatch(line), ascii(line)
    assert len(result.stdout.strip().splitlines()) == 1
    if result.code == 2:
        # Some problems are found only with the targets, so there may have been reads.
        assert harness.world.write_attempts() == []
        # A secret may be a word of that sentence.
        assert "othing was changed" in result.stdout or "***" in result.stdout
    if result.code in (2, 3, 5, 6) or "othing was changed" in result.stdout:
        assert harness.writes() == []
    assert result.seconds < 86400


def test_any_text_in_any_variable(tmp_path: Path, tally: Tally) -> None:
    """Exit code 2 with every problem, or a valid run; never a traceback."""

    @cases(6000)
    @given(environs)
    def holds(environ: dict[str, str]) -> None:
        folder = tmp_path / str(tally.one() % 50)
        harness = ScenarioHarness(folder, DEPLOY)
        given_values = {name: harmless(name, value, folder) for name, value in environ.items()}
        check(harness, harness.run(**given_values))

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_each_variable_alone(name: str, tmp_path: Path, tally: Tally) -> None:
    """Every variable in the table has cases of its own, so that a new one is covered."""

    @cases(100)
    @given(texts)
    def holds(value: str) -> None:
        tally.one()
        harness = ScenarioHarness(tmp_path, DEPLOY)
        check(harness, harness.run(**{name: harmless(name, value, tmp_path)}))

    holds()


def test_any_record_of_an_earlier_run(tmp_path: Path, tally: Tally) -> None:
    """An authentic record may contain anything."""
    values: Any = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    )
    keys = ("name", "version", "restart", "after", "rollback_to", "previous_pods", "resumed")
    targets = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(keys, values)) | values)

    @cases(1000)
    @given(targets, values, values, st.sampled_from([{}, {"RESTART": "true"}]))
    def holds(entries: Any, code: Any, number: Any, environ: dict[str, str]) -> None:
        tally.one()
        harness = ScenarioHarness(tmp_path, DEPLOY)
        step = {"step": "{step}", "pipeline": "{pipeline}", "run_number": number}
        about = {"portal": "https://portal.example", "tenant": "dev01", "changed": True}
        harness.report_dir.mkdir(exist_ok=True)
        named = [{"name": "web", **one} if isinstance(one, dict) else one for one in entries]
        plant(
            harness.report_dir / "deploy.json",
            {**about, "exit_code": code, "step": step, "targets": named},
            harness.world.token,
        )
        result = harness.run(BITBUCKET_STEP_RUN_NUMBER="2", **environ)
        assert result.code == 0, result.text

    holds()


def test_any_text_as_an_image(tally: Tally) -> None:
    """It is parsed and prints the same, or is refused; comparing never fails."""

    @cases(3000)
    @given(st.text(max_size=60) | st.from_regex(r"[a-z0-9./:@_-]{1,60}", fullmatch=True))
    def holds(text: str) -> None:
        tally.one()
        assert image.same(text, text)
        try:
            found = image.parse(text)
        except ImageError:
            return
        assert str(found) == text
        assert image.parse(str(found)) == found

    holds()
