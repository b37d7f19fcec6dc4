"""One scan of one module's contactors and enable line.

Decided from what this scan read and from ages alone, so a crash at any point is a missed scan.
Lists are by gun. What may not be switched is not rewritten either: `may_switch` false leaves the
coils at their verified latch (`wiring.next_coils`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel.diagnosis import Ages, Readings, Timing
from verified_alloc.kernel.guard import at_most_one
from verified_alloc.kernel.ops import Ops


class Writes(NamedTuple):
    """What this scan does to the module."""

    enable: bool
    """The enable line; falls before coils are written, rises after they are verified."""
    may_switch: bool
    """Its coils may be written in this scan."""
    coils: Sequence[bool]
    """By gun, where they may be written."""


def wanted(ops: Ops, target: Sequence[bool], locked: Sequence[bool], stop: bool) -> list[bool]:
    """The one contactor that shall be closed: the target's, unless its gun is locked, the station
    is stopped, or the target names two guns."""
    allowed = ops.and_(at_most_one(ops, target), ops.not_(stop))
    return [
        ops.and_(allowed, wants, ops.not_(lock)) for wants, lock in zip(target, locked, strict=True)
    ]


def on_gun(ops: Ops, readings: Readings, contactors: Sequence[bool]) -> bool:
    """The readings show exactly these contactors closed, and the latches equal."""
    return ops.and_(
        readings.valid,
        *[
            ops.or_(
                ops.and_(want, latch, closed, again),
                ops.not_(ops.or_(want, latch, closed, again)),
            )
            for want, latch, closed, again in zip(
                contactors,
                readings.latch,
                readings.closed,
                readings.closed_again,
                strict=True,
            )
        ],
    )


def step(
    ops: Ops,
    timing: Timing,
    readings: Readings,
    ages: Ages,
    target: Sequence[bool],
    locked: Sequence[bool],
    stop: bool,
    overdue: bool,
) -> Writes:
    """What to write for one module in this scan.

    `stop` takes everything off; once it is `overdue`, contactors open whether or not the current is
    gone (S7; counted as an exposure).
    """
    want = wanted(ops, target, locked, stop)
    off = ops.not_(ops.or_(readings.enabled, readings.reports_on))
    current_gone = ops.and_(off, ages.off_ms >= timing.current_decay_ms)
    discharged = ages.off_ms >= timing.module_discharge_ms
    others_open = ops.and_(
        *[
            ops.or_(wants, ops.and_(ops.not_(latch), settled_ms >= timing.contactor_release_ms))
            for wants, latch, settled_ms in zip(want, readings.latch, ages.settled_ms, strict=True)
        ]
    )
    target_closed = ops.or_(
        *[
            ops.and_(wants, latch, settled_ms >= timing.contactor_operate_ms)
            for wants, latch, settled_ms in zip(want, readings.latch, ages.settled_ms, strict=True)
        ]
    )
    return Writes(
        enable=ops.and_(on_gun(ops, readings, want), target_closed, others_open, ops.not_(overdue)),
        may_switch=ops.or_(ops.and_(readings.valid, current_gone), overdue),
        coils=[
            ops.and_(wants, ops.not_(overdue), ops.or_(latch, ops.and_(others_open, discharged)))
            for wants, latch in zip(want, readings.latch, strict=True)
        ],
    )


def is_overdue(timing: Timing, stop_ms: int) -> bool:
    """A stop has lasted so long that every module that obeys is off and its current gone."""
    return stop_ms >= timing.module_off_timeout_ms + timing.current_decay_ms


def may_start(ops: Ops, timing: Timing, off_ms: int, waited_ms: int) -> bool:
    """A process that has just begun may touch the expanders: every module has been off for the
    decay time, or will not be however long it waits."""
    return ops.or_(off_ms >= timing.current_decay_ms, is_overdue(timing, waited_ms))


def live(ops: Ops, readings: Readings) -> list[bool]:
    """By gun: the module feeds it: enabled, reporting on, and on this gun alone, as `on_gun` says
    it."""
    on = ops.and_(readings.valid, readings.enabled, readings.reports_on)
    looks = list(zip(readings.latch, readings.closed, readings.closed_again, strict=True))
    closed = [ops.and_(*look) for look in looks]
    is_open = [ops.not_(ops.or_(*look)) for look in looks]
    return [
        ops.and_(on, closed[gun], *is_open[:gun], *is_open[gun + 1 :]) for gun in range(len(looks))
    ]
