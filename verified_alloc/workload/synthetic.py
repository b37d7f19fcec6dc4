"""A synthetic day at a busy charging station: cars that arrive, charge along their curve, leave.

The samples in `samples/` were made by

    python -m verified_alloc.compare.synthetic --seed 1 > day.csv
    python -m verified_alloc.compare.synthetic --seed 1 --hour > hour.csv

A demand is what the vehicle could take at that moment (open loop): its state of charge advances as
if it got its demand up to `GUN_MAX_W`, whatever a replay gives it.

Figures marked "chosen" are round numbers put here to be believable; where it helps, the public data
set of the EPFL ("Level 3 electric vehicle charging dataset", DESL) is named for comparison. The
same seed gives the same bytes on every machine: the only random source is `Random.random()`, whose
sequence Python promises to keep, and the only arithmetic is + - * /, which IEEE 754 fixes.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import NamedTuple

from verified_alloc.errors import BadInput
from verified_alloc.workload.cars import CarType
from verified_alloc.workload.session_file import SessionRow
from verified_alloc.workload.sessions import MJ_PER_KWH, CurvePoint
from verified_alloc.workload.traces import HOUR_MS, DemandChange, DemandTrace, write_trace

DAY_S = 86_400
FIRST_DAY_MS = 1_704_067_200_000
"""The first of January 2024."""

GUN_MAX_W = 240_000  # the reference station's gun

ARRIVALS_PER_GUN = 15
"""Cars a day for each gun, in the mean; chosen, a well used motorway site."""

HOURLY_ARRIVALS = (
    *(4, 3, 2, 2, 3, 7, 15, 25, 38, 52, 62, 70),
    *(72, 70, 72, 74, 76, 80, 78, 62, 45, 32, 20, 10),
)
"""Relative arrivals by hour of the day; chosen: quiet nights, noon to early evening the busiest,
the shape of the EPFL sessions."""


class CarClass(NamedTuple):
    """A kind of car.

    `curve` is the power its battery takes, in kW, over its state of charge in percent, straight
    between the points.
    """

    name: str
    share: int
    capacity_kwh: int
    curve: tuple[tuple[int, int], ...]


CAR_CLASSES = (
    CarClass("city", 12, 40, ((0, 45), (10, 60), (60, 60), (80, 35), (100, 10))),
    CarClass("compact", 22, 58, ((0, 110), (5, 120), (35, 120), (60, 80), (80, 55), (100, 15))),
    CarClass("saloon", 18, 75, ((0, 150), (8, 170), (30, 170), (50, 115), (80, 65), (100, 15))),
    CarClass("large SUV", 12, 95, ((0, 140), (10, 150), (70, 150), (80, 105), (100, 25))),
    CarClass("sports", 16, 78, ((0, 200), (5, 255), (25, 255), (45, 170), (80, 70), (100, 15))),
    CarClass("800 V", 12, 80, ((0, 220), (8, 280), (45, 260), (60, 180), (80, 120), (100, 15))),
    CarClass("800 V SUV", 8, 106, ((0, 280), (6, 350), (45, 340), (60, 240), (80, 130), (100, 25))),
)
"""Chosen, no car in particular. The reasoning: a plateau of 1.5 to 3.5 times the capacity per hour,
a little less when nearly empty; a fall from 25-70 % of charge on, earlier the higher the plateau;
roughly a third to two thirds of it at 80 %, a tenth or so when full. Maxima from 60 kW (air-cooled)
to 350 kW (a CCS connector's 500 A at 700 V). `share` is percent of the cars; 36 % can ask for more
than `GUN_MAX_W` (in the EPFL sessions 33 % did), about half of them do: the others come too full or
too cold."""

BUILT_IN_CARS = {
    car.name: CarType(
        car.name,
        car.capacity_kwh * MJ_PER_KWH,
        tuple(CurvePoint(10 * percent, 1000 * kw) for percent, kw in car.curve),
    )
    for car in CAR_CLASSES
}
"""The same as a file of sessions names them."""

PLUG_IN_S = 30
"""From arrival to the first current: connector locked, cable checked, precharged (chosen)."""

RAMP_S = 10
"""From nothing to full power; cars raise their current over some seconds (chosen)."""

STEP_S = 2
"""The state of charge moves, and a demand may change, this often."""

RESEND_W = 3_000
"""A demand is sent anew when it has moved by this much,"""

RESEND_S = 60
"""or when it was sent this long ago and is no longer the same."""

CLOSING_S = DAY_S - 2 * STEP_S
"""Whoever is still charging shortly before midnight is unplugged, so that a day ends idle."""


class SyntheticSession(NamedTuple):
    """A car on a gun; times in seconds after midnight, charge in percent of its capacity."""

    gun: int
    car: str
    arrival_s: int
    plugged_s: int
    unplugged_s: int
    soc_arrival: float
    soc_departure: float
    energy_kwh: float


@dataclass(frozen=True)
class Day:
    """What a synthetic day is made of."""

    trace: DemandTrace
    sessions: tuple[SyntheticSession, ...]
    turned_away: int
    """Cars that found every gun taken for longer than they would wait."""


class _Arrival(NamedTuple):
    at_s: int
    car: CarClass
    soc: float
    target_soc: float
    fitness: float
    stay_s: float
    patience_s: float
    linger_s: float
    phase_ms: int


def synthetic_day(seed: int, guns: int = 6) -> Day:
    """A day, midnight to midnight, of a station with guns 1 to `guns`; the same for the same seed.

    The last row of every gun is 0 kW at 24:00, where a replay of the day ends.
    """
    if guns < 1:
        raise BadInput(f"guns: {guns}; allowed: 1 or more")
    rng = Random(seed)
    free_s = dict.fromkeys(range(1, guns + 1), 0)
    changes: list[DemandChange] = []
    sessions: list[SyntheticSession] = []
    turned_away = 0
    for arrival in _arrivals(rng, guns):
        free = [gun for gun, since_s in free_s.items() if since_s <= arrival.at_s]
        soonest = min(free_s, key=lambda gun: free_s[gun])
        gun = free[int(rng.random() * len(free))] if free else soonest
        plugged_s = max(arrival.at_s, free_s[gun])
        if plugged_s - arrival.at_s > arrival.patience_s:
            turned_away += 1
        elif plugged_s + PLUG_IN_S < CLOSING_S:
            session, of_session = _charge(arrival, gun, plugged_s)
            free_s[gun] = session.unplugged_s + int(arrival.linger_s)
            sessions.append(session)
            changes += of_session
    changes += [DemandChange(DAY_S * 1000, gun, 0) for gun in free_s]
    return Day(DemandTrace(tuple(sorted(changes))), tuple(sessions), turned_away)


def synthetic_sessions(seed: int, guns: int, days: int) -> Iterator[SessionRow]:
    """Cars as they come to a station of so many guns, `days` days from the first of January 2024
    on, for replays in closed loop: what a car wants, and how long it would stay if it had a gun at
    once and all the power it asks for. Day k is drawn from `seed` + k, the same cars as on the
    `synthetic_day` of that seed."""
    if guns < 1:
        raise BadInput(f"guns: {guns}; allowed: 1 or more")
    if days < 1:
        raise BadInput(f"days: {days}; allowed: 1 or more")
    for day in range(days):
        midnight_ms = FIRST_DAY_MS + day * DAY_S * 1000
        for arrival in _arrivals(Random(seed + day), guns):
            session, _ = _charge(arrival, 1, arrival.at_s)
            if session.energy_kwh > 0:
                yield SessionRow(
                    arrival_ms=midnight_ms + arrival.at_s * 1000,
                    departure_ms=midnight_ms + session.unplugged_s * 1000,
                    energy_kwh=round(Decimal(session.energy_kwh), 3),
                    max_power_kw=round(Decimal(arrival.fitness * _peak_kw(arrival.car)), 1),
                    soc_arrival=round(Decimal(arrival.soc), 1),
                    capacity_kwh=Decimal(arrival.car.capacity_kwh),
                    car=arrival.car.name,
                )


def _peak_kw(car: CarClass) -> int:
    return max(kw for _, kw in car.curve)


def _arrivals(rng: Random, guns: int) -> list[_Arrival]:
    """Poisson arrivals: each second has its own small chance of one."""
    arrivals = []
    for second in range(DAY_S):
        share = HOURLY_ARRIVALS[second // 3600] / sum(HOURLY_ARRIVALS)
        if rng.random() < ARRIVALS_PER_GUN * guns * share / 3600:
            arrivals.append(_arrival(rng, second))
    return arrivals


def _arrival(rng: Random, at_s: int) -> _Arrival:
    """A car with its driver's intentions; figures chosen except where said."""
    car = _pick(rng)
    # The lesser of two draws: mostly low. Quartiles 15, 27 and 42 % (EPFL sessions: 18, 30, 45).
    soc = 5 + 75 * min(rng.random(), rng.random())
    # Two in five stop at 80 %, where charging gets slow; the others anywhere from 60 % on.
    target_soc = 80.0 if rng.random() < 0.4 else 60 + 40 * rng.random()
    return _Arrival(
        at_s=at_s,
        car=car,
        soc=soc,
        target_soc=max(target_soc, min(soc + 10, 100)),
        # A cold or ageing battery takes less than its curve.
        fitness=1 - 0.3 * min(rng.random(), rng.random()),
        # Some leave by the clock: at the earliest after 12 minutes, at the latest after 72.
        stay_s=60 * (12 + 60 * max(rng.random(), rng.random())),
        patience_s=60 * (5 + 20 * rng.random()),
        # Unplugging, driving off, the next one parking: 1 to 9 minutes.
        linger_s=60 * (1 + 8 * rng.random() * rng.random()),
        phase_ms=100 * int(rng.random() * STEP_S * 10),
    )


def _pick(rng: Random) -> CarClass:
    point = rng.random() * sum(car.share for car in CAR_CLASSES)
    for car in CAR_CLASSES:
        point -= car.share
        if point < 0:
            return car
    return CAR_CLASSES[-1]


def _charge(
    arrival: _Arrival, gun: int, plugged_s: int
) -> tuple[SyntheticSession, list[DemandChange]]:
    """One session, from plugging in to its target, the end of its stay or of the day."""
    capacity_ws = arrival.car.capacity_kwh * 3_600_000
    soc, energy_ws = arrival.soc, 0.0
    sent_s, sent_w = 0, 0
    changes = []
    now_s = first_s = plugged_s + PLUG_IN_S
    leave_s = min(plugged_s + arrival.stay_s, CLOSING_S)
    while soc < arrival.target_soc and now_s < leave_s:
        ramp = min(1, (now_s - first_s + STEP_S) / RAMP_S)
        demand_w = _tenths_of_kw(ramp * arrival.fitness * _curve_w(arrival.car, soc))
        moved = abs(demand_w - sent_w) >= RESEND_W
        stale = now_s - sent_s >= RESEND_S and demand_w != sent_w
        if moved or stale:
            sent_s, sent_w = now_s, demand_w
            changes.append(DemandChange(now_s * 1000 + arrival.phase_ms, gun, demand_w))
        taken_ws = min(demand_w, GUN_MAX_W) * STEP_S
        energy_ws += taken_ws
        soc += 100 * taken_ws / capacity_ws
        now_s += STEP_S
    changes.append(DemandChange(now_s * 1000 + arrival.phase_ms, gun, 0))
    return (
        SyntheticSession(
            gun=gun,
            car=arrival.car.name,
            arrival_s=arrival.at_s,
            plugged_s=plugged_s,
            unplugged_s=now_s + STEP_S,
            soc_arrival=arrival.soc,
            soc_departure=soc,
            energy_kwh=energy_ws / 3_600_000,
        ),
        changes,
    )


def _curve_w(car: CarClass, soc: float) -> float:
    """What the battery takes at this state of charge, on the line between its two points."""
    (low, low_kw), (high, high_kw) = next(
        (left, right)
        for left, right in pairwise(car.curve)
        if soc <= right[0] or right == car.curve[-1]
    )
    return 1000 * (low_kw + (high_kw - low_kw) * (soc - low) / (high - low))


def _tenths_of_kw(power_w: float) -> int:
    return 100 * int(power_w / 100 + 0.5)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a day, or its busiest hour, as a demand trace."""
    parser = argparse.ArgumentParser(
        prog="python -m verified_alloc.compare.synthetic",
        description="Print a synthetic day of charging as a demand trace (CSV).",
    )
    parser.add_argument("--seed", type=int, required=True, help="the same seed, the same day")
    parser.add_argument("--guns", type=int, default=6, help="guns of the station (default: 6)")
    parser.add_argument("--hour", action="store_true", help="only the busiest hour of that day")
    options = parser.parse_args(arguments)
    try:
        trace = synthetic_day(options.seed, options.guns).trace
    except BadInput as error:
        parser.error(str(error))
    if options.hour:
        start_ms = trace.busiest_ms()
        trace = trace.excerpt(start_ms, start_ms + HOUR_MS)
    write_trace(trace, sys.stdout)


if __name__ == "__main__":
    main()
