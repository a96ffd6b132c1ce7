"""One run from the environment to the exit code."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pipe import __version__, loading, output
from pipe.dependencies import Dependencies
from pipe.errors import DEFECT, ISSUES, ConfigError, ExitCode
from pipe.http import Network
from pipe.http.time_limit import when_sent
from pipe.portal.opening import open_early
from pipe.secret import Mask
from pipe.settings import Settings, load
from pipe.settings.configuration import public_texts, secret_values
from pipe.settings.load import debug_wanted, secrets

log = logging.getLogger(__name__)


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
        output.problems(error)
        return _end(mask, error.code, f"{error.diagnosis} Nothing was changed.")
    except KeyboardInterrupt:
        return _end(mask, ExitCode.CANCELLED, "Cancelled. Nothing was changed.")
    except Exception as error:  # noqa: BLE001 - a bug is reported as one, whatever it is
        output.defect(mask, error)
        return _end(mask, ExitCode.DEFECT, f"{DEFECT} Please report it: {ISSUES}")


def _run(settings: Settings, dependencies: Dependencies, mask: Mask) -> ExitCode:
    """Run with variables that are fine."""
    clock = dependencies.clock
    started = clock.now()
    portal = f", portal {settings.host}" if settings.host else ""
    log.info("Deploy pipe %s%s", __version__, portal)
    network = Network(settings.proxies, settings.ca_cert, clock, dependencies.adapter)
    with when_sent(lambda: loading.start("pipe.composition")):
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
