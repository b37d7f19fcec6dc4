"""Faults that stay until somebody clears them: what they take out, and what must be seen first.

Each field of `Latched` is one kind of fault; `control.fault_kinds` has its words.
"""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel.diagnosis import NOT_SO, Ages
from verified_alloc.kernel.ops import BoolMatrix, Ops, Shape


class Latched(NamedTuple):
    """What is latched; matrices are `[module][gun]`, lists by module, gun or expander."""

    welded: BoolMatrix
    failed_open: BoolMatrix
    dead: Sequence[bool]
    """By module: does not report on although enabled."""
    stuck_on: BoolMatrix
    """The module does not switch off, with this contactor closed."""
    expander_lost: Sequence[bool]
    """By expander: does not answer, does not obey, or loses its configuration, again and again."""
    runs_on: Sequence[bool]
    """By module: reports on although disabled, with no contactor closed."""
    enable_high: Sequence[bool]
    """By module: its enable line is held high by something else."""
    emergency_stop: bool
    stopped: bool
    """A person has stopped the station, not by the button."""
    gun_out: Sequence[bool]
    """By gun: a person has taken it out of service."""
    module_out: Sequence[bool]


class Excluded(NamedTuple):
    """What the allocation must do without; matrices are `[module][gun]`."""

    modules: Sequence[bool]
    guns: Sequence[bool]
    failed_open: BoolMatrix
    welded: BoolMatrix


def excluded(
    ops: Ops, carriers: Sequence[Sequence[Shape]], latched: Latched, lost: Sequence[bool]
) -> Excluded:
    """What faults take out. A module goes with its expanders (`carriers`, by module) while one is
    out of order (`lost`), and with a contactor whose feedback has lied both ways."""
    liars = [
        [ops.and_(weld, failed) for weld, failed in zip(*rows, strict=True)]
        for rows in zip(latched.welded, latched.failed_open, strict=True)
    ]
    return Excluded(
        modules=[
            ops.or_(
                latched.dead[module],
                latched.runs_on[module],
                latched.module_out[module],
                *[lost[at] for at in carriers[module]],
                *latched.stuck_on[module],
                *liars[module],
            )
            for module in range(len(latched.dead))
        ],
        guns=[
            ops.or_(out, *stuck)
            for out, stuck in zip(latched.gun_out, zip(*latched.stuck_on, strict=True), strict=True)
        ],
        failed_open=latched.failed_open,
        welded=[
            [ops.and_(weld, ops.not_(lied)) for weld, lied in zip(*rows, strict=True)]
            for rows in zip(latched.welded, liars, strict=True)
        ],
    )


def contactor_agrees(ops: Ops, ages: Ages, gun: Shape) -> bool:
    """Command and feedback of this module's contactor are seen to agree: its fault may be
    cleared."""
    return ops.and_(ages.settled_ms[gun] > NOT_SO, ages.mismatch[gun] <= 0)


def line_obeys(stray: int) -> bool:
    """The module's enable line was low of late whenever it should be: its fault may be cleared."""
    return stray <= 0


def reports_off(ages: Ages) -> bool:
    """The module does not report on unasked: its fault may be cleared."""
    return ages.stuck_ms <= NOT_SO


def at_rest(ops: Ops, decay_ms: int, enabled: bool, reports_on: bool, lines_off_ms: int) -> bool:
    """The module is off, and has been for the decay time by its lines: an expander that carries it
    may be configured anew."""
    return ops.and_(ops.not_(ops.or_(enabled, reports_on)), lines_off_ms >= decay_ms)
