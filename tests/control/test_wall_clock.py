"""What time it is while somebody sets the clock, or before anybody has."""

import pytest

from hardware import clock
from verified_alloc.control.wall_clock import WallClock, is_synchronised

HOUR_S = 3600.0
NOON_S = 1_795_521_600.0  # 2026-11-24T12:00:00Z


class Clocks:
    """The two of a machine, in a test's hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.set_s, self.synchronised, self.battery = 1000.0, 0.0, True, False
        monkeypatch.setattr(clock, "now_s", lambda: self.now_s)

    def unix_s(self) -> float:
        return NOON_S + self.now_s - 1000 + self.set_s

    def wall(self, before_s: float = 0.0) -> WallClock:
        return WallClock(self.unix_s, lambda: self.synchronised, lambda: self.battery, before_s)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S])
def test_a_clock_that_was_set_is_believed_an_hour_later(clocks: Clocks, by_s: float) -> None:
    wall = clocks.wall()
    assert wall.times_s() == (NOON_S,)
    clocks.set_s = by_s
    assert wall.times_s() == (NOON_S, NOON_S + by_s)
    clocks.now_s += HOUR_S - 1
    assert len(wall.times_s()) == 2
    clocks.now_s += 1
    assert wall.times_s() == (NOON_S + HOUR_S + by_s,)


def test_one_that_is_set_back_is_believed_at_once(clocks: Clocks) -> None:
    wall = clocks.wall()
    clocks.set_s = HOUR_S
    wall.times_s()
    clocks.set_s = 0.0
    assert wall.times_s() == (NOON_S,)


def test_one_that_is_slewed_is_followed(clocks: Clocks) -> None:
    wall = clocks.wall()
    for _ in range(100):
        clocks.set_s -= 1
        assert wall.times_s() == (clocks.unix_s(),)


def test_one_that_nobody_has_set_yet_is_followed_at_once_and_trusted_once_it_is_set(
    clocks: Clocks,
) -> None:
    clocks.synchronised = False
    wall = clocks.wall()
    assert not wall.trusted
    clocks.set_s, clocks.synchronised = 10 * HOUR_S, True
    clocks.now_s += 1
    assert wall.times_s() == (clocks.unix_s(),)
    assert wall.trusted
    clocks.synchronised = False  # it goes on right
    clocks.now_s += 10 * HOUR_S
    wall.times_s()
    assert wall.trusted


@pytest.mark.parametrize(("before_s", "trusted"), [(NOON_S, True), (NOON_S + HOUR_S, False)])
def test_one_with_a_battery_is_trusted_unless_it_was_later_before(
    clocks: Clocks, before_s: float, trusted: bool
) -> None:
    clocks.synchronised, clocks.battery = False, True
    assert clocks.wall(before_s).trusted == trusted


def test_the_kernel_says_whether_it_is_synchronised() -> None:
    assert is_synchronised() in (True, False)
