"""The same as a replay in closed loop, written again and differently: second by second, in floats,
with the documented rule as a few plain lines. Nothing
takes time in it: modules are where they should be at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import floor

from verified_alloc.station.model import Station
from verified_alloc.workload.sessions import DEMAND_STEP_W, Session


@dataclass
class Guest:
    session: Session
    latest_s: float
    got_j: float = 0.0
    gun: int | None = None


@dataclass
class Site:
    got_j: dict[int, float] = field(default_factory=dict)
    """By place in the sessions."""
    left_s: dict[int, float] = field(default_factory=dict)


def curve_w(session: Session, got_j: float) -> float:
    """What the car takes, at most its maximum, once it has got that much."""
    battery = session.battery
    if battery is None:
        return session.max_power_w
    charge = (battery.arrival_mj / 1000 + got_j) / (battery.capacity_mj / 1000) * 1000
    points = battery.curve
    power_w: float = points[0].power_w if charge <= points[0].soc_permille else points[-1].power_w
    for low, high in pairwise(points):
        if low.soc_permille < charge <= high.soc_permille:
            part = (charge - low.soc_permille) / (high.soc_permille - low.soc_permille)
            power_w = low.power_w + part * (high.power_w - low.power_w)
    return min(power_w, session.max_power_w)


def documented_w(station: Station, asked_w: dict[int, float]) -> dict[int, float]:
    """Highest demand first, ties by number, lowest-numbered free modules in reach."""
    free = set(range(1, len(station.modules) + 1))
    given_w = {}
    for gun in sorted(asked_w, key=lambda gun: (-asked_w[gun], gun)):
        wanted_w = min(asked_w[gun], station.guns[gun - 1].max_power_w)
        reached_w = 0.0
        for module in station.matrix.reach[gun - 1]:
            if module in free and reached_w < wanted_w:
                free.remove(module)
                reached_w += station.modules[module - 1].power_w
        given_w[gun] = min(wanted_w, reached_w)
    return given_w


def stepped_w(session: Session, got_j: float) -> float:
    """The same rounded to whole steps, one at least."""
    steps = floor(curve_w(session, got_j) / DEMAND_STEP_W + 0.5)
    return min(max(steps, 1) * DEMAND_STEP_W, session.max_power_w)


def simulate(
    station: Station,
    sessions: Sequence[Session],
    patience: float,
    asks_w: Callable[[Session, float], float],
) -> Site:
    """All sessions, to the end of the last. Every session must name its gun."""
    start_s = sessions[0].arrival_ms / 1000
    coming = list(enumerate(sessions))
    waiting: list[tuple[int, Guest]] = []
    on_gun: dict[int, tuple[int, Guest]] = {}
    site = Site()
    now_s = start_s
    while coming or waiting or on_gun:
        while coming and coming[0][1].arrival_ms / 1000 <= now_s:
            place, session = coming.pop(0)
            stay_s = (session.departure_ms - session.arrival_ms) / 1000
            latest_s = session.arrival_ms / 1000 + stay_s * (1 + patience)
            waiting.append((place, Guest(session, latest_s)))
        for place, guest in list(waiting):
            assert guest.session.gun is not None
            if guest.session.gun not in on_gun:
                on_gun[guest.session.gun] = place, guest
                waiting.remove((place, guest))
            elif guest.latest_s <= now_s:
                site.got_j[place], site.left_s[place] = 0.0, now_s
                waiting.remove((place, guest))
        asked_w = {gun: asks_w(g.session, g.got_j) for gun, (_, g) in on_gun.items()}
        given_w = documented_w(station, asked_w)
        now_s += 1
        for gun, (place, guest) in list(on_gun.items()):
            guest.got_j += given_w[gun]
            wanted_j = guest.session.energy_mj / 1000
            if guest.got_j >= wanted_j or guest.latest_s <= now_s:
                site.got_j[place], site.left_s[place] = min(guest.got_j, wanted_j), now_s
                del on_gun[gun]
    return site
