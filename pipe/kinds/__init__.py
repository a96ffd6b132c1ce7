"""The kinds of targets, each behind the interface `Driver`."""

from pipe.kinds.dispatch import Drivers, open_drivers
from pipe.kinds.service import ClusterView

__all__ = ["ClusterView", "Drivers", "open_drivers"]
