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

    def publish(self, offer_w: Sequence[int], until_ms: int) -> None:
        """Every gun hears its offer, for as long as it then binds it. After that time none is
        renewed or raised: what was told expires by itself, and the next scan knows better."""
        now_ms = _now_ms()
        if now_ms > until_ms:
            self.lower(offer_w)
            return
        for gun, power_w in enumerate(offer_w, start=1):
            self._tell(gun, power_w, now_ms)

    def lower(self, offer_w: Sequence[int]) -> None:
        """Whose offer is higher than that, and has not expired, hears this one; at any time. What
        was never told, because it came too late, is not told by this either."""
        now_ms = _now_ms()
        for gun, (power_w, told) in enumerate(zip(offer_w, self._told, strict=True), start=1):
            told_w, expires_ms = told
            if now_ms < expires_ms and power_w < told_w:
                self._tell(gun, power_w, now_ms)

    def _tell(self, gun: int, power_w: int, now_ms: int) -> None:
        self._told[gun - 1] = power_w, now_ms + self._lifetime_ms
        self._publish(gun, power_w, self._lifetime_ms)

    def withdraw(self) -> None:
        """Every gun hears 0."""
        for gun in range(1, len(self._told) + 1):
            self._publish(gun, 0, 0)


def _now_ms() -> int:
    return round(clock.now_s() * 1000)
