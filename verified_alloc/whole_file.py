"""Writing a file so that it is there whole, or as it was before, whatever happens meanwhile."""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

_HERE = -100  # AT_FDCWD of fcntl.h
_EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h


def write(path: Path, text: str, room_bytes: int = 0) -> None:
    """On disk when this returns; OSError if it cannot be written, and what was there stays.

    With `room_bytes` the file has that size, blanks at its end, and so has the spare beside it that
    the next text goes into: what fits needs no new room on the disk, however full.
    """
    beside = spare(path)
    _fill(beside, text.encode().ljust(room_bytes))
    if not (room_bytes and _exchange(beside, path)):
        beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    if room_bytes and not (beside.exists() and beside.stat().st_size >= room_bytes):
        with suppress(OSError):  # what was to be written is
            _fill(beside, b" " * room_bytes)


def spare(path: Path) -> Path:
    """Where the next text is written before it takes the place of the file."""
    return path.with_name(path.name + ".new")


def _fill(path: Path, data: bytes) -> None:
    """In place: what the disk holds for the file already is not given back before."""
    with open(path, "wb", opener=_without_cutting) as file:
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _without_cutting(path: str, _: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _exchange(one: Path, other: Path) -> bool:
    """Each is where the other was, at once: renameat2(2), which Python has not. False the first
    time, and where a file system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    names = os.fsencode(one), os.fsencode(other)
    return rename is not None and rename(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0


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
