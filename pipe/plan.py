"""From what is there and what is wanted to what is to be done, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pipe import image
from pipe.errors import Conflict, NotFound
from pipe.kinds.interface import Kind
from pipe.model import Change, Plan, Snapshot, Target
from pipe.settings import Settings, Wish

Resolve = Callable[[Sequence[Wish]], Sequence[Wish]]
"""Turns what is asked for into what is deployed, once each image is known to be there."""


def build(settings: Settings, kind: Kind, resolve: Resolve) -> Plan:
    """Read every target once, prove every image, and decide what to do.

    Raises `NotFound` and `ImageRefused`.
    """
    targets = tuple(dict.fromkeys(wish.target for wish in settings.wishes))
    found = kind.read(targets)
    for target in targets:
        if target not in found:
            raise NotFound.named(target.kind, "SERVICE", target.name, kind.known())
    wishes = resolve(settings.wishes)
    changes = [_change(found[target], wishes, settings) for target in targets]
    idle = [change for change in changes if change.picked_up]
    settled = kind.settled([change.before for change in idle]) if idle and settings.wait else {}
    unchanged = [change.before for change in idle if settled.get(change.target, not settings.wait)]
    followed = [
        _with_way_back(change, kind) for change in changes if change.before not in unchanged
    ]
    return Plan(tuple(followed), tuple(unchanged))


def look_again(plan: Plan, kind: Kind) -> Plan:
    """The same plan on a fresher look; raises `Conflict` when a target changed since."""
    now = kind.read([change.target for change in plan.changes])
    for change in plan.changes:
        fresh = now.get(change.target)
        if fresh is None or fresh.version != change.before.version:
            images = ", ".join(fresh.images.values()) if fresh else "nothing: it is gone"
            raise Conflict(
                f"{change.target} was changed by somebody else while this run was getting ready; "
                f"it asks for {images} now, and for {change.main_image_before} before.",
                "Nothing was changed by this run. See who deploys it, and run the step again.",
            )
    fresher = tuple(change.seen_again(now[change.target]) for change in plan.changes)
    return Plan(fresher, plan.unchanged)


def describe(change: Change) -> str:
    """One line of the plan, as a diff."""
    if change.restart:
        return f"{change.target}: restart on {change.main_image}"
    if change.picked_up:
        return f"{change.target}: already asks for {change.main_image}; its rollout is followed"
    parts = [
        f"{f'{name} ' if name else ''}{change.before.images.get(name, 'nothing')} -> {new}"
        for name, new in change.images.items()
    ]
    return f"{change.target}: {', '.join(parts)}"


def _change(before: Snapshot, wishes: Sequence[Wish], settings: Settings) -> Change:
    wanted = _wanted(before.target, wishes)
    differing = {
        name: new
        for name, new in wanted.items()
        if not image.same(new, before.images.get(name, ""))
    }
    if differing:
        back = {name: before.images[name] for name in differing if name in before.images}
        return Change(before, differing, back)
    return Change(before, wanted, restart=settings.restart, picked_up=not settings.restart)


def _wanted(target: Target, wishes: Sequence[Wish]) -> Mapping[str, str]:
    return {wish.container: str(wish.image) for wish in wishes if wish.target == target}


def _with_way_back(change: Change, kind: Kind) -> Change:
    """Fill in where a picked-up change came from, as far as the portal remembers."""
    if not change.picked_up:
        return change
    return Change(change.before, change.images, kind.previous(change.before), picked_up=True)
