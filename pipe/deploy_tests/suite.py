"""Run the deploy tests: before anything changes, and after the rollout."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from requests.adapters import BaseAdapter

from pipe.clock import Clock
from pipe.deploy_tests import probe
from pipe.deploy_tests.environment import environment
from pipe.deploy_tests.model import Command, CommandResult, DeployTestResult, Runner, describe
from pipe.deploy_tests.probe import Probe
from pipe.errors import ConfigError, PreDeployTestFailed, Problem
from pipe.http.resolver import Resolve, resolve
from pipe.image import Image
from pipe.settings import Settings

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
    tests.
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

    def prove_ready(self, deploy: Mapping[str, str]) -> None:
        """Raise `ConfigError` if a test, before or after the change, cannot be started.

        `deploy` holds the `DEPLOY_*` variables of the run.
        """
        tests = self.settings.tests
        if tests.url and not probe.address(self.settings, deploy["DEPLOY_URL"]):
            raise ConfigError([_no_address(deploy["DEPLOY_TARGETS"])])
        if tests.withheld and (tests.before or tests.after):
            names = ", ".join(tests.withheld)
            log.warning("Tests do not receive %s: the value contains a secret of the pipe.", names)
        for name, text in ((BEFORE, tests.before), (AFTER, tests.after)):
            if text:
                self.runner.check_ready(self._command(name, deploy))

    def before(self, deploy: Mapping[str, str]) -> None:
        """Run the test before the change; raise `PreDeployTestFailed` if it fails."""
        if self.settings.tests.before:
            result = self._run(BEFORE, deploy)
            if not result.passed:
                raise PreDeployTestFailed.because(BEFORE, result.message)

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
        where = f"in {command.image}" if command.image else "in the clone folder"
        log.info("%s: running %s, for at most %g s.", name, where, command.seconds)
        try:
            result = self.runner.run(command, lambda line: log.info("%s | %s", name, line))
        except ConfigError as error:
            if name == BEFORE:
                raise
            # After the change, a Docker service that went away is not a matter of the variables.
            remedy = " ".join(f"{problem.fix}." for problem in error.problems)
            result = CommandResult(0.0, error=_not_started(error), remedy=remedy)
        message = describe(result, command.seconds)
        log.log(logging.INFO if result.passed else logging.ERROR, "%s %s.", name, message)
        kind = "container" if command.image else "command"
        return self._noted(
            DeployTestResult(
                name,
                kind,
                command.text,
                result.passed,
                result.seconds,
                message,
                result.output,
                result.remedy,
            )
        )

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
        return Command(
            text=text,
            folder=self.settings.step.clone_dir,
            environment=environment(self.settings, deploy, self.credentials()),
            seconds=tests.seconds,
            mask=self.mask,
            image=image,
            setting=f"{name}_IMAGE",
            login=self.login(image) if image else None,
        )


def _not_started(error: ConfigError) -> str:
    problems = "; ".join(f"{problem.variable} {problem.what}" for problem in error.problems)
    return f"could not be started: {problems}"


def _no_address(targets: str) -> Problem:
    return Problem(
        "POST_DEPLOY_URL",
        f"is only a path, and the portal has no public address for {targets}",
        "Write the complete address:   POST_DEPLOY_URL: 'https://www.example.com/health'",
    )
