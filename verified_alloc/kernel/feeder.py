"""Supplies with a limit of their own, each for some of the modules.

How what a gun draws is shared among its modules is not decided here. So a feeder may have to give a
gun all that it draws, up to the power of the modules that it has there.
"""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel import rule
from verified_alloc.kernel.ops import BoolMatrix, Ops, Shape


class Feeder(NamedTuple):
    """One supply."""

    modules: Sequence[bool]
    """By module: it hangs on it."""
    limit_w: int


class Room(NamedTuple):
    """What one supply can still give."""

    share_w: Sequence[int]
    """By gun, the power of the modules that it has there,"""
    spare_w: int
    """and what is left beside what all guns may draw of them."""


def power(ops: Ops, feeder: Feeder, row: Sequence[bool], module_power_w: Sequence[int]) -> int:
    """Of the modules in this row, the power of those that hang on it, W."""
    power_w = 0
    for hangs, holds, module_w in zip(feeder.modules, row, module_power_w, strict=True):
        power_w = power_w + ops.ite(ops.and_(hangs, holds), module_w, 0)
    return power_w


def given(
    ops: Ops,
    feeder: Feeder,
    held: BoolMatrix,
    drawn_w: Sequence[int],
    module_power_w: Sequence[int],
) -> int:
    """The most that it has to give while each gun draws so much, W."""
    total_w = 0
    for row, gun_w in zip(held, drawn_w, strict=True):
        total_w = total_w + rule.least(ops, gun_w, power(ops, feeder, row, module_power_w))
    return total_w


def within(
    ops: Ops,
    feeders: Sequence[Feeder],
    held: BoolMatrix,
    drawn_w: Sequence[int],
    module_power_w: Sequence[int],
) -> bool:
    """No feeder has to give more than its limit."""
    return ops.and_(
        *[given(ops, feeder, held, drawn_w, module_power_w) <= feeder.limit_w for feeder in feeders]
    )


def rooms(
    ops: Ops,
    feeders: Sequence[Feeder],
    held: BoolMatrix,
    drawn_w: Sequence[int],
    module_power_w: Sequence[int],
) -> list[Room]:
    """By feeder, what it can still give while each gun may draw so much, W."""
    return [
        Room(
            [power(ops, feeder, row, module_power_w) for row in held],
            feeder.limit_w - given(ops, feeder, held, drawn_w, module_power_w),
        )
        for feeder in feeders
    ]


def left(
    ops: Ops,
    feeders: Sequence[Feeder],
    left_w: Sequence[int],
    row: Sequence[bool],
    drawn_w: int,
    module_power_w: Sequence[int],
) -> list[int]:
    """What each has left for others beside a gun with these modules that draws so much, W."""
    return [
        room_w - rule.least(ops, drawn_w, power(ops, feeder, row, module_power_w))
        for feeder, room_w in zip(feeders, left_w, strict=True)
    ]


def fitting(
    ops: Ops,
    feeders: Sequence[Feeder],
    left_w: Sequence[int],
    grant_w: int,
    usable: Sequence[bool],
    module_power_w: Sequence[int],
    looks_at: Sequence[Shape],
) -> list[bool]:
    """Of a gun's usable modules, those that it may take: their feeder has left all that the gun is
    granted, or their power beside that of those before."""
    fits = [False for _ in usable]
    spare_w = list(left_w)
    for module in looks_at:
        fits[module] = ops.and_(
            usable[module],
            *[
                ops.or_(
                    ops.not_(feeder.modules[module]),
                    grant_w <= room_w,
                    module_power_w[module] <= rest_w,
                )
                for feeder, room_w, rest_w in zip(feeders, left_w, spare_w, strict=True)
            ],
        )
        spare_w = [
            rest_w
            - ops.ite(ops.and_(fits[module], feeder.modules[module]), module_power_w[module], 0)
            for feeder, rest_w in zip(feeders, spare_w, strict=True)
        ]
    return fits


def turn(
    ops: Ops,
    feeders: Sequence[Feeder],
    rooms_w: Sequence[int],
    left_w: int,
    wanted_w: int,
    minimum_power_w: int,
    usable: Sequence[bool],
    module_power_w: Sequence[int],
    looks_at: Sequence[Shape],
) -> tuple[list[bool], int]:
    """What one gun takes and is given: by the rule of what the site limit leaves it, or only of
    what one of the feeders does, whichever brings it more, with the modules that fit."""
    held, delivered_w = [False for _ in usable], 0
    for bound_w in [left_w, *[rule.least(ops, left_w, room_w) for room_w in rooms_w]]:
        grant_w = rule.grant(ops, wanted_w, bound_w, minimum_power_w)
        fits = fitting(ops, feeders, rooms_w, grant_w, usable, module_power_w, looks_at)
        one = rule.documented(
            ops, [0], [grant_w], [grant_w], module_power_w, [fits], grant_w, 0, [looks_at]
        )
        better = one.delivered_w[0] > delivered_w
        held = [
            ops.or_(ops.and_(better, new), ops.and_(ops.not_(better), old))
            for new, old in zip(one.held[0], held, strict=True)
        ]
        delivered_w = rule.most(ops, one.delivered_w[0], delivered_w)
    return held, delivered_w


def documented(
    ops: Ops,
    order: Sequence[Shape],
    demand_w: Sequence[int],
    gun_max_w: Sequence[int],
    module_power_w: Sequence[int],
    usable: BoolMatrix,
    site_limit_w: int,
    minimum_power_w: int,
    feeders: Sequence[Feeder],
    looks_at: Sequence[Sequence[Shape]] | None = None,
) -> rule.Choice:
    """The documented rule, one gun's turn after the other, within what the feeders have left."""
    held = [[False for _ in module_power_w] for _ in order]
    delivered_w = [0 for _ in order]
    free = [True for _ in module_power_w]
    left_w = site_limit_w
    rooms_w = [feeder.limit_w for feeder in feeders]
    for gun in order:
        held[gun], delivered_w[gun] = turn(
            ops,
            feeders,
            rooms_w,
            left_w,
            rule.least(ops, demand_w[gun], gun_max_w[gun]),
            minimum_power_w,
            [ops.and_(*bits) for bits in zip(usable[gun], free, strict=True)],
            module_power_w,
            range(len(module_power_w)) if looks_at is None else looks_at[gun],
        )
        free = [ops.and_(was, ops.not_(taken)) for was, taken in zip(free, held[gun], strict=True)]
        left_w = left_w - delivered_w[gun]
        rooms_w = left(ops, feeders, rooms_w, held[gun], delivered_w[gun], module_power_w)
    return rule.Choice(held, delivered_w)


def admitted(
    ops: Ops,
    feeders: Sequence[Feeder],
    joined: BoolMatrix,
    joining: BoolMatrix,
    promise_w: Sequence[int],
    module_power_w: Sequence[int],
) -> list[bool]:
    """By module, whether it may be enabled where it is `joining[gun][module]`, beside those that
    have `joined` and those before it: not if a feeder would have to give more for it than its
    limit."""
    rows, may = joined, []
    for module in range(len(module_power_w)):
        may.append(
            ops.and_(
                *[
                    _admits(
                        ops,
                        feeder,
                        rows,
                        _with(ops, rows, joining, module),
                        promise_w,
                        module_power_w,
                    )
                    for feeder in feeders
                ]
            )
        )
        comes = [[ops.and_(bit, may[module]) for bit in row] for row in joining]
        rows = _with(ops, rows, comes, module)
    return may


def _admits(
    ops: Ops,
    feeder: Feeder,
    before: BoolMatrix,
    after: BoolMatrix,
    promise_w: Sequence[int],
    module_power_w: Sequence[int],
) -> bool:
    after_w = given(ops, feeder, after, promise_w, module_power_w)
    return ops.or_(
        after_w <= feeder.limit_w,
        after_w <= given(ops, feeder, before, promise_w, module_power_w),
    )


def _with(ops: Ops, rows: BoolMatrix, others: BoolMatrix, module: Shape) -> BoolMatrix:
    """These rows, and that module where the others have it."""
    return [
        [*row[:module], ops.or_(row[module], other[module]), *row[module + 1 :]]
        for row, other in zip(rows, others, strict=True)
    ]
