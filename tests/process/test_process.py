"""The pipe as a process, over real sockets."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest
import trustme

from tests.sandbox import Behaviour, Server, World
from tests.support.environment import environment
from tests.support.harness import Harness
from tests.support.process import finish, start


def test_a_deploy_over_http(server: Server, world: World) -> None:
    """The run ends with exit 0, and the result line is the last one."""
    code, output = finish(start(server.url, world))
    assert code == 0
    assert "✔ web runs team/web:1.4.2" in output.splitlines()[-1]
    assert "\x1b[32m" in output, "colour stays on without a terminal"
    assert world.token not in output


def test_a_deploy_over_https_with_a_private_authority(world: World, tmp_path: Path) -> None:
    """CA_CERT is trusted in addition to the usual authorities."""
    with Server(world, tls=tmp_path) as server:
        code, output = finish(start(server.url, world, CA_CERT=str(server.ca_path)))
    assert code == 0, output


def test_a_certificate_that_does_not_verify(world: World, tmp_path: Path) -> None:
    """Exit 4 names CA_CERT, and no request is sent."""
    with Server(world, tls=tmp_path) as server:
        code, output = finish(start(server.url, world))
    assert code == 4
    assert "certificate" in output
    assert "CA_CERT" in output
    assert "Nothing was changed." in output
    assert world.log == []


def test_only_the_given_authority_is_trusted(world: World, tmp_path: Path) -> None:
    """A certificate of another authority still fails."""
    with Server(world, tls=tmp_path) as server:
        other = trustme.CA().cert_pem.bytes().decode()
        code, output = finish(start(server.url, world, CA_CERT=other))
    assert code == 4
    assert "CA_CERT" in output


def test_a_host_that_does_not_exist(world: World) -> None:
    """Exit 4 names DUPLO_HOST and the name that cannot be resolved."""
    code, output = finish(start("https://no-such-portal.invalid", world))
    assert code == 4
    assert "no-such-portal.invalid cannot be resolved" in output
    assert "DUPLO_HOST" in output


def test_a_port_where_nothing_listens(harness: Harness) -> None:
    """Exit 4 reports the refused connection; in this process, so that no retry really waits."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = environment(f"http://127.0.0.1:{port}", harness.world.token)
    result = harness.run_with(variables, sockets=True)
    assert result.code == 4
    assert "refused the connection" in result.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_and_reports_what_was_left(
    server: Server, world: World, number: int
) -> None:
    """Exit 11 reports the state when Docker or a person stops the run."""
    world.behave("team/web:1.4.2", Behaviour("never-ready"))
    process = start(server.url, world)
    while not world.writes():
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, number)
    code, output = finish(process)
    assert code == 11
    assert "Cancelled." in output
    assert "web" in output.splitlines()[-1]


def test_a_report_dir_with_a_space(server: Server, world: World, tmp_path: Path) -> None:
    """The reports are written to a folder whose name contains a space."""
    folder = tmp_path / "my reports"
    code, _ = finish(start(server.url, world, REPORT_DIR=str(folder)))
    assert code == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["deploy.env", "deploy.html", "deploy.json"]


READS_UNTIL_THE_END = """
import threading
from pipe import authorities
def read():
    threading.main_thread().join()
    print("read")
authorities._context = read
authorities.read_early()
"""


def test_the_process_does_not_end_while_authorities_are_read(server: Server, world: World) -> None:
    """OpenSSL would crash: it is taken down with the process."""
    code, output = finish(start(server.url, world, command=("-c", READS_UNTIL_THE_END)))
    assert code == 0, output
    assert output == "read\n"
