"""What a run can be for: one module for each value of `ACTION`."""

from pipe.actions.base import BaseAction, Run
from pipe.actions.choose import choose

__all__ = ["BaseAction", "Run", "choose"]
