"""What can go wrong on the simulated I2C bus, when it strikes, and what it does to a transfer.

A transfer (or transaction) is one `i2c_rdwr`; a message is one part of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from hardware.simulated.faults import STALL

KINDS = (
    "nack",
    "nack_data",
    "timeout",
    "flip_read",
    "flip_write",
    "wrong_chip",
    "drop_write",
    "brown_out",
    "no_transfer",
)

NEVER = 1 << 62
ADDRESS_BITS = 7


class Message(NamedTuple):
    """One message of a transfer, as the kernel's `struct i2c_msg` describes it."""

    address: int
    flags: int
    length: int
    buffer: int


@dataclass
class BusFault:
    """One fault on the bus. It strikes whole transfers (one `i2c_rdwr` each).

    kind:
        nack        the chip does not acknowledge its address; nothing takes effect
        nack_data   a written byte is not acknowledged; the bytes before it have taken effect
        timeout     the bus hangs until the adapter gives up; nothing takes effect
        flip_read   one bit of the bytes read arrives inverted
        flip_write  one bit of the bytes written (register pointers included) arrives inverted
        wrong_chip  one bit of a written message's address is inverted (the first message that
                    carries data; if none does, the first pointer): it lands on another chip, which
                    acknowledges it, or on none
        drop_write  data bytes are acknowledged and lost
        brown_out   the chip's supply dips: power-up values
        no_transfer the adapter says that all went well, and nothing was transferred
        stall       no fault of the bus: before the transfer the host stands still for `for_us`
    address: the chip concerned; None = whichever is addressed (brown_out at once: every chip).
    at_transaction: not before the n-th transfer from now (0 = the next). None = from now on; a
        brown_out strikes at once and once, without a transfer.
    count: how many transfers it strikes; None = all from then on, until cleared. A fault strikes
        only transfers that it applies to (flip_read needs a read of that chip, and so on). Only
        a brown_out with an address does not care which chip is addressed.
    bit: which bit flips, counted from bit 0 of the first byte over all bytes that can be hit,
        modulo their number; for nack_data, the bit's byte is refused. None = seeded random.
        For a wrong_chip: which of the address's seven bits (modulo); None = one that finds a chip.
        For a brown_out: the message of the transfer before which it strikes (modulo); None = 0.
    for_us: it is over so long after it first struck, whatever is left of its count.
    """

    kind: str
    address: int | None = None
    at_transaction: int | None = None
    count: int | None = 1
    bit: int | None = None
    for_us: int | None = None


class FaultHit(NamedTuple):
    """A fault that really struck. A persistent fault (`count=None`) is noted once."""

    at_us: int
    transaction: int  # counted from 0; of a brown-out at once, the next one
    kind: str
    address: int  # of the chip that the host meant


@dataclass(eq=False)
class ArmedFault:
    """A fault that waits for its transfer."""

    fault: BusFault
    first: int  # transaction, counted from 0
    left: int | None
    last_hit: int = -1
    until_us: int = NEVER

    def hits(self, transaction: int, now_us: int) -> bool:
        """Note that it strikes this transfer; True the first time that it does."""
        if self.last_hit == transaction:
            return False
        first_ever = self.last_hit < 0
        if first_ever and self.fault.for_us is not None:
            self.until_us = now_us + self.fault.for_us
        self.last_hit = transaction
        if self.left is None:
            return first_ever
        self.left -= 1
        return True


@dataclass
class Interference:
    """What the faults that are due do to one transfer. Positions are (message, byte)."""

    brown_outs: dict[int, list[tuple[ArmedFault, int]]] = field(default_factory=dict)  # with chip
    nacks: dict[int, ArmedFault] = field(default_factory=dict)
    timeouts: dict[int, ArmedFault] = field(default_factory=dict)
    refused: dict[tuple[int, int], ArmedFault] = field(default_factory=dict)
    flips: dict[tuple[int, int], list[tuple[ArmedFault, int]]] = field(default_factory=dict)
    diverted: dict[int, tuple[ArmedFault, int]] = field(default_factory=dict)  # with the victim
    dropped: dict[int, ArmedFault] = field(default_factory=dict)  # data bytes, if any
    not_sent: dict[int, ArmedFault] = field(default_factory=dict)


def check(fault: BusFault, addresses: Iterable[int]) -> None:
    """Refuse a fault that could never strike. Raises ValueError."""
    addresses = sorted(addresses)
    if fault.kind not in (*KINDS, STALL):
        raise ValueError(f"bus fault {fault.kind!r}: must be one of {', '.join(KINDS)}")
    if fault.address is not None and fault.address not in addresses:
        known = ", ".join(f"{address:#04x}" for address in addresses)
        raise ValueError(f"{fault.kind} at {fault.address:#04x}: the chips are at {known}")
    if fault.at_transaction is not None and fault.at_transaction < 0:
        raise ValueError(f"{fault.kind} at_transaction {fault.at_transaction}: must be 0 or more")
    if fault.count is not None and fault.count < 1:
        raise ValueError(f"{fault.kind} count {fault.count}: must be 1 or more, or None")
    needed = fault.kind == STALL or fault.for_us is not None
    if needed and (fault.for_us or 0) < 1:
        raise ValueError(f"{fault.kind} for_us {fault.for_us}: must be 1 or more")


def interference(
    due: Iterable[ArmedFault],
    messages: Sequence[Message],
    addresses: Iterable[int],
    random: Random,
) -> Interference:
    """Work out what the faults that are due do to this transfer."""
    plan = Interference()
    for armed in due:
        fault = armed.fault
        meant = [
            index
            for index, message in enumerate(messages)
            if fault.address is None or message.address == fault.address
        ]
        if fault.kind == "brown_out":
            chip = messages[0].address if fault.address is None else fault.address
            index = (fault.bit or 0) % len(messages)
            plan.brown_outs.setdefault(index, []).append((armed, chip))
        elif not meant:
            continue
        elif fault.kind == "nack":
            plan.nacks[meant[0]] = armed
        elif fault.kind == "timeout":
            plan.timeouts[meant[0]] = armed
        elif fault.kind == "no_transfer":
            plan.not_sent[meant[0]] = armed
        elif fault.kind == "wrong_chip":
            writes = [index for index in meant if not messages[index].flags]
            carrying_data = [index for index in writes if messages[index].length > 1]
            for index in (carrying_data or writes)[:1]:
                meant_for = messages[index].address
                victim = (
                    _nearest(meant_for, addresses)
                    if fault.bit is None
                    else meant_for ^ 1 << fault.bit % ADDRESS_BITS
                )
                plan.diverted[index] = (armed, victim)
        elif fault.kind == "drop_write":
            plan.dropped.update(dict.fromkeys(meant, armed))
        else:
            read = fault.kind == "flip_read"
            places = list(_bytes_of(messages, meant, read))
            if not places:
                continue
            bits = 8 * len(places)
            bit = random.randrange(bits) if fault.bit is None else fault.bit % bits
            place = places[bit // 8]
            if fault.kind == "nack_data":
                plan.refused[place] = armed
            else:
                plan.flips.setdefault(place, []).append((armed, 1 << bit % 8))
    return plan


def bits(kind: str, messages: Sequence[Message]) -> range:
    """Every `bit` with which a fault of this kind does something else to this transfer, its address
    None; for a brown-out its address is chosen besides."""
    read = 8 * sum(message.length for message in messages if message.flags)
    written = 8 * sum(message.length for message in messages if not message.flags)
    carries_data = any(not message.flags and message.length > 1 for message in messages)
    return {
        "flip_read": range(read),
        "flip_write": range(written),
        "nack_data": range(0, written, 8),
        "wrong_chip": range(ADDRESS_BITS if written else 0),
        "drop_write": range(carries_data),
        "brown_out": range(len(messages)),
    }.get(kind, range(1))


def _bytes_of(
    messages: Sequence[Message], chosen: Iterable[int], read: bool
) -> Iterator[tuple[int, int]]:
    """The positions of all bytes read (or written) in the chosen messages."""
    for index in chosen:
        if bool(messages[index].flags) == read:
            for offset in range(messages[index].length):
                yield index, offset


def _nearest(address: int, addresses: Iterable[int]) -> int:
    """The chip that answers when a bit of the address is inverted; no other chip: nobody."""
    others = [other for other in addresses if other != address]
    if not others:
        return address ^ 1
    return min(others, key=lambda other: ((other ^ address).bit_count(), other))
