"""One run from the environment to the exit code, until the first request is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipe import loading
from pipe.dependencies import Dependencies
from pipe.errors import ExitCode
from pipe.portal.first_request import send_early
from pipe.secret import Mask
from pipe.settings import load
from pipe.settings.configuration import public_texts, secret_values
from pipe.settings.load import debug_wanted, secrets

if TYPE_CHECKING:
    # Loaded after the first request, see pipe.loading.
    from pipe.rest_of_run import Begun


def run(
    environ: Mapping[str, str], dependencies: Dependencies, mask: Mask | None = None
) -> ExitCode:
    """Do what the variables request, report it, and return the exit code.

    Every secret of the run is added to `mask`.
    """
    mask = mask or Mask()
    for secret in secrets(environ):
        mask.add(secret)
    begun = _begin(environ, dependencies, mask)
    from pipe.rest_of_run import complete  # noqa: PLC0415 - see pipe.loading

    return complete(begun, dependencies, mask, debug=debug_wanted(environ))


def _begin(environ: Mapping[str, str], dependencies: Dependencies, mask: Mask) -> Begun:
    """Read the settings, send the first request, and load the rest while the portal answers.

    Returns what prevented it as well: nothing can be reported before the log is loaded.
    """
    try:
        settings = load(environ)
        for secret in secret_values(settings.configurations, public_texts(settings)):
            mask.add(secret)
        sent = None if dependencies.adapter else send_early(settings)
        loading.rest(with_composition=sent is not None)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - see above
        return error
    return settings, sent
