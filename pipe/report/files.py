"""Writing the record below the clone folder, where later steps and people find it.

Bitbucket kills without warning: a file is either the old one or the new one, never half. It
masks nothing in files either, so every text is masked here, before any format escapes it.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pipe.output import printable
from pipe.report.html import page
from pipe.report.record import Record
from pipe.secret import Mask

log = logging.getLogger(__name__)

RECORD = "deploy.json"
_LONGEST_NAME = 100


def write(record: Record, mask: Mask) -> None:
    """Write `deploy.json`, `deploy.env` and `deploy.html`; a failure warns and changes nothing."""
    folder = record.settings.report_dir
    if folder is None:
        return
    data = record.masked(mask)
    files = {
        # Never after it is spelled: a secret that reads "true" would break the spelling.
        RECORD: json.dumps(data, indent=2, ensure_ascii=False) + "\n",
        "deploy.env": _env(mask.data(variables(record))),
        "deploy.html": page(data),
    }
    _save("report", folder, files)


def write_tests(record: Record, mask: Mask) -> None:
    """Write the JUnit report where Bitbucket looks for it; a failure warns."""
    folder = record.settings.notifications.test_report_dir
    if folder is None:
        return
    from pipe.report.junit import junit  # noqa: PLC0415 - 5 ms, and nothing before the end needs it

    if text := junit(record.masked(mask)):
        _save("test report", folder, {_junit_name(record): text})


def variables(record: Record) -> Mapping[str, str]:
    """The `DEPLOY_*` variables that describe the run."""
    changes = [entry.change for entry in record.targets.values()]
    main = changes[0] if changes else None
    return {
        "DEPLOY_OUTCOME": record.outcome,
        "DEPLOY_EXIT_CODE": "" if record.code is None else str(int(record.code)),
        "DEPLOY_TENANT": record.settings.tenant,
        "DEPLOY_TARGETS": " ".join(str(change.target) for change in changes),
        "DEPLOY_IMAGE": main.main_image if main else "",
        "DEPLOY_PREVIOUS_IMAGE": main.main_image_before if main else "",
        "DEPLOY_URL": record.url or _origin(record.settings.tests.url),
    }


def _origin(url: str) -> str:
    """Scheme and host of a whole address that people gave, empty for a path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _env(values: Mapping[str, str]) -> str:
    # One line each: what reads this file need not be a shell.
    return "".join(f"{name}={shlex.quote(printable(value))}\n" for name, value in values.items())


def _junit_name(record: Record) -> str:
    """Its own for every target, so that two pipes in one step do not overwrite each other."""
    names = "-".join(["deploy", record.settings.tenant, *record.targets])
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', names)[:_LONGEST_NAME]}.xml"


def _save(what: str, folder: Path, files: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            _replace(folder / name, text)
    except OSError as error:
        reason = error.strerror or "it fails"
        log.warning("Cannot write the %s to %s: %s.", what, folder, reason.lower())


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Half a surrogate pair, which JSON can carry, is no UTF-8; escaped it is JSON again.
        fresh.write_bytes(text.encode("utf-8", "backslashreplace"))
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
