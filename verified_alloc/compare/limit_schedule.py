"""What all guns together may draw over time, as a replay goes through it."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from verified_alloc.compare.demand_source import NEVER_MS
from verified_alloc.decide.limits.store import Limits

NO_LIMIT_W = 10**12
"""A schedule that says so much says that there is none."""
LAST_S = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
"""Nothing is replayed that is later."""

Change = tuple[int, int | None]
"""From that time on, ms of the replay, no more than that, W; None: as much as there is."""


class LimitSchedule(NamedTuple):
    """Limits by Unix time, and what a clock shows then where cars come and go."""

    limits: Limits
    zone: str = "UTC"
    origin_ms: int = 0
    """What is 0 in the replay, on that clock."""

    def unix_s(self, at_ms: int) -> float:
        """The Unix time of a moment of the replay; the first, if a clock shows it twice."""
        shown = datetime.fromtimestamp((at_ms + self.origin_ms) / 1000, UTC)
        return shown.replace(tzinfo=ZoneInfo(self.zone)).timestamp()

    def changes(self, from_ms: int) -> Iterator[Change]:
        """What is allowed at that moment of a replay, and whenever it may be something else. Where
        a clock is set back, what comes meanwhile counts at once."""
        at_s, at_ms = self.unix_s(from_ms), from_ms
        while at_s < LAST_S:
            limit_w = self.limits.at(at_s, {}).station_w
            yield at_ms, None if limit_w is None or limit_w >= NO_LIMIT_W else limit_w
            at_s = self.limits.next_change_s(at_s, {})
            at_ms = max(at_ms, self._shown_ms(at_s)) if at_s < LAST_S else at_ms

    def within(self, window_ms: tuple[int, int], own_w: int | None) -> tuple[Change, ...]:
        """The changes of that time, under a station's own limit, too."""
        from_ms, to_ms = window_ms
        changes = takewhile(lambda change: change[0] < to_ms, self.changes(from_ms))
        return tuple((at_ms, lower(limit_w, own_w)) for at_ms, limit_w in changes)

    def _shown_ms(self, at_s: float) -> int:
        shown = datetime.fromtimestamp(at_s, ZoneInfo(self.zone)).replace(tzinfo=UTC)
        return int(shown.timestamp() * 1000) - self.origin_ms


UNLIMITED = LimitSchedule(Limits(0))


class Limiting:
    """A schedule as time goes on. A limit that falls is told `ahead_ms` before, as the controller
    does: what is offered until then may be drawn until then."""

    def __init__(self, schedule: LimitSchedule, start_ms: int, ahead_ms: int) -> None:
        self._changes = schedule.changes(start_ms)
        self._ahead_ms = ahead_ms
        self._next = next(self._changes, None)
        self._seen: deque[Change] = deque([(start_ms, None)])
        """What is in force, then what is from now until `ahead_ms` later."""
        self.advance(start_ms)

    @property
    def now_w(self) -> int | None:
        """What is in force."""
        return self._seen[0][1]

    @property
    def told_w(self) -> int | None:
        """The lowest of what is in force from now until `ahead_ms` later."""
        return lower(*(limit_w for _, limit_w in self._seen))

    @property
    def next_ms(self) -> int:
        """When one of them may be another."""
        in_force_ms = self._seen[1][0] if len(self._seen) > 1 else NEVER_MS
        return min(in_force_ms, self._next[0] - self._ahead_ms if self._next else NEVER_MS)

    def advance(self, now_ms: int) -> None:
        """It is that late now."""
        while self._next is not None and self._next[0] <= now_ms + self._ahead_ms:
            self._seen.append(self._next)
            self._next = next(self._changes, None)
        while len(self._seen) > 1 and self._seen[1][0] <= now_ms:
            self._seen.popleft()


def lower(*limits_w: int | None) -> int | None:
    """The lowest of those that there are."""
    return min((limit_w for limit_w in limits_w if limit_w is not None), default=None)
