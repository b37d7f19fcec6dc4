"""How much longer one thing takes than another, in CPU time of one run."""

import os
import time
from collections.abc import Callable
from statistics import median


def cpu_s() -> float:
    """CPU time of this process and of those it has waited for: what others do on the machine
    meanwhile does not count."""
    spent = os.times()
    return time.process_time() + spent.children_user + spent.children_system


def seconds(run: Callable[[], object]) -> float:
    start_s = cpu_s()
    run()
    return cpu_s() - start_s


def ratio(run: Callable[[], object], yardstick: Callable[[], object], rounds: int) -> float:
    """How much longer one takes than the other: they take turns, so that both see the same
    machine; the median of the turns."""
    run(), yardstick()
    return median(seconds(run) / seconds(yardstick) for _ in range(rounds))
