"""Scans in which one contactor is wanted by hand, or none: of the walk and of the proof tests.

What may switch is decided by the acts that run in the charger (`kernel.scan`), and what may be
taken away by `kernel.proof_test`. Each begins with what the last one left but faults, stops and
offers: the next part is tested all the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hardware import clock
from hardware.contactors import ContactorController
from hardware.layout import Expander
from hardware.modules import LineReading, PowerModuleController
from hardware.supervision import Supervision
from verified_alloc.control import clearing
from verified_alloc.control.fault_kinds import bits_of
from verified_alloc.control.wires import Wires
from verified_alloc.kernel import ops, proof_test, scan, wiring
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.latched import Latched
from verified_alloc.kernel.proof_test import Cut
from verified_alloc.kernel.scan import Memory, Observed, Orders, Wanted
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

NOTHING_CUT = Cut(starve=False, reset=False)


class Asked(NamedTuple):
    """What a scan is to do, as far as it may."""

    wanted: Pair | None = None
    enable: bool = False
    """The module of that contactor is enabled, unless the emergency stop is pressed."""
    cut: Cut = NOTHING_CUT
    configure: bool = False
    """Expanders that do not answer as configured are configured anew, once every module rests."""
    inspect: bool = False
    """First see which expanders have been reset."""


class Look(NamedTuple):
    """What it saw and did."""

    at_ms: int
    lines: LineReading
    observed: Observed
    stop_pressed: bool
    closed: frozenset[Pair]
    """Contacts that both readings show closed,"""
    glimpsed: frozenset[Pair]
    """and those that one of them does."""
    answered: tuple[bool, ...]
    """By position."""
    after_reset: frozenset[Expander]
    """Expanders as a reset leaves them; none if that was not asked."""
    coils: tuple[bool, ...]
    """As written by it,"""
    before: tuple[bool, ...]
    """and as they were."""
    written_s: tuple[float, float]
    """When the writes began and ended."""
    cut: Cut
    """What was taken away in its end."""
    locked: tuple[bool, ...]
    """By gun."""


class ManualScan:
    """Scans of this station, `period_ms` apart, on wires that nobody else scans meanwhile."""

    def __init__(
        self,
        station: Station,
        bank: ContactorController,
        lines: PowerModuleController,
        supervision: Supervision,
        period_ms: int,
    ) -> None:
        self._station = station
        self._bank = bank
        self._lines = lines
        self._supervision = supervision
        self._period_ms = period_ms
        self._cut = NOTHING_CUT
        self.wires = Wires(
            station,
            bank,
            lines,
            supervision,
            {
                scan.Lower: _nobody_hears,
                scan.Publish: _nobody_hears,
                scan.Pet: self._pet,
                scan.Reset: self._reset,
                scan.Configure: _found_not_mended,
            },
        )
        self._no_faults = Latched(**bits_of(frozenset(), station))
        self._memory = scan.restarted(station.built, self._no_faults)
        self._orders = Orders(False, [False for _ in station.guns], 0)
        self._last_ms = self._fed_ms = _now_ms()

    def look(self, asked: Asked) -> Look:
        """One scan."""
        now_ms, built = _now_ms(), self._station.built
        elapsed_ms, self._last_ms = now_ms - self._last_ms, now_ms
        after_reset = self._bank.as_after_reset() if asked.inspect else frozenset()
        lines = self._lines.read()
        stop_pressed = self._supervision.stopped
        bank = self._bank.read(self._period_ms / 1000)
        observed = self.wires.observed(lines, bank, False, now_ms, elapsed_ms, 1)
        memory, _ = scan.diagnose(ops, built, self._forgetful(), observed, self._orders)
        locked = tuple(scan.locked(ops, memory))
        target = self._station.grid([] if asked.wanted is None else [asked.wanted])
        to_close = Wanted(target, [0 for _ in self._station.guns])
        memory, switched, _ = scan.switch(ops, built, memory, observed, self._orders, to_close)
        if stop_pressed or not asked.enable:
            switched = switched._replace(writes=proof_test.disabled(switched.writes))
        falls, words = scan.moves(ops, built, observed, switched.writes)
        self.wires.carry([falls])
        begun_s = clock.now_s()
        verified = self.wires.carry([words])
        written_s = (begun_s, clock.now_s())
        memory, effects = scan.conclude(
            ops, built, memory, observed, self._orders, to_close, switched, verified
        )
        self.wires.carry(effects)
        left = self._lines.read()
        memory, effects = scan.look_back(
            ops, built, memory, observed, left.enabled, left.reports_on, left.high
        )
        unfed_ms = _now_ms() - self._fed_ms + self._period_ms
        self._cut = proof_test.cut(ops, built, memory, asked.cut, unfed_ms)
        self.wires.carry(effects)
        if asked.configure and proof_test.rests(ops, built, memory):
            for position, answers in enumerate(bank.answered):
                if not answers and self._bank.configure(position):
                    memory = clearing.expander(memory, position)
        self._memory = memory
        first, again = self.wires.decoded(bank.closed), self.wires.decoded(bank.closed_again)
        looks = list(zip(self._station.contactors, first, again, strict=True))
        return Look(
            at_ms=now_ms,
            lines=lines,
            observed=observed,
            stop_pressed=stop_pressed,
            closed=frozenset(pair for pair, closed, still in looks if closed and still),
            glimpsed=frozenset(pair for pair, closed, still in looks if closed or still),
            answered=bank.answered,
            after_reset=after_reset,
            coils=wiring.coils(words.words, len(looks)),
            before=self.wires.decoded(bank.latch),
            written_s=written_s,
            cut=self._cut,
            locked=locked,
        )

    def _forgetful(self) -> Memory:
        """No fault, stop or offer is remembered, nor what has been done about lost expanders."""
        nothing = scan.restarted(self._station.built, self._no_faults)
        return self._memory._replace(
            latched=self._no_faults,
            stray=nothing.stray,
            healing=nothing.healing,
            stop_ms=NOT_SO,
            stopping_ms=NOT_SO,
            offers=[none._replace(promise_w=0) for none in nothing.offers],
        )

    def _pet(self, due: bool) -> None:
        if due and not self._cut.starve:
            self._supervision.pet(due)
            self._fed_ms = _now_ms()

    def _reset(self, low: bool) -> None:
        """Only as asked: that no expander answers is found, not mended."""
        self._supervision.reset(self._cut.reset)


def _nobody_hears(*_: object) -> None:
    """No gun is offered anything."""


def _found_not_mended(_: Sequence[bool]) -> None:
    """A lost expander is configured anew where that is asked."""


def _now_ms() -> int:
    return round(clock.now_s() * 1000)
