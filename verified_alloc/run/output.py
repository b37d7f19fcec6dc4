"""What is printed while a station works, by a thread of its own: a terminal, a pipe or a journal
that does not take it holds up no scan."""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from typing import Self

WAITING = 1000
"""So much is kept for an output that is slow; what comes then is dropped, and the count of it told
as soon as there is room."""
END_S = 1.0
"""At the end, so long it may take to print what waits."""


class Output:
    """Does what it is told, in order, some time later."""

    def __init__(self) -> None:
        self._waiting: Queue[Callable[[], None] | None] = Queue(WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._print, name="output", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Full):
            self._waiting.put(None, timeout=END_S)
        self._thread.join(END_S)

    def soon(self, printing: Callable[[], None]) -> None:
        """Print this, unless too much waits already."""
        try:
            self._waiting.put_nowait(printing)
        except Full:
            self._dropped += 1

    def _print(self) -> None:
        while (printing := self._waiting.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            try:
                if dropped:
                    print(f"{dropped} times nothing could be printed", flush=True)
                printing()
            except OSError:
                # Nobody reads it any more. What Python still holds of it must not fail at the end.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
