"""Write the reports below the clone folder, where later steps and people find them.

Bitbucket kills without warning, so files are replaced atomically. It masks nothing in files, so
every text is masked here, before any format escapes it.
"""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from pipe import files
from pipe.output import printable
from pipe.report.authenticity import sign
from pipe.report.html import page
from pipe.report.json_record import to_json
from pipe.report.record import RunRecord
from pipe.report.recorder import Recorder
from pipe.secret import Mask
from pipe.settings import Action, Settings

log = logging.getLogger(__name__)

RECORD = "deploy.json"
_LONGEST_NAME = 100


def write(settings: Settings, recorder: Recorder, mask: Mask) -> None:
    """Write `deploy.json`, `deploy.env` and `deploy.html`; a failure is only logged."""
    if settings.report_dir is None:
        return
    record = recorder.record().masked(mask)
    variables = {name: mask.text(value) for name, value in recorder.variables().items()}
    contents = {
        RECORD: sign(_encoded(to_json(record)), recorder.token),
        "deploy.env": _encoded(_env(variables)),
        "deploy.html": _encoded(page(record)),
    }
    _save("report", settings.report_dir, contents)


def write_tests(settings: Settings, recorder: Recorder, mask: Mask) -> None:
    """Write the JUnit report where Bitbucket looks for it; a failure is only logged."""
    folder = settings.notifications.test_report_dir
    if folder is None:
        return
    from pipe.report.junit import junit  # noqa: PLC0415 - 5 ms, only needed at the end

    record = recorder.record().masked(mask)
    if text := junit(record):
        _save("test report", folder, {_junit_name(record): _encoded(text)})


def _env(values: Mapping[str, str]) -> str:
    # One line each, for readers other than a shell.
    return "".join(f"{name}={shlex.quote(printable(value))}\n" for name, value in values.items())


def _junit_name(record: RunRecord) -> str:
    """Return a name per set of targets, so that two pipes in one step write two files."""
    what = "run" if record.action is Action.RUN else "deploy"
    names = "-".join([what, record.tenant, *(str(entry.target) for entry in record.targets)])
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', names)[:_LONGEST_NAME]}.xml"


def _encoded(text: str) -> bytes:
    # JSON can carry a lone surrogate, UTF-8 cannot; its escape is valid JSON.
    return text.encode("utf-8", "backslashreplace")


def _save(what: str, folder: Path, contents: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            files.replace(folder / name, content)
    except OSError as error:
        reason = error.strerror or "unknown error"
        log.warning("Cannot write the %s to %s: %s.", what, folder, reason.lower())
