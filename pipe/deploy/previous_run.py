"""What an earlier run left behind, for the run that takes its place.

Bitbucket kills a step with SIGKILL, and the step may be run again. The portal itself tells which
image a target was given, but a restart leaves only a time there. So this is asked, in this order:

1. The record on disk, where its folder survived: it holds the target's version from before the
   change. A record that says "running" was cut off; a different version now means that the
   change was made.
2. Without a record, a step that is run again (BITBUCKET_STEP_RUN_NUMBER above 1) and a target
   that was changed within the last hour: taken for the earlier run's doing.

What cannot be known without a record is whether it was somebody else who restarted the target
within that hour, or an earlier run that had come to its end; the plan says what was assumed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipe.errors import ExitCode
from pipe.kind import Kind
from pipe.model import Snapshot
from pipe.report.files import RECORD
from pipe.settings import Settings, Step

log = logging.getLogger(__name__)

_OPEN = (None, int(ExitCode.PLATFORM), int(ExitCode.CANCELLED))
"""Exit codes (None: killed) that leave a change for the next run to follow."""
_RECENT = timedelta(hours=1)
_LARGEST = 16 << 20


@dataclass(frozen=True)
class Left:
    """One target as an earlier run left it.

    `version` is the target's before that run changed it, `previous_pods` identify the pods of that
    time, `after` and `back` are the images asked for and the ones to return to.
    """

    version: str = ""
    restart: bool = True
    after: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] | None = None
    previous_pods: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Earlier:
    """What is known of the run before this one.

    `targets` are those it may have changed without following them to the end, None without a
    record of it. `same_step` says whether it was this very step, `repeated` whether Bitbucket
    runs this step again.
    """

    targets: Mapping[str, Left] | None = None
    same_step: bool = False
    repeated: bool = False

    def made(self, now: Snapshot, moment: datetime) -> Left | None:
        """The change of this target that an earlier run of this step made, if it made one."""
        if self.targets is not None and self.same_step:
            left = self.targets.get(str(now.target))
            return left if left and left.version != now.version else None
        recent = now.changed_at is not None and abs(moment - now.changed_at) <= _RECENT
        return Left() if self.repeated and recent else None

    def back(self, now: Snapshot) -> Mapping[str, str] | None:
        """The images from before an unfinished change to the present ones, if it is recorded."""
        left = (self.targets or {}).get(str(now.target))
        return left.back if left and left.after == now.images else None


def find(settings: Settings) -> Earlier:
    """Look for an earlier run; never fails, an unusable record is none."""
    repeated = _number(settings.step.run_number) > 1
    record = read(settings.report_dir)
    if record is None or not _is_about(record, settings):
        return Earlier(repeated=repeated)
    unfinished = record.get("exit_code") in _OPEN
    found = (
        _left(entry)
        for entry in record["targets"]
        if unfinished and isinstance(entry, dict) and _was_changed(record, entry)
    )
    return Earlier(dict(found), _same_step(record, settings.step), repeated)


def read(folder: Path | None) -> Mapping[str, Any] | None:
    """The record that a run left in its report folder; one that cannot be used is none."""
    if folder is None:
        return None
    path = folder / RECORD
    try:
        if path.stat().st_size > _LARGEST:
            return None
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        log.debug("no earlier record in %s: %s", path, error)
        return None
    return record if isinstance(record, dict) and isinstance(record.get("targets"), list) else None


def _is_about(record: Mapping[str, Any], settings: Settings) -> bool:
    said = (record.get("portal"), record.get("tenant"))
    return said == (settings.host, settings.tenant)


def _same_step(record: Mapping[str, Any], step: Step) -> bool:
    """Whether the record is of an earlier run of this very step."""
    said = record.get("step")
    if not isinstance(said, dict) or not step.step:
        return False
    same = said.get("step") == step.step and said.get("pipeline") == step.pipeline
    return same and _number(said.get("run_number")) < _number(step.run_number)


def _was_changed(record: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether the run may have changed it; one that picked it up leaves it open just as well."""
    return record.get("changed") is True or entry.get("resumed") is True


def _left(entry: Mapping[str, Any]) -> tuple[str, Left]:
    previous_pods = entry.get("previous_pods")
    back = entry.get("back")
    kind, name = str(entry.get("kind")), str(entry.get("name"))
    # As a target prints itself.
    return name if kind == Kind.SERVICE else f"{kind}:{name}", Left(
        version=str(entry.get("version", "")),
        restart=entry.get("restart") is True,
        after=_texts(entry.get("after")),
        back=_texts(back) if isinstance(back, dict) and back else None,
        previous_pods=frozenset(str(one) for one in previous_pods)
        if isinstance(previous_pods, list)
        else frozenset(),
    )


def _texts(value: Any) -> dict[str, str]:
    given = value if isinstance(value, dict) else {}
    return {name: text for name, text in given.items() if isinstance(text, str)}


def _number(value: Any) -> int:
    """A run number; 1 when Bitbucket does not say."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
