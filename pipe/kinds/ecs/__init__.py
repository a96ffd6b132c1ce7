"""ECS services: pointed to a new revision of their task definition, followed by deployment."""

from pipe.kinds.ecs.driver import EcsDriver

__all__ = ["EcsDriver"]
