"""What drivers and contactors feel of the decisions, counted by gun."""

from collections import deque
from collections.abc import Sequence

from verified_alloc.control.state import State

HOUR_MS = 3_600_000
SAMPLED_EVERY_MS = 60_000


def given_w(state: State, module_power_w: Sequence[int]) -> tuple[int, ...]:
    """By gun, what it is offered, as far as modules feed it."""
    return tuple(
        min(offer_w, sum(module_power_w[module - 1] for module in live))
        for offer_w, live in zip(state.offer_w, state.live, strict=True)
    )


class Felt:
    """Of a station with so many guns and modules of such power, scan by scan."""

    def __init__(self, guns: int, module_power_w: Sequence[int]) -> None:
        self.fell_to_0 = [0] * guns
        """How often the offer has fallen to 0 while the gun asked."""
        self.energy_wms = [0] * guns
        """What it was given, W ms: what it was offered, as far as modules fed it. Nothing is
        metered, so it is the most that it can have drawn."""
        self._module_power_w = module_power_w
        self._given_w = self._offer_w = (0,) * guns
        self._at_ms = 0
        self._sampled: deque[tuple[int, tuple[int, ...]]] = deque()

    def watch(self, state: State) -> None:
        """See a scan."""
        for place, (before_w, offer_w) in enumerate(zip(self._offer_w, state.offer_w, strict=True)):
            self.fell_to_0[place] += bool(before_w and not offer_w and state.demand_w[place])
        self._offer_w = state.offer_w
        elapsed_ms, self._at_ms = state.at_ms - self._at_ms, state.at_ms
        for place, power_w in enumerate(self._given_w):
            self.energy_wms[place] += power_w * elapsed_ms
        self._given_w = given_w(state, self._module_power_w)
        if not self._sampled or state.at_ms - self._sampled[-1][0] >= SAMPLED_EVERY_MS:
            self._sampled.append((state.at_ms, self._moved(state)))
        while state.at_ms - self._sampled[0][0] > HOUR_MS:
            self._sampled.popleft()

    def operations_an_hour(self, state: State) -> tuple[int, ...]:
        """Makes and breaks of each gun's contactors in the last hour, or since the start."""
        before = self._sampled[0][1]
        return tuple(now - was for now, was in zip(self._moved(state), before, strict=True))

    def _moved(self, state: State) -> tuple[int, ...]:
        moved = [0] * len(self.fell_to_0)
        for (gun, _), count in state.operations.items():
            moved[gun - 1] += count
        return tuple(moved)
