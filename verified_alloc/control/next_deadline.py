"""Whether a scan found nothing new, so that time may be skipped where it is only simulated."""

from operator import gt
from typing import Any

from verified_alloc.decide.allocate import Allocation
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.scan import Memory, Observed, Switched


class Stillness:
    """Watches scan after scan; every chip is looked over within `scrub_scans`."""

    def __init__(self, scrub_scans: int) -> None:
        self._scrub_scans = scrub_scans
        self._before: Any = None
        self._oddities = 0
        self._calm_scans = 0

    def note(
        self,
        observed: Observed,
        switched: Switched,
        allocation: Allocation,
        before: Memory,
        after: Memory,
        oddities: int,
        scans: int,
    ) -> bool:
        """Take in one scan: what it read, what stands, its memory before and after, the bank's
        oddities so far. Whether the next one would find the same, but for its ages."""
        self._calm_scans = self._calm_scans + scans if oddities == self._oddities else 0
        self._oddities = oddities
        offers = [each._replace(waited_ms=0) for each in after.offers]
        stopped = after.stop_ms > NOT_SO
        now = (observed.modules, allocation, offers, stopped, after.enabled, after.latched)
        same, self._before = now == self._before, now
        calm = self._calm_scans >= self._scrub_scans and not counting(before, after)
        return same and calm and not moves(observed, switched)


def moves(observed: Observed, switched: Switched) -> bool:
    """A coil is written otherwise than it was read."""
    return any(
        write.may_switch and list(write.coils) != list(module.latch)
        for write, module in zip(switched.writes, observed.modules, strict=True)
    )


def counting(before: Memory, after: Memory) -> bool:
    """A mismatch or a silence is being counted, and may latch in one of the next scans."""
    return any(map(gt, after.silence, before.silence)) or any(
        any(map(gt, ages.mismatch, was.mismatch)) or list(ages.latch) != list(was.latch)
        for ages, was in zip(after.ages, before.ages, strict=True)
    )
