"""The names that the harness had before; `tests.support.harness` replaces this module."""

from tests.support.harness import HOST, LATENCY, RunResult
from tests.support.harness import Harness as Stage
from tests.support.harness import at_time as ticking
from tests.support.harness import read_record as record_in
from tests.support.harness import run_pipe as play

__all__ = ["HOST", "LATENCY", "RunResult", "Stage", "play", "record_in", "ticking"]
