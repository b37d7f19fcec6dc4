"""The latched faults in their three forms: the kernel's bits, what the file keeps, what the
allocation does without."""

from collections.abc import Callable
from functools import lru_cache, partial

from hardware import HardwareError, clock
from verified_alloc.control.fault_kinds import Fault, bits_of, describe, faults_of
from verified_alloc.control.fault_latch import FaultLatch
from verified_alloc.kernel import ops
from verified_alloc.kernel.latched import Latched, excluded
from verified_alloc.kernel.scan import Memory
from verified_alloc.station.faults import Faults, out_of_order
from verified_alloc.station.model import Station

AGAIN_S = 1.0
"""A disk that did not take a fault is tried again after so long."""


class LatchedFaults:
    """Those in the file at first. `report` hears of each that the scan latches.

    bits: as the kernel has them; latched: the set of `Fault`.
    """

    def __init__(self, station: Station, file: FaultLatch, report: Callable[[str], None]) -> None:
        self._file = file
        self._report = report
        self._station = station
        self._without = lru_cache(1)(partial(_without, station))
        self._refused_s: float | None = None
        self._note(Latched(**bits_of(file.load(), station)))

    def latch(self, bits: Latched) -> None:
        """What a scan has latched is on disk before anybody hears of it, if the disk takes it; else
        that is told, and it is tried again. No disk ends a scan."""
        if bits != self.bits:
            before = self.latched
            self.keep(bits)
            for sentence in describe(self._station, self.latched - before):
                self._report(sentence)
        elif self._refused_s is not None and clock.now_s() >= self._refused_s + AGAIN_S:
            self._save()

    def keep(self, bits: Latched) -> None:
        """What a person has changed counts, and is on disk when this returns, as above."""
        self._note(bits)
        self._save()

    def without(self, memory: Memory) -> Faults:
        """What an allocation plans around: these, and expanders that are out of order for now."""
        return self._without(self.latched, tuple(each.lost for each in memory.healing))

    def _save(self) -> None:
        try:
            self._file.save(self.latched)
        except HardwareError as error:
            if self._refused_s is None:
                self._report(f"{error}; what is latched is in memory only until it takes it")
            self._refused_s = clock.now_s()
        else:
            if self._refused_s is not None:
                self._report(f"fault file {self._file.path}: takes what is latched again")
            self._refused_s = None

    def _note(self, bits: Latched) -> None:
        self.latched = faults_of(bits)
        self.bits = bits


def _without(station: Station, latched: frozenset[Fault], lost: tuple[bool, ...]) -> Faults:
    bits = Latched(**bits_of(latched, station))
    return out_of_order(excluded(ops, station.built.carriers, bits, lost))
