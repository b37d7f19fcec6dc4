"""Which guns are locked, and what faults leave to use (S8). See `proofs.diagnosis`."""

from collections.abc import Sequence
from typing import Any

import z3

from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, iff, implies, not_, or_
from proofs.lemmas.any_scan import ANY_STATION, Assumed, any_step, laws, story
from proofs.obligation import Claim, collected, obligation
from verified_alloc.kernel import diagnosis
from verified_alloc.kernel.diagnosis import ModuleFaults
from verified_alloc.station.model import Station


@obligation(
    "diagnosis.stuck-on-is-locked",
    "diagnosis.module_faults",
    "diagnosis.counts_closed",
    "diagnosis.locked",
    domain=ANY_STATION,
)
def stuck_on_is_locked(station: Station, assumed: Assumed) -> Claim:
    """A module that reports on too long after its enable fell locks the gun it is on, for good, and
    its contactors are left alone (S8)."""
    step = any_step(station)
    count = len(step.target)
    now = step.before
    counted = bools("counted closed", count)
    closed = diagnosis.counts_closed(z3_terms, now.readings, [False] * count, counted)
    before = ModuleFaults(False, bools("stuck on before", count))
    faults = diagnosis.module_faults(z3_terms, step.times, now.ages, closed, before)
    lock = diagnosis.locked(z3_terms, [closed], [faults.stuck_on])
    too_long = now.ages.stuck_ms >= step.times.module_off_timeout_ms
    return Claim(
        laws(assumed, step),
        and_(
            *[implies(and_(too_long, closed[gun]), lock[gun]) for gun in range(count)],
            *[implies(before.stuck_on[gun], lock[gun]) for gun in range(count)],
            implies(
                and_(now.readings.valid, now.readings.reports_on, not_(step.overdue)),
                not_(step.writes.may_switch),
            ),
        ),
        story(step),
        (("stuck on", and_(too_long, or_(*closed))),),
    )


def matrix(name: str, rows: int, columns: int) -> list[list[Any]]:
    """Any bits."""
    return [bools(f"{name} {row + 1}", columns) for row in range(rows)]


@obligation("diagnosis.locked-for-cause", "diagnosis.locked", domain="any matrix of this size")
def only_cause_locks(station: Station, assumed: Assumed) -> Claim:
    """A gun is locked exactly if a module joins it to another gun or is stuck on it."""
    modules, count = len(station.modules), len(station.guns)
    closed = matrix("closed, module", modules, count)
    stuck_on = matrix("stuck on, module", modules, count)
    lock = diagnosis.locked(z3_terms, closed, stuck_on)

    def joined(row: Sequence[Any], gun: int) -> Any:
        return and_(row[gun], or_(*[bit for other, bit in enumerate(row) if other != gun]))

    return Claim(
        (),
        and_(
            *[
                iff(
                    lock[gun],
                    or_(
                        *[joined(row, gun) for row in closed],
                        *[row[gun] for row in stuck_on],
                    ),
                )
                for gun in range(count)
            ]
        ),
        None,
        (("locked", or_(*lock)),),
    )


@obligation(
    "diagnosis.usable-after",
    "diagnosis.usable_after",
    domain="this station's size; any matrix, any faults",
)
def service_is_as_designed(station: Station, assumed: Assumed) -> Claim:
    """A failed module serves nobody; a gun that is out gets nothing; a failed-open contactor does
    not exist; a welded one binds its module; two welds take out the module and its guns; a failed
    module takes out the gun it is welded to; nothing else is lost."""
    gun_count, module_count = len(station.guns), len(station.modules)
    all_guns, all_modules = range(gun_count), range(module_count)
    exists = matrix("contactor, gun", gun_count, module_count)
    module_failed = bools("module failed", module_count)
    gun_out = bools("gun out", gun_count)
    failed_open = matrix("failed open, gun", gun_count, module_count)
    welded = [
        [and_(exists[gun][m], z3.Bool(f"welded {gun + 1}:{m + 1}")) for m in all_modules]
        for gun in all_guns
    ]
    left = diagnosis.usable_after(z3_terms, exists, module_failed, gun_out, failed_open, welded)
    every = [left.usable[gun][m] for gun in all_guns for m in all_modules]

    def others(gun: int, m: int) -> Any:
        return or_(*[welded[other][m] for other in all_guns if other != gun])

    dead = [
        or_(module_failed[m], *[and_(welded[gun][m], others(gun, m)) for gun in all_guns])
        for m in all_modules
    ]
    serves = [
        not_(or_(gun_out[gun], *[and_(welded[gun][m], dead[m]) for m in all_modules]))
        for gun in all_guns
    ]
    return Claim(
        (),
        and_(
            *[iff(left.in_service[gun], serves[gun]) for gun in all_guns],
            *[
                iff(
                    left.usable[gun][m],
                    and_(
                        exists[gun][m],
                        serves[gun],
                        not_(dead[m]),
                        not_(failed_open[gun][m]),
                        not_(others(gun, m)),
                    ),
                )
                for gun in all_guns
                for m in all_modules
            ],
        ),
        None,
        (
            ("everything is usable", and_(*every)),
            ("nobody is in service", not_(or_(*left.in_service))),
        ),
    )


OBLIGATIONS = collected(globals())
