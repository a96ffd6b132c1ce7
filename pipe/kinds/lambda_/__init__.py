"""Lambda functions: changed by image, done when AWS says so."""

from pipe.kinds.lambda_.kind import LambdaKind

__all__ = ["LambdaKind"]
