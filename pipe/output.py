"""The log, in the toolkit's style: coloured, flushed, one line per line, without secrets."""

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
    """Masks secrets and keeps every message on its own line, whatever it quotes."""

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
    """Make the toolkit's log handler ours: this run's mask, this run's standard error."""
    root = get_logger()
    for handler in root.handlers:
        if type(handler) is logging.StreamHandler:
            # Not setStream, which flushes the old stream: it may be closed already.
            handler.stream = sys.stderr
            handler.setFormatter(LineFormatter(mask))
    # Libraries speak up only when something is wrong; what they say passes the same mask.
    root.setLevel(logging.WARNING)
    logging.getLogger("pipe").setLevel(logging.DEBUG if debug else logging.INFO)


def result(mask: Mask, text: str, *, good: bool) -> None:
    """The last line of a run."""
    line = one_line(mask.text(text))
    sys.stderr.flush()
    (success if good else fail)(line, do_exit=False)
    sys.stdout.flush()


def document(mask: Mask, lines: Iterable[str]) -> None:
    """A text for copying, on standard output, where nothing else but the result goes."""
    sys.stderr.flush()
    for line in lines:
        sys.stdout.write(f"{printable(mask.text(line))}\n")
    sys.stdout.flush()


def defect(mask: Mask, error: BaseException) -> None:
    """The traceback of a bug, without secrets."""
    for line in "".join(traceback.format_exception(error)).splitlines():
        log.error("%s", mask.text(line))


def one_line(text: str) -> str:
    """`text` without anything that could forge a line of its own, move the cursor or drown it."""
    line = printable(text).rstrip()
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def printable(text: str) -> str:
    """`text` with control and other unprintable characters replaced by blanks."""
    return "".join(char if char.isprintable() else " " for char in text)
