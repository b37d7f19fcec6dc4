"""What is wrong: ages, mismatch counting, latched faults, which guns are joined or locked.

What a scan reads of a module is not trusted further than that scan; the only memory is *ages*: how
long something has been seen so, scan after scan. They start at their most conservative value after
a restart and after an invalid reading, so a crash is a missed scan.
"""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel.guard import at_most_one
from verified_alloc.kernel.ops import BoolMatrix, Ops, Shape
from verified_alloc.kernel.rule import least, most

GOOD_SCANS_PER_MISMATCH = 4
NOT_SO = -1


class Readings(NamedTuple):
    """One module as read in one scan; lists are by gun. Where invalid, these may be anything; the
    lines of the module do not hang on the expanders."""

    valid: bool
    """Every chip that carries its contactors answered."""
    enabled: bool
    """The enable line, read back."""
    reports_on: bool
    """The status input; where none is wired, the enable line."""
    latch: Sequence[bool]
    """The coils as their expander drives them, verified."""
    closed: Sequence[bool]
    """Auxiliary contacts, first read: true = the main contact is closed."""
    closed_again: Sequence[bool]
    """Auxiliary contacts, read separately a second time."""


class Ages(NamedTuple):
    """How long a module has been seen so, ms: 0 in the first scan that shows it, `NOT_SO` where the
    last scan did not; and how often its contactors disagreed."""

    off_ms: int
    """Not enabled and not reporting on."""
    stuck_ms: int
    """Not enabled but reporting on all the same."""
    silent_ms: int
    """Enabled but not reporting on."""
    settled_ms: Sequence[int]
    """By gun: both feedback reads show what this latch, unchanged, commands."""
    mismatch: Sequence[int]
    """By gun: feedback disagrees with the latch; four for each such scan, less one for each good
    one, anew whenever the latch changes."""
    latch: Sequence[bool]
    """By gun: the latch that the mismatch is counted for."""


class Timing(NamedTuple):
    """What the station's parts are known to do, from its file."""

    current_decay_ms: int
    module_discharge_ms: int
    module_off_timeout_ms: int
    contactor_operate_ms: int
    contactor_release_ms: int
    operate_mismatch: int
    """The highest mismatch count that closing explains."""
    release_mismatch: int
    """The highest mismatch count that opening explains."""


class ContactorFaults(NamedTuple):
    """Latched faults of one module's contactors, by gun."""

    welded: Sequence[bool]
    failed_open: Sequence[bool]


class ModuleFaults(NamedTuple):
    """Latched faults of one module."""

    dead: bool
    """Does not report on although enabled."""
    stuck_on: Sequence[bool]
    """By gun: it reported on long after its enable fell, with this contactor closed."""


class Usable(NamedTuple):
    """What can be used: `usable[gun][module]`, and the guns in service."""

    usable: list[list[bool]]
    in_service: list[bool]


def restarted(guns: Shape) -> Ages:
    """The ages of which nothing is known."""
    return Ages(NOT_SO, NOT_SO, NOT_SO, (NOT_SO,) * guns, (0,) * guns, (False,) * guns)


def explained_mismatch(response_ms: Shape, scan_ms: Shape) -> int:
    """The highest count that a contactor explains which answers within `response_ms`: a mismatch in
    each scan that fits into it, and two more for when it is read and for bounce."""
    return GOOD_SCANS_PER_MISMATCH * (-(-response_ms // scan_ms) + 2)


def lasting(ops: Ops, holds: bool, before_ms: int, elapsed_ms: int) -> int:
    """How long it has held by now: 0 in the first scan that shows it, because what happened since
    the scan before (which may have been long ago) was not seen."""
    continued = ops.ite(before_ms > NOT_SO, before_ms + elapsed_ms, 0)
    return ops.ite(holds, continued, NOT_SO)


def tally(ops: Ops, wrong: bool, before: int, scans: int, limit: int) -> int:
    """A count that a bad scan raises, to just above its limit, and good ones wear off; scans that
    were skipped were good."""
    raised = least(ops, before, limit) + GOOD_SCANS_PER_MISMATCH
    worn = before - scans
    return ops.ite(wrong, raised, ops.ite(worn > 0, worn, 0))


def agree(ops: Ops, latch: bool, closed: bool, closed_again: bool) -> bool:
    """Command and both feedback reads say the same."""
    return ops.or_(
        ops.and_(latch, closed, closed_again),
        ops.not_(ops.or_(latch, closed, closed_again)),
    )


def same(ops: Ops, a: bool, b: bool) -> bool:
    """Both or neither."""
    return ops.or_(ops.and_(a, b), ops.not_(ops.or_(a, b)))


def ages(
    ops: Ops,
    timing: Timing,
    readings: Readings,
    before: Ages,
    elapsed_ms: int,
    scans: int,
) -> Ages:
    """The ages with this scan's readings; `scans` have passed since the last ones (1, unless time
    was skipped because nothing changed)."""
    limit = most(ops, timing.operate_mismatch, timing.release_mismatch)
    valid, enabled, reports_on = readings.valid, readings.enabled, readings.reports_on
    off = ops.and_(valid, ops.not_(enabled), ops.not_(reports_on))
    stuck = ops.and_(ops.not_(enabled), reports_on)
    silent = ops.and_(enabled, ops.not_(reports_on))
    settled_ms, mismatch, latches = [], [], []
    for latch, closed, again, settled_before, count, latch_before in zip(
        readings.latch,
        readings.closed,
        readings.closed_again,
        before.settled_ms,
        before.mismatch,
        before.latch,
        strict=True,
    ):
        agrees = agree(ops, latch, closed, again)
        unchanged = same(ops, latch, latch_before)
        settled_ms.append(
            lasting(
                ops,
                ops.and_(valid, agrees),
                ops.ite(unchanged, settled_before, NOT_SO),
                elapsed_ms,
            )
        )
        counted = tally(ops, ops.not_(agrees), ops.ite(unchanged, count, 0), scans, limit)
        mismatch.append(ops.ite(valid, counted, count))
        latches.append(ops.or_(ops.and_(valid, latch), ops.and_(ops.not_(valid), latch_before)))
    return Ages(
        off_ms=lasting(ops, off, before.off_ms, elapsed_ms),
        stuck_ms=lasting(ops, stuck, before.stuck_ms, elapsed_ms),
        silent_ms=lasting(ops, silent, before.silent_ms, elapsed_ms),
        settled_ms=settled_ms,
        mismatch=mismatch,
        latch=latches,
    )


def off_at_last_look(ops: Ops, off_ms: int, enabled: bool, reports_on: bool) -> int:
    """`off_ms` at the end of a scan, which looks at the lines once more: a module that they show
    enabled or on is not off, whatever it was when the scan began."""
    return ops.ite(ops.or_(enabled, reports_on), NOT_SO, off_ms)


def contactor_faults(
    ops: Ops, timing: Timing, readings: Readings, ages: Ages, before: ContactorFaults
) -> ContactorFaults:
    """A mismatch beyond the contactor's time latches: with the coil off it is welded, with the coil
    on it failed open. Both: its feedback cannot be trusted."""
    return ContactorFaults(
        welded=[
            ops.or_(was, ops.and_(readings.valid, ops.not_(latch), count > timing.release_mismatch))
            for was, latch, count in zip(before.welded, readings.latch, ages.mismatch, strict=True)
        ],
        failed_open=[
            ops.or_(was, ops.and_(readings.valid, latch, count > timing.operate_mismatch))
            for was, latch, count in zip(
                before.failed_open, readings.latch, ages.mismatch, strict=True
            )
        ],
    )


def contacts_seen(
    ops: Ops, readings: Readings, seen: Sequence[bool], doubted: Sequence[bool]
) -> Readings:
    """For `counts_closed`: each contact as far as it was read (`seen`, by gun), whatever else of
    the module was. One that was not shows closed where its coil was last seen on, or nobody knows
    what it is (`doubted`, by gun); else neither open nor closed."""
    return readings._replace(
        valid=True,
        closed=[
            ops.or_(ops.and_(read, closed), ops.and_(ops.not_(read), ops.or_(latch, doubt)))
            for closed, latch, read, doubt in zip(
                readings.closed, readings.latch, seen, doubted, strict=True
            )
        ],
        closed_again=[
            ops.or_(closed, ops.not_(read))
            for closed, read in zip(readings.closed_again, seen, strict=True)
        ],
    )


def counts_closed(
    ops: Ops, readings: Readings, welded: Sequence[bool], before: Sequence[bool]
) -> list[bool]:
    """By gun: the contactor is welded, or both feedback reads show it closed, or it counted as
    closed in the scan before (`before`) and this one does not show it open."""
    return [
        ops.or_(
            weld,
            ops.and_(readings.valid, closed, again),
            ops.and_(was, ops.not_(ops.and_(readings.valid, ops.not_(ops.or_(closed, again))))),
        )
        for weld, closed, again, was in zip(
            welded, readings.closed, readings.closed_again, before, strict=True
        )
    ]


def module_faults(
    ops: Ops, timing: Timing, ages: Ages, closed: Sequence[bool], before: ModuleFaults
) -> ModuleFaults:
    """Silent or stuck on for longer than `module_off_timeout_ms` latches; stuck on, with the guns
    whose contactors count as closed."""
    stuck = ages.stuck_ms >= timing.module_off_timeout_ms
    return ModuleFaults(
        dead=ops.or_(before.dead, ages.silent_ms >= timing.module_off_timeout_ms),
        stuck_on=[
            ops.or_(was, ops.and_(stuck, contact))
            for was, contact in zip(before.stuck_on, closed, strict=True)
        ],
    )


def runs_on(ops: Ops, timing: Timing, ages: Ages, closed: Sequence[bool], before: bool) -> bool:
    """A module that is stuck on for `module_off_timeout_ms` with no contactor that counts as closed
    latches too: it locks no gun."""
    stuck = ages.stuck_ms >= timing.module_off_timeout_ms
    return ops.or_(before, ops.and_(stuck, ops.not_(ops.or_(*closed))))


def locked(ops: Ops, closed: BoolMatrix, stuck_on: BoolMatrix) -> list[bool]:
    """By gun: joined to another gun by a module with two closed contactors, or on a module that
    does not switch off. Both matrices are `[module][gun]`."""
    joins = [ops.not_(at_most_one(ops, row)) for row in closed]
    guns = range(len(closed[0]))
    return [
        ops.or_(
            *[ops.and_(join, row[gun]) for join, row in zip(joins, closed, strict=True)],
            *[row[gun] for row in stuck_on],
        )
        for gun in guns
    ]


def usable_after(
    ops: Ops,
    exists: BoolMatrix,
    module_failed: Sequence[bool],
    gun_out: Sequence[bool],
    failed_open: BoolMatrix,
    welded: BoolMatrix,
) -> Usable:
    """What the faults leave, all matrices `[gun][module]`.

    A failed module serves nobody; a gun that is out gets nothing; a failed-open contactor does not
    exist; a welded one binds its module to that gun. Two welds on one module take out the module
    and the guns it joins; a failed module welded to a gun takes that gun out.
    """
    modules = range(len(module_failed))
    welds = [[row[module] for row in welded] for module in modules]
    failed = [
        ops.or_(module_failed[module], ops.not_(at_most_one(ops, welds[module])))
        for module in modules
    ]
    in_service = [
        ops.not_(ops.or_(out, *[ops.and_(row[module], failed[module]) for module in modules]))
        for out, row in zip(gun_out, welded, strict=True)
    ]
    usable = [
        [
            ops.and_(
                exists[gun][module],
                serves,
                ops.not_(ops.or_(failed[module], failed_open[gun][module])),
                ops.or_(welds[module][gun], ops.not_(ops.or_(*welds[module]))),
            )
            for module in modules
        ]
        for gun, serves in enumerate(in_service)
    ]
    return Usable(usable, in_service)
