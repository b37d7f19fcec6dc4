"""A station that lives through many days, disturbed every few minutes: `python -m campaign.soak`.

One process, one controller. What disturbs it strikes once or for a moment and must leave nothing:
no violation, nothing latched that somebody would have to clear, no memory that grows. Now and then
a module is taken out of service and put back, which is to be written to a disk that may be slow or
refuse it. Ends with 1 otherwise."""

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from campaign.disk import Disk, DiskFault
from rich.console import Console
from rich.progress import Progress

from hardware.simulated.charger import SimulatedCharger
from hardware.simulated.faults import REGISTER_BITS, Injection, parse
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.control.controller import Controller
from verified_alloc.control.state import State
from verified_alloc.run.loop import MS_PER_DAY, Run
from verified_alloc.run.summary import Summary
from verified_alloc.station.model import Station
from verified_alloc.workload.synthetic import synthetic_day
from verified_alloc.workload.traces import DemandTrace

A_DAY = {
    "nack": 25, "nack-data": 25, "timeout": 20, "no-transfer": 20,
    "flip-read": 20, "flip-write": 20, "wrong-chip": 15, "drop-write": 15,
    "stall": 40, "upset": 20, "brown-out": 10, "reset": 4, "SDA held": 6, "long stall": 3,
}  # fmt: skip
"""Of each kind. What an expander has to be configured anew for is rarer: more than six tries an
hour, and it is given up. A bus that hangs counts for none of them."""
MOMENTARY = ("nack", "nack-data", "timeout", "no-transfer")
MOMENT_MS = 30
STALL_MS, LONG_STALL_MS, RESET_MS, SDA_HELD_MS = (5, 200), (200, 5000), (1, 1000), (50, 10_000)
SERVICED_EVERY_MS = MS_PER_DAY // 8
MODULE = 9
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
    for kind in [kind for kind, number in A_DAY.items() for _ in range(days * number)]:
        at_ms = draw.randrange(days * MS_PER_DAY)
        address = f"{draw.choice(range(0x20, 0x28)):#x}"
        if kind in MOMENTARY:
            told.append(f"{kind} {address} @ {at_ms}ms for {MOMENT_MS}ms")
        elif kind in ("stall", "long stall"):
            for_ms = draw.randrange(*(STALL_MS if kind == "stall" else LONG_STALL_MS))
            told.append(f"stall @ {at_ms}ms for {for_ms}ms")
        elif kind == "reset":
            told.append(f"reset @ {at_ms}ms for {draw.randrange(*RESET_MS)}ms")
        elif kind == "SDA held":
            told.append(f"timeout @ {at_ms}ms for {draw.randrange(*SDA_HELD_MS)}ms")
        elif kind == "upset":
            told.append(f"upset {address}:{draw.randrange(REGISTER_BITS)} @ {at_ms}ms")
        else:
            told.append(f"{kind} {address} @ {at_ms}ms")
    return [parse(text) for text in told]


class Operator:
    """Takes a module out of service now and then, and puts it back. Stands where the orders of the
    service would come from."""

    def __init__(self, disk: Disk, end_ms: int, seed: int) -> None:
        self._end_ms = end_ms
        self._draw = random.Random(f"operator {seed}")
        self._disk = disk
        self._due_ms = SERVICED_EVERY_MS
        self._out = False
        self.disk_faults: Counter[str] = Counter()

    def serve(self, controller: Controller, *_: object) -> None:
        if controller.now_ms() < self._due_ms or self._due_ms >= self._end_ms:
            return
        self._due_ms += SERVICED_EVERY_MS
        self._disk.inject(fault := self._some_fault())
        self.disk_faults[fault.kind] += 1
        self._out = not self._out
        controller.take_out("module", MODULE, self._out)

    def _some_fault(self) -> DiskFault:
        """A few writes are refused, a second apart; or one is slow."""
        if self._draw.random() < 0.5:
            return DiskFault("refuses", self._draw.randrange(1, 60))
        return DiskFault("slow", 1, 1000 * self._draw.randrange(*STALL_MS))

    def watch(self, state: State) -> None:
        """It looks at nothing."""

    def note(self, sentence: str) -> None:
        """Nor does it listen."""


def memory_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Soak:
    """So many days of the reference station, with and without what disturbs it."""

    def __init__(self, days: int, seed: int) -> None:
        self.station = Station.reference()
        self.end_ms = days * MS_PER_DAY
        self._trace = trace_of(days, len(self.station.guns))
        self._seed = seed
        self.disk = Disk()
        self.operator = Operator(self.disk, self.end_ms, seed)

    def live(self, disturbed: Sequence[Injection], watch: Any) -> Summary:
        charger: SimulatedCharger = simulated_charger(self.station, seed=self._seed)
        self.disk.stand_still = charger.stand_still
        service: Any = {"faults_path": self.disk, "orders": self.operator} if disturbed else {}
        with self.disk.installed():
            return Run(
                self.station, charger, self._trace, injections=disturbed, watch=watch, **service
            ).play(self.end_ms)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m campaign.soak", description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    soak, disturbed = Soak(asked.days, asked.seed), disturbances(asked.days, asked.seed)
    first_day_kb = 0

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("simulated time", total=2 * soak.end_ms)

        def watch(state: State) -> None:
            nonlocal first_day_kb
            progress.update(task, completed=soak.end_ms + state.at_ms)
            if not first_day_kb and state.at_ms > MS_PER_DAY // 2:
                first_day_kb = memory_kb()

        sound = soak.live([], lambda state: progress.update(task, completed=state.at_ms))
        began_s = time.process_time()
        summary = soak.live(disturbed, watch)
    spent_s, growth_kb = time.process_time() - began_s, memory_kb() - first_day_kb
    latched = [text for text in summary.faults if f"PM{MODULE} is out" not in text]
    energy_kwh, sound_kwh = (sum(each.energy_kwh.values()) for each in (summary, sound))
    told = Counter(sentence.partition(": ")[2].split(" ")[0] for sentence in summary.reported)
    refused, healed = (
        sum(words in sentence for sentence in summary.reported)
        for words in ("what is latched is in memory only", "takes what is latched again")
    )
    print(
        f"{asked.days} days with {len(disturbed)} disturbances and disk faults"
        f" ({', '.join(f'{n} {kind}' for kind, n in soak.operator.disk_faults.items())}):"
        f" {len(summary.violations)} violations, {len(summary.exposures)} exposures, latched and to"
        f" be cleared: {', '.join(latched) or 'nothing'}; {sum(told.values())} sentences told,"
        f" {refused} times that the disk refused and {healed} that it took it again;"
        f" availability {100 * energy_kwh / sound_kwh:.3f} % ({energy_kwh:.0f} of {sound_kwh:.0f}"
        f" kWh that the same station delivers undisturbed);"
        f" {sum(summary.operations.values())} operations ({sum(sound.operations.values())}"
        f" undisturbed); {growth_kb} kB more memory than after half a day;"
        f" {soak.end_ms / 1000 / spent_s:.0f} x real time"
    )
    bad = summary.violations or latched or refused != healed or growth_kb > MOST_GROWTH_KB
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
