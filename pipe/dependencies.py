"""What a run needs from outside: time, the network, and something to run commands with."""

from __future__ import annotations

from dataclasses import dataclass, field

from requests.adapters import BaseAdapter

from pipe.clock import Clock, SystemClock
from pipe.deploy_tests import Runner, StepRunner
from pipe.http.resolver import Resolve, resolve
from pipe.jobs import TenantRunner
from pipe.notify import code_insights
from pipe.notify.notifications import SECONDS


@dataclass(frozen=True)
class Dependencies:
    """Everything that tests replace.

    `adapter` carries every HTTP request, None for the real network, and `resolve` looks up host
    names. `tenant_runner` runs commands inside the tenant, None for jobs there.
    `notification_seconds` is what all notifications together may cost the run.
    """

    clock: Clock = field(default_factory=SystemClock)
    adapter: BaseAdapter | None = None
    resolve: Resolve = resolve
    runner: Runner = field(default_factory=StepRunner)
    tenant_runner: TenantRunner | None = None
    insights_proxy: str = code_insights.PROXY
    notification_seconds: float = SECONDS
