"""What time it is while somebody sets the clock, and what that does to a site limit."""

import time
from typing import Any, cast

import pytest
from service.test_orders import Line
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.service.orders import Orders
from verified_alloc.service.service_process import ServiceProcess
from verified_alloc.service.wall_clock import WallClock

HOUR_S = 3600.0
NOON_S = 1_795_521_600.0  # 2026-11-24T12:00:00Z


class Clocks:
    """The two of a machine, in a test's hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.set_s = 1000.0, 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(time, "time", lambda: NOON_S + self.now_s - 1000 + self.set_s)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_was_set_is_believed_an_hour_later(clocks: Clocks, by_s: float) -> None:
    wall = WallClock()
    assert wall.times_s() == (NOON_S,)
    clocks.set_s = by_s
    assert wall.times_s() == (NOON_S, NOON_S + by_s)
    clocks.now_s += HOUR_S - 1
    assert len(wall.times_s()) == 2
    clocks.now_s += 1
    assert wall.times_s() == (NOON_S + HOUR_S + by_s,)


def test_one_that_is_set_back_is_believed_at_once(clocks: Clocks) -> None:
    wall = WallClock()
    clocks.set_s = HOUR_S
    wall.times_s()
    clocks.set_s = 0.0
    assert wall.times_s() == (NOON_S,)


def test_one_that_is_slewed_is_followed(clocks: Clocks) -> None:
    wall = WallClock()
    for _ in range(100):
        clocks.set_s -= 1
        assert wall.times_s() == (time.time(),)


DAILY = {
    "profile": {
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "W",
            "duration": 7200,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 100_000}],
        },
    }
}


def starting(start: str | None) -> Any:
    profile = DAILY["profile"]
    schedule = cast(dict[str, Any], profile["chargingSchedule"])
    begins = {} if start is None else {"startSchedule": start}
    return {"profile": profile | {"chargingSchedule": schedule | begins}}


@pytest.mark.parametrize("start", [None, "2026-11-24T11:59:00Z"])
@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S, 10 * HOUR_S, -10 * HOUR_S])
def test_a_jump_drops_no_limit(clocks: Clocks, by_s: float, start: str | None) -> None:
    with WorkingStation(REFERENCE) as at_work:
        line = Line()
        orders = Orders(REFERENCE, cast(ServiceProcess, line), None)

        def limit_w() -> int | None:
            orders.serve(at_work.controller, cast(Any, None), 0.0, False)
            return orders._limit_w()

        line.ask(1, "site_limit", limit=starting(start))
        assert limit_w() == 100_000
        clocks.set_s = by_s
        assert limit_w() == 100_000
        clocks.now_s += HOUR_S - 2
        assert limit_w() == 100_000
        if start is None:  # for its two hours, whatever the clock shows
            clocks.now_s += HOUR_S
            assert limit_w() == 100_000
            clocks.now_s += 3
            assert limit_w() is None
