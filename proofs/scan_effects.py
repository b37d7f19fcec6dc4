"""One scan of the whole station, continued: stops, faults that stay, and what is done in which
order (S7, S8). See `proofs.scan`."""

from dataclasses import replace
from typing import Any

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, iff, implies, not_, or_
from proofs.lemmas.any_scan import Assumed
from proofs.lemmas.scan_claims import (
    ACTS,
    WHOLE,
    given_to,
    is_enabled,
    of_each_module,
    only,
    published,
    since,
)
from proofs.lemmas.whole_scan import (
    Cut,
    WholeScan,
    any_built,
    any_scan,
    course,
    equal,
    flat,
    invariant_of_station,
)
from proofs.obligation import Claim, collected, obligation
from proofs.plant import (
    LINES,
)
from verified_alloc.kernel import diagnosis, dwell, supply, switching
from verified_alloc.kernel.diagnosis import NOT_SO, ContactorFaults, ModuleFaults
from verified_alloc.kernel.scan import (
    Abandon,
    Beat,
    Configure,
    Disable,
    Enable,
    Latch,
    Lower,
    Pet,
    Publish,
    Reset,
    Write,
)
from verified_alloc.station.model import Station


@obligation("scan.stop-is-off", *ACTS, "switching.step", "switching.is_overdue", domain=WHOLE)
def stop_is_off(station: Station) -> Claim:
    """Whatever the target and the readings: once everything is stopped, all guns are barred, every
    module is off before a word is written and stays off, and no contactor closes; when the stop is
    overdue, module_off_timeout_ms and current_decay_ms after it began, every word written opens all
    contactors (S7)."""

    def goal(of: WholeScan, m: int) -> Any:
        writes, words = of.acts.set_going.writes[m], only(of, Write).words
        return implies(
            of.stopped,
            and_(
                *of.acts.set_going.barred,
                *[not_(moment.on[m]) for moment in since(of, Disable)],
                not_(or_(is_enabled(of, m), *writes.coils)),
                implies(of.overdue, and_(writes.may_switch, not_(or_(*flat(list(words)))))),
                iff(
                    of.overdue,
                    of.acts.diagnosed.stop_ms
                    >= of.built.timing.module_off_timeout_ms + of.built.timing.current_decay_ms,
                ),
            ),
        )

    return of_each_module(
        station,
        lambda of, m: [],
        goal,
        given_to,
        ("stopped while enabled", lambda of, m: and_(of.stopped, of.now[m].readings.enabled)),
        ("overdue", lambda of, m: of.overdue),
    )


@obligation("scan.stops", "scan.diagnose", "diagnosis.lasting", domain=WHOLE)
def stops(station: Station) -> Claim:
    """Everything is stopped exactly while the button or an enable line held high is latched, or the
    station has been on its way out, told to stop or ending, for more than twice the lead time;
    these times begin with the scan that shows it and grow with the clock (S7)."""
    of = any_scan(station)
    before, after, elapsed_ms = of.memory, of.acts.diagnosed, of.observed.elapsed_ms
    latched = after.latched
    told = z3.Or(
        latched.emergency_stop,
        *latched.enable_high,
        after.stopping_ms > of.built.offer_lead_ms + of.built.offer_lead_ms,
    )
    leaving = z3.Or(of.orders.ending, before.latched.stopped)

    def since_ms(shown: Any, age_ms: Any) -> Any:
        return z3.If(shown, z3.If(age_ms >= 0, age_ms + elapsed_ms, 0), -1)

    names = Cut().name("enable high", latched.enable_high)
    return Claim(
        (),
        names.of(
            implies(
                invariant_of_station(before),
                and_(
                    after.stop_ms == since_ms(told, before.stop_ms),
                    after.stopping_ms == since_ms(leaving, before.stopping_ms),
                    implies(and_(elapsed_ms >= 0, before.stop_ms >= 0, told), after.stop_ms >= 0),
                ),
            )
        ),
        None,
        (("it is stopped", names.of(and_(told, before.stop_ms > 0))),),
    )


@obligation(
    "scan.latched-stays",
    *ACTS,
    "diagnosis.contactor_faults",
    "diagnosis.module_faults",
    "diagnosis.runs_on",
    domain=WHOLE,
)
def latched_stays(station: Station) -> Claim:
    """No act loses a latched fault; what the first act finds is what is handed on to be kept on
    disk, before anything else is done, and what the scan hands on (S8)."""
    of = any_scan(station)
    before, after = of.memory.latched, of.acts.diagnosed.latched
    told = ("stopped", "gun_out", "module_out")
    return Claim(
        (),
        and_(
            *[implies(*pair) for pair in zip(flat(before), flat(after), strict=True)],
            *[equal(getattr(before, each), getattr(after, each)) for each in told],
            equal(only(of, Latch).latched, after),
            equal(only(of, Abandon).expanders, [each.lost for each in of.acts.diagnosed.healing]),
            *[
                equal(each.latched, after)
                for each in (of.acts.switched, of.acts.concluded, of.acts.after)
            ],
            type(of.acts.kept[0]) is Latch,
        ),
        None,
        (("something is newly latched", and_(after.dead[0], not_(before.dead[0]))),),
    )


@obligation("scan.diagnosed-as-specified", "scan.diagnose", "scan.locked", domain=WHOLE)
def diagnosed_as_specified(station: Station) -> Claim:
    """What the first act makes of the readings is exactly this, module by module and expander by
    expander: ages, faults and contacts as `diagnosis` has them; an expander is out of order once it
    is misconfigured or has not obeyed in more than three scans in a row, good ones wearing off,
    until it obeys right after it was configured anew; that was in vain where it does not, or not
    for long; it is latched as lost where six times did not help, and some expander has answered for
    two seconds; an enable line is held high once it has strayed so (S8)."""
    of = any_scan(station)
    was, now, seen = of.memory, of.acts.diagnosed, of.observed
    times, elapsed_ms, scans = of.built.timing, seen.elapsed_ms, seen.scans
    no_supply = of.none_follows

    def counted(wrong: Any, count: Any) -> Any:
        raised = z3.If(count < 12, count, 12) + 4
        return z3.If(wrong, raised, z3.If(count > scans, count - scans, 0))

    def of_module(m: int) -> Any:
        read, ages, faults = seen.modules[m], now.ages[m], now.latched
        shown = diagnosis.contacts_seen(
            z3_terms,
            read,
            [and_(*[seen.contacts_read[at] for at in place]) for place in of.built.places[m]],
            [or_(*[seen.coils_doubted[at] for at in place]) for place in of.built.places[m]],
        )
        contactors = diagnosis.contactor_faults(
            z3_terms,
            times,
            read,
            ages,
            ContactorFaults(was.latched.welded[m], was.latched.failed_open[m]),
        )
        stuck = diagnosis.module_faults(
            z3_terms,
            times,
            ages,
            now.closed[m],
            ModuleFaults(was.latched.dead[m], was.latched.stuck_on[m]),
        )
        off = z3.Not(z3.Or(read.enabled, read.reports_on))
        lines_ms = was.lines_off_ms[m]
        return and_(
            equal(
                ages,
                supply.excused(
                    z3_terms,
                    diagnosis.ages(z3_terms, times, read, was.ages[m], elapsed_ms, scans),
                    no_supply,
                ),
            ),
            equal(contactors, [faults.welded[m], faults.failed_open[m]]),
            equal(
                now.closed[m],
                diagnosis.counts_closed(z3_terms, shown, faults.welded[m], was.closed[m]),
            ),
            equal(stuck, [faults.dead[m], faults.stuck_on[m]]),
            equal(
                faults.runs_on[m],
                diagnosis.runs_on(z3_terms, times, ages, now.closed[m], was.latched.runs_on[m]),
            ),
            equal(now.stray[m], counted(was.strayed[m], was.stray[m])),
            iff(faults.enable_high[m], or_(was.latched.enable_high[m], now.stray[m] > 12)),
            implies(
                lines_ms >= -1,
                now.lines_off_ms[m]
                == z3.If(off, z3.If(lines_ms >= 0, lines_ms + elapsed_ms, 0), -1),
            ),
            *[equal(now.feeding[gun][m], switching.live(z3_terms, read)[gun]) for gun in of.guns],
        )

    def of_expander(at: int) -> Any:
        before, after, latched = was.healing[at], now.healing[at], was.latched.expander_lost[at]
        found = and_(before.asked, seen.obeyed[at])
        silence = z3.If(found, 0, counted(not_(seen.obeyed[at]), was.silence[at]))
        wrong = or_(seen.misconfigured[at], silence > 12)
        steady_ms = times.module_discharge_ms + 1000
        tested = and_(before.last_ms > -1, before.last_ms + elapsed_ms < steady_ms)
        return and_(
            equal(now.silence[at], silence),
            iff(after.lost, or_(latched, wrong, and_(before.lost, not_(found)))),
            iff(
                now.latched.expander_lost[at],
                or_(latched, and_(after.lost, after.tries >= 6, now.answering_ms >= 2000)),
            ),
            iff(
                after.in_vain,
                or_(
                    latched,
                    and_(before.asked, not_(seen.obeyed[at])),
                    and_(after.lost, or_(before.in_vain, and_(not_(before.lost), tested))),
                    and_(before.in_vain, tested),
                ),
            ),
        )

    grown_ms = z3.If(was.answering_ms >= 0, was.answering_ms + elapsed_ms, 0)
    answering_ms = z3.If(z3.Or(*seen.obeyed, *seen.misconfigured), grown_ms, -1)
    return Claim(
        (),
        implies(
            and_(scans >= 1, elapsed_ms >= 0, *[n >= 0 for n in (*was.silence, *was.stray)]),
            and_(
                *map(of_module, of.modules),
                *map(of_expander, range(len(was.silence))),
                implies(was.answering_ms >= -1, now.answering_ms == answering_ms),
                equal(
                    now.none_follows_ms,
                    diagnosis.lasting(z3_terms, no_supply, was.none_follows_ms, elapsed_ms),
                ),
                iff(
                    now.latched.emergency_stop,
                    or_(was.latched.emergency_stop, seen.stop_pressed),
                ),
                equal(of.locks, diagnosis.locked(z3_terms, now.closed, now.latched.stuck_on)),
                equal(
                    now.fed_ms,
                    dwell.fed_ms(z3_terms, now.feeding, was.feeding, was.fed_ms, elapsed_ms),
                ),
                equal(
                    [now.strayed, now.offers, now.enabled], [was.strayed, was.offers, was.enabled]
                ),
            ),
        ),
        None,
        (
            (
                "an expander is lost",
                and_(now.latched.expander_lost[0], not_(seen.misconfigured[0])),
            ),
            ("a line is held high", and_(now.latched.enable_high[0], was.stray[0] < 12)),
        ),
    )


FALLING = (Latch, Abandon, Lower, Disable, Write)
RISING = (Lower, Disable, Enable, Publish)
ORDER = (*FALLING, *RISING, Beat, Pet, Reset, Configure)


@obligation("scan.order-of-effects", *ACTS, "scan.moves", domain=WHOLE)
def order_of_effects(station: Station) -> Claim:
    """In this order, in every scan: faults are kept and lost expanders left alone; lowered offers
    are published; enables fall; words are written; offers are cut, if a write was not verified, and
    enables fall whose were not; enables rise; raised offers are published; the watchdogs are fed;
    RESET and lost expanders are seen to. And each contains just what it should: what was enabled
    and shall not be; what may not switch as it was read; only what is verified, and was low, all
    of it but what a feeder cannot bear (`feeder.scan`)."""
    of = any_scan(station)
    acts, going = of.acts, of.acts.set_going
    every = (*acts.kept, *acts.falling, *acts.rising, *acts.last)
    falls_first, falls_then = [each for each in every if isinstance(each, Disable)]
    rising = only(of, Enable).modules
    reads, enabled, unlimited = of.observed.modules, acts.concluded.enabled, not of.built.feeders
    coils = {place(number): pair for number, pair in enumerate(of.built.contactors)}

    def bit(at: int, pin: int) -> Any:
        if (at, pin) not in coils:
            return False
        gun, m = coils[at, pin]
        writes = going.writes[m]
        return or_(
            and_(writes.may_switch, writes.coils[gun]),
            and_(not_(writes.may_switch), reads[m].latch[gun]),
        )

    words = only(of, Write).words
    lines = [
        and_(
            iff(falls_first.modules[m], and_(reads[m].enabled, not_(going.writes[m].enable))),
            iff(falls_then.modules[m], and_(going.writes[m].enable, not_(of.told[m]))),
            implies(enabled[m], and_(going.writes[m].enable, of.told[m])),
            implies(
                and_(going.writes[m].enable, of.told[m], or_(reads[m].enabled, unlimited)),
                enabled[m],
            ),
            iff(rising[m], and_(enabled[m], not_(of.observed.line_high[m]))),
            implies(
                iff(reads[m].enabled, of.observed.line_high[m]),
                iff(course(of)[-1].on[m], enabled[m]),
            ),
        )
        for m in of.modules
    ]
    as_left = and_(*map(iff, of.looked[0], enabled))
    names = Cut().name("writes", going.writes).name("verified", of.told)
    return Claim(
        (),
        names.of(
            and_(
                tuple(map(type, every)) == ORDER,
                len(words) == len(of.verified),
                *[
                    equal(word[pin], bit(at, pin))
                    for at, word in enumerate(words)
                    for pin in range(len(word))
                ],
                *lines,
                implies(and_(*of.told), equal(published(of)[1].offer_w, published(of)[0].offer_w)),
                iff(only(of, Beat).due, as_left),
                iff(only(of, Pet).due, and_(as_left, or_(*of.observed.obeyed))),
                iff(acts.after.petted, only(of, Pet).due),
            )
        ),
        None,
        (
            ("an enable rises", names.of(rising[0])),
            ("one falls, not verified", names.of(falls_then.modules[0])),
        ),
    )


def place(number: int) -> tuple[int, int]:
    """Where a contactor's bit is in the words, as the wiring has it."""
    at, pin = divmod(number, 14)
    return at, pin if pin < 7 else pin + 1


@obligation("scan.watchdog", "scan.look_back", domain=WHOLE, needs={LINES})
def watchdog(station: Station, assumed: Assumed) -> Claim:
    """The watchdogs are fed only while every enable line is as this scan has left it, that of the
    relay supply only while an expander obeys, too (S7)."""
    of = any_scan(station)
    lines = z3_terms.bools("line in truth", len(of.modules))
    names = Cut().name("left enabled", of.acts.concluded.enabled)
    looks = [plant.last_look(assumed, *pair) for pair in zip(lines, of.looked[0], strict=True)]
    pet, beat = only(of, Pet).due, only(of, Beat).due
    goal = and_(
        implies(beat, and_(*map(iff, lines, of.acts.concluded.enabled))),
        iff(pet, and_(beat, or_(*of.observed.obeyed))),
    )
    return Claim(
        tuple(law for each in looks for law in each),
        names.of(goal),
        None,
        (("both are fed", names.of(pet)), ("one is", names.of(and_(beat, not_(pet))))),
    )


@obligation("scan.last-look", "scan.look_back", "diagnosis.off_at_last_look", domain=WHOLE)
def last_look(station: Station) -> Claim:
    """A module that the last look shows enabled or on is not off for the next scan, by any count;
    its line has strayed if it is high and was not left so; nothing else changes but what has been
    done about lost expanders, and that the watchdog was fed."""
    of = any_scan(station)
    was, now = of.acts.concluded, of.acts.after
    names = Cut().name("ages", was.ages).name("lines off", was.lines_off_ms)
    names.name("left enabled", was.enabled)

    def of_module(m: int) -> Any:
        on = or_(of.looked[0][m], of.looked[1][m])
        return and_(
            equal(now.ages[m].off_ms, z3_terms.ite(on, NOT_SO, was.ages[m].off_ms)),
            equal(now.lines_off_ms[m], z3_terms.ite(on, NOT_SO, was.lines_off_ms[m])),
            equal(now.ages[m]._replace(off_ms=was.ages[m].off_ms), was.ages[m]),
            iff(now.strayed[m], and_(of.looked[2][m], not_(was.enabled[m]))),
        )

    same = now._replace(
        ages=was.ages,
        lines_off_ms=was.lines_off_ms,
        strayed=was.strayed,
        healing=was.healing,
        reset_ms=was.reset_ms,
        petted=was.petted,
    )
    return Claim(
        (),
        names.of(and_(*map(of_module, of.modules), equal(same, was))),
        None,
        (("a line strays", names.of(now.strayed[0])),),
    )


@obligation("scan.built", "built.built", domain="this station's wiring")
def built_as_wired(station: Station) -> Claim:
    """Each contactor is looked for on the expander where it is wired, a module's on all that carry
    one of its own and on no other; times, powers and matrix are the station's."""
    made = any_built(station)
    by_hand = [
        [
            [k // 14 for k, pair in enumerate(station.contactors) if pair == (gun, m)]
            for gun in range(1, len(station.guns) + 1)
        ]
        for m in range(1, len(station.modules) + 1)
    ]
    carriers = [sorted({at for place in row for at in place}) for row in by_hand]
    return Claim(
        (),
        and_(
            equal(made.timing, plant.timing()),
            equal(made.offer_lead_ms, z3.Int("lead_ms")),
            equal(made.minimum_dwell_ms, z3.Int("minimum_dwell_ms")),
            made.fresh_ms == 2 * z3.Int("scan_ms"),
            equal(made.gun_max_w, [gun.max_power_w for gun in station.guns]),
            equal(made.module_power_w, [module.power_w for module in station.modules]),
            equal(made.places, by_hand),
            equal(made.carriers, carriers),
            equal([[gun + 1, m + 1] for gun, m in made.contactors], station.contactors),
        ),
    )


@obligation(
    "scan.absent-is-open",
    "scan.diagnose",
    "scan.switch",
    domain="this station without its first contactor; any times, any scan",
)
def absent_is_open(station: Station) -> Claim:
    """A contactor that does not exist counts as open, whatever was remembered, unless it is latched
    as welded; no module is enabled on it."""
    (gun, module), *_ = station.contactors
    reach = [set(row) for row in station.matrix.reach]
    reach[gun - 1].discard(module)
    rows = tuple(tuple(sorted(row)) for row in reach)
    of = any_scan(replace(station, matrix=replace(station.matrix, reach=rows)))
    gun, module = gun - 1, module - 1
    alone = and_(*[not_(row[module]) for other, row in enumerate(of.held) if other != gun])
    return Claim(
        (),
        and_(
            not of.built.places[module][gun],
            iff(
                of.acts.diagnosed.closed[module][gun],
                of.acts.diagnosed.latched.welded[module][gun],
            ),
            implies(alone, not_(is_enabled(of, module))),
        ),
        None,
        (("it counted as closed", of.memory.closed[module][gun]),),
    )


OBLIGATIONS = collected(globals())
