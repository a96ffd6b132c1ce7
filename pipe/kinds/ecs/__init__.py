"""ECS services: a new revision of the task definition, followed by deployment."""

from pipe.kinds.ecs.driver import EcsDriver

__all__ = ["EcsDriver"]
