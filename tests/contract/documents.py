"""Read pipelines and code blocks from the documents and examples, and the program itself."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import trustme
import yaml

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_REFERENCE = re.compile(r"\$\{?(\w+)\}?")
_FILLED_IN = {
    "AWS_OIDC_ROLE_ARN": "arn:aws:iam::123456789012:role/deploy",
    "DUPLO_HOST": "https://example.nholuongut.net",
    "DEPLOY_PREVIOUS_IMAGE": "myimage:1.4.0",
    "WEBHOOK": "https://hooks.example.com/deployments/x",
    "SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/x",
}


@cache
def program() -> Mapping[Path, ast.Module]:
    """Return the syntax tree of every module of the pipe; parsing them takes a while."""
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.glob("pipe/**/*.py"))}


@dataclass(frozen=True)
class Pipeline:
    """A piece of YAML for Bitbucket, and its source."""

    source: str
    text: str

    @property
    def whole(self) -> str:
        """The YAML as a complete file: part of a script gets a pipeline around it."""
        if "pipelines:" in self.text:
            return self.text
        script = textwrap.indent(self.text, " " * 10)
        return f"pipelines:\n  default:\n    - step:\n        script:\n{script}"

    @property
    def content(self) -> Any:
        """The complete file as data."""
        return yaml.safe_load(self.whole)

    def steps(self) -> list[Mapping[str, Any]]:
        """Return every step, including final ones."""
        return [
            value
            for key, value in _items(self.content)
            if key in ("step", "final") and isinstance(value, dict)
        ]

    def uses(self) -> list[Mapping[str, Any]]:
        """Return the variables of each use of this pipe, in order."""
        entries = [entry for step in self.steps() for entry in step["script"]]
        return [
            entry.get("variables", {})
            for entry in entries
            if isinstance(entry, dict) and "bitbucket-deploy-pipe" in entry["pipe"]
        ]

    def __str__(self) -> str:
        return self.source


def examples() -> list[Pipeline]:
    """Return the files of examples/, and this repository's own pipeline."""
    paths = [*sorted(ROOT.glob("examples/*.yml")), ROOT / "bitbucket-pipelines.yml"]
    return [Pipeline(path.name, path.read_text("utf-8")) for path in paths]


def snippets() -> list[Pipeline]:
    """Return the YAML inside the documents."""
    return [
        Pipeline(f"{path.name}-{number}", text)
        for path in DOCUMENTS
        for number, text in enumerate(fences(path, "yaml"), 1)
    ]


def fences(path: Path, language: str) -> list[str]:
    """Return the code blocks of a document in one language, without their indentation."""
    blocks = _FENCE.findall(path.read_text("utf-8"))
    return [textwrap.dedent(text) for _, named, text in blocks if named == language]


def environ(variables: Mapping[str, Any], clone: Path) -> Mapping[str, str]:
    """Return the environment of the pipe: lists numbered, references filled in."""
    certificate = clone / "certificates/internal-ca.pem"
    certificate.parent.mkdir(parents=True, exist_ok=True)
    trustme.CA().cert_pem.write_to_path(str(certificate))
    flat = {"BITBUCKET_CLONE_DIR": str(clone)}
    for name, value in variables.items():
        if isinstance(value, list):
            flat[f"{name}_COUNT"] = str(len(value))
            flat |= {f"{name}_{number}": _fill(one) for number, one in enumerate(value)}
        else:
            flat[name] = _fill(value)
    return flat


def _fill(value: str) -> str:
    return _REFERENCE.sub(lambda match: _FILLED_IN.get(match[1], "1.2.3"), value)


def _items(content: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            # Definitions are used by reference, and checked there.
            if key != "definitions":
                yield key, value
                yield from _items(value)
    elif isinstance(content, list):
        for value in content:
            yield from _items(value)
