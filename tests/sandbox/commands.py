"""Commands that run to an end inside the tenant, as jobs or as ECS tasks: how they go, and did."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Any

from tests.sandbox.behaviour import Behaviour, Fate

KEEPS_FROM_STARTING: frozenset[Fate] = frozenset(
    {
        "bad-command",
        "config-error",
        "invalid-name",
        "missing-volume",
        "no-registry",
        "pull-error",
        "pull-error-passing",
        "unschedulable",
    }
)
"""The fates of an image that its commands share: the others are those of its server."""

_OUT_OF_MEMORY = 137
_SLEEP = re.compile(r"\bsleep (\d+(?:\.\d+)?)\s*[;\n]\s*exit ")
_REPORT = re.compile(r'\becho "([^"\n$]*)[$]\w+([^"\n]*)"\s*[;\n]\s*sleep ')
_LIMIT = re.compile(r"[(]sleep (\d+(?:\.\d+)?); kill -TERM ")
_VARIABLE = re.compile(r"[$][$]|[$][(](\w+)[)]")


@dataclass(frozen=True)
class Command:
    """How a command goes."""

    seconds: float = 1.0
    """Seconds from its start to its end."""
    lines: Sequence[tuple[float, str]] = ()
    """What it writes: seconds since its start, and the line."""
    exit_code: int = 0
    out_of_memory: bool = False
    failures: int | None = None
    """Number of starts that fail; later ones succeed. None means all."""
    fate: Fate = "run"
    """What keeps its container from starting; see `KEEPS_FROM_STARTING`."""
    passes_after: float | None = None
    """Age of the container from which that has passed; None means never."""
    stop_seconds: float | None = None
    """Seconds until it is killed because it ignores SIGTERM, as a shell does; None: it heeds."""

    def __post_init__(self) -> None:
        if self.fate not in {"run", *KEEPS_FROM_STARTING}:
            raise ValueError(f"the fate {self.fate!r} does not keep a command from starting")

    @property
    def code(self) -> int:
        """The exit code of a start that fails, or 0."""
        return _OUT_OF_MEMORY if self.out_of_memory else self.exit_code

    def code_of(self, attempt: int) -> int:
        """Return the exit code of a start, the first of which is number 0."""
        return self.code if self.failures is None or attempt < self.failures else 0

    def failing(self, image: Behaviour) -> Behaviour:
        """Return the behaviour of its container: its own fate, or that of the image's start."""
        if self.fate != "run":
            return replace(image, fate=self.fate, passes_after=self.passes_after)
        if image.fate in KEEPS_FROM_STARTING:
            return image
        return replace(image, fate="run", passes_after=None)

    def written(self, seconds: float) -> list[str]:
        """Return the lines that it has written after that many seconds."""
        return [text for moment, text in self.lines if moment <= seconds + 1e-9]


@dataclass
class Start:
    """A start of a command: when, what `line` it was, and by which job or task.

    `code` is the exit code of a command that ended by itself.
    """

    at: float
    line: str
    owner: str
    ended: float | None = None
    code: int | None = None

    def end(self, at: float, code: int | None) -> None:
        """Note the end, by itself or because it was killed."""
        self.ended, self.code = at, code


class Commands:
    """The commands of a world."""

    def __init__(self) -> None:
        self._scripted: dict[str, Command] = {}
        self.starts: list[Start] = []
        """Every start of a container that was to run a command."""

    def script(self, text: str, command: Command) -> None:
        """Set how commands go from now on whose image or command line contains a text."""
        self._scripted[text] = command

    def find(self, line: str) -> Command:
        """Return how a command goes; one that is not known succeeds in a second, in silence."""
        texts = [text for text in self._scripted if text in line]
        return self._scripted[max(texts, key=len)] if texts else Command()

    def runs(self, text: str) -> int:
        """Return how often commands were started whose image or command line contains a text."""
        return len(self.of(text))

    def completions(self, text: str) -> int:
        """Return how often such commands succeeded."""
        return sum(start.code == 0 for start in self.of(text))

    def overlap(self, text: str) -> bool:
        """Return whether two such commands ever ran at the same time."""
        return any(
            one.ended is None or one.ended > other.at for one, other in pairwise(self.of(text))
        )

    def of(self, text: str) -> list[Start]:
        """Return the starts of commands whose image or command line contains a text, in order."""
        return [start for start in self.starts if text in start.line]


def command_line(container: Mapping[str, Any]) -> str:
    """Return image and command of a job's container, as Kubernetes passes them on.

    `$(NAME)` is replaced by the variable, and `$$` by `$`.
    """
    words = [*_list(container.get("command")), *_list(container.get("args"))]
    variables = {
        str(one["name"]): str(one.get("value") or "") for one in _list(container.get("env"))
    }

    def expanded(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else variables.get(name, match.group())

    text = " ".join(map(str, words))
    return f"{container.get('image')} {_VARIABLE.sub(expanded, text)}"


def stopped_after(line: str) -> float:
    """Return the seconds after which a script ends its command, infinity if it does not."""
    found = _LIMIT.search(line)
    return float(found.group(1)) if found else inf


def lingers(line: str) -> float:
    """Return the seconds that a script sleeps before it exits with the code of its command.

    A script does so to let its last lines be read while its pod still exists.
    """
    found = _SLEEP.search(line)
    return float(found.group(1)) if found else 0.0


def reported(line: str, code: int) -> list[str]:
    """Return the line in which such a script reports the code before it sleeps, if it does."""
    found = _REPORT.search(line)
    return [f"{found.group(1)}{code}{found.group(2)}"] if found else []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
