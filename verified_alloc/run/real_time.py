"""The scan before every other program of the machine."""

import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from verified_alloc.errors import reason

PRIORITY = 10
"""Of 1 to 99: below the kernel's own threads (50), interrupts of the bus among them."""
RUNAWAY_S = 1
"""Of processor time without ever waiting."""
ORDINARY = os.sched_param(0)


@contextmanager
def real_time(report: Callable[[str], None]) -> Iterator[None]:
    """This thread runs as soon as it can (SCHED_FIFO), and no thread or process that it starts.

    One that computes for `RUNAWAY_S` without waiting is no scan any more: it is an ordinary program
    again, so that the rest of the machine goes on, and says so. One that does not even come back
    to Python is ended by systemd's watchdog.
    """

    def ran_away(number: int, frame: FrameType | None) -> None:
        os.sched_setscheduler(0, os.SCHED_OTHER, ORDINARY)
        report(f"the scan computed for {RUNAWAY_S} s and waits like other programs from now on")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, handler = resource.getrlimit(resource.RLIMIT_RTTIME), signal.getsignal(signal.SIGXCPU)
    try:
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(PRIORITY))
    except OSError as error:
        report(f"the scan waits like other programs: {reason(error)}")
        yield
        return
    try:
        signal.signal(signal.SIGXCPU, ran_away)
        resource.setrlimit(resource.RLIMIT_RTTIME, (RUNAWAY_S * 10**6, before[1]))
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, ORDINARY)
        resource.setrlimit(resource.RLIMIT_RTTIME, before)
        signal.signal(signal.SIGXCPU, handler)
