"""Charging sessions: a car, when it came, what it wanted, and what its battery takes."""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

MJ_PER_KWH = 3_600_000_000
"""Energies are whole millijoules (W x ms): exact."""

DEMAND_STEP_W = 5_000
"""A car's demand goes down its curve in steps of this size: an eighth of a module, and what the
rank's deadband ignores. Against the curve itself that is less than 0.5 % of energy in the tests."""


class CurvePoint(NamedTuple):
    """At this state of charge (per mille) the battery takes this much, W."""

    soc_permille: int
    power_w: int


Curve = tuple[CurvePoint, ...]
"""Ascending in charge; straight between the points, level beyond them."""


@dataclass(frozen=True)
class Battery:
    """What is known of a car's battery."""

    capacity_mj: int
    arrival_mj: int
    """Energy in it at arrival."""
    curve: Curve

    def needed_mj(self, soc_permille: int) -> int:
        """Energy from arrival to this state of charge; 0 or less if it came with more."""
        return self.capacity_mj * soc_permille // 1000 - self.arrival_mj


@dataclass(frozen=True)
class Session:
    """A car at the station; times in ms since the first of January 1970, as a clock on the wall
    there shows them."""

    arrival_ms: int
    departure_ms: int
    energy_mj: int
    """What it wants."""
    max_power_w: int
    gun: int | None = None
    """The gun it must have; None: whichever is free."""
    battery: Battery | None = None
    """None: it asks for its maximum until it has its energy."""


class DemandStep(NamedTuple):
    """Until the car has this much since it plugged in, it asks for this power."""

    until_mj: int
    demand_w: int


def demand_steps(session: Session) -> tuple[DemandStep, ...]:
    """What the car asks for as it fills: its curve, rounded to whole steps of `DEMAND_STEP_W`
    (one at least), under its maximum. The last step ends at the energy that it wants."""
    battery = session.battery
    if battery is None:
        return (DemandStep(session.energy_mj, session.max_power_w),)
    end_mj = battery.arrival_mj + session.energy_mj
    steps: list[DemandStep] = []

    def until(charge_mj: int, level: int) -> None:
        until_mj = min(charge_mj, end_mj) - battery.arrival_mj
        demand_w = min(max(level, 1) * DEMAND_STEP_W, session.max_power_w)
        if until_mj > (steps[-1].until_mj if steps else 0):
            if steps and steps[-1].demand_w == demand_w:
                steps.pop()
            steps.append(DemandStep(until_mj, demand_w))

    points = [(p.soc_permille * battery.capacity_mj // 1000, p.power_w) for p in battery.curve]
    until(points[0][0], _level(points[0][1]))
    for (low_mj, low_w), (high_mj, high_w) in pairwise(points):
        level, last = _level(low_w), _level(high_w)
        while level != last:
            rises = last > level
            # Half way between two levels the demand goes from one to the other.
            edge_w = level * DEMAND_STEP_W + (DEMAND_STEP_W if rises else -DEMAND_STEP_W) // 2
            until(low_mj + (edge_w - low_w) * (high_mj - low_mj) // (high_w - low_w), level)
            level += 1 if rises else -1
        until(high_mj, level)
    until(end_mj, _level(points[-1][1]))
    return tuple(steps)


def _level(power_w: int) -> int:
    return (2 * power_w + DEMAND_STEP_W) // (2 * DEMAND_STEP_W)
