"""What is known about each expander of the bank: when a reading is believed, doubted or a loss.

A single reading that says something new is only a doubt: a bit may have been flipped, also in the
register pointer. A second one in the same scan must say the same; and before new latches are
taken for the truth, all registers must show that they are those of a configured chip.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

from hardware.mcp23017 import (
    ALL_PINS,
    INTF,
    MCP23017,
    ContactReading,
    OutputReading,
    configured_as,
    latches,
)

RETRIES = 2
"""Further tries of a reading or a write that went wrong, in one scan."""

_CONFIGURED_INPUTS = (ALL_PINS, ALL_PINS)

Note = Callable[[str, int], None]
"""Called with a kind of event and the chip's address."""


class Chip(ABC):
    """An expander and what is known about it."""

    drives = False
    """Its pins are outputs."""
    known = False
    """Configured, and verified to be so, since the start."""
    lost = False
    """Answers, but is not configured."""
    abandoned = False
    """Nothing is asked of it until it is configured."""
    suspect = True
    """The last that was asked of it failed, or nothing was."""
    answered = False
    """Gave a valid answer to all that this scan asks."""
    _odd_settings: bytes | None = None

    def __init__(self, device: MCP23017, note: Note) -> None:
        self.device = device
        self._note = note

    @property
    def in_service(self) -> bool:
        return self.known and not self.lost

    def note(self, kind: str) -> None:
        self._note(kind, self.device.address)

    def adopt(self, registers: bytes) -> bool:
        """Go on with a chip whose registers are as expected; False: they are not."""
        if not configured_as(registers, self.drives):
            return False
        self.enter_service()
        return True

    @abstractmethod
    def configure(self) -> bool:
        """Clear and configure it, one try. True: all registers verified."""

    def is_there(self) -> bool:
        """A look or two that count for nothing: whether it answers at all."""
        for _ in range(2):
            with suppress(OSError):
                self.device.read_pins()
                return True
        return False

    def begin_scan(self) -> None:
        self.answered = False
        self._odd_settings = None

    def settled_registers(self) -> bytes | None:
        """All registers, when two readings in a row said the same of what matters."""
        before: tuple[bool, int] | None = None
        for _ in range(2 + RETRIES):
            try:
                registers = self.device.read_registers()
            except OSError:
                self.note("no answer")
                continue
            configured = configured_as(registers, self.drives)
            said = (configured, configured and self.drives and latches(registers))
            if said == before:
                return registers
            before = said
        return None

    def look_over(self) -> bool:
        """Read every register: what no other look shows (polarity, bank, interrupts) could make
        each of them lie. True: nothing is left to find out; otherwise, look once more."""
        registers = self.device.read_registers()
        if not self.known or configured_as(registers, self.drives):
            return True
        if registers[:INTF] == self._odd_settings:
            self.fail()
            return True
        self._odd_settings = registers[:INTF]
        self.note("odd reading")
        return False

    def fail(self) -> None:
        """It is not as it was configured, as two readings showed."""
        self.lost = True
        self.note("lost")

    def enter_service(self) -> None:
        self.known, self.lost, self.suspect = True, False, False


class OutputChip(Chip):
    """Drives coils; pins_in_use: a word with the pins that these are on."""

    drives = True
    word = 0
    """What the latches hold, as last verified."""
    unverified = False
    """What was last written has not been verified."""
    doubted = False
    """A write went wrong, and nothing has shown the coils since."""
    _doubt: OutputReading | None = None

    def __init__(self, device: MCP23017, note: Note, pins_in_use: int) -> None:
        super().__init__(device, note)
        self._pins_in_use = pins_in_use

    def adopt(self, registers: bytes) -> bool:
        """So too, and with it the coils that it drives. One that drives more is not as expected."""
        word = latches(registers)
        if word & ~self._pins_in_use or not super().adopt(registers):
            return False
        self.word = word
        return True

    def configure(self) -> bool:
        self.word = 0
        return self.device.configure_outputs()

    def begin_scan(self) -> None:
        super().begin_scan()
        self._doubt = None

    def look(self) -> bool:
        """Read the latches. True: nothing is left to find out; otherwise, look once more."""
        reading = self.device.read_outputs()
        if not self.known:  # left out at the start, and back
            self.fail()
            return True
        if reading == (self.word, self.word, 0):
            self.answered = True
            return True
        if reading != self._doubt:  # may be a flipped bit, here or on the way there
            self._doubt = reading
            self.note("odd reading")
            return False
        if reading.inputs or reading.pins != reading.latch:
            self.word = reading.latch & ~reading.inputs
            self.fail()
            return True
        registers = self.device.read_registers()
        if not configured_as(registers, outputs=True) or latches(registers) != reading.latch:
            return False
        self.word = reading.latch
        self.answered = True
        self.note("latch changed")
        return True


class FeedbackChip(Chip):
    """Reads auxiliary contacts."""

    pins = 0
    """As read last, for the first time in a scan."""
    pins_again = 0
    """For the second time."""
    _seen = False  # in this scan
    _seen_again = False
    _doubt: tuple[int, int] | None = None

    def configure(self) -> bool:
        return self.device.configure_inputs()

    def begin_scan(self) -> None:
        super().begin_scan()
        self._seen = self._seen_again = False
        self._doubt = None

    def look(self) -> bool:
        """Read the contacts for the first time. True: nothing is left to find out."""
        reading = self.device.read_pins()
        if not self._credible(reading):
            return self.lost
        self.pins = reading.pins
        self._seen = True
        self.answered = self._seen_again
        return True

    def look_again(self) -> bool:
        """Read the contacts for the second time. True: nothing is left to find out."""
        reading = self.device.read_pins_and_directions()
        if not self._credible(reading):
            return self.lost
        self.pins_again = reading.pins
        self._seen_again = True
        self.answered = self._seen
        return True

    def answers(self) -> bool:
        """One look that counts for nothing: whether it would be credible."""
        reading = self.device.read_pins_and_directions()
        return (reading.pull_ups, reading.inputs) == _CONFIGURED_INPUTS

    def _credible(self, reading: ContactReading) -> bool:
        configuration = (reading.pull_ups, reading.inputs)
        if configuration == _CONFIGURED_INPUTS and self.known:
            return True
        if configuration == self._doubt or not self.known:
            self.fail()
        else:
            self._doubt = configuration
            self.note("odd reading")
        return False
