"""What runs commands in a tenant."""

from __future__ import annotations

from collections.abc import Callable

from pipe.clock import Clock
from pipe.jobs.model import TenantRunner
from pipe.jobs.runner import JobRunner
from pipe.portal import TenantPortal
from pipe.settings import Settings


def open_runner(
    portal: TenantPortal, clock: Clock, settings: Settings, mask: Callable[[str], str]
) -> TenantRunner:
    """Return what runs commands beside targets; `mask` hides secrets in their output."""
    return JobRunner(portal, clock, settings.step, mask, keep_failed=settings.debug)
