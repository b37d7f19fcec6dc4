"""The registers of Modbus: what each holds and which may be written, for the server and its page.

A value is a whole number of watts, watt-hours or seconds, in one register or, the high word first,
in two. Input and holding registers are the same.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from verified_alloc.control.fault_kinds import Fault
from verified_alloc.service.felt import given_w
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.views import WMS_PER_KWH, Views
from verified_alloc.station.model import Station

VERSION = 1
NO_LIMIT = 0xFFFF_FFFF
GUN_STRIDE = 100
"""Gun N begins at so many times N."""
GUN_STATES = ("idle", "asks, is offered nothing", "may draw", "out of service", "locked by a fault")


class Look(NamedTuple):
    """What is looked at: a scan, and a gun by its place or 0."""

    station: Station
    views: Views
    seen: Snapshot
    healthy: bool
    place: int = 0


class Register(NamedTuple):
    """A value, in so many registers of 16 bits."""

    name: str
    words: int
    value: Callable[[Look], int | None]
    meaning: str
    writable: bool = False


def _gun_state(at: Look) -> int:
    state, gun = at.seen.state, at.place + 1
    if Fault("gun_out", gun=gun) in state.latched:
        return 3
    if gun in state.locked:
        return 4
    return 2 if state.offer_w[at.place] else int(state.asks_w[at.place] > 0)


def _given_w(at: Look) -> tuple[int, ...]:
    return given_w(at.seen.state, at.station.module_power_w)


STATION: Sequence[Register] = (
    Register("version", 1, lambda at: VERSION, "of this table"),
    Register("heartbeat", 1, lambda at: at.seen.scans & 0xFFFF, "counts up while scans go on"),
    Register("healthy", 1, lambda at: at.healthy, "1, or 0 where only a restart can help"),
    Register("verified", 1, lambda at: at.seen.state.verified, "1: the latest scan is verified"),
    Register("stopped", 1, lambda at: at.seen.state.stopped, "1: all off until it is cleared"),
    Register(
        "faults",
        1,
        lambda at: len(at.views.latched_by_name(at.seen.state.latched)),
        "latched faults to clear",
    ),
    Register("guns", 1, lambda at: len(at.station.guns), "how many there are"),
    Register("modules", 1, lambda at: len(at.station.modules), "how many there are"),
    Register(
        "site_limit_w",
        2,
        lambda at: at.seen.state.inputs.site_limit_w,
        "in force; 0xFFFFFFFF: none. Written: from now on, 0xFFFFFFFF takes it back",
        writable=True,
    ),
    Register("own_limit_w", 2, lambda at: at.station.site_limit_w, "never exceeded; or none"),
    Register("offered_w", 2, lambda at: sum(at.seen.state.offer_w), "to all guns"),
    Register("given_w", 2, lambda at: sum(_given_w(at)), "offered, as far as modules feed it"),
    Register(
        "demand_timeout_s",
        2,
        lambda at: at.station.timing.demand_timeout_s,
        "a demand that is not written again for so long is 0",
    ),
)

GUN: Sequence[Register] = (
    Register(
        "state", 1, _gun_state, "; ".join(f"{n}: {said}" for n, said in enumerate(GUN_STATES))
    ),
    Register(
        "stale",
        1,
        lambda at: at.place + 1 in at.seen.state.stale,
        "1: its demand was not refreshed in time and counts as 0",
    ),
    Register(
        "demand_w",
        2,
        lambda at: at.seen.state.asks_w[at.place],
        "what it asks for, within its limit. Written: what its vehicle could take",
        writable=True,
    ),
    Register("offer_w", 2, lambda at: at.seen.state.offer_w[at.place], "what it may draw now"),
    Register("given_w", 2, lambda at: _given_w(at)[at.place], "offered, as far as modules feed it"),
    Register(
        "energy_wh",
        2,
        lambda at: at.seen.energy_wms[at.place] * 1000 // WMS_PER_KWH,
        "given since the start; nothing is metered",
    ),
    Register("maximum_w", 2, lambda at: at.station.guns[at.place].max_power_w, "its own"),
    Register(
        "modules",
        1,
        lambda at: len(at.seen.state.allocation.modules[at.place + 1]),
        "assigned to it",
    ),
    Register("live", 1, lambda at: len(at.seen.state.live[at.place]), "modules that feed it"),
)


def placed(block: Sequence[Register]) -> Iterator[tuple[int, Register]]:
    """Each with how far into the block it lies."""
    offset = 0
    for register in block:
        yield offset, register
        offset += register.words


def words(block: Sequence[Register], at: Look) -> list[int]:
    """The whole block, as 16-bit words."""
    painted = []
    for register in block:
        value = register.value(at)
        most = 0xFFFF if register.words == 1 else NO_LIMIT - 1
        value = NO_LIMIT if value is None else min(int(value), most)
        painted += [value & 0xFFFF] if register.words == 1 else [value >> 16, value & 0xFFFF]
    return painted


def table(block: Sequence[Register], first: str) -> str:
    """For the page."""
    lines = ["| register | name | type | | |", "|---|---|---|---|---|"]
    for offset, register in placed(block):
        kind, access = ("uint16", "uint32")[register.words - 1], ("read", "read, write")
        lines.append(
            f"| {first}{offset} | `{register.name}` | {kind} | {access[register.writable]}"
            f" | {register.meaning} |"
        )
    return "\n".join(lines)
