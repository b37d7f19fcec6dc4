"""A restart from every intermediate state of random changes.

The process stops between any two of its writes (a coil word, an enable line, a watchdog edge); the
cabinet keeps its latches and lines. A new process takes over a while later.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from sweep.branches import branch
from sweep.changes import documented_target, random_changes
from sweep.stations import quick, strictly_documented
from sweep.working_station import Connected, WorkingStation

from hardware.simulated.charger import SimulatedCharger

STATION = quick(strictly_documented())
SETTLING_S = 15
AWAY_S = (0.0, 0.02, 0.09, 0.15, 0.3, 0.5, 5.0)
"""How long nobody is there: before and after the watchdog bites, the coil supply goes, offers
expire."""


class Stopped(BaseException):
    """The process is gone. No Exception: nothing may catch it."""


class Writes:
    """Counts what the process writes, and stops it before a chosen one."""

    def __init__(self, charger: SimulatedCharger) -> None:
        self.done = 0
        self.stop_before: int | None = None
        charger.bus._write = self._before(charger.bus._write)  # type: ignore[method-assign]
        charger.pins.driven = self._before(charger.pins.driven)  # type: ignore[method-assign]

    def _before(self, write: Callable[..., None]) -> Callable[..., None]:
        def counted(*what: Any) -> None:
            if not self._is_only_a_pointer(what):
                if self.done == self.stop_before:
                    raise Stopped
                self.done += 1
            write(*what)

        return counted

    @staticmethod
    def _is_only_a_pointer(what: tuple[Any, ...]) -> bool:
        return isinstance(what[-1], bytes) and len(what[-1]) < 2


class Outcome(NamedTuple):
    stop: str
    violations: list[str]
    exposures: list[str]
    reached: bool
    took_s: float
    """From the restart to the target."""
    reported: list[str]

    @property
    def wrong(self) -> list[str]:
        found = [f"{self.stop}: {text}" for text in [*self.violations, *self.reported]]
        if not self.reached:
            found.append(f"{self.stop}: target not reached")
        return found


def stop_and_restart(
    at_work: WorkingStation,
    writes: Writes,
    before: int,
    away_s: float,
    target: Connected,
    name: str,
) -> Outcome:
    """Stop before that write of the scan, stay away so long, start again and play on."""
    writes.stop_before = writes.done + before
    with suppress(Stopped):
        at_work.scan(skip=False)
    writes.stop_before = None
    at_work.kill()
    at_work.charger.time.sleep_s(away_s)
    began_ms = at_work.now_ms
    at_work.start()
    reached = at_work.go_on(SETTLING_S, until=lambda: at_work.feeds(target))
    took_s = (at_work.now_ms - began_ms) / 1000
    at_work.go_on(0.5)
    return Outcome(
        stop=name,
        violations=at_work.bad(),
        exposures=at_work.exposures(),
        reached=reached and at_work.feeds(target),
        took_s=took_s,
        reported=at_work.reported,
    )


def outcomes(seed: int, changes: int, share: float) -> Iterator[Outcome]:
    """Every stop in so many random changes, or a share of them."""
    draw = random.Random(f"restarts {seed}")
    demands = random_changes(STATION, seed)
    with WorkingStation(STATION, seed=seed) as at_work:
        writes = Writes(at_work.charger)
        for change in range(changes):
            before = at_work.live
            while documented_target(STATION, at_work.asked_kw) == before:
                at_work.ask(next(demands))
            yield from _in_each_scan(at_work, writes, share, draw, f"seed {seed}, change {change}")
            at_work.go_on(draw.choice([0.1, 0.5]))


def _in_each_scan(
    at_work: WorkingStation, writes: Writes, share: float, draw: random.Random, name: str
) -> Iterator[Outcome]:
    target = documented_target(STATION, at_work.asked_kw)
    settled_scans = number = 0

    def writes_of_this_scan() -> int:
        earlier = writes.done
        at_work.scan(skip=False)
        return writes.done - earlier

    while settled_scans < 2:
        number += 1
        chosen = share == 1 or draw.random() < 3 * share
        for write in range(1 + branch(writes_of_this_scan) if chosen else 0):
            if share < 1 and draw.random() > 1 / 3:
                continue
            away_s = draw.choice(AWAY_S)
            stop = f"{name}, scan {number}, before write {write}, away {away_s} s"
            yield branch(partial(stop_and_restart, at_work, writes, write, away_s, target, stop))
        at_work.scan(skip=False)
        settled_scans += at_work.feeds(target) and at_work.state.settled
