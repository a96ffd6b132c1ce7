"""Services: pods behind a name, changed by image and followed by pod."""

from pipe.kinds.service.cluster_view import ClusterView
from pipe.kinds.service.driver import ServiceDriver

__all__ = ["ClusterView", "ServiceDriver"]
