"""Writing a file so that it is there whole, or as it was before, whatever happens meanwhile."""

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any


def write(path: Path, text: str) -> None:
    """On disk when this returns; OSError if it cannot be written, and what was there stays."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class AtOnce(Executor):
    """Who writes in no thread of its own: whoever asks waits, as where time is only simulated."""

    def submit(self, write: Callable[..., Any], /, *what: Any, **_: Any) -> Future[Any]:
        """Done when this returns."""
        done: Future[Any] = Future()
        try:
            done.set_result(write(*what))
        except Exception as error:
            done.set_exception(error)
        return done
