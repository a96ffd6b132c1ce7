"""The image assumes a role in AWS with a read-only file system and without a home."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipe.clock import SystemClock
from tests.container.bitbucket import HOST, STRICT, USERS, Agent, variables
from tests.sandbox import Server
from tests.sandbox.aws import Cloud
from tests.sandbox.aws.cloud import scan

pytestmark = [pytest.mark.container, pytest.mark.slow]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """An AWS account, listening where containers reach it."""
    with Cloud(SystemClock(), host="0.0.0.0") as cloud:
        yield cloud


@pytest.mark.parametrize("user", USERS)
def test_deploys_without_any_stored_secret(
    agent: Agent, server: Server, cloud: Cloud, user: str
) -> None:
    """Role, portal token, image check, scan findings and digest, all through boto3."""
    name = cloud.repository()
    digest = cloud.push("1.4.2")
    cloud.scanned(digest, scan(CVE_2026_2="LOW"))
    store = cloud.client("secretsmanager")
    store.create_secret(Name="portal", SecretString=server.world.token)
    step = {
        **variables(server, **cloud.environ()),
        **cloud.endpoints(f"http://{HOST}:{cloud.port}"),
        "IMAGE": f"{name}:1.4.2",
        "DUPLO_TOKEN_SECRET": "portal",
        "PIN_DIGEST": "true",
        "MAX_SEVERITY": "LOW",
        "DEBUG": "true",
    }
    del step["DUPLO_TOKEN"]
    run = agent.run(step, [*STRICT, f"--user={user}"])
    assert run.code == 0, run.text
    assert server.world.service("web").image == f"{name}@{digest}"
    for secret in (server.world.token, step["BITBUCKET_STEP_OIDC_TOKEN"], *cloud.door.given):
        assert secret not in run.text
