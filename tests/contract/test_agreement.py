"""What users read, what pipe.yml says and what the program does are one and the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipe import __version__
from pipe.errors import ExitCode
from pipe.settings import load
from pipe.settings.variables import VARIABLES, Variable

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PIPE = yaml.safe_load((ROOT / "pipe.yml").read_text("utf-8"))
READY = [variable for variable in VARIABLES if variable.ready]
SNIPPETS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


def section(title: str) -> str:
    """One section of the README."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def row(variable: Variable) -> str:
    """A variable's row in the README, as the table of the program has it."""
    mark = " (*)" if variable.required else ""
    default = f" Default: `{variable.default}`." if variable.default else ""
    return f"| {variable.name}{mark} | {variable.usage}{default} |"


def test_the_readme_follows_the_order_of_official_pipes() -> None:
    """People find things where they are used to."""
    titles = re.findall(r"^## (.*)$", README, re.MULTILINE)
    official = ["YAML Definition", "Variables", "Prerequisites", "Examples", "Support", "License"]
    assert [title for title in titles if title in official] == official


def test_the_readme_lists_every_variable_as_the_program_knows_it() -> None:
    """Name, meaning and default, in the same order."""
    rows = re.findall(r"^\| [A-Z_]+(?: \(\*\))? \|.*$", section("Variables"), re.MULTILINE)
    assert rows == [row(variable) for variable in READY]


def test_the_yaml_definition_lists_every_variable() -> None:
    """Required ones first, optional ones commented out."""
    names = re.findall(r"^    (# )?([A-Z_]+):", section("YAML Definition"), re.MULTILINE)
    expected = sorted(READY, key=lambda variable: not variable.required)
    assert names == [("" if variable.required else "# ", variable.name) for variable in expected]


def test_pipe_yml_lists_every_variable_with_its_default() -> None:
    """A required secret's default is the variable of the same name; an optional one has none."""
    listed = {entry["name"]: entry.get("default", "") for entry in PIPE["variables"]}
    expected = {v.name: f"${v.name}" if v.secret and v.required else v.default for v in READY}
    assert listed == expected


def test_every_exit_code_is_explained() -> None:
    """The table holds the codes of the program, no more and no less."""
    codes = re.findall(r"^\| ([0-9]+) \|", section("Variables"), re.MULTILINE)
    assert [int(code) for code in codes] == [int(code) for code in ExitCode]


def test_the_version_is_the_same_everywhere() -> None:
    """One release, one number."""
    assert PIPE["image"] == f"nholuongut/bitbucket-deploy-pipe:{__version__}"
    assert set(re.findall(r"deploy-pipe:([0-9.]+)", README)) == {__version__}


def wrapped(snippet: str) -> str:
    """A snippet as a whole pipeline."""
    if "pipelines:" in snippet:
        return snippet
    indented = snippet.replace("\n", "\n          ")
    return f"pipelines:\n  default:\n    - step:\n        script:\n          {indented}"


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_snippet_is_valid_for_bitbucket(snippet: str, tmp_path: Path) -> None:
    """Against the vendor's own schema."""
    path = tmp_path / "bitbucket-pipelines.yml"
    path.write_text(wrapped(snippet), "utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    checked = subprocess.run(
        [*command, "vendor.bitbucket-pipelines", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def passed(values: dict[str, str | list[str]]) -> dict[str, str]:
    """Variables as Bitbucket passes them: a list becomes a count and numbered entries."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, str):
            flat[name] = value
        else:
            flat[f"{name}_COUNT"] = str(len(value))
            flat |= {f"{name}_{number}": entry for number, entry in enumerate(value)}
    return flat


@pytest.mark.parametrize(
    "snippet", [snippet for snippet in SNIPPETS if "DUPLO_HOST: https" in snippet]
)
def test_every_example_is_accepted_by_the_program(snippet: str) -> None:
    """With the shell's variables filled in as Bitbucket does."""
    text = json.dumps(yaml.safe_load(snippet))
    for variables in re.findall(
        r'"pipe": "[^"]*", "variables": (\{[^{}]*(?:\{[^}]*\}[^{}]*)*\})', text
    ):
        values = json.loads(variables)
        flat = {
            name: re.sub(r"\$\{?\w+\}?", "1.2.3", value) for name, value in passed(values).items()
        }
        load(flat)


def test_links_inside_the_documents_resolve() -> None:
    """Every relative link leads to a file that is there."""
    for path in ROOT.glob("*.md"):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
