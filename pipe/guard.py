"""Whatever Python itself would print to standard error goes through the log and its mask."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import Any

from pipe.secret import Mask


def guard_process(mask: Mask) -> None:
    """Replace what prints errors that nothing else handles, and warnings."""
    _guard_warnings()
    sys.excepthook = lambda _kind, error, _trace: _report(mask, error)

    def in_thread(details: threading.ExceptHookArgs) -> None:
        if details.exc_value and not issubclass(details.exc_type, SystemExit):
            _report(mask, details.exc_value)

    def unraisable(details: sys.UnraisableHookArgs) -> None:
        if details.exc_value:
            _report(mask, details.exc_value)

    threading.excepthook = in_thread
    sys.unraisablehook = unraisable


def _guard_warnings() -> None:
    """Send warnings to the log, which is loaded with the first of them."""
    usual = warnings.showwarning

    def first(*details: Any, **more: Any) -> None:
        import logging  # noqa: PLC0415 - see pipe.loading

        warnings.showwarning = usual
        logging.captureWarnings(capture=True)
        warnings.showwarning(*details, **more)

    warnings.showwarning = first


def _report(mask: Mask, error: BaseException) -> None:
    """Log the traceback; the log may not be loaded yet."""
    from pipe.output import defect  # noqa: PLC0415 - see pipe.loading

    defect(mask, error)
