"""Tells of contactors that an overdue stop opens although their module is on (S7)."""

from collections.abc import Iterator

from verified_alloc.kernel import switching
from verified_alloc.kernel.built import Built
from verified_alloc.kernel.scan import Memory, Observed


class TimedOpenings:
    """Watches scan after scan."""

    def __init__(self, built: Built) -> None:
        self._timing = built.timing
        self._before: frozenset[tuple[int, int]] = frozenset()

    def news(self, memory: Memory, observed: Observed) -> Iterator[str]:
        """A sentence for each contactor that is opened so; guns and modules are counted from 1."""
        if not switching.is_overdue(self._timing, memory.stop_ms):
            self._before = frozenset()
            return
        opened = frozenset(
            (gun, number)
            for number, module in enumerate(observed.modules, start=1)
            for gun, on in enumerate(module.latch, start=1)
            if on and (module.enabled or module.reports_on)
        )
        for gun, number in sorted(opened - self._before):
            yield (
                f"contactor {gun}:{number} is opened although PM{number} is on: the stop has"
                " waited as long as it may; inspect the contactor"
            )
        self._before = opened
