"""docs/troubleshooting.md explains every way a run can end, and nothing that cannot happen."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

import pytest

from pipe import errors
from pipe.errors import ExitCode, PipeError
from tests.contract.documents import ROOT

PAGE = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
SECTIONS = {
    int(code): (outcome, text)
    for code, outcome, text in re.findall(
        r"^## Exit code (\d+): ([\w-]+)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL
    )
}
PHRASE = r"^\| `([^`]+)` \|"
TREES = {path: ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.glob("pipe/**/*.py"))}


def classes(root: type[PipeError] = PipeError) -> Iterator[type[PipeError]]:
    """Every class of the error tree."""
    yield root
    for child in root.__subclasses__():
        yield from classes(child)


CLASSES = {one.__name__: one for one in classes()}


def literal(node: ast.expr) -> str:
    """What is fixed in a text; what is filled in becomes a blank that no phrase holds."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) or "\0" for part in node.values)
    return ""


def texts() -> Iterator[str]:
    """Every text in the program but its docstrings."""
    for tree in TREES.values():
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.expr) and id(node) not in docstrings:
                yield literal(node)


def diagnoses() -> Iterator[tuple[str, str]]:
    """Class and what is said, as far as it is fixed there, wherever an error of ours is made."""
    names = set(CLASSES) - {"ConfigError"}
    for tree in TREES.values():
        for owner, call in calls(tree):
            name = owner if call.func.id == "cls" else call.func.id
            said = [text for argument in call.args if (text := literal(argument))]
            if name in names and said and re.search("[a-z]{3}", said[0]):
                yield name, said[0]


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a plain name, with the class that it stands in."""
    owners = {
        node: owner.name
        for owner in ast.walk(tree)
        if isinstance(owner, ast.ClassDef)
        for node in ast.walk(owner)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield owners.get(node, ""), node


def sections(name: str) -> str:
    """The text of the sections where an error of this class is explained."""
    return "".join(text for _, text in SECTIONS.values() if f"`{name}`" in text)


def test_every_exit_code_has_its_section() -> None:
    """By number and by the outcome that deploy.json names."""
    expected = {int(code): code.name.lower().replace("_", "-") for code in ExitCode}
    assert {code: outcome for code, (outcome, _) in SECTIONS.items()} == expected


@pytest.mark.parametrize("error", CLASSES.values(), ids=CLASSES)
def test_every_error_class_stands_under_its_exit_code(error: type[PipeError]) -> None:
    """Or under any, where each error of a class gets an exit code of its own."""
    named = {code for code, (_, text) in SECTIONS.items() if f"`{error.__name__}`" in text}
    if "code" in inspect.signature(error).parameters:
        assert named
    else:
        assert named == {int(error.code)}


def test_no_class_is_explained_that_does_not_exist() -> None:
    """A renamed class is renamed here too."""
    named = re.findall(r"^Class(?:es)? ((?:`\w+`(?:, )?)+)", PAGE, re.MULTILINE)
    found = {name for names in named for name in re.findall(r"\w+", names)}
    unknown = found - {name for name in dir(errors) if isinstance(getattr(errors, name), type)}
    assert not unknown, unknown


@pytest.mark.parametrize(("name", "diagnosis"), tuple(dict.fromkeys(diagnoses())))
def test_every_diagnosis_is_explained(name: str, diagnosis: str) -> None:
    """What the log may say is in the section of its exit code, as it is said."""
    phrases = re.findall(PHRASE, sections(name), re.MULTILINE)
    assert any(phrase in diagnosis for phrase in phrases)


def test_every_phrase_is_one_that_the_program_says() -> None:
    """Nobody searches the page for words that are never used."""
    said = list(texts())
    phrases = re.findall(PHRASE, PAGE, re.MULTILINE)
    assert [phrase for phrase in phrases if not any(phrase in text for text in said)] == []


def test_every_row_has_a_cause_and_a_remedy() -> None:
    """A symptom alone helps nobody."""
    for row in re.findall(r"^\| .*$", PAGE, re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3, row
        assert all(cells), row
