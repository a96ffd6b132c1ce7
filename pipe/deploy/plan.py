"""From what is there and what is wanted to what is to be done, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pipe import image
from pipe.deploy.previous_images import earlier_images
from pipe.deploy.previous_run import Earlier, Left
from pipe.errors import ConfigError, Conflict, NotFound, Problem, together
from pipe.kinds import Drivers
from pipe.model import MAIN, Change, Plan, Snapshot, Target
from pipe.settings import Action, ImageRequest, Settings

Resolve = Callable[[Sequence[ImageRequest]], Sequence[ImageRequest]]
"""Turns what is asked for into what is deployed, once each image is known to be there."""


def build(
    settings: Settings, drivers: Drivers, resolve: Resolve, earlier: Earlier, moment: datetime
) -> Plan:
    """Read every target once, prove every image, and decide what to do.

    `earlier` is what is known at `moment` of a run whose place this one takes. Raises `NotFound`
    and `ImageRefused`.
    """
    targets = tuple(dict.fromkeys(request.target for request in settings.image_requests))
    found = drivers.read(targets)
    _check_names(settings, targets, found, drivers)
    if settings.action is Action.ROLLBACK:
        wanted = earlier_images(settings, found, drivers)
    else:
        image_requests = resolve(settings.image_requests)
        wanted = {target: _wanted(found[target], image_requests) for target in targets}
    changes = [
        _change(found[target], wanted[target], settings, earlier.made(found[target], moment))
        for target in targets
    ]
    idle = [change for change in changes if change.resumed and not change.restart]
    settled = drivers.settled([change.before for change in idle]) if idle and settings.wait else {}
    if settings.tests_again:
        # The run before this one may have been stopped between its rollout and its tests.
        settled = dict.fromkeys(settled, False)
    unchanged = [change.before for change in idle if settled.get(change.target, not settings.wait)]
    followed = [
        _with_way_back(change, drivers, earlier)
        for change in changes
        if change.before not in unchanged
    ]
    return Plan(tuple(followed), tuple(unchanged))


def confirm(changes: Sequence[Change], drivers: Drivers) -> None:
    """Look once more; raises `Conflict` when a target is not as its change found it."""
    for conflict in conflicts(changes, drivers).values():
        raise conflict


def conflicts(changes: Sequence[Change], drivers: Drivers) -> Mapping[Target, Conflict]:
    """What somebody else did to targets since their changes found them."""
    now = drivers.read([change.target for change in changes]) if changes else {}
    found = {}
    for change in changes:
        fresh = now.get(change.target)
        if fresh is None or fresh.version != change.before.version:
            images = ", ".join(fresh.images.values()) if fresh else "nothing: it is gone"
            found[change.target] = Conflict(
                f"{change.target} was changed by somebody else while this run was getting ready; "
                f"it asks for {images} now, and for {change.main_image_before} before.",
                "See who deploys it, and run the step again.",
            )
    return found


def describe(change: Change) -> str:
    """One line of the plan, as a diff."""
    if change.restart and change.resumed:
        when = f" at {change.before.changed_at:%H:%M:%S} UTC" if change.before.changed_at else ""
        return (
            f"{change.target}: restarted on {change.main_image}{when}, by an earlier run of this "
            "step; that is followed, not repeated (a new pipeline would restart it again)"
        )
    if change.restart:
        return f"{change.target}: restart on {change.main_image}"
    if change.resumed:
        return f"{change.target}: already asks for {change.main_image}; its rollout is followed"
    parts = [
        f"{f'{name} ' if name else ''}{change.before.images.get(name, 'nothing')} -> {new}"
        for name, new in change.images.items()
    ]
    return f"{change.target}: {', '.join(parts)}"


def _check_names(
    settings: Settings,
    targets: tuple[Target, ...],
    found: Mapping[Target, Snapshot],
    drivers: Drivers,
) -> None:
    """Refuse names that are not there, all of them at once."""
    missing = [target for target in targets if target not in found]
    known = {kind: tuple(drivers.known(kind)) for kind in {target.kind for target in missing}}
    variable = (
        "SERVICE"
        if all(not request.container for request in settings.image_requests)
        else "SERVICES"
    )
    errors = [
        NotFound.named(str(target.kind), variable, target.name, known[target.kind])
        for target in missing
    ]
    for request in settings.image_requests:
        now = found.get(request.target)
        if now and request.container and now.container(request.container) not in now.images:
            names = [now.main, *(name for name in now.images if name != MAIN)]
            errors.append(
                NotFound.named(f"container of {request.target}", variable, request.container, names)
            )
    if errors:
        raise together(errors)


def _change(
    before: Snapshot, wanted: Mapping[str, str], settings: Settings, made: Left | None
) -> Change:
    differing = {
        name: new
        for name, new in wanted.items()
        if not image.same(new, before.images.get(name, ""))
    }
    if differing:
        back = {name: before.images[name] for name in differing if name in before.images}
        return Change(before, differing, back)
    if not settings.restart:
        return Change(before, wanted, resumed=True)
    if made:
        return Change(
            before,
            wanted,
            restart=made.restart,
            resumed=True,
            previous_pods=made.previous_pods,
            origin=made.version,
        )
    return Change(before, wanted, restart=True)


def _wanted(now: Snapshot, image_requests: Sequence[ImageRequest]) -> Mapping[str, str]:
    """The images by container; raises `ConfigError` when two names mean the main one."""
    found: dict[str, str] = {}
    for request in image_requests:
        if request.target != now.target:
            continue
        name = now.container(request.container)
        if name in found:
            what = f"names the main container of {now.target} twice, once as {now.main}"
            raise ConfigError([Problem("SERVICES", what, f"Keep one entry for {now.target}")])
        found[name] = str(request.image)
    return found


def _with_way_back(change: Change, drivers: Drivers, earlier: Earlier) -> Change:
    """Fill in where a picked-up change came from, as far as record or portal remember."""
    if not change.resumed or change.restart:
        return change
    return replace(change, back=earlier.back(change.before) or drivers.previous(change.before))
