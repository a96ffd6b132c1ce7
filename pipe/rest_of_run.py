"""A run after its first request was sent, up to the last line of the log."""

from __future__ import annotations

import logging

from pipe import __version__, loading, output
from pipe.dependencies import Dependencies
from pipe.errors import DEFECT, ISSUES, ConfigError, ExitCode
from pipe.http import Network
from pipe.http.adoption import adopted
from pipe.http.early import SentRequest
from pipe.http.time_limit import when_sent
from pipe.portal.opening import open_early
from pipe.secret import Mask
from pipe.settings import Settings

log = logging.getLogger(__name__)

Begun = tuple[Settings, SentRequest | None] | Exception | KeyboardInterrupt
"""The settings, and the first request if it was sent already; or what prevented both."""


def complete(begun: Begun, dependencies: Dependencies, mask: Mask, *, debug: bool) -> ExitCode:
    """Do what the settings request, report it, and return the exit code."""
    output.set_up(mask, debug=debug)
    try:
        return _complete(begun, dependencies, mask)
    except ConfigError as error:
        output.problems(error)
        return _end(mask, error.code, f"{error.diagnosis} Nothing was changed.")
    except KeyboardInterrupt:
        return _end(mask, ExitCode.CANCELLED, "Cancelled. Nothing was changed.")
    except Exception as error:  # noqa: BLE001 - a bug is reported as one, whatever it is
        output.defect(mask, error)
        return _end(mask, ExitCode.DEFECT, f"{DEFECT} Please report it: {ISSUES}")


def _complete(begun: Begun, dependencies: Dependencies, mask: Mask) -> ExitCode:
    """Complete a run that began well; raise what prevented that."""
    if isinstance(begun, BaseException):
        raise begun
    settings, sent = begun
    clock = dependencies.clock
    started = clock.now()
    portal = f", portal {settings.host}" if settings.host else ""
    log.info("Deploy pipe %s%s", __version__, portal)
    network = Network(settings.proxies, settings.ca_cert, clock, dependencies.adapter)
    with adopted(sent), when_sent(lambda: loading.start("pipe.composition")):
        opened = open_early(settings, network)
    from pipe.composition import perform  # noqa: PLC0415 - see pipe.loading

    loading.finished()
    code, message = perform(settings, dependencies, mask, network, opened=opened, started=started)
    return _end(mask, code, message)


def _end(mask: Mask, code: ExitCode, message: str) -> ExitCode:
    """Write the last line, which never changes how the run ends."""
    suffix = f" (exit code {code})" if code else ""
    try:
        output.result(mask, f"{message}{suffix}", good=code is ExitCode.DONE)
    except Exception:  # noqa: BLE001 - standard output may be closed, and memory short
        short = f"The run ended with exit code {code}; its message could not be written."
        output.guarded("The last line", lambda: output.result(Mask(), short, good=False))
    return code
