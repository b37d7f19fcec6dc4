"""The time of day, from a clock that may be set on the way."""

import time

SET_S = 2.0
"""By more than that it does not go wrong by itself: somebody has set it."""
BELIEVED_AFTER_S = 3600.0


class WallClock:
    """What it shows, and, for an hour after it was set, also what it would show had it not been."""

    def __init__(self) -> None:
        self._believed_s = self._shown_s = time.time() - time.monotonic()
        """Ahead of the monotonic clock."""
        self._set_s = 0.0

    def times_s(self) -> tuple[float, ...]:
        """Unix time, now: one, or two where nobody knows which."""
        now_s = time.monotonic()
        shown_s = time.time() - now_s
        if abs(shown_s - self._shown_s) > SET_S:
            self._set_s = now_s
        self._shown_s = shown_s
        if abs(shown_s - self._believed_s) <= SET_S or now_s - self._set_s >= BELIEVED_AFTER_S:
            self._believed_s = shown_s
            return (now_s + shown_s,)
        return now_s + self._believed_s, now_s + shown_s
