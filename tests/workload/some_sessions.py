"""Sessions for tests: by hand, and by chance."""

import random
from dataclasses import replace as changed
from typing import Any

from hypothesis import strategies as st

from verified_alloc.station.model import Station
from verified_alloc.workload.cars import typical_curve
from verified_alloc.workload.sessions import MJ_PER_KWH, Battery, Session

MONDAY_MS = 1_704_067_200_000
MINUTE_MS = 60_000


def session(
    at_min: float, stay_min: float, kwh: float, kw: float, gun: int | None = None
) -> Session:
    """A car without a curve, on the first of January 2024."""
    arrival_ms = MONDAY_MS + round(at_min * MINUTE_MS)
    return Session(
        arrival_ms,
        arrival_ms + round(stay_min * MINUTE_MS),
        round(kwh * MJ_PER_KWH),
        round(kw * 1000),
        gun,
    )


def with_battery(of: Session, capacity_kwh: float, soc: float) -> Session:
    """The same with a battery of a typical curve; `soc` from 0 to 1."""
    capacity_mj = round(capacity_kwh * MJ_PER_KWH)
    curve = typical_curve(of.max_power_w)
    return changed(of, battery=Battery(capacity_mj, round(capacity_mj * soc), curve))


def some_sessions(seed: int, count: int, guns: int, *, named: bool, hours: float) -> list[Session]:
    """Cars by chance: short and long stays, small and large powers, with and without batteries."""
    draw = random.Random(f"sessions {seed}")
    made = []
    for _ in range(count):
        car = session(
            draw.uniform(0, hours * 60),
            draw.uniform(5, 60),
            draw.uniform(2, 50),
            draw.choice([50, 100, 150, 250, 350]),
            draw.randint(1, guns) if named or draw.random() < 0.3 else None,
        )
        if draw.random() < 0.7:
            car = with_battery(car, draw.uniform(30, 110), draw.uniform(0.05, 0.6))
        made.append(car)
    return sorted(made, key=lambda car: car.arrival_ms)


def at_once(station: Station, **timing: Any) -> Station:
    """A station whose switching takes next to nothing, and which decides strictly."""
    quick = {
        "scan_ms": 5,
        "contactor_operate_ms": 6,
        "contactor_release_ms": 6,
        "current_decay_ms": 5,
        "module_discharge_ms": 5,
        "offer_lead_ms": 5,
        "minimum_dwell_s": 0,
    }
    return changed(
        station,
        timing=changed(station.timing, **(quick | timing)),
        policy=changed(station.policy, name="documented", priority_deadband_w=0),
    )


@st.composite
def sessions_for(draw: st.DrawFn, station: Station) -> list[Session]:
    """A few cars for this station, close together."""
    guns = st.one_of(st.none(), st.integers(1, len(station.guns)))
    cars = draw(
        st.lists(
            st.builds(
                session,
                st.integers(0, 40),
                st.integers(1, 40),
                st.floats(0.01, 40),
                st.integers(1, 350),
                guns,
            ),
            min_size=1,
            max_size=8,
        )
    )
    return sorted(cars, key=lambda car: car.arrival_ms)
