"""One scan of one module: the switching rules S1-S5, S7 and S9, from any state of the world.

Where `theorem` assumes `ages_are_sound`, that is itself proved, in `proofs.diagnosis`: it holds
after every start and is kept by every step, so each theorem here is about every scan that can ever
happen. "Any state" leaves out nothing: bridged, welded, running, or adopted from a controller that
died.
"""

from collections.abc import Sequence
from typing import Any

import z3

from proofs import diagnosis as proofs_of_diagnosis
from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, iff, implies, not_, or_
from proofs.lemmas import reachable_modes
from proofs.lemmas.any_scan import (
    ANY_STATION,
    Assumed,
    Step,
    ages_are_sound,
    any_step,
    guns,
    laws,
    rises,
    step_from,
    story,
)
from proofs.obligation import REFUTED, Claim, collected, obligation
from proofs.plant import (
    CHIPS,
    CLOSES,
    LINES,
    MIRROR,
    NEEDS_ENABLE,
    ONE_FLIP,
    OPENS,
    SOLE_OWNER,
    STAYS_OPEN,
    Scan,
)
from verified_alloc.kernel import diagnosis, switching
from verified_alloc.kernel.diagnosis import Ages, Readings, Timing
from verified_alloc.station.model import Station


def pairs(step: Step) -> list[tuple[int, int]]:
    """Every gun with every other."""
    return [(gun, other) for gun in guns(step) for other in guns(step) if gun != other]


def one_at_most(bits: Sequence[Any]) -> Any:
    """No two of them."""
    return and_(*[not_(and_(a, b)) for place, a in enumerate(bits) for b in bits[:place]])


def theorem(
    assumed: Assumed,
    step: Step,
    goal: Any,
    *given: Any,
    covers: tuple[tuple[str, Any], ...] = (),
) -> Claim:
    """In every step that begins with sound ages, and with what is given besides."""
    hypotheses = (ages_are_sound(step.before), *laws(assumed, step), *given)
    return Claim(hypotheses, goal, story(step), covers)


def no_second_contactor(step: Step) -> Any:
    """S1: where a write energises a coil, all other contactors are open, and stay so."""
    return and_(
        *[
            implies(
                rises(step, gun),
                and_(
                    not_(step.before.module.coil[other]),
                    not_(step.before.closed_last[other]),
                    not_(and_(step.after.module.closed[other], not_(step.during.corrupted[other]))),
                ),
            )
            for gun, other in pairs(step)
        ]
    )


def some_rise(step: Step) -> tuple[tuple[str, Any], ...]:
    """The cases in which there is something to prove."""
    return tuple(
        (f"the contactor of gun {gun + 1} is closed", rises(step, gun)) for gun in guns(step)
    )


@obligation(
    "switching.no-second-contactor-blind",
    "switching.step",
    domain=ANY_STATION,
    needs={CHIPS, OPENS},
)
def lying(station: Station, assumed: Assumed) -> Claim:
    """No write closes a second contactor of a module even where all feedback is wrong, as long as
    contactors open in time (S1)."""
    step = any_step(station)
    return theorem(assumed, step, no_second_contactor(step), covers=some_rise(step))


def undisturbed(step: Step) -> Any:
    """Nothing but our writes energises a coil."""
    return not_(or_(*step.during.corrupted))


def connected_to_one(step: Step, now: Scan) -> Any:
    """All contactors but one are open, without coil, and have had their release time."""
    return one_at_most([plant.busy(step.times, now.module, gun) for gun in guns(step)])


@obligation(
    "switching.bridged-by-the-wire",
    "switching.step",
    domain=ANY_STATION,
    assumes={CHIPS, MIRROR, ONE_FLIP, STAYS_OPEN},
    expected=REFUTED,
)
def bridged_by_the_wire(station: Station, assumed: Assumed) -> Claim:
    """A word corrupted on the wire can bridge two guns, though no write of ours did: an exposure,
    seen by the next scan."""
    step = any_step(station)
    return theorem(
        assumed,
        step,
        connected_to_one(step, step.after),
        connected_to_one(step, step.before),
    )


@obligation(
    "switching.one-gun-at-most",
    "switching.step",
    domain=ANY_STATION,
    assumes={CHIPS, MIRROR, ONE_FLIP, STAYS_OPEN},
)
def stays_on_one(station: Station, assumed: Assumed) -> Claim:
    """A module that is connected to one gun at most stays so, whatever fails but the wire
    itself (S1)."""
    step = any_step(station)
    return theorem(
        assumed,
        step,
        connected_to_one(step, step.after),
        undisturbed(step),
        connected_to_one(step, step.before),
        covers=some_rise(step),
    )


def runs(now: Scan) -> Any:
    """The module is enabled, or feeds."""
    return or_(now.module.enable, now.module.feeds)


@obligation(
    "switching.live-on-one-gun",
    "switching.step",
    "switching.on_gun",
    domain=ANY_STATION,
    assumes={MIRROR, ONE_FLIP, STAYS_OPEN, NEEDS_ENABLE, SOLE_OWNER},
)
def live_on_one(station: Station, assumed: Assumed) -> Claim:
    """A module that is enabled or feeds is connected to one gun alone, even if it was found bridged
    (S3, S4)."""
    step = any_step(station)
    return theorem(
        assumed,
        step,
        implies(runs(step.after), connected_to_one(step, step.after)),
        undisturbed(step),
        implies(runs(step.before), connected_to_one(step, step.before)),
        covers=(
            ("it is enabled", and_(not_(runs(step.before)), runs(step.after))),
            ("it begins bridged", not_(connected_to_one(step, step.before))),
        ),
    )


@obligation(
    "switching.enabled-blind",
    "switching.step",
    domain=proofs_of_diagnosis.ITS_STATION,
    assumes={OPENS, CLOSES},
)
def enabled_blind(station: Station, assumed: Assumed) -> Claim:
    """When a module is enabled, the target's contactor is closed and all others are open even where
    all feedback is wrong, as long as contactors move in time (S3)."""
    times = station.kernel_timing
    step = step_from(times, plant.scan("now", len(station.guns)))
    now = step.before
    in_time = (
        [plant.closes_in_time(station.timing.contactor_operate_ms, now)]
        if CLOSES in assumed
        else []
    )
    return theorem(
        assumed,
        step,
        implies(
            step.writes.enable,
            and_(*map(z3_terms.iff, now.closed_last, step.target)),
        ),
        *in_time,
        covers=(("it is enabled", step.writes.enable),),
    )


@obligation(
    "switching.off-within-one-scan", "switching.step", domain=ANY_STATION, assumes={SOLE_OWNER}
)
def off_within_one_scan(station: Station, assumed: Assumed) -> Claim:
    """After a stop, or readings that were invalid, the next scan finds the enable line low, also
    where the controller began anew; only one that died before its write leaves it (S5, S7)."""
    step = any_step(station)
    falls_due = or_(step.stop, step.overdue, not_(step.before.readings.valid))
    written = or_(step.during.enable_done, step.during.restarted)
    return Claim(
        laws(assumed, step),
        implies(and_(falls_due, written), not_(step.after.module.enable)),
        story(step),
        (
            ("stopped while enabled", and_(step.stop, written, step.before.module.enable)),
            ("the controller dies before", and_(step.stop, step.after.module.enable)),
        ),
    )


@obligation(
    "switching.live-is-fed", "switching.live", domain=ANY_STATION, assumes={LINES, MIRROR, ONE_FLIP}
)
def live_is_fed(station: Station, assumed: Assumed) -> Claim:
    """A module counts as live on a gun only if it is enabled, feeds, and is connected to that gun
    and no other, with one flipped feedback bit."""
    step = any_step(station)
    now = step.before
    feeds = or_(now.module.feeds, and_(not_(now.status_wired), now.module.enable))
    return theorem(
        assumed,
        step,
        and_(
            *[
                implies(
                    switching.live(z3_terms, now.readings)[gun],
                    and_(
                        now.module.enable,
                        feeds,
                        or_(now.closed_first[gun], now.closed_second[gun]),
                        not_(
                            or_(
                                *[
                                    and_(now.closed_first[other], now.closed_second[other])
                                    for other in guns(step)
                                    if other != gun
                                ]
                            )
                        ),
                    ),
                )
                for gun in guns(step)
            ]
        ),
        covers=(("live on gun 1", switching.live(z3_terms, now.readings)[0]),),
    )


@obligation("switching.overdue", "switching.is_overdue", domain="any times")
def overdue_comes_late(station: Station, assumed: Assumed) -> Claim:
    """A stop is overdue once every module that obeys is off and its current gone (S7)."""
    times, stop_ms = plant.timing(), z3.Int("stop_ms")
    return Claim(
        (plant.times_are_sane(times),),
        and_(
            implies(
                switching.is_overdue(times, stop_ms),
                and_(stop_ms >= times.module_off_timeout_ms, stop_ms >= times.current_decay_ms),
            ),
            z3_terms.iff(
                switching.is_overdue(times, stop_ms),
                stop_ms >= times.module_off_timeout_ms + times.current_decay_ms,
            ),
        ),
        None,
        (("overdue", switching.is_overdue(times, stop_ms)),),
    )


@obligation(
    "switching.as-specified",
    "switching.step",
    "switching.wanted",
    "switching.on_gun",
    domain=ANY_STATION,
)
def as_specified(station: Station, assumed: Assumed) -> Claim:
    """The decision is exactly this: enable on the one wanted gun that is confirmed closed, all
    others confirmed open; switch when off and the current gone; close when all others are confirmed
    open and the module is discharged, hold what is wanted, open the rest."""
    step = any_step(station)
    read, ages, times, writes = step.before.readings, step.before.ages, step.times, step.writes

    def confirmed_open(gun: int) -> Any:
        return and_(not_(read.latch[gun]), ages.settled_ms[gun] >= times.contactor_release_ms)

    def wants(gun: int) -> Any:
        alone = [not_(step.target[other]) for other in guns(step) if other != gun]
        return and_(step.target[gun], *alone, not_(step.locked[gun]), not_(step.stop))

    def enabled_on(gun: int) -> Any:
        others = [other for other in guns(step) if other != gun]
        return and_(
            wants(gun),
            not_(step.overdue),
            read.valid,
            read.latch[gun],
            read.closed[gun],
            read.closed_again[gun],
            ages.settled_ms[gun] >= times.contactor_operate_ms,
            *[not_(or_(read.closed[other], read.closed_again[other])) for other in others],
            *map(confirmed_open, others),
        )

    def closed_on(gun: int) -> Any:
        free = and_(*[confirmed_open(other) for other in guns(step) if other != gun])
        rested = ages.off_ms >= times.module_discharge_ms
        return and_(wants(gun), not_(step.overdue), or_(read.latch[gun], and_(free, rested)))

    idle = and_(
        read.valid,
        not_(or_(read.enabled, read.reports_on)),
        ages.off_ms >= times.current_decay_ms,
    )
    return Claim(
        laws(assumed, step),
        and_(
            z3_terms.iff(writes.enable, or_(*map(enabled_on, guns(step)))),
            z3_terms.iff(writes.may_switch, or_(idle, step.overdue)),
            *[z3_terms.iff(writes.coils[gun], closed_on(gun)) for gun in guns(step)],
        ),
        story(step),
        (("it is enabled", writes.enable), ("it may switch", writes.may_switch)),
    )


def scans_to_target(station: Station) -> int:
    """The longest that a healthy module takes from any state to its target: off, discharged (or
    the old contactor opened and confirmed), closed, confirmed, enabled, seen to feed."""
    timing = station.timing
    decayed, released, discharged, operated = (
        whole_scans(station, time_ms)
        for time_ms in (
            timing.current_decay_ms,
            timing.contactor_release_ms,
            timing.module_discharge_ms,
            timing.contactor_operate_ms,
        )
    )
    return 3 + max(decayed + 1 + 2 * released, discharged) + 2 * operated


def whole_scans(station: Station, time_ms: int) -> int:
    """So many scans take at least that time."""
    return -(-time_ms // station.timing.scan_ms)


def healthy_scan(station: Station, times: Timing, name: str, ages: Ages | None = None) -> Scan:
    """A scan that reads what is so, while nothing moves."""
    now = plant.scan(name, len(station.guns))
    state = now.module
    now = now._replace(
        closed_first=state.closed,
        closed_second=state.closed,
        closed_last=state.closed,
        enable_last=state.enable,
        feeds_last=state.feeds,
        flips=[False] * len(now.flips),
        readings=Readings(
            valid=True,
            enabled=state.enable,
            reports_on=z3_terms.ite(now.status_wired, state.feeds, state.enable),
            latch=state.coil,
            closed=state.closed,
            closed_again=state.closed,
        ),
    )
    return now if ages is None else now._replace(ages=ages)


def left_alone(station: Station, times: Timing, name: str, before: Scan, target: list[Any]) -> Step:
    """A healthy step: writes are done, time passes as it should, nobody interferes."""
    count, scan_ms = len(station.guns), station.timing.scan_ms
    nobody = [False] * count
    writes = switching.step(
        z3_terms, times, before.readings, before.ages, target, nobody, False, False
    )
    during = plant.Interval(
        passed_ms=scan_ms,
        elapsed_ms=scan_ms,
        scans=1,
        enable_done=True,
        coil_done=[True] * count,
        corrupted=nobody,
        fell=nobody,
        restarted=False,
    )
    after = healthy_scan(station, times, name)
    ages = diagnosis.ages(z3_terms, times, after.readings, before.ages, scan_ms, 1)
    return Step(
        times, before, target, nobody, False, False, writes, during, after._replace(ages=ages)
    )


def within(station: Station, step: Step, left: Any) -> list[Any]:
    """From a scan that `found_out` a module that is off, it is live for good in so many scans: the
    others are opened (allowed once the current is gone) and confirmed, while the module discharges;
    then the target's contactor closes and is confirmed; then the module is enabled and feeds."""
    timing, now = station.timing, step.before
    state, ages = now.module, now.ages
    open_ms, close_ms = timing.contactor_release_ms, timing.contactor_operate_ms

    def scans(time_ms: Any) -> Any:
        whole = (time_ms + timing.scan_ms - 1) / timing.scan_ms
        return z3.If(time_ms > 0, whole, 0)

    def settles(gun: int, limit_ms: int) -> Any:
        """The contact has followed its coil in time, and has been seen to for that long."""
        moved_ms, settled_ms = state.coil_ms[gun], ages.settled_ms[gun]
        moving = scans(limit_ms - moved_ms) + whole_scans(station, limit_ms)
        return z3.If(moved_ms < limit_ms, moving, scans(limit_ms - settled_ms))

    def opens(gun: int) -> Any:
        drops = scans(timing.current_decay_ms - ages.off_ms) + 1
        dropped = drops + 2 * whole_scans(station, open_ms)
        return z3.If(state.coil[gun], dropped, settles(gun, open_ms))

    closed = and_(*map(implies, step.target, state.coil))
    rested_ms = max(timing.module_discharge_ms, timing.current_decay_ms)
    then = z3.If(closed, 1, 2 + 2 * whole_scans(station, close_ms))
    return [
        left >= 1,
        or_(closed, scans(rested_ms - ages.off_ms) + then <= left),
        *[or_(step.target[gun], opens(gun) + then <= left) for gun in guns(step)],
        *[
            implies(and_(closed, step.target[gun]), settles(gun, close_ms) + then <= left)
            for gun in guns(step)
        ],
    ]


def found_out(now: Scan, writes: Any) -> Any:
    """What every scan but the first knows of a healthy module: the ages are those of what it shows,
    and a module that is enabled stays so."""
    state, ages = now.module, now.ages
    return and_(
        iff(state.feeds, state.enable),
        iff(ages.off_ms >= 0, not_(state.enable)),
        implies(state.enable, writes.enable),
        *[
            and_(
                iff(ages.settled_ms[gun] >= 0, iff(state.closed[gun], state.coil[gun])),
                iff(ages.latch[gun], state.coil[gun]),
                ages.settled_ms[gun] <= state.coil_ms[gun],
            )
            for gun in range(len(state.coil))
        ],
    )


@obligation(
    "switching.reaches-its-target",
    "switching.step",
    "switching.live",
    "diagnosis.ages",
    domain=proofs_of_diagnosis.ITS_STATION,
    assumes={OPENS, CLOSES, SOLE_OWNER},
)
def reaches_its_target(station: Station, assumed: Assumed) -> Claim:
    """A healthy module that is left alone is live on its target's gun within a stated number of
    scans (57 with the default times), whatever state it begins in, with status inputs or
    without."""
    times = station.kernel_timing
    target = z3_terms.bools("target", len(station.guns))
    now = healthy_scan(station, times, "now")
    step = left_alone(station, times, "next", now, target)
    then = left_alone(station, times, "after that", step.after, target)
    world: list[Any] = [
        z3_terms.count(target) == 1,
        *plant.holds(assumed, times, now),
        *plant.passes(assumed, times, now, step.writes, step.during, step.after),
        *plant.holds(assumed, times, step.after),
        iff(step.after.module.feeds, step.after.module.enable),
    ]
    if CLOSES in assumed:
        world += [
            plant.closes_in_time(station.timing.contactor_operate_ms, each)
            for each in (now, step.after)
        ]
    known = and_(*world, found_out(now, step.writes))
    left, most = z3.Int("scans left"), scans_to_target(station) - 1
    on, still_off = now.module.enable, not_(step.after.module.enable)
    in_time = and_(known, not_(on), *within(station, step, left))
    live = [
        implies(wants, switching.live(z3_terms, now.readings)[gun])
        for gun, wants in enumerate(target)
    ]
    first = and_(*world, ages_are_sound(now))
    return Claim(
        (),
        and_(
            # The first scan finds out, and the most that is left is what is stated.
            implies(first, found_out(step.after, then.writes)),
            *[
                implies(and_(first, still_off), part)
                for part in within(station, then, z3.IntVal(most))
            ],
            # Every further scan knows, and takes one off.
            implies(known, found_out(step.after, then.writes)),
            *[implies(and_(in_time, still_off), part) for part in within(station, then, left - 1)],
            # Once it is on, it is live and stays so.
            implies(and_(known, on), and_(*live, step.after.module.enable)),
        ),
        None,
        (
            ("it is live", and_(known, on)),
            ("no status input is wired", and_(known, on, not_(now.status_wired))),
            ("it is about to be live", and_(in_time, left == 1, not_(still_off))),
            ("it takes all the time", and_(in_time, left == most)),
        ),
    )


@obligation("switching.starts-at-rest", "switching.may_start", domain="any times")
def starts_at_rest(station: Station, assumed: Assumed) -> Claim:
    """A process that has just begun touches no expander before every module has been off for
    current_decay_ms, or a wait is over after which every module that obeys is (S2)."""
    times = plant.timing()
    off_ms, waited_ms = z3.Ints("off_ms waited_ms")
    starts = switching.may_start(z3_terms, times, off_ms, waited_ms)
    longest_ms = times.module_off_timeout_ms + times.current_decay_ms
    return Claim(
        (),
        iff(starts, not_(and_(off_ms < times.current_decay_ms, waited_ms < longest_ms))),
        None,
        (("it starts", starts), ("it waits", not_(starts))),
    )


@obligation(
    "switching.every-mode",
    "switching.step",
    "switching.live",
    "diagnosis.ages",
    "diagnosis.contactor_faults",
    "diagnosis.module_faults",
    "diagnosis.locked",
    domain="any times, some decay; one module, two guns",
)
def every_mode(station: Station, assumed: Assumed) -> Claim:
    """The first scan after a cold start enables and switches nothing; from it every mode of
    switching and diagnosis is reached where all assumptions hold, and a module is moved from one
    gun to another."""
    return reachable_modes.every_mode(station, assumed)


OBLIGATIONS = collected(globals())
