"""ECS services: a new revision of the task definition, followed by deployment."""

from pipe.kinds.ecs.kind import EcsKind

__all__ = ["EcsKind"]
