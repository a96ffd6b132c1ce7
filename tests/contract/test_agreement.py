"""The README, pipe.yml and the program agree."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from docs import generate
from pipe import __version__
from pipe.errors import ExitCode
from pipe.kind import Kind
from pipe.settings.variables import BY_NAME, VARIABLES
from tests.contract.documents import DOCUMENTS, ROOT, fences
from tests.sandbox.world import DEFAULT_TOKEN

README = (ROOT / "README.md").read_text("utf-8")
PIPE = yaml.safe_load((ROOT / "pipe.yml").read_text("utf-8"))
CONTRACT = os.environ.get("PIPE_CONTRACT", "")
"""Path of the contract with users, which is kept outside of this repository."""
KEYS = {
    *("name", "image", "description", "category", "variables", "repository"),
    *("vendor", "maintainer", "tags"),
}
PLANNED: set[str] = set()
"""Variables of the contract that the program does not have yet."""


def section(title: str) -> str:
    """Return one section of the README."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_readme_follows_the_order_of_official_pipes() -> None:
    """Readers find each section where they expect it."""
    titles = re.findall(r"^## (.*)$", README, re.MULTILINE)
    official = [
        *("YAML Definition", "Variables", "Prerequisites", "Authentication"),
        *("Examples", "Support", "License"),
    ]
    assert [title for title in titles if title in official] == official


def test_the_two_commands_are_near_the_top() -> None:
    """A fresh machine needs only these."""
    head = README.split("\n## ")[0]
    assert re.findall(r"^make \w+", head, re.MULTILINE) == ["make demo", "make test"]


def test_the_generated_parts_are_up_to_date() -> None:
    """If not, run `make docs`."""
    stale = [
        str(path.relative_to(ROOT))
        for path, text in generate.documents(generate.current_version()).items()
        if path.read_text("utf-8") != text
    ]
    assert stale == []


def test_the_readme_lists_every_variable() -> None:
    """Name, meaning and default, in the same order as in the program."""
    rows = re.findall(r"^\| [A-Z_]+(?: \(\*\))? \|.*$", section("Variables"), re.MULTILINE)
    assert rows == [generate.row(variable) for variable in VARIABLES]


def test_the_readme_lists_every_kind_with_its_capabilities() -> None:
    """One row for each kind, in the order of the enum."""
    rows = re.findall(r"^\| `[a-z]+` \|.*$", section("Variables"), re.MULTILINE)
    assert rows == [generate.kind_row(kind) for kind in Kind]


def test_a_refused_capability_is_explained_in_the_readme() -> None:
    """A CronJob cannot be restarted, and the row gives the reason."""
    assert generate.kind_row(Kind.CRONJOB).startswith("| `cronjob` | CronJob | no: a CronJob has")


@pytest.mark.parametrize("name", ["KIND", "RESTART"])
def test_usage_texts_name_kinds_as_the_program_spells_them(name: str) -> None:
    """KIND lists every kind, RESTART those that cannot be restarted."""
    listed = re.findall(r"`([a-z]+)`", BY_NAME[name].usage)
    expected = [kind for kind in Kind if name == "KIND" or not kind.capabilities.can_restart]
    assert listed == expected


def test_the_yaml_definition_lists_every_variable() -> None:
    """Required ones come first, optional ones are commented out."""
    names = re.findall(r"^    (# )?([A-Z_]+):", section("YAML Definition"), re.MULTILINE)
    expected = sorted(VARIABLES, key=lambda variable: not variable.required)
    assert names == [("" if variable.required else "# ", variable.name) for variable in expected]


def test_the_headings_of_the_table_precede_existing_variables() -> None:
    """A heading would disappear with a renamed variable."""
    assert set(generate.GROUPS) <= set(BY_NAME)


def test_pipe_yml_lists_every_variable_with_its_default() -> None:
    """A required secret's default is the variable of its name; an optional one has none.

    Bitbucket passes a literal `$NAME` where the variable is not defined.
    """
    listed = {entry["name"]: entry.get("default", "") for entry in PIPE["variables"]}
    expected = {v.name: f"${v.name}" if v.secret and v.required else v.default for v in VARIABLES}
    assert listed == expected


def test_pipe_yml_contains_only_keys_of_bitbucket() -> None:
    """The repository's URL has an account and a name."""
    assert set(PIPE) == KEYS
    assert re.fullmatch(r"https://bitbucket\.org/[\w-]+/[\w-]+", PIPE["repository"])


@pytest.mark.skipif(not CONTRACT, reason="PIPE_CONTRACT does not name the contract")
def test_the_program_knows_the_variables_of_the_contract() -> None:
    """The same names and defaults; what is planned is neither read nor documented yet."""
    table = Path(CONTRACT).read_text("utf-8").split("\n## 2.")[1].split("\n## 3.")[0]
    promised: dict[str, str] = {}
    for names, default in re.findall(
        r"^\| ((?:`[A-Z_]+`(?:, )?)+)[^|]*\|([^|]*)\|", table, re.MULTILINE
    ):
        literal = re.fullmatch(r"`([^`]*)`", default.strip())
        promised |= dict.fromkeys(re.findall(r"`(\w+)`", names), literal and literal[1])
    assert set(promised) >= PLANNED
    assert set(promised) - PLANNED == set(BY_NAME)
    for name, default in promised.items():
        if default and name not in PLANNED:
            assert BY_NAME[name].default == default, name


def test_every_exit_code_is_explained() -> None:
    """The table contains exactly the codes and outcomes of the program."""
    rows = re.findall(r"^\| ([0-9]+) \| ([\w-]+) \|", section("Variables"), re.MULTILINE)
    codes = [(str(int(code)), code.name.lower().replace("_", "-")) for code in ExitCode]
    assert rows == codes


def test_the_version_is_the_same_everywhere() -> None:
    """Program, pipe.yml, changelog and every mention of the image have the same version."""
    assert PIPE["image"] == f"{generate.IMAGE}:{__version__}"
    newest = re.search(r"^## ([0-9.]+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest
    assert newest[1] == __version__
    for path in [*DOCUMENTS, *ROOT.glob("examples/*.yml")]:
        mentioned = re.findall(r"deploy-pipe:([0-9][\w.-]*)", path.read_text("utf-8"))
        assert set(mentioned) <= {__version__}, path.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_inside_the_documents_resolve(path: Path) -> None:
    """Every relative link leads to an existing file.

    None leads to a heading, for which Bitbucket generates anchors of its own.
    """
    for link in re.findall(r"\]\((?!https?://)([^)]+)\)", path.read_text("utf-8")):
        assert "#" not in link
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_the_documents_exist(path: Path) -> None:
    """Each `make` command names a target of the Makefile."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for command in re.findall(r"(?:^|`)make ([a-z]+)", path.read_text("utf-8"), re.MULTILINE):
        assert command in targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_only_existing_variables(path: Path) -> None:
    """A name with the first word of one of the pipe's variables is one of them."""
    families = {name.split("_")[0] for name in BY_NAME if "_" in name} - {"AWS"}
    for name in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", path.read_text("utf-8")):
        assert name.split("_")[0] not in families or name in BY_NAME, name


def test_the_readme_tries_the_sandbox_with_its_own_token() -> None:
    """The commands to copy work as they are."""
    commands = "".join(fences(ROOT / "README.md", "sh"))
    assert re.findall(r"DUPLO_TOKEN=(\S+)", commands) == [DEFAULT_TOKEN]


def test_each_variable_is_defined_once() -> None:
    """A second entry would replace the first."""
    assert len(BY_NAME) == len(VARIABLES)
