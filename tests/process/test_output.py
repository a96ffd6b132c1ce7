"""Everything a process of the pipe prints goes through the mask, one line for each record."""

from __future__ import annotations

import pytest

from tests.sandbox import Server, World
from tests.support.process import finish, start
from tests.support.raw_server import raw_server


def test_a_gateway_that_echoes_the_token_in_broken_headers(world: World) -> None:
    """urllib3 logs such headers with a traceback, which shows no token and adds no lines."""

    def echo(head: str) -> bytes:
        lines = head.split("\r\n")
        token = next(line for line in lines if line.lower().startswith("authorization"))
        return (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n"
            f"no colon here\r\nEcho-{token}\r\nForged: line\r\n\r\n[]"
        ).encode("latin-1")

    with raw_server(echo) as port:
        code, output = finish(start(f"http://127.0.0.1:{port}", world))
    assert code == 4, output
    assert "Failed to parse headers" in output
    assert world.token not in output
    assert "Traceback" not in output
    assert not [line for line in output.splitlines() if line.startswith(("Echo-", "Forged"))]


@pytest.mark.parametrize("debug", ["false", "true"])
def test_a_webhook_with_its_secret_in_the_query(server: Server, world: World, debug: str) -> None:
    """Neither the pipe nor a library shows it, however broken the response is."""

    def broken(head: str) -> bytes:
        target = head.split(" ")[1]
        return f"HTTP/1.1 404 No\r\nbroken\r\nX: y\r\n\r\n{'x' * 60} {target}".encode()

    with raw_server(broken) as port:
        webhook = f"http://bot:hook-password@127.0.0.1:{port}/v1/spaces/A?key=k3y&token=supersecret"
        code, output = finish(start(server.url, world, SLACK_WEBHOOK=webhook, DEBUG=debug))
    assert code == 0, output
    assert "returned 404" in output
    assert "supers" not in output
    assert "hook-password" not in output


@pytest.mark.parametrize("before", ["", "x" * 165])
def test_a_proxy_that_repeats_its_password(world: World, before: str) -> None:
    """As it is written in the variable and decoded, whole and cut."""

    def refuse(_head: str) -> bytes:
        return f"HTTP/1.1 407 {before} p%40ss!word p@ss!word\r\n\r\n".encode()

    with raw_server(refuse) as port:
        proxy = f"http://ci:p%40ss!word@127.0.0.1:{port}"
        code, output = finish(start("https://127.0.0.2:9", world, HTTPS_PROXY=proxy))
    assert code == 4, output
    assert f"The proxy 127.0.0.1:{port} did not connect to" in output
    assert not [part for part in ("ss!w", "p%40s", "p@ss") if part in output], output


_START = """
import logging, sys, threading, warnings
from pipe import guard, output
from pipe.secret import Mask, Secret
mask = Mask()
guard.guard_process(mask)
output.set_up(mask, debug=False)
SECRET = "tok-0123456789abcdef"
mask.add(Secret(SECRET))
class Broken:
    def __del__(self):
        raise RuntimeError(SECRET + "\\nsecond line")
def fail():
    raise RuntimeError(SECRET + "\\x0bsecond line")
"""


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("warnings.warn(SECRET + '\\nnext', UserWarning)", "UserWarning"),
        ("threading.Thread(target=fail).start()", "RuntimeError"),
        ("fail()", "RuntimeError"),
        ("Broken()", "RuntimeError"),
        ("logging.getLogger('x').warning('%d', SECRET)", ""),
        ("logging.getLogger('x').warning('m', stack_info=True, exc_info=ValueError(SECRET))", "m"),
        ("logging.getLogger().handlers.clear(); logging.getLogger('x').warning(SECRET)", ""),
        pytest.param(
            "logging.getLogger('x').propagate = False\n"
            "logging.getLogger('x').warning('m', exc_info=ValueError(SECRET + '\\nline'))",
            "m (ValueError: *** line)",
        ),
    ],
    ids=["warning", "thread", "main", "unraisable", "arguments", "stack", "root", "last resort"],
)
def test_nothing_that_python_prints_escapes_the_mask(world: World, code: str, shown: str) -> None:
    """Warnings, tracebacks of any origin, and records of loggers without a handler."""
    _, output = finish(start("http://127.0.0.1:9", world, command=("-c", f"{_START}\n{code}")))
    assert "tok-0123456789" not in output.replace('SECRET = "tok', "")
    assert shown in output
    assert not [line for line in output.splitlines() if line.startswith(("next", "second", "line"))]
