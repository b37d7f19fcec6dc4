"""Every kind of fault of the I2C bus at every transaction of random changes.

A change is played once, scan by scan; at the start of each scan the process branches, each branch
suffers one fault at one transaction of that scan and plays on until its station has settled.
"""

import random
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from sweep.branches import branch
from sweep.changes import documented_target, random_changes
from sweep.stations import quick, strictly_documented
from sweep.working_station import Connected, WorkingStation

from hardware.simulated.bus import BusFault

KINDS = (
    "nack",
    "nack_data",
    "timeout",
    "flip_read",
    "flip_write",
    "wrong_chip",
    "drop_write",
    "brown_out",
)
STATION = quick(strictly_documented())
SETTLING_S = 15
QUIET_S = 0.5
"""So long after the target is reached nothing may come of the fault any more."""


class Outcome(NamedTuple):
    fault: str
    struck: bool
    violations: list[str]
    exposures: list[str]
    needless_operations: int
    """Makes and breaks beyond those that the change takes."""
    worst_exposure_ms: float
    worst_current_a: float
    """That a contactor broke, or that flowed in an exposure."""
    reached: bool
    goes_on: bool
    """Something is reported, and all that is not broken is fed as decided without it."""
    reported: list[str]

    @property
    def wrong(self) -> list[str]:
        found = [f"{self.fault}: {text}" for text in self.violations]
        if not self.reached and not self.goes_on:
            found.append(f"{self.fault}: neither target reached nor reported; {self.reported}")
        return found


def suffer(
    at_work: WorkingStation, target: Connected, operations: int, fault: BusFault, name: str
) -> Outcome:
    """Let that happen and play on until the station has settled; `operations` of contactors are
    due by then since the station began."""
    earlier = len(at_work.monitor.exposures)
    at_work.bus.inject(fault)

    def settled() -> bool:
        return at_work.feeds(target) or (
            bool(at_work.reported) and at_work.feeds_as_decided() and at_work.state.settled
        )

    for _ in range(4):
        at_work.go_on(SETTLING_S, until=settled)
        at_work.go_on(QUIET_S)
        if settled():
            break
    violations, later = at_work.bad(), at_work.monitor.exposures[earlier:]
    return Outcome(
        fault=name,
        struck=bool(at_work.bus.faults_hit),
        violations=violations,
        exposures=[event.text for event in later],
        needless_operations=at_work.operations - operations,
        worst_exposure_ms=max((event.duration_ms for event in later), default=0),
        worst_current_a=max((event.current_a for event in later), default=0),
        reached=at_work.feeds(target),
        goes_on=bool(at_work.reported) and at_work.feeds_as_decided(),
        reported=at_work.reported,
    )


def outcomes(
    seed: int, changes: int, share: float, lasting: int | None = 1, kinds: tuple[str, ...] = KINDS
) -> Iterator[Outcome]:
    """Every branch of so many random changes, or a share of them. `lasting`: for how many
    transactions the fault lasts; None = for ever."""
    draw = random.Random(f"bus faults {seed}")
    demands = random_changes(STATION, seed)
    with WorkingStation(STATION, seed=seed) as at_work:
        for change in range(changes):
            before = at_work.live
            while documented_target(STATION, at_work.asked_kw) == before:
                at_work.ask(next(demands))
            target = documented_target(STATION, at_work.asked_kw)
            name = f"seed {seed}, change {change}"
            yield from _in_each_scan(at_work, target, share, lasting, kinds, draw, name)
            at_work.go_on(draw.choice([0.1, 0.5]))


def _in_each_scan(
    at_work: WorkingStation,
    target: Connected,
    share: float,
    lasting: int | None,
    kinds: tuple[str, ...],
    draw: random.Random,
    name: str,
) -> Iterator[Outcome]:
    settled_scans = number = 0
    pairs = {(gun, module) for gun, held in target.items() for module in held}
    operations = at_work.operations + len(pairs ^ at_work.closed)

    def transactions_of_this_scan() -> int:
        before = at_work.bus.transactions
        at_work.scan(skip=False)
        return at_work.bus.transactions - before

    while settled_scans < 3:
        number += 1
        chosen = [kind for kind in kinds if share == 1 or draw.random() < 20 * share]
        for transaction in range(branch(transactions_of_this_scan) if chosen else 0):
            for kind in chosen:
                bit = draw.randrange(1 << 16)
                if share < 1 and draw.random() > 0.05:
                    continue
                fault = BusFault(kind, at_transaction=transaction, count=lasting, bit=bit)
                text = f"{name}, scan {number}, transaction {transaction}: {kind}, bit {bit}"
                yield branch(partial(suffer, at_work, target, operations, fault, text))
        at_work.scan(skip=False)
        settled_scans += at_work.feeds(target) and at_work.state.settled
