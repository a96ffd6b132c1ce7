"""The variables that a pipeline step passes to the pipe."""

from __future__ import annotations

from pathlib import Path

TENANT, SERVICE = "dev01", "web"
OLD_IMAGE, NEW_IMAGE = "team/web:1.4.1", "team/web:1.4.2"
STEP = {
    "BITBUCKET_PIPELINE_UUID": "{pipeline}",
    "BITBUCKET_STEP_UUID": "{step}",
    "BITBUCKET_STEP_RUN_NUMBER": "1",
}
"""The ids by which a run recognizes an earlier run of its own step."""


def environment(
    host: str,
    token: str | None,
    *,
    tenant: str | None = TENANT,
    service: str | None = SERVICE,
    image: str | None = NEW_IMAGE,
    folder: Path | None = None,
    step: bool = False,
    **variables: str,
) -> dict[str, str]:
    """Return the variables of a run that deploys `web`; None leaves one out.

    `folder` is the clone folder, with the reports below it; `step` adds the ids of one step.
    `variables` are added last and replace what is there.
    """
    usual: dict[str, str | None] = {
        "DUPLO_HOST": host,
        "DUPLO_TOKEN": token,
        "TENANT": tenant,
        "SERVICE": service,
        "IMAGE": image,
        "REPORT_DIR": str(report_dir(folder)) if folder else None,
        "BITBUCKET_CLONE_DIR": str(folder) if folder else None,
    }
    given = {name: value for name, value in usual.items() if value is not None}
    return given | (STEP if step else {}) | variables


def report_dir(folder: Path) -> Path:
    """Return where a run writes its reports, below its clone folder."""
    return folder / "report"
