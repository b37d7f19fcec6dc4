"""Plays a demand trace: into the demand processor, kept fresh, and onto the simulated vehicles."""

from collections.abc import Callable, Sequence

from verified_alloc.decide.demand import DemandProcessor
from verified_alloc.workload.traces import DemandTrace


class Player:
    """A trace whose time 0 is `start_ms`. `vehicle(gun, demand_w)` hears every change. A gun that
    somebody else speaks for (`take`) is left alone until it is given back."""

    def __init__(
        self,
        trace: DemandTrace,
        demands: DemandProcessor,
        gun_max_w: Sequence[int],
        vehicle: Callable[[int, int], None],
        start_ms: int,
    ) -> None:
        self._changes = trace.changes
        self._demands = demands
        self._gun_max_w = gun_max_w
        self._vehicle = vehicle
        self._start_ms = self._played_ms = start_ms
        self._position = 0
        self._trace_w = [0] * len(gun_max_w)
        self._demand_w = [0] * len(gun_max_w)
        self._taken: set[int] = set()
        self.asked_mj = [0] * len(gun_max_w)
        """By gun, what it has asked for so far, up to its maximum, in W x ms."""

    def play(self, now_ms: int) -> None:
        """Bring all demands to what the trace says now."""
        while self._position < len(self._changes):
            change = self._changes[self._position]
            if self._start_ms + change.time_ms > now_ms:
                break
            self._ask_until(self._start_ms + change.time_ms)
            self._trace_w[change.gun - 1] = change.demand_w
            if change.gun not in self._taken:
                self._asks(change.gun, change.demand_w)
            self._position += 1
        self._ask_until(now_ms)
        for gun, demand_w in enumerate(self._demand_w, start=1):
            if gun not in self._taken:
                self._demands.set_w(gun, demand_w, now_ms)

    def take(self, gun: int, demand_w: int) -> None:
        """Somebody else speaks for this gun: its vehicle wants that much now."""
        self._taken.add(gun)
        self._asks(gun, demand_w)

    def give_back(self, gun: int) -> None:
        """The trace speaks for this gun again."""
        if gun in self._taken:
            self._taken.remove(gun)
            self._asks(gun, self._trace_w[gun - 1])

    def next_ms(self) -> int | None:
        """When the trace says something new; None when it has said all."""
        if self._position == len(self._changes):
            return None
        return self._start_ms + self._changes[self._position].time_ms

    def _asks(self, gun: int, demand_w: int) -> None:
        self._demand_w[gun - 1] = demand_w
        self._vehicle(gun, demand_w)

    def _ask_until(self, now_ms: int) -> None:
        for gun, (demand_w, most_w) in enumerate(zip(self._demand_w, self._gun_max_w, strict=True)):
            self.asked_mj[gun] += min(demand_w, most_w) * (now_ms - self._played_ms)
        self._played_ms = now_ms
