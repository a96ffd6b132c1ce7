"""`ACTION: check`: look at everything a deploy depends on, and change nothing."""

from __future__ import annotations

import logging

from pipe.actions.base import BaseAction, log_remedy
from pipe.errors import ChecksFailed
from pipe.kinds import Drivers, open_drivers
from pipe.portal import TenantPortal
from pipe.preflight.preflight import Preflight
from pipe.preflight.result import CheckResult, CheckStatus

log = logging.getLogger(__name__)


class CheckAction(BaseAction):
    """See `BaseAction`."""

    def execute(self) -> str:
        """See `BaseAction`; raises `ChecksFailed` with the exit code a deploy would end with."""
        run = self._run
        Preflight(run.settings, run.network, run.mask, self._open_drivers, self._report).run()
        results = run.recorder.checks
        failed = [result for result in results if result.status is CheckStatus.FAILED]
        if failed:
            names = ", ".join(result.name for result in failed)
            raise ChecksFailed(
                failed[0].code, f"{len(failed)} of {len(results)} checks failed: {names}."
            )
        unknown = sum(result.status is CheckStatus.UNKNOWN for result in results)
        rest = f", {unknown} unknown" if unknown else ""
        passed = f"{len(results) - unknown} of {len(results)} checks passed{rest}"
        return f"{passed}. Nothing was changed."

    def _open_drivers(self, tenant: TenantPortal) -> Drivers:
        return open_drivers(tenant, self._run.dependencies.clock)

    def _report(self, result: CheckResult) -> None:
        self._run.recorder.checked(result)
        level = logging.ERROR if result.status is CheckStatus.FAILED else logging.INFO
        log.log(level, "[%s] %s: %s", result.status, result.name, result.message)
        if result.remedy and result.status is not CheckStatus.PASSED:
            log_remedy(level, result.remedy, result.details)
