"""The pipe as a process of its own, over real sockets."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest
import trustme

from tests.sandbox import Behaviour, Server, World
from tests.support.program import finish, start


def test_a_deploy_over_http(server: Server, world: World) -> None:
    """Exit 0, and the result line is the last one."""
    code, output = finish(start(server.url, world))
    assert code == 0
    assert "✔ web runs team/web:1.4.2" in output.splitlines()[-1]
    assert "\x1b[32m" in output, "colour stays on without a terminal"
    assert world.token not in output


def test_a_deploy_over_https_with_a_private_authority(world: World, tmp_path: Path) -> None:
    """CA_CERT is trusted besides the usual authorities."""
    with Server(world, tls=tmp_path) as server:
        code, output = finish(start(server.url, world, CA_CERT=str(server.ca_path)))
    assert code == 0, output


def test_a_certificate_that_does_not_verify(world: World, tmp_path: Path) -> None:
    """Exit 4 names CA_CERT, without having sent anything."""
    with Server(world, tls=tmp_path) as server:
        code, output = finish(start(server.url, world))
    assert code == 4
    assert "certificate" in output
    assert "CA_CERT" in output
    assert "Nothing was changed." in output
    assert world.log == []


def test_another_authority_does_not_help(world: World, tmp_path: Path) -> None:
    """Trusting one authority is not trusting any."""
    with Server(world, tls=tmp_path) as server:
        other = trustme.CA().cert_pem.bytes().decode()
        code, output = finish(start(server.url, world, CA_CERT=other))
    assert code == 4
    assert "CA_CERT" in output


def test_a_host_that_does_not_exist(world: World) -> None:
    """Exit 4 names DUPLO_HOST and says that the name is the problem."""
    code, output = finish(start("https://no-such-portal.invalid", world))
    assert code == 4
    assert "no-such-portal.invalid cannot be resolved" in output
    assert "DUPLO_HOST" in output


def test_a_port_where_nothing_listens(world: World) -> None:
    """Exit 4 says that the connection is refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, output = finish(start(f"http://127.0.0.1:{port}", world))
    assert code == 4
    assert "refused the connection" in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_and_says_what_was_left(
    server: Server, world: World, number: int
) -> None:
    """Exit 11 with the state, when Docker or a person stops it."""
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


def test_the_same_program_from_a_folder_with_a_space(
    server: Server, world: World, tmp_path: Path
) -> None:
    """REPORT_DIR may hold blanks."""
    folder = tmp_path / "my reports"
    code, _ = finish(start(server.url, world, REPORT_DIR=str(folder)))
    assert code == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["deploy.env", "deploy.html", "deploy.json"]
