"""CronJobs: changed at once, run by their next schedule."""

from pipe.kinds.cronjob.kind import CronJobKind

__all__ = ["CronJobKind"]
