"""Register-faithful expanders on an I2C bus, behind the door by which smbus2 reaches the kernel.

The real, unmodified smbus2 opens, talks to and closes the buses. `installed` replaces two names in
the module `smbus2.smbus2` (its `ioctl` and its `os`) and nothing else anywhere.
"""

import errno
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ctypes import memmove, string_at
from random import Random
from struct import Struct
from typing import Any, ClassVar

import smbus2.smbus2

from hardware.simulated.faults import STALL
from hardware.simulated.mcp23017_model import MCP23017Model
from hardware.simulated.virtual_time import VirtualTime
from hardware.simulated.wire_faults import (
    NEVER,
    ArmedFault,
    BusFault,
    FaultHit,
    Interference,
    Message,
    check,
    interference,
)

__all__ = ["BusFault", "FaultHit", "MCP23017Model", "SimulatedBus", "installed"]

# Requests of Linux's i2c-dev (uapi/linux/i2c-dev.h). smbus2 does not name the first two.
_I2C_RETRIES = 0x0701
_I2C_TIMEOUT = 0x0702  # in units of 10 ms
_I2C_SLAVE = 0x0703
_I2C_FUNCS = 0x0705
_I2C_SLAVE_FORCE = 0x0706
_I2C_RDWR = 0x0707
_I2C_SMBUS = 0x0720

_I2C_FUNC_I2C = 0x1  # plain I2C is all that is offered
_I2C_M_RD = 0x1
_MOST_MESSAGES = 42  # I2C_RDWR_IOCTL_MAX_MSGS

# struct i2c_rdwr_ioctl_data and struct i2c_msg in the machine's own layout. Read from memory at
# once: going through smbus2's ctypes objects costs several times as much.
_TRANSFER = Struct("@PI")
_MESSAGE = Struct("@HHHP")

# By number, because the name exists on Linux only. What the Pi's adapters give for a NACK.
_EREMOTEIO = 121

_TRANSFER_OVERHEAD_US = 100  # system call, driver and interrupt, before the first bit
_DEFAULT_TIMEOUT_US = 10_000
_BYTE_BITS = 9  # eight and the acknowledge
_US_PER_S = 1_000_000


class _EmptyFile:
    """A real, empty file without a name."""

    def __init__(self) -> None:
        self.descriptor, name = tempfile.mkstemp()
        os.unlink(name)
        self._identity = os.fstat(self.descriptor)

    def is_open(self) -> bool:
        """False when its number was closed, and perhaps given to another file."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), self._identity)
        except OSError:
            return False


class _Kernel:
    """What the module `smbus2.smbus2` finds under the name `os`, and its `ioctl`, while buses are
    installed.

    Descriptors are real, of empty files, one for each number, so that a direct fcntl call on one
    meets a file. All openings in the process share it: a host that "dies" without closing leaks
    nothing.
    """

    _files: ClassVar[dict[int, _EmptyFile]] = {}

    def __init__(self, bus_of: "Callable[[int], SimulatedBus | None]") -> None:
        self._bus_of = bus_of
        self._opened: dict[int, SimulatedBus] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: str, flags: int) -> int:
        """Stands in for os.open of /dev/i2c-N."""
        name, _, number = path.rpartition("-")
        bus = self._bus_of(int(number)) if name == "/dev/i2c" and number.isdecimal() else None
        if bus is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        file = self._files.get(int(number))
        if file is None or not file.is_open():
            file = self._files[int(number)] = _EmptyFile()
        self._opened[file.descriptor] = bus
        return file.descriptor

    def close(self, file: int) -> None:
        """Stands in for os.close. The shared file stays."""
        if file not in self._opened:
            raise _error(errno.EBADF)

    def ioctl(self, file: int, request: int, argument: Any = 0) -> int:
        """Stands in for fcntl.ioctl on a bus."""
        bus = self._opened.get(file)
        if bus is None:
            raise _error(errno.EBADF)
        return bus.ioctl(request, argument)


@contextmanager
def installed(bus_of: "Callable[[int], SimulatedBus | None]") -> Iterator[None]:
    """While inside, `smbus2.SMBus(n)` opens the bus that `bus_of` has for n, and no other."""
    names: dict[str, Any] = vars(smbus2.smbus2)
    replaced = {name: names[name] for name in ("os", "ioctl")}
    kernel = _Kernel(bus_of)
    names.update(os=kernel, ioctl=kernel.ioctl)
    try:
        yield
    finally:
        names.update(replaced)


class SimulatedBus:
    """MCP23017s at the given addresses, on one of the Raspberry Pi's I2C adapters.

    adapter: "bcm2835" (Pi 1-4: at most one read message, and it is last, else EOPNOTSUPP) or
        "designware" (Pi 5: one address in a transfer, else EINVAL). Both: at most 42 messages
        (EINVAL) and plain `i2c_rdwr` only (SMBus calls: EOPNOTSUPP).
    bit_rate_hz: a transfer takes 100 us and its bits at this rate, and ends on a whole microsecond.
        A written byte takes effect when it is acknowledged; an input is sampled as the byte that
        shows it begins.
    seed: of the bits that faults flip where they do not say which.

    Errors reach the caller as on a Pi: OSError with EREMOTEIO for a byte that nobody
    acknowledges, ETIMEDOUT after 10 ms (or what the I2C_TIMEOUT ioctl set) for a bus that hangs.
    """

    def __init__(
        self,
        time: VirtualTime,
        output_addresses: Iterable[int],
        feedback_addresses: Iterable[int],
        *,
        adapter: str = "bcm2835",
        bit_rate_hz: int = 400_000,
        seed: int = 0,
    ) -> None:
        if adapter not in ("bcm2835", "designware"):
            raise ValueError(f"adapter {adapter!r}: must be bcm2835 or designware")
        if bit_rate_hz <= 0:
            raise ValueError(f"bit_rate_hz {bit_rate_hz}: must be positive")
        addresses = [*output_addresses, *feedback_addresses]
        if len(set(addresses)) != len(addresses):
            raise ValueError(f"expander addresses {[hex(a) for a in addresses]}: one is used twice")
        self.chips = {address: MCP23017Model() for address in addresses}
        for chip in self.chips.values():
            chip.settle = self._settle
        self.transactions = 0
        """i2c_rdwr calls so far, refused ones included."""
        self.wire_bytes = 0
        """Bytes clocked over the wire so far, address bytes included."""
        self._last_struck_us: int | None = None
        self.faults_hit: list[FaultHit] = []
        """Every fault that really struck, in order."""
        self._time = time
        self._one_address_only = adapter == "designware"
        self._bit_rate_hz = bit_rate_hz
        self._overhead = _TRANSFER_OVERHEAD_US * bit_rate_hz
        # Wire time that has passed but is not yet told to the clock, in us * bit_rate_hz, so
        # that parts of a microsecond are not lost.
        self._owed = 0
        self._timeout_us = _DEFAULT_TIMEOUT_US
        self._random = Random(seed)
        self._armed: list[ArmedFault] = []
        self._next_fault = NEVER  # no transaction before this one can be struck
        self.stand_still: Callable[[int], None] = time.advance_us
        """Called when the host stops for so long."""

    # What the host can do.

    @contextmanager
    def installed(self) -> Iterator["SimulatedBus"]:
        """While inside, `smbus2.SMBus(n)` opens this bus, whatever n."""
        with installed(lambda number: self):
            yield self

    def ioctl(self, request: int, argument: Any = 0) -> int:
        """What fcntl.ioctl does on the bus."""
        if request == _I2C_RDWR:
            start, count = _TRANSFER.unpack_from(argument)
            self._transfer(start, count)
            return int(count)
        if request == _I2C_FUNCS:
            argument.value = _I2C_FUNC_I2C
        elif request == _I2C_TIMEOUT:
            self._timeout_us = argument * 10_000
        elif request == _I2C_SMBUS:
            raise _error(errno.EOPNOTSUPP)
        elif request not in (_I2C_RETRIES, _I2C_SLAVE, _I2C_SLAVE_FORCE):
            raise _error(errno.ENOTTY)
        return 0

    # What the world can do.

    def reset_line(self, low: bool, cause: str = "reset") -> None:
        """The RESET pin of all chips: low = power-up values, and no chip answers."""
        for chip in self.chips.values():
            chip.held_in_reset = low
            if low:
                chip.reset(cause)

    def last_struck_us(self) -> int | None:
        """When a fault last struck a transfer."""
        return self._last_struck_us

    def inject(self, fault: BusFault) -> None:
        """Arm a fault. Raises ValueError for one that could never strike."""
        check(fault, self.chips)
        if fault.kind == "brown_out" and fault.at_transaction is None:
            for address in self.chips if fault.address is None else (fault.address,):
                self._note(fault, address, self.transactions)
                self.chips[address].reset("brown-out")
            return
        first = self.transactions + (fault.at_transaction or 0)
        self._armed.append(ArmedFault(fault, first, fault.count))
        self._next_fault = min(self._next_fault, first)

    def clear(self, fault: BusFault) -> None:
        """End a fault that was injected; one that is over already is none."""
        self._armed = [armed for armed in self._armed if armed.fault is not fault]

    # One transfer.

    def _transfer(self, start: int, count: int) -> None:
        transaction = self.transactions
        self.transactions += 1
        if not 0 < count <= _MOST_MESSAGES:
            raise _error(errno.EINVAL)
        messages = list(_MESSAGE.iter_unpack(string_at(start, count * _MESSAGE.size)))
        self._check_adapter(messages)
        if transaction >= self._next_fault:
            self._faulty_transfer([Message(*message) for message in messages])
            return
        self._owed += self._overhead
        try:
            for address, flags, length, buffer in messages:
                chip = self._addressed(address)
                if flags:
                    memmove(buffer, self._read(chip, length), length)
                else:
                    self._write(chip, string_at(buffer, length))
        finally:
            self._stop()

    def _check_adapter(self, messages: list[tuple[int, ...]]) -> None:
        """What the Pi's adapters refuse before anything is on the wire."""
        last = messages[-1]
        for message in messages:
            address, flags = message[:2]
            if flags & ~_I2C_M_RD:
                raise _error(errno.EOPNOTSUPP)
            if self._one_address_only:
                if address != last[0]:
                    raise _error(errno.EINVAL)
            elif flags and message is not last:
                raise _error(errno.EOPNOTSUPP)

    def _addressed(self, address: int) -> MCP23017Model:
        """Start (or start again) and the address byte: the chip that acknowledges it."""
        self._owed += (1 + _BYTE_BITS) * _US_PER_S
        self.wire_bytes += 1
        chip = self.chips.get(address)
        if chip is None or not chip.select():
            raise _error(_EREMOTEIO)
        return chip

    def _read(self, chip: MCP23017Model, length: int) -> bytes:
        data = bytearray(length)
        for offset in range(length):
            data[offset] = chip.read()
            self._owed += _BYTE_BITS * _US_PER_S
        self.wire_bytes += length
        return bytes(data)

    def _write(self, chip: MCP23017Model, data: bytes) -> None:
        if not data:
            return
        self._owed += _BYTE_BITS * _US_PER_S
        chip.pointer = data[0]
        for value in data[1:]:
            self._owed += _BYTE_BITS * _US_PER_S
            chip.write(value)
            if not chip.listening:
                raise _error(_EREMOTEIO)
        self.wire_bytes += len(data)

    def _stop(self) -> None:
        self._owed += _US_PER_S
        self._owed += -self._owed % self._bit_rate_hz
        self._settle()

    def _settle(self) -> None:
        """Bring the clock up to what has passed on the wire."""
        us, self._owed = divmod(self._owed, self._bit_rate_hz)
        self._time.advance_us(us)

    # One transfer with faults.

    def _faulty_transfer(self, messages: list[Message]) -> None:
        due = list(self._due(messages))
        plan = interference(due, messages, self.chips, self._random)
        self._owed += self._overhead
        try:
            for index, message in enumerate(messages):
                if index in plan.not_sent:
                    self._strikes(plan.not_sent[index], message.address)
                    return
                self._faulty_message(plan, index, message)
        finally:
            self._stop()
            self._armed = [armed for armed in self._armed if armed.left != 0]
            self._next_fault = min((armed.first for armed in self._armed), default=NEVER)

    def _due(self, messages: list[Message]) -> Iterator[ArmedFault]:
        """What may disturb this transfer. Where the host stands still, that passes first."""
        transaction = self.transactions - 1
        addresses = {None, *(message.address for message in messages)}
        for armed in [each for each in self._armed if each.first <= transaction]:
            fault = armed.fault
            if fault.kind == STALL and fault.address in addresses:
                armed.hits(transaction, self._time.now_us)
                self._note(fault, messages[0].address, transaction)
                self.stand_still(fault.for_us or 0)
        for armed in [each for each in self._armed if each.first <= transaction]:
            if armed.until_us <= self._time.now_us:
                armed.left = 0
            elif armed.fault.kind != STALL:
                yield armed

    def _faulty_message(self, plan: Interference, index: int, message: Message) -> None:
        for armed, address in plan.brown_outs.get(index, ()):
            if address in self.chips:
                self._strikes(armed, address)
                self.chips[address].reset("brown-out")
        meant = message.address
        if index in plan.timeouts:
            self._strikes(plan.timeouts[index], meant)
            self._time.advance_us(self._timeout_us)
            raise _error(errno.ETIMEDOUT)
        answering, cause = meant, "command"
        if index in plan.diverted:
            armed, answering = plan.diverted[index]
            self._strikes(armed, meant)
            cause = "wire"
        chip = self._addressed(answering)
        if index in plan.nacks:
            self._strikes(plan.nacks[index], meant)
            raise _error(_EREMOTEIO)
        if message.flags:
            read = bytearray(self._read(chip, message.length))
            for offset in range(message.length):
                read[offset] ^= self._flipped(plan, index, offset, meant)
            memmove(message.buffer, bytes(read), message.length)
            return
        for offset, sent in enumerate(string_at(message.buffer, message.length)):
            self._owed += _BYTE_BITS * _US_PER_S
            self.wire_bytes += 1
            if (index, offset) in plan.refused:
                self._strikes(plan.refused[index, offset], meant)
                raise _error(_EREMOTEIO)
            flipped = self._flipped(plan, index, offset, meant)
            if offset == 0:
                chip.pointer = sent ^ flipped
                if flipped:  # nothing that follows goes where the host meant it
                    cause = "wire"
            elif index in plan.dropped:
                self._strikes(plan.dropped[index], meant)
            else:
                chip.write(sent ^ flipped, cause, flipped)
                if not chip.listening:
                    raise _error(_EREMOTEIO)

    def _flipped(self, plan: Interference, index: int, offset: int, meant: int) -> int:
        """The bits of one byte that arrive inverted."""
        flipped = 0
        for armed, mask in plan.flips.get((index, offset), ()):
            self._strikes(armed, meant)
            flipped ^= mask
        return flipped

    def _strikes(self, armed: ArmedFault, address: int) -> None:
        self._settle()
        self._last_struck_us = self._time.now_us
        transaction = self.transactions - 1
        if armed.hits(transaction, self._time.now_us):
            self._note(armed.fault, address, transaction)

    def _note(self, fault: BusFault, address: int, transaction: int) -> None:
        self.faults_hit.append(FaultHit(self._time.now_us, transaction, fault.kind, address))


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
