"""Lambda functions: changed by image, done when AWS says so."""

from pipe.kinds.lambda_.driver import LambdaDriver

__all__ = ["LambdaDriver"]
