"""The disk under the file of the latched faults: takes what is written, refuses it or is slow."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from verified_alloc import whole_file

KINDS = ("refuses", "slow")


@dataclass(frozen=True)
class DiskFault:
    """Strikes so many writes (None: all): `refuses` them, or is `slow` and takes `for_us` each."""

    kind: str
    count: int | None = None
    for_us: int = 0
    errno: int = errno.EIO


class Disk:
    """To be given as the path of that file, while `installed`."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.fault: DiskFault | None = None
        self._left: int | None = None
        self.parent = self
        self.name, self.stem = "faults.json", "faults"
        self._beside: dict[str, Disk] = {}
        self.stand_still: Callable[[int], None]
        """Called to let the time pass that it takes."""

    def __str__(self) -> str:
        return "faults.json"

    def inject(self, fault: DiskFault | None) -> None:
        """From the next write on; None: it is sound again."""
        self.fault, self._left = fault, fault and fault.count

    def with_name(self, name: str) -> "Disk":
        """A file beside it that is always sound."""
        return self._beside.setdefault(name, Disk())

    def exists(self) -> bool:
        return self.text is not None

    def mkdir(self, **_: bool) -> None:
        """There is no folder."""

    def read_text(self, **_: str) -> str:
        if self.text is None:
            raise FileNotFoundError
        return self.text

    def write(self, text: str) -> None:
        """What `whole_file.write` does."""
        fault = self.fault
        if fault is not None:
            if self._left is not None:
                self._left -= 1
                self.fault = fault if self._left else None
            if fault.kind == "refuses":
                raise OSError(fault.errno, os.strerror(fault.errno))
            self.stand_still(fault.for_us)
        self.text = text

    @contextmanager
    def installed(self) -> Iterator[Any]:
        """While inside, what is written to this path is written here."""
        write = whole_file.write
        whole_file.write = lambda path, text, *_: path.write(text)  # type: ignore[attr-defined]
        try:
            yield self
        finally:
            whole_file.write = write
