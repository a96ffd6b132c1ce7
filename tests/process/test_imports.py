"""Every import is time that a person waits: what a plain deploy must not load, and until when.

`PYTHONPROFILEIMPORTTIME` (`python -X importtime`) names every module that is loaded, among the
lines of the log; the line about the tenant follows the first request.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox import Server, World
from tests.support.program import finish, start

NEVER = {
    # AWS: a role, keys, or an image in ECR
    *("boto3", "botocore", "dateutil", "jmespath", "s3transfer"),
    # The step's Docker service: PRE_DEPLOY_TEST_IMAGE, POST_DEPLOY_TEST_IMAGE
    *("docker", "websocket"),
    # The toolkit's own tests
    *("bitbucket_pipes_toolkit.test", "git", "gitdb", "smmap", "unittest"),
    # Of the standard library what is heavy and easily pulled in
    *("asyncio", "multiprocessing", "pdb", "pydoc", "sqlite3", "tomllib", "xmlrpc"),
}
"""Not imported in a deploy without role, tests and image verification."""

LATER = {
    "pipe.report.junit",  # 5 ms: a long pattern, and the XML library
    "xml",
}
"""Not before the portal has been asked for the first time."""


def names(lines: list[str]) -> set[str]:
    """The modules of importtime's lines, with the packages they are in."""
    found = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    return {name.rsplit(".", up)[0] for name in found for up in range(name.count(".") + 1)}


@pytest.fixture
def lines(server: Server, world: World, tmp_path: Path) -> list[str]:
    """What a plain deploy in a step says, with what it loads in between."""
    code, output = finish(
        start(server.url, world, BITBUCKET_CLONE_DIR=str(tmp_path), PYTHONPROFILEIMPORTTIME="1")
    )
    assert code == 0, output
    return output.splitlines()


def test_optional_parts_are_never_loaded(lines: list[str]) -> None:
    """No library of AWS or Docker for a deploy that needs neither."""
    loaded = names(lines)
    assert {"requests", "pipe.run"} <= loaded
    assert not loaded & NEVER


def test_what_only_the_end_needs_is_loaded_after_the_first_request(lines: list[str]) -> None:
    """The JUnit report's module is there in the end, and not before the portal is reached."""
    asked = next(number for number, line in enumerate(lines) if "Tenant dev01" in line)
    before, after = names(lines[:asked]), names(lines[asked:])
    assert "pipe.portal.client" in before
    assert not before & LATER
    assert after >= LATER
