"""The latched faults in their three forms: the kernel's bits, what the file keeps, what the
allocation does without."""

from collections.abc import Callable
from functools import lru_cache, partial

from verified_alloc.control.fault_kinds import Fault, bits_of, describe, faults_of
from verified_alloc.control.fault_latch import FaultLatch
from verified_alloc.kernel import ops
from verified_alloc.kernel.latched import Latched, excluded
from verified_alloc.kernel.scan import Memory
from verified_alloc.station.faults import Faults, out_of_order
from verified_alloc.station.model import Station


class LatchedFaults:
    """Those in the file at first. `report` hears of each that the scan latches.

    bits: as the kernel has them; latched: the set of `Fault`.
    """

    def __init__(self, station: Station, file: FaultLatch, report: Callable[[str], None]) -> None:
        self._file = file
        self._report = report
        self._station = station
        self._without = lru_cache(1)(partial(_without, station))
        self._note(Latched(**bits_of(file.load(), station)))

    def latch(self, bits: Latched) -> None:
        """What a scan has latched is on disk before anybody hears of it."""
        if bits != self.bits:
            before = self.latched
            self.keep(bits)
            for sentence in describe(self._station, self.latched - before):
                self._report(sentence)

    def keep(self, bits: Latched) -> None:
        """What a person has changed is on disk when this returns."""
        self._note(bits)
        self._file.save(self.latched)

    def without(self, memory: Memory) -> Faults:
        """What an allocation plans around: these, and expanders that are out of order for now."""
        return self._without(self.latched, tuple(each.lost for each in memory.healing))

    def _note(self, bits: Latched) -> None:
        self.latched = faults_of(bits)
        self.bits = bits


def _without(station: Station, latched: frozenset[Fault], lost: tuple[bool, ...]) -> Faults:
    bits = Latched(**bits_of(latched, station))
    return out_of_order(excluded(ops, station.built.carriers, bits, lost))
