"""The one clock. Looked up at each call (`clock.now_s()`), so that a simulation can replace it."""

import time


def now_s() -> float:
    """Seconds since an arbitrary start; never runs backwards."""
    return time.monotonic()


def sleep_s(seconds: float) -> None:
    """Wait. A negative duration is none."""
    if seconds > 0:
        time.sleep(seconds)
