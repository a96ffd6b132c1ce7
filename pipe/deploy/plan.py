"""From what is there and what is wanted to what will be done, as data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipe import image
from pipe.configuration import Configuration
from pipe.configuration import describe as describe_configuration
from pipe.deploy.configurations import remaining_configurations
from pipe.deploy.previous_images import previous_images
from pipe.deploy.previous_run import PreviousRun, PreviousTarget
from pipe.errors import ConfigError, Conflict, NotFound, Problem, combined
from pipe.kinds import Drivers
from pipe.kinds.containers import unknown_container
from pipe.model import Change, Plan, Restart, Resumption, Snapshot, Target, Update
from pipe.settings import Action, ImageRequest, Settings

log = logging.getLogger(__name__)

Resolve = Callable[[Sequence[ImageRequest]], Sequence[ImageRequest]]
"""Turns requested images into the ones to deploy, once each is verified."""


def build(
    settings: Settings,
    drivers: Drivers,
    resolve: Resolve,
    previous_run: PreviousRun,
    moment: datetime,
) -> Plan:
    """Read every target once, prove every image, and decide what to do.

    `previous_run` is what is known at `moment` of a run whose place this one takes. Raises
    `NotFound`, `ImageRefused` and `ConfigError`.
    """
    targets = tuple(dict.fromkeys(request.target for request in settings.image_requests))
    found = drivers.read(targets)
    _check_names(settings, targets, found, drivers)
    if settings.action is Action.ROLLBACK:
        previous = previous_images(settings, found, drivers, previous_run, moment)
        wanted = _verified(previous, found, resolve)
    else:
        requests = resolve(settings.image_requests)
        wanted = {target: _wanted(found[target], requests) for target in targets}
    configurations = remaining_configurations(settings.configurations, found)
    changes = [
        _change(
            found[target],
            wanted[target],
            configurations.get(target, Configuration()),
            settings,
            previous_run.change_of(found[target], moment),
        )
        for target in targets
    ]
    unchanged = _rolled_out(changes, settings, drivers)
    followed = [
        _with_rollback(change, settings, drivers, previous_run, moment)
        for change in changes
        if change.before not in unchanged
    ]
    return Plan(tuple(followed), tuple(unchanged))


@dataclass(frozen=True)
class SecondLook:
    """What a second look shows of changes that are about to be made.

    `changes` are those whose targets are as their changes found them, based on the fresh
    snapshots; `conflicts` holds what another deployment did to the other targets.
    """

    changes: tuple[Change, ...]
    conflicts: Mapping[Target, Conflict]


def confirm(changes: Sequence[Change], drivers: Drivers) -> Sequence[Change]:
    """Look once more, and return the changes based on what is there now.

    A write built from an older look would undo what was changed besides the images. Raises
    `Conflict` when a target is not as its change found it.
    """
    again = look_again(changes, drivers)
    for conflict in again.conflicts.values():
        raise conflict
    return again.changes


def look_again(changes: Sequence[Change], drivers: Drivers) -> SecondLook:
    """Look once more, and sort the changes by whether their targets are as they found them."""
    now = drivers.read([change.target for change in changes]) if changes else {}
    renewed, conflicts = [], {}
    for change in changes:
        fresh = now.get(change.target)
        if fresh is not None and _is_as_before(change, fresh):
            renewed.append(drivers.renewed(change, fresh))
            continue
        images = ", ".join(fresh.images.values()) if fresh else "nothing: it no longer exists"
        is_now = f"it is set to {images} now, and was set to {change.previous_image} before"
        if fresh is not None and change.sets and fresh.images == change.before.images:
            is_now = "its environment or its replicas are not what they were before"
        conflicts[change.target] = Conflict(
            f"Another deployment changed {change.target} while this run was getting ready: "
            f"{is_now}.",
            "Find out who deploys it, then run the step again.",
        )
    return SecondLook(tuple(renewed), conflicts)


def _is_as_before(change: Change, fresh: Snapshot) -> bool:
    """Return whether a target is as its change found it, as far as the change concerns it.

    An environment is written as a whole: what others added since would be lost.
    """
    is_same = not change.sets or fresh.present == change.before.present
    return is_same and fresh.version == change.before.version


def log_plan(plan: Plan) -> None:
    """Write the plan to the log, one line for each target."""
    for change in plan.changes:
        log.info("Plan: %s", describe(change))
    for snapshot in plan.unchanged:
        log.info("Plan: %s: nothing to change", snapshot.target)


def describe(change: Change) -> str:
    """Return one line of the plan, as a diff."""
    match change:
        case Restart(resumes=None):
            return f"{change.target}: restart on {change.image}"
        case Restart():
            changed_at = change.before.changed_at
            when = f" at {changed_at:%H:%M:%S} UTC" if changed_at else ""
            return (
                f"{change.target}: an earlier run of this step restarted it on {change.image}"
                f"{when}; that restart is followed, "
                "not repeated (a new pipeline would restart it again)"
            )
        case Update(resumes=None):
            before = change.before.images
            parts = [
                f"{f'{name} ' if name else ''}{before.get(name, 'nothing')} -> {new}"
                for name, new in change.images.items()
                if not (change.sets and image.same(new, before.get(name, "")))
            ]
            parts += describe_configuration(change.before.present, change.sets)
            return f"{change.target}: {', '.join(parts)}"
        case _:
            return f"{change.target}: already set to {change.image}; its rollout is followed"


def _check_names(
    settings: Settings,
    targets: tuple[Target, ...],
    found: Mapping[Target, Snapshot],
    drivers: Drivers,
) -> None:
    """Refuse names that do not exist, all of them at once."""
    missing = [target for target in targets if target not in found]
    known = {kind: tuple(drivers.names(kind)) for kind in {target.kind for target in missing}}
    variable = settings.targets_variable
    errors = [
        NotFound.named(target.kind.capabilities.noun, variable, target.name, known[target.kind])
        for target in missing
    ]
    for request in settings.image_requests:
        now = found.get(request.target)
        if now and (error := unknown_container(now, request.container)):
            errors.append(error)
    if errors:
        raise combined(errors)


def _wanted(now: Snapshot, requests: Sequence[ImageRequest]) -> Mapping[str, str]:
    """Return the images by container; raises `ConfigError` when two names mean the main one."""
    found: dict[str, str] = {}
    for request in requests:
        if request.target != now.target:
            continue
        name = now.container(request.container)
        if name in found:
            what = f"names the main container of {now.target} twice, once as {now.main}"
            raise ConfigError([Problem("SERVICES", what, f"Keep one entry for {now.target}")])
        found[name] = str(request.image)
    return found


def _verified(
    wanted: Mapping[Target, Mapping[str, str]],
    found: Mapping[Target, Snapshot],
    resolve: Resolve,
) -> Mapping[Target, Mapping[str, str]]:
    """Return the images to roll back to as they are to be deployed, once each is verified.

    Images that run already are not verified: nothing deploys them.
    """
    requests = [
        ImageRequest(target, image.parse_deployed(text), name)
        for target, images in wanted.items()
        for name, text in images.items()
        if not image.same(text, found[target].images.get(name, ""))
    ]
    resolved = {target: dict(images) for target, images in wanted.items()}
    for request, verified in zip(requests, resolve(requests), strict=True):
        if verified.image != request.image:
            resolved[request.target][request.container] = str(verified.image)
    return resolved


def _change(
    before: Snapshot,
    wanted: Mapping[str, str],
    configuration: Configuration,
    settings: Settings,
    made: PreviousTarget | None,
) -> Change:
    """Decide what to do with a target; `made` is what an earlier attempt of this step did."""
    differing = {
        name: new
        for name, new in wanted.items()
        if not image.same(new, before.images.get(name, ""))
    }
    if settings.restart and not differing and configuration and not configuration.environment:
        what = f"cannot restart {before.target} in the write that sets its replicas"
        fix = "Run this step without RESTART first: its image and environment are unchanged"
        raise ConfigError([Problem("RESTART", what, fix)])
    if differing or configuration:
        images = differing or wanted
        rollback_to = {name: before.images[name] for name in images if name in before.images}
        return Update(before, images, rollback_to=rollback_to, configuration=configuration)
    if made is None:
        return Restart(before, wanted) if settings.restart else Update(before, wanted, Resumption())
    make = Restart if settings.restart and made.restart else Update
    return make(before, wanted, Resumption(made.version), made.previous_pods)


def _rolled_out(
    changes: Sequence[Change], settings: Settings, drivers: Drivers
) -> Sequence[Snapshot]:
    """Return the targets that run what is wanted already, so that there is nothing to follow."""
    idle = [change.before for change in changes if isinstance(change, Update) and change.resumes]
    if not idle or not settings.wait:
        return idle
    if settings.tests_again:
        # The previous run may have been stopped between its rollout and its tests.
        return []
    rolled_out = drivers.is_rolled_out(idle)
    return [snapshot for snapshot in idle if rolled_out[snapshot.target]]


def _with_rollback(
    change: Change,
    settings: Settings,
    drivers: Drivers,
    previous_run: PreviousRun,
    moment: datetime,
) -> Change:
    """Note on a resumed update whether this step made it, and what to roll back to if so."""
    if isinstance(change, Restart) or not change.resumes:
        return change
    before = change.before
    recorded = previous_run.rollback_images(before)
    # Asking the history costs a request, and only ROLLBACK needs what it proves.
    is_shown = (
        settings.rollback and recorded is None and previous_run.is_shown_by_history(before, moment)
    )
    if recorded is None and not is_shown:
        return change
    own = {name: then for name, then in (recorded or {}).items() if name in change.images}
    rollback_to = drivers.previous_images(before, change.images) or own
    proven = replace(change.resumes, is_proven=True)
    # Values are in no record, and without one it is unknown what the write set.
    is_lost = (
        bool(settings.configurations.get(before.target))
        if recorded is None
        else previous_run.has_configured(before)
    )
    return replace(change, resumes=proven, rollback_to=rollback_to, configuration_is_lost=is_lost)
