"""How old a message is by the clock of whoever sent it, which may be wrong and may be set."""

import time

from verified_alloc.errors import BadInput

SLOWER_PER_S = 0.001
"""A clock that is slow is followed so fast."""
STEADY_S, STEADY_FOR_S = 0.5, 1.0
"""A clock was set where messages so long apart differ from ours by the same, but for so much."""


class SenderClock:
    """One sender's. What our clock, which never jumps, and its `sent_s` differ by at the least is
    taken for the offset of its clock; at first it is taken to show what ours does. What goes beyond
    is age. One step back could be an old message, as well as a clock that was set: it is believed
    when another message shows the same a while later."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._offset_s: float | None = None
        self._heard_s = 0.0
        self._newest_s = 0.0
        self._doubted: tuple[float, float] | None = None

    def age_s(self, sent_s: float, now_s: float) -> float:
        """Of what says that it was sent then and is heard now, by the monotonic clock; `BadInput`
        where it is too old, or older than what was heard before."""
        differs_s = now_s - sent_s
        if self._offset_s is None:
            offset_s = time.monotonic() - time.time()
        else:
            offset_s = self._offset_s + SLOWER_PER_S * (now_s - self._heard_s)
        age_s = max(0.0, differs_s - offset_s)
        late = self._offset_s is not None and sent_s < self._newest_s
        if late or age_s > self._timeout_s:
            if not self._was_set(differs_s, now_s):
                raise BadInput(
                    f"sent_s is older than that of a message before: {sent_s:.3f}"
                    if late
                    else f"{age_s:.1f} s old by its sent_s: allowed is {self._timeout_s:g} s"
                )
            offset_s, age_s = differs_s, 0.0
        self._offset_s, self._heard_s = min(offset_s, differs_s), now_s
        self._newest_s, self._doubted = sent_s, None
        return age_s

    def _was_set(self, differs_s: float, now_s: float) -> bool:
        if self._doubted is None or abs(differs_s - self._doubted[0]) > STEADY_S:
            self._doubted = differs_s, now_s
        return now_s - self._doubted[1] >= STEADY_FOR_S
