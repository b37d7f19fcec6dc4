"""One charging profile: a limit over time, and for how long it says anything."""

import math
from bisect import bisect_right
from typing import Literal, NamedTuple

Purpose = Literal["external", "station", "default", "session"]
"""External constraints and the station's maximum limit all guns together; a default limits a gun's
sessions, all guns' where it names none; a session's limits one of them instead of the default."""

OF_STATION: tuple[Purpose, ...] = ("external", "station")
OF_GUN: tuple[Purpose, ...] = ("session", "default")
"""What a session's says goes before a default."""


class Profile(NamedTuple):
    """Power over time. Times are whole s of Unix time; each end is excluded."""

    purpose: Purpose
    starts_s: tuple[int, ...]
    """Of the periods, after the schedule's start, ascending from 0,"""
    limits_w: tuple[int, ...]
    """and what may be drawn in each."""
    start_s: int | None
    """When the schedule starts; None: with the gun's session."""
    id: int | None = None
    gun: int | None = None
    """Whom it limits, from 1; None: the station, or every gun."""
    stack_level: int = 0
    transaction: str | None = None
    """Whose session it limits."""
    duration_s: float = math.inf
    """Of the schedule, from its start."""
    every_s: float = math.inf
    """It starts again each time; before its first start too, as OCPP's reference implementation
    has it."""
    from_s: float = -math.inf
    to_s: float = math.inf
    from_told: bool = False
    """It starts when it was told, whatever a clock is set to since."""

    def at(self, now_s: float, session_s: int | None = None) -> int | None:
        """What it allows then, W, the gun's session having begun at `session_s`; None: nothing is
        said for that moment."""
        start_s = session_s if self.start_s is None else self.start_s
        if start_s is None or not self.from_s <= now_s < self.to_s:
            return None
        since_s = now_s - start_s
        if self.every_s < math.inf:
            since_s %= self.every_s
        if not 0 <= since_s < self.duration_s:
            return None
        return self.limits_w[bisect_right(self.starts_s, since_s) - 1]

    def next_change_s(self, now_s: float, session_s: int | None = None) -> float:
        """When after that it may say something else; infinity: never."""
        start_s = session_s if self.start_s is None else self.start_s
        if start_s is None:
            return math.inf
        if self.every_s < math.inf:
            start_s += math.floor((now_s - start_s) / self.every_s) * int(self.every_s)
        next_period = bisect_right(self.starts_s, now_s - start_s)
        edges_s = [self.from_s, self.to_s, start_s + self.duration_s, start_s + self.every_s]
        edges_s += [start_s + after_s for after_s in self.starts_s[next_period : next_period + 1]]
        return min((each for each in edges_s if each > now_s), default=math.inf)

    def is_over(self, now_s: float) -> bool:
        """It will never say anything again."""
        ends_s = self.to_s
        if self.start_s is not None and self.every_s == math.inf:
            ends_s = min(ends_s, self.start_s + self.duration_s)
        return ends_s <= now_s

    @property
    def begins_s(self) -> float:
        """Before that it says nothing, whatever the session."""
        if self.start_s is None or self.every_s < math.inf:
            return self.from_s
        return max(self.from_s, self.start_s)

    @property
    def is_dated(self) -> bool:
        """What it says depends on what a clock shows."""
        always = (self.start_s, self.starts_s, self.duration_s) == (0, (0,), math.inf)
        starts = not (self.from_told or self.start_s is None or always)
        return starts or self.from_s > -math.inf or self.to_s < math.inf

    @property
    def least_w(self) -> int:
        """The lowest of its limits."""
        return min(self.limits_w)


def always(limit_w: int, gun: int | None = None) -> Profile:
    """A limit until it is told otherwise."""
    return Profile("external", (0,), (limit_w,), 0, gun=gun)
