"""The documented invariants, one function and one plain sentence each, with its domain.

`held[gun][module]`; `order` lists the guns as they were served; `granted_w` is what each gun may be
given. Domains: a *full* matrix lets every usable module reach every gun in service, a *partial* one
does not; *equal* modules have one power. The guard accepts every allocation that is safe; these say
what the documented rule does beyond that.
"""

from collections.abc import Sequence

from verified_alloc.kernel import guard
from verified_alloc.kernel.ops import BoolMatrix, Ops, Shape
from verified_alloc.kernel.rule import least, need


def granted(ops: Ops, demand_w: int, gun_max_w: int) -> int:
    """What a gun may be given: its demand, capped by its maximum, never below nothing, W."""
    wanted_w = least(ops, demand_w, gun_max_w)
    return ops.ite(wanted_w > 0, wanted_w, 0)


def implies(ops: Ops, condition: bool, conclusion: bool) -> bool:
    """Where the condition holds, so does the conclusion."""
    return ops.or_(ops.not_(condition), conclusion)


def equal(ops: Ops, a: int, b: int) -> bool:
    """Both numbers are the same; `==` is Python's, and asks for the answer at once."""
    return ops.and_(a <= b, a >= b)


def count(ops: Ops, bits: Sequence[bool]) -> int:
    """How many bits are set."""
    total = 0
    for bit in bits:
        total = total + ops.ite(bit, 1, 0)
    return total


def one_gun_per_module(ops: Ops, held: BoolMatrix) -> bool:
    """A module is on one gun at most. Any station."""
    return guard.exclusive(ops, held)


def gun_cap(
    ops: Ops, held: BoolMatrix, gun_max_w: Sequence[int], module_power_w: Sequence[int]
) -> bool:
    """A gun's modules without the last stay below its maximum (equal modules that divide it: all of
    them together stay within it). Any station."""
    return ops.and_(
        *[
            implies(ops, ops.or_(*row), guard.powers(ops, row, module_power_w)[1] < maximum)
            for row, maximum in zip(held, gun_max_w, strict=True)
        ]
    )


def up_to_demand(
    ops: Ops,
    held: BoolMatrix,
    delivered_w: Sequence[int],
    granted_w: Sequence[int],
    module_power_w: Sequence[int],
) -> bool:
    """A gun is given the power of its modules, up to what it may have. Without a site limit."""
    return ops.and_(
        *[
            equal(ops, delivered, least(ops, grant, guard.powers(ops, row, module_power_w)[0]))
            for row, delivered, grant in zip(held, delivered_w, granted_w, strict=True)
        ]
    )


def no_waste(
    ops: Ops, held: BoolMatrix, delivered_w: Sequence[int], module_power_w: Sequence[int]
) -> bool:
    """No gun holds a last module without which it could be given the same. Any station."""
    return ops.and_(
        *[
            implies(
                ops,
                ops.or_(*row),
                delivered > guard.powers(ops, row, module_power_w)[1],
            )
            for row, delivered in zip(held, delivered_w, strict=True)
        ]
    )


def needed_or_all_that_was_left(
    ops: Ops,
    order: Sequence[Shape],
    held: BoolMatrix,
    granted_w: Sequence[int],
    usable_module: Sequence[bool],
    module_power_w: Sequence[int],
) -> bool:
    """Each gun holds exactly the modules it needs, or all that those served before it left. Full
    matrix, equal modules, without a site limit."""
    left = count(ops, usable_module)
    clauses = []
    for gun in order:
        holds = count(ops, held[gun])
        wants = need(ops, granted_w[gun], module_power_w)
        clauses.append(equal(ops, holds, least(ops, wants, left)))
        left = left - holds
    return ops.and_(*clauses)


def higher_demand_first(
    ops: Ops, order: Sequence[Shape], delivered_w: Sequence[int], granted_w: Sequence[int]
) -> bool:
    """If a gun is given less than it may have, every gun served after it is given nothing. Full
    matrix."""
    return ops.and_(
        *[
            implies(ops, delivered_w[earlier] < granted_w[earlier], delivered_w[later] <= 0)
            for position, earlier in enumerate(order)
            for later in order[position + 1 :]
        ]
    )


def idle_only_if_met(
    ops: Ops,
    held: BoolMatrix,
    delivered_w: Sequence[int],
    granted_w: Sequence[int],
    usable: BoolMatrix,
) -> bool:
    """A module idles only when every gun that could use it is given all it may have. Any station,
    without a site limit."""
    guns = range(len(held))
    return ops.and_(
        *[
            implies(
                ops,
                ops.and_(usable[gun][module], delivered_w[gun] < granted_w[gun]),
                ops.or_(*[held[holder][module] for holder in guns]),
            )
            for gun in guns
            for module in range(len(held[gun]))
        ]
    )


def lowest_number_first(
    ops: Ops, order: Sequence[Shape], held: BoolMatrix, usable: BoolMatrix
) -> bool:
    """Below every module that a gun holds, each lower-numbered one that it could use is held too,
    by itself or by a gun served before it. Any station."""
    return ops.and_(
        *[
            implies(
                ops,
                ops.and_(held[gun][module], usable[gun][lower]),
                ops.or_(*[held[holder][lower] for holder in order[: position + 1]]),
            )
            for position, gun in enumerate(order)
            for module in range(len(held[gun]))
            for lower in range(module)
        ]
    )
