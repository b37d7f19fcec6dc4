"""A station's lines and expanders as the kernel's scan sees them, and its effects as they do."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from hardware import bus_time, clock
from hardware.contactors import BankReading, ContactorController
from hardware.layout import Layout
from hardware.modules import LineReading, PowerModuleController
from hardware.supervision import Supervision
from verified_alloc.kernel import ops, scan, switching, wiring
from verified_alloc.kernel.diagnosis import Readings, Timing
from verified_alloc.kernel.scan import Effect, Observed
from verified_alloc.kernel.wiring import Word
from verified_alloc.station.model import Station

Carrier = Callable[..., Any]
"""Carries one kind of effect; called with its fields."""


def layout_of(station: Station) -> Layout:
    """Where the wires of this station go."""
    return Layout(**vars(station.hardware))


def bank_of(station: Station) -> ContactorController:
    """The bank that carries this station's contactors."""
    pins_in_use = _numbers(wiring.words((True,) * len(station.contactors)))
    return ContactorController(layout_of(station), pins_in_use, station.timing.scan_ms)


def least_scan_ms(station: Station, rates_hz: Mapping[int, int]) -> int:
    """The shortest scan that is longer than its time on these buses, each at its bit rate."""
    positions = wiring.expanders(len(station.contactors))
    return bus_time.least_scan_ms(layout_of(station), positions, rates_hz)


class Wires:
    """Turns what was read into what the scan observes, and carries its effects to bank and lines;
    those that are not for wires go to these `carriers`. Guns and modules are counted from 0."""

    def __init__(
        self,
        station: Station,
        bank: ContactorController,
        lines: PowerModuleController,
        supervision: Supervision,
        carriers: Mapping[type, Carrier],
    ) -> None:
        self._bank = bank
        self._lines = lines
        self._carriers: Mapping[type, Carrier] = {
            scan.Abandon: self._abandon,
            scan.Disable: self._disable,
            scan.Write: self._write,
            scan.Enable: self._enable,
            scan.Beat: supervision.beat,
            scan.Pet: supervision.pet,
            scan.Reset: supervision.reset,
            scan.Configure: self._configure,
            **carriers,
        }
        self._built = station.built
        self.decoded = lru_cache(partial(_coils, contactors=len(station.contactors)))
        """By contactor, what these words hold, given by position. At rest they are all alike."""
        # Where a gun and a module have no contactor, -1 picks the False appended to every reading.
        numbers = {pair: number for number, pair in enumerate(self._built.contactors)}
        self._numbers = [
            [numbers.get((gun, module), -1) for gun in range(len(station.guns))]
            for module in range(len(station.modules))
        ]

    def observed(
        self,
        lines: LineReading,
        bank: BankReading,
        stop_pressed: bool,
        begun_ms: int,
        elapsed_ms: int,
        scans: int,
    ) -> Observed:
        """What was read since then, `elapsed_ms` and so many scans after the last time."""
        latch, closed, again = (
            (*self.decoded(words), False) for words in (bank.latch, bank.closed, bank.closed_again)
        )
        return Observed(
            modules=[
                Readings(
                    valid=wiring.valid(ops, bank.answered, carriers),
                    enabled=lines.enabled[module],
                    reports_on=lines.reports_on[module],
                    latch=[latch[k] for k in numbers],
                    closed=[closed[k] for k in numbers],
                    closed_again=[again[k] for k in numbers],
                )
                for module, (numbers, carriers) in enumerate(
                    zip(self._numbers, self._built.carriers, strict=True)
                )
            ],
            line_high=lines.high,
            contacts_read=bank.seen,
            coils_doubted=bank.doubted,
            obeyed=list(map(ops.and_, bank.answered, bank.heeded)),
            misconfigured=bank.lost,
            stop_pressed=stop_pressed,
            begun_ms=begun_ms,
            elapsed_ms=elapsed_ms,
            scans=scans,
        )

    def carry(self, effects: Sequence[Effect]) -> Any:
        """Carry these effects out, in their order; what the last one was answered."""
        answer: Any = None
        for effect in effects:
            answer = self._carriers[type(effect)](*effect)
        return answer

    def _write(self, words: tuple[Word, ...], close_until_ms: int) -> list[bool]:
        """Write these words, later without what closes; by expander, whether that is verified."""
        unverified = self._bank.write(_numbers(words), close_until_ms / 1000)
        return [position not in unverified for position in range(len(words))]

    def _abandon(self, expanders: Sequence[bool]) -> None:
        """Ask nothing more of the coils of these expanders."""
        for position, lost in enumerate(expanders):
            if lost:
                self._bank.abandon(position)

    def _configure(self, expanders: Sequence[bool]) -> None:
        """Configure these expanders anew."""
        for position, due in enumerate(expanders):
            if due:
                self._bank.configure(position)

    def _disable(self, modules: Sequence[bool]) -> None:
        """Drop the enable lines of these modules."""
        for module, falls in enumerate(modules, start=1):
            if falls:
                self._lines.disable(module)

    def _enable(self, modules: Sequence[bool], until_ms: int) -> None:
        """Raise the enable lines of these modules, unless it is later."""
        for module, rises in enumerate(modules, start=1):
            if rises:
                self._lines.enable(module, until_ms / 1000)

    def contact(self, number: int) -> bool | None:
        """One quick look at the auxiliary contact of the contactor of this number, to time its
        motion; None: not answered."""
        place = wiring.place(number)
        word = self._bank.contacts(place.expander)
        return None if word is None else bool(word >> place.bit & 1)

    def wait_until_off(self, timing: Timing, scan_ms: int) -> tuple[bool, ...]:
        """Wait until no module is on and no current can flow, for a bounded time. The enable lines
        are low already: claiming them made them so. Returns which modules report on."""
        off_ms = waited_ms = 0
        while not switching.may_start(ops, timing, off_ms, waited_ms):
            clock.sleep_s(scan_ms / 1000)
            on = any(self._lines.read().reports_on)
            off_ms, waited_ms = 0 if on else off_ms + scan_ms, waited_ms + scan_ms
        return self._lines.read().reports_on


@lru_cache
def _numbers(words: tuple[Word, ...]) -> tuple[int, ...]:
    """These words as numbers, GPA0 the lowest bit."""
    return tuple(sum(1 << bit for bit, coil in enumerate(word) if coil) for word in words)


def _coils(numbers: tuple[int, ...], contactors: int) -> tuple[bool, ...]:
    """By contactor, what the words hold that are these numbers."""
    bits = range(wiring.BITS_PER_WORD)
    return wiring.coils([tuple(bool(n >> bit & 1) for bit in bits) for n in numbers], contactors)
