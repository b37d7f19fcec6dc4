"""The documented rule: the gun that asks for most is served first, lowest-numbered modules first.

Gun by gun in the given order, each takes free modules that it can use until their power reaches
what it is granted. With modules of one size that is the documented ceiling: the n-th module is
taken exactly while the grant is above n - 1 modules' power. (The original listing computed
`int((capped + P - 1) // P)`, which gives 40.5 kW one module of 40 kW; this is exact.)
"""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel.ops import BoolMatrix, Ops, Shape


class Choice(NamedTuple):
    """`held[gun][module]`, and the power each gun is given, W."""

    held: list[list[bool]]
    delivered_w: list[int]


def least(ops: Ops, a: int, b: int) -> int:
    """The smaller of two numbers."""
    return ops.ite(a < b, a, b)


def most(ops: Ops, a: int, b: int) -> int:
    """The larger of two numbers."""
    return ops.ite(a > b, a, b)


def grant(ops: Ops, wanted_w: int, left_w: int, minimum_power_w: int) -> int:
    """What a gun is granted of what it wants: as much as the site limit leaves; nothing, if that is
    less than the least useful power and than it wants, W."""
    grant_w = least(ops, wanted_w, left_w)
    return ops.ite(grant_w < least(ops, wanted_w, minimum_power_w), 0, grant_w)


def need(ops: Ops, grant_w: int, module_power_w: Sequence[int]) -> int:
    """How many of these modules, taken in this order, it needs to reach the grant (all, if it takes
    more): the count of thresholds that the grant is above."""
    modules = 0
    reached_w = 0
    for power_w in module_power_w:
        modules = modules + ops.ite(grant_w > reached_w, 1, 0)
        reached_w = reached_w + power_w
    return modules


def take(
    ops: Ops, grant_w: int, reached_w: int, power_w: int, free: bool, usable: bool
) -> tuple[bool, int, bool]:
    """One gun looks at one module: whether it takes it, the power it has reached then, and whether
    the module is still free. The body of the rule's loop."""
    takes = ops.and_(free, usable, grant_w > reached_w)
    return (
        takes,
        reached_w + ops.ite(takes, power_w, 0),
        ops.and_(free, ops.not_(takes)),
    )


def documented(
    ops: Ops,
    order: Sequence[Shape],
    demand_w: Sequence[int],
    gun_max_w: Sequence[int],
    module_power_w: Sequence[int],
    usable: BoolMatrix,
    site_limit_w: int,
    minimum_power_w: int,
    looks_at: Sequence[Sequence[Shape]] | None = None,
) -> Choice:
    """Serve the guns in this order: by demand, highest first, ties by number.

    `usable[gun][module]` says which contactors there are to close. Total: any demand (below 0 is
    none), any order, any matrix, modules of any size. A gun is granted the smaller of its demand
    and its maximum, or what the site limit leaves of it, if that is a useful power; what it is not
    given is left to the next. `looks_at[gun]` lists all modules in the order in which that gun
    looks at them; None is lowest number first, as documented.
    """
    held = [[False] * len(module_power_w) for _ in order]
    delivered_w = [0] * len(order)
    free = [True] * len(module_power_w)
    left_w = site_limit_w
    modules = range(len(module_power_w))
    for gun in order:
        wanted_w = least(ops, demand_w[gun], gun_max_w[gun])
        grant_w = grant(ops, wanted_w, left_w, minimum_power_w)
        reached_w = 0
        for module in modules if looks_at is None else looks_at[gun]:
            held[gun][module], reached_w, free[module] = take(
                ops,
                grant_w,
                reached_w,
                module_power_w[module],
                free[module],
                usable[gun][module],
            )
        delivered_w[gun] = ops.ite(reached_w > 0, least(ops, grant_w, reached_w), 0)
        left_w = left_w - delivered_w[gun]
    return Choice(held, delivered_w)


def kept(
    ops: Ops,
    demand_w: Sequence[int],
    granted_w: Sequence[int],
    usable: BoolMatrix,
    present: BoolMatrix,
) -> tuple[list[int], list[list[bool]]]:
    """What the rule is asked while nobody decides, demands and what is usable: no more than each
    gun was granted, and of the modules that it has, `present[gun][module]`."""
    return (
        [least(ops, asked_w, had_w) for asked_w, had_w in zip(demand_w, granted_w, strict=True)],
        [
            [ops.and_(can, has) for can, has in zip(usable_row, row, strict=True)]
            for usable_row, row in zip(usable, present, strict=True)
        ],
    )
