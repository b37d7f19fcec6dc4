"""Decides anew who gets what when something that matters has changed; beside the scan's safety.

Guns and modules are counted from 1, as in `decide`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import and_

from verified_alloc.control.state import Inputs
from verified_alloc.control.wear import Wear, in_steps
from verified_alloc.decide.allocate import Allocation, Solve, decide, keep
from verified_alloc.decide.demand import DemandProcessor, strictly
from verified_alloc.decide.policies.problem import NO_WEAR, Answer, NoAnswer, NotYet, Problem
from verified_alloc.decide.steady import Steady, granted
from verified_alloc.kernel import dwell, ops
from verified_alloc.kernel.deadline import LONG_MS
from verified_alloc.kernel.diagnosis import NOT_SO, Readings
from verified_alloc.kernel.scan import Memory
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

SOLVER_DEADLINE_MS = 1000
"""For so long modules stay with what they have when a solver beside the scan is asked; then the
documented rule stands in until it answers."""


class Decider:
    """The allocation that stands. `solve` is a constraint solver beside the scan; without one the
    scan waits for the solver. `operations` are those of the contactors before. `report` hears why
    a policy had no answer."""

    def __init__(
        self,
        station: Station,
        demands: DemandProcessor,
        solve: Solve | None,
        operations: Mapping[Pair, int],
        report: Callable[[str], None],
    ) -> None:
        self._demands = demands
        self._solve = solve
        self._wear = Wear(operations)
        self._report = report
        self._stood: frozenset[Pair] = frozenset()
        self._worn: Mapping[Pair, int] = NO_WEAR
        self._undecided_ms: int | None = None
        self._steady = Steady(demands, station)
        self._allocation: Allocation | None = None
        self._held_until_ms: dict[int, int] = {}
        self._holds_w: dict[int, int] = {}
        """What guns have held at the most since they are."""
        self.inputs: Inputs | None = None

    @property
    def operations(self) -> Mapping[Pair, int]:
        """Makes and breaks of each contactor so far."""
        return self._wear.operations

    def next_change_ms(self, now_ms: int) -> int:
        """When a hold ends or a demand becomes stale by itself, or in a day if none does; while
        a solver has not answered, now."""
        changes_ms = (self._demands.next_change_ms(now_ms), *self._held_until_ms.values())
        to_come_ms = [at_ms for at_ms in changes_ms if at_ms is not None and at_ms > now_ms]
        return min(to_come_ms, default=now_ms + LONG_MS) if self._undecided_ms is None else now_ms

    def see(self, readings: Sequence[Readings]) -> None:
        """Count what has moved, and decide nothing."""
        self._wear.note(readings)

    def hold(self, gun: int, until_ms: int) -> None:
        """Until then the modules live on this gun are reserved for it."""
        self._held_until_ms[gun] = until_ms

    def held_ms(self, gun: int, now_ms: int) -> int:
        """How long they still are."""
        return max(0, self._held_until_ms.get(gun, now_ms) - now_ms)

    def decide(
        self,
        station: Station,
        faults: Faults,
        memory: Memory,
        readings: Sequence[Readings],
        now_ms: int,
    ) -> tuple[Inputs, Allocation]:
        """What counts (no demand does on the way out), and who is to have what: allocated anew
        when demands, faults, the limit or the reserved modules have changed, and as long as a
        solver beside the scan has not answered."""
        self._wear.note(readings)
        stopping = memory.stopping_ms > NOT_SO
        asked = strictly([0 for _ in station.guns]) if stopping else self._demands.asked(now_ms)
        minimum_ms = station.built.minimum_dwell_ms
        held = [self.held_ms(gun.id, now_ms) > 0 for gun in station.guns]
        rows = dwell.reserved(ops, memory.feeding, memory.fed_ms, minimum_ms, held)
        reserved = {m: g for g, row in enumerate(rows, 1) for m, bit in enumerate(row, 1) if bit}
        self._holds_w = {
            gun: max(self._holds_w.get(gun, 0), power_w)
            for gun, (hold, power_w) in enumerate(zip(held, self._steady.power_w, strict=True), 1)
            if hold
        }
        situation = faults, reserved, station.site_limit_w, self._holds_w
        if self._steady.is_new(asked, (situation, station.policy.name)):
            self._stood, self._worn = self._stand(readings), in_steps(self._wear.operations)
            if self._undecided_ms is None:
                self._undecided_ms = now_ms
        limited = () if stopping else self._demands.limited(now_ms)
        before = None if self.inputs is None else (self.inputs.asked, self.inputs.limited)
        if before != (asked, limited) or self._undecided_ms is not None:
            self.inputs = Inputs(asked, *situation, self._steady.held(asked).demand_w, limited)
            stood = self._allocation
            self._allocation = self._decided(station, self.inputs, now_ms)
            reason = self._allocation.fallback_reason
            if reason is not None and (stood is None or stood.fallback_reason != reason):
                self._report(
                    f"policy {self._allocation.fallback_from} had no answer ({reason}):"
                    f" {self._allocation.policy} instead"
                )
        assert self.inputs is not None  # the first scan's are new
        assert self._allocation is not None
        return self.inputs, granted(station, self._allocation, asked)

    def _decided(self, station: Station, inputs: Inputs, now_ms: int) -> Allocation:
        """The answer to these inputs, or what stands until it is there."""
        ask = partial(
            decide,
            station,
            faults=inputs.faults,
            current=self._stood,
            policy=station.policy.name,
            reserved=inputs.reserved,
            holds_w=inputs.holds_w,
            wear=self._worn,
        )
        try:
            held, decided = self._steady.decide(
                station, inputs.asked, inputs.reserved.values(), partial(ask, solve=self._solve)
            )
        except NotYet:
            if self._undecided_ms is None:
                self._undecided_ms = now_ms
            held = inputs.asked._replace(demand_w=inputs.held_w)
            if now_ms - self._undecided_ms >= SOLVER_DEADLINE_MS:
                return ask(held, solve=_too_late)
            return keep(station, held, self._allocation, faults=inputs.faults, current=self._stood)
        self.inputs = inputs._replace(held_w=held.demand_w)
        self._undecided_ms = None
        return decided

    def _stand(self, readings: Sequence[Readings]) -> frozenset[Pair]:
        """Where the modules are: on the guns to which their contactors read closed, twice, or if
        none does, where they were sent last."""
        stand = {
            (gun, module)
            for module, reading in enumerate(readings, start=1)
            for gun, closed in enumerate(map(and_, reading.closed, reading.closed_again), start=1)
            if closed
        }
        if self._allocation is not None:
            connected = {module for _, module in stand}
            stand |= {
                (gun, module)
                for gun, modules in self._allocation.modules.items()
                for module in modules
                if module not in connected
            }
        return frozenset(stand)


def _too_late(problem: Problem, policy: str) -> Answer:
    raise NoAnswer(f"the solver has not answered within {SOLVER_DEADLINE_MS} ms")
