"""One run from the environment to the exit code."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from requests.adapters import BaseAdapter

from pipe import __version__, output, report
from pipe.clock import Clock, SystemClock
from pipe.deploy.sequence import Deploy
from pipe.deploy_tests import DeployTests, Runner, StepRunner
from pipe.errors import Cancelled, ChecksFailed, ConfigError, ExitCode, PipeError
from pipe.http import Network
from pipe.identity import claims, trust
from pipe.identity.establish import Identity, establish
from pipe.kinds import Drivers, open_drivers
from pipe.notify import code_insights
from pipe.notify.notifications import SECONDS, Notifications
from pipe.portal import TenantPortal, choose, connect
from pipe.preflight.preflight import Preflight
from pipe.preflight.result import CheckResult, CheckStatus
from pipe.registry.login import logins
from pipe.registry.proof import ImageProver
from pipe.registry.registries import registries
from pipe.report import Record
from pipe.secret import Mask
from pipe.settings import Action, Settings, load
from pipe.settings.load import debug_wanted, secrets

log = logging.getLogger(__name__)

_ISSUES = "https://bitbucket.org/nholuongut/bitbucket-deploy-pipe/issues"


@dataclass(frozen=True)
class Dependencies:
    """What a run is connected to; tests replace time and the network.

    `adapter` leads to whatever is asked or told; `notification_seconds` is what telling people may
    cost.
    """

    clock: Clock = field(default_factory=SystemClock)
    adapter: BaseAdapter | None = None
    runner: Runner = field(default_factory=StepRunner)
    insights_proxy: str = code_insights.PROXY
    notification_seconds: float = SECONDS


def run(environ: Mapping[str, str], dependencies: Dependencies) -> ExitCode:
    """Do what the variables say, tell people, and answer with the exit code."""
    mask = Mask()
    for secret in secrets(environ):
        mask.add(secret)
    output.set_up(mask, debug=debug_wanted(environ))
    try:
        return _Run(load(environ), dependencies, mask).run()
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

    def __init__(self, settings: Settings, dependencies: Dependencies, mask: Mask) -> None:
        self._settings = settings
        self._wires = dependencies
        self._mask = mask
        self._network = Network(
            settings.proxies, settings.ca_cert, dependencies.clock, dependencies.adapter
        )
        self._record = Record(settings, dependencies.clock.now())
        self._deploy: Deploy | None = None
        self._notifications = Notifications(
            self._record,
            mask,
            seconds=dependencies.notification_seconds,
            adapter=dependencies.adapter,
            insights_proxy=dependencies.insights_proxy,
        )

    def run(self) -> ExitCode:
        portal = f", portal {self._settings.host}" if self._settings.host else ""
        log.info("Deploy pipe %s%s", __version__, portal)
        try:
            code, told = ExitCode.DONE, self._act()
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

    def _act(self) -> str:
        match self._settings.action:
            case Action.TRUST_POLICY:
                return self._print_trust_policy()
            case Action.CHECK:
                return self._check()
            case _:
                return self._deploy_now()

    def _deploy_now(self) -> str:
        settings, network = self._settings, self._network
        identity = establish(settings, network, self._mask)
        portal = connect(settings.host, identity.token, network)
        tenant = choose(portal.tenants(), settings.tenant)
        log.info("Tenant %s", tenant.name)
        registry_of = registries(settings, identity, network, self._mask)
        prover = ImageProver(settings.image_rules, registry_of)
        self._record.proofs = prover.proofs
        self._deploy = Deploy(
            settings,
            self._open_drivers(portal.tenant(tenant)),
            self._wires.clock,
            self._record,
            prover.resolve,
            self._save,
            self._tests(identity),
            self._notifications.begun,
        )
        return self._deploy.run()

    def _tests(self, identity: Identity) -> DeployTests:
        return DeployTests(
            self._settings,
            self._wires.runner,
            self._wires.clock,
            self._record.checks.append,
            self._mask.text,
            credentials=self._role_variables(identity),
            login=logins(self._settings, identity, self._mask),
            adapter=self._wires.adapter,
        )

    def _role_variables(self, identity: Identity) -> Mapping[str, str]:
        """The temporary credentials of the role for the tests, empty without a role."""
        if identity.role is None:
            return {}
        keys, region = identity.role.keys, self._settings.aws.region
        return {
            "AWS_ACCESS_KEY_ID": keys.access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.secret_access_key.reveal(),
            "AWS_SESSION_TOKEN": keys.session_token.reveal(),
            **({"AWS_DEFAULT_REGION": region, "AWS_REGION": region} if region else {}),
        }

    def _save(self) -> None:
        """Write the record so far; a defect in that is no reason not to deploy."""
        try:
            report.write(self._record, self._mask)
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("The report has a defect: %r.", error)

    def _tell(self) -> None:
        """Write the reports and tell people, neither of which changes how the run ends."""
        try:
            report.write(self._record, self._mask)
            report.write_tests(self._record, self._mask)
            if not self._settings.dry_run:
                self._notifications.ended()
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("The report has a defect: %r. The deploy is not touched by it.", error)
        except KeyboardInterrupt:
            log.warning("Stopped while telling people; the deploy is not touched by it.")

    def _open_drivers(self, tenant: TenantPortal) -> Drivers:
        return open_drivers(tenant, self._wires.clock)

    def _check(self) -> str:
        Preflight(self._settings, self._network, self._mask, self._open_drivers, self._note).run()
        facts = self._record.facts
        bad = [fact for fact in facts if fact.status is CheckStatus.FAILED]
        if bad:
            names = ", ".join(fact.name for fact in bad)
            raise ChecksFailed(bad[0].code, f"{len(bad)} of {len(facts)} checks failed: {names}.")
        left = sum(fact.status is CheckStatus.UNKNOWN for fact in facts)
        unproven = f", {left} unknown" if left else ""
        return f"{len(facts) - left} of {len(facts)} checks passed{unproven}. Nothing was changed."

    def _note(self, fact: CheckResult) -> None:
        """Keep a fact and show it."""
        self._record.facts.append(fact)
        level = logging.ERROR if fact.status is CheckStatus.FAILED else logging.INFO
        log.log(level, "[%s] %s: %s", fact.status, fact.name, fact.message)
        if fact.remedy and fact.status is not CheckStatus.PASSED:
            self._advise(level, fact.remedy, fact.details)

    def _print_trust_policy(self) -> str:
        aws, step = self._settings.aws, self._settings.step
        if aws.web_identity:
            needed = trust.from_claims(claims.read(aws.web_identity), aws.role_arn)
        else:
            needed = trust.from_step(step, aws.role_arn)
        audiences = ", ".join(needed.audiences)
        log.info("Identity provider in IAM: URL https://%s", needed.provider)
        log.info("Its audience: %s", audiences)
        log.info("The policy lets in %s.", needed.bound_to)
        for missing in needed.unknown:
            log.warning("%s", missing)
        output.document(self._mask, trust.text(needed.policy()))
        return "This is the trust policy for the role. Nothing was changed."

    def _failed(self, error: PipeError) -> tuple[ExitCode, str]:
        if isinstance(error, ConfigError):
            _list(error)
        if error.remedy:
            self._advise(logging.ERROR, error.remedy, error.details)
        now = self._deploy.what_runs_now() if self._deploy else "Nothing was changed."
        return error.code, f"{error.diagnosis} {now}"

    def _advise(self, level: int, remedy: str, details: Sequence[str]) -> None:
        log.log(level, "What to do: %s", remedy)
        for line in details:
            log.log(level, "  %s", line)


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
