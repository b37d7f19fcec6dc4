"""Dwell: a module that came to its gun a short while ago stays there, as long as the gun needs it.

A gun that is held keeps its modules so for as long, and claims others for those it has lost.
Such a module is there for its gun alone, which looks at it before all others. Its time begins when
it is live, not when it is sent: a reservation must not change the target in the middle of the
change that it came from.
"""

from collections.abc import Sequence

from verified_alloc.kernel import rule
from verified_alloc.kernel.diagnosis import NOT_SO, lasting
from verified_alloc.kernel.ops import BoolMatrix, Ops, Shape


def fed_ms(
    ops: Ops, feeding: BoolMatrix, before: BoolMatrix, before_ms: Sequence[int], elapsed_ms: int
) -> list[int]:
    """By module: how long it has fed the gun that it feeds (`feeding[gun][module]`, and in the scan
    before; one gun at most, as `switching.live` says it); `NOT_SO` where it feeds none."""
    return [
        lasting(
            ops,
            ops.or_(*now),
            ops.ite(ops.or_(*[ops.and_(*gun) for gun in zip(now, was, strict=True)]), ms, NOT_SO),
            elapsed_ms,
        )
        for now, was, ms in zip(
            zip(*feeding, strict=True), zip(*before, strict=True), before_ms, strict=True
        )
    ]


def reserved(
    ops: Ops,
    feeding: BoolMatrix,
    fed_for_ms: Sequence[int],
    minimum_ms: int,
    held: Sequence[bool],
) -> list[list[bool]]:
    """`[gun][module]`: the module feeds this gun, and came to it a short while ago, or the gun is
    held."""
    return [
        [
            ops.and_(feeds, ops.or_(hold, ms < minimum_ms))
            for feeds, ms in zip(row, fed_for_ms, strict=True)
        ]
        for row, hold in zip(feeding, held, strict=True)
    ]


def stays(
    ops: Ops,
    dwells: Sequence[bool],
    usable: Sequence[bool],
    wanted_w: int,
    module_power_w: Sequence[int],
) -> list[bool]:
    """Which of the modules that dwell on a gun stay: those that it can use, lowest number first,
    until their power reaches what it wants."""
    row = []
    reached_w = 0
    for dwelling, can, power_w in zip(dwells, usable, module_power_w, strict=True):
        needed, reached_w, _ = rule.take(ops, wanted_w, reached_w, power_w, dwelling, can)
        row.append(needed)
    return row


def left(ops: Ops, usable: BoolMatrix, staying: BoolMatrix) -> list[list[bool]]:
    """What each gun can use while modules stay: those that stay on it, or on none."""
    movable = [ops.not_(ops.or_(*column)) for column in zip(*staying, strict=True)]
    return [
        [
            ops.and_(can, ops.or_(stays_here, moves))
            for can, stays_here, moves in zip(usable_row, staying_row, movable, strict=True)
        ]
        for usable_row, staying_row in zip(usable, staying, strict=True)
    ]


def claims(
    ops: Ops,
    staying: Sequence[bool],
    free: Sequence[bool],
    usable: Sequence[bool],
    wanted_w: int,
    held_w: int,
    module_power_w: Sequence[int],
    looks_at: Sequence[Shape],
) -> list[bool]:
    """Which modules a gun that is held takes in place of those that it has lost: free ones that it
    can use, in the order `looks_at`, until with those that stay on it (`staying`) their power
    reaches what it wants or what it held, whichever is less."""
    grant_w = rule.least(ops, wanted_w, held_w)
    reached_w = 0
    for stays_here, power_w in zip(staying, module_power_w, strict=True):
        reached_w = reached_w + ops.ite(stays_here, power_w, 0)
    claimed = [False] * len(module_power_w)
    for module in looks_at:
        claimed[module], reached_w, _ = rule.take(
            ops,
            grant_w,
            reached_w,
            module_power_w[module],
            ops.and_(free[module], ops.not_(staying[module])),
            usable[module],
        )
    return claimed
