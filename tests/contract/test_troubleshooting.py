"""docs/troubleshooting.md explains every error of a run, and no others."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

import pytest

from pipe import errors
from pipe.errors import ExitCode, PipeError
from tests.contract.documents import ROOT, program
from tests.support.prose import blunders

PAGE = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
SECTIONS = {
    int(code): (outcome, text)
    for code, outcome, text in re.findall(
        r"^## Exit code (\d+): ([\w-]+)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL
    )
}
PHRASE = r"^\| `([^`]+)` \|"


def classes(root: type[PipeError] = PipeError) -> Iterator[type[PipeError]]:
    """Yield every class of the error tree."""
    yield root
    for child in root.__subclasses__():
        yield from classes(child)


CLASSES = {one.__name__: one for one in classes()}


def literal(node: ast.expr) -> str:
    """Return the fixed parts of a text, with NUL, which no phrase contains, for the others."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) or "\0" for part in node.values)
    return ""


def texts() -> Iterator[str]:
    """Yield every text in the program except docstrings."""
    for tree in program().values():
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.expr) and id(node) not in docstrings:
                yield literal(node)


def diagnoses() -> Iterator[tuple[str, str]]:
    """Yield class and fixed text of the diagnosis wherever the program creates an error."""
    names = set(CLASSES) - {"ConfigError"}
    for tree in program().values():
        for owner, called, call in calls(tree):
            name = owner if called == "cls" else called
            arguments = [text for argument in call.args if (text := literal(argument))]
            if name in names and arguments and re.search("[a-z]{3}", arguments[0]):
                yield name, arguments[0]


def calls(tree: ast.Module) -> Iterator[tuple[str, str, ast.Call]]:
    """Yield every call of a plain name: the innermost class around it, the name, the call."""
    left: list[tuple[str, ast.AST]] = [("", tree)]
    while left:
        owner, node = left.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield owner, node.func.id, node
        inner = node.name if isinstance(node, ast.ClassDef) else owner
        left += [(inner, child) for child in ast.iter_child_nodes(node)]


DIAGNOSES = sorted(set(diagnoses()))


def sections(name: str) -> str:
    """Return the sections that explain errors of this class."""
    return "".join(text for _, text in SECTIONS.values() if f"`{name}`" in text)


def test_every_exit_code_has_its_section() -> None:
    """Number and outcome are those in deploy.json."""
    expected = {int(code): code.name.lower().replace("_", "-") for code in ExitCode}
    assert {code: outcome for code, (outcome, _) in SECTIONS.items()} == expected


@pytest.mark.parametrize("error", CLASSES.values(), ids=CLASSES)
def test_every_error_class_is_in_the_section_of_its_exit_code(error: type[PipeError]) -> None:
    """A class whose instances have different codes may be in any section."""
    named = {code for code, (_, text) in SECTIONS.items() if f"`{error.__name__}`" in text}
    if "code" in inspect.signature(error).parameters:
        assert named
    else:
        assert named == {int(error.code)}


def test_only_existing_classes_are_explained() -> None:
    """A renamed class is renamed in the document."""
    named = re.findall(r"^Class(?:es)? ((?:`\w+`(?:, )?)+)", PAGE, re.MULTILINE)
    explained = {name for names in named for name in re.findall(r"\w+", names)}
    unknown = explained - {name for name in dir(errors) if isinstance(getattr(errors, name), type)}
    assert not unknown, unknown


@pytest.mark.parametrize(("name", "diagnosis"), DIAGNOSES)
def test_every_diagnosis_is_explained(name: str, diagnosis: str) -> None:
    """The section of the exit code quotes each message of the log."""
    phrases = re.findall(PHRASE, sections(name), re.MULTILINE)
    assert any(phrase in diagnosis for phrase in phrases)


@pytest.mark.parametrize(("name", "diagnosis"), DIAGNOSES)
def test_every_diagnosis_is_a_sentence_before_the_next_one(name: str, diagnosis: str) -> None:
    """What runs now follows it; tests of whole runs check the same with the variable parts."""
    del name
    assert diagnosis.endswith((".", "\0")), diagnosis
    assert not blunders(f"{diagnosis.replace(chr(0), 'x')} Nothing was changed.")


def test_no_text_in_the_program_is_doubled() -> None:
    """Remedies and log lines included."""
    sentences = [text.replace("\0", "x") for text in texts() if re.match(r"[A-Z\0].* .*\.$", text)]
    assert len(sentences) > 200
    assert [text for text in sentences if blunders(text)] == []


def test_every_quoted_message_is_in_the_program() -> None:
    """The document quotes no message that never appears."""
    messages = list(texts())
    phrases = re.findall(PHRASE, PAGE, re.MULTILINE)
    assert [phrase for phrase in phrases if not any(phrase in text for text in messages)] == []


def test_every_row_has_a_cause_and_a_remedy() -> None:
    """Each row has three cells with text."""
    for row in re.findall(r"^\| .*$", PAGE, re.MULTILINE):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3, row
        assert all(cells), row
