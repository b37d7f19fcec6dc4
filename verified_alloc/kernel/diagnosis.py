"""What is wrong: ages, mismatch counting, latched faults, which guns are joined or locked."""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel.guard import at_most_one
from verified_alloc.kernel.ops import Ops
from verified_alloc.kernel.rule import Matrix


class Service(NamedTuple):
    """What can be used: `usable[gun][module]`, and the guns in service."""

    usable: list[list[bool]]
    in_service: list[bool]


def service(
    ops: Ops,
    exists: Matrix,
    module_failed: Sequence[bool],
    gun_out: Sequence[bool],
    failed_open: Matrix,
    welded: Matrix,
) -> Service:
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
    return Service(usable, in_service)
