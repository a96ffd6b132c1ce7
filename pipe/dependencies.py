"""What a run needs from outside: time, the network, and something to run commands with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipe.clock import Clock, SystemClock
from pipe.hosts import STEP_PROXY
from pipe.http.resolver import Resolve, resolve
from pipe.notify import SECONDS

if TYPE_CHECKING:
    # Loaded after the first request, see pipe.loading.
    from requests.adapters import BaseAdapter

    from pipe.deploy_tests import Runner
    from pipe.jobs import TenantRunner


@dataclass(frozen=True)
class Dependencies:
    """Everything that tests replace.

    `adapter` carries every HTTP request, None for the real network, and `resolve` looks up host
    names. `runner` runs the deploy tests, None for real commands; `tenant_runner` runs commands
    inside the tenant, None for jobs there. `notification_seconds` is what all notifications
    together may cost the run.
    """

    clock: Clock = field(default_factory=SystemClock)
    adapter: BaseAdapter | None = None
    resolve: Resolve = resolve
    runner: Runner | None = None
    tenant_runner: TenantRunner | None = None
    insights_proxy: str = STEP_PROXY
    notification_seconds: float = SECONDS
