"""A run that is killed or disturbed at any of its requests starts its command once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.sandbox import ApiFault, Command
from tests.support.tenant_commands import STEP, command
from tests.support.tenant_jobs import TenantHarness

AGAIN = replace(STEP, run_number="2")
LAST = 40


@pytest.mark.parametrize("arrives", [False, True], ids=["before", "after"])
def test_a_run_killed_at_any_request_leaves_nothing_to_do_twice(*, arrives: bool) -> None:
    for number in range(LAST):
        tenant = TenantHarness()
        tenant.world.command("migrate", Command(seconds=1))
        was_killed = tenant.kill_at_request(command(), number, arrives=arrives)
        runner = tenant.runner(AGAIN)
        assert runner.run(command(), tenant.write).passed
        runner.clear(command())
        assert tenant.world.jobs.runs("migrate") == 1, number
        assert tenant.world.jobs.left() == [], number
        if not was_killed:
            assert number > 8
            return
    pytest.fail(f"a run has more than {LAST} requests")


@pytest.mark.parametrize("kind", ["reset-after", "status"])
def test_a_fault_at_any_request_starts_nothing_twice(kind: str) -> None:
    for number in range(LAST):
        tenant = TenantHarness()
        tenant.world.command("migrate", Command(seconds=1))
        runner = tenant.runner()
        tenant.world.script(ApiFault(".*", "", kind, skip=number, status=503))  # type: ignore[arg-type]
        assert runner.run(command(), tenant.write).passed, number
        assert tenant.world.jobs.runs("migrate") == 1, number
        if tenant.world.scripted[0].times:
            return
    pytest.fail(f"a run has more than {LAST} requests")
