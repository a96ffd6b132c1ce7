"""The parts of a release are consistent before it is made."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import generate
from tests.contract.documents import ROOT

PIPELINES = yaml.safe_load((ROOT / "bitbucket-pipelines.yml").read_text("utf-8"))["pipelines"]
LOCKS = ("requirements", "requirements-demo", "requirements-dev")


def test_the_changelog_is_made_from_the_changesets(tmp_path: Path) -> None:
    """`make docs` writes it; it is never edited by hand."""
    # A copy, as the tool creates a folder where it reads.
    changes = tmp_path / ".changes"
    changes.mkdir()
    for path in ROOT.glob(".changes/*.json"):
        (changes / path.name).write_text(path.read_text("utf-8"), "utf-8")
    command = [sys.executable, "-m", "semversioner", "--path", str(tmp_path)]
    made = subprocess.run([*command, "changelog"], capture_output=True, text=True, check=True)
    assert (ROOT / "CHANGELOG.md").read_text("utf-8") == made.stdout
    newest = subprocess.run(
        [*command, "current-version"], capture_output=True, text=True, check=True
    )
    assert newest.stdout.strip() == generate.current_version()


def test_a_new_version_is_written_everywhere_except_to_pipe_yml() -> None:
    """The release pipe writes pipe.yml; a newer version there would count as released."""
    now, new = generate.current_version(), "97.98.99"
    before, after = generate.documents(now), generate.documents(new)
    changed = {path.relative_to(ROOT).as_posix() for path in after if after[path] != before[path]}
    assert {"README.md", "pipe/__init__.py", "docs/self-hosted-runners.md"} <= changed
    assert {f"examples/{path.name}" for path in ROOT.glob("examples/*.yml")} <= changed
    assert "pipe.yml" not in changed
    for path in after:
        if path.name != "pipe.yml":
            assert not re.search(rf"deploy-pipe:{re.escape(now)}\b", after[path]), path


def test_the_settings_of_renovate_are_valid() -> None:
    """The file conforms to Renovate's own schema."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.renovate"]
    checked = subprocess.run(
        [*command, str(ROOT / "renovate.json")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_renovate_can_lock_again() -> None:
    """It repeats the command in the head of a lock file, of which it supports only this one."""
    for name in LOCKS:
        head = (ROOT / f"{name}.txt").read_text("utf-8").splitlines()[1]
        assert head.startswith("#    uv pip compile ")
        assert head.endswith(f" {name}.in -o {name}.txt")
        assert "--generate-hashes" in head


def test_the_lock_files_agree() -> None:
    """Each lock file contains those before it, so that `make test` only adds to `make demo`."""
    pins = [
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / f"{name}.txt").read_text("utf-8"), re.MULTILINE))
        for name in LOCKS
    ]
    assert pins[0] < pins[1] < pins[2]


def names(steps: list[object]) -> list[str]:
    """Return the steps of a pipeline in order, including parallel ones."""
    pairs = re.findall(r"'step': \{'name': '([^']*)'|'name': '([^']*)'", repr(steps))
    return [one or other for one, other in pairs]


@pytest.mark.parametrize("pipeline", [PIPELINES["default"], PIPELINES["branches"]["main"]])
def test_every_check_precedes_the_release(pipeline: list[object]) -> None:
    """Lint, tests, size and both architectures come before the release pipe."""
    order = names(pipeline)
    assert len(order) == 6
    assert "bitbucket-pipe-release" in repr(pipeline[-1])
    assert "bitbucket-pipe-release" not in repr(pipeline[:-1])
    assert {"Lint", "Test, including containers"} <= set(order[:-1])


def test_a_development_version_is_released_by_hand_only() -> None:
    """The step is manual and makes neither a commit nor a tag."""
    step = PIPELINES["default"][-1]["step"]
    assert step["trigger"] == "manual"
    variables = next(entry["variables"] for entry in step["script"] if isinstance(entry, dict))
    assert variables["GIT_PUSH"] == "false"
    assert "-dev" in repr(step["script"])


@pytest.mark.parametrize(
    "step", [PIPELINES["branches"]["main"][-1], PIPELINES["custom"]["publish"][-1]]
)
def test_the_sbom_is_uploaded_after_the_push(step: dict[str, Any]) -> None:
    """`make shipped` reads the image that was pushed."""
    script = [str(line) for line in step["step"]["script"]]
    pushed = next(
        at for at, line in enumerate(script) if "pipe-release" in line or "publish" in line
    )
    assert script[pushed + 1] == "make shipped"
    assert "bitbucket-upload-file" in script[pushed + 2]
    assert "build/*.cdx.json" in script[pushed + 2]
