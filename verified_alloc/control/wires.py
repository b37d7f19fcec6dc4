"""A station's lines and expanders as the kernel sees them: modules, each with its contactors."""

from collections.abc import Sequence
from functools import lru_cache, partial

from hardware import clock
from hardware.contactors import BankReading, ContactorController
from hardware.layout import Layout
from hardware.modules import LineReading, PowerModuleController
from verified_alloc.kernel import ops, switching, wiring
from verified_alloc.kernel.diagnosis import Readings, Timing
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station

_KEPT = 1024
"""So many images of the bank are decoded, and as many encoded, only once: at rest all are alike."""


def layout_of(station: Station) -> Layout:
    """Where the wires of this station go."""
    return Layout(**vars(station.hardware))


def bank_of(station: Station) -> ContactorController:
    """The bank that carries this station's contactors."""
    pins_in_use = _words((True,) * len(station.contactors))
    return ContactorController(layout_of(station), pins_in_use, station.timing.scan_ms)


class Wires:
    """Turns what was read into readings of modules, and what is decided into the words that the
    bank carries. Guns and modules are counted from 0."""

    def __init__(
        self, station: Station, bank: ContactorController, lines: PowerModuleController
    ) -> None:
        self.bank = bank
        self.lines = lines
        self._contactors = station.contactors
        self.decoded = lru_cache(_KEPT)(partial(_coils, contactors=len(station.contactors)))
        """By contactor, what these words hold, given by position."""
        self._encoded = lru_cache(_KEPT)(_words)
        # Where a gun and a module have no contactor, -1 picks the False appended to every reading.
        numbers = {pair: number for number, pair in enumerate(station.contactors)}
        self._numbers = [
            [numbers.get((gun.id, module.id), -1) for gun in station.guns]
            for module in station.modules
        ]
        self.carried = [[k for k in numbers if k >= 0] for numbers in self._numbers]
        """By module, the numbers of its contactors."""

    def readings(self, lines: LineReading, bank: BankReading) -> list[Readings]:
        """What was read of each module."""
        latch = (*self.decoded(bank.latch), False)
        closed = (*self.decoded(bank.closed), False)
        again = (*self.decoded(bank.closed_again), False)
        return [
            Readings(
                valid=wiring.valid(ops, bank.answered, self.carried[module]),
                enabled=lines.enabled[module],
                reports_on=lines.reports_on[module],
                latch=[latch[k] for k in numbers],
                closed=[closed[k] for k in numbers],
                closed_again=[again[k] for k in numbers],
            )
            for module, numbers in enumerate(self._numbers)
        ]

    def coils(self, bank: BankReading, writes: Sequence[Writes]) -> tuple[bool, ...]:
        """The coils to write, by contactor: of modules that may not switch, as their latch is."""
        return wiring.next_coils(
            ops,
            [writes[module - 1].may_switch for _, module in self._contactors],
            [writes[module - 1].coils[gun - 1] for gun, module in self._contactors],
            self.decoded(bank.latch),
        )

    def write(self, coils: tuple[bool, ...], expanders: int) -> list[bool]:
        """Write and verify the coils; by module, whether all expanders that carry it are as
        commanded."""
        unverified = self.bank.write(self._encoded(coils))
        verified = [position not in unverified for position in range(expanders)]
        return [wiring.valid(ops, verified, carried) for carried in self.carried]

    def contact(self, number: int) -> bool | None:
        """One quick look at the auxiliary contact of the contactor of this number, to time its
        motion; None: not answered."""
        position = wiring.place(number).expander
        word = self.bank.contacts(position)
        if word is None:
            return None
        image = [0] * wiring.expanders(len(self._contactors))
        image[position] = word
        return self.decoded(tuple(image))[number]

    def disable(self, lines: LineReading, keep: Sequence[bool]) -> None:
        """Drop the enable lines that are high, or told to be, and shall not be."""
        for module, (was, stays) in enumerate(zip(lines.enabled, keep, strict=True), start=1):
            if was and not stays:
                self.lines.disable(module)

    def enable(self, lines: LineReading, on: Sequence[bool]) -> None:
        """Raise the enable lines that shall be high and are not."""
        for module, (is_high, shall) in enumerate(zip(lines.high, on, strict=True), start=1):
            if shall and not is_high:
                self.lines.enable(module)

    def wait_until_off(self, timing: Timing, scan_ms: int) -> tuple[bool, ...]:
        """Wait until no module is on and no current can flow, for a bounded time. The enable lines
        are low already: claiming them made them so. Returns which modules report on."""
        off_ms = waited_ms = 0
        while off_ms < timing.current_decay_ms and not switching.is_overdue(timing, waited_ms):
            clock.sleep_s(scan_ms / 1000)
            waited_ms += scan_ms
            off_ms = 0 if any(self.lines.read().reports_on) else off_ms + scan_ms
        return self.lines.read().reports_on


def _words(coils: tuple[bool, ...]) -> tuple[int, ...]:
    """By position, the words that carry these coils, GPA0 the lowest bit."""
    return tuple(
        sum(1 << bit for bit, coil in enumerate(word) if coil) for word in wiring.words(coils)
    )


def _coils(words: tuple[int, ...], contactors: int) -> tuple[bool, ...]:
    """The inverse."""
    bits = range(wiring.BITS_PER_WORD)
    image = [tuple(bool(word >> bit & 1) for bit in bits) for word in words]
    return wiring.coils(image, contactors)
