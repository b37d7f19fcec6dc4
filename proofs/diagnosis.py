"""Ages, mismatch counting and latched faults: never younger than the truth, never falsely latched,
never forgotten (S5, S8). Which guns are locked, and what is left to use: `proofs.diagnosis_left`.
"""

from typing import Any

import z3

from proofs import diagnosis_left, plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, iff, implies, not_, or_
from proofs.lemmas.any_scan import (
    ANY_STATION,
    Assumed,
    ages_are_sound,
    any_step,
    guns,
    laws,
    step_from,
    story,
)
from proofs.obligation import Claim, collected, obligation
from proofs.plant import (
    CHIPS,
    CLOSES,
    MIRROR,
    OPENS,
    SPACING,
)
from verified_alloc.kernel import diagnosis, supply
from verified_alloc.kernel.diagnosis import ContactorFaults, ModuleFaults, Timing
from verified_alloc.station.model import Station

ITS_STATION = "this station's times and number of guns; one module"


@obligation(
    "diagnosis.settled-takes-two-scans", "diagnosis.ages", "diagnosis.lasting", domain=ANY_STATION
)
def two_scans(station: Station, assumed: Assumed) -> Claim:
    """A contactor has been settled for more than 0 ms only if both feedback reads of this scan show
    what its latch commands, and those of the scan before did."""
    step = any_step(station)
    known = plant.known_before(step.during, step.before.ages)
    now = step.after
    read = now.readings
    shown = and_(
        *[
            implies(
                now.ages.settled_ms[gun] > 0,
                and_(
                    read.valid,
                    iff(read.closed[gun], read.latch[gun]),
                    iff(read.closed_again[gun], read.latch[gun]),
                    iff(known.latch[gun], read.latch[gun]),
                    known.settled_ms[gun] >= 0,
                ),
            )
            for gun in guns(step)
        ]
    )
    return Claim(
        laws(assumed, step), shown, story(step), (("an age above 0", now.ages.settled_ms[0] > 0),)
    )


@obligation(
    "diagnosis.invalid-forgets", "diagnosis.ages", "diagnosis.contactor_faults", domain=ANY_STATION
)
def invalid_forgets(station: Station, assumed: Assumed) -> Claim:
    """Invalid readings leave no age that something could be switched by, and latch no
    contactor (S5)."""
    step = any_step(station)
    now = step.after
    ages = now.ages
    before = any_contactor_faults("before", len(step.target))
    after = diagnosis.contactor_faults(z3_terms, step.times, now.readings, ages, before)
    unknown = [age == diagnosis.NOT_SO for age in (ages.off_ms, *ages.settled_ms)]
    invalid = not_(now.readings.valid)
    return Claim(
        laws(assumed, step),
        implies(invalid, and_(*unknown, *map(iff, flat(after), flat(before)))),
        story(step),
        (("the readings are invalid", invalid),),
    )


def any_contactor_faults(name: str, count: int) -> ContactorFaults:
    """Whatever has been latched."""
    return ContactorFaults(
        welded=bools(f"{name} latched welded", count),
        failed_open=bools(f"{name} latched failed open", count),
    )


def flat(faults: ContactorFaults) -> list[Any]:
    """All of them in one list."""
    return [*faults.welded, *faults.failed_open]


def counted_for_cause(
    station: Station, times: Timing, now: plant.Scan, phase_ms: Any, supplied_ms: Any
) -> Any:
    """Every mismatch counted so far lies in the time since the coil last moved, or since there was
    no supply for it, and is within what that explains. `phase_ms`: how late in its slot the scan
    began; `supplied_ms`: for so long the supply has not been seen to be gone."""
    scan_ms = station.timing.scan_ms
    state, ages = now.module, now.ages
    driven_ms = [
        z3_terms.ite(and_(coil, supplied_ms < ms), supplied_ms, ms)
        for coil, ms in zip(state.coil, state.coil_ms, strict=True)
    ]
    each = diagnosis.GOOD_SCANS_PER_MISMATCH

    def scans_since(time_ms: Any) -> Any:
        """The most that can have begun in that time, this one included."""
        return (time_ms + 2 * scan_ms - phase_ms - 1) / scan_ms

    return and_(
        *[
            and_(
                ages.mismatch[gun] >= 0,
                implies(now.readings.valid, iff(ages.latch[gun], state.coil[gun])),
                implies(
                    iff(ages.latch[gun], state.coil[gun]),
                    and_(
                        ages.mismatch[gun] <= each * scans_since(driven_ms[gun]),
                        implies(
                            state.coil[gun], ages.mismatch[gun] <= times.operate_mismatch - each
                        ),
                        implies(
                            not_(state.coil[gun]),
                            ages.mismatch[gun] <= times.release_mismatch - each,
                        ),
                    ),
                ),
            )
            for gun in range(len(state.coil))
        ]
    )


@obligation(
    "diagnosis.healthy-is-not-latched",
    "diagnosis.ages",
    "diagnosis.tally",
    "diagnosis.agree",
    "diagnosis.explained_mismatch",
    "diagnosis.contactor_faults",
    "supply.excused",
    domain=ITS_STATION,
    assumes={CHIPS, MIRROR, OPENS},
    needs={CLOSES, SPACING},
)
def healthy_is_not_latched(station: Station, assumed: Assumed) -> Claim:
    """A contactor that answers within its time is never latched, however often it moves, and
    however often the supply of all coils is seen to be gone (S8)."""
    times = station.kernel_timing
    step = step_from(times, plant.scan("now", len(station.guns)))
    scan_ms = station.timing.scan_ms
    supplied_ms, no_supply = z3.Int("supplied_ms"), z3.Bool("no supply")
    next_supplied_ms = z3_terms.ite(no_supply, 0, supplied_ms + step.during.passed_ms)
    step = step._replace(
        after=step.after._replace(ages=supply.excused(z3_terms, step.after.ages, no_supply))
    )
    phase_ms, next_phase_ms = z3.Int("phase_ms"), z3.Int("next phase_ms")
    given: list[Any] = [
        *laws(assumed, step),
        ages_are_sound(step.before),
        supplied_ms >= 0,
        counted_for_cause(station, times, step.before, phase_ms, supplied_ms),
        *[and_(phase >= 0, phase < scan_ms) for phase in (phase_ms, next_phase_ms)],
        not_(or_(*step.before.flips, *step.after.flips)),
        not_(or_(*step.during.corrupted, *step.during.fell)),
        not_(step.overdue),
    ]
    if CLOSES in assumed:
        operate_ms = station.timing.contactor_operate_ms
        given += [
            implies(ms >= operate_ms, plant.closes_in_time(operate_ms, now))
            for now, ms in ((step.before, supplied_ms), (step.after, next_supplied_ms))
        ]
    if SPACING in assumed:
        given.append(plant.spaced(scan_ms, step.during.passed_ms, phase_ms, next_phase_ms))
    none = ContactorFaults([False] * len(step.target), [False] * len(step.target))
    latched = flat(
        diagnosis.contactor_faults(z3_terms, times, step.after.readings, step.after.ages, none)
    )
    return Claim(
        tuple(given),
        and_(
            counted_for_cause(station, times, step.after, next_phase_ms, next_supplied_ms),
            not_(or_(*latched)),
        ),
        story(step),
        (
            ("a mismatch is counted", step.after.ages.mismatch[0] > 4),
            ("without supply", and_(no_supply, step.before.ages.mismatch[0] > 4)),
        ),
    )


@obligation(
    "diagnosis.four-good-scans-for-a-bad-one",
    "diagnosis.tally",
    domain="any count, limit and number of scans",
)
def four_good_scans_for_a_bad_one(station: Station, assumed: Assumed) -> Claim:
    """A bad scan counts 4, up to just above the limit; a good one takes 1 off (S8)."""
    wrong = z3.Bool("wrong")
    before, scans, limit = (z3.Int(name) for name in ("before", "scans", "limit"))
    after = diagnosis.tally(z3_terms, wrong, before, scans, limit)
    return Claim(
        (before >= 0, scans >= 1, limit >= 0),
        and_(
            implies(and_(wrong, before <= limit), after == before + 4),
            implies(and_(wrong, before > limit), after == limit + 4),
            implies(and_(not_(wrong), before >= scans), after == before - scans),
            implies(and_(not_(wrong), before < scans), after == 0),
        ),
        None,
        (("it is raised", after > before), ("it wears off", after < before)),
    )


@obligation(
    "diagnosis.limit",
    "diagnosis.explained_mismatch",
    domain="times up to 100 ms and scans up to 60 ms, and some longer ones",
)
def limit_explains_what_it_says(station: Station, assumed: Assumed) -> Claim:
    """The limit of mismatches is 4 for every scan that fits into the contactor's time, begun ones
    counted, and for two more (S8)."""
    limits = (
        diagnosis.explained_mismatch(response_ms, scan_ms)
        == 4 * (next(n for n in range(1002) if n * scan_ms >= response_ms) + 2)
        for response_ms in (*range(1, 101), 999, 1000)
        for scan_ms in (*range(1, 61), 1000)
    )
    return Claim((), all(limits))


@obligation(
    "diagnosis.room-for-one-flip",
    "diagnosis.tally",
    "diagnosis.explained_mismatch",
    "diagnosis.contactor_faults",
    domain=ITS_STATION,
)
def one_flip_more(station: Station, assumed: Assumed) -> Claim:
    """One flipped feedback bit more does not latch a good contactor (S8)."""
    times = station.kernel_timing
    now = plant.scan("now", 1)
    seen = plant.readings("flipped", 1)
    ages = diagnosis.ages(z3_terms, times, seen, now.ages, z3_terms.ints("elapsed"), 1)
    none = ContactorFaults([False], [False])
    latched = flat(diagnosis.contactor_faults(z3_terms, times, seen, ages, none))
    return Claim(
        (
            counted_for_cause(station, times, now, 0, now.module.coil_ms[0]),
            iff(now.ages.latch[0], now.module.coil[0]),
            iff(seen.latch[0], now.module.coil[0]),
            seen.valid,
        ),
        not_(or_(*latched)),
        None,
        (("it is counted", ages.mismatch[0] > 4),),
    )


@obligation(
    "diagnosis.stuck-is-latched",
    "diagnosis.ages",
    "diagnosis.tally",
    "diagnosis.contactor_faults",
    domain=ITS_STATION,
)
def stuck_is_latched(station: Station, assumed: Assumed) -> Claim:
    """A contactor that disagrees with its coil in every scan is latched after as many scans as its
    limit has mismatches, and one (S8)."""
    times = station.kernel_timing
    slow = 3 * times.operate_mismatch
    claims = [
        stuck_for_long(times, "as timed"),
        stuck_for_long(times._replace(operate_mismatch=slow), "slow to close"),
        stuck_for_long(times._replace(release_mismatch=slow), "slow to open"),
    ]
    return Claim(
        tuple(given for claim in claims for given in claim.hypotheses),
        and_(*[claim.goal for claim in claims]),
        None,
        claims[0].covers,
    )


def stuck_for_long(times: Timing, name: str) -> Claim:
    """As many scans as the longer limit has mismatches, and one."""
    each = diagnosis.GOOD_SCANS_PER_MISMATCH
    ages = plant.ages(f"{name}, first", 1)
    coil = z3.Bool(f"{name}, coil")
    faults = any_contactor_faults(f"{name}, before", 1)
    given: list[Any] = [ages.mismatch[0] >= 0]
    scans = max(times.operate_mismatch, times.release_mismatch) // each + 1
    for number in range(1, scans + 1):
        read = plant.readings(f"{name}, scan {number}", 1)
        given += [
            read.valid,
            iff(read.latch[0], coil),
            not_(diagnosis.agree(z3_terms, read.latch[0], read.closed[0], read.closed_again[0])),
        ]
        elapsed_ms = z3.Int(f"{name}, elapsed {number}")
        ages = diagnosis.ages(z3_terms, times, read, ages, elapsed_ms, 1)
        faults = diagnosis.contactor_faults(z3_terms, times, read, ages, faults)
    return Claim(
        tuple(given),
        and_(
            implies(not_(coil), faults.welded[0]),
            implies(coil, faults.failed_open[0]),
        ),
        None,
        (("coil on", coil), ("coil off", not_(coil))),
    )


@obligation(
    "diagnosis.ages-as-specified",
    "diagnosis.ages",
    "diagnosis.off_at_last_look",
    "diagnosis.lasting",
    "diagnosis.tally",
    "diagnosis.same",
    "rule.most",
    domain=ANY_STATION,
)
def ages_as_specified(station: Station, assumed: Assumed) -> Claim:
    """The ages are exactly this: how long off, stuck on, silent and settled have been shown scan
    after scan, 0 in the first, none while not shown; and the mismatches of this latch. A module
    that the last look of the scan shows enabled or on is not off."""
    times, count = plant.timing(), len(station.guns)
    before, read = plant.ages("before", count), plant.readings("now", count)
    elapsed_ms, scans = z3.Int("elapsed_ms"), z3.Int("scans")
    after = diagnosis.ages(z3_terms, times, read, before, elapsed_ms, scans)
    limit = z3.If(
        times.operate_mismatch > times.release_mismatch,
        times.operate_mismatch,
        times.release_mismatch,
    )

    def since(shown: Any, age_ms: Any) -> Any:
        return z3.If(shown, z3.If(age_ms >= 0, age_ms + elapsed_ms, 0), -1)

    def of_contactor(gun: int) -> Any:
        latch, counted = read.latch[gun], before.mismatch[gun]
        agrees = z3.And(latch == read.closed[gun], latch == read.closed_again[gun])
        same = latch == before.latch[gun]
        start = z3.If(same, counted, 0)
        raised = z3.If(start < limit, start, limit) + 4
        worn = z3.If(start > scans, start - scans, 0)
        settled_ms = since(z3.And(read.valid, agrees), z3.If(same, before.settled_ms[gun], -1))
        return z3.And(
            after.settled_ms[gun] == settled_ms,
            after.mismatch[gun] == z3.If(read.valid, z3.If(agrees, worn, raised), counted),
            after.latch[gun] == z3.If(read.valid, latch, before.latch[gun]),
        )

    idle = z3.Not(z3.Or(read.enabled, read.reports_on))
    lines = z3.Bools("enabled_at_the_end_of_the_scan reports_on_at_the_end_of_the_scan")
    at_last_ms = diagnosis.off_at_last_look(z3_terms, after.off_ms, *lines)
    return Claim(
        (
            plant.times_are_sane(times),
            scans >= 1,
            *[age >= -1 for age in (before.off_ms, before.stuck_ms, before.silent_ms)],
            *[age >= -1 for age in before.settled_ms],
        ),
        and_(
            after.off_ms == since(z3.And(read.valid, idle), before.off_ms),
            at_last_ms == z3.If(z3.Or(*lines), -1, after.off_ms),
            after.stuck_ms == since(z3.And(read.reports_on, z3.Not(read.enabled)), before.stuck_ms),
            after.silent_ms
            == since(z3.And(read.enabled, z3.Not(read.reports_on)), before.silent_ms),
            *map(of_contactor, range(count)),
        ),
        None,
        (("stuck on", after.stuck_ms > 0), ("silent", after.silent_ms > 0)),
    )


@obligation(
    "diagnosis.faults-as-specified",
    "diagnosis.contactor_faults",
    "diagnosis.module_faults",
    "diagnosis.runs_on",
    "diagnosis.contacts_seen",
    "diagnosis.counts_closed",
    domain="any times; one contactor",
)
def faults_as_specified(station: Station, assumed: Assumed) -> Claim:
    """What latches is this: welded and failed open beyond their limits, dead and stuck on beyond
    module_off_timeout_ms, on a gun or on none; a contactor counts as closed once its contact is
    read so, or cannot be read while its coil is on or in doubt, until it is read open, whatever
    else of the module was read."""
    times = plant.timing()
    ages, read = plant.ages("now", 1), plant.readings("now", 1)
    was, on_was = any_contactor_faults("before", 1), bools("stuck on before", 1)
    dead, counted = z3.Bool("dead before"), bools("counted closed", 1)
    now = diagnosis.contactor_faults(z3_terms, times, read, ages, was)
    seen, ran_on = bools("contact read", 1), z3.Bool("runs on before")
    doubted = bools("coil in doubt", 1)
    shown = diagnosis.contacts_seen(z3_terms, read, seen, doubted)
    closed = diagnosis.counts_closed(z3_terms, shown, now.welded, counted)
    whole = diagnosis.counts_closed(z3_terms, read, now.welded, counted)
    two = bools("counts closed", 2)
    runs_on = diagnosis.runs_on(z3_terms, times, ages, two, ran_on)
    module = diagnosis.module_faults(z3_terms, times, ages, closed, ModuleFaults(dead, on_was))
    latch, count = read.latch[0], ages.mismatch[0]
    welds = z3.And(read.valid, z3.Not(latch), count > times.release_mismatch)
    opens = z3.And(read.valid, latch, count > times.operate_mismatch)
    reads_open = z3.And(seen[0], z3.Not(read.closed[0]), z3.Not(read.closed_again[0]))
    reads_closed = z3.If(
        seen[0], z3.And(read.closed[0], read.closed_again[0]), z3.Or(latch, doubted[0])
    )
    too_long_ms = times.module_off_timeout_ms
    return Claim(
        (),
        z3.And(
            now.welded[0] == z3.Or(was.welded[0], welds),
            now.failed_open[0] == z3.Or(was.failed_open[0], opens),
            closed[0] == z3.Or(now.welded[0], reads_closed, z3.And(counted[0], z3.Not(reads_open))),
            z3.Implies(z3.And(read.valid, seen[0]), whole[0] == closed[0]),
            z3.Implies(z3.Not(read.valid), whole[0] == z3.Or(now.welded[0], counted[0])),
            module.dead == z3.Or(dead, ages.silent_ms >= too_long_ms),
            module.stuck_on[0] == z3.Or(on_was[0], z3.And(ages.stuck_ms >= too_long_ms, closed[0])),
            runs_on == z3.Or(ran_on, z3.And(ages.stuck_ms >= too_long_ms, z3.Not(z3.Or(two)))),
        ),
        None,
        (
            ("welded", welds),
            ("failed open", opens),
            ("dead", module.dead),
            ("closed where the module's reading is invalid", and_(not_(read.valid), reads_closed)),
            ("not read, and counts as before", and_(not_(seen[0]), counted[0], closed[0])),
            ("not read, its coil in doubt", and_(not_(seen[0]), not_(latch), doubted[0])),
        ),
    )


@obligation(
    "diagnosis.latched-for-cause",
    "diagnosis.ages",
    "diagnosis.same",
    "diagnosis.contactor_faults",
    domain=ANY_STATION,
)
def latched_for_cause(station: Station, assumed: Assumed) -> Claim:
    """A contactor is latched as welded only when this scan reads it closed with its coil off, as
    failed open only when it reads open with its coil on (S8)."""
    times = plant.timing()
    before = plant.ages("before", 1)
    read = plant.readings("now", 1)
    ages = diagnosis.ages(z3_terms, times, read, before, z3_terms.ints("elapsed"), 1)
    was = any_contactor_faults("before", 1)
    now = diagnosis.contactor_faults(z3_terms, times, read, ages, was)

    def explained(counted: Any, faults: ContactorFaults) -> Any:
        """What is not latched has not been counted beyond its limit."""
        limit = z3_terms.ite(counted.latch[0], times.operate_mismatch, times.release_mismatch)
        return or_(*flat(faults), counted.mismatch[0] <= limit)

    shows_closed = or_(read.closed[0], read.closed_again[0])
    shows_open = not_(and_(read.closed[0], read.closed_again[0]))
    newly_welded = and_(now.welded[0], not_(was.welded[0]))
    newly_open = and_(now.failed_open[0], not_(was.failed_open[0]))
    return Claim(
        (
            plant.times_are_sane(times),
            before.mismatch[0] >= 0,
            explained(before, was),
            not_(or_(*flat(was))),
        ),
        and_(
            explained(ages, now),
            implies(newly_welded, and_(read.valid, not_(read.latch[0]), shows_closed)),
            implies(newly_open, and_(read.valid, read.latch[0], shows_open)),
        ),
        None,
        (("welded", newly_welded), ("failed open", newly_open)),
    )


OBLIGATIONS = (*collected(globals()), *diagnosis_left.OBLIGATIONS)
