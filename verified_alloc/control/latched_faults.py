"""The latched faults in their three forms: the kernel's bits, what the file keeps, what the
allocation does without."""

from collections.abc import Callable
from concurrent.futures import Executor
from functools import lru_cache, partial

from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.fault_kinds import Fault, bits_of, describe, faults_of
from verified_alloc.control.on_disk import OnDisk
from verified_alloc.kernel import ops
from verified_alloc.kernel.latched import Latched, excluded
from verified_alloc.kernel.scan import Memory
from verified_alloc.station.faults import Faults, out_of_order
from verified_alloc.station.model import Station


class LatchedFaults:
    """Those in the file at first, and what is latched and cleared from then on: in force at once,
    and written to the file by `disk`, which no scan waits for. `report` hears of each that the scan
    latches when the file has it, or refuses it: then that is told too, and it is tried again.

    bits: as the kernel has them; latched: the set of `Fault`.
    """

    def __init__(
        self, station: Station, file: FaultFile, report: Callable[[str], None], disk: Executor
    ) -> None:
        self._report = report
        self._station = station
        self._without = lru_cache(1)(partial(_without, station))
        self._untold: list[str] = []
        self._note(Latched(**bits_of(file.take_over(), station)))
        self.on_disk = OnDisk(
            f"fault file {file.path}",
            "what is latched",
            file.save,
            report,
            disk,
            None if file.lost else self.latched,
        )
        if file.lost:
            report(file.lost)

    @property
    def settled(self) -> bool:
        """All that is latched is in the file, or it has been told that it is not."""
        return self.on_disk.settled(self.latched)

    def latch(self, bits: Latched) -> None:
        """What a scan has latched."""
        if bits != self.bits:
            before = self.latched
            self._note(bits)
            self._untold += describe(self._station, self.latched - before)
        self._see_to_the_file()

    def keep(self, bits: Latched) -> None:
        """What a person has changed."""
        self._note(bits)
        self._see_to_the_file()

    def without(self, memory: Memory) -> Faults:
        """What an allocation plans around: these, and expanders that were configured anew in vain.
        For one that may be back in a moment nobody moves."""
        return self._without(self.latched, tuple(each.in_vain for each in memory.healing))

    def finish(self) -> None:
        """At the end: nothing that was latched is left out, however long the disk takes."""
        self.on_disk.finish(self.latched)
        self._tell()

    def _see_to_the_file(self) -> None:
        self.on_disk.see_to(self.latched)
        self._tell()

    def _tell(self) -> None:
        if self.settled:
            untold, self._untold = self._untold, []
            for sentence in untold:
                self._report(sentence)

    def _note(self, bits: Latched) -> None:
        self.latched = faults_of(bits)
        self.bits = bits


def _without(station: Station, latched: frozenset[Fault], lost: tuple[bool, ...]) -> Faults:
    bits = Latched(**bits_of(latched, station))
    return out_of_order(excluded(ops, station.built.carriers, bits, lost))
