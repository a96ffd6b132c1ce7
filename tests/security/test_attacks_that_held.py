"""Attacks that never worked, so that none of them begins to."""

from __future__ import annotations

import base64
import shutil
import subprocess
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request as WsgiRequest
from werkzeug.wrappers import Response

from pipe import image
from pipe.clock import SystemClock
from pipe.dependencies import Dependencies
from pipe.hosts import ecr_address
from tests.sandbox import Server, World
from tests.sandbox.listener import Listener
from tests.support.environment import environment
from tests.support.harness import Harness, run_pipe
from tests.support.http_server import Answer, HttpServer
from tests.support.process import finish, start
from tests.support.real_time import JumpingClock, real_time_world

PAYLOADS = (
    *("$(touch pwned)", "`touch pwned`", "'; touch pwned; '", "\\'; touch pwned #", "!{touch}"),
    *("a\nDEPLOY_OUTCOME='forged'\ntouch pwned", "x\r\ntouch pwned", "a\u2028touch pwned", "~root"),
    *("$'\\x27; touch pwned'", "a'\\''b", "${IFS}", "*", "-n", "\\", "'", '"', "é;x", "a\x85b"),
    *("'\"'\"'; touch pwned", "&& touch pwned", "| touch pwned", "> pwned", "x\x00y", "\x1b[2J"),
)
SHELLS = ("sh", "bash", "bash --posix", "dash", "busybox sh", "zsh", "ksh")
CONFUSING_HOSTS = (
    "http://127.0.0.1.evil.example",
    "http://localhost@evil.example",
    "http://evil.example#localhost",
    "http://evil.example\\@localhost",
    "https://a@evil.example",
    "https://portal.example\r\nX-Injected: 1",
    "https://portal.example\tevil.example",
    "file:///etc/passwd",
    "http://2130706433",
    "http://[::ffff:127.0.0.1]",
)
NOT_ECR = (
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
    "evil.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com:5000",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.co",
    "1234567890123.dkr.ecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1.evil-amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1xamazonaws.com",
)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_of_the_portal_is_followed(status: int, tmp_path: Path) -> None:
    """The other host gets no request at all."""
    with HttpServer(lambda _: Answer()) as other:
        moved = Answer(status, "", {"Location": f"http://127.0.0.1:{other.port}/"})
        with HttpServer(lambda _: moved) as portal:
            variables = environment(f"http://127.0.0.1:{portal.port}", "a-token-of-the-portal")
            result = run_pipe(variables, Dependencies(JumpingClock()), tmp_path)
    assert result.code == 4, result.text
    assert other.requests == []


@pytest.mark.parametrize("status", [302, 307])
def test_no_redirect_of_slack_is_followed(harness: Harness, status: int) -> None:
    """The message goes to the address of the webhook or nowhere."""
    harness.web()
    with HttpServer(lambda _: Answer()) as other:
        moved = Answer(status, "", {"Location": f"http://127.0.0.1:{other.port}/"})
        with HttpServer(lambda _: moved) as slack:
            result = harness.deploy(SLACK_WEBHOOK=f"http://127.0.0.1:{slack.port}/services/abcdef")
            assert slack.requests
    assert result.code == 0, result.text
    assert other.requests == []


def test_a_compressed_bomb_is_refused(tmp_path: Path) -> None:
    """The limit counts what comes out: 200 MB in 200 kB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(200)) + packer.flush()

    def portal(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        WsgiRequest(environ).get_data()
        return Response(bomb, headers={"Content-Encoding": "gzip"})(environ, start_response)

    with Listener(portal) as server:
        variables = environment(server.url, "a-token-of-the-portal")
        result = run_pipe(variables, Dependencies(JumpingClock()), tmp_path)
    assert result.code == 4, result.text
    assert "sent a response of more than 32 MB" in result.text


def test_a_netrc_file_and_proxy_variables_in_lower_case_are_ignored(tmp_path: Path) -> None:
    """The portal gets the token, directly."""
    world = real_time_world(0.2)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n", "utf-8")
    proxies = ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY")
    ambient: dict[str, Any] = dict.fromkeys(proxies, "127.0.0.1:9")
    with Server(world) as server:
        ambient |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / ".netrc")}
        code, output = finish(start(server.url, world, **ambient))
    assert code == 0, output


def test_files_that_shells_read_at_their_start_are_not_run(harness: Harness) -> None:
    """BASH_ENV is for bash by its own name; ENV is the pipe's own, and no test gets it."""
    (harness.folder / "planted").write_text("touch planted-was-run\n", "utf-8")
    harness.web()
    planted = str(harness.folder / "planted")
    test = 'test -z "$ENV$ENV_COUNT$ENV_0"'
    given = {"ENV_COUNT": "1", "ENV_0": f"PLANTED={planted}"}
    result = harness.deploy(PRE_DEPLOY_TEST=test, BASH_ENV=planted, **given)
    assert result.code == 0, result.text
    assert not (harness.folder / "planted-was-run").exists()


def test_no_command_line_holds_a_secret(tmp_path: Path) -> None:
    """Every process of the machine can read the command lines of all others."""
    world = real_time_world(0.2)
    encoded = base64.b64encode(world.token.encode()).decode()
    (tmp_path / "look.sh").write_text(
        'for file in /proc/[0-9]*/cmdline; do tr "\\0" " " < "$file"; echo; done 2>/dev/null'
        " > command-lines; true\n",
        "utf-8",
    )
    with Server(world) as server:
        clone: dict[str, Any] = {"BITBUCKET_CLONE_DIR": str(tmp_path)}
        code, output = finish(start(server.url, world, PRE_DEPLOY_TEST="sh look.sh", **clone))
    assert code == 0, output
    lines = (tmp_path / "command-lines").read_text("utf-8", "replace")
    assert "-m pipe" in lines
    assert world.token not in lines
    assert encoded not in lines


@pytest.mark.parametrize("shell", SHELLS)
def test_deploy_env_runs_nothing_in_any_shell(tmp_path: Path, shell: str) -> None:
    """Every payload comes out as it went in, without its control characters, on one line."""
    program, *options = shell.split()
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    for number, payload in enumerate(PAYLOADS):
        folder = tmp_path / str(number)
        folder.mkdir()
        fresh = Harness(folder)
        fresh.web(f"team/web:1{payload}")
        assert fresh.deploy().code == 0
        path = fresh.report_dir / "deploy.env"
        script = f'. "{path}"; printf "%s|%s" "$DEPLOY_OUTCOME" "$DEPLOY_PREVIOUS_IMAGE"'
        done = subprocess.run(
            [program, *options, "-c", script], cwd=fresh.folder, capture_output=True, check=True
        )
        outcome, _, value = done.stdout.decode("utf-8").partition("|")
        assert outcome == "done"
        assert value.startswith("team/web:1")
        assert not list(fresh.folder.rglob("pwned"))


@pytest.mark.parametrize("host", CONFUSING_HOSTS)
def test_the_address_of_the_portal_cannot_mean_two_hosts(harness: Harness, host: str) -> None:
    """Exit 2, and nothing is sent anywhere."""
    result = harness.deploy(DUPLO_HOST=host)
    assert result.code == 2, result.text
    assert harness.world.log == []


@pytest.mark.parametrize("registry", NOT_ECR)
def test_a_name_that_resembles_ecr_is_not_in_ecr(registry: str) -> None:
    """The role's credentials are for ECR alone."""
    assert ecr_address(image.parse(f"{registry}/team/web:1")) is None


def test_a_registry_on_another_machine_is_not_asked_in_plain_http(harness: Harness) -> None:
    """Neither the login nor the question goes out in clear text."""
    seen: list[str] = []

    def registry(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ["PATH_INFO"])
        return Response("{}")(environ, start_response)

    world = World(SystemClock())
    world.add_tenant("dev01")
    world.add_service("web", "team/web:1")
    with Listener(registry, host="127.0.0.2") as other, Server(world) as portal:
        variables = environment(
            portal.url,
            world.token,
            image=f"127.0.0.2:{other.port}/team/web:2",
            REGISTRY_USERNAME="ci",
            REGISTRY_PASSWORD="a-password-of-one-registry",
            VERIFY_IMAGE="true",
        )
        result = run_pipe(variables, Dependencies(JumpingClock()), harness.report_dir)
    assert result.code == 5, result.text
    assert seen == []
