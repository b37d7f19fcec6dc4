"""What the controller knows to be wrong: ages and latched faults of every module, scan after scan.

The decisions are `kernel.diagnosis`; here they are kept from one scan to the next, put into words,
and turned into the faults that the allocation plans around.
"""

from collections.abc import Sequence
from operator import gt
from types import SimpleNamespace
from typing import Any

from verified_alloc.control.fault_kinds import (
    CONTACTOR,
    EXPANDER,
    KINDS,
    MODULE,
    STOP,
    Fault,
    bits_of,
    describe,
    faults_of,
    numbers_of,
    pairs_of,
)
from verified_alloc.errors import BadInput, shown
from verified_alloc.kernel import diagnosis, ops, wiring
from verified_alloc.kernel.diagnosis import (
    ContactorFaults,
    ModuleFaults,
    Readings,
    Timing,
)
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import number_in

SILENT_SCANS = 3
"""An expander that does not answer, or does not take what is written, for more scans in a row than
this is lost."""


def kernel_timing(station: Station) -> Timing:
    """The station's times as the kernel takes them."""
    timing = station.timing
    return Timing(
        current_decay_ms=timing.current_decay_ms,
        module_discharge_ms=timing.module_discharge_ms,
        module_off_timeout_ms=timing.module_off_timeout_ms,
        contactor_operate_ms=timing.contactor_operate_ms,
        contactor_release_ms=timing.contactor_release_ms,
        operate_mismatch=diagnosis.explained_mismatch(timing.contactor_operate_ms, timing.scan_ms),
        release_mismatch=diagnosis.explained_mismatch(timing.contactor_release_ms, timing.scan_ms),
    )


class Health:
    """Ages and latched faults. Lists count modules and guns from 0, a `Fault` from 1."""

    def __init__(self, station: Station, latched: frozenset[Fault]) -> None:
        self._station = station
        self._timing = kernel_timing(station)
        guns, modules = range(len(station.guns)), range(len(station.modules))
        self._numbers = [
            [k for k, (_, module) in enumerate(station.contactors) if module == m + 1]
            for m in modules
        ]
        carried = {pair: wiring.place(k).expander for k, pair in enumerate(station.contactors)}
        self._expanders = [
            [carried.get((gun.id, module.id)) for gun in station.guns] for module in station.modules
        ]
        """By module and gun: the expander of their contactor, None where there is none."""
        self.ages = [diagnosis.restarted(len(guns)) for _ in modules]
        self.lines_off_ms = [diagnosis.NOT_SO for _ in modules]
        """How long each module has been off by its lines, whatever its expanders say."""
        self.silence = [0] * wiring.expanders(len(station.contactors))
        self._astray = [0 for _ in modules]
        self.latched = latched
        self._bits = SimpleNamespace(**bits_of(latched, station))
        self._closed = [[False] * len(guns) for _ in modules]
        self._unknown: frozenset[int] = frozenset()
        self.locked = [False] * len(guns)
        self.counting = False
        """A mismatch or a silence is being counted, and may latch in one of the next scans."""
        self.faults = self._planned_around()

    def update(
        self,
        readings: Sequence[Readings],
        obeyed: Sequence[bool],
        seen: Sequence[bool],
        doubted: Sequence[bool],
        lost: Sequence[bool],
        astray: Sequence[bool],
        stop_pressed: bool,
        elapsed_ms: int,
        scans: int,
    ) -> list[str]:
        """Take in one scan; what has newly been latched, in words. `obeyed`, by expander: it gave
        valid answers in this scan, and took what the last one wrote. `seen`, by expander: its
        contacts were read, and count as closed or not whatever its coils say. `doubted`, by
        expander: what its coils are is not known. `astray`, by module: its enable line was high
        when the last scan ended, and should not have been."""
        bits = self._bits
        before = [(ages.mismatch, ages.latch) for ages in self.ages], self.silence
        for m, module in enumerate(readings):
            off = not module.enabled and not module.reports_on
            self.lines_off_ms[m] = diagnosis.lasting(ops, off, self.lines_off_ms[m], elapsed_ms)
            self.ages[m] = diagnosis.ages(
                ops, self._timing, module, self.ages[m], elapsed_ms, scans
            )
            bits.welded[m], bits.failed_open[m] = diagnosis.contactor_faults(
                ops,
                self._timing,
                module,
                self.ages[m],
                ContactorFaults(bits.welded[m], bits.failed_open[m]),
            )
            read = [at is None or seen[at] for at in self._expanders[m]]
            doubt = [at is not None and doubted[at] for at in self._expanders[m]]
            self._closed[m] = diagnosis.counts_closed(
                ops,
                diagnosis.contacts_seen(ops, module, read, doubt),
                bits.welded[m],
                self._closed[m],
            )
            bits.dead[m], bits.stuck_on[m] = diagnosis.module_faults(
                ops,
                self._timing,
                self.ages[m],
                self._closed[m],
                ModuleFaults(bits.dead[m], bits.stuck_on[m]),
            )
            bits.runs_on[m] = diagnosis.runs_on(
                ops, self._timing, self.ages[m], self._closed[m], bits.runs_on[m]
            )
        self.locked = diagnosis.locked(ops, self._closed, bits.stuck_on)
        limit = diagnosis.GOOD_SCANS_PER_MISMATCH * SILENT_SCANS
        self.silence = [
            diagnosis.tally(ops, not done, count, scans, limit)
            for done, count in zip(obeyed, self.silence, strict=True)
        ]
        self._astray = [
            diagnosis.tally(ops, high, count, scans, limit)
            for high, count in zip(astray, self._astray, strict=True)
        ]
        self.counting = self._grew(*before)
        for position, (gone, count) in enumerate(zip(lost, self.silence, strict=True)):
            bits.expander_lost[position] |= gone or count > limit
        for m, count in enumerate(self._astray):
            bits.enable_high[m] |= count > limit
        bits.emergency_stop |= stop_pressed
        news = self._latch()
        expanders = numbers_of(self.latched, "expander_lost")
        unknown = frozenset(at for at in expanders if doubted[at] and not seen[at])
        news += [self._tell_unknown(at) for at in sorted(unknown - self._unknown)]
        self._unknown = unknown
        return news

    def look_again(self, enabled: Sequence[bool], reports_on: Sequence[bool]) -> None:
        """Take in the modules' lines at the end of a scan."""
        for m, lines in enumerate(zip(enabled, reports_on, strict=True)):
            ages = self.ages[m]
            off_ms = diagnosis.off_at_last_look(ops, ages.off_ms, *lines)
            if off_ms != ages.off_ms:
                self.ages[m] = ages._replace(off_ms=off_ms)
            self.lines_off_ms[m] = diagnosis.off_at_last_look(ops, self.lines_off_ms[m], *lines)

    def clear_contactor(self, gun: int, module: int) -> None:
        """Forget that this contactor is welded or failed open; it must have been inspected. Refused
        while command and feedback are not seen to agree."""
        m, g = module - 1, gun - 1
        if self.ages[m].settled_ms[g] == diagnosis.NOT_SO or self.ages[m].mismatch[g] > 0:
            raise BadInput(
                f"contactor {gun}:{module}: command and auxiliary contact are not seen to agree;"
                " allowed once they are"
            )
        for _, bits in self._cleared_as(CONTACTOR):
            bits[m][g] = False
        self._latch()

    def clear_module(self, module: int) -> None:
        """Forget that this module is dead or stuck on, or its enable line held high. Refused while
        it reports on unasked, or its line is high."""
        if self._astray[module - 1]:
            raise BadInput(f"module {module}: its enable line is still high although told low")
        if self.ages[module - 1].stuck_ms > diagnosis.NOT_SO:
            raise BadInput(f"module {module}: it still reports on although its enable is low")
        for kind, bits in self._cleared_as(MODULE):
            bits[module - 1] = (
                [False] * len(self.locked) if KINDS[kind].of == "contactor" else False
            )
        self._latch()

    def clear_expander(self, position: int) -> None:
        """Forget that this expander was lost; it has been configured anew."""
        self.silence[position] = 0
        for _, bits in self._cleared_as(EXPANDER):
            bits[position] = False
        self._latch()

    def tell_stop(self) -> None:
        """A person stops the station, not by the button."""
        self._bits.stopped = True
        self._latch()

    def clear_stop(self) -> None:
        """Go on after a stop; the button, if it was that, has been released."""
        for kind, _ in self._cleared_as(STOP):
            setattr(self._bits, kind, False)
        self._latch()

    def take_out(self, kind: str, number: int, out: bool) -> None:
        """A `gun` or a `module` goes out of service, or comes back."""
        count = {"gun": len(self._station.guns), "module": len(self._station.modules)}[kind]
        if not number_in(number, count):
            raise BadInput(f"{kind} {shown(number)}: allowed are {kind}s 1 to {count}")
        getattr(self._bits, f"{kind}_out")[number - 1] = out
        self._latch()

    def describe(self) -> list[str]:
        """Everything that is latched, in words."""
        return describe(self._station, self.latched)

    def _cleared_as(self, name: str) -> list[tuple[str, Any]]:
        """The kinds that are cleared by this name, and the bits of each."""
        kinds = (kind for kind, told in KINDS.items() if told.name == name)
        return [(kind, getattr(self._bits, kind)) for kind in kinds]

    def _tell_unknown(self, expander: int) -> str:
        hardware = self._station.hardware
        reached = [expander in column for column in zip(*self._expanders, strict=True)]
        guns = [gun.id for gun, on_it in zip(self._station.guns, reached, strict=True) if on_it]
        return (
            f"nobody knows which contactors of expanders {hardware.output_expanders[expander]:#x}"
            f" and {hardware.feedback_expanders[expander]:#x} are closed; guns"
            f" {', '.join(map(str, guns))} are locked until they are read or cleared"
        )

    def _grew(
        self,
        before: Sequence[tuple[Sequence[int], Sequence[bool]]],
        silence: Sequence[int],
    ) -> bool:
        return any(map(gt, self.silence, silence)) or any(
            any(map(gt, ages.mismatch, mismatch)) or list(ages.latch) != list(latch)
            for ages, (mismatch, latch) in zip(self.ages, before, strict=True)
        )

    def _latch(self) -> list[str]:
        """Keep what is latched now, and say what was not before."""
        before, self.latched = self.latched, faults_of(self._bits)
        if self.latched == before:
            return []
        self.faults = self._planned_around()
        return describe(self._station, self.latched - before)

    def _planned_around(self) -> Faults:
        """What the allocation must do without. A module goes with its expander, and with a
        contactor whose feedback has lied both ways."""
        latched = self.latched
        lost = numbers_of(latched, "expander_lost")
        cut_off = {
            m
            for m, contactors in enumerate(self._numbers, start=1)
            if any(wiring.place(k).expander in lost for k in contactors)
        }
        welded, failed_open = pairs_of(latched, "welded"), pairs_of(latched, "failed_open")
        stuck_on, liars = pairs_of(latched, "stuck_on"), welded & failed_open
        return Faults(
            modules=numbers_of(latched, "dead")
            | numbers_of(latched, "runs_on")
            | numbers_of(latched, "module_out")
            | cut_off
            | {m for _, m in stuck_on | liars},
            guns=numbers_of(latched, "gun_out") | {gun for gun, _ in stuck_on},
            failed_open=failed_open,
            welded=welded - liars,
        )
