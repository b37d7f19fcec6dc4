"""A station that lives through many days, disturbed every few minutes: `python -m campaign.soak`.

One process, one controller. What disturbs it strikes once or for a moment and must leave nothing:
no violation, no fault latched, no memory that grows. Ends with 1 otherwise."""

import argparse
import random
import resource
import sys
import time

from rich.console import Console
from rich.progress import Progress

from hardware.simulated.faults import Injection, parse
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.control.state import State
from verified_alloc.run.loop import MS_PER_DAY, Run
from verified_alloc.station.model import Station
from verified_alloc.workload.synthetic import synthetic_day
from verified_alloc.workload.traces import DemandTrace

DISTURBANCES_A_DAY = 200
MOMENTARY = ("nack", "nack-data", "timeout")
ONCE = ("flip-read", "flip-write", "wrong-chip", "drop-write")
MOST_GROWTH_KB = 100_000


def trace_of(days: int, guns: int) -> DemandTrace:
    """One synthetic day after another."""
    return DemandTrace(
        tuple(
            change._replace(time_ms=change.time_ms + day * MS_PER_DAY)
            for day in range(days)
            for change in synthetic_day(day + 1, guns).trace.changes
        )
    )


def disturbances(days: int, seed: int) -> list[Injection]:
    draw = random.Random(f"soak {seed}")
    told = []
    for _ in range(days * DISTURBANCES_A_DAY):
        at_ms = draw.randrange(days * MS_PER_DAY)
        address = f"{draw.choice(range(0x20, 0x28)):#x}"
        if draw.random() < 0.5:
            told.append(f"{draw.choice(MOMENTARY)} {address} @ {at_ms}ms for 30ms")
        else:
            told.append(f"{draw.choice(ONCE)} {address} @ {at_ms}ms")
    return [parse(text) for text in told]


def memory_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m campaign.soak", description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    station = Station.reference()
    end_ms, began_s = asked.days * MS_PER_DAY, time.process_time()
    first_day_kb = 0

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("simulated time", total=end_ms)

        def watch(state: State) -> None:
            nonlocal first_day_kb
            progress.update(task, completed=state.at_ms)
            if not first_day_kb and state.at_ms > MS_PER_DAY // 2:
                first_day_kb = memory_kb()

        summary = Run(
            station,
            simulated_charger(station, seed=asked.seed),
            trace_of(asked.days, len(station.guns)),
            injections=disturbances(asked.days, asked.seed),
            watch=watch,
        ).play(end_ms)
    spent_s, growth_kb = time.process_time() - began_s, memory_kb() - first_day_kb
    latched = [text for text in summary.faults if text]
    print(
        f"{asked.days} days with {asked.days * DISTURBANCES_A_DAY} disturbances:"
        f" {len(summary.violations)} violations, {len(summary.exposures)} exposures, latched:"
        f" {', '.join(latched) or 'nothing'}; {sum(summary.operations.values())} operations,"
        f" {sum(summary.energy_kwh.values()):.0f} kWh; {growth_kb} kB more memory than after half a"
        f" day; {end_ms / 1000 / spent_s:.0f} x real time"
    )
    return 1 if summary.violations or latched or growth_kb > MOST_GROWTH_KB else 0


if __name__ == "__main__":
    sys.exit(main())
