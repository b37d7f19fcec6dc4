"""Whether the coils have a supply: nothing reads it, but contactors show it, together."""

from collections.abc import Sequence

from verified_alloc.kernel.diagnosis import Ages, Readings, Timing
from verified_alloc.kernel.guard import at_most_one
from verified_alloc.kernel.ops import BoolMatrix, Ops


def none_follows(ops: Ops, modules: Sequence[Readings], welded: BoolMatrix) -> bool:
    """Two coils or more are on, and not one of their contacts reads closed: the supply of the coils
    is gone, and no contactor is to be accused. A welded one says nothing of it. One coil alone is
    judged by itself: a contactor that does not close is likelier than no supply."""
    each = [
        (ops.and_(module.valid, latch, ops.not_(weld)), ops.or_(closed, again))
        for module, welds in zip(modules, welded, strict=True)
        for latch, closed, again, weld in zip(
            module.latch, module.closed, module.closed_again, welds, strict=True
        )
    ]
    alone = at_most_one(ops, [on for on, _ in each])
    return ops.not_(ops.or_(alone, *[ops.and_(*one) for one in each]))


def excused(ops: Ops, ages: Ages, no_supply: bool) -> Ages:
    """Without supply, no mismatch counts of those whose coil is on: when it is back, each has its
    whole time again."""
    return ages._replace(
        mismatch=[
            ops.ite(ops.and_(no_supply, latch), 0, count)
            for latch, count in zip(ages.latch, ages.mismatch, strict=True)
        ]
    )


def is_to_be_told(timing: Timing, none_follows_ms: int) -> bool:
    """Longer than contactors take that are all on their way: it is to be told."""
    return none_follows_ms > timing.contactor_operate_ms + timing.contactor_operate_ms
