"""The layers of docs/architecture.md, and the sizes that keep every unit readable."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.contract.documents import ROOT, program

LAYERS = (
    (
        "authorities",
        "clock",
        "configuration",
        "files",
        "hosts",
        "image",
        "kind",
        "loading",
        "parallel",
        "process",
        "retry",
        "secret",
        "spelling",
        "target",
        "toolkit",
        "errors",
    ),
    ("guard", "model", "output"),
    ("settings",),
    ("http",),
    ("identity", "portal"),
    ("registry", "rollout", "deploy_tests", "kubernetes"),
    ("kinds",),
    ("jobs",),
    ("preflight",),
    ("report",),
    ("notify",),
    ("deploy",),
    ("dependencies",),
    ("actions",),
    ("composition",),
    ("rest_of_run",),
    ("run",),
    ("__main__",),
)
"""From the bottom to the top; the parts of one layer may use each other, but not in a circle."""

LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in program()
}
LONGEST_CLASS = 150
LONGEST_FUNCTION = 40


def imports_of(module: str) -> Iterator[str]:
    """Every module of the pipe that a module imports, at any place and for any purpose."""
    for node in ast.walk(program()[MODULES[module]]):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else str(node.module) for name in names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for name in names if name in MODULES and name != module)


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """The modules of the pipe that each module imports."""
    return {module: frozenset(imports_of(module)) for module in MODULES}


def part(module: str) -> str:
    """The package or module right below `pipe` that a module belongs to."""
    return [*module.split("."), ""][1]


def definitions(path: Path) -> Iterator[tuple[ast.AST, str, int]]:
    """Every class and function of a file, with its name and number of lines."""
    for node in ast.walk(program()[path]):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node, node.name, (node.end_lineno or 0) - node.lineno + 1


def test_every_part_has_a_layer() -> None:
    """A new package or module has to be placed before it can be used."""
    assert {part(module) for module in MODULES} - {""} == set(LEVELS)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_upward(module: str) -> None:
    """A lower layer knows nothing of a higher one, not even for type checking."""
    upward = {
        name
        for name in imports()[module]
        if part(name) and LEVELS[part(name)] > LEVELS.get(part(module), -1) and part(module)
    }
    assert upward == set()


def test_no_import_goes_in_a_circle() -> None:
    """Modules can be put in an order in which each imports only earlier ones."""
    own = {
        # A package's face imports its modules; those import each other, never the face.
        module: {name for name in names if not module.startswith(f"{name}.")}
        for module, names in imports().items()
    }
    assert list(TopologicalSorter(own).static_order())


def test_parts_of_a_layer_do_not_import_each_other_in_a_circle() -> None:
    """Packages form an order as well, not only their modules."""
    packages: Mapping[str, set[str]] = {part(module): set() for module in MODULES}
    for module, names in imports().items():
        packages[part(module)].update(part(name) for name in names if part(name) != part(module))
    assert list(
        TopologicalSorter({name: used - {""} for name, used in packages.items()}).static_order()
    )


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_classes_and_functions_stay_short(path: Path) -> None:
    """What does not fit on a screen or two is more than one thing."""
    long = [
        f"{name}: {lines} lines"
        for node, name, lines in definitions(path)
        if lines > (LONGEST_CLASS if isinstance(node, ast.ClassDef) else LONGEST_FUNCTION)
    ]
    assert long == []


def test_the_architecture_page_names_every_part() -> None:
    """docs/architecture.md says where everything goes."""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    missing = [name for name in LEVELS if f"`{name}/`" not in page and f"`{name}.py`" not in page]
    assert missing == []


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_no_name_that_a_package_loads_late_is_a_module_of_it(path: Path) -> None:
    """Once such a module is imported, the package would return it in place of what it names."""
    tree = ast.parse(path.read_text("utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "__getattr__" not in functions or path.name != "__init__.py":
        return
    names = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    )
    assert [name for name in names if (path.parent / f"{name}.py").exists()] == []
