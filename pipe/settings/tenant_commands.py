"""Read what runs inside the tenant: the release command, and the command of `ACTION: run`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipe.kind import Kind
from pipe.settings import parsers
from pipe.settings.model import (
    Action,
    DeployTestSettings,
    ImageRequest,
    Place,
    TenantCommandSettings,
)
from pipe.settings.reader import Reader
from pipe.settings.targets import numbered_entries
from pipe.settings.variables import BY_NAME
from pipe.target import Target

_SHELL = ("sh", "-c")
_LONGEST_TIMEOUT = 24 * 3600
_LONGEST_ARGUMENT = 1 << 17
"""Bytes, as Linux limits one argument."""
_INSTEAD = {
    "ACTION": "Name a service of the tenant in SERVICE, or run the command in a step",
    "RELEASE_COMMAND": "Run the command in the step, with PRE_DEPLOY_TEST",
}
"""What to do where no target can run commands in the tenant, by what requires it."""
_NOT_WITH_RUN = (
    *("ENV", "ENV_REMOVE", "REPLICAS", "RESTART", "RELEASE_COMMAND"),
    *("PRE_DEPLOY_TEST", "POST_DEPLOY_TEST", "POST_DEPLOY_URL"),
)


def read_tenant_commands(
    reader: Reader,
    environ: Mapping[str, str],
    action: Action,
    requests: Sequence[ImageRequest],
    tests: DeployTestSettings,
) -> TenantCommandSettings:
    """Return what runs inside the tenant, and with which target's environment."""
    kind = reader.read("KIND", parsers.choice(Kind), Kind.SERVICE)
    release = _command(reader, environ, "RELEASE_COMMAND")
    command = _command(reader, environ, "COMMAND")
    named = reader.read("RELEASE_TARGET", parsers.target(kind), None)
    seconds = reader.read("RELEASE_TIMEOUT", parsers.seconds(1, _LONGEST_TIMEOUT), 600.0)
    targets = tuple(dict.fromkeys(request.target for request in requests))
    reason = _reason(release, action, tests)
    target = _target(reader, targets, named, reason) if reason else None
    _refuse_without_effect(reader, release, command, action, reason)
    if action is Action.RUN:
        _check_run(reader, environ, command, target)
    return TenantCommandSettings(release, command, target, seconds)


def shown(command: Sequence[str]) -> str:
    """Return a command as its variable has it: the text for the shell, or the arguments."""
    if len(command) == 3 and tuple(command[:2]) == _SHELL:
        return command[2]
    return shlex.join(command)


def in_shell(text: str) -> tuple[str, ...]:
    """Return the command that runs a text with the image's shell."""
    return (*_SHELL, text)


def _command(reader: Reader, environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Return a command: text for the shell, or the entries of a list as they are."""
    entries = numbered_entries(environ, name)
    if isinstance(entries, str):
        reader.refuse(name, entries)
        return ()
    if entries is None:
        text = reader.value(name)
        entries = list(in_shell(text)) if text else []
    elif literal := next((one for one in entries if parsers.LITERAL.fullmatch(one)), ""):
        what = f"still contains the literal text {literal}: no shell replaces it in a list"
        reader.refuse(name, what, f"Write {name} as one string to run it with a shell")
    if entries and not entries[0].strip():
        reader.refuse(name, "has an empty first entry, which must be the program to start")
    if any(len(one.encode("utf-8", "replace")) > _LONGEST_ARGUMENT for one in entries):
        reader.refuse(name, "has an argument of more than 128 KiB, which no container can get")
    return tuple(entries)


def _reason(release: Sequence[str], action: Action, tests: DeployTestSettings) -> str:
    """Return the variable that makes something run in the tenant, empty without one."""
    if action is Action.RUN:
        return "ACTION"
    if release:
        return "RELEASE_COMMAND"
    if tests.before and tests.before_in is Place.TENANT:
        return "PRE_DEPLOY_TEST_IN"
    if tests.after and tests.after_in is Place.TENANT:
        return "POST_DEPLOY_TEST_IN"
    return ""


def _target(
    reader: Reader, targets: Sequence[Target], named: Target | None, reason: str
) -> Target | None:
    """Return the target whose environment the commands get; `reason` is why one is needed."""
    able = [target for target in targets if target.kind.capabilities.runs_jobs]
    if not targets:
        return None
    if named is None:
        if not able:
            _refuse_kind(reader, reason, targets[0], able)
        return next(iter(able), None)
    if named not in targets:
        listed = ", ".join(map(str, targets))
        fix = f"Write under variables:   RELEASE_TARGET: '{(able or targets)[0]}'"
        reader.refuse("RELEASE_TARGET", f"names {named}, but the targets are {listed}", fix)
    elif named not in able:
        _refuse_kind(reader, "RELEASE_TARGET", named, able)
    return named


def _refuse_kind(reader: Reader, variable: str, target: Target, able: Sequence[Target]) -> None:
    """Report a target that can run no command in the tenant, and what to do instead."""
    value = "'run' " if variable == "ACTION" else ""
    what = f"{value}cannot be used with {target}: {target.kind.capabilities.runs_jobs.reason}"
    if able:
        fix = f"Write under variables:   RELEASE_TARGET: '{able[0]}'"
    else:
        fix = _INSTEAD.get(variable, f"Remove {variable}: the test then runs in the step")
    reader.refuse(variable, what, fix)


def _refuse_without_effect(
    reader: Reader,
    release: Sequence[str],
    command: Sequence[str],
    action: Action,
    reason: str,
) -> None:
    """Report variables that nothing uses."""
    if command and action in (Action.DEPLOY, Action.ROLLBACK):
        fix = "Add ACTION: 'run', or rename it to RELEASE_COMMAND"
        reader.refuse("COMMAND", "has no effect without ACTION: 'run'", fix)
    if release and action is Action.ROLLBACK:
        reader.refuse(
            "RELEASE_COMMAND",
            "cannot be used with ACTION: 'rollback': what an earlier image would do to newer data "
            "is unknown",
            "Remove RELEASE_COMMAND from the step that rolls back",
        )
    used = {"RELEASE_TARGET": bool(reason), "RELEASE_TIMEOUT": bool(release or command)}
    used["RELEASE_TIMEOUT"] |= action is Action.RUN
    for name, is_used in used.items():
        if not is_used and reader.raw(name) not in ("", BY_NAME[name].default):
            what = "is set without RELEASE_COMMAND and has no effect"
            reader.refuse(name, what, f"Add RELEASE_COMMAND, or remove {name}")


def _check_run(
    reader: Reader, environ: Mapping[str, str], command: Sequence[str], target: Target | None
) -> None:
    """Report what `ACTION: run` lacks, and what it would have to ignore."""
    if not command and target is not None and target.kind is not Kind.CRONJOB:
        reader.refuse(
            "COMMAND", f"is missing: only a CronJob has a command of its own, and {target} is none"
        )
    if unused := list(_given(_NOT_WITH_RUN, environ)):
        listed = ", ".join(unused)
        what = f"'run' changes nothing, so {listed} would have no effect"
        reader.refuse("ACTION", what, f"Remove {listed} from the step that runs a command")


def _given(names: Iterable[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables among `names` that are set to something other than the default."""
    for name in names:
        value, count = (environ.get(one, "").strip() for one in (name, f"{name}_COUNT"))
        if value.lower() not in ("", BY_NAME[name].default) or count not in ("", "0"):
            yield name
