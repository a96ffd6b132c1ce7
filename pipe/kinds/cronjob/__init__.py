"""CronJobs: changed at once, run by their next schedule."""

from pipe.kinds.cronjob.driver import CronJobDriver

__all__ = ["CronJobDriver"]
