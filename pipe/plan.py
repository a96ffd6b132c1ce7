"""From what is there and what is wanted to what is to be done, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pipe import image
from pipe.earlier import Earlier
from pipe.errors import Conflict, NotFound
from pipe.kinds.interface import Kind
from pipe.model import Change, Plan, Snapshot, Target
from pipe.settings import Settings, Wish


def build(settings: Settings, kind: Kind, earlier: Earlier, moment: datetime) -> Plan:
    """Read every target once and decide what to do with it; raises `NotFound`.

    `earlier` is what is known at `moment` of a run whose place this one takes.
    """
    targets = tuple(dict.fromkeys(wish.target for wish in settings.wishes))
    found = kind.read(targets)
    for target in targets:
        if target not in found:
            raise NotFound.named(target.kind, "SERVICE", target.name, kind.known())
    changes = [_change(found[target], settings, earlier, moment) for target in targets]
    idle = [change for change in changes if change.picked_up and not change.restart]
    settled = kind.settled([change.before for change in idle]) if idle and settings.wait else {}
    unchanged = [change.before for change in idle if settled.get(change.target, not settings.wait)]
    followed = [
        _with_way_back(change, kind, earlier)
        for change in changes
        if change.before not in unchanged
    ]
    return Plan(tuple(followed), tuple(unchanged))


def look_again(plan: Plan, kind: Kind) -> Plan:
    """The same plan on a fresher look; raises `Conflict` when a target changed since."""
    now = confirm(plan.changes, kind)
    fresher = tuple(change.seen_again(now[change.target]) for change in plan.changes)
    return Plan(fresher, plan.unchanged)


def confirm(changes: Sequence[Change], kind: Kind) -> Mapping[Target, Snapshot]:
    """What the targets are now; raises `Conflict` when one is not as its change found it."""
    now = kind.read([change.target for change in changes])
    for change in changes:
        fresh = now.get(change.target)
        if fresh is None or fresh.version != change.before.version:
            images = ", ".join(fresh.images.values()) if fresh else "nothing: it is gone"
            raise Conflict(
                f"{change.target} was changed by somebody else while this run was getting ready; "
                f"it asks for {images} now, and for {change.main_image_before} before.",
                "Nothing was changed by this run. See who deploys it, and run the step again.",
            )
    return now


def describe(change: Change) -> str:
    """One line of the plan, as a diff."""
    if change.restart and change.picked_up:
        when = f" at {change.before.changed_at:%H:%M:%S} UTC" if change.before.changed_at else ""
        return (
            f"{change.target}: restarted on {change.main_image}{when}, by an earlier run of this "
            "step; that is followed, not repeated (a new pipeline would restart it again)"
        )
    if change.restart:
        return f"{change.target}: restart on {change.main_image}"
    if change.picked_up:
        return f"{change.target}: already asks for {change.main_image}; its rollout is followed"
    parts = [
        f"{f'{name} ' if name else ''}{change.before.images.get(name, 'nothing')} -> {new}"
        for name, new in change.images.items()
    ]
    return f"{change.target}: {', '.join(parts)}"


def _change(before: Snapshot, settings: Settings, earlier: Earlier, moment: datetime) -> Change:
    wanted = _wanted(before.target, settings.wishes)
    differing = {
        name: new
        for name, new in wanted.items()
        if not image.same(new, before.images.get(name, ""))
    }
    if differing:
        back = {name: before.images[name] for name in differing if name in before.images}
        return Change(before, differing, back)
    if not settings.restart:
        return Change(before, wanted, picked_up=True)
    if made := earlier.made(before, moment):
        return Change(
            before,
            wanted,
            restart=made.restart,
            picked_up=True,
            witnesses=made.witnesses,
            origin=made.version,
        )
    return Change(before, wanted, restart=True)


def _wanted(target: Target, wishes: Sequence[Wish]) -> Mapping[str, str]:
    return {wish.container: str(wish.image) for wish in wishes if wish.target == target}


def _with_way_back(change: Change, kind: Kind, earlier: Earlier) -> Change:
    """Fill in where a picked-up change came from, as far as record or portal remember."""
    if not change.picked_up or change.restart:
        return change
    return replace(change, back=earlier.back(change.before) or kind.previous(change.before))
