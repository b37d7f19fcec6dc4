"""What the controller knows to be wrong: ages and latched faults of every module, scan after scan.

The decisions are `kernel.diagnosis`; here they are kept from one scan to the next, put into words,
and turned into the faults that the allocation plans around.
"""

from collections.abc import Sequence
from operator import gt

from verified_alloc.control.fault_latch import Latched
from verified_alloc.errors import BadInput, shown
from verified_alloc.kernel import diagnosis, ops, wiring
from verified_alloc.kernel.diagnosis import (
    ContactorFaults,
    ModuleFaults,
    Readings,
)
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import number_in

SILENT_SCANS = 3
"""An expander that does not answer, or does not take what is written, for more scans in a row than
this is lost."""


class Health:
    """Ages and latched faults. Lists count modules and guns from 0, `Latched` from 1."""

    def __init__(self, station: Station, latched: Latched) -> None:
        self._station = station
        self._timing = station.kernel_timing
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
        self._contactors = [
            ContactorFaults(
                welded=[(gun + 1, m + 1) in latched.welded for gun in guns],
                failed_open=[(gun + 1, m + 1) in latched.failed_open for gun in guns],
            )
            for m in modules
        ]
        self._modules = [
            ModuleFaults(
                dead=m + 1 in latched.dead,
                stuck_on=[(gun + 1, m + 1) in latched.stuck_on for gun in guns],
            )
            for m in modules
        ]
        self._runs_on = latched.runs_on
        self._enables_high = latched.enables_high
        self._out = {"gun": latched.guns_out, "module": latched.modules_out}
        self._stop_told = latched.stop_told
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
        before = [(ages.mismatch, ages.latch) for ages in self.ages], self.silence
        for m, module in enumerate(readings):
            off = not module.enabled and not module.reports_on
            self.lines_off_ms[m] = diagnosis.lasting(ops, off, self.lines_off_ms[m], elapsed_ms)
            self.ages[m] = diagnosis.ages(
                ops, self._timing, module, self.ages[m], elapsed_ms, scans
            )
            self._contactors[m] = diagnosis.contactor_faults(
                ops, self._timing, module, self.ages[m], self._contactors[m]
            )
            read = [at is None or seen[at] for at in self._expanders[m]]
            doubt = [at is not None and doubted[at] for at in self._expanders[m]]
            self._closed[m] = diagnosis.counts_closed(
                ops,
                diagnosis.contacts_seen(ops, module, read, doubt),
                self._contactors[m].welded,
                self._closed[m],
            )
            self._modules[m] = diagnosis.module_faults(
                ops, self._timing, self.ages[m], self._closed[m], self._modules[m]
            )
        self.locked = diagnosis.locked(
            ops, self._closed, [module.stuck_on for module in self._modules]
        )
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
        expanders = self.latched.expanders | {
            position
            for position, (gone, count) in enumerate(zip(lost, self.silence, strict=True))
            if gone or count > limit
        }
        self._runs_on |= {
            m
            for m, (ages, closed) in enumerate(zip(self.ages, self._closed, strict=True), 1)
            if diagnosis.runs_on(ops, self._timing, ages, closed, m in self._runs_on)
        }
        self._enables_high |= {m for m, count in enumerate(self._astray, 1) if count > limit}
        news = self._latch(expanders, self.latched.emergency_stop or stop_pressed)
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
        self._contactors[m] = ContactorFaults(
            welded=[was and i != g for i, was in enumerate(self._contactors[m].welded)],
            failed_open=[was and i != g for i, was in enumerate(self._contactors[m].failed_open)],
        )
        self._latch(self.latched.expanders, self.latched.emergency_stop)

    def clear_module(self, module: int) -> None:
        """Forget that this module is dead or stuck on, or its enable line held high. Refused while
        it reports on unasked, or its line is high."""
        if self._astray[module - 1]:
            raise BadInput(f"module {module}: its enable line is still high although told low")
        if self.ages[module - 1].stuck_ms > diagnosis.NOT_SO:
            raise BadInput(f"module {module}: it still reports on although its enable is low")
        self._modules[module - 1] = ModuleFaults(False, [False] * len(self.locked))
        self._runs_on -= {module}
        self._enables_high -= {module}
        self._latch(self.latched.expanders, self.latched.emergency_stop)

    def clear_expander(self, position: int) -> None:
        """Forget that this expander was lost; it has been configured anew."""
        self.silence[position] = 0
        self._latch(self.latched.expanders - {position}, self.latched.emergency_stop)

    def tell_stop(self) -> None:
        """A person stops the station, not by the button."""
        self._stop_told = True
        self._latch(self.latched.expanders, self.latched.emergency_stop)

    def clear_stop(self) -> None:
        """Go on after a stop; the button, if it was that, has been released."""
        self._stop_told = False
        self._latch(self.latched.expanders, False)

    def take_out(self, kind: str, number: int, out: bool) -> None:
        """A `gun` or a `module` goes out of service, or comes back."""
        count = {"gun": len(self._station.guns), "module": len(self._station.modules)}[kind]
        if not number_in(number, count):
            raise BadInput(f"{kind} {shown(number)}: allowed are {kind}s 1 to {count}")
        self._out[kind] = self._out[kind] | {number} if out else self._out[kind] - {number}
        self._latch(self.latched.expanders, self.latched.emergency_stop)

    def describe(self) -> list[str]:
        """Everything that is latched, in words."""
        return describe(self._station, Latched(), self.latched)

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

    def _latch(self, expanders: frozenset[int], emergency_stop: bool) -> list[str]:
        """Keep what is latched now, and say what was not before."""
        before = self.latched
        numbered = list(enumerate(self._contactors, start=1))
        self.latched = Latched(
            welded=frozenset(
                (g, m) for m, c in numbered for g, bit in enumerate(c.welded, 1) if bit
            ),
            failed_open=frozenset(
                (g, m) for m, c in numbered for g, bit in enumerate(c.failed_open, 1) if bit
            ),
            dead=frozenset(m for m, faults in enumerate(self._modules, 1) if faults.dead),
            stuck_on=frozenset(
                (g, m)
                for m, faults in enumerate(self._modules, 1)
                for g, bit in enumerate(faults.stuck_on, 1)
                if bit
            ),
            expanders=expanders,
            emergency_stop=emergency_stop,
            guns_out=self._out["gun"],
            modules_out=self._out["module"],
            stop_told=self._stop_told,
            runs_on=self._runs_on,
            enables_high=self._enables_high,
        )
        if self.latched == before:
            return []
        self.faults = self._planned_around()
        return describe(self._station, before, self.latched)

    def _planned_around(self) -> Faults:
        """What the allocation must do without. A module goes with its expander, and with a
        contactor whose feedback has lied both ways."""
        latched = self.latched
        cut_off = {
            m
            for m, numbers in enumerate(self._numbers, start=1)
            if any(wiring.place(k).expander in latched.expanders for k in numbers)
        }
        liars = latched.welded & latched.failed_open
        return Faults(
            modules=latched.dead
            | latched.runs_on
            | latched.modules_out
            | cut_off
            | {m for _, m in latched.stuck_on | liars},
            guns=latched.guns_out | {gun for gun, _ in latched.stuck_on},
            failed_open=latched.failed_open,
            welded=latched.welded - liars,
        )


def describe(station: Station, before: Latched, now: Latched) -> list[str]:
    """What has been latched between the two, one sentence each."""
    addresses = list(
        zip(
            station.hardware.output_expanders,
            station.hardware.feedback_expanders,
            strict=True,
        )
    )
    return [
        *(f"contactor {g}:{m} is welded" for g, m in sorted(now.welded - before.welded)),
        *(
            f"contactor {g}:{m} failed open"
            for g, m in sorted(now.failed_open - before.failed_open)
        ),
        *(f"module {m} does not report on" for m in sorted(now.dead - before.dead)),
        *(
            f"module {m} does not switch off; gun {g} is locked"
            for g, m in sorted(now.stuck_on - before.stuck_on)
        ),
        *(
            f"expanders {addresses[e][0]:#x} and {addresses[e][1]:#x} are lost; their modules are"
            " out until that is cleared"
            for e in sorted(now.expanders - before.expanders)
        ),
        *(
            f"module {m} reports on although it is disabled"
            for m in sorted(now.runs_on - before.runs_on)
        ),
        *(
            f"the enable line of module {m} is held high; everything is off until that is cleared"
            for m in sorted(now.enables_high - before.enables_high)
        ),
        *(
            ["emergency stop; everything is off until that is cleared"]
            if now.emergency_stop and not before.emergency_stop
            else []
        ),
        *(
            ["stopped as told; everything is off until that is cleared"]
            if now.stop_told and not before.stop_told
            else []
        ),
        *(f"gun {g} is out of service" for g in sorted(now.guns_out - before.guns_out)),
        *(f"module {m} is out of service" for m in sorted(now.modules_out - before.modules_out)),
    ]
