"""Generate the parts of the documents that come from the program: `make docs`.

Usage: python -m docs.generate [--version VERSION]

Everything between a line `made by make docs: NAME` and the next `made by make docs: end` is
regenerated from the variables and kinds. Every mention of the image gets the version in
`pipe.yml`, or the one given with --version.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pipe.kind import Kind
from pipe.settings.variables import VARIABLES, Variable

ROOT = Path(__file__).parents[1]
IMAGE = "nholuongut/bitbucket-deploy-pipe"

GROUPS = {
    "DUPLO_HOST": "What to deploy",
    "VERIFY_IMAGE": "Image",
    "AWS_OIDC_ROLE_ARN": "AWS",
    "WAIT": "Rollout",
    "RELEASE_COMMAND": "Release command",
    "PRE_DEPLOY_TEST": "Tests",
    "REPORT_DIR": "Reports and notifications",
    "ACTION": "General",
}
"""Headings of the table of variables, by the first variable below each."""

KIND_COLUMNS = (
    *("`KIND`", "Target", "`RESTART`", "Image history in the portal", "Pods counted"),
    "Commands in the tenant",
)

_PART = re.compile(
    r"(?P<head>^[^\n]*made by make docs: (?P<name>(?!end)\w+)[^\n]*\n).*?"
    r"(?P<tail>^[^\n]*made by make docs: end)",
    re.MULTILINE | re.DOTALL,
)
_MENTION = re.compile(rf"({IMAGE}:)[0-9]+\.[0-9]+\.[0-9]+")
_CODE_VERSION = re.compile(r'(__version__ = ")[^"]*')


def main(arguments: Iterable[str]) -> int:
    """Update every document that is out of date."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--version", default=current_version(), help="default: the one in pipe.yml")
    options = parser.parse_args(list(arguments))
    for path, text in documents(options.version).items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"written: {path.relative_to(ROOT)}")
    return 0


def current_version() -> str:
    """Return the version in `pipe.yml`, which the release pipe reads and writes."""
    image = re.search(rf"^image: {IMAGE}:(\S+)$", _text("pipe.yml"), re.MULTILINE)
    if not image:
        sys.exit("pipe.yml names no image")
    return image[1]


def documents(version: str) -> Mapping[Path, str]:
    """Return the up-to-date text of each document by path."""
    texts = {ROOT / name: _filled(_text(name)) for name in ("README.md", "pipe.yml")}
    mentions = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.yml")]
    for path in mentions:
        text = texts.get(path) or path.read_text("utf-8")
        texts[path] = _MENTION.sub(rf"\g<1>{version}", text)
    code = ROOT / "pipe/__init__.py"
    texts[code] = _CODE_VERSION.sub(rf"\g<1>{version}", code.read_text("utf-8"))
    return texts


def row(variable: Variable) -> str:
    """Return the row of a variable in the README."""
    mark = " (*)" if variable.required else ""
    default = f" Default: `{variable.default}`." if variable.default else ""
    return f"| {variable.name}{mark} | {variable.usage}{default} |"


def kind_row(kind: Kind) -> str:
    """Return the row of a kind in the README."""
    able = kind.capabilities
    answers = (able.can_restart, able.keeps_history, able.has_pods, able.runs_jobs)
    cells = ["yes" if answer else f"no: {answer.reason}" for answer in answers]
    return f"| `{kind}` | {' | '.join([able.title, *cells])} |"


def _filled(text: str) -> str:
    return _PART.sub(lambda part: part["head"] + _PARTS[part["name"]]() + part["tail"], text)


def _definition() -> str:
    lines = [f"- pipe: docker://{IMAGE}:{current_version()}", "  variables:"]
    for variable in sorted(VARIABLES, key=lambda variable: not variable.required):
        entry = f"{variable.name}: {_placeholder(variable)}"
        lines.append(f"    {entry}" if variable.required else f"    # {entry} # Optional.")
    return "\n".join(["", "```yaml", *lines, "```", "", ""])


def _placeholder(variable: Variable) -> str:
    if variable.secret:
        return f"${variable.name}"
    if variable.example.startswith("["):
        return "['<string>']"
    if variable.default in ("true", "false"):
        return "'<boolean>'"
    return "'<integer>'" if variable.default.isdigit() else "'<string>'"


def _table() -> str:
    lines = ["", "| Variable | Usage |", "| --- | --- |"]
    group = heading = ""
    for variable in VARIABLES:
        heading = GROUPS.get(variable.name, heading)
        if heading != group:
            lines.append(f"| **{heading}** | |")
            group = heading
        lines.append(row(variable))
    return "\n".join([*lines, "", ""])


def _kinds() -> str:
    lines = ["", f"| {' | '.join(KIND_COLUMNS)} |", f"|{' --- |' * len(KIND_COLUMNS)}"]
    lines += [kind_row(kind) for kind in Kind]
    return "\n".join([*lines, "", ""])


def _metadata() -> str:
    lines: list[str] = []
    for variable in VARIABLES:
        lines.append(f"  - name: {variable.name}")
        if variable.secret and variable.required:
            lines.append(f'    default: "${variable.name}"')
        elif variable.default:
            lines.append(f"    default: '{variable.default}'")
    return "\n".join([*lines, ""])


_PARTS: Mapping[str, Callable[[], str]] = {
    "definition": _definition,
    "table": _table,
    "kinds": _kinds,
    "variables": _metadata,
}


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
