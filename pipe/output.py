"""The log in the toolkit's style, one line for each message, with secrets masked."""

from __future__ import annotations

import copy
import logging
import sys
import traceback
from collections.abc import Iterable

from bitbucket_pipes_toolkit import fail, get_logger, success
from colorlog import ColoredFormatter

from pipe.secret import Mask

log = logging.getLogger(__name__)

_LONGEST = 4000
_STYLE = "%(log_color)s%(levelname)s: %(message)s"


class LineFormatter(ColoredFormatter):
    """Masks secrets and keeps every message on one line, whatever it quotes."""

    def __init__(self, mask: Mask) -> None:
        super().__init__(_STYLE)
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        record = copy.copy(record)
        record.msg = one_line(self._mask.text(record.getMessage()))
        record.args = None
        return str(super().format(record))


def set_up(mask: Mask, *, debug: bool) -> None:
    """Set this run's mask and standard error on the toolkit's log handler."""
    root = get_logger()
    for handler in root.handlers:
        if type(handler) is logging.StreamHandler:
            # setStream would flush the old stream, which may be closed already.
            handler.stream = sys.stderr
            handler.setFormatter(LineFormatter(mask))
    # Libraries log warnings only, through the same mask.
    root.setLevel(logging.WARNING)
    logging.getLogger("pipe").setLevel(logging.DEBUG if debug else logging.INFO)


def result(mask: Mask, text: str, *, good: bool) -> None:
    """Write the last line of a run."""
    line = one_line(mask.text(text))
    sys.stderr.flush()
    (success if good else fail)(line, do_exit=False)
    sys.stdout.flush()


def document(mask: Mask, lines: Iterable[str]) -> None:
    """Write a text for copying to standard output, which only the result shares."""
    sys.stderr.flush()
    for line in lines:
        sys.stdout.write(f"{printable(mask.text(line))}\n")
    sys.stdout.flush()


def defect(mask: Mask, error: BaseException) -> None:
    """Log the traceback of a bug, with secrets masked."""
    for line in "".join(traceback.format_exception(error)).splitlines():
        log.error("%s", mask.text(line))


def one_line(text: str) -> str:
    """Return `text` as one line of limited length, which forges no line and moves no cursor."""
    line = printable(text).rstrip()
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def printable(text: str) -> str:
    """Return `text` with control and other unprintable characters replaced by blanks."""
    return "".join(char if char.isprintable() else " " for char in text)
