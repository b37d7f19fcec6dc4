"""Simulated time moves when somebody sleeps or a byte crosses the wire, and never else."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.simulated.virtual_time import VirtualTime


def test_time_stands_still_until_somebody_sleeps() -> None:
    clock = VirtualTime()
    assert (clock.now_us, clock.now_s()) == (0, 0.0)
    clock.sleep_s(0.02)
    assert (clock.now_us, clock.now_s()) == (20_000, 0.02)


def test_wire_time_is_whole_microseconds() -> None:
    clock = VirtualTime()
    clock.advance_us(7)
    clock.advance_us(5)
    assert clock.now_us == 12


@pytest.mark.parametrize("seconds", [0.0, -1.0, -1e-9, -math.inf])
def test_a_sleep_of_nothing_is_none_and_tells_nobody(seconds: float) -> None:
    clock = VirtualTime()
    heard: list[int] = []
    clock.on_advance(heard.append)
    clock.sleep_s(seconds)
    clock.advance_us(0)
    assert clock.now_us == 0
    assert heard == []


def test_the_least_sleep_is_a_microsecond() -> None:
    clock = VirtualTime()
    clock.sleep_s(1e-12)
    assert clock.now_us == 1


def test_listeners_hear_the_new_time_after_each_advance_in_order() -> None:
    clock = VirtualTime()
    heard: list[tuple[str, int, int]] = []
    clock.on_advance(lambda now_us: heard.append(("first", now_us, clock.now_us)))
    clock.on_advance(lambda now_us: heard.append(("second", now_us, clock.now_us)))
    clock.sleep_s(0.001)
    clock.advance_us(3)
    assert heard == [
        ("first", 1000, 1000),
        ("second", 1000, 1000),
        ("first", 1003, 1003),
        ("second", 1003, 1003),
    ]


@given(st.integers(0, 10**12), st.floats(1e-6, 10.0))
def test_sleeping_until_an_instant_reaches_it(start_us: int, seconds: float) -> None:
    clock = VirtualTime()
    clock.advance_us(start_us)
    until_s = clock.now_s() + seconds
    for _ in range(3):
        if clock.now_s() >= until_s:
            break
        clock.sleep_s(until_s - clock.now_s())
    assert clock.now_s() >= until_s
    assert clock.now_us - start_us <= math.ceil(seconds * 1e6) + 2


def test_a_thousand_scans_do_not_drift() -> None:
    clock = VirtualTime()
    for _ in range(1000):
        clock.sleep_s(0.02)
    assert clock.now_us == 20_000_000


class RealTime:
    """Real time that the test moves by hand."""

    def __init__(self) -> None:
        self.now_s = 5000.0
        self.slept_s: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> RealTime:
    real = RealTime()
    monkeypatch.setattr(time, "monotonic", real.monotonic)
    monkeypatch.setattr(time, "sleep", real.sleep)
    return real


def test_at_full_speed_nobody_waits(real: RealTime) -> None:
    VirtualTime().sleep_s(3600)
    assert real.slept_s == []


def test_at_ten_times_real_time_one_second_takes_a_tenth(real: RealTime) -> None:
    clock = VirtualTime(speed=10)
    clock.sleep_s(1.0)
    clock.sleep_s(2.0)
    assert real.slept_s == pytest.approx([0.1, 0.2])


def test_only_sleeping_waits_and_it_makes_up_for_wire_time(real: RealTime) -> None:
    clock = VirtualTime(speed=1.0)
    clock.advance_us(300_000)
    assert real.slept_s == []
    clock.sleep_s(0.2)
    assert real.slept_s == pytest.approx([0.5])


def test_late_by_computing_it_catches_up_without_waiting(real: RealTime) -> None:
    clock = VirtualTime(speed=1.0)
    real.now_s += 1.5
    clock.sleep_s(1.0)
    assert real.slept_s == []
    clock.sleep_s(1.0)
    assert real.slept_s == pytest.approx([0.5])


@pytest.mark.parametrize("speed", [0, -1.0, math.inf, math.nan])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        VirtualTime(speed=speed)
