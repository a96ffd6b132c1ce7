"""Which modules a plain deploy never imports, and which only late: every import costs time.

`PYTHONPROFILEIMPORTTIME` (`python -X importtime`) reports every import among the lines of the
log; the line about the tenant follows the first request.
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
    # The toolkit's own tests
    *("bitbucket_pipes_toolkit.test", "git", "gitdb", "smmap", "unittest"),
    # Heavy modules of the standard library that are easily pulled in
    *("asyncio", "multiprocessing", "pdb", "pydoc", "sqlite3", "tomllib", "xmlrpc"),
}
"""Not imported by a deploy without role, deploy tests and image verification."""

LATER = {
    "pipe.report.junit",  # 5 ms: a long pattern, and the XML library
    "xml",
}
"""Not imported before the first request to the portal."""


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


def test_modules_for_the_reports_are_imported_after_the_first_request(lines: list[str]) -> None:
    """The module of the JUnit report is imported, but not before the portal is reached."""
    first = next(number for number, line in enumerate(lines) if "Tenant dev01" in line)
    before, after = names(lines[:first]), names(lines[first:])
    assert "pipe.portal.client" in before
    assert not before & LATER
    assert after >= LATER
