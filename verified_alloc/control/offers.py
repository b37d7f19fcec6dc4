"""What the guns are told, and until when it binds them."""

from collections.abc import Callable, Sequence

from hardware import clock
from verified_alloc.station.model import Station


class Offers:
    """Of one station. `publish(gun, offer_w, lifetime_ms)` tells a gun its offer."""

    def __init__(self, station: Station, publish: Callable[[int, int, int], None]) -> None:
        self._publish = publish
        self._lifetime_ms = station.timing.offer_lead_ms
        self._told = [(0, 0)] * len(station.guns)
        """By gun: its offer, and when that expires."""

    def skipped(self, scans: int, now_ms: int) -> None:
        """In so many scans that were skipped until now they were renewed."""
        if scans:
            self._told = [(told_w, now_ms + self._lifetime_ms) for told_w, _ in self._told]

    def tell(self, offer_w: Sequence[int], raise_until_ms: int) -> None:
        """After that time no offer is renewed or raised: what was told expires by itself, and the
        next scan knows better. Lowered it is at any time."""
        now_ms = round(clock.now_s() * 1000)
        for gun, power_w in enumerate(offer_w, start=1):
            told_w, until_ms = self._told[gun - 1]
            if now_ms <= raise_until_ms or (now_ms < until_ms and power_w < told_w):
                self._told[gun - 1] = power_w, now_ms + self._lifetime_ms
                self._publish(gun, power_w, self._lifetime_ms)

    def withdraw(self) -> None:
        """Every gun hears 0."""
        for gun in range(1, len(self._told) + 1):
            self._publish(gun, 0, 0)
