"""Services: pods behind a name, changed by image, followed by pod."""

from pipe.kinds.service.kind import ServiceKind

__all__ = ["ServiceKind"]
