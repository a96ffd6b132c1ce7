"""Find out what a previous run left behind, for the run that takes its place.

Bitbucket kills a step with SIGKILL, and the step may be run again. The portal itself shows which
image a target was given, but a restart leaves only a time there. So two sources are used, in this
order:

1. The record on disk, where its folder survived: it holds the target's version from before the
   change. A record that says "running" was cut off; a different version now means that the
   change was made.
2. Without a record, a step that is run again (BITBUCKET_STEP_RUN_NUMBER above 1) and a target
   that was changed within the last hour: taken for the previous run's change.

Without a record it stays unknown whether another deployment restarted the target within that
hour, or whether the previous run had ended; the plan states what was assumed.

What a record may decide
------------------------
Everyone who can commit a file or write to the report folder can plant a record. Therefore it counts
only if it is authentic (`pipe/report/authenticity.py`: a MAC made with the portal token of this
run), a regular file of limited size (`pipe/files.py`), and about this portal and tenant. Any other
counts as none, also one from before the token was changed. An authentic record may

- prove that an earlier attempt of this step changed a target to what it is set to now. Outside of
  Bitbucket, any earlier run counts that did not follow its change to a good end. Without a record,
  a step that is run again needs the portal's history to show that the token's user set the images
  within the last hour. Nothing else lets ROLLBACK undo a change that this run did not make;
- name the images that a target is rolled back to, where the portal's history names none, and in
  `ACTION: rollback` only after `IMAGE`. The target must be set to exactly what the recorded run
  changed it to, and each text must be an image reference: a masked one is not. `ACTION: rollback`
  verifies them like any other image;
- show, for the same step of the same pipeline, that an earlier attempt restarted a target, so that
  the restart is followed instead of repeated, or rolled it back, so that it is left alone;
- identify the pods from before such a change, so that they are not taken for new ones.

It decides nothing else. An older authentic record can still be planted. What it states was true
once, so it can only choose a version that this pipe replaced by the present one at another time,
or, within one step, hide that a later attempt finished.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipe import files, image
from pipe.errors import ExitCode
from pipe.model import MAIN, Snapshot, Target
from pipe.report import RECORD
from pipe.report.authenticity import is_authentic, is_signed
from pipe.secret import Secret
from pipe.settings import Action, Settings

log = logging.getLogger(__name__)

_OPEN = (None, int(ExitCode.PLATFORM), int(ExitCode.CANCELLED))
"""Exit codes (None: killed) that leave a change for the next run to follow."""
_NOT_GOOD = (*_OPEN, int(ExitCode.FAILED))
"""Exit codes that leave a change which did not, or not yet, turn out well."""
_RECENT = timedelta(hours=1)
_MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class PreviousTarget:
    """One target as a previous run left it.

    `version` is the target's from before that run changed it, `previous_pods` identifies its
    pods of that time. `before` and `after` hold all its images, `rollback_to` those to restore.
    `configured` is true where the change concerned its environment or replicas too.
    """

    kind: str = ""
    name: str = ""
    version: str = ""
    restart: bool = True
    resumed: bool = False
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    rollback_to: Mapping[str, str] | None = None
    previous_pods: frozenset[str] = frozenset()
    configured: bool = False


@dataclass(frozen=True)
class PreviousRun:
    """What is known of the run before this one.

    `targets` are those of its record, empty without a record of this portal and tenant
    (`recorded` is False then). `unfinished` is true when that run did not follow its changes to
    the end, `changed` when it began to change anything, `rolled_back` when its action was
    rollback. `not_good` is true when its changes did not turn out well, as far as it knew.
    `same_place` means that it ran this very step, or that neither run is one of Bitbucket's;
    `same_step`, that it ran this very step, `earlier_attempt`, that it did so before; `repeated`,
    that Bitbucket runs this step again. `user` returns the name of the portal token's user, empty
    where that is unknown.
    """

    recorded: bool = False
    unfinished: bool = False
    changed: bool = False
    rolled_back: bool = False
    not_good: bool = False
    same_place: bool = False
    same_step: bool = False
    earlier_attempt: bool = False
    repeated: bool = False
    targets: tuple[PreviousTarget, ...] = ()
    user: Callable[[], str] = str

    def change_of(self, now: Snapshot, moment: datetime) -> PreviousTarget | None:
        """Return the change of this target that an earlier attempt of this step made, if any."""
        if self.recorded and self.earlier_attempt:
            left = self._unfinished_change_of(now.target)
            return left if left and left.version != now.version else None
        return PreviousTarget() if self.repeated and _is_recent(now.changed_at, moment) else None

    def is_rolled_back_already(self, now: Snapshot, moment: datetime) -> bool:
        """Return whether an earlier attempt of this rollback may have changed the target.

        Without a record, a recent change is taken for that attempt's: to roll back once more
        would bring the bad version back.
        """
        if self.recorded and self.earlier_attempt:
            return False  # `images_rolled_back_to` knows for certain.
        return self.repeated and _is_recent(now.changed_at, moment)

    def rollback_images(self, now: Snapshot) -> Mapping[str, str] | None:
        """Return the images to restore after the recorded change to the present ones.

        None unless it is proven that this step made that change; empty where they are unknown.
        """
        if not self.same_place or not (self.not_good or self.repeated):
            return None
        found = [left for left in self._entries(now.target) if self._may_roll_back(left)]
        if not found or found[-1].after != now.images:
            return None
        return _deployable(now.target, found[-1].rollback_to or {})

    def is_shown_by_history(self, now: Snapshot, moment: datetime) -> bool:
        """Return whether an earlier attempt of this step set the present images, without a record.

        That is so if the token's user set them recently, and Bitbucket runs the step again.
        """
        if self.same_place or not self.repeated or not _is_recent(now.images_set_at, moment):
            return False
        return bool(now.images_set_by) and now.images_set_by == self.user()

    def images_before(self, now: Snapshot) -> Mapping[str, str]:
        """Return what the target ran before the recorded run made it what it is now."""
        for left in self._changed_entries(now.target):
            if left.after and _same(left.after, now.images):
                before = {
                    name: then
                    for name, then in left.before.items()
                    if name in now.images and not image.same(then, now.images[name])
                }
                return _deployable(now.target, before)
        return {}

    def images_rolled_back_to(self, now: Snapshot) -> Mapping[str, str]:
        """Return the present images if a run of this very step rolled back to them."""
        if not (self.rolled_back and self.same_step):
            return {}
        for left in self._changed_entries(now.target):
            changed = {
                name: new for name, new in left.after.items() if left.before.get(name) != new
            }
            if changed and _same(left.after, now.images):
                return changed
        return {}

    def has_configured(self, now: Snapshot) -> bool:
        """Return whether the recorded run changed the target's environment or replicas."""
        return any(left.configured for left in self._entries(now.target))

    def _may_roll_back(self, left: PreviousTarget) -> bool:
        """Return whether the recorded run changed the images, or provably resumed that change."""
        if left.resumed:
            return bool(left.rollback_to)
        return self.changed and (left.before != left.after or left.configured)

    def _unfinished_change_of(self, target: Target) -> PreviousTarget | None:
        found = [
            left
            for left in self._entries(target)
            # A run that only resumed the change left it open just as well.
            if self.unfinished and (self.changed or left.resumed)
        ]
        return found[-1] if found else None

    def _changed_entries(self, target: Target) -> Iterator[PreviousTarget]:
        return self._entries(target) if self.changed else iter(())

    def _entries(self, target: Target) -> Iterator[PreviousTarget]:
        names = (target.kind.value, target.name)
        return (left for left in self.targets if (left.kind, left.name) == names)


def _is_recent(changed_at: datetime | None, moment: datetime) -> bool:
    return changed_at is not None and abs(moment - changed_at) <= _RECENT


def find(settings: Settings, token: Secret) -> PreviousRun:
    """Look for a previous run; a record that is not authentic or not usable counts as none."""
    repeated = _number(settings.step.run_number) > 1
    record = _read(settings.report_dir, token)
    if record is None or not _is_about(record, settings):
        return PreviousRun(repeated=repeated)
    step, own = _object(record.get("step")), settings.step
    same_place = (step.get("step"), step.get("pipeline")) == (own.step, own.pipeline)
    same_step = same_place and bool(own.step)
    return PreviousRun(
        recorded=True,
        unfinished=record.get("exit_code") in _OPEN,
        changed=record.get("changed") is True,
        rolled_back=record.get("action") == Action.ROLLBACK,
        not_good=record.get("exit_code") in _NOT_GOOD,
        same_place=same_place,
        same_step=same_step,
        earlier_attempt=same_step and _number(step.get("run_number")) < _number(own.run_number),
        repeated=repeated,
        targets=tuple(_target(entry) for entry in record["targets"] if isinstance(entry, dict)),
    )


def _read(folder: Path | None, token: Secret) -> Mapping[str, Any] | None:
    """Return the record in a report folder as JSON, None when it cannot be used."""
    if folder is None:
        return None
    path = folder / RECORD
    try:
        content = files.read(path, _MAX_BYTES)
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        log.warning("The record %s is not used: %s.", path, reason)
        return None
    if not is_authentic(content, token):
        # Runs that end before they know the token cannot sign, and change nothing.
        log.log(
            logging.WARNING if is_signed(content) else logging.INFO,
            "The record %s is not used: it is not signed with the portal token of this run. Either "
            "the token was changed since, or the file was not written by a deploy.",
            path,
        )
        return None
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("targets"), list) else None


def _is_about(record: Mapping[str, Any], settings: Settings) -> bool:
    tenant = str(record.get("tenant", "")).casefold()
    return record.get("portal") == settings.host and tenant == settings.tenant.casefold()


def _target(entry: Mapping[str, Any]) -> PreviousTarget:
    rollback_to, pods = entry.get("rollback_to"), entry.get("previous_pods")
    return PreviousTarget(
        kind=str(entry.get("kind")),
        name=str(entry.get("name")),
        version=str(entry.get("version", "")),
        restart=entry.get("restart") is True,
        resumed=entry.get("resumed") is True,
        before=_images(entry.get("before")),
        after=_images(entry.get("after")),
        rollback_to=_images(rollback_to) or None,
        previous_pods=frozenset(map(str, pods)) if isinstance(pods, list) else frozenset(),
        configured=bool(entry.get("configuration")),
    )


def _images(value: Any) -> Mapping[str, str]:
    return {name: text for name, text in _object(value).items() if isinstance(text, str) and text}


def _deployable(target: Target, images: Mapping[str, str]) -> Mapping[str, str]:
    """Return the recorded images, none of them if one cannot be deployed."""
    for text in images.values():
        if not image.is_deployable(text):
            log.warning(
                "%s: the record of an earlier run is not used, because %s is not an image.",
                target,
                text,
            )
            return {}
    return images


def _same(images: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return MAIN in images and all(
        image.same(then, now.get(name, "")) for name, then in images.items()
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int:
    """Return a run number, 1 when Bitbucket does not give one."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
