"""While no contactor follows its coil it is their supply that is gone, and nobody is accused (S8).
That a sound one is not accused when it is back: `diagnosis.healthy-is-not-latched`."""

from typing import Any

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, iff, implies, not_
from proofs.diagnosis_left import matrix
from proofs.lemmas.scan_claims import WHOLE, given_but_ages, of_each_module
from proofs.lemmas.whole_scan import WholeScan
from proofs.obligation import Claim, collected, obligation
from verified_alloc.kernel import supply
from verified_alloc.station.model import Station


@obligation(
    "supply.none-follows",
    "supply.none_follows",
    "supply.excused",
    "supply.is_to_be_told",
    domain="this station's size; any readings, any faults",
)
def supply_is_gone(station: Station) -> Claim:
    """That no contactor follows is exactly this: of those not latched as welded, two coils or more
    are on in valid readings, and neither read of any of these shows closed. As soon as one does, or
    where one coil alone is on, every mismatch counts as it is. It is told after twice
    contactor_operate_ms (S8)."""
    count = len(station.guns)
    modules = [plant.readings(f"module {m}", count) for m in range(1, len(station.modules) + 1)]
    welded = matrix("welded, module", len(modules), count)
    none = supply.none_follows(z3_terms, modules, welded)
    on = [
        z3.And(read.valid, read.latch[gun], z3.Not(weld[gun]))
        for read, weld in zip(modules, welded, strict=True)
        for gun in range(count)
    ]
    shown = [
        z3.Or(read.closed[gun], read.closed_again[gun]) for read in modules for gun in range(count)
    ]
    follows = z3.Or(*map(z3.And, on, shown))
    ages = plant.ages("now", count)
    left = supply.excused(z3_terms, ages, none)
    as_they_are = [ms == was for ms, was in zip(left.mismatch, ages.mismatch, strict=True)]
    told = supply.is_to_be_told(plant.timing(), z3.Int("none_follows_ms"))
    two = z3.PbGe([(bit, 1) for bit in on], 2)
    return Claim(
        (),
        and_(
            iff(told, z3.Int("none_follows_ms") > 2 * plant.timing().contactor_operate_ms),
            none == z3.And(two, z3.Not(follows)),
            implies(not_(none), and_(*as_they_are)),
            and_(*map(z3_terms.same, left._replace(mismatch=ages.mismatch), ages)),
        ),
        None,
        (("none follows", none), ("one does", and_(two, follows))),
    )


@obligation("supply.accuses-nobody", "scan.diagnose", "supply.excused", domain=WHOLE)
def accuses_nobody(station: Station) -> Claim:
    """While two coils or more are on and none of their contacts reads closed, those of welded
    contactors aside, no contactor is newly latched as failed open, and no mismatch is kept of one
    whose coil is on, or was when it was last read (S8)."""

    def goal(of: WholeScan, m: int) -> Any:
        ages, after = of.acts.diagnosed.ages[m], of.acts.diagnosed.latched.failed_open[m]
        before = of.memory.latched.failed_open[m]
        kept = [implies(ages.latch[gun], ages.mismatch[gun] == 0) for gun in of.guns]
        return implies(of.none_follows, and_(*map(iff, after, before), *kept))

    return of_each_module(
        station,
        lambda of, m: [],
        goal,
        given_but_ages,
        (
            "a mismatch was counted",
            lambda of, m: and_(of.none_follows, of.memory.ages[m].mismatch[0] > 8),
        ),
    )


OBLIGATIONS = collected(globals())
