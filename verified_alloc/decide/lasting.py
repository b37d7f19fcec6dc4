"""What counts only once it has lasted: lower demands, higher limits."""

from verified_alloc.station.model import Station


class Lasting:
    """A number that counts at once when it rises, and when it falls, only once it has been lower
    for `delay_ms`; then as much as it was at most meanwhile. 0 to begin with."""

    def __init__(self, delay_ms: int) -> None:
        self._delay_ms = delay_ms
        self.counts = 0
        self._lower_ms = 0
        """Since when it is lower,"""
        self._most = 0
        """and how much it was at most since."""
        self._now = 0

    def take_in(self, number: int, now_ms: int) -> int:
        """It is that now; what counts."""
        was_lower, self._now = self._now < self.counts, number
        if number >= self.counts:
            self.counts = number
        elif not was_lower:
            self._lower_ms, self._most = now_ms, number
        self._most = max(self._most, number)
        if number < self.counts and now_ms - self._lower_ms >= self._delay_ms:
            self.counts = self._most
            self._lower_ms, self._most = now_ms, number
        return self.counts

    def give_up(self) -> None:
        """It counts for what it is, at once."""
        self.counts = self._now

    @property
    def until_ms(self) -> int | None:
        """When it will count for less if it stays as it is; None: it counts for what it is."""
        return None if self._now >= self.counts else self._lower_ms + self._delay_ms


class LastingLimit:
    """What all guns together may be given, the station's own limit or one that is told, whichever
    is lower. One that falls counts at once, one that rises after the policy's `limit_delay_s`."""

    def __init__(self, station: Station) -> None:
        self._own_w = station.site_limit_w
        self._most_w = station.counted_w(sum(station.gun_max_w))
        self._spared = Lasting(station.policy.limit_delay_s * 1000)
        self.tell(None)

    def tell(self, limit_w: int | None, other_w: int = 0) -> None:
        """A limit besides the station's own, None: there is none; and what others draw behind the
        same connection, which the limits leave less by."""
        told_w = [max(0, each - other_w) for each in (self._own_w, limit_w) if each is not None]
        self._told_w = min(told_w, default=None)

    def at(self, now_ms: int) -> int | None:
        """What counts, W; None: nothing limits."""
        told_w = self._most_w if self._told_w is None else min(self._told_w, self._most_w)
        left_w = self._most_w - self._spared.take_in(self._most_w - told_w, now_ms)
        return self._told_w if left_w == told_w else left_w

    @property
    def until_ms(self) -> int | None:
        """When a limit that has risen counts; None: what is told does."""
        return self._spared.until_ms
