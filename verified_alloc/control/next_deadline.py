"""Whether a scan found nothing new, so that time may be skipped where it is only simulated."""

from operator import gt
from typing import Any

from verified_alloc.decide.allocate import Allocation
from verified_alloc.kernel import deadline, ops
from verified_alloc.kernel.built import Built
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.scan import Memory, Observed, Switched


class Stillness:
    """Watches scan after scan; every chip is looked over within `scrub_scans`."""

    def __init__(self, built: Built, scrub_scans: int) -> None:
        self._built = built
        self._scrub_scans = scrub_scans
        self._before: Any = None
        self._changes_ms: int  # set by the first scan, which is like none before
        self._oddities = 0
        self._calm_scans = 0

    def until_ms(
        self,
        now_ms: int,
        observed: Observed,
        switched: Switched,
        allocation: Allocation,
        before: Memory,
        after: Memory,
        oddities: int,
        scans: int,
        done: bool,
    ) -> int:
        """Take in one scan: what it read and wrote, what stands, its memory before and after, the
        bank's oddities so far, whether all was done as it said. Until when the next ones would find
        the same, but for ages; now, if they might not."""
        self._calm_scans = self._calm_scans + scans if oddities == self._oddities else 0
        self._oddities = oddities
        offers = [each._replace(waited_ms=NOT_SO) for each in after.offers]
        stopped = [age_ms > NOT_SO for age_ms in (after.stop_ms, after.stopping_ms)]
        now = (observed.modules, allocation, offers, stopped, after.enabled, after.latched)
        same, self._before = now == self._before, now
        calm = self._calm_scans >= self._scrub_scans and not counting(before, after)
        if not (same and calm and done) or moves(observed, switched):
            self._changes_ms = now_ms
        elif self._changes_ms <= now_ms:  # else it is what it was: ages grow with the time
            self._changes_ms = now_ms + deadline.next_change_ms(ops, self._built, after)
        return self._changes_ms


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
