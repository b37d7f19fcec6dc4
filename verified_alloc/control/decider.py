"""Decides anew who gets what when something that matters has changed; beside the scan's safety.

Guns and modules are counted from 1, as in `decide`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import and_

from verified_alloc.control.state import Inputs
from verified_alloc.control.wear import in_steps
from verified_alloc.decide.allocate import Allocation, Solve, decide, keep
from verified_alloc.decide.demand import Asked
from verified_alloc.decide.policies.problem import NO_WEAR, Answer, NoAnswer, NotYet, Problem
from verified_alloc.kernel.diagnosis import Readings
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

SOLVER_DEADLINE_MS = 1000
"""For so long modules stay with what they have when a solver beside the scan is asked; then the
documented rule stands in until it answers."""


class Decider:
    """The allocation that stands. `solve` is a constraint solver beside the scan; without one the
    scan waits for the solver. `report` hears why a policy had no answer."""

    def __init__(self, solve: Solve | None, report: Callable[[str], None]) -> None:
        self._solve = solve
        self._report = report
        self._stood: frozenset[Pair] = frozenset()
        self._worn: Mapping[Pair, int] = NO_WEAR
        self._undecided_ms: int | None = None
        self._allocation: Allocation | None = None
        self.inputs: Inputs | None = None

    @property
    def waits(self) -> bool:
        """A solver has not answered yet."""
        return self._undecided_ms is not None

    def decide(
        self,
        station: Station,
        asked: Asked,
        faults: Faults,
        reserved: Mapping[int, int],
        readings: Sequence[Readings],
        operations: Mapping[Pair, int],
        now_ms: int,
    ) -> Allocation:
        """Allocate anew when demands, faults, the limit or the reserved modules have changed, and
        as long as a solver beside the scan has not answered."""
        inputs = Inputs(asked, faults, reserved, station.site_limit_w)
        if inputs != self.inputs:
            self.inputs, self._stood = inputs, self._stand(readings)
            self._worn = in_steps(operations)
            if self._undecided_ms is None:
                self._undecided_ms = now_ms
        if self._allocation is None or self._undecided_ms is not None:
            before, self._allocation = self._allocation, self._decided(station, inputs, now_ms)
            reason = self._allocation.fallback_reason
            if reason is not None and (before is None or before.fallback_reason != reason):
                self._report(
                    f"policy {self._allocation.fallback_from} had no answer ({reason}):"
                    f" {self._allocation.policy} instead"
                )
        return self._allocation

    def _decided(self, station: Station, inputs: Inputs, now_ms: int) -> Allocation:
        """The answer to these inputs, or what stands until it is there."""
        ask = partial(
            decide,
            station,
            inputs.asked,
            faults=inputs.faults,
            current=self._stood,
            policy=station.policy.name,
            reserved=inputs.reserved,
            wear=self._worn,
        )
        try:
            decided = ask(solve=self._solve)
        except NotYet:
            assert self._undecided_ms is not None
            if now_ms - self._undecided_ms >= SOLVER_DEADLINE_MS:
                return ask(solve=_too_late)
            present = {} if self._allocation is None else self._allocation.modules
            return keep(station, inputs.asked, present, faults=inputs.faults, current=self._stood)
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
