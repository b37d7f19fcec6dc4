"""Wear: how often each contactor has moved, as its auxiliary contact shows it."""

from collections.abc import Mapping, Sequence

from verified_alloc.kernel.diagnosis import Readings
from verified_alloc.station.parts import Pair

STEP = 1000
"""Operations that a decision tells apart. Contactors live for a hundred thousand and more; a finer
step would give equal questions another answer every time, and no contactor a longer life."""


def in_steps(operations: Mapping[Pair, int]) -> dict[Pair, int]:
    """What a decision is told of the operations so far: nothing of contactors that are as good as
    new."""
    return {pair: count // STEP for pair, count in operations.items() if count >= STEP}


class Wear:
    """Counts from what there was before."""

    def __init__(self, before: Mapping[Pair, int]) -> None:
        self.operations = dict(before)
        """Makes and breaks so far by contactor `(gun, module)`; another dict after each change."""
        self._closed: dict[int, Sequence[bool]] = {}

    def note(self, readings: Sequence[Readings]) -> None:
        """See which contactors are closed. The first sight of a module counts nothing."""
        for module, reading in enumerate(readings, start=1):
            if not reading.valid:
                continue
            closed, before = reading.closed, self._closed.get(module, reading.closed)
            self._closed[module] = closed
            if closed != before:
                moved = [
                    (gun, module)
                    for gun, (is_, was) in enumerate(zip(closed, before, strict=True), start=1)
                    if is_ != was
                ]
                counted = {pair: self.operations.get(pair, 0) + 1 for pair in moved}
                self.operations = self.operations | counted
