"""One run from the environment to the exit code: the composition root."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pipe import __version__, output, report
from pipe.actions import BaseAction, Run, choose
from pipe.actions.base import log_remedy
from pipe.dependencies import Dependencies
from pipe.errors import Cancelled, ConfigError, ExitCode, PipeError
from pipe.http import Network
from pipe.notify.notifications import Notifications
from pipe.report import Recorder
from pipe.secret import Mask
from pipe.settings import Settings, load
from pipe.settings.load import debug_wanted, secrets

log = logging.getLogger(__name__)

_ISSUES = "https://bitbucket.org/nholuongut/bitbucket-deploy-pipe/issues"


def run(
    environ: Mapping[str, str], dependencies: Dependencies, mask: Mask | None = None
) -> ExitCode:
    """Do what the variables ask for, report it, and return the exit code.

    Every secret of the run is added to `mask`.
    """
    mask = mask or Mask()
    for secret in secrets(environ):
        mask.add(secret)
    output.set_up(mask, debug=debug_wanted(environ))
    try:
        return _run(load(environ), dependencies, mask)
    except ConfigError as error:
        _log_problems(error)
        return _end(mask, error.code, error.diagnosis)
    except KeyboardInterrupt:
        return _end(mask, ExitCode.CANCELLED, "Cancelled. Nothing was changed.")
    except Exception as error:  # noqa: BLE001 - a bug is reported as one, whatever it is
        return _end(mask, ExitCode.DEFECT, _defect(error, mask))


def _run(settings: Settings, dependencies: Dependencies, mask: Mask) -> ExitCode:
    """Run with variables that are fine."""
    recorder = Recorder(settings, dependencies.clock.now())
    notifications = Notifications(
        settings,
        recorder,
        mask,
        seconds=dependencies.notification_seconds,
        adapter=dependencies.adapter,
        insights_proxy=dependencies.insights_proxy,
    )
    portal = f", portal {settings.host}" if settings.host else ""
    log.info("Deploy pipe %s%s", __version__, portal)

    def save() -> None:
        _save(settings, recorder, mask)

    network = Network(settings.proxies, settings.ca_cert, dependencies.clock, dependencies.adapter)
    action = choose(
        Run(settings, dependencies, mask, network, recorder, save, notifications.started)
    )
    code, message = _execute(action, mask)
    recorder.finished(code, message, dependencies.clock.now())
    _report(settings, recorder, mask, notifications)
    return _end(mask, code, message)


def _execute(action: BaseAction, mask: Mask) -> tuple[ExitCode, str]:
    """Return how the action ended, and the sentence to say so."""
    try:
        return ExitCode.DONE, action.execute()
    except PipeError as error:
        return _failure(error, action)
    except KeyboardInterrupt:
        return _failure(
            Cancelled(
                "Cancelled.",
                "The platform finishes whatever was begun; run the step again to follow it.",
            ),
            action,
        )
    except Exception as error:  # noqa: BLE001 - a bug is reported as one, whatever it is
        return ExitCode.DEFECT, _defect(error, mask)


def _failure(error: PipeError, action: BaseAction) -> tuple[ExitCode, str]:
    if isinstance(error, ConfigError):
        _log_problems(error)
    if error.remedy:
        log_remedy(logging.ERROR, error.remedy, error.details)
    return error.code, f"{error.diagnosis} {action.what_runs_now()}"


def _save(settings: Settings, recorder: Recorder, mask: Mask) -> None:
    """Write the record so far; a defect in that is no reason not to deploy."""
    try:
        report.write(settings, recorder, mask)
    except Exception as error:  # noqa: BLE001 - see above
        log.warning("Writing the report failed because of a defect: %r.", error)


def _report(
    settings: Settings, recorder: Recorder, mask: Mask, notifications: Notifications
) -> None:
    """Write reports and send notifications, none of which changes how the run ends."""
    try:
        report.write(settings, recorder, mask)
        report.write_tests(settings, recorder, mask)
        if not settings.dry_run:
            notifications.ended()
    except Exception as error:  # noqa: BLE001 - see above
        log.warning("Reporting failed because of a defect: %r. The deploy is unaffected.", error)
    except KeyboardInterrupt:
        log.warning("Stopped while sending notifications; the deploy is unaffected.")


def _end(mask: Mask, code: ExitCode, message: str) -> ExitCode:
    """Write the last line."""
    suffix = f" (exit code {code})" if code else ""
    output.result(mask, f"{message}{suffix}", good=code is ExitCode.DONE)
    return code


def _log_problems(error: ConfigError) -> None:
    for problem in error.problems:
        log.error("%s %s. %s", problem.variable, problem.what, problem.fix)


def _defect(error: Exception, mask: Mask) -> str:
    output.defect(mask, error)
    return f"This is a defect of the pipe; what runs now is unknown. Please report it: {_ISSUES}"
