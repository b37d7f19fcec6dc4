"""A station at work whose disk takes its time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc import whole_file
from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.fault_kinds import Fault
from verified_alloc.control.latched_faults import LatchedFaults
from verified_alloc.control.standing_limits import StandingLimits


class SlowDisk:
    """The disk of a station at work, in a thread of its own, that takes what it is given only when
    it is let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.path, self.write, self.error = path, whole_file.write, 0
        self._gate = Event()
        self.writes = 0
        monkeypatch.setattr(whole_file, "write", self._slow)

    def _slow(self, path: Path, text: str, room_bytes: int = 0) -> None:
        self.writes += 1
        assert self._gate.wait(60)
        if self.error:
            raise OSError(self.error, "as if")
        self.write(path, text, room_bytes)

    def lets(self, kept: LatchedFaults | StandingLimits) -> None:
        """What it was given of that is written now."""
        assert kept.on_disk.writing is not None
        self._gate.set()
        wait([kept.on_disk.writing])
        self._gate.clear()

    def open(self) -> None:
        """From now on it waits for nobody."""
        self._gate.set()

    @property
    def faults(self) -> frozenset[Fault]:
        return FaultFile(self.path).load()


@contextmanager
def on_a_slow_disk(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> Iterator[tuple[WorkingStation, SlowDisk, LatchedFaults]]:
    with (
        ThreadPoolExecutor(1) as thread,
        WorkingStation(REFERENCE, faults_path=path, disk=thread) as at_work,
    ):
        at_work.ask({1: 40, 2: 40})
        at_work.go_on(6)
        disk = SlowDisk(monkeypatch, path)
        try:
            yield at_work, disk, at_work.controller.faults
            assert not at_work.bad()
        finally:
            disk.open()
