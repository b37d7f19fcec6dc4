"""What one scan saw and did, for everybody who looks on."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from verified_alloc.control.fault_kinds import Fault
from verified_alloc.control.idle_tests import ProofTest
from verified_alloc.decide.allocate import Allocation
from verified_alloc.decide.demand import Asked
from verified_alloc.decide.policies.problem import NONE_RESERVED
from verified_alloc.decide.steady import Kept
from verified_alloc.station.faults import Faults
from verified_alloc.station.parts import Pair


class Inputs(NamedTuple):
    """What an allocation was decided for."""

    asked: Asked
    faults: Faults
    reserved: Mapping[int, int]
    """The modules that dwell or are held, with the gun of each."""
    site_limit_w: int | None
    """What all guns together may be given; None: no limit."""
    holds_w: Mapping[int, int] = NONE_RESERVED
    """Guns that are held, with the most power of modules that each has held."""
    held_w: tuple[int, ...] = ()
    """By gun, the demand that counts for the number of its modules."""
    limited: tuple[int, ...] = ()
    """Guns that ask for more than the limit of their own, which counts."""


class State(NamedTuple):
    """One scan; guns and modules are counted from 1."""

    at_ms: int
    demand_w: tuple[int, ...]
    """What counts: nothing does on the way out and while everything is stopped,"""
    asks_w: tuple[int, ...]
    """and what is asked for all the same, within each gun's limit."""
    stale: tuple[int, ...]
    """Guns whose demand is too old to count."""
    allocation: Allocation
    inputs: Inputs
    """What the allocation was decided for."""
    offer_w: tuple[int, ...]
    live: tuple[tuple[int, ...], ...]
    """By gun, the modules that feed it."""
    connected: tuple[tuple[int, ...], ...]
    """By gun, the modules whose contactor reads closed."""
    operations: Mapping[Pair, int]
    """Makes and breaks of each contactor that ever moved, so far."""
    locked: tuple[int, ...]
    latched: frozenset[Fault]
    faults: Faults
    """What the allocation does without."""
    held_ms: tuple[int, ...]
    """By gun, for how long its modules are still held."""
    kept: Mapping[int, Kept]
    """Guns that keep modules which they could do without."""
    alarms: tuple[str, ...]
    """What is out of order for the whole station, and ends by itself."""
    stopped: bool
    idle: bool
    """Every contactor is open and every module off."""
    settled: bool
    """Every gun has exactly the live modules that it was allocated."""
    verified: bool
    """What this scan wanted written was read back from every expander that is not lost, and the
    enable lines are as it left them."""
    quiet_until_ms: int
    """Until then nothing changes by itself; `at_ms` while something is under way."""
    policy: str = "documented"
    """In force."""
    tests: tuple[ProofTest, ...] = ()
    """The proof tests of the safety chain,"""
    testing: str = ""
    """and the one that is under way."""
    as_left: bool = True
    """The enable lines are as the scan left them. If not, only a restart, which claims them anew,
    can help."""


def by_gun(rows: Iterable[Iterable[bool]]) -> tuple[tuple[int, ...], ...]:
    """By gun, the modules whose bit is set in `rows[gun][module]`, counted from 1."""
    return tuple(tuple(m for m, bit in enumerate(row, start=1) if bit) for row in rows)
