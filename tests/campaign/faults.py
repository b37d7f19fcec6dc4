"""The faults of a campaign: at the seams to the I2C bus, the GPIO lines and the disk, in the plant,
and of the computer itself."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from campaign.disk import Disk, DiskFault
from sweep.working_station import WorkingStation

from hardware.simulated import wire_faults
from hardware.simulated.bus import BusFault
from hardware.simulated.faults import (
    CHIP_KINDS,
    MODULE_KINDS,
    PAIR_KINDS,
    REGISTER_BITS,
    STALL,
    STATION_KINDS,
    Injection,
)
from hardware.simulated.faults import LINE_KINDS as HELD_KINDS
from hardware.simulated.pins import LINE_KINDS, LineFault
from hardware.simulated.wire_faults import Message

BUS_KINDS = wire_faults.KINDS
STALLS_MS = (30, 150, 600)
"""Before the watchdog bites, before and after the coil supply goes."""
RESETS_MS = (1, 20, 1000)
SDA_HELD_MS = (50, 400)
LONGEST_HELD_MS = 10_000
WITHIN_A_TRANSFER_US = 300
RESET_LINE = "reset line low for a while"
HELD_UP_MS = 160
"""So long the off-delay of these stations holds RESET up at the least."""

Fault = BusFault | LineFault | Injection | DiskFault


class Scan(NamedTuple):
    """What one scan does at the seams, nothing being broken."""

    transfers: Sequence[Sequence[Message]]
    accesses: Sequence[str]
    """Of lines: the kind of fault that applies, of a read or of a write."""
    began_us: Sequence[int]
    """When each of these transfers begins."""


def name(fault: Fault) -> str:
    """What it is called in a report."""
    if isinstance(fault, LineFault):
        return f"line_{fault.kind}"
    if isinstance(fault, DiskFault):
        return f"disk {fault.kind}"
    if isinstance(fault, BusFault) and fault.count != 1:
        if fault.for_us is not None and fault.kind == "timeout":
            return "SDA held for a while"
        return f"{fault.kind} {'for ever' if fault.count is None else 'for a while'}"
    return fault.text if isinstance(fault, Injection) and fault.text else fault.kind


def said(fault: Fault) -> str:
    """Everything needed to play it again."""
    fields = {
        key: value for key, value in vars(fault).items() if value not in (None, "", fault.kind)
    }
    return " ".join([name(fault), *(f"{key}={value}" for key, value in fields.items())])


def strike(at_work: WorkingStation, fault: Fault) -> None:
    """Let it strike, counted from now."""
    if isinstance(fault, BusFault):
        at_work.bus.inject(fault)
    elif isinstance(fault, LineFault):
        at_work.charger.pins.inject(fault)
    elif isinstance(fault, DiskFault):
        disk_of(at_work).inject(fault)
    else:
        at_work.charger.inject(fault)


def disk_of(at_work: WorkingStation) -> Disk:
    """The disk of a station that has one."""
    disk = at_work._faults_path
    assert isinstance(disk, Disk)
    return disk


def waiting(at_work: WorkingStation) -> bool:
    """A fault of the seams has not found what it applies to."""
    return bool(at_work.bus._armed or at_work.charger.pins._armed)


def leaves_nothing(fault: Fault) -> bool:
    """It strikes once and breaks nothing."""
    if isinstance(fault, Injection):
        return fault.text == RESET_LINE and (fault.for_us or 0) < 1000 * HELD_UP_MS
    if isinstance(fault, DiskFault):
        return True  # nothing is latched
    if fault.kind == STALL:
        return False  # what was not read in time is out for a while
    return not ends_the_process(fault) and (
        isinstance(fault, LineFault) or (fault.count == 1 and fault.kind != "brown_out")
    )


def heals(fault: Fault) -> bool:
    """It is over after a while, and then all is as it was decided, whatever has moved by then."""
    if isinstance(fault, Injection):
        return fault.text == RESET_LINE or fault.kind == "reset"
    if isinstance(fault, DiskFault):
        return False
    return ends_the_process(fault) or (fault.for_us is not None and fault.for_us > 0)


def ends_the_process(fault: Fault) -> bool:
    """The GPIO library fails: modules off, exit 3, and systemd starts a new process."""
    return isinstance(fault, LineFault) and fault.kind == "error"


def unseen(at_work: WorkingStation, chosen: Sequence[Fault]) -> bool:
    """A contactor closes by itself while its auxiliary contact cannot be read: the expander that
    reads it is gone, or the whole bus. Nothing that is wired could tell anybody."""
    wiring, feedback = at_work.cabinet._place, at_work.station.hardware.feedback_expanders
    closing = {
        feedback[wiring[fault.gun or 0, fault.module or 0][0]].address
        for fault in chosen
        if isinstance(fault, Injection) and fault.kind == "spontaneous-close"
    }
    return any(
        isinstance(fault, BusFault)
        and (fault.count != 1 or fault.kind == "brown_out")
        and (fault.address is None or fault.address in closing)
        for fault in chosen
        if closing
    )


def watched(at_work: WorkingStation) -> Scan:
    """One scan, watched at the seams."""
    bus, pins = at_work.bus, at_work.charger.pins
    began_us: list[int] = []
    transfers: list[Sequence[Message]] = []
    accesses: list[str] = []
    check, struck = bus._check_adapter, pins.struck

    def noting(messages: list[tuple[int, ...]]) -> None:
        began_us.append(at_work.cabinet.now_us)
        transfers.append([Message(*message) for message in messages])
        check(messages)

    def noting_access(kind: str) -> bool:
        accesses.append(kind)
        return struck(kind)

    bus._check_adapter = noting  # type: ignore[method-assign,assignment]
    pins.struck = noting_access  # type: ignore[method-assign]
    try:
        at_work.scan(skip=False)
    finally:
        del bus._check_adapter, pins.struck  # type: ignore[method-assign]
    return Scan(transfers, accesses, began_us)


def every(scan: Scan, at_work: WorkingStation) -> Iterator[Fault]:
    """Every (kind, transaction, bit) at the seams. Before each transfer and each write of a line
    the host stands still; in each transfer RESET falls, before the off-delay and behind it, or
    somebody begins to hold SDA."""
    chips = list(at_work.bus.chips)
    for transaction, messages in enumerate(scan.transfers):
        for kind in BUS_KINDS:
            for bit in wire_faults.bits(kind, messages):
                for address in chips if kind == "brown_out" else (None,):
                    yield BusFault(kind, address, transaction, 1, bit)
    for access, applies in enumerate(scan.accesses):
        for kind in (applies, "error"):
            yield LineFault(kind, access)
        for stall_ms in STALLS_MS if applies == "drop_write" else ():
            yield LineFault(STALL, access, 1000 * stall_ms)
    for transaction, began_us in enumerate(scan.began_us):
        for stall_ms in STALLS_MS:
            yield BusFault(STALL, None, transaction, for_us=1000 * stall_ms)
        for held_ms in SDA_HELD_MS:
            yield BusFault("timeout", None, transaction, None, for_us=1000 * held_ms)
        for low_ms in RESETS_MS:
            yield from _resets(at_work, began_us + WITHIN_A_TRANSFER_US, 1000 * low_ms)


def _resets(at_work: WorkingStation, at_us: int, for_us: int) -> Iterator[Injection]:
    line = at_work.station.hardware.reset_pin
    yield Injection("line-low", line=line, at_us=at_us, for_us=for_us, text=RESET_LINE)
    yield Injection("reset", at_us=at_us, for_us=for_us)


def some(draw: random.Random, scan: Scan, at_work: WorkingStation) -> list[Fault]:
    """One fault or two: at the seams both, or one of them in the plant. The second strikes in this
    scan too or in one of the next."""
    first = _at_the_seams(draw, scan, at_work, 0, draw.random() < 0.1)
    if draw.random() < 0.35:
        return [first]
    if draw.random() < 0.25:
        return [first, _in_the_plant(draw, at_work)]
    if draw.random() < 0.1:  # what breaks something is to be latched
        return [_of_the_disk(draw), _in_the_plant(draw, at_work)]
    later = draw.choice([0, 0, 1, 2, 3])
    return [first, _at_the_seams(draw, scan, at_work, later, False)]


def _at_the_seams(
    draw: random.Random, scan: Scan, at_work: WorkingStation, later: int, lasting: bool
) -> Fault:
    if draw.random() < 0.15:
        access = later * len(scan.accesses) + draw.randrange(len(scan.accesses))
        return LineFault(draw.choice(LINE_KINDS), access, _some_us(draw))
    transaction = later * len(scan.transfers) + draw.randrange(len(scan.transfers))
    kind = draw.choice([*BUS_KINDS, STALL, "reset", "SDA held"])
    if kind == "reset":
        at_us = at_work.cabinet.now_us + draw.randrange(1000 * at_work.station.timing.scan_ms)
        return draw.choice(list(_resets(at_work, at_us, _some_us(draw))))
    if kind == "SDA held":
        held_us = 1000 * LONGEST_HELD_MS if draw.random() < 0.1 else _some_us(draw)
        return BusFault("timeout", None, transaction, None, for_us=held_us)
    if kind == STALL:
        return BusFault(STALL, None, transaction, for_us=_some_us(draw))
    chips = list(at_work.bus.chips)
    one_chip = kind == "brown_out" or (lasting and draw.random() < 0.5)
    return BusFault(
        kind,
        draw.choice(chips) if one_chip else None,
        transaction,
        draw.choice([30, None]) if lasting and kind != "brown_out" else 1,
        draw.randrange(1 << 16),
    )


def _some_us(draw: random.Random) -> int:
    return round(1000 * 10 ** draw.uniform(0, 3))


def _of_the_disk(draw: random.Random) -> DiskFault:
    kind, count = draw.choice(["refuses", "slow"]), draw.choice([1, 3, None])
    return DiskFault(kind, count, _some_us(draw))


def _in_the_plant(draw: random.Random, at_work: WorkingStation) -> Injection:
    of_the_station = [kind for kind in STATION_KINDS if kind != "watchdog-stuck-on"]
    kind = draw.choice([*PAIR_KINDS, *MODULE_KINDS, *HELD_KINDS, *of_the_station, *CHIP_KINDS])
    gun, module = draw.choice(at_work.station.contactors)
    at_us = at_work.cabinet.now_us + draw.randrange(1000 * at_work.station.timing.scan_ms)
    for_us = draw.choice([None, draw.randrange(1000, 300_000)])
    if kind == "aux-chatter":  # as long as it goes on, no two scans are alike
        for_us = draw.randrange(1000, 300_000)
    if kind in PAIR_KINDS:
        return Injection(kind, gun=gun, module=module, at_us=at_us, for_us=for_us)
    if kind in MODULE_KINDS:
        return Injection(kind, module=module, at_us=at_us, for_us=for_us)
    if kind in HELD_KINDS:
        line = draw.choice(sorted(at_work.charger.pins.wired))
        return Injection(kind, line=line, at_us=at_us, for_us=for_us)
    if kind in CHIP_KINDS:
        address = draw.choice(list(at_work.bus.chips))
        bit = draw.randrange(REGISTER_BITS if kind == "upset" else 16)
        return Injection(kind, address=address, bit=bit, at_us=at_us, for_us=for_us)
    return Injection(kind, at_us=at_us, for_us=for_us)
