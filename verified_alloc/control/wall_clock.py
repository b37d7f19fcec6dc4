"""The time of day, from a clock that may be set on the way, or not have been set yet."""

import ctypes
from collections.abc import Callable
from pathlib import Path

from hardware import clock

SET_S = 2.0
"""By more than that it does not go wrong by itself: somebody has set it."""
BELIEVED_AFTER_S = 3600.0
LOOK_EVERY_S = 1.0
RTC = Path("/sys/class/rtc/rtc0")
_ERROR = 5  # TIME_ERROR of sys/timex.h


def is_synchronised() -> bool:
    """Somebody keeps the kernel's clock right: NTP, or a radio clock."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    return adjtimex is not None and adjtimex(ctypes.create_string_buffer(1024)) not in (-1, _ERROR)


class WallClock:
    """What it shows, and, for an hour after it was set, also what it would show had it not been.
    It is `trusted` once it is synchronised; before, only what a clock with a battery shows, if that
    is not `before_s`, when it was later already."""

    def __init__(
        self,
        unix_s: Callable[[], float],
        synchronised: Callable[[], bool] = is_synchronised,
        has_battery: Callable[[], bool] = RTC.exists,
        before_s: float = 0.0,
    ) -> None:
        self._unix_s = unix_s
        self._synchronised = synchronised
        self._has_battery = has_battery
        self._before_s = before_s
        self._believed_s = self._shown_s = unix_s() - clock.now_s()
        """Ahead of the monotonic clock."""
        self._set_s = 0.0
        self.trusted = False
        self._looked_s = clock.now_s() - LOOK_EVERY_S
        self._look()

    def times_s(self) -> tuple[float, ...]:
        """Unix time, now: one, or two where nobody knows which."""
        now_s = clock.now_s()
        shown_s = self._unix_s() - now_s
        if abs(shown_s - self._shown_s) > SET_S:
            self._set_s = now_s
            if not self.trusted:
                self._believed_s = shown_s
        self._shown_s = shown_s
        self._look()
        if abs(shown_s - self._believed_s) <= SET_S or now_s - self._set_s >= BELIEVED_AFTER_S:
            self._believed_s = shown_s
            return (now_s + shown_s,)
        return now_s + self._believed_s, now_s + shown_s

    def ahead_s(self) -> float:
        """What it shows, ahead of the monotonic clock: another number once it was set."""
        return self._shown_s

    def _look(self) -> None:
        now_s = clock.now_s()
        if not self.trusted and now_s >= self._looked_s + LOOK_EVERY_S:
            self._looked_s = now_s
            later = now_s + self._shown_s >= self._before_s - SET_S
            self.trusted = self._synchronised() or (later and self._has_battery())
