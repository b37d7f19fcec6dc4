"""What the guns drew and which module fed whom, over a window of a replay: for a picture of it."""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.compare.limit_schedule import Change

BINS = 720
"""Of six hours that is half a minute each."""


class Stretch(NamedTuple):
    """A module fed a gun for a while; both counted from 1."""

    module: int
    gun: int
    from_ms: int
    to_ms: int


class Timeline(NamedTuple):
    """A window of a replay, in `BINS` equal bins."""

    start_ms: int
    end_ms: int
    mean_w: tuple[tuple[int, ...], ...]
    """By gun and bin, the mean power drawn."""
    stretches: tuple[Stretch, ...]
    limits: tuple[Change, ...]


class Recorder:
    """Keeps a timeline while a replay runs. Its size hangs on the window, not on the replay."""

    def __init__(self, guns: int, modules: int, window_ms: tuple[int, int]) -> None:
        self.start_ms, end_ms = window_ms
        self._bin_ms = max(1, -(-(end_ms - self.start_ms) // BINS))
        self.end_ms = self.start_ms + BINS * self._bin_ms
        self._energy_mj = [[0] * BINS for _ in range(guns)]
        self._since: list[tuple[int, int]] = [(0, 0)] * modules
        self._stretches: list[Stretch] = []

    def pass_time(
        self, from_ms: int, to_ms: int, draw_w: Sequence[int], live_on: Sequence[int]
    ) -> None:
        """In this time the guns drew this much, and the modules fed these guns (from 0; below 0:
        none)."""
        from_ms, to_ms = max(from_ms, self.start_ms), min(to_ms, self.end_ms)
        if from_ms >= to_ms:
            return
        for module, on in enumerate(live_on):
            if self._since[module][0] != on + 1:
                self._end(module, from_ms)
                self._since[module] = on + 1, from_ms
        while from_ms < to_ms:
            place = (from_ms - self.start_ms) // self._bin_ms
            until_ms = min(to_ms, self.start_ms + (place + 1) * self._bin_ms)
            for energy_mj, power_w in zip(self._energy_mj, draw_w, strict=True):
                energy_mj[place] += power_w * (until_ms - from_ms)
            from_ms = until_ms

    def timeline(self, limits: tuple[Change, ...]) -> Timeline:
        """What was kept, and what limited it."""
        for module in range(len(self._since)):
            self._end(module, self.end_ms)
        return Timeline(
            self.start_ms,
            self.end_ms,
            tuple(tuple(mj // self._bin_ms for mj in row) for row in self._energy_mj),
            tuple(self._stretches),
            limits,
        )

    def _end(self, module: int, now_ms: int) -> None:
        gun, since_ms = self._since[module]
        if gun:
            self._stretches.append(Stretch(module + 1, gun, since_ms, now_ms))
        self._since[module] = 0, now_ms
