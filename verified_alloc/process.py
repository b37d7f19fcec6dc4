"""This process, which signals end in good order, and those beside the scan: Python modules of ours,
each at the other end of a socket."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType


def start(module: str, ends: Iterable[socket.socket]) -> subprocess.Popen[bytes]:
    """Start `python -m module` with the numbers of these sockets, which it inherits. Ctrl-C does
    not reach it: that is for the scan."""
    passed = [end.fileno() for end in ends]
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, passed)],
        pass_fds=passed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        process_group=0,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@contextmanager
def ended_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in good order. Only the main thread can be told."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        end()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
