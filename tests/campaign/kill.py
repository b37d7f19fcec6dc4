"""kill -9 in the middle of a scan, or of the start that follows: the cabinet keeps its latches, and
its lines or not, a new process takes over a while later."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from sweep.working_station import WorkingStation

from hardware import clock

AWAY_S = (0.0, 0.02, 0.09, 0.15, 0.3, 0.5, 5.0)
"""How long nobody is there: before and after the watchdog bites, the coil supply goes, offers
expire."""
SHORTEST_AWAY_S, LONGEST_AWAY_S = 0.001, 10
DEEDS_OF_A_START = 80
"""Not fewer than it has."""


class Killed(BaseException):
    """The process is gone. No Exception: nothing may catch it."""


class Kill(NamedTuple):
    """One death, before a deed of a scan, and what comes after it."""

    before_deed: int
    away_s: float
    strict: bool = False
    """The kernel lets go of the lines,"""
    shuffled: int = 0
    """in the order that this seed gives; 0: as they were claimed."""
    again_before: int | None = None
    """The next process is killed too, before that deed of its start."""

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self._asdict().items() if value)

    def order(self, lines: list[int]) -> list[int]:
        if self.shuffled:
            random.Random(self.shuffled).shuffle(lines)
        return lines


def at_any_instant(draw: random.Random, deeds: int) -> Kill:
    """Before any deed of a scan, or after its last; one in four of the new processes dies in its
    start."""
    return Kill(
        draw.randrange(deeds + 1),
        SHORTEST_AWAY_S * (LONGEST_AWAY_S / SHORTEST_AWAY_S) ** draw.random(),
        draw.random() < 0.5,
        draw.randrange(1 << 16),
        draw.randrange(DEEDS_OF_A_START) if draw.random() < 0.25 else None,
    )


def deeds_of_a_scan(at_work: WorkingStation) -> int:
    """How many transfers on the bus and edges on the lines the next scan makes."""
    with _before_each_deed(at_work) as done:
        at_work.scan(skip=False)
    return len(done)


def kill_and_restart(at_work: WorkingStation, kill: Kill) -> None:
    """Kill the process in the next scan, and start a new one."""
    _die(at_work, lambda: at_work.scan(skip=False), kill, kill.before_deed)
    if kill.again_before is not None:
        _die(at_work, at_work.start, kill, kill.again_before)
    at_work.start()


def _die(at_work: WorkingStation, work: Callable[[], object], kill: Kill, deed: int) -> None:
    sleep_s = clock.sleep_s

    def dies() -> None:
        at_work.charger.pins.process_killed(kill.strict, kill.order)
        clock.sleep_s = lambda _: None  # what it would still do takes no time, and moves nothing
        raise Killed

    try:
        with suppress(Killed), _before_each_deed(at_work, deed, dies):
            work()
    finally:
        clock.sleep_s = sleep_s
    at_work.kill(kill.strict, kill.order)
    at_work.charger.time.sleep_s(kill.away_s)


@contextmanager
def _before_each_deed(
    at_work: WorkingStation, stop_before: int | None = None, dies: Callable[[], None] = lambda: None
) -> Iterator[list[None]]:
    done: list[None] = []

    def counted(deed: Callable[..., Any]) -> Callable[..., Any]:
        def count(*what: Any) -> Any:
            if len(done) == stop_before:
                dies()
            done.append(None)
            return deed(*what)

        return count

    bus, pins = at_work.bus, at_work.charger.pins
    bus._transfer = counted(bus._transfer)  # type: ignore[method-assign]
    pins.driven = counted(pins.driven)  # type: ignore[method-assign]
    try:
        yield done
    finally:
        del bus._transfer, pins.driven
