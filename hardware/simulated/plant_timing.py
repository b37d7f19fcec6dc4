"""How long the parts of the simulated plant take."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class PlantTiming:
    """Times of the plant, in ms; each contactor and module gets its own within them, by seed.

    `operate_ms`, `release_ms`: coil to settled contact, bounce included, at most.
    `bounce_ms`: how long an auxiliary contact chatters after a motion.
    `min_response_ms`: a coil pulse shorter than this moves nothing.
    `current_rise_ms`: enable to current and status. `current_decay_ms`: off to no current, at most.
    `module_discharge_ms`: off to less than 20 V at the terminals, at most.
    `off_delay_ms`: how long coil supply outlives emergency stop or watchdog.
    `watchdog_ms`: without an edge for so long, enables are cut; None = no watchdog fitted.
    `vehicle_response_ms`: how long a vehicle takes to heed a lower offer, at most.
    """

    operate_ms: int = 40
    release_ms: int = 40
    bounce_ms: int = 3
    min_response_ms: int = 5
    current_rise_ms: int = 3
    current_decay_ms: int = 200
    module_discharge_ms: int = 1000
    off_delay_ms: int = 300
    watchdog_ms: int | None = 100
    vehicle_response_ms: int = 0


def own_motion_us(draw: random.Random, timing: PlantTiming, limit_ms: int) -> int:
    """One contactor's own time; the fastest and the slowest allowed come up often."""
    slowest = max(limit_ms - timing.bounce_ms, 0) * 1000
    fastest = min(timing.min_response_ms * 1000, slowest)
    return draw.choice((fastest, slowest, draw.randint(fastest, slowest)))


def own_us(draw: random.Random, limit_ms: int) -> int:
    """One module's or vehicle's own time: half the limit to all of it."""
    limit_us = limit_ms * 1000
    return draw.choice((limit_us, draw.randint(limit_us // 2, limit_us)))
