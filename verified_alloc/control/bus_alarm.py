"""Tells of an I2C bus that works only because transfers are tried again."""

from collections import Counter
from collections.abc import Sequence

from hardware.contactors import BusEvent
from verified_alloc.station.parts import Hardware

WINDOW_S = 60
MOST = 30
"""More events than this in the window are told; an expander that falls silent makes fewer before it
is lost."""
AGAIN_AFTER_S = 600


class BusAlarm:
    """Watches the bank's events, all buses together."""

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._alarmed_s = -float(AGAIN_AFTER_S)
        self._newest: BusEvent | None = None

    def news(self, events: Sequence[BusEvent], now_s: float) -> list[str]:
        """A sentence when there are too many, once in a while. Every event was put right or has
        disabled what it affects; so many of them are a fault that is coming."""
        if len(events) <= MOST or events[-1] is self._newest:
            return []
        self._newest = events[-1]
        recent = Counter(
            (event.bus, event.address) for event in events if event.at_s > now_s - WINDOW_S
        )
        if recent.total() <= MOST or now_s < self._alarmed_s + AGAIN_AFTER_S:
            return []
        self._alarmed_s = now_s
        expander, count = recent.most_common(1)[0]
        return [
            f"the I2C bus is disturbed: {recent.total()} transfers tried again within"
            f" {WINDOW_S} s, {count} of them with expander {self._hardware.name(expander)}"
        ]
