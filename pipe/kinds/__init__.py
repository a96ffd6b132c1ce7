"""The kinds of targets, each behind the same interface."""

from pipe.kinds.dispatch import Kinds, open_kinds

__all__ = ["Kinds", "open_kinds"]
