"""Run the benchmark: `python -m tests.bench [--runs 5] [--cases a,b,c,d,start]`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

from tests.bench.cases import CASES, Case
from tests.bench.containers import compare_containers
from tests.bench.first_request import compare_processes, compare_roles
from tests.bench.tools import STABLE_SECONDS, Cost, measure, pipe_command, vendor_command

ROWS = (
    ("seconds beyond the rollout", "beyond", "{:.1f}"),
    ("requests to the portal", "requests", "{:.0f}"),
    ("CPU seconds", "cpu", "{:.2f}"),
    ("peak memory, MB", "memory", "{:.0f}"),
)


def main() -> None:
    """Measure every case and print each table as soon as it is complete."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each tool for each case")
    cases = "a,b,c,d,start"
    parser.add_argument("--cases", default=cases, help=f"some of {cases}")
    options = parser.parse_args()
    wanted = options.cases.split(",")
    print(
        f"Medians of {options.runs} alternating runs of each tool. The pipe watches new pods for "
        f"{STABLE_SECONDS} s\n(STABLE_SECONDS) before it reports success; this time is not "
        "counted. The other tool does not watch.\n",
        flush=True,
    )
    for case in CASES:
        if case.key in wanted:
            compare(case, options.runs)
    if "start" in wanted:
        for compare_start in (compare_processes, compare_roles, compare_containers):
            compare_start(options.runs)


def compare(case: Case, runs: int) -> None:
    """Measure both tools, alternating, and print one table."""
    ours: list[Cost] = []
    theirs: list[Cost] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(runs):
            ours.append(measure(pipe_command(case), case, folder))
            theirs.append(measure(vendor_command(case), case, folder))
        changed = [measure(pipe_command(case), case, folder, wait=False).cpu for _ in range(runs)]
    print(f"{case.title}\n{'':<28}{'pipe':>8}{'duploctl':>10}{'ratio':>8}")
    for title, field, form in ROWS:
        mine, other = (median(getattr(cost, field) for cost in costs) for costs in (ours, theirs))
        mine -= STABLE_SECONDS if field == "beyond" else 0
        ratio = f"{other / mine:.1f}x" if mine > 0 else ""
        print(f"{title:<28}{form.format(mine):>8}{form.format(other):>10}{ratio:>8}")
    # The cost of following is the difference to a run that does everything else (WAIT: 'false').
    look = median((cost.cpu - median(changed)) / cost.looks for cost in ours) * 1000
    print(f"{'CPU per look, ms':<28}{look:>8.0f}\n", flush=True)


if __name__ == "__main__":
    main()
