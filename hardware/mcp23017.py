"""One MCP23017 expander: what is read and written, a whole word at a time, in single transfers.

Source: Microchip DS20001952, register addresses with IOCON.BANK = 0. The address pointer moves on
by itself, also through a read, and rolls over from the last register (0x15) to the first.

Every method is one try: OSError means that the chip did not answer, whatever the adapter calls it.
Trying again, and knowing what a chip should show, is the bank's job (`hardware.contactors`).
"""

import errno
from ctypes import memset
from struct import Struct
from typing import NamedTuple, Protocol

from smbus2 import i2c_msg

IODIR = 0x00  # 1 = input
IPOL = 0x02
DEFVAL = 0x06
IOCON = 0x0A
GPPU = 0x0C
INTF = 0x0E
GPIO = 0x12
OLAT = 0x14
REGISTERS = 0x16
IOCON_IN_BANK_1 = 0x05  # GPINTENB in BANK 0, where writing 0 does no harm

ALL_PINS = 0xFFFF
ALL_INPUTS = bytes([0xFF, 0xFF])
NO_PINS = bytes(2)

# What stands where an answer is expected, before it comes: nothing that a chip answers here, which
# has no coil on GPA7 and GPB7, and all pull-ups or none.
_NOT_READ = 0xA5
_NOTHING_READ = bytes([_NOT_READ]) * REGISTERS

_SHOWN = Struct("<2H")
_OUTPUTS = Struct("<3H")
_CONTACTS = Struct("<H4xH")
_CONTACTS_AND_DIRECTIONS = Struct("<H4xH2xH")

# Everything from IPOL to GPPU; what follows up to GPIO is read-only. All else of an output chip
# being 0, any registers would look like any others to a read whose pointer was corrupted. So it
# carries a mark in DEFVAL, which has no effect while the interrupts (GPINTEN) are off.
_MARK = bytes([0xA5, 0x5A])
_OUTPUT_OPTIONS = bytes(DEFVAL - IPOL) + _MARK + bytes(INTF - DEFVAL - len(_MARK))
_INPUT_OPTIONS = bytes(GPPU - IPOL) + ALL_INPUTS


class Bus(Protocol):
    """What is needed of `smbus2.SMBus`."""

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None: ...


class OutputReading(NamedTuple):
    """An output chip in one transfer, each a 16-bit word, port A low."""

    pins: int
    """The levels on the pins (GPIO)."""
    latch: int
    """What the latches hold (OLAT)."""
    inputs: int
    """The pins that are inputs and so drive nothing (IODIR): none, or the set-up is gone."""


class Shown(NamedTuple):
    """What an output chip shows right after its latches were written, each a 16-bit word."""

    pins: int
    latch: int


class ContactReading(NamedTuple):
    """A feedback chip in one transfer, each a 16-bit word, port A low."""

    pull_ups: int
    """The pins with a pull-up (GPPU): all, or the pins tell nothing."""
    pins: int
    """1 = the auxiliary contact leaves the pin open: the main contact is closed."""
    inputs: int
    """The pins that are inputs (IODIR): all, or the pins tell nothing."""


class _Read:
    """A read of consecutive registers, its messages built once: smbus2 may send them again."""

    __slots__ = ("answer", "messages", "wire_bytes")

    def __init__(self, address: int, register: int, length: int) -> None:
        self.answer = i2c_msg.read(address, length)
        self.messages = (i2c_msg.write(address, [register]), self.answer)
        self.wire_bytes = 3 + length


class MCP23017:
    """The expander at this address.

    transactions, wire_bytes: transfers started and bytes asked for, address bytes included.
    """

    def __init__(self, bus: Bus, address: int) -> None:
        self.bus = bus
        self.address = address
        self.transactions = 0
        self.wire_bytes = 0
        self._outputs = _Read(address, GPIO, 6)  # GPIO, OLAT and, rolled over, IODIR
        self._contacts = _Read(address, GPPU, 8)
        self._contacts_and_directions = _Read(address, GPPU, 12)
        # All, and IODIR last: were the pointer of the next read lost, it would stand at IPOL, and
        # what that read shows could not pass for contacts. (At IODIR it could.)
        self._everything = _Read(address, IPOL, REGISTERS)

    def __repr__(self) -> str:
        return f"<MCP23017 at {self.address:#04x}>"

    # Reading.

    def read_outputs(self) -> OutputReading:
        """Pins, latches and directions. One transfer."""
        return OutputReading._make(_OUTPUTS.unpack(self._read(self._outputs)))

    def read_pins(self) -> ContactReading:
        """Pull-ups and pins. One transfer; the directions are not looked at."""
        pull_ups, pins = _CONTACTS.unpack(self._read(self._contacts))
        return ContactReading(pull_ups, pins, ALL_PINS)

    def read_pins_and_directions(self) -> ContactReading:
        """Pull-ups, pins and directions. One transfer."""
        answer = self._read(self._contacts_and_directions)
        return ContactReading._make(_CONTACTS_AND_DIRECTIONS.unpack(answer))

    def read_registers(self) -> bytes:
        """All registers, IODIRA first. One transfer."""
        return _iodir_first(self._read(self._everything))

    def configured_as(self, outputs: bool) -> bool:
        """Whether every register is as `configure_outputs` (or `configure_inputs`) leaves it, the
        latches of outputs apart. One transfer."""
        return configured_as(self.read_registers(), outputs)

    # Writing.

    def write_word(self, word: int) -> Shown:
        """Set all latches, then read pins and latches back in the same transfer: the write is
        verified if both show the word."""
        return Shown._make(_SHOWN.unpack(self._write(OLAT, word.to_bytes(2, "little"), GPIO, 4)))

    def drive_all_pins(self) -> bool:
        """Make every pin an output again; True: they all are. Only where the latches are known."""
        return self._write(IODIR, NO_PINS, IODIR, 2) == NO_PINS

    def write_output_options(self) -> None:
        """Write everything from IPOL to GPPU, for a later look to verify. Moves no output."""
        self._send(2 + len(_OUTPUT_OPTIONS), i2c_msg.write(self.address, [IPOL, *_OUTPUT_OPTIONS]))

    def configure_outputs(self) -> bool:
        """Make all pins outputs at 0, starting from any state. True: all registers verified.

        A step is only written where a register differs. So a write that went astray is always
        seen, because the register that it was for still differs, and a neighbour in service is
        never written to for nothing.
        """
        registers = self._address_plainly()
        if not (configured_as(registers, outputs=True) and registers[OLAT:] == NO_PINS):
            # Drive nothing while the latches may hold anything; drive only what was verified, and
            # by a second look: where the first read other registers, a step was left out.
            done = (
                self._step(registers, IODIR, ALL_INPUTS)
                and self._step(registers, OLAT, NO_PINS)
                and self._step(registers, IPOL, _OUTPUT_OPTIONS)
                and self.read_outputs().latch == 0
                and self.drive_all_pins()
            )
            if not done:
                return False
        registers = self.read_registers()
        return configured_as(registers, outputs=True) and registers[OLAT:] == NO_PINS

    def configure_inputs(self) -> bool:
        """Make all pins inputs with pull-ups, starting from any state. True: all verified."""
        registers = self._address_plainly()
        done = (
            self._step(registers, IODIR, ALL_INPUTS)
            and self._step(registers, OLAT, NO_PINS)
            and self._step(registers, IPOL, _INPUT_OPTIONS)
        )
        return done and self.configured_as(outputs=False)

    def _address_plainly(self) -> bytes:
        """Leave BANK 1 and byte mode, whatever was set, and read all registers.

        A write to 0x0A would reach the latches while BANK is 1, hence the first write.
        """
        registers = self._transfer(
            9 + REGISTERS,
            i2c_msg.write(self.address, [IOCON_IN_BANK_1, 0]),
            i2c_msg.write(self.address, [IOCON, 0]),
            *self._everything.messages,
        )
        return _iodir_first(registers)

    def _step(self, registers: bytes, register: int, data: bytes) -> bool:
        if registers[register : register + len(data)] == data:
            return True
        return self._write(register, data, register, len(data)) == data

    # Transfers: one chip in each, at most one message that reads, and that one last. More is
    # refused by the Pi's adapters (i2c-designware and i2c-bcm2835).

    def _read(self, read: _Read) -> bytes:
        return self._transfer(read.wire_bytes, *read.messages)

    def _write(self, register: int, data: bytes, shown_from: int, shown: int) -> bytes:
        """Write registers, then read `shown` bytes from `shown_from` on, in one transfer."""
        return self._transfer(
            len(data) + shown + 5,
            i2c_msg.write(self.address, [register, *data]),
            i2c_msg.write(self.address, [shown_from]),
            i2c_msg.read(self.address, shown),
        )

    def _transfer(self, wire_bytes: int, *messages: i2c_msg) -> bytes:
        answer = messages[-1]
        memset(answer.buf, _NOT_READ, answer.len)
        self._send(wire_bytes, *messages)
        if answer.buf[: answer.len] == _NOTHING_READ[: answer.len]:
            # smbus2 does not tell how many messages the kernel has transferred.
            raise OSError(errno.EIO, "nothing was transferred")
        return bytes(answer.buf[: answer.len])

    def _send(self, wire_bytes: int, *messages: i2c_msg) -> None:
        self.transactions += 1
        self.wire_bytes += wire_bytes
        self.bus.i2c_rdwr(*messages)


def _iodir_first(registers: bytes) -> bytes:
    return registers[-IPOL:] + registers[:-IPOL]


def configured_as(registers: bytes, outputs: bool) -> bool:
    """Whether these 22 registers are those of a configured output (or feedback) chip.

    The latches of an output chip may hold anything, but its pins must show it. Those of a
    feedback chip drive nothing, and are not looked at.
    """
    options = registers[IPOL:INTF]
    if outputs:
        shown = registers[GPIO:OLAT] == registers[OLAT:]
        return registers[:IPOL] == NO_PINS and options == _OUTPUT_OPTIONS and shown
    return registers[:IPOL] == ALL_INPUTS and options == _INPUT_OPTIONS


def as_after_reset(registers: bytes) -> bool:
    """Whether these 22 registers are those of a chip that was reset: all inputs, nothing set."""
    return registers[:IPOL] == ALL_INPUTS and not any(registers[IPOL:INTF] + registers[OLAT:])


def latches(registers: bytes) -> int:
    """The word that the latches hold, of these 22 registers."""
    return int.from_bytes(registers[OLAT:], "little")
