"""The log in the toolkit's style, one line for each message, with secrets masked."""

from __future__ import annotations

import copy
import logging
import sys
import traceback
from collections.abc import Callable, Iterable

from colorlog import ColoredFormatter

from pipe.errors import ConfigError
from pipe.secret import Mask
from pipe.toolkit import get_logger, show_result

log = logging.getLogger(__name__)

_LONGEST = 4000
_MOST_LINES = 200
_STYLE = "%(log_color)s%(levelname)s: %(message)s"


class LineFormatter(ColoredFormatter):
    """Masks secrets and keeps every record on one line, whatever it quotes."""

    def __init__(self, mask: Mask) -> None:
        super().__init__(_STYLE)
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`; it would add tracebacks unmasked, as lines of their own."""
        record = copy.copy(record)
        message = record.getMessage()
        if record.exc_info and (error := record.exc_info[1]):
            message = f"{message} ({type(error).__name__}: {error})"
        record.msg = one_line(self._mask.text(message))
        record.args = record.exc_info = record.exc_text = record.stack_info = None
        return str(super().format(record))


def set_up(mask: Mask, *, debug: bool) -> None:
    """Set this run's mask and standard error on the toolkit's log handler."""
    root = get_logger()
    formatter = LineFormatter(mask)
    for handler in root.handlers:
        if type(handler) is logging.StreamHandler:
            # setStream would flush the old stream, which may be closed already.
            handler.stream = sys.stderr
            handler.setFormatter(formatter)
    if logging.lastResort:
        logging.lastResort.setFormatter(formatter)
    # For a record that cannot be formatted, logging would print its arguments unmasked.
    logging.raiseExceptions = False
    # Libraries log warnings only, through the same mask.
    root.setLevel(logging.WARNING)
    logging.getLogger("pipe").setLevel(logging.DEBUG if debug else logging.INFO)


def result(mask: Mask, text: str, *, good: bool) -> None:
    """Write the last line of a run."""
    line = one_line(mask.text(text))
    sys.stderr.flush()
    show_result(line, good=good)
    sys.stdout.flush()


def document(mask: Mask, lines: Iterable[str]) -> None:
    """Write a text for copying to standard output, which only the result shares."""
    sys.stderr.flush()
    for line in lines:
        sys.stdout.write(f"{printable(mask.text(line))}\n")
    sys.stdout.flush()


def defect(mask: Mask, error: BaseException) -> None:
    """Log the traceback of a bug, with secrets masked."""
    lines = mask.text("".join(traceback.format_exception(error))).rstrip("\n").split("\n")
    half = _MOST_LINES // 2
    if len(lines) > _MOST_LINES:
        lines = [*lines[:half], f"[{len(lines) - 2 * half:,} lines omitted]", *lines[-half:]]
    for line in lines:
        log.error("%s", mask.text(line))


def one_line(text: str) -> str:
    """Return `text` as one line of limited length, which forges no line and moves no cursor."""
    line = printable(text).rstrip()
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def printable(text: str) -> str:
    """Return `text` with control and other unprintable characters replaced by blanks."""
    return "".join(char if char.isprintable() else " " for char in text)


def problems(error: ConfigError) -> None:
    """Log every problem with the variables."""
    for problem in error.problems:
        log.error("%s %s. %s", problem.variable, problem.what, problem.fix)


def guarded(what: str, action: Callable[[], None]) -> None:
    """Do what is no reason to deploy, or not to: a defect in it is only logged."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - see above
        log.warning("%s failed because of a defect: %r.", what, error)
