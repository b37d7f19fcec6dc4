"""A change of what the guns ask for, lived through scan by scan, with a station that can be put
back to where it was."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from campaign.disk import Disk
from campaign.life import Ahead, Lives
from campaign.slow_solver import SlowSolver
from campaign.snapshot import Snapshot
from sweep.changes import arrived, random_changes
from sweep.stations import quick, without_status_inputs
from sweep.working_station import WorkingStation

from verified_alloc.decide.allocate import Solve, allocate
from verified_alloc.station.model import Station

MATRICES = ("full", "ring", "half", "list")
POLICIES = ("documented", "priority")
BESIDE = 0.05
"""Of all random changes, those that a solver beside the scan decides, for unequal modules."""
ANSWERS_AFTER_SCANS = (1, 3, 12)
BEFORE: Mapping[int, float] = {1: 160, 3: 120, 5: 80}
AFTER: Mapping[int, float] = {1: 40, 2: 240, 5: 0}
"""Modules leave guns and come to others, others stay."""


class Handover:
    """One change, nothing being broken: the life that others are compared with."""

    def __init__(self, at_work: WorkingStation) -> None:
        self.at_work = at_work
        self.lives = Lives()
        at_work.wait()
        before, started = Snapshot(at_work), at_work.operations
        self._controller = at_work.controller
        self.undisturbed = self.lives.follow(at_work, skip=False)
        self.scans = self.lives.scans
        """Until the station is at rest, and once more."""
        assert self.undisturbed.clean, self.undisturbed
        assert arrived(at_work)
        before.restore()
        self._operations_due = started + self.undisturbed.operations

    def each_scan(self) -> Iterator[int]:
        """The station stands before each scan of the change in turn."""
        for scan in range(self.scans):
            yield scan
            self.at_work.scan(skip=False)
            self.at_work.wait()

    def back(self, before: Snapshot) -> None:
        """To where it was. A process that was started since is killed first: nothing that is left
        of it may move a line when it is forgotten."""
        if self.at_work.controller is not self._controller:
            self.at_work.kill()
        before.restore()

    def needless(self, ahead: Ahead) -> int:
        """Makes and breaks beyond those that the change still takes."""
        return self.at_work.operations + ahead.operations - self._operations_due


@cache
def station(matrix: str, policy: str = "documented", status_inputs: bool = True) -> Station:
    """The reference station with another matrix."""
    kind: dict[str, object] = {"kind": matrix}
    if matrix == "list":
        steps = (0, 1, 2, 4, 6)
        kind["reach"] = {str(g): sorted((g + s) % 9 + 1 for s in steps) for g in range(1, 7)}
    size = {"guns": 6, "modules": 9, "module_power_kw": 40, "gun_max_power_kw": 240}
    made = quick(Station.from_tables({"station": {"name": matrix, **size}, "matrix": kind}))
    made = replace(made, policy=replace(made.policy, name=policy, priority_deadband_w=0))
    return made if status_inputs else without_status_inputs(made)


def _unequal(station: Station) -> Station:
    """The same with two smaller modules, decided by a policy that needs a constraint solver."""
    *alike, one, other = station.modules
    smaller = (replace(one, power_w=20_000), replace(other, power_w=30_000))
    policy = replace(station.policy, name="fair")
    return replace(station, modules=(*alike, *smaller), policy=policy)


@contextmanager
def _at_work(made: Station, seed: int, solver: Solve | None = None) -> Iterator[WorkingStation]:
    """A station whose latched faults are on a disk that may fail."""
    disk: Any = Disk()
    with disk.installed(), WorkingStation(made, seed, disk, solver) as at_work:
        disk.stand_still = at_work.charger.stand_still
        yield at_work


@contextmanager
def representative(matrix: str) -> Iterator[Handover]:
    """The one handover of this matrix in which every fault is played."""
    with _at_work(station(matrix), 1) as at_work:
        at_work.ask(BEFORE)
        at_work.go_on(3)
        at_work.ask(AFTER)
        yield Handover(at_work)


@contextmanager
def any_change(seed: int, policies: Sequence[str] = POLICIES) -> Iterator[Handover]:
    """Any matrix, any demands, from a station at rest or in the middle of another change."""
    draw = random.Random(f"handover {seed}")
    made = station(draw.choice(MATRICES), draw.choice(policies), draw.random() < 0.8)
    solver = None
    if policies is POLICIES and draw.random() < BESIDE:
        made, solver = _unequal(made), SlowSolver(draw.choice(ANSWERS_AFTER_SCANS))
    demands = random_changes(made, seed)
    with _at_work(made, seed, solver) as at_work:
        at_work.ask(next(demands))
        at_work.go_on(draw.choice([2, 0.3 * draw.random()]))
        before = allocate(made, at_work.asked_kw).modules
        while allocate(made, at_work.asked_kw).modules == before:
            at_work.ask(next(demands))
        yield Handover(at_work)
