"""Simulated time: it moves only when somebody sleeps or a byte crosses the wire."""

import time
from collections.abc import Callable


class VirtualTime:
    """A clock of integer microseconds that only its users move, so that every run is the same.

    speed: simulated seconds in a real second (1.0 = real time); None = as fast as it goes. With
    a speed, `sleep_s` really waits until real time has caught up; `advance_us` never waits.

    `now_s` and `sleep_s` stand in for the two functions of `hardware.clock`.
    """

    def __init__(self, speed: float | None = None) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(f"speed {speed}: must be a positive, finite number, or None")
        self.now_us = 0
        self._speed = speed
        self._started_s = time.monotonic()
        self._listeners: list[Callable[[int], None]] = []

    def now_s(self) -> float:
        """Seconds of simulated time since the start."""
        return self.now_us / 1e6

    def sleep_s(self, seconds: float) -> None:
        """Let time pass. A negative duration is none; any other moves at least 1 us.

        The least step is there for callers that sleep until an instant: the difference of two
        floats may come out below half a microsecond, and they would wait for ever.
        """
        if seconds <= 0:
            return
        self.advance_us(max(1, round(seconds * 1e6)))
        if self._speed is not None:
            ahead_s = self.now_us / 1e6 / self._speed - (time.monotonic() - self._started_s)
            if ahead_s > 0:
                time.sleep(ahead_s)

    def late_s(self) -> float:
        """By how much real time is ahead: how late the latest sleep has returned. 0 without a
        speed."""
        if self._speed is None:
            return 0.0
        return max(0.0, time.monotonic() - self._started_s - self.now_us / 1e6 / self._speed)

    def advance_us(self, us: int) -> None:
        """Move time by `us` microseconds, without really waiting, and tell the listeners."""
        if us <= 0:
            return
        self.now_us += us
        for listener in self._listeners:
            listener(self.now_us)

    def on_advance(self, listener: Callable[[int], None]) -> None:
        """Call `listener(now_us)` after each advance, in the order of registration."""
        self._listeners.append(listener)
