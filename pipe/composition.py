"""Everything that a run consists of is built here and passed down: the composition root."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial

from pipe import output, report
from pipe.actions import BaseAction, Run, choose
from pipe.actions.base import log_remedy
from pipe.dependencies import Dependencies
from pipe.errors import DEFECT, ISSUES, Cancelled, ConfigError, ExitCode, PipeError
from pipe.http import Network
from pipe.notify.notifications import Notifications
from pipe.portal.opening import OpenedPortal
from pipe.report import Recorder
from pipe.secret import Mask
from pipe.settings import Settings

log = logging.getLogger(__name__)

_UNKNOWN = "What runs now is unknown: check the targets in the portal."
_PROMISES_NO_CHANGE = (
    ExitCode.DEFECT,
    ExitCode.CONFIGURATION,
    ExitCode.IDENTITY,
    ExitCode.IMAGE,
    ExitCode.PRE_TEST,
)


def perform(
    settings: Settings,
    dependencies: Dependencies,
    mask: Mask,
    network: Network,
    *,
    opened: OpenedPortal | None,
    started: datetime,
) -> tuple[ExitCode, str]:
    """Do what the settings request; return how the run ended, and the sentence that states it.

    `opened` is the portal if it was opened already.
    """
    clock = dependencies.clock
    recorder = Recorder(settings, started)
    notifications = Notifications(
        settings,
        recorder,
        mask,
        seconds=dependencies.notification_seconds,
        adapter=dependencies.adapter,
        insights_proxy=dependencies.insights_proxy,
    )

    def save() -> None:
        output.guarded("Writing the report", lambda: report.write(settings, recorder, mask))

    def notify_started() -> None:
        output.guarded("The notification", notifications.started)

    action = choose(
        Run(settings, dependencies, mask, network, recorder, save, notify_started, opened)
    )
    code, message = _execute(action, settings, mask)
    output.guarded("The record", lambda: recorder.finished(code, message, clock.now()))
    _report(settings, recorder, mask, notifications)
    if code is not ExitCode.CANCELLED:
        # A run that is asked to end has seconds for it; the next one finds what it leaves.
        output.guarded("Cleaning up", action.clean_up)
    return code, message


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
        output.guarded("The traceback", partial(output.defect, mask, error))
        return _defect_code(action, settings), f"{DEFECT} {_UNKNOWN}"


def _failure(error: PipeError, action: BaseAction) -> tuple[ExitCode, str]:
    if isinstance(error, ConfigError):
        output.problems(error)
    if error.remedy:
        log_remedy(logging.ERROR, error.remedy, error.details)
    return error.code, f"{error.diagnosis} {_what_runs_now(action)}"


def _defect(
    error: Exception, action: BaseAction, settings: Settings, mask: Mask
) -> tuple[ExitCode, str]:
    """Report a bug; the code never denies a change."""
    output.defect(mask, error)
    message = f"{DEFECT} {_what_runs_now(action)} Please report it: {ISSUES}"
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
