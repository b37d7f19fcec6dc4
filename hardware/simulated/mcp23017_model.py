"""The registers of one MCP23017 I/O expander, byte by byte as the chip sees them.

Source: Microchip DS20001952 (MCP23017/MCP23S17), sections 3.2 (addressing) and 3.5 (registers).
Not modelled: the interrupt pins. GPINTEN, DEFVAL and INTCON hold what is written; INTF and INTCAP
are read-only and read 0. Where the datasheet is silent (addresses without a register, the pointer
after IOCON.BANK changed under it) the code says what it does; the product must not depend on it.
"""

from collections.abc import Callable

# Register addresses with IOCON.BANK = 0. Port B is one above port A.
IODIR = 0x00
IPOL = 0x02
GPINTEN = 0x04
DEFVAL = 0x06
INTCON = 0x08
IOCON = 0x0A
GPPU = 0x0C
INTF = 0x0E
INTCAP = 0x10
GPIO = 0x12
OLAT = 0x14
REGISTER_COUNT = 0x16

# Bits of IOCON. Bit 0 is not implemented and reads 0.
BANK = 0x80
SEQOP = 0x20
_IOCON_IMPLEMENTED = 0xFE

# GPA7 and GPB7 are outputs only (datasheet revision of 2022): nothing outside reaches them.
_INPUT_PINS = 0x7F

_NO_REGISTER = -1
_POWER_UP = bytes([0xFF, 0xFF]) + bytes(REGISTER_COUNT - 2)


def _registers_by_address(bank: int) -> tuple[int, ...]:
    """For each byte a host can send as an address: the register (its BANK = 0 address)."""
    registers = [_NO_REGISTER] * 256
    for register in range(REGISTER_COUNT):
        kind, port = divmod(register, 2)
        registers[(port << 4) | kind if bank else register] = register
    return tuple(registers)


def _next_by_address(bank: int, byte_mode: int) -> tuple[int, ...]:
    """For each address pointer: where it stands after one byte."""
    if byte_mode:  # stays; with BANK = 0 it toggles between the registers of the pair
        return tuple(address if bank else address ^ 1 for address in range(256))
    following = [*range(1, 256), 0]
    if bank:
        following[0x0A] = 0x10  # steps over the gap between the banks (datasheet silent)
        following[0x1A:] = [0] * (256 - 0x1A)
    else:
        following[0x15:] = [0] * (256 - 0x15)
    return tuple(following)


_REGISTERS = {bank: _registers_by_address(bank) for bank in (0, BANK)}
_NEXT = {
    bank | byte_mode: _next_by_address(bank, byte_mode)
    for bank in (0, BANK)
    for byte_mode in (0, SEQOP)
}


def _unheard(word: int, cause: str) -> None:
    """Nothing is wired to the outputs."""


def _unconnected() -> int:
    """Nothing is wired to the inputs: every pin is left open."""
    return 0xFFFF


def _at_once() -> None:
    """Nobody keeps time."""


class MCP23017Model:
    """One expander. Words are 16 bits, port A low, port B high.

    driven: called as `driven(word, cause)` when the word of driven output levels has changed. A
        pin that is an input drives nothing and counts as 0: the coil driver's pull-down holds
        the coil off.
    floating: asked whenever input pins are read; 1 = what is wired to this pin leaves it open.
        An input reads 1 iff it is left open and its pull-up (GPPU) is on, then IPOL applies.
    settle: called before a register that pins depend on changes and before input pins are
        sampled, so that whoever keeps time can bring it up to this byte.
    held_in_reset: the RESET pin is low; the chip does not answer.
    listening: it was addressed, and no reset has come between; otherwise bytes pass it by.
    pointer: the address pointer.
    stuck_high, stuck_low: words of pins that are stuck at a level, whatever the chip does.
    """

    __slots__ = (
        "_next",
        "_registers",
        "_values",
        "driven",
        "floating",
        "held_in_reset",
        "listening",
        "pointer",
        "settle",
        "stuck_high",
        "stuck_low",
        "word",
    )

    def __init__(self) -> None:
        self.driven: Callable[[int, str], None] = _unheard
        self.floating: Callable[[], int] = _unconnected
        self.settle: Callable[[], None] = _at_once
        self.held_in_reset = False
        self.stuck_high = self.stuck_low = 0
        self.word = 0
        self.reset("power-up")

    def reset(self, cause: str) -> None:
        """Power-up values: every pin an input, the latches and all else 0."""
        self._values = bytearray(_POWER_UP)
        self.pointer = 0
        self.listening = False
        self._address_by(0)
        self._drive(cause)

    def stick(self, pin: int, level: bool | None) -> None:
        """A pin is stuck at a level, or (None) is no more."""
        mask = 1 << pin
        self.stuck_high = self.stuck_high & ~mask | (level is True) * mask
        self.stuck_low = self.stuck_low & ~mask | (level is False) * mask
        self._drive("pin stuck")

    def upset(self, bit: int) -> None:
        """A bit of the registers (bit 0 of IODIRA is 0) flips by itself; of those that hold
        nothing, none does."""
        register, mask = bit // 8, 1 << bit % 8
        if self.held_in_reset or INTF <= register < OLAT:
            return
        if register & ~1 == IOCON:
            self._configure(self._values[IOCON] ^ mask)
        else:
            self._values[register] ^= mask
            self._drive("wire")

    def register(self, address: int) -> int:
        """What a register (its BANK = 0 address) holds. GPIO holds nothing: it shows the pins."""
        return self._values[address]

    def select(self) -> bool:
        """A start with this chip's address: does it acknowledge?"""
        self.listening = not self.held_in_reset
        return self.listening

    def read(self) -> int:
        """The host clocks one byte out of the register under the pointer."""
        if not self.listening:
            return 0xFF  # nobody pulls SDA down
        register = self._registers[self.pointer]
        value = 0
        if register != _NO_REGISTER:
            value = self._pins(register & 1) if register & ~1 == GPIO else self._values[register]
            if not self.listening:
                return 0xFF
        self.pointer = self._next[self.pointer]
        return value

    def write(self, value: int, cause: str = "command", corrupted: int = 0) -> None:
        """One byte from the host goes into the register under the pointer.

        It is not acknowledged, and does nothing, if the chip is not `listening` afterwards.
        corrupted: the bits of `value` that are not as the host sent them. What they change is
        told to `driven` by itself, with cause "wire".
        """
        if not self.listening:
            return
        register = self._registers[self.pointer]
        if register & ~1 == GPIO:
            register += OLAT - GPIO  # writing a port writes its latch
        if corrupted:
            kept = self._values[register] & corrupted
            self._store(register, value & ~corrupted | kept, cause)
            cause = "wire"
        self._store(register, value, cause)
        if self.listening:
            self.pointer = self._next[self.pointer]  # by the IOCON of now (datasheet silent)

    def _store(self, register: int, value: int, cause: str) -> None:
        if register == _NO_REGISTER or INTF <= register < GPIO or self._values[register] == value:
            return
        if register & ~1 == IOCON:
            self._configure(value)
            return
        self.settle()
        if not self.listening:  # the time that just passed brought a reset
            return
        self._values[register] = value
        self._drive(cause)

    def _configure(self, iocon: int) -> None:
        """One register behind two addresses."""
        iocon &= _IOCON_IMPLEMENTED
        self._values[IOCON] = self._values[IOCON + 1] = iocon
        self._address_by(iocon)

    def _drive(self, cause: str) -> None:
        values = self._values
        word = (values[OLAT] & ~values[IODIR]) | (values[OLAT + 1] & ~values[IODIR + 1]) << 8
        word = (word | self.stuck_high) & ~self.stuck_low
        if word != self.word:
            self.word = word
            self.driven(word, cause)

    def _pins(self, port: int) -> int:
        """The levels of a port's pins as the GPIO register shows them."""
        values = self._values
        if values[IODIR + port]:
            self.settle()
        inputs = values[IODIR + port]
        levels = values[OLAT + port] & ~inputs
        pulled_up = inputs & values[GPPU + port] & _INPUT_PINS
        if pulled_up:
            levels |= self.floating() >> 8 * port & pulled_up
        levels = (levels | self.stuck_high >> 8 * port) & ~(self.stuck_low >> 8 * port) & 0xFF
        return levels ^ (values[IPOL + port] & inputs)

    def _address_by(self, iocon: int) -> None:
        self._registers = _REGISTERS[iocon & BANK]
        self._next = _NEXT[iocon & (BANK | SEQOP)]
