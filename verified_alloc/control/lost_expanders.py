"""Tells of expanders that are out of order for now, and of those that are back."""

from collections.abc import Iterator

from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.healing import TRIES
from verified_alloc.kernel.scan import Memory
from verified_alloc.station.model import Station


class LostExpanders:
    """Watches scan after scan. What is latched besides has a sentence of its own."""

    def __init__(self, station: Station) -> None:
        self._hardware = station.hardware
        self._before: frozenset[int] = frozenset()

    def news(self, memory: Memory) -> Iterator[str]:
        """A sentence for each expander that has fallen out of order, and one when it is back."""
        latched = memory.latched.expander_lost
        lost = frozenset(at for at, each in enumerate(memory.healing) if each.lost)
        for at in sorted(lost - self._before):
            if not latched[at]:
                yield (
                    f"{self._names(at)} are out of order; configured anew once their modules are"
                    " off"
                )
        for at in sorted(self._before - lost):
            healing = memory.healing[at]
            if healing.last_ms > NOT_SO:  # else a person has cleared it
                counted = f", {healing.tries} of {TRIES} times an hour" if healing.tries else ""
                yield f"{self._names(at)} are configured anew{counted}"
        self._before = lost

    def _names(self, at: int) -> str:
        return f"expanders {self._hardware.output_name(at)} and {self._hardware.feedback_name(at)}"
