"""The bank of expanders that drives the contactors' coils and reads their auxiliary contacts. It
carries words; which contactor is on which pin, it does not know.

What it guarantees while one transfer goes wrong in any way (not acknowledged, timed out, a bit
flipped, a word landed on another chip or nowhere): a wrong coil word stands no longer than it
takes to see it and to write the right one again, about a millisecond; nothing is believed that
only a single reading showed; and what does not come right within a few tries is reported.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from math import inf
from typing import NamedTuple

import smbus2

from hardware import DeviceLost, HardwareError, clock
from hardware.expanders import RETRIES, Chip, FeedbackChip, OutputChip
from hardware.i2c_bus import open_bus
from hardware.layout import Expander, Layout
from hardware.mcp23017 import ALL_PINS, MCP23017, Bus, as_after_reset
from hardware.repair import Repair

# All registers of every chip are looked over at least this often; some in each scan.
_SCRUB_MS = 500

_ADDRESSES = range(0x20, 0x28)  # all that an MCP23017 can be strapped to

# For so many scans a contact in motion may read otherwise than its coil is: one fewer than the
# kernel needs at the least to accuse it (`diagnosis.explained_mismatch`).
_IN_MOTION_SCANS = 3

_EVENTS_KEPT = 1000


class BankReading(NamedTuple):
    """One look at the bank. Positions: the expanders as listed, as far as pins of them are in use.
    A word is 16 bits, GPA0 the lowest; pins that are not in use say nothing.

    Of a position that is not answered, the latch is as last known and the contacts are as read
    last; neither says anything, but for the contacts where they are `seen`.
    """

    answered: tuple[bool, ...]
    """By position: output chip and feedback chip both gave valid readings in this scan."""
    seen: tuple[bool, ...]
    """By position: the contacts were read twice, whatever the coils' expander says."""
    heeded: tuple[bool, ...]
    """By position: what was last written has been verified."""
    doubted: tuple[bool, ...]
    """By position: a write has gone wrong, and nothing since has shown what the coils are."""
    lost: tuple[bool, ...]
    """By position: the registers are not as configured; `configure` it once all on it is off."""
    latch: tuple[int, ...]
    """By position, a word: the coils' latches, verified."""
    closed: tuple[int, ...]
    """By position, a word: 1 = the auxiliary contact shows the main contact closed."""
    closed_again: tuple[int, ...]
    """The same, from a second transfer later in the scan."""


class BusEvent(NamedTuple):
    """Something on the bus that should not be."""

    at_s: float
    kind: str
    """no answer | answers again | odd reading | write not verified | rewritten | latch changed |
    lost"""
    bus: int
    address: int


_Look = tuple[Chip, Callable[[], bool]]


class ContactorController:
    """The coils and auxiliary contacts on the expanders of this layout.

    pins_in_use: by position, a word with the pins that contactors are on; expanders at further
    positions are left alone. First `open` it, then `start` it. For one thread. Raises HardwareError
    for more positions than there are expanders.

    events: the latest oddities; counts: how many of each kind there were.
    """

    def __init__(self, layout: Layout, pins_in_use: Sequence[int], scan_ms: int) -> None:
        needed = len(pins_in_use)
        fitted = min(len(layout.output_expanders), len(layout.feedback_expanders))
        if needed > fitted:
            raise HardwareError(
                f"pins of {needed} expanders are in use: the layout has {fitted} that drive coils"
                " and read their contacts"
            )
        self.events: deque[BusEvent] = deque(maxlen=_EVENTS_KEPT)
        self.counts: Counter[str] = Counter()
        self._layout = layout
        self._pins_in_use = tuple(pins_in_use)
        self._buses: dict[int, smbus2.SMBus] = {}
        self._outputs: list[OutputChip] = []
        self._feedback: list[FeedbackChip] = []
        self._looks: list[_Look] = []
        self._repairs: dict[Bus, Repair] = {}
        self._scrubbed = 0  # looked over so far, all chips counted round and round
        self._scrub_each_scan = scrubs_each_scan(needed, scan_ms)
        self._reads = 0
        self._odd_scans = [0] * needed

    @property
    def transactions(self) -> int:
        """Transfers (`i2c_rdwr` calls) since it was started."""
        return sum(chip.device.transactions for chip in self._chips())

    @property
    def wire_bytes(self) -> int:
        """Bytes of those transfers, address bytes included."""
        return sum(chip.device.wire_bytes for chip in self._chips())

    @property
    def scrub_scans(self) -> int:
        """In so many scans every chip is looked over."""
        return -(-2 * len(self._pins_in_use) // self._scrub_each_scan)

    # From opening to closing.

    def open(self) -> None:
        """Take the buses; touches no chip. Raises DeviceLost if one cannot be opened, or is held by
        another process."""
        try:
            for number in self._layout.i2c_buses:
                self._buses[number] = open_bus(number)
        except DeviceLost:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the buses. The latches keep what they hold."""
        for bus in self._buses.values():
            bus.close()

    def start(self) -> None:
        """Get to know every chip, with all modules off and their currents gone.

        A chip whose registers are as expected keeps its latches. Any other that answers is
        cleared and configured. One that does not answer is left out; back later, it is lost.
        """
        layout, buses = self._layout, self._buses
        notes = {number: partial(self._note, number) for number in buses}
        self._outputs = [
            OutputChip(MCP23017(buses[bus], address), notes[bus], pins)
            for (bus, address), pins in zip(
                layout.output_expanders, self._pins_in_use, strict=False
            )
        ]
        self._feedback = [
            FeedbackChip(MCP23017(buses[bus], address), notes[bus])
            for bus, address in layout.feedback_expanders[: len(self._pins_in_use)]
        ]
        self._repairs = {
            bus: Repair(
                [chip for chip in self._outputs if chip.device.bus is bus],
                [chip for chip in self._feedback if chip.device.bus is bus],
            )
            for bus in buses.values()
        }
        self._looks = [
            *((chip, chip.look) for chip in self._feedback),
            *((chip, chip.look) for chip in self._outputs),
            *((chip, chip.look_again) for chip in self._feedback),
        ]
        for chip in self._chips():
            registers = chip.settled_registers()
            if registers is not None and not chip.adopt(registers):
                self._configure(chip)

    def configure(self, position: int) -> bool:
        """Clear, configure and verify both chips of a position, with everything on it off. One that
        is silent is not waited for.

        True: both are in service, all latches 0. Otherwise what failed stays as it was reported.
        """
        output, feedback = self._outputs[position], self._feedback[position]
        output.abandoned = False
        done = [chip.is_there() and self._configure(chip) for chip in (output, feedback)]
        if not all(done):
            return False
        output.unverified = output.doubted = False
        return True

    def abandon(self, position: int) -> None:
        """Ask nothing of this position's coils any more, until they are configured. Its contacts
        are read as long as they answer, and now and then tried when they do not: a contactor that
        closes all the same still shows."""
        self._outputs[position].abandoned = True

    # The scan: reading.

    def read(self, patience_s: float, scans: int = 1) -> BankReading:
        """Look at every chip: at the latches once, at the contacts twice, and in turn at all
        registers of some; `scans` were due since the last one. Never raises OSError.

        What went wrong is tried again when everything else has been read. A chip that failed
        last time comes last and is given up when it is silent, and before it the others of its
        bus. Once transfers that fail have taken `patience_s`, what is not read is not answered;
        that the computer stood still is no reason not to read on.
        """
        self._lost_s = 0.0  # to transfers that failed, in this scan
        sound: list[_Look] = []
        suspects: list[_Look] = []
        given_up = self._given_up()
        for chip in self._chips():
            chip.begin_scan()
        for look in (*self._looks, *self._scrub(scans)):
            chip = look[0]
            if not chip.abandoned and chip not in given_up:
                (suspects if chip.suspect else sound).append(look)
        if suspects:
            hanging = {look[0].device.bus for look in suspects}
            sound.sort(key=lambda look: look[0].device.bus in hanging)
        self._take(sound, 1 + RETRIES, patience_s)
        if suspects:
            self._take(suspects, 1 + RETRIES, patience_s, patient=False)
        if given_up and self._lost_s < patience_s:
            self._try_again(given_up[self._reads % len(given_up)])
        self._reads += 1
        for output in self._outputs:
            output.doubted &= not output.answered
        pairs = list(zip(self._outputs, self._feedback, strict=True))
        self._odd_scans = [
            min(before + 1, _IN_MOTION_SCANS) if (output.word ^ feedback.pins) & pins else 0
            for (output, feedback), pins, before in zip(
                pairs, self._pins_in_use, self._odd_scans, strict=True
            )
        ]
        return BankReading(
            tuple(
                output.answered and feedback.answered and not (output.lost or feedback.lost)
                for output, feedback in pairs
            ),
            tuple(feedback.answered for feedback in self._feedback),
            tuple(not output.unverified for output in self._outputs),
            tuple(output.doubted for output in self._outputs),
            tuple(output.lost or feedback.lost for output, feedback in pairs),
            tuple(output.word for output in self._outputs),
            tuple(feedback.pins for feedback in self._feedback),
            tuple(feedback.pins_again for feedback in self._feedback),
        )

    def _scrub(self, scans: int) -> list[_Look]:
        """The chips whose turn it is to be looked over, and before any contactor is accused by one,
        in turn those that read contacts otherwise than their coils are for longer than a motion."""
        chips = [*self._outputs, *self._feedback]
        self._scrubbed += scans * self._scrub_each_scan
        turns = range(self._scrubbed, self._scrubbed + self._scrub_each_scan)
        due: list[Chip] = [chips[turn % len(chips)] for turn in turns]
        odd = [
            feedback
            for feedback, odd_scans in zip(self._feedback, self._odd_scans, strict=True)
            if odd_scans >= _IN_MOTION_SCANS
        ]
        due += odd[self._reads % len(odd) :][:1] if odd else []
        return [(chip, chip.look_over) for chip in due]

    def _take(
        self, looks: list[_Look], rounds: int, patience_s: float, patient: bool = True
    ) -> None:
        """Take these looks, and what failed again in further rounds; not patient: a chip that is
        silent once is not asked again. A bus with a silent chip may hang, and each transfer on it
        take its 10 ms: the other buses come first from then on."""
        for _ in range(rounds):
            again: list[_Look] = []
            silent: set[Chip] = set()
            waiting = deque(looks)
            while waiting:
                if self._lost_s >= patience_s:
                    return
                chip, look = waiting.popleft()
                if chip in silent or chip.lost:
                    again.append((chip, look))
                    continue
                begun_s = clock.now_s()
                try:
                    done = look()
                except OSError:
                    self._lost_s += clock.now_s() - begun_s
                    chip.note("no answer")
                    silent.add(chip)
                    bus = chip.device.bus
                    waiting = deque(sorted(waiting, key=lambda other: other[0].device.bus is bus))
                    done = False
                if not done:
                    again.append((chip, look))
                chip.suspect = not done
            looks = [(chip, look) for chip, look in again if patient or chip not in silent]

    def _given_up(self) -> list[FeedbackChip]:
        """Of abandoned positions, those whose contacts did not answer when they were last read."""
        return [
            feedback
            for output, feedback in zip(self._outputs, self._feedback, strict=True)
            if output.abandoned and feedback.suspect
        ]

    def _try_again(self, chip: FeedbackChip) -> None:
        """One transfer, and silence is no news. If it is answered, the next scan reads the chip."""
        with suppress(OSError):
            if chip.answers():
                chip.suspect = False
                chip.note("answers again")

    # Between scans: measuring.

    def contacts(self, position: int) -> int | None:
        """One quick look at a position's contacts, a word; None: not answered. To time their
        motion, not to decide by."""
        try:
            reading = self._feedback[position].device.read_pins()
        except OSError:
            return None
        return reading.pins if reading.pull_ups == ALL_PINS else None

    def in_service(self) -> dict[Expander, bool]:
        """By expander: it answered and is configured."""
        return {expander: chip.in_service for expander, chip in self._expanders()}

    def as_after_reset(self) -> frozenset[Expander]:
        """The bank's expanders whose registers are those of one that was reset."""
        found = set()
        for expander, chip in self._expanders():
            with suppress(OSError):
                if as_after_reset(chip.device.read_registers()):
                    found.add(expander)
        return frozenset(found)

    def answering(self) -> set[Expander]:
        """Expanders that answer, this bank's or not. Reads only."""
        found = set()
        for (number, bus), address in product(self._buses.items(), _ADDRESSES):
            with suppress(OSError):
                MCP23017(bus, address).read_registers()
                found.add((number, address))
        return found

    # The scan: writing.

    def write(self, words: Sequence[int], close_until_s: float = inf) -> frozenset[int]:
        """Make the coils' latches, by position, these words; returns positions not verified. After
        that time (of `hardware.clock`) no further write closes anything; what it opens, it opens.

        Only words that differ from the verified latches are written, each verified at once. As
        soon as one is not, it is written again, and every output chip of its bus in service is
        verified, because the word may have landed on another. A position out of service is not
        touched, and returned if its coils should change.
        """
        for repair in self._repairs.values():
            repair.begin()
        for chip in self._outputs:
            chip.unverified = False
        for chip, commanded in zip(self._outputs, words, strict=True):
            word = commanded if clock.now_s() <= close_until_s else commanded & chip.word
            if word != chip.word and not self._repairs[chip.device.bus].change(chip, word):
                chip.unverified = True
        return frozenset(position for position, chip in enumerate(self._outputs) if chip.unverified)

    # Small things.

    def _chips(self) -> Iterator[Chip]:
        yield from self._outputs
        yield from self._feedback

    def _configure(self, chip: Chip) -> bool:
        return self._repairs[chip.device.bus].configure(chip)

    def _expanders(self) -> Iterator[tuple[Expander, Chip]]:
        yield from zip(self._layout.output_expanders, self._outputs, strict=False)
        yield from zip(self._layout.feedback_expanders, self._feedback, strict=False)

    def _note(self, bus: int, kind: str, address: int) -> None:
        self.counts[kind] += 1
        self.events.append(BusEvent(clock.now_s(), kind, bus, address))


def scrubs_each_scan(positions: int, scan_ms: int) -> int:
    """How many chips of so many positions each scan looks over."""
    return -(-2 * positions // max(1, _SCRUB_MS // scan_ms))
