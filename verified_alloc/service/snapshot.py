"""What the scan shows to the service process."""

from collections.abc import Mapping
from typing import NamedTuple

from verified_alloc.control.fault_kinds import Fault
from verified_alloc.control.standing_limits import Standing
from verified_alloc.control.state import State

LATENESS_BOUNDS_MS = tuple(round(0.05 * 1.4**step, 3) for step in range(30))
"""Upper bounds of the buckets that a scan's lateness is counted in: 0.05 ms to 0.87 s."""


class Note(NamedTuple):
    """Something that happened, in a sentence."""

    number: int
    at_s: float
    """Unix time."""
    text: str


class Lateness(NamedTuple):
    """How late scans began, in real time."""

    counts: tuple[int, ...]
    """By bucket of `LATENESS_BOUNDS_MS`, and those beyond the last."""
    sum_ms: float
    latest_ms: float
    most_ms: float


class Snapshot(NamedTuple):
    """One scan, and what has been counted since the start. Guns are counted from 1."""

    at_s: float
    """Unix time of the scan."""
    started_s: float
    scans: int
    unverified: int
    """Scans whose writes could not be verified."""
    ending: bool
    """Told to end: everything is being taken off."""
    state: State
    assignment: int
    """Counts up with every new assignment of modules to guns, from 1."""
    assigned_s: float
    """Unix time of the latest."""
    limits: Standing
    limit_rises_s: int | None
    """Unix time when a site limit counts that is higher than the one in force."""
    fell_to_0: tuple[int, ...]
    """By gun, how often its offer has fallen to 0 while it asked,"""
    operations_an_hour: tuple[int, ...]
    """and the makes and breaks of its contactors in the last hour."""
    energy_wms: tuple[int, ...]
    """By gun, what it was given since the start: offered, as far as modules fed it, W ms."""
    drawn_w: tuple[int, ...] | None
    """By gun, what its simulated vehicle draws; None on real wires, where nobody measures it."""
    lateness: Lateness
    notes: tuple[Note, ...]
    fault_since_s: Mapping[Fault, float | None] = {}
    """Unix time since when each latched fault stands; None: since before the start."""
    acknowledged_s: Mapping[str, float] = {}
    """When somebody has seen a fault, by the name that it is cleared by."""
