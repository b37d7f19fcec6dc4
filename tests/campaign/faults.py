"""The faults of a campaign: at the seams to the I2C bus and to the GPIO lines, and in the plant."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sweep.working_station import WorkingStation

from hardware.simulated import wire_faults
from hardware.simulated.bus import BusFault
from hardware.simulated.faults import LINE_KINDS as HELD_KINDS
from hardware.simulated.faults import MODULE_KINDS, PAIR_KINDS, Injection
from hardware.simulated.pins import LINE_KINDS, LineFault
from hardware.simulated.wire_faults import Message

BUS_KINDS = wire_faults.KINDS

Fault = BusFault | LineFault | Injection


class Scan(NamedTuple):
    """What one scan does at the seams, nothing being broken."""

    transfers: Sequence[Sequence[Message]]
    accesses: Sequence[str]
    """Of lines: the kind of fault that applies, of a read or of a write."""


def name(fault: Fault) -> str:
    """What it is called in a report."""
    if isinstance(fault, LineFault):
        return f"line_{fault.kind}"
    if isinstance(fault, BusFault) and fault.count != 1:
        return f"{fault.kind} {'for ever' if fault.count is None else 'for a while'}"
    return fault.kind


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
    else:
        at_work.charger.inject(fault)


def waiting(at_work: WorkingStation) -> bool:
    """A fault of the seams has not found what it applies to."""
    return bool(at_work.bus._armed or at_work.charger.pins._armed)


def leaves_nothing(fault: Fault) -> bool:
    """It strikes once and breaks nothing."""
    return not ends_the_process(fault) and (
        isinstance(fault, LineFault)
        or (isinstance(fault, BusFault) and fault.count == 1 and fault.kind != "brown_out")
    )


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
    transfers: list[Sequence[Message]] = []
    accesses: list[str] = []
    check, struck = bus._check_adapter, pins.struck

    def noting(messages: list[tuple[int, ...]]) -> None:
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
    return Scan(transfers, accesses)


def every(scan: Scan, chips: Sequence[int]) -> Iterator[Fault]:
    """Every (kind, transaction, bit) at the seams."""
    for transaction, messages in enumerate(scan.transfers):
        for kind in BUS_KINDS:
            for bit in wire_faults.bits(kind, messages):
                for address in chips if kind == "brown_out" else (None,):
                    yield BusFault(kind, address, transaction, 1, bit)
    for access, applies in enumerate(scan.accesses):
        for kind in (applies, "error"):
            yield LineFault(kind, access)


def some(draw: random.Random, scan: Scan, at_work: WorkingStation) -> list[Fault]:
    """One fault or two: at the seams both, or one of them in the plant. The second strikes in this
    scan too or in one of the next."""
    first = _at_the_seams(draw, scan, at_work, 0, draw.random() < 0.1)
    if draw.random() < 0.35:
        return [first]
    if draw.random() < 0.25:
        return [first, _in_the_plant(draw, at_work)]
    later = draw.choice([0, 0, 1, 2, 3])
    return [first, _at_the_seams(draw, scan, at_work, later, False)]


def _at_the_seams(
    draw: random.Random, scan: Scan, at_work: WorkingStation, later: int, lasting: bool
) -> Fault:
    if draw.random() < 0.15:
        access = later * len(scan.accesses) + draw.randrange(len(scan.accesses))
        return LineFault(draw.choice(LINE_KINDS), access)
    transaction = later * len(scan.transfers) + draw.randrange(len(scan.transfers))
    kind = draw.choice(BUS_KINDS)
    chips = list(at_work.bus.chips)
    one_chip = kind == "brown_out" or (lasting and draw.random() < 0.5)
    return BusFault(
        kind,
        draw.choice(chips) if one_chip else None,
        transaction,
        draw.choice([30, None]) if lasting and kind != "brown_out" else 1,
        draw.randrange(1 << 16),
    )


def _in_the_plant(draw: random.Random, at_work: WorkingStation) -> Injection:
    kind = draw.choice([*PAIR_KINDS, *MODULE_KINDS, *HELD_KINDS, "estop"])
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
    return Injection(kind, at_us=at_us, for_us=for_us)
