"""By which values of KUBERNETES each case is run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tests.live.cases import Case

MODES = ("false", "auto", "true")
_SELECTED = frozenset(
    (
        *("good", "rollback", "crash-at-once", "oom-kill", "never-ready-1", "unschedulable"),
        *("absent-image", "stateful-set", "daemon-set", "changed-by-another"),
    )
)
"""The cases that run in the mode `auto` as well unless LIVE_MODES names the modes."""

_ALONE = frozenset(("registry-away",))
"""Cases with a port of their own, which can run in one mode only: the first that is named."""


def by_mode(cases: Iterable[Case]) -> Iterator[Case]:
    """Yield each case in the modes that LIVE_MODES names (`all`, or some), under its own name.

    A case that is about one mode runs in that one alone.
    """
    named = os.environ.get("LIVE_MODES", "")
    modes = MODES if named == "all" else named.split()
    for case in cases:
        if case.mode:
            yield _in_mode(case, case.mode, case.name)
            continue
        usual = ("false", "auto") if case.name in _SELECTED else ("false",)
        for mode in (modes or usual)[: 1 if case.name in _ALONE else None]:
            name = case.name if mode == "false" else f"{case.name}-{mode}"
            yield _in_mode(case, mode, name)


def _in_mode(case: Case, mode: str, name: str) -> Case:
    variables = {**case.plan.variables, "KUBERNETES": mode}
    if mode != "false":
        # The log of every request shows how many went to the API server.
        variables["DEBUG"] = "true"
    plan = replace(case.plan, variables=variables)
    return replace(case, name=name, base=case.name, mode=mode, plan=plan)
