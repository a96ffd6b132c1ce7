"""What a release is made from fits together before it is made."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from docs import generate
from tests.contract.documents import ROOT

PIPELINES = yaml.safe_load((ROOT / "bitbucket-pipelines.yml").read_text("utf-8"))["pipelines"]


def test_the_changelog_is_made_from_the_changesets(tmp_path: Path) -> None:
    """`make docs` writes it; nobody edits it by hand."""
    # A copy, because the tool makes a folder where it looks.
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


def test_the_version_to_come_is_written_everywhere_but_where_the_release_pipe_writes_it() -> None:
    """pipe.yml with a version ahead would be taken for a release that was made already."""
    now, coming = generate.current_version(), "97.98.99"
    before, after = generate.documents(now), generate.documents(coming)
    changed = {path.relative_to(ROOT).as_posix() for path in after if after[path] != before[path]}
    assert {"README.md", "pipe/__init__.py", "docs/self-hosted-runners.md"} <= changed
    assert {f"examples/{path.name}" for path in ROOT.glob("examples/*.yml")} <= changed
    assert "pipe.yml" not in changed
    for path in after:
        if path.name != "pipe.yml":
            assert not re.search(rf"deploy-pipe:{re.escape(now)}\b", after[path]), path


def test_renovate_understands_its_settings() -> None:
    """Against its own schema."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.renovate"]
    checked = subprocess.run(
        [*command, str(ROOT / "renovate.json")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_renovate_can_lock_again() -> None:
    """It repeats the command in a lock file's head, and knows this one alone."""
    for name in ("requirements", "requirements-dev"):
        head = (ROOT / f"{name}.txt").read_text("utf-8").splitlines()[1]
        assert head.startswith("#    uv pip compile ")
        assert head.endswith(f" {name}.in -o {name}.txt")
        assert "--generate-hashes" in head


def names(steps: list[object]) -> list[str]:
    """The steps of a pipeline in order, those side by side too."""
    found = re.findall(r"'step': \{'name': '([^']*)'|'name': '([^']*)'", repr(steps))
    return [one or other for one, other in found]


@pytest.mark.parametrize("pipeline", [PIPELINES["default"], PIPELINES["branches"]["main"]])
def test_nothing_is_pushed_before_everything_is_checked(pipeline: list[object]) -> None:
    """Lint, tests, size and both architectures come before the release pipe."""
    order = names(pipeline)
    assert len(order) == 6
    assert "bitbucket-pipe-release" in repr(pipeline[-1])
    assert "bitbucket-pipe-release" not in repr(pipeline[:-1])
    assert {"Lint", "Test, including containers"} <= set(order[:-1])


def test_a_development_version_is_never_released_by_itself() -> None:
    """By hand only, and without a commit or a tag."""
    step = PIPELINES["default"][-1]["step"]
    assert step["trigger"] == "manual"
    variables = next(entry["variables"] for entry in step["script"] if isinstance(entry, dict))
    assert variables["GIT_PUSH"] == "false"
    assert "-dev" in repr(step["script"])


@pytest.mark.parametrize(
    "step", [PIPELINES["branches"]["main"][-1], PIPELINES["custom"]["publish"][-1]]
)
def test_what_an_image_is_made_of_is_put_beside_it(step: dict) -> None:
    """After the image has been pushed, for it is the pushed one that is looked at."""
    script = [str(line) for line in step["step"]["script"]]
    pushed = next(
        at for at, line in enumerate(script) if "pipe-release" in line or "publish" in line
    )
    assert script[pushed + 1] == "make shipped"
    assert "bitbucket-upload-file" in script[pushed + 2]
    assert "build/*.cdx.json" in script[pushed + 2]
