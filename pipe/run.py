"""One run from the environment to the exit code."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from requests.adapters import BaseAdapter

from pipe import __version__, output, report
from pipe.checks import Checks, Runner, StepRunner
from pipe.clock import Clock, SystemClock
from pipe.deploy import Deploy
from pipe.errors import Cancelled, ConfigError, ExitCode, NotFound, PipeError
from pipe.http import HttpClient
from pipe.http.session import open_session
from pipe.kinds import open_kinds
from pipe.portal import BearerAuth, Portal, TenantPortal
from pipe.report import Record, insights
from pipe.report.notices import SECONDS, Notices
from pipe.secret import Mask
from pipe.settings import Settings, load
from pipe.settings.load import debug_wanted, secrets

log = logging.getLogger(__name__)

_ISSUES = "https://bitbucket.org/nholuongut/bitbucket-deploy-pipe/issues"


@dataclass(frozen=True)
class Wires:
    """What a run is connected to; tests replace time and the network.

    `adapter` leads to the portal, `outside` to whatever else is asked or told; `notice_seconds`
    is what telling people may cost.
    """

    clock: Clock = field(default_factory=SystemClock)
    adapter: BaseAdapter | None = None
    outside: BaseAdapter | None = None
    runner: Runner = field(default_factory=StepRunner)
    insights_proxy: str = insights.PROXY
    notice_seconds: float = SECONDS


def run(environ: Mapping[str, str], wires: Wires) -> ExitCode:
    """Do what the variables say, tell people, and answer with the exit code."""
    mask = Mask()
    for secret in secrets(environ):
        mask.add(secret)
    output.set_up(mask, debug=debug_wanted(environ))
    try:
        return _Run(load(environ), wires, mask).run()
    except ConfigError as error:
        _list(error)
        output.result(mask, f"{error.diagnosis} (exit code {error.code})", good=False)
        return error.code
    except KeyboardInterrupt:
        output.result(mask, "Cancelled; nothing was changed. (exit code 11)", good=False)
        return ExitCode.CANCELLED
    except Exception as error:  # noqa: BLE001 - a bug outside of any run is told as one
        output.result(mask, f"{_defect(error, mask)} (exit code 1)", good=False)
        return ExitCode.DEFECT


class _Run:
    """A run whose variables are fine."""

    def __init__(self, settings: Settings, wires: Wires, mask: Mask) -> None:
        self._settings = settings
        self._wires = wires
        self._mask = mask
        self._record = Record(settings, wires.clock.now())
        self._deploy: Deploy | None = None
        self._notices = Notices(
            self._record,
            mask,
            seconds=wires.notice_seconds,
            adapter=wires.outside,
            insights_proxy=wires.insights_proxy,
        )

    def run(self) -> ExitCode:
        log.info("Deploy pipe %s, portal %s", __version__, self._settings.host)
        try:
            code, told = ExitCode.DONE, self._deploy_now()
        except PipeError as error:
            code, told = self._failed(error)
        except KeyboardInterrupt:
            code, told = self._failed(_cancelled())
        except Exception as error:  # noqa: BLE001 - a bug is told as one, and recorded
            code, told = ExitCode.DEFECT, _defect(error, self._mask)
        self._record.finish(code, told, self._wires.clock.now())
        self._tell()
        ending = f" (exit code {code})" if code else ""
        output.result(self._mask, f"{told}{ending}", good=code is ExitCode.DONE)
        return code

    def _deploy_now(self) -> str:
        portal = self._tenant_portal()
        self._deploy = Deploy(
            self._settings,
            open_kinds(portal, self._wires.clock),
            self._wires.clock,
            self._record,
            lambda: report.write(self._record, self._mask),
            self._checks(),
            self._notices.begun,
        )
        return self._deploy.run()

    def _checks(self) -> Checks:
        return Checks(
            self._settings,
            self._wires.runner,
            self._wires.clock,
            self._record.checks.append,
            self._mask.text,
            adapter=self._wires.outside,
        )

    def _tell(self) -> None:
        """Write the reports and tell people, neither of which changes how the run ends."""
        try:
            report.write(self._record, self._mask)
            report.write_tests(self._record, self._mask)
            if not self._settings.dry_run:
                self._notices.ended()
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("The report has a defect: %r. The deploy is not touched by it.", error)
        except KeyboardInterrupt:
            log.warning("Stopped while telling people; the deploy is not touched by it.")

    def _failed(self, error: PipeError) -> tuple[ExitCode, str]:
        if isinstance(error, ConfigError):
            _list(error)
        if error.remedy:
            log.error("What to do: %s", error.remedy)
        now = self._deploy.what_runs_now() if self._deploy else "Nothing was changed."
        return error.code, f"{error.diagnosis} {now}"

    def _tenant_portal(self) -> TenantPortal:
        settings, wires = self._settings, self._wires
        session = open_session(settings.host, settings.proxies, settings.ca_cert, wires.adapter)
        session.auth = BearerAuth(settings.token)
        portal = Portal(HttpClient(settings.host, session, wires.clock, setting="DUPLO_HOST"))
        wanted = settings.tenant.casefold()
        tenants = portal.tenants()
        for tenant in tenants:
            if wanted in (tenant.name.casefold(), tenant.id.casefold()):
                log.info("Tenant %s", tenant.name)
                return portal.tenant(tenant)
        raise NotFound.named(
            "tenant", "TENANT", settings.tenant, [tenant.name for tenant in tenants]
        )


def _list(error: ConfigError) -> None:
    for problem in error.problems:
        log.error("%s %s. %s", problem.variable, problem.what, problem.fix)


def _defect(error: Exception, mask: Mask) -> str:
    output.defect(mask, error)
    return f"This is a defect of the pipe; what runs now is not known. Please report it: {_ISSUES}"


def _cancelled() -> Cancelled:
    return Cancelled(
        "Cancelled.",
        "The platform goes on with whatever was begun; running the step again picks it up.",
    )
