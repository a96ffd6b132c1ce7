"""Tests of users, run by the pipe as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.deploy_tests.commands import alive
from tests.sandbox import Server
from tests.support.program import start


def begin(server: Server, folder: Path, **extra: str) -> subprocess.Popen[str]:
    """Start the pipe with its log in a file."""
    with (folder / "log").open("wb") as log:
        return start(server.url, server.world, log=log, BITBUCKET_CLONE_DIR=str(folder), **extra)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_ends_its_test(server: Server, tmp_path: Path, number: int) -> None:
    """Exit 11, nothing changed, and no process of the test left."""
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
def test_a_talkative_test_does_not_make_the_run_big(server: Server, tmp_path: Path) -> None:
    """200,000 lines in the log, a few hundred in the record, and memory as for a hundredth."""
    peaks = []
    for count in (2_000, 200_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        # Plain shell: the image's own tools do not know every option.
        said = "line $i of a test with much to say about all it does"
        text = f'i=0; while [ $i -lt {count} ]; do i=$((i + 1)); echo "{said}"; done'
        process = begin(server, folder, PRE_DEPLOY_TEST=text, RESTART="true", REPORT_DIR="report")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss)
        with (folder / "log").open(encoding="utf-8") as log:
            assert sum("PRE_DEPLOY_TEST | line " in line for line in log) == count
        assert (folder / "report" / "deploy.json").stat().st_size < 60_000
    assert peaks[1] - peaks[0] < 3_000, f"{peaks} kB"
