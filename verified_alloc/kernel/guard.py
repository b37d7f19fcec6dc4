"""Accepts or rejects an allocation, whoever made it.

Seven conditions, one function each. A module's place in these lists is its number, so "the
highest-numbered module of a gun" is the last one it holds.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from verified_alloc.kernel import feeder
from verified_alloc.kernel.feeder import Feeder
from verified_alloc.kernel.ops import BoolMatrix, Ops, Shape


class Verdict(NamedTuple):
    """The seven conditions; an allocation is accepted when all hold."""

    exclusive: bool
    usable: bool
    wanted: bool
    fitting: bool
    within_limit: bool
    useful: bool
    within_feeders: bool


def at_most_one(ops: Ops, bits: Sequence[bool]) -> bool:
    """No two of these bits are set."""
    count = 0
    for bit in bits:
        count = count + ops.ite(bit, 1, 0)
    return count <= 1


def exclusive(ops: Ops, held: BoolMatrix) -> bool:
    """(1) A module is on one gun at most."""
    return ops.and_(*[at_most_one(ops, column) for column in zip(*held, strict=True)])


def only_usable(ops: Ops, held: BoolMatrix, usable: BoolMatrix) -> bool:
    """(2) Every contactor used exists and is healthy, welds respected: what `usable` says."""
    return ops.and_(
        *[
            ops.or_(ops.not_(holds), can)
            for held_row, usable_row in zip(held, usable, strict=True)
            for holds, can in zip(held_row, usable_row, strict=True)
        ]
    )


def only_wanted(
    ops: Ops, held: BoolMatrix, demand_w: Sequence[int], in_service: Sequence[bool]
) -> bool:
    """(3) Only guns in service with demand have modules."""
    return ops.and_(
        *[
            ops.or_(ops.not_(ops.or_(*row)), ops.and_(demand > 0, serves))
            for row, demand, serves in zip(held, demand_w, in_service, strict=True)
        ]
    )


def powers(ops: Ops, row: Sequence[bool], module_power_w: Sequence[int]) -> tuple[int, int]:
    """The power of the modules that a gun holds, and that of all but the highest-numbered, W."""
    power_w = 0
    without_last_w = 0
    for holds, module_w in zip(row, module_power_w, strict=True):
        without_last_w = ops.ite(holds, power_w, without_last_w)
        power_w = power_w + ops.ite(holds, module_w, 0)
    return power_w, without_last_w


def fits(
    ops: Ops,
    row: Sequence[bool],
    power_w: int,
    without_last_w: int,
    delivered_w: int,
    demand_w: int,
    gun_max_w: int,
) -> bool:
    """(4) for one gun: it is delivered at most its demand, its maximum and the power of its
    modules, never less than nothing, and without its highest-numbered module it could not be."""
    return ops.and_(
        delivered_w >= 0,
        delivered_w <= demand_w,
        delivered_w <= gun_max_w,
        delivered_w <= power_w,
        ops.or_(ops.not_(ops.or_(*row)), delivered_w > without_last_w),
    )


def within_limit(delivered_w: Sequence[int], site_limit_w: int) -> bool:
    """(5) The total is within the site limit."""
    total_w = 0
    for power_w in delivered_w:
        total_w = total_w + power_w
    return total_w <= site_limit_w


def useful(
    ops: Ops,
    power_w: int,
    delivered_w: int,
    demand_w: int,
    gun_max_w: int,
    minimum_power_w: int,
) -> bool:
    """(6) for one gun: it is delivered nothing, or the least useful power at least, or all that it
    may have: its demand, its maximum or the power of its modules."""
    return ops.or_(
        delivered_w <= 0,
        delivered_w >= minimum_power_w,
        delivered_w >= demand_w,
        delivered_w >= gun_max_w,
        delivered_w >= power_w,
    )


def judge(
    ops: Ops,
    held: BoolMatrix,
    delivered_w: Sequence[int],
    demand_w: Sequence[int],
    gun_max_w: Sequence[int],
    module_power_w: Sequence[int],
    usable: BoolMatrix,
    in_service: Sequence[bool],
    site_limit_w: int,
    minimum_power_w: int,
    feeders: Sequence[Feeder] = (),
) -> Verdict:
    """The seven conditions on `held[gun][module]` and the power delivered to each gun, W; the last
    is `feeder.within`."""
    powers_w = [powers(ops, row, module_power_w) for row in held]
    return Verdict(
        exclusive=exclusive(ops, held),
        usable=only_usable(ops, held, usable),
        wanted=only_wanted(ops, held, demand_w, in_service),
        fitting=ops.and_(
            *[
                fits(ops, row, power, without_last, delivered, demand, maximum)
                for row, (power, without_last), delivered, demand, maximum in zip(
                    held, powers_w, delivered_w, demand_w, gun_max_w, strict=True
                )
            ]
        ),
        within_limit=within_limit(delivered_w, site_limit_w),
        useful=ops.and_(
            *[
                useful(ops, power, delivered, demand, maximum, minimum_power_w)
                for (power, _), delivered, demand, maximum in zip(
                    powers_w, delivered_w, demand_w, gun_max_w, strict=True
                )
            ]
        ),
        within_feeders=feeder.within(ops, feeders, held, delivered_w, module_power_w),
    )


def sorted_order(ops: Ops, order: Sequence[Shape], rank_w: Sequence[int]) -> bool:
    """The order names every gun once, by rank, highest first, ties by number."""
    every_gun_once = sorted(order) == list(range(len(rank_w)))
    return ops.and_(
        every_gun_once,
        *[
            ops.or_(rank_w[a] > rank_w[b], ops.and_(rank_w[a] >= rank_w[b], a < b))
            for a, b in pairwise(order)
        ],
    )
