"""Writing the record below the clone folder, where later steps and people find it.

Bitbucket kills without warning: a file is either the old one or the new one, never half.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from pipe.output import printable
from pipe.report.record import Record
from pipe.secret import Mask

log = logging.getLogger(__name__)


def write(record: Record, mask: Mask) -> None:
    """Write `deploy.json` and `deploy.env`; a failure warns and changes nothing else."""
    folder = record.settings.report_dir
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Masked before it is spelled in JSON and after: either may hide a form from the other.
        text = json.dumps(mask.data(record.as_dict()), indent=2, ensure_ascii=False) + "\n"
        _replace(folder / "deploy.json", mask.text(text))
        _replace(folder / "deploy.env", mask.text(_env(record)))
    except OSError as error:
        reason = error.strerror or "it fails"
        log.warning("Cannot write the report to %s: %s.", folder, reason.lower())


def variables(record: Record) -> Mapping[str, str]:
    """The `DEPLOY_*` variables that describe the run."""
    changes = [entry.change for entry in record.targets.values()]
    main = changes[0] if changes else None
    return {
        "DEPLOY_OUTCOME": str(record.as_dict()["outcome"]),
        "DEPLOY_EXIT_CODE": "" if record.code is None else str(int(record.code)),
        "DEPLOY_TENANT": record.settings.tenant,
        "DEPLOY_TARGETS": " ".join(str(change.target) for change in changes),
        "DEPLOY_IMAGE": main.main_image if main else "",
        "DEPLOY_PREVIOUS_IMAGE": main.main_image_before if main else "",
    }


def _env(record: Record) -> str:
    # One line each: what reads this file need not be a shell.
    lines = (
        f"{name}={shlex.quote(printable(value))}\n" for name, value in variables(record).items()
    )
    return "".join(lines)


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Half a surrogate pair, which JSON can carry, is no UTF-8; escaped it is JSON again.
        fresh.write_bytes(text.encode("utf-8", "backslashreplace"))
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
