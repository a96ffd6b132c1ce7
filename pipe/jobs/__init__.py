"""Commands that run inside the tenant: a job with a target's image, environment and network."""

from pipe.jobs.model import SHELL, TenantCommand, TenantRunner
from pipe.jobs.open import open_runner

__all__ = ["SHELL", "TenantCommand", "TenantRunner", "open_runner"]
