"""Check that commands can be run inside the tenant, where the settings have any."""

from __future__ import annotations

from collections.abc import Mapping

from pipe.errors import ConfigError, PipeError
from pipe.jobs import TenantCommand, open_runner
from pipe.model import MAIN, Snapshot, Target
from pipe.portal import TenantPortal
from pipe.preflight.checker import Checker
from pipe.preflight.result import CheckResult, CheckStatus
from pipe.settings.tenant_commands import in_shell

_NAME = "commands in the tenant"


def check_commands(
    checker: Checker, tenant: TenantPortal, snapshots: Mapping[Target, Snapshot]
) -> None:
    """Report whether the portal would take a job beside the target that commands have."""
    settings = checker.settings
    wanted = settings.tenant_commands
    snapshot = snapshots.get(wanted.target) if wanted.target else None
    if snapshot is None:
        return
    command = TenantCommand(
        setting="RELEASE_COMMAND" if wanted.release else "RELEASE_TARGET",
        command=wanted.release or in_shell("true"),
        snapshot=snapshot,
        image=snapshot.images[MAIN],
        environment={},
        seconds=wanted.seconds,
        key="check",
    )
    runner = open_runner(tenant, checker.network.clock, settings, checker.mask.text)
    try:
        runner.check_ready(command)
    except ConfigError as error:
        (problem,) = error.problems
        what = f"{problem.variable} {problem.what}"
        checker.report(
            CheckResult(_NAME, CheckStatus.FAILED, f"{what}.", problem.fix, code=error.code)
        )
    except PipeError as error:
        checker.failed(_NAME, error)
    else:
        checker.passed(_NAME, f"jobs can be listed; they get the environment of {wanted.target}")
