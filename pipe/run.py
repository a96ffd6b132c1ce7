"""One run from the environment to the exit code: the composition root."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial

from pipe import __version__, output, report
from pipe.actions import BaseAction, Run, choose
from pipe.actions.base import log_remedy
from pipe.dependencies import Dependencies
from pipe.errors import ISSUES, Cancelled, ConfigError, ExitCode, PipeError
from pipe.http import Network
from pipe.notify.notifications import Notifications
from pipe.report import Recorder
from pipe.secret import Mask
from pipe.settings import Settings, load
from pipe.settings.configuration import public_texts, secret_values
from pipe.settings.load import debug_wanted, secrets

log = logging.getLogger(__name__)

_DEFECT = "This is a defect of the pipe."
_UNKNOWN = "What runs now is unknown: check the targets in the portal."
_PROMISES_NO_CHANGE = (
    ExitCode.DEFECT,
    ExitCode.CONFIGURATION,
    ExitCode.IDENTITY,
    ExitCode.IMAGE,
    ExitCode.PRE_TEST,
)


def run(
    environ: Mapping[str, str], dependencies: Dependencies, mask: Mask | None = None
) -> ExitCode:
    """Do what the variables request, report it, and return the exit code.

    Every secret of the run is added to `mask`.
    """
    mask = mask or Mask()
    for secret in secrets(environ):
        mask.add(secret)
    output.set_up(mask, debug=debug_wanted(environ))
    try:
        settings = load(environ)
        for secret in secret_values(settings.configurations, public_texts(settings)):
            mask.add(secret)
        return _run(settings, dependencies, mask)
    except ConfigError as error:
        _log_problems(error)
        return _end(mask, error.code, f"{error.diagnosis} Nothing was changed.")
    except KeyboardInterrupt:
        return _end(mask, ExitCode.CANCELLED, "Cancelled. Nothing was changed.")
    except Exception as error:  # noqa: BLE001 - a bug is reported as one, whatever it is
        output.defect(mask, error)
        return _end(mask, ExitCode.DEFECT, f"{_DEFECT} Please report it: {ISSUES}")


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
        _guarded("Writing the report", lambda: report.write(settings, recorder, mask))

    def notify_started() -> None:
        _guarded("The notification", notifications.started)

    network = Network(settings.proxies, settings.ca_cert, dependencies.clock, dependencies.adapter)
    action = choose(Run(settings, dependencies, mask, network, recorder, save, notify_started))
    code, message = _execute(action, settings, mask)
    _guarded("The record", lambda: recorder.finished(code, message, dependencies.clock.now()))
    _report(settings, recorder, mask, notifications)
    if code is not ExitCode.CANCELLED:
        # A run that is asked to end has seconds for it; the next one finds what it leaves.
        _guarded("Cleaning up", action.clean_up)
    return _end(mask, code, message)


def _execute(action: BaseAction, settings: Settings, mask: Mask) -> tuple[ExitCode, str]:
    """Return how the action ended, and the sentence that states it."""
    try:
        try:
            return ExitCode.DONE, action.execute()
        except PipeError as error:
            if error.code in _PROMISES_NO_CHANGE and action.has_changed():
                return _defect(error, action, settings, mask)
            return _failure(error, action)
        except Exception as error:  # noqa: BLE001 - a bug is reported as one, whatever it is
            return _defect(error, action, settings, mask)
    except KeyboardInterrupt:
        return _failure(
            Cancelled(
                "Cancelled.",
                "The platform finishes whatever was begun; run the step again to follow it.",
            ),
            action,
        )
    except Exception as error:  # noqa: BLE001 - words must not deny the change
        _guarded("The traceback", partial(output.defect, mask, error))
        return _defect_code(action, settings), f"{_DEFECT} {_UNKNOWN}"


def _failure(error: PipeError, action: BaseAction) -> tuple[ExitCode, str]:
    if isinstance(error, ConfigError):
        _log_problems(error)
    if error.remedy:
        log_remedy(logging.ERROR, error.remedy, error.details)
    return error.code, f"{error.diagnosis} {_what_runs_now(action)}"


def _defect(
    error: Exception, action: BaseAction, settings: Settings, mask: Mask
) -> tuple[ExitCode, str]:
    """Report a bug; the code never denies a change."""
    output.defect(mask, error)
    message = f"{_DEFECT} {_what_runs_now(action)} Please report it: {ISSUES}"
    return _defect_code(action, settings), message


def _defect_code(action: BaseAction, settings: Settings) -> ExitCode:
    if not action.has_changed():
        return ExitCode.DEFECT
    return ExitCode.NOT_RESTORED if settings.rollback else ExitCode.FAILED


def _what_runs_now(action: BaseAction) -> str:
    try:
        return action.what_runs_now()
    except Exception as error:  # noqa: BLE001 - the failure itself must be reported
        log.warning("Finding out what runs now failed because of a defect: %r.", error)
        return _UNKNOWN


def _guarded(what: str, action: Callable[[], None]) -> None:
    """Do what is no reason to deploy, or not to: a defect in it is only logged."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - see above
        log.warning("%s failed because of a defect: %r.", what, error)


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
    """Write the last line, which never changes how the run ends."""
    suffix = f" (exit code {code})" if code else ""
    try:
        output.result(mask, f"{message}{suffix}", good=code is ExitCode.DONE)
    except Exception:  # noqa: BLE001 - standard output may be closed, and memory short
        short = f"The run ended with exit code {code}; its message could not be written."
        _guarded("The last line", lambda: output.result(Mask(), short, good=False))
    return code


def _log_problems(error: ConfigError) -> None:
    for problem in error.problems:
        log.error("%s %s. %s", problem.variable, problem.what, problem.fix)
