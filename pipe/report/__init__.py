"""The record of a run, and the files made of it."""

from pipe.report.files import variables, write, write_tests
from pipe.report.record import Record, TargetRecord

__all__ = ["Record", "TargetRecord", "variables", "write", "write_tests"]
