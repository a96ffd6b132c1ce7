"""The record of a run, and the reports made from it."""

from pipe.report.files import RECORD, write, write_tests
from pipe.report.record import RunRecord, TargetRecord
from pipe.report.recorder import Recorder

__all__ = ["RECORD", "Recorder", "RunRecord", "TargetRecord", "write", "write_tests"]
