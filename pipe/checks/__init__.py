"""Tests before and after the change: commands, commands in an image, probes of an address."""

from pipe.checks.model import CheckResult, Command, Ending, Runner
from pipe.checks.runner import StepRunner
from pipe.checks.stage import Checks

__all__ = ["CheckResult", "Checks", "Command", "Ending", "Runner", "StepRunner"]
