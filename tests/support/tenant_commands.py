"""Builders for tests of commands inside the tenant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipe.jobs.model import SHELL, TenantCommand
from pipe.kind import Kind
from pipe.kinds.service.snapshot import take_snapshot
from pipe.model import Target
from pipe.settings import Step
from tests.support.service_looks import NEW, OLD, service

STEP = Step(
    workspace="team",
    workspace_id="{workspace}",
    repository="shop",
    repository_id="{repository}",
    build_number="71",
    run_number="1",
    commit="",
    branch="main",
    tag="",
    deployment="production",
    deployment_id="",
    pipeline="{pipeline}",
    step="{step}",
    clone_dir=Path(),
)
LOCAL = replace(STEP, repository_id="", build_number="", run_number="", deployment="", step="")


def command(
    text: str = "migrate", fields: dict[str, Any] | None = None, **own: Any
) -> TenantCommand:
    """Return a release command beside the service `web`, whose `fields` are as given."""
    target = Target(Kind.SERVICE, "web")
    plain = TenantCommand(
        setting="RELEASE_COMMAND",
        command=(*SHELL, text),
        snapshot=take_snapshot(target, service(OLD, **(fields or {}))),
        image=NEW,
        environment={},
        seconds=60.0,
        key="release",
        once=True,
    )
    return replace(plain, **own)
