"""Which modules a plain deploy never imports, and which only late: every import costs time.

`PYTHONPROFILEIMPORTTIME` (`python -X importtime`) reports every import among the lines of the
log. Whatever `pipe.run` imports is loaded before the first request; see `pipe.loading`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox import Server, World
from tests.support.process import finish, start

NEVER = {
    # AWS: a role, keys, or an image in ECR
    *("boto3", "botocore", "dateutil", "jmespath", "s3transfer"),
    # The step's Docker service: PRE_DEPLOY_TEST_IMAGE, POST_DEPLOY_TEST_IMAGE
    *("docker", "websocket"),
    # The toolkit's configuration and reports, and what requests guesses encodings with
    *("bitbucket_pipes_toolkit.core", "cerberus", "yaml", "charset_normalizer.api"),
    # The toolkit's own tests
    *("bitbucket_pipes_toolkit.test", "git", "gitdb", "smmap", "unittest"),
    # Heavy modules of the standard library that are easily pulled in
    *("asyncio", "multiprocessing", "pdb", "pydoc", "sqlite3", "tomllib", "xmlrpc"),
}
"""Not imported by a deploy without role, deploy tests and image verification."""

LATER = {
    *("pipe.actions", "pipe.composition", "pipe.deploy", "pipe.deploy_tests", "pipe.kinds"),
    *("pipe.model", "pipe.notify.notifications", "pipe.portal.pods", "pipe.portal.services"),
    *("pipe.registry", "pipe.report", "pipe.rollout"),
}
"""Not imported before the first request to the portal, but by the end of a run."""

AFTER_SENDING = {
    *("requests", "urllib3", "http.client", "email", "certifi", "json", "logging"),
    *("pipe.output", "pipe.http.client", "pipe.portal.connect", "pipe.rest_of_run"),
}
"""Not imported before the first request was sent: they take longer than all that is."""

AT_THE_END = {
    "pipe.report.junit",  # 5 ms: a long pattern, and the XML library
    "xml",
}
"""Not imported before the portal has answered."""

UNTIL_SENT = """
import runpy, sys
from pipe import loading
loading.rest = lambda **_: sys.exit(print(*sys.modules, sep="\\n"))
runpy.run_module("pipe", run_name="__main__")
"""
"""A run that ends where it would begin to load the rest, and prints what is loaded."""


def names(lines: list[str]) -> set[str]:
    """Return the modules in importtime's lines, with their parent packages."""
    found = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    return {name.rsplit(".", up)[0] for name in found for up in range(name.count(".") + 1)}


@pytest.fixture
def lines(server: Server, world: World, tmp_path: Path) -> list[str]:
    """The log of a plain deploy in a step, with its imports in between."""
    code, output = finish(
        start(server.url, world, BITBUCKET_CLONE_DIR=str(tmp_path), PYTHONPROFILEIMPORTTIME="1")
    )
    assert code == 0, output
    return output.splitlines()


def test_optional_modules_are_never_imported(lines: list[str]) -> None:
    """A deploy without AWS and Docker imports none of their libraries."""
    loaded = names(lines)
    assert {"requests", "pipe.run"} <= loaded
    assert not loaded & NEVER
    assert loaded >= LATER


def test_only_what_the_first_request_needs_is_imported_before_it(
    server: Server, world: World
) -> None:
    """The rest is loaded while the portal answers."""
    code, output = finish(start(server.url, world, command=("-c", UNTIL_SENT)))
    assert code == 0, output
    loaded = set(output.split())
    assert "pipe.portal.first_request" in loaded
    assert not loaded & (NEVER | AFTER_SENDING | LATER | AT_THE_END)


def test_modules_for_the_reports_are_imported_after_the_first_request(lines: list[str]) -> None:
    """The module of the JUnit report is imported, but not before the portal has answered."""
    first = next(number for number, line in enumerate(lines) if "Tenant dev01" in line)
    before, after = names(lines[:first]), names(lines[first:])
    assert "pipe.portal.client" in before
    assert not before & AT_THE_END
    assert after >= AT_THE_END
