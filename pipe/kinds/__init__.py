"""The kinds of targets, each behind the interface `Driver`."""

from pipe.kinds.dispatch import Drivers, open_drivers

__all__ = ["Drivers", "open_drivers"]
