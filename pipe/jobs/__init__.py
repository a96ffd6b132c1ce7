"""Commands that run inside the tenant: a job with a target's image, environment and network."""

from pipe.jobs.model import TenantCommand, TenantRunner

__all__ = ["TenantCommand", "TenantRunner"]
