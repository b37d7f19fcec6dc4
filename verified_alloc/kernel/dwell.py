"""Dwell: a module that came to its gun a short while ago stays there, as long as the gun needs it.

Such a module is there for its gun alone, which looks at it before all others. Since when it feeds
the gun is counted outside.
"""

from collections.abc import Sequence

from verified_alloc.kernel import rule
from verified_alloc.kernel.ops import BoolMatrix, Ops


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
