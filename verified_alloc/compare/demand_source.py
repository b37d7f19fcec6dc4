"""Who asks for power in a replay: a demand trace, or cars that come, charge and leave."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, Protocol

from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station
from verified_alloc.workload.sessions import DemandStep, Session, demand_steps
from verified_alloc.workload.traces import DemandTrace, TraceFile

NEVER_MS = 1 << 62
DAY_MS = 24 * 3600 * 1000
FINISH_PERMILLE = 800
"""Drivers reckon with 80 % of the battery."""

Ask = Callable[[int, int, int], None]
"""A gun, counted from 0, asks for so many W from that time on."""


class Served(NamedTuple):
    """One car, or in a demand trace one stretch of demand, when it is over."""

    gun: int | None
    """None: it never had one."""
    arrival_ms: int
    plugged_ms: int
    left_ms: int
    asked_mj: int
    delivered_mj: int
    finished_ms: int | None
    """When it had 80 % of its battery, or all it wanted, whichever was first."""


class DemandSource(Protocol):
    """Who asks for power. Guns are counted from 0."""

    start_ms: int
    end_ms: int | None
    """None: when the last has left."""

    def next_ms(self, now_ms: int, draw_w: Sequence[int]) -> int:
        """When something will happen if the guns go on to draw this much."""

    def advance(self, now_ms: int, ask: Ask) -> None:
        """What happens now."""

    def settle(self, gun: int, asked_mj: int, offered_mj: int) -> int:
        """While a gun asked for that much it could have drawn so much; what was taken of it."""

    def close(self, end_ms: int) -> None:
        """The replay is over."""


class TraceSource:
    """A demand trace: guns ask what it says, whatever they get."""

    def __init__(
        self, station: Station, trace: DemandTrace | TraceFile, finished: Callable[[Served], None]
    ) -> None:
        guns = len(station.guns)
        self.start_ms = 0
        self.end_ms: int | None = trace.last_ms
        self._changes = iter(trace.changes)
        self._change = next(self._changes, None)
        self._finished = finished
        self._since_ms: list[int | None] = [None] * guns
        self._asked_mj = [0] * guns
        self._taken_mj = [0] * guns

    def next_ms(self, now_ms: int, draw_w: Sequence[int]) -> int:
        return NEVER_MS if self._change is None else self._change.time_ms

    def advance(self, now_ms: int, ask: Ask) -> None:
        while self._change is not None and self._change.time_ms <= now_ms:
            gun, demand_w = self._change.gun - 1, self._change.demand_w
            if not demand_w:
                self._end(gun, now_ms)
            elif self._since_ms[gun] is None:
                self._since_ms[gun] = now_ms
                self._asked_mj[gun] = self._taken_mj[gun] = 0
            ask(gun, demand_w, now_ms)
            self._change = next(self._changes, None)

    def settle(self, gun: int, asked_mj: int, offered_mj: int) -> int:
        self._asked_mj[gun] += asked_mj
        self._taken_mj[gun] += offered_mj
        return offered_mj

    def close(self, end_ms: int) -> None:
        for gun in range(len(self._since_ms)):
            self._end(gun, end_ms)

    def _end(self, gun: int, now_ms: int) -> None:
        since_ms, self._since_ms[gun] = self._since_ms[gun], None
        if since_ms is not None and self._asked_mj[gun]:
            asked_mj, taken_mj = self._asked_mj[gun], self._taken_mj[gun]
            self._finished(Served(gun + 1, since_ms, since_ms, now_ms, asked_mj, taken_mj, now_ms))


@dataclass(slots=True)
class _Car:
    """A car on a gun."""

    session: Session
    plugged_ms: int
    latest_ms: int
    """When its patience is at an end."""
    steps: tuple[DemandStep, ...]
    goal_mj: int
    """Energy to 80 % of the battery, or all that is wanted."""
    step: int = 0
    taken_mj: int = 0
    finished_ms: int | None = None


class CarSource:
    """Cars in closed loop. A car takes a free gun, waits in line if there is none, leaves when it
    has its energy, and at the latest when its patience is at an end: `patience_percent` of its
    planned stay later than planned."""

    end_ms: int | None = None

    def __init__(
        self,
        station: Station,
        sessions: Iterable[Session],
        finished: Callable[[Served], None],
        seed: int,
        patience_percent: int,
    ) -> None:
        self._sessions: Iterator[Session] = iter(sessions)
        self._next = next(self._sessions, None)
        if self._next is None:
            raise BadInput("sessions: none; allowed: one or more")
        self.start_ms = self._next.arrival_ms // DAY_MS * DAY_MS
        self._cars: list[_Car | None] = [None] * len(station.guns)
        self._line: list[Session] = []
        self._finished = finished
        self._draw = Random(seed)
        self._patience_percent = patience_percent

    def next_ms(self, now_ms: int, draw_w: Sequence[int]) -> int:
        next_ms = NEVER_MS if self._next is None else self._next.arrival_ms
        for session in self._line:
            next_ms = min(next_ms, self._latest_ms(session))
        for car, power_w in zip(self._cars, draw_w, strict=True):
            if car is not None:
                next_ms = min(next_ms, car.latest_ms)
                if power_w:
                    until_mj = car.steps[car.step].until_mj
                    if car.finished_ms is None:
                        until_mj = min(until_mj, car.goal_mj)
                    next_ms = min(next_ms, now_ms - (car.taken_mj - until_mj) // power_w)
        return next_ms

    def advance(self, now_ms: int, ask: Ask) -> None:
        for gun, car in enumerate(self._cars):
            if car is not None:
                self._charge(gun, car, now_ms, ask)
        while self._next is not None and self._next.arrival_ms <= now_ms:
            self._line.append(self._next)
            self._next = next(self._sessions, None)
        for session in tuple(self._line):
            gun_there = self._free_gun(session)
            if gun_there is not None:
                self._line.remove(session)
                self._plug_in(gun_there, session, now_ms, ask)
            elif self._latest_ms(session) <= now_ms:
                self._line.remove(session)
                came_ms = session.arrival_ms
                self._finished(Served(None, came_ms, now_ms, now_ms, session.energy_mj, 0, None))

    def settle(self, gun: int, asked_mj: int, offered_mj: int) -> int:
        car = self._cars[gun]
        assert car is not None
        taken_mj = min(offered_mj, car.session.energy_mj - car.taken_mj)
        car.taken_mj += taken_mj
        return taken_mj

    def close(self, end_ms: int) -> None:
        """Everybody has left."""

    def _latest_ms(self, session: Session) -> int:
        stay_ms = session.departure_ms - session.arrival_ms
        return session.departure_ms + stay_ms * self._patience_percent // 100

    def _free_gun(self, session: Session) -> int | None:
        free = [gun for gun, car in enumerate(self._cars) if car is None]
        if session.gun is not None:
            return session.gun - 1 if session.gun - 1 in free else None
        return free[int(self._draw.random() * len(free))] if free else None

    def _plug_in(self, gun: int, session: Session, now_ms: int, ask: Ask) -> None:
        goal_mj = session.battery.needed_mj(FINISH_PERMILLE) if session.battery else 0
        if not 0 < goal_mj < session.energy_mj:
            goal_mj = session.energy_mj
        steps = demand_steps(session)
        self._cars[gun] = _Car(session, now_ms, self._latest_ms(session), steps, goal_mj)
        ask(gun, steps[0].demand_w, now_ms)

    def _charge(self, gun: int, car: _Car, now_ms: int, ask: Ask) -> None:
        if car.finished_ms is None and car.taken_mj >= car.goal_mj:
            car.finished_ms = now_ms
        if car.taken_mj >= car.session.energy_mj or now_ms >= car.latest_ms:
            self._cars[gun] = None
            ask(gun, 0, now_ms)
            came_ms, energy_mj = car.session.arrival_ms, car.session.energy_mj
            self._finished(
                Served(
                    gun + 1,
                    came_ms,
                    car.plugged_ms,
                    now_ms,
                    energy_mj,
                    car.taken_mj,
                    car.finished_ms,
                )
            )
            return
        before = car.step
        while car.taken_mj >= car.steps[car.step].until_mj:
            car.step += 1
        if car.step != before:
            ask(gun, car.steps[car.step].demand_w, now_ms)
