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
        edges_s = [self.from_s, self.to_s]
        for edge_s in (*self.starts_s, self.duration_s):
            at_s = start_s + edge_s
            if self.every_s < math.inf:
                at_s = now_s + (at_s - now_s) % self.every_s
                at_s += self.every_s if at_s <= now_s else 0
            edges_s.append(at_s)
        return min((each for each in edges_s if each > now_s), default=math.inf)

    def is_over(self, now_s: float) -> bool:
        """It will never say anything again."""
        ends_s = self.to_s
        if self.start_s is not None and self.every_s == math.inf:
            ends_s = min(ends_s, self.start_s + self.duration_s)
        return ends_s <= now_s

    @property
    def least_w(self) -> int:
        """The lowest of its limits."""
        return min(self.limits_w)
