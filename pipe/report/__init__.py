"""The record of a run, and the files made of it."""

from pipe.report.files import write
from pipe.report.record import Record, TargetRecord

__all__ = ["Record", "TargetRecord", "write"]
