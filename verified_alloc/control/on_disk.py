"""What must outlive the process: in force at once, and written beside the scan."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from typing import Generic, TypeVar

from hardware import HardwareError, clock

T = TypeVar("T")

AGAIN_S = 1.0
"""A disk that refused is tried again after so long; one that takes longer is told."""


class OnDisk(Generic[T]):
    """The latest of it, which `save` writes (`HardwareError` where it cannot) and no scan waits
    for. `kept` is what the file has already; None: nothing, or nobody knows. A refusal is told to
    `report`, with the file's `name` and in `words` what is meant, and tried again."""

    def __init__(
        self,
        name: str,
        words: str,
        save: Callable[[T], None],
        report: Callable[[str], None],
        disk: Executor,
        kept: T | None,
    ) -> None:
        self._name = name
        self._words = words
        self._save = save
        self._report = report
        self._disk = disk
        self._kept = kept
        self._handed = kept
        self.writing: Future[None] | None = None
        self.tried_s = 0.0
        self.refused = False

    def settled(self, latest: T) -> bool:
        """It is in the file, or it has been told that it is not."""
        return self._kept == latest or self.refused

    def see_to(self, latest: T) -> None:
        """It is that now."""
        self._take_answer()
        waited = clock.now_s() >= self.tried_s + AGAIN_S
        if self.writing is not None:
            if waited:
                self._refuse(f"{self._name}: does not answer")
        elif self._kept != latest and (waited or not self.refused):
            self._handed, self.tried_s = latest, clock.now_s()
            self.writing = self._disk.submit(self._save, latest)
            self._take_answer()

    def finish(self, latest: T) -> None:
        """At the end: nothing is left out, however long the disk takes."""
        if self.writing is not None:
            wait([self.writing])
        self.tried_s = 0.0
        self.see_to(latest)

    def _take_answer(self) -> None:
        writing = self.writing
        if writing is None or not writing.done():
            return
        self.writing = None
        try:
            writing.result()
        except HardwareError as error:
            self._refuse(str(error))
            return
        self._kept = self._handed
        if self.refused:
            self._report(f"{self._name}: takes {self._words} again")
        self.refused = False

    def _refuse(self, why: str) -> None:
        if not self.refused:
            self._report(f"{why}; {self._words} is in memory only until it takes it")
        self.refused = True
