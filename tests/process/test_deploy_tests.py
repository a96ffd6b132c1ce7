"""Deploy tests, run by the pipe as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.deploy_tests.commands import alive
from tests.sandbox import Server
from tests.support.process import start


def begin(server: Server, folder: Path, **extra: Any) -> subprocess.Popen[str]:
    """Start the pipe with its log in a file."""
    with (folder / "log").open("wb") as log:
        return start(server.url, server.world, log=log, BITBUCKET_CLONE_DIR=str(folder), **extra)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_ends_its_test_command(server: Server, tmp_path: Path, number: int) -> None:
    """The run ends with exit 11, changes nothing and leaves no process of the command."""
    marker = str(uuid.uuid4().int)[:12]
    text = f"sleep 6{marker} & setsid sleep 7{marker} & touch begun; wait"
    process = begin(server, tmp_path, PRE_DEPLOY_TEST=text)
    while not (tmp_path / "begun").exists():
        assert process.poll() is None, (tmp_path / "log").read_text()
    process.send_signal(number)
    assert process.wait(30) == 11
    assert "Nothing was changed." in (tmp_path / "log").read_text("utf-8")
    assert server.world.write_attempts() == []
    assert alive(marker) == []


@pytest.mark.slow
def test_a_long_output_of_a_test_takes_little_memory(server: Server, tmp_path: Path) -> None:
    """60,000 lines reach the log, a few hundred the record; memory is as for 2,000 lines."""
    peaks = []
    for count in (2_000, 60_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        # Plain shell: the image's tools lack some options.
        line = "line $i of a test that prints a lot about everything it does"
        text = f'i=0; while [ $i -lt {count} ]; do i=$((i + 1)); echo "{line}"; done'
        process = begin(server, folder, PRE_DEPLOY_TEST=text, RESTART="true", REPORT_DIR="report")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss)
        with (folder / "log").open(encoding="utf-8") as log:
            assert sum("PRE_DEPLOY_TEST | line " in one for one in log) == count
        assert (folder / "report" / "deploy.json").stat().st_size < 60_000
    # Kept in memory, 60,000 lines would take more than twice this.
    assert peaks[1] - peaks[0] < 3_000, f"{peaks} kB"
