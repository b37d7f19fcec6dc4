"""The bank of expanders that drives the contactors' coils and reads their auxiliary contacts.

What it guarantees while one transfer goes wrong in any way (not acknowledged, timed out, a bit
flipped, a word landed on another chip or nowhere): a wrong coil word stands no longer than it
takes to see it and to write the right one again, about a millisecond; nothing is believed that
only a single reading showed; and what does not come right within a few tries is reported.
"""

import fcntl
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from math import inf
from typing import NamedTuple

import smbus2
import smbus2.smbus2

from hardware import DeviceLost, HardwareError, clock
from hardware.expanders import Chip, FeedbackChip, OutputChip
from hardware.mcp23017 import ALL_PINS, MCP23017, OutputReading, Shown, configured_as, latches
from verified_alloc.kernel.wiring import CONTACTORS_PER_EXPANDER, expanders, place

# Linux i2c-dev: how long the adapter waits for a chip, in units of 10 ms. Else bcm2835 waits 1 s.
_I2C_TIMEOUT = 0x0702
_TIMEOUT_10_MS = 1

# After the first failed verify no try begins later than this: two timed-out transfers (10 ms each)
# and verifying the bank fit in. What is not verified by then is reported.
_RECOVERY_S = 0.025

# A pin that a corrupted write of ours has just turned into an input may drive its coil again as
# long as the contactor cannot have moved: below the 5 ms that a contactor takes at the least.
_UNMOVED_S = 0.004

# All registers of every chip are looked over at least this often; some in each scan.
_SCRUB_MS = 500

_ADDRESSES = range(0x20, 0x28)  # all that an MCP23017 can be strapped to

_EVENTS_KEPT = 1000


class BankReading(NamedTuple):
    """One look at the bank. Positions: the expanders as listed, as far as contactors are on them.

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
    latch: tuple[bool, ...]
    """By contactor: the coil's latch, verified."""
    closed: tuple[bool, ...]
    """By contactor: the auxiliary contact shows the main contact closed."""
    closed_again: tuple[bool, ...]
    """The same, from a second transfer later in the scan."""


class BusEvent(NamedTuple):
    """Something on the bus that should not be."""

    at_s: float
    kind: str
    """no answer | answers again | odd reading | write not verified | rewritten | latch changed |
    lost"""
    address: int


_Look = tuple[Chip, Callable[[], bool]]


class ContactorController:
    """The coils and auxiliary contacts of these contactors, (gun, module) in wiring order.

    First `open` it, then `start` it. For one thread. Raises HardwareError for more contactors
    than the expanders have pins.

    events: the latest oddities; counts: how many of each kind there were.
    """

    READ_RETRIES = 2
    """Further tries of a reading or a write that went wrong, in one scan."""

    def __init__(
        self,
        contactors: Sequence[tuple[int, int]],
        output_addresses: Sequence[int],
        feedback_addresses: Sequence[int],
        i2c_bus: int,
        scan_ms: int = 20,
    ) -> None:
        needed = expanders(len(contactors))
        fitted = min(len(output_addresses), len(feedback_addresses))
        if needed > fitted:
            raise HardwareError(
                f"{len(contactors)} contactors: {fitted} output and feedback expanders "
                f"carry {fitted * CONTACTORS_PER_EXPANDER}"
            )
        self.events: deque[BusEvent] = deque(maxlen=_EVENTS_KEPT)
        self.counts: Counter[str] = Counter()
        self._i2c_bus = i2c_bus
        self._addresses = list(zip(output_addresses, feedback_addresses, strict=False))[:needed]
        self._places = [place(number) for number in range(len(contactors))]
        self._bits = [
            tuple(at.bit for at in self._places if at.expander == position)
            for position in range(needed)
        ]
        self._bus: smbus2.SMBus | None = None
        self._outputs: list[OutputChip] = []
        self._feedback: list[FeedbackChip] = []
        self._looks: list[_Look] = []
        self._scrubbed = 0  # looked over so far, all chips counted round and round
        self._scrub_each_scan = scrubs_each_scan(needed, scan_ms)
        self._reads = 0
        self._abandoned: set[Chip] = set()
        self._unverified: set[Chip] = set()
        self._doubted: set[Chip] = set()
        self._failed_at_s = inf  # the first failed verify in the call under way

    @property
    def transactions(self) -> int:
        """Transfers (`i2c_rdwr` calls) since it was opened."""
        return sum(chip.device.transactions for chip in self._chips())

    @property
    def wire_bytes(self) -> int:
        """Bytes of those transfers, address bytes included."""
        return sum(chip.device.wire_bytes for chip in self._chips())

    @property
    def scrub_scans(self) -> int:
        """In so many scans every chip is looked over."""
        return -(-2 * len(self._addresses) // self._scrub_each_scan)

    # From opening to closing.

    def open(self) -> None:
        """Take the bus; touches no chip. Raises DeviceLost if it cannot be opened, or is held by
        another process."""
        name = f"I2C bus {self._i2c_bus} (/dev/i2c-{self._i2c_bus})"
        try:
            bus = smbus2.SMBus(self._i2c_bus)
        except OSError as error:
            raise DeviceLost(f"{name}: {error.strerror or error}") from error
        if not _locked(bus):
            bus.close()
            raise DeviceLost(f"{name}: held by another process; a station that runs?")
        _shorten_timeout(bus)
        self._bus = bus
        self._outputs = [OutputChip(MCP23017(bus, at), self._note) for at, _ in self._addresses]
        self._feedback = [FeedbackChip(MCP23017(bus, at), self._note) for _, at in self._addresses]
        self._looks = [
            *((chip, chip.look) for chip in self._feedback),
            *((chip, chip.look) for chip in self._outputs),
            *((chip, chip.look_again) for chip in self._feedback),
        ]
        self._abandoned.clear()

    def close(self) -> None:
        """Let go of the bus. The latches keep what they hold."""
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def start(self) -> None:
        """Get to know every chip, with all modules off and their currents gone.

        A chip whose registers are as expected keeps its latches. Any other that answers is
        cleared and configured. One that does not answer is left out; back later, it is lost.
        """
        self._abandoned.clear()
        self._doubted.clear()
        for chip in self._chips():
            chip.known = chip.lost = False
        for output, bits in zip(self._outputs, self._bits, strict=True):
            output.word = 0
            image = self._settled_image(output, outputs=True)
            if image is not None:
                word = latches(image)
                if configured_as(image, outputs=True) and not word & ~_mask(bits):
                    output.word = word
                    output.enter_service()
                else:
                    self._configure(output, output.device.configure_outputs)
            output.suspect = not output.in_service
        for feedback in self._feedback:
            image = self._settled_image(feedback, outputs=False)
            if image is not None:
                if configured_as(image, outputs=False):
                    feedback.enter_service()
                else:
                    self._configure(feedback, feedback.device.configure_inputs)
            feedback.suspect = not feedback.in_service

    def configure(self, position: int) -> bool:
        """Clear, configure and verify both chips of a position, with everything on it off.

        True: both are in service, all latches 0. Otherwise what failed stays as it was reported.
        """
        output, feedback = self._outputs[position], self._feedback[position]
        self._abandoned.discard(output)
        output.word = 0
        return all(
            [
                self._configure(output, output.device.configure_outputs),
                self._configure(feedback, feedback.device.configure_inputs),
            ]
        )

    def abandon(self, position: int) -> None:
        """Ask nothing of this position's coils any more, until they are configured. Its contacts
        are read as long as they answer, and now and then tried when they do not: a contactor that
        closes all the same still shows."""
        self._abandoned.add(self._outputs[position])

    # The scan: reading.

    def read(self, deadline_s: float, scans: int = 1) -> BankReading:
        """Look at every chip: at the latches once, at the contacts twice, and in turn at all
        registers of some; `scans` were due since the last one. Never raises OSError.

        What went wrong is tried again when everything else has been read. A chip that failed
        last time comes last and is given up when it is silent. What is not read by `deadline_s`
        (of `hardware.clock`) is not answered.
        """
        sound: list[_Look] = []
        suspects: list[_Look] = []
        given_up = self._given_up()
        for chip in self._chips():
            chip.begin_scan()
        for look in (*self._looks, *self._scrub(scans)):
            chip = look[0]
            if not chip.lost and chip not in self._abandoned and chip not in given_up:
                (suspects if chip.suspect else sound).append(look)
        self._take(sound, 1 + self.READ_RETRIES, deadline_s)
        if suspects:
            self._take(suspects, 1 + self.READ_RETRIES, deadline_s, patient=False)
        if given_up and clock.now_s() < deadline_s:
            self._try_again(given_up[self._reads % len(given_up)])
        self._reads += 1
        self._doubted -= {output for output in self._outputs if output.answered}
        pairs = list(zip(self._outputs, self._feedback, strict=True))
        return BankReading(
            tuple(output.answered and feedback.answered for output, feedback in pairs),
            tuple(feedback.answered for feedback in self._feedback),
            tuple(output not in self._unverified for output in self._outputs),
            tuple(output in self._doubted for output in self._outputs),
            tuple(output.lost or feedback.lost for output, feedback in pairs),
            self._by_contactor([output.word for output in self._outputs]),
            self._by_contactor([feedback.pins for feedback in self._feedback]),
            self._by_contactor([feedback.pins_again for feedback in self._feedback]),
        )

    def _scrub(self, scans: int) -> list[_Look]:
        """The chips whose turn it is to be looked over."""
        chips = [*self._outputs, *self._feedback]
        self._scrubbed += scans * self._scrub_each_scan
        turns = range(self._scrubbed, self._scrubbed + self._scrub_each_scan)
        return [(chip, chip.look_over) for chip in (chips[turn % len(chips)] for turn in turns)]

    def _take(
        self, looks: list[_Look], rounds: int, deadline_s: float, patient: bool = True
    ) -> None:
        """Take these looks, and what failed again in further rounds; not patient: a chip that is
        silent once is not asked again."""
        for _ in range(rounds):
            again: list[_Look] = []
            silent: set[Chip] = set()
            for chip, look in looks:
                if clock.now_s() >= deadline_s:
                    return
                if chip in silent or chip.lost:
                    again.append((chip, look))
                    continue
                try:
                    done = look()
                except OSError:
                    chip.note("no answer")
                    silent.add(chip)
                    done = False
                if not done:
                    again.append((chip, look))
                chip.suspect = not done
            looks = [
                (chip, look)
                for chip, look in again
                if not chip.lost and (patient or chip not in silent)
            ]
            if not looks:
                return

    def _given_up(self) -> list[FeedbackChip]:
        """Of abandoned positions, those whose contacts did not answer when they were last read."""
        if not self._abandoned:
            return []
        return [
            feedback
            for output, feedback in zip(self._outputs, self._feedback, strict=True)
            if output in self._abandoned and feedback.suspect
        ]

    def _try_again(self, chip: FeedbackChip) -> None:
        """One transfer, and silence is no news. If it is answered, the next scan reads the chip."""
        with suppress(OSError):
            if chip.answers():
                chip.suspect = False
                chip.note("answers again")

    # Between scans: measuring.

    def contacts(self, position: int) -> tuple[bool, ...] | None:
        """One quick look at a position's contacts, by contactor on it; None: not answered. To time
        their motion, not to decide by."""
        try:
            reading = self._feedback[position].device.read_pins()
        except OSError:
            return None
        return _pins(reading.pins, self._bits[position]) if reading.pull_ups == ALL_PINS else None

    def in_service(self) -> dict[int, bool]:
        """By address: the expander answered and is configured."""
        return {chip.device.address: chip.in_service for chip in self._chips()}

    def answering(self) -> set[int]:
        """Addresses at which an expander answers, this bank's or not. Reads only."""
        assert self._bus is not None
        found = set()
        for address in _ADDRESSES:
            with suppress(OSError):
                MCP23017(self._bus, address).read_registers()
                found.add(address)
        return found

    # The scan: writing.

    def write(self, coils: Sequence[bool]) -> frozenset[int]:
        """Make the coils, by contactor, what is asked for; returns positions not verified.

        Only words that differ from the verified latches are written, each verified at once. As
        soon as one is not, it is written again, and every output chip in service is verified,
        because the word may have landed on another. A position out of service is not touched,
        and returned if its coils should change.
        """
        self._failed_at_s = inf
        self._unverified.clear()
        for chip, word in zip(self._outputs, self._words(coils), strict=True):
            if word != chip.word and not self._change(chip, word):
                self._unverified.add(chip)
        if not self._unverified:
            return frozenset()
        return frozenset(
            position for position, chip in enumerate(self._outputs) if chip in self._unverified
        )

    def _change(self, chip: OutputChip, word: int) -> bool:
        """Bring a chip to a new word; True: verified."""
        if not chip.in_service or chip in self._abandoned or self._out_of_time():
            return False
        begun_s = clock.now_s()
        self._doubted.add(chip)
        shown = self._write_word(chip, word)
        if shown == (word, word):
            chip.word = word
            self._unverified.discard(chip)
            self._doubted.discard(chip)
            return True
        self._failed_at_s = min(self._failed_at_s, clock.now_s())
        chip.note("write not verified")
        for _ in range(0 if chip.suspect else self.READ_RETRIES):
            if shown == (chip.word, chip.word):  # it is as it was: then who has the word?
                self._verify_others(chip)
            if self._out_of_time():
                break
            shown = self._write_word(chip, word)
            if shown is not None and shown.latch == word:
                break
        if shown == (word, word):
            chip.word = word
            self._verify_others(chip)
        # A corrupted register pointer can bring the word's second byte into IODIRA, to where the
        # pointer rolls over; then the latches are right and the pins are not.
        verified = (
            shown is not None
            and shown.latch == word
            and self._restore(chip, word, word >> 8, begun_s)
            and self._restore_options(chip)
        )
        if shown != (word, word):
            self._verify_others(chip)
        chip.suspect = not verified
        if verified:
            self._unverified.discard(chip)
            self._doubted.discard(chip)
        return verified

    def _write_word(self, chip: OutputChip, word: int) -> Shown | None:
        try:
            return chip.device.write_word(word)
        except OSError:
            chip.note("no answer")
            return None

    def _verify_others(self, culprit: Chip, stray_inputs: int = 0) -> None:
        """Verify all output chips but this one, abandoned ones too: a write may have gone astray
        to any of them.

        An inverted address bit is the likeliest way, hence the order. stray_inputs: what that
        write would make of IODIR.
        """
        begun_s = self._failed_at_s
        for chip in sorted(self._outputs, key=lambda chip: _distance(chip, culprit)):
            if chip is culprit or not chip.known or (chip.lost and self._drives_nothing(chip)):
                continue
            # Of a suspect chip the word is not certain, and rewriting an old one could close.
            sure = chip.in_service and not chip.suspect
            if sure and self._restore(chip, chip.word, stray_inputs, begun_s):
                self._unverified.discard(chip)
                self._doubted.discard(chip)
            else:
                self._unverified.add(chip)
                self._doubted.add(chip)

    def _drives_nothing(self, chip: OutputChip) -> bool:
        """A look shows all its pins as inputs: whatever its latches hold, no coil hears of it."""
        try:
            return not self._out_of_time() and chip.device.read_outputs().inputs == ALL_PINS
        except OSError:
            chip.note("no answer")
            return False

    def _restore(self, chip: OutputChip, word: int, stray_inputs: int, begun_s: float) -> bool:
        """Bring latches and directions back to what they must be; True: a reading shows them.

        Latches are written again at once. A direction is put right only if it is what a write of
        ours that went astray since `begun_s` makes of it, and only while no contactor can have
        moved. Otherwise, shown twice, the chip is lost.
        """
        doubt: OutputReading | None = None
        for _ in range(2 + self.READ_RETRIES):
            if self._out_of_time():
                break
            try:
                reading = chip.device.read_outputs()
                if reading == (word, word, 0):
                    chip.word = word
                    return True
                if not reading.inputs:
                    chip.note("rewritten")
                    chip.device.write_word(word)
                elif reading.inputs == stray_inputs and reading.latch == word:
                    unmoved = clock.now_s() - begun_s < _UNMOVED_S
                    if unmoved or not reading.inputs & word:
                        chip.note("rewritten")
                        chip.device.drive_all_pins()
                if reading == doubt and reading.inputs:
                    chip.word = reading.latch & ~reading.inputs
                    chip.fail()
                    break
                doubt = reading
            except OSError:
                chip.note("no answer")
        return False

    def _restore_options(self, chip: OutputChip) -> bool:
        """Put right what a corrupted register pointer may have changed besides; True: verified."""
        for _ in range(1 + self.READ_RETRIES):
            if self._out_of_time():
                break
            try:
                if chip.device.configured_as(outputs=True):
                    return True
                chip.note("rewritten")
                chip.device.write_output_options()
            except OSError:
                chip.note("no answer")
        return False

    # Configuring.

    def _settled_image(self, chip: Chip, outputs: bool) -> bytes | None:
        """The registers of a chip, when two readings in a row said the same of what matters."""
        before: tuple[bool, int] | None = None
        for _ in range(2 + self.READ_RETRIES):
            try:
                image = chip.device.read_registers()
            except OSError:
                chip.note("no answer")
                continue
            configured = configured_as(image, outputs)
            said = (configured, latches(image) if configured and outputs else 0)
            if said == before:
                return image
            before = said
        return None

    def _configure(self, chip: Chip, step: Callable[[], bool]) -> bool:
        """Configure one chip in a few tries; True: in service."""
        self._failed_at_s = inf
        chip.known = False
        for _ in range(1 + self.READ_RETRIES):
            if self._out_of_time():
                break
            begun_s = clock.now_s()
            try:
                if step():
                    chip.enter_service()
                    return True
                chip.lost = True  # it answers
                begun_s = clock.now_s()  # the write before its last look was the one that failed
            except OSError:
                chip.note("no answer")
            self._failed_at_s = min(self._failed_at_s, begun_s)
            self._undo_damage(chip)
        return False

    def _undo_damage(self, culprit: Chip) -> None:
        """A write that configures a chip may have landed on any other."""
        self._verify_others(culprit, stray_inputs=ALL_PINS)
        for output in self._outputs:
            if output is not culprit and output.in_service and output not in self._abandoned:
                self._restore_options(output)
        for feedback in self._feedback:
            if feedback is culprit or not feedback.in_service or self._out_of_time():
                continue
            try:
                if not feedback.device.configured_as(outputs=False):
                    feedback.note("rewritten")
                    feedback.device.configure_inputs()
            except OSError:
                feedback.note("no answer")

    # Small things.

    def _chips(self) -> Iterator[Chip]:
        yield from self._outputs
        yield from self._feedback

    def _out_of_time(self) -> bool:
        return clock.now_s() > self._failed_at_s + _RECOVERY_S

    def _note(self, kind: str, address: int) -> None:
        self.counts[kind] += 1
        self.events.append(BusEvent(clock.now_s(), kind, address))

    def _words(self, coils: Sequence[bool]) -> list[int]:
        words = [0] * len(self._outputs)
        for coil, (position, bit) in zip(coils, self._places, strict=True):
            if coil:
                words[position] |= 1 << bit
        return words

    def _by_contactor(self, words: Sequence[int]) -> tuple[bool, ...]:
        return tuple(
            pin for word, bits in zip(words, self._bits, strict=True) for pin in _pins(word, bits)
        )


@lru_cache(maxsize=4096)
def _pins(word: int, bits: tuple[int, ...]) -> tuple[bool, ...]:
    return tuple(bool(word >> bit & 1) for bit in bits)


def _mask(bits: Sequence[int]) -> int:
    return sum(1 << bit for bit in bits)


def _distance(chip: Chip, other: Chip) -> int:
    """In how many bits their addresses differ."""
    return (chip.device.address ^ other.device.address).bit_count()


def scrubs_each_scan(positions: int, scan_ms: int) -> int:
    """How many chips of so many positions each scan looks over."""
    return -(-2 * positions // max(1, _SCRUB_MS // scan_ms))


def _locked(bus: smbus2.SMBus) -> bool:
    """No other process holds the bus, and from now on none will. i2c-dev itself lets any number in;
    a bus that is no file of the kernel's cannot be held."""
    file = getattr(bus, "fd", None)
    if isinstance(file, int):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            pass
    return True


def _shorten_timeout(bus: smbus2.SMBus) -> None:
    """Have the adapter give up after 10 ms, where there is one to tell."""
    file = getattr(bus, "fd", None)
    if isinstance(file, int):
        with suppress(OSError, ValueError):
            smbus2.smbus2.ioctl(file, _I2C_TIMEOUT, _TIMEOUT_10_MS)  # type: ignore[attr-defined]
