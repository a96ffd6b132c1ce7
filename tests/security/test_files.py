"""Links and special files where the pipe reads and writes, as a repository can contain them."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from pipe import files
from pipe.errors import ConfigError
from pipe.settings import load
from tests.sandbox import Server
from tests.support.environment import environment
from tests.support.harness import HOST, Harness
from tests.support.process import finish, start
from tests.support.real_time import real_time_world

MIB = 1 << 20
Plant = Callable[[Path], None]


def device(path: Path) -> None:
    """Plant a link to a file without end."""
    path.symlink_to("/dev/zero")


def stream(path: Path) -> None:
    """Plant a link to the run's own standard error."""
    path.symlink_to("/proc/self/fd/2")


def unix_socket(path: Path) -> None:
    """Plant a socket that nothing listens on."""
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # the longest name of a socket is short
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


def large(path: Path) -> None:
    """Plant a file of 4 GiB, which takes no space."""
    with path.open("wb") as file:
        file.truncate(4 << 30)


SPECIAL = [device, stream, os.mkfifo, unix_socket, large]


@pytest.mark.parametrize("plant", SPECIAL, ids=lambda plant: plant.__name__)
def test_a_special_file_as_the_record_neither_stops_nor_exhausts_a_run(
    tmp_path: Path, plant: Plant
) -> None:
    """With 1 GiB of memory the deploy ends as usual, and leaves its own record."""
    report = tmp_path / "report"
    report.mkdir()
    plant(report / "deploy.json")
    world = real_time_world(0.2)
    with Server(world) as server:
        clone: dict[str, Any] = {"BITBUCKET_CLONE_DIR": str(tmp_path), "REPORT_DIR": "report"}
        process = start(server.url, world, **clone)
        resource.prlimit(process.pid, resource.RLIMIT_AS, (1 << 30, 1 << 30))
        try:
            code, output = finish(process)
        finally:
            process.kill()
    assert code == 0, output
    assert (report / "deploy.json").is_file()
    assert not (report / "deploy.json").is_symlink()


def test_a_link_in_the_place_of_a_report_is_replaced(harness: Harness) -> None:
    """The file it leads to stays as it is."""
    harness.web()
    precious = harness.folder / "precious"
    precious.write_text("precious")
    harness.report_dir.mkdir()
    names = ("deploy.json", "deploy.env", "deploy.html")
    for name in names:
        (harness.report_dir / name).symlink_to(precious)
    assert harness.deploy().code == 0
    assert precious.read_text() == "precious"
    assert not any((harness.report_dir / name).is_symlink() for name in names)


def test_a_link_with_a_guessed_temporary_name_is_not_written_through(harness: Harness) -> None:
    """In a container the pipe always has the same process id."""
    harness.web()
    precious = harness.folder / "precious"
    precious.write_text("precious")
    harness.report_dir.mkdir()
    junit = harness.folder / "test-results"
    junit.mkdir()
    names = [
        *(harness.report_dir / name for name in ("deploy.json", "deploy.env", "deploy.html")),
        junit / "deploy-dev01-web.xml",
    ]
    for path in names:
        path.with_name(f".{path.name}.{os.getpid()}").symlink_to(precious)
    assert harness.deploy(POST_DEPLOY_TEST="true", TEST_REPORT_DIR="test-results").code == 0
    assert precious.read_text() == "precious"
    assert all(path.is_file() and not path.is_symlink() for path in names)


def test_the_file_behind_a_link_is_not_taken_for_a_record(harness: Harness) -> None:
    """Even an authentic one: records are files, and the log says why this one is not used."""
    harness.web()
    assert harness.deploy().code == 0
    path = harness.report_dir / "deploy.json"
    path.rename(harness.folder / "elsewhere.json")
    path.symlink_to(harness.folder / "elsewhere.json")
    result = harness.deploy()
    assert result.code == 0
    assert "is not used: a symbolic link" in result.log


def test_a_link_to_a_report_folder_is_followed(harness: Harness) -> None:
    """People link folders; the reports have names that the pipe chooses."""
    harness.web()
    (harness.folder / "other").mkdir()
    harness.report_dir.symlink_to("other")
    assert harness.deploy().code == 0
    assert (harness.folder / "other/deploy.json").is_file()


@pytest.mark.parametrize(
    "plant", [device, os.mkfifo, unix_socket, large], ids=lambda plant: plant.__name__
)
def test_a_special_file_as_ca_cert_is_refused(tmp_path: Path, plant: Plant) -> None:
    """Without reading more than a certificate file can have."""
    plant(tmp_path / "ca.pem")
    with pytest.raises(ConfigError) as caught:
        load(environment(HOST, "a-token", CA_CERT=str(tmp_path / "ca.pem")))
    assert "neither PEM text nor a readable file" in caught.value.problems[0].what


def test_a_link_to_a_certificate_is_followed(tmp_path: Path) -> None:
    """Certificates are often installed as links."""
    pem = trustme.CA().cert_pem.bytes().decode()
    (tmp_path / "real.pem").write_text(pem)
    (tmp_path / "ca.pem").symlink_to("real.pem")
    assert load(environment(HOST, "a-token", CA_CERT=str(tmp_path / "ca.pem"))).ca_cert == pem


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """A byte more is refused."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * MIB)
    assert len(files.read(path, MIB)) == MIB
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(OSError, match="larger than 1 MiB"):
        files.read(path, MIB)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    """A folder in the place of a report cannot be replaced."""
    (tmp_path / "deploy.json").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(tmp_path / "deploy.json", b"{}")
    assert [path.name for path in tmp_path.iterdir()] == ["deploy.json"]
