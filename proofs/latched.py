"""What latched faults take out, and what must be seen before one is cleared."""

from typing import Any

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, iff, implies, not_, or_
from proofs.lemmas.whole_scan import any_built, any_memory
from proofs.obligation import Claim, collected, obligation
from verified_alloc.kernel import diagnosis, latched
from verified_alloc.station.model import Station

DOMAIN = "this station's size and wiring; any faults"


@obligation("latched.excluded", "latched.excluded", domain=DOMAIN)
def excluded(station: Station) -> Claim:
    """Faults take out exactly this: a module that is dead, runs on, is stuck on any contactor or
    was taken out, one with a contactor that is latched both ways, and all on an expander that is
    out of order; a gun that was taken out or that a module is stuck on; contactors as they failed
    (S8)."""
    built = any_built(station)
    guns, modules = range(len(station.guns)), range(len(station.modules))
    memory = any_memory("memory", built)
    faults, lost = memory.latched, [each.lost for each in memory.healing]
    out = latched.excluded(z3_terms, built.carriers, faults, lost)
    carried_by = [
        {number // 14 for number, pair in enumerate(station.contactors) if pair[1] == m + 1}
        for m in modules
    ]

    def lies(m: int, gun: int) -> Any:
        return z3.And(faults.welded[m][gun], faults.failed_open[m][gun])

    return Claim(
        (),
        and_(
            *[
                iff(
                    out.modules[m],
                    z3.Or(
                        faults.dead[m],
                        faults.runs_on[m],
                        faults.module_out[m],
                        *[lost[at] for at in sorted(carried_by[m])],
                        *[faults.stuck_on[m][gun] for gun in guns],
                        *[lies(m, gun) for gun in guns],
                    ),
                )
                for m in modules
            ],
            *[
                iff(
                    out.guns[gun],
                    z3.Or(faults.gun_out[gun], *[faults.stuck_on[m][gun] for m in modules]),
                )
                for gun in guns
            ],
            *[
                and_(
                    iff(out.failed_open[m][gun], faults.failed_open[m][gun]),
                    iff(out.welded[m][gun], and_(faults.welded[m][gun], not_(lies(m, gun)))),
                )
                for m in modules
                for gun in guns
            ],
        ),
        None,
        (
            ("nothing is out", not_(or_(*out.modules, *out.guns))),
            ("an expander takes its modules out", and_(out.modules[0], lost[0])),
        ),
    )


@obligation(
    "latched.contactor-is-cleared-for-cause", "latched.contactor_agrees", domain="any readings"
)
def contactor_is_cleared(station: Station) -> Claim:
    """A contactor's fault is cleared only while valid readings of this scan show it as its coil is,
    both of them, and no mismatch is counted any more; then it is not latched again at once (S8)."""
    times, before, read = plant.timing(), plant.ages("before", 2), plant.readings("now", 2)
    ages = diagnosis.ages(z3_terms, times, read, before, z3.Int("elapsed_ms"), z3.Int("scans"))
    agrees = [latched.contactor_agrees(z3_terms, ages, gun) for gun in (0, 1)]
    none = diagnosis.ContactorFaults([False] * 2, [False] * 2)
    faults = diagnosis.contactor_faults(z3_terms, times, read, ages, none)
    return Claim(
        (
            plant.times_are_sane(times),
            z3.Int("elapsed_ms") >= 0,
            *[age >= -1 for age in before.settled_ms],
        ),
        and_(
            *[
                and_(
                    iff(
                        agrees[gun],
                        and_(
                            read.valid,
                            iff(read.closed[gun], read.latch[gun]),
                            iff(read.closed_again[gun], read.latch[gun]),
                            ages.mismatch[gun] <= 0,
                        ),
                    ),
                    implies(agrees[gun], not_(or_(faults.welded[gun], faults.failed_open[gun]))),
                )
                for gun in (0, 1)
            ]
        ),
        None,
        (("one agrees", and_(agrees[1], not_(agrees[0]))),),
    )


@obligation(
    "latched.module-is-cleared-for-cause",
    "latched.reports_off",
    "latched.line_obeys",
    domain="any readings",
)
def module_is_cleared(station: Station) -> Claim:
    """A module's fault is cleared only while this scan does not read it on with its enable low, and
    no scan is counted any more in which its line was high unbidden (S8)."""
    before, read, elapsed_ms = (
        plant.ages("before", 1),
        plant.readings("now", 1),
        z3.Int("elapsed_ms"),
    )
    ages = diagnosis.ages(z3_terms, plant.timing(), read, before, elapsed_ms, z3.Int("scans"))
    stray = z3.Int("stray")
    off, obeys = latched.reports_off(ages), latched.line_obeys(stray)
    return Claim(
        (elapsed_ms >= 0,),
        and_(
            iff(off, not_(and_(read.reports_on, not_(read.enabled)))),
            iff(obeys, not_(stray >= 1)),
        ),
        None,
        (("it is on unasked", not_(off)), ("its line strays", not_(obeys))),
    )


@obligation(
    "latched.expander-is-configured-at-rest", "latched.at_rest", domain="any readings and times"
)
def configured_at_rest(station: Station) -> Claim:
    """An expander is configured anew only while every module on it is off, by its lines, and has
    been for current_decay_ms, whatever its expanders say (S2)."""
    enabled, on = bools("line", 2)
    decay_ms, off_ms = z3.Ints("decay_ms off_ms")
    rests = latched.at_rest(z3_terms, decay_ms, enabled, on, off_ms)
    return Claim(
        (),
        iff(rests, and_(not_(enabled), not_(on), not_(off_ms < decay_ms))),
        None,
        (("at rest", rests),),
    )


OBLIGATIONS = collected(globals())
