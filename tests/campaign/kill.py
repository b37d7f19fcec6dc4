"""kill -9 in the middle of a scan: the cabinet keeps its latches, and its lines or not, a new
process takes over a while later."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sweep.working_station import WorkingStation

AWAY_S = (0.0, 0.02, 0.09, 0.15, 0.3, 0.5, 5.0)
"""How long nobody is there: before and after the watchdog bites, the coil supply goes, offers
expire."""


class Killed(BaseException):
    """The process is gone. No Exception: nothing may catch it."""


def deeds_of_a_scan(at_work: WorkingStation) -> int:
    """How many transfers on the bus and edges on the lines the next scan makes."""
    with _before_each_deed(at_work, None) as done:
        at_work.scan(skip=False)
    return len(done)


def kill_and_restart(
    at_work: WorkingStation, before_deed: int, away_s: float, strict: bool
) -> None:
    """Kill the process before that deed of the next scan, and start a new one. A `strict` kernel
    lets go of its lines."""
    with suppress(Killed), _before_each_deed(at_work, before_deed):
        at_work.scan(skip=False)
    at_work.kill(strict)
    at_work.charger.time.sleep_s(away_s)
    at_work.start()


@contextmanager
def _before_each_deed(at_work: WorkingStation, stop_before: int | None) -> Iterator[list[None]]:
    done: list[None] = []

    def counted(deed: Callable[..., Any]) -> Callable[..., Any]:
        def count(*what: Any) -> Any:
            if len(done) == stop_before:
                raise Killed
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
