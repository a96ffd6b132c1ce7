"""Read single variables from the environment and collect every problem with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pipe.errors import Problem
from pipe.settings.parsers import LITERAL, SECRET_LITERAL, Parser
from pipe.settings.variables import BY_NAME, Variable

T = TypeVar("T")


class Reader:
    """Returns values by variable name; `problems` collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.optional: frozenset[str] = frozenset()
        """Required variables that this run does not need."""
        self.problems: list[Problem] = []

    def raw(self, name: str) -> str:
        """Return the stripped value; empty and absent are the same."""
        return self._environ.get(name, "").strip()

    def value(self, name: str) -> str:
        """Return the value or its default; a missing or unreplaced one is a problem."""
        variable, value = BY_NAME[name], self.raw(name)
        literal = SECRET_LITERAL if variable.secret else LITERAL
        if value and not variable.may_hold_dollar and literal.fullmatch(value):
            self._refuse_literal(variable, value)
        elif not value and variable.required and name not in self.optional:
            self._refuse_missing(variable)
        else:
            return value or variable.default
        return ""

    def read(self, name: str, parse: Parser[T], otherwise: T) -> T:
        """Return the parsed value, or `otherwise` if it is empty or invalid."""
        variable, value = BY_NAME[name], self.value(name)
        if not value:
            return otherwise
        try:
            return parse(value)
        except ValueError as error:
            if not variable.secret and (literal := LITERAL.search(value)):
                self._refuse_literal(variable, literal[0])
            else:
                self.refuse(name, str(error))
            return otherwise

    def refuse(self, name: str, what: str, fix: str = "") -> None:
        """Record a problem once; without `fix`, the remedy is the variable's own line."""
        problem = Problem(name, what, fix or f"Write under variables:   {BY_NAME[name].line}")
        if problem not in self.problems:
            self.problems.append(problem)

    def _refuse_literal(self, variable: Variable, value: str) -> None:
        self.refuse(
            variable.name,
            f"still contains the literal text {value}: it was not replaced by a value",
            f"Write under variables:   {variable.line}   (a variable used there must be defined "
            "in the repository, the workspace or the deployment environment)",
        )

    def _refuse_missing(self, variable: Variable) -> None:
        from difflib import get_close_matches  # noqa: PLC0415 - see pipe.loading

        others = set(self._environ) - set(BY_NAME)
        similar = get_close_matches(variable.name, others, 1, 0.8)
        what = "is empty" if variable.name in self._environ else "is missing"
        self.refuse(variable.name, f"{what} ({similar[0]} is set: a typo?)" if similar else what)
