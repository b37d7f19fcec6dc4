"""A line on the terminal that tells how far a long campaign is."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import pytest

Item = TypeVar("Item")


class Progress:
    """Of so many things, by name; past what pytest captures, and pytest-xdist."""

    def __init__(self, capsys: pytest.CaptureFixture[str], name: str, total: int | None) -> None:
        self._capsys, self._name, self._total = capsys, name, total
        self._began_s = self._told_s = time.monotonic()
        self.done = 0

    def through(
        self, items: Iterable[Item], weight: Callable[[Item], int] = lambda _: 1
    ) -> Iterator[Item]:
        """The items, counted as they pass."""
        for item in items:
            self.done += weight(item)
            if time.monotonic() - self._told_s > 1:
                self._told_s = time.monotonic()
                of = "" if self._total is None else f" of {self._total}"
                self._say(f"\r{self._name}: {self.done}{of}, {self._told_s - self._began_s:.0f} s")
            yield item

    def end(self, sentence: str) -> None:
        self._say(f"\r{sentence}; {time.monotonic() - self._began_s:.0f} s\n")

    def _say(self, text: str) -> None:
        with self._capsys.disabled():
            print(text, end="", file=sys.stderr, flush=True)
