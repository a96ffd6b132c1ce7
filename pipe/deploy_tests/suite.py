"""Run the deploy tests: before anything changes, and after the rollout."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from requests.adapters import BaseAdapter

from pipe.clock import Clock
from pipe.deploy_tests import probe
from pipe.deploy_tests.environment import environment, of_the_run
from pipe.deploy_tests.model import Command, CommandResult, DeployTestResult, Runner, concluded
from pipe.deploy_tests.probe import Probe
from pipe.errors import ConfigError, PipeError, PreDeployTestFailed, Problem
from pipe.http.resolver import Resolve, resolve
from pipe.image import Image
from pipe.settings import Place, Settings

log = logging.getLogger(__name__)

BEFORE = "PRE_DEPLOY_TEST"
AFTER = "POST_DEPLOY_TEST"

Login = Callable[[Image], Mapping[str, str] | None]
"""Returns `username` and `password` for an image's registry, None if it needs no login."""


def _no_login(_: Image) -> None:
    return None


@dataclass(frozen=True)
class DeployTests:
    """The configured tests; every result goes to `note`.

    `mask` hides secrets; `credentials` returns temporary ones of AWS by environment variable;
    `login` returns the credentials of a registry; `adapter` and `resolve` replace the network in
    tests. `tenant` runs the tests inside the tenant, None while there are none.
    """

    settings: Settings
    runner: Runner
    clock: Clock
    note: Callable[[DeployTestResult], None]
    mask: Callable[[str], str]
    credentials: Callable[[], Mapping[str, str]] = dict
    login: Login = _no_login
    adapter: BaseAdapter | None = None
    resolve: Resolve = resolve
    tenant: Runner | None = None

    def prove_ready(self, deploy: Mapping[str, str]) -> None:
        """Raise `ConfigError` if a test, before or after the change, cannot be started.

        `deploy` holds the `DEPLOY_*` variables of the run.
        """
        tests = self.settings.tests
        if tests.url and not probe.address(self.settings, deploy["DEPLOY_URL"]):
            raise ConfigError([_no_address(deploy["DEPLOY_TARGETS"])])
        if tests.withheld and tests.any_in_step:
            names = ", ".join(tests.withheld)
            log.warning("Tests do not receive %s: the value contains a secret of the pipe.", names)
        for name, text in ((BEFORE, tests.before), (AFTER, tests.after)):
            if text:
                self._runner(name).check_ready(self._command(name, deploy))

    def before(self, deploy: Mapping[str, str]) -> None:
        """Run the test before the change; raise `PreDeployTestFailed` if it fails."""
        if self.settings.tests.before:
            result = self._run(BEFORE, deploy)
            if not result.passed:
                raise PreDeployTestFailed.because(BEFORE, result.message, result.remedy)

    def after(self, deploy: Mapping[str, str]) -> DeployTestResult | None:
        """Run the tests after the rollout until one fails; return that one."""
        tests = self.settings.tests
        if tests.after and not (result := self._run(AFTER, deploy)).passed:
            return result
        if tests.url and not (result := self._probe(deploy)).passed:
            return result
        return None

    def _run(self, name: str, deploy: Mapping[str, str]) -> DeployTestResult:
        command = self._command(name, deploy)
        kind, where = self._place(name, command)
        log.info("%s: running %s, for at most %g s.", name, where, command.seconds)
        try:
            result = self._runner(name).run(command, lambda line: log.info("%s | %s", name, line))
        except PipeError as error:
            if name == BEFORE:
                raise
            # After the change, a Docker service or a portal that went away is a failed test.
            result = _not_run(error)
        return self._noted(concluded(name, kind, command.text, result, command.seconds))

    def _place(self, name: str, command: Command) -> tuple[str, str]:
        """Return the kind of a test, and where it runs in words."""
        if self._is_in_tenant(name):
            return "job", "in the tenant"
        if command.image:
            return "container", f"in {command.image}"
        return "command", "in the clone folder"

    def _is_in_tenant(self, name: str) -> bool:
        tests = self.settings.tests
        return (tests.before_in if name == BEFORE else tests.after_in) is Place.TENANT

    def _runner(self, name: str) -> Runner:
        if not self._is_in_tenant(name):
            return self.runner
        if self.tenant is None:
            raise TypeError(name)
        return self.tenant

    def _probe(self, deploy: Mapping[str, str]) -> DeployTestResult:
        url = probe.address(self.settings, deploy["DEPLOY_URL"])
        result = Probe(self.settings, url, self.clock, self.adapter, self.resolve).run()
        for line in () if result.passed else result.output:
            log.error("%s | %s", result.name, line)
        level = logging.INFO if result.passed else logging.ERROR
        log.log(level, "%s %s.", result.name, result.message)
        return self._noted(result)

    def _noted(self, result: DeployTestResult) -> DeployTestResult:
        self.note(result)
        return result

    def _command(self, name: str, deploy: Mapping[str, str]) -> Command:
        tests = self.settings.tests
        text, image = tests.before, tests.before_image
        if name == AFTER:
            text, image = tests.after, tests.after_image
        # Inside the tenant a test gets nothing of the step.
        in_tenant = self._is_in_tenant(name)
        return Command(
            text=text,
            folder=self.settings.step.clone_dir,
            environment=of_the_run(deploy)
            if in_tenant
            else environment(self.settings, deploy, self.credentials()),
            seconds=tests.seconds,
            mask=self.mask,
            image=image,
            setting=f"{name}_IMAGE",
            login=self.login(image) if image and not in_tenant else None,
            name=name,
        )


def _not_run(error: PipeError) -> CommandResult:
    """Return the result of a command that an error kept from running, or from being followed."""
    if not isinstance(error, ConfigError):
        reason = error.diagnosis.removesuffix(".")
        return CommandResult(0.0, error=f"did not succeed: {reason}", remedy=error.remedy)
    remedy = " ".join(f"{problem.fix}." for problem in error.problems)
    return CommandResult(0.0, error=_not_started(error), remedy=remedy)


def _not_started(error: ConfigError) -> str:
    problems = "; ".join(f"{problem.variable} {problem.what}" for problem in error.problems)
    return f"could not be started: {problems}"


def _no_address(targets: str) -> Problem:
    return Problem(
        "POST_DEPLOY_URL",
        f"is only a path, and the portal has no public address for {targets}",
        "Write the complete address:   POST_DEPLOY_URL: 'https://www.example.com/health'",
    )
