"""One scan of the whole station: what its memory may say, and the safety rules S1 to S9.

By induction. `scan.invariant-at-start`: a process that has just begun satisfies the invariant,
whatever state the world is in; so it is covered wherever the one before died, between any two
effects. `scan.invariant-is-kept`: from every memory that satisfies it, a scan leaves one that does.
`scan.ages-are-sound`: then the ages that the first act counts are sound. All rules are shown from
these: for any readings, any target, any subset of the writes done and verified, any time.

Modules do not see each other but through what they are given: which guns are locked, the target
that may be switched to, stops. The theorems about one module hold for whatever these are
(`whole_scan.Cut`), and are decided for each module that is unlike the others. Here stand the
invariant and who may move and run (S1 to S5, S9); offers in `proofs.scan_offers`; stops, faults and
the order of effects in `proofs.scan_effects`.
"""

from typing import Any

import z3

from proofs import healing, plant, scan_effects, scan_offers
from proofs.algebras.z3_terms import and_, iff, implies, not_, or_
from proofs.lemmas.any_scan import Assumed, ages_are_sound
from proofs.lemmas.scan_claims import (
    ACTS,
    WHOLE,
    falls,
    from_scan_to_scan,
    given_but_ages,
    given_to,
    is_enabled,
    left_by,
    of_each_module,
    one_at_most,
    only,
    power_w,
    promise_w,
    rises,
    since,
    some_rise,
    with_sound_ages,
)
from proofs.lemmas.whole_scan import (
    Cut,
    WholeScan,
    any_scan,
    equal,
    flat,
    invariant_of_module,
    invariant_of_station,
)
from proofs.obligation import Claim, collected, obligation
from proofs.plant import (
    CHIPS,
    CLOCK,
    IN_ITS_SCAN,
    IN_TIME,
    LINES,
    MIRROR,
    NEEDS_ENABLE,
    ONE_FLIP,
    SOLE_OWNER,
    STAYS_OPEN,
    STOPS_WITH_ENABLE,
)
from verified_alloc.kernel import scan
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.scan import Disable, Enable, Publish, Write
from verified_alloc.station.model import Station


@obligation("scan.invariant-at-start", "scan.restarted", "healing.restarted", domain=WHOLE)
def at_start(station: Station) -> Claim:
    """A process that has just begun satisfies the invariant, whatever state the world is in and
    whatever faults were latched; nothing is offered, and all may have been promised."""
    of = any_scan(station)
    memory = scan.restarted(of.built, of.memory.latched)
    return Claim(
        (),
        and_(
            *[invariant_of_module(of, memory, m, of.before[m], of.left[m]) for m in of.modules],
            invariant_of_station(memory),
            equal(list(memory.latched), list(of.memory.latched)),
            not_(or_(*flat(memory.enabled), *flat(memory.closed), *flat(memory.feeding))),
            equal(flat([memory.fed_ms, memory.lines_off_ms]), [NOT_SO] * 2 * len(of.modules)),
            equal([memory.stop_ms, memory.stopping_ms], [NOT_SO, NOT_SO]),
            *[count == 0 for count in (*memory.silence, *memory.stray)],
            len(memory.silence) == -(-len(station.contactors) // 14),
            *map(healing.is_sound, memory.healing, memory.latched.expander_lost),
            equal([each.lost for each in memory.healing], memory.latched.expander_lost),
            equal(
                [memory.reset_ms, memory.answering_ms, memory.none_follows_ms],
                [NOT_SO, 2000, NOT_SO],
            ),
            not_(or_(*memory.strayed, memory.petted)),
            *[
                equal([each.offer_w, each.promise_w], [0, most_w])
                for each, most_w in zip(memory.offers, station.gun_max_w, strict=True)
            ],
        ),
        None,
        (("it is found running", of.before[0].module.feeds),),
    )


@obligation(
    "scan.ages-are-sound",
    "scan.diagnose",
    "diagnosis.ages",
    "diagnosis.lasting",
    "diagnosis.restarted",
    domain=WHOLE,
    assumes={CHIPS, NEEDS_ENABLE},
    needs={LINES, STOPS_WITH_ENABLE, SOLE_OWNER, CLOCK},
)
def sound(station: Station, assumed: Assumed) -> Claim:
    """No age is ever more than the real time, whatever is read, written, missed, stalled or
    restarted; and an age is there only where this scan's readings show it."""
    return of_each_module(
        station,
        from_scan_to_scan(assumed),
        lambda of, m: ages_are_sound(of.now[m]),
        given_but_ages,
        ("off for long", lambda of, m: of.now[m].ages.off_ms > of.built.timing.module_discharge_ms),
        ("restarted", lambda of, m: and_(of.restarted, of.now[m].readings.valid)),
    )


@obligation("scan.invariant-is-kept", *ACTS, domain=WHOLE)
def kept(station: Station) -> Claim:
    """From every memory in which what is left enabled is on one confirmed contactor with its coils
    left as they are, and feeds one gun at most, each scan whose ages are sound leaves such a
    memory, and sound ages in it. (Of offers and counts, scan.offers-stay-ordered says so.)"""
    return of_each_module(
        station,
        lambda of, m: [*from_scan_to_scan(frozenset())(of, m), ages_are_sound(of.now[m])],
        lambda of, m: invariant_of_module(of, of.acts.after, m, of.now[m], left_by(of, m)),
        given_but_ages,
        ("it is left enabled", is_enabled),
        ("it comes to be enabled", lambda of, m: and_(is_enabled(of, m), not_(of.left[m].enable))),
    )


@obligation(
    "scan.no-second-contactor",
    *ACTS,
    "switching.step",
    domain=WHOLE,
    needs={CHIPS, MIRROR, ONE_FLIP, STAYS_OPEN},
)
def one_contactor(station: Station, assumed: Assumed) -> Claim:
    """No write of the scan closes a second contactor of a module, however late its contactors open,
    welded ones counted as closed, with one flipped feedback bit in every scan (S1)."""

    def alone(of: WholeScan, m: int, gun: int, other: int) -> Any:
        now = of.now[m]
        return and_(
            not_(now.module.coil[other]),
            not_(now.closed_last[other]),
            plant.released(of.built.timing, now.module, other),
        )

    return of_each_module(
        station,
        with_sound_ages(assumed),
        lambda of, m: and_(
            *[
                implies(rises(of, m, gun), alone(of, m, gun, other))
                for gun in of.guns
                for other in of.guns
                if gun != other
            ]
        ),
        given_to,
        ("a contactor is closed", some_rise),
    )


@obligation(
    "scan.nothing-under-load",
    *ACTS,
    "switching.step",
    domain=WHOLE,
    needs={NEEDS_ENABLE, IN_ITS_SCAN},
)
def nothing_under_load(station: Station, assumed: Assumed) -> Claim:
    """No write of the scan makes or breaks a contactor while its module is enabled, feeds, or its
    current is not gone, but for a stop that is overdue (S2)."""

    def goal(of: WholeScan, m: int) -> Any:
        now = of.now[m]
        moved = [or_(rises(of, m, gun), falls(of, m, gun)) for gun in of.guns]
        return implies(
            and_(or_(*moved), not_(of.overdue)),
            and_(
                not_(or_(now.enable_last, now.feeds_last)),
                now.module.off_ms >= of.built.timing.current_decay_ms,
            ),
        )

    return of_each_module(
        station,
        with_sound_ages(assumed),
        goal,
        given_to,
        ("a contactor is closed", some_rise),
        ("one is opened", lambda of, m: and_(falls(of, m, 0), not_(of.overdue))),
    )


@obligation(
    "scan.discharged-before-closing",
    *ACTS,
    "switching.step",
    domain=WHOLE,
    assumes={CHIPS},
    needs={NEEDS_ENABLE, IN_ITS_SCAN},
)
def discharged(station: Station, assumed: Assumed) -> Claim:
    """A contactor is closed only when its module has been off for module_discharge_ms (S9)."""

    def goal(of: WholeScan, m: int) -> Any:
        now = of.now[m]
        return implies(
            some_rise(of, m),
            and_(
                not_(or_(now.enable_last, now.feeds_last)),
                now.module.off_ms >= of.built.timing.module_discharge_ms,
            ),
        )

    return of_each_module(
        station, with_sound_ages(assumed), goal, given_to, ("a contactor is closed", some_rise)
    )


@obligation(
    "scan.enabled-on-its-target",
    *ACTS,
    "switching.step",
    "switching.wanted",
    "switching.on_gun",
    domain=WHOLE,
    needs={MIRROR, ONE_FLIP, STAYS_OPEN},
)
def enabled_on_its_target(station: Station, assumed: Assumed) -> Claim:
    """After a scan's writes a module is enabled only if that scan's valid reads show exactly one of
    its contactors closed, equal to the latch, and it is the one that may be switched to now; it was
    closed in this scan, and all others are open for good, with one flipped feedback bit (S3)."""

    def on(of: WholeScan, m: int, gun: int) -> Any:
        now = of.now[m]
        read = now.readings
        return and_(
            of.held[gun][m],
            read.valid,
            read.latch[gun],
            read.closed[gun],
            read.closed_again[gun],
            or_(now.closed_first[gun], now.closed_second[gun]),
            *[
                and_(
                    not_(or_(read.latch[other], read.closed[other], read.closed_again[other])),
                    not_(now.closed_last[other]),
                    not_(of.held[other][m]),
                    plant.released(of.built.timing, now.module, other),
                )
                for other in of.guns
                if other != gun
            ],
        )

    return of_each_module(
        station,
        with_sound_ages(assumed),
        lambda of, m: implies(is_enabled(of, m), or_(*[on(of, m, gun) for gun in of.guns])),
        given_to,
        ("it is enabled", is_enabled),
    )


@obligation("scan.switches-to-the-target", "scan.switch", "offer.hold", domain=WHOLE)
def switches_to_the_target(station: Station) -> Claim:
    """What may be switched to now is the target's, or a gun keeps what feeds it, because the
    modules that would stay do not bear its promise yet."""
    of = any_scan(station)
    names = Cut().name("feeds", of.acts.diagnosed.feeding)
    names.name("promise", [each.promise_w for each in of.acts.switched.offers])
    feeding, target = of.acts.diagnosed.feeding, of.wanted.target

    def borne(gun: int) -> Any:
        return promise_w(of, gun) <= power_w(of, map(and_, feeding[gun], target[gun]))

    return Claim(
        (),
        names.of(
            and_(
                *[
                    implies(
                        of.held[gun][m],
                        or_(target[gun][m], and_(feeding[gun][m], not_(borne(gun)))),
                    )
                    for gun in of.guns
                    for m in of.modules
                ]
            )
        ),
        None,
        (("it keeps", names.of(and_(of.held[0][0], not_(target[0][0])))),),
    )


@obligation("scan.break-before-make", *ACTS, "switching.step", domain=WHOLE, needs={CHIPS})
def break_before_make(station: Station, assumed: Assumed) -> Claim:
    """Before a contactor closes or its module is enabled, the coils of all others have been off for
    contactor_release_ms, and were seen so (S4)."""

    def goal(of: WholeScan, m: int) -> Any:
        now = of.now[m]
        return and_(
            *[
                implies(
                    or_(rises(of, m, gun), and_(is_enabled(of, m), now.readings.latch[gun])),
                    and_(
                        plant.released(of.built.timing, now.module, other),
                        now.ages.settled_ms[other] >= of.built.timing.contactor_release_ms,
                    ),
                )
                for gun in of.guns
                for other in of.guns
                if gun != other
            ]
        )

    return of_each_module(
        station, with_sound_ages(assumed), goal, given_to, ("a contactor is closed", some_rise)
    )


@obligation("scan.invalid-is-off", *ACTS, "switching.step", domain=WHOLE)
def invalid_is_off(station: Station) -> Claim:
    """Invalid readings close nothing and leave the coils as they were read, but for an overdue
    stop, which opens them; the module is off before a word is written, and stays off (S5)."""

    def goal(of: WholeScan, m: int) -> Any:
        writes = of.acts.set_going.writes[m]
        return implies(
            not_(of.now[m].readings.valid),
            and_(
                *[not_(moment.on[m]) for moment in since(of, Disable)],
                not_(is_enabled(of, m)),
                implies(writes.may_switch, and_(of.overdue, not_(or_(*writes.coils)))),
            ),
        )

    return of_each_module(
        station,
        lambda of, m: [],
        goal,
        given_to,
        (
            "it was enabled",
            lambda of, m: and_(of.now[m].readings.enabled, not_(of.now[m].readings.valid)),
        ),
    )


@obligation(
    "scan.fresh-readings",
    "built.built",
    "scan.fresh_until_ms",
    "scan.moves",
    "scan.raise_until_ms",
    "scan.conclude",
    domain=WHOLE,
    needs={IN_TIME},
)
def fresh_readings(station: Station, assumed: Assumed) -> Claim:
    """Whatever stalls: no contactor closes, and no enable or offer rises, by readings that are
    older than two scans (S5); nor does an offer, unless the last scan has fed the relay supply's
    watchdog, within four scans of it or of those that were skipped (S6)."""
    of = any_scan(station)
    closed_ms, enabled_ms = z3.Ints("closed_ms enabled_ms")
    scan_ms, begun_ms = z3.Int("scan_ms"), of.observed.begun_ms
    laws = (
        scan_ms >= 0,
        *plant.carried(assumed, only(of, Write).close_until_ms, closed_ms),
        *plant.carried(assumed, only(of, Enable).until_ms, enabled_ms),
    )
    oldest_ms = begun_ms + 2 * scan_ms
    told_ms = only(of, Publish).until_ms
    fed = and_(
        of.memory.petted,
        or_(of.observed.scans > 1, told_ms - begun_ms + of.observed.elapsed_ms <= 4 * scan_ms),
    )
    told = and_(told_ms <= oldest_ms, or_(told_ms < begun_ms, fed))
    return Claim(
        laws,
        and_(closed_ms <= oldest_ms, enabled_ms <= oldest_ms, told),
        None,
        (
            ("they are that old", and_(closed_ms == oldest_ms, enabled_ms == oldest_ms)),
            ("an offer may rise as late", and_(told_ms == oldest_ms, of.observed.scans == 1)),
        ),
    )


@obligation("scan.locked-is-off", *ACTS, "switching.step", "switching.wanted", domain=WHOLE)
def locked_is_off(station: Station) -> Claim:
    """No module is enabled on a locked gun, and no contactor of it closes (S1, S8)."""

    def goal(of: WholeScan, m: int) -> Any:
        read = of.now[m].readings
        return and_(
            *[
                implies(
                    of.locks[gun],
                    and_(
                        not_(and_(is_enabled(of, m), or_(read.latch[gun], read.closed[gun]))),
                        not_(and_(of.acts.set_going.writes[m].coils[gun], not_(read.latch[gun]))),
                    ),
                )
                for gun in of.guns
            ]
        )

    return of_each_module(
        station,
        lambda of, m: [],
        goal,
        given_to,
        ("enabled elsewhere", lambda of, m: and_(is_enabled(of, m), or_(*of.locks))),
    )


@obligation(
    "scan.bridge-counts",
    "scan.diagnose",
    "diagnosis.counts_closed",
    "diagnosis.contacts_seen",
    domain=WHOLE,
    needs={MIRROR, ONE_FLIP},
)
def bridge_counts(station: Station, assumed: Assumed) -> Claim:
    """A contactor that is closed throughout a scan counts as closed in it if it counted before, or
    if it is read, whatever else of its module is, and no bit is flipped; a welded one always does,
    and one that cannot be read while its coil was last seen on or is in doubt (S1)."""

    def counts(of: WholeScan, m: int, gun: int) -> Any:
        now = of.now[m]
        doubted = [of.observed.coils_doubted[at] for at in of.built.places[m][gun]]
        closed = and_(now.closed_first[gun], now.closed_second[gun])
        known = or_(of.memory.closed[m][gun], and_(now.contact_read[gun], not_(or_(*now.flips))))
        doubt = or_(now.readings.latch[gun], *doubted)
        blind = and_(not_(now.contact_read[gun]), doubt)
        causes = (and_(closed, known), blind, of.acts.diagnosed.latched.welded[m][gun])
        return implies(or_(*causes), of.acts.diagnosed.closed[m][gun])

    return of_each_module(
        station,
        lambda of, m: plant.holds(assumed, of.built.timing, of.now[m]),
        lambda of, m: and_(*[counts(of, m, gun) for gun in of.guns]),
        lambda of, m, names: names,
        ("two are closed", lambda of, m: and_(*of.acts.diagnosed.closed[m])),
    )


@obligation("scan.joined-are-off", *ACTS, "scan.locked", "diagnosis.locked", domain=WHOLE)
def joined_are_off(station: Station) -> Claim:
    """While a module joins two guns, or one does not switch off, these guns are locked, and all
    that is published to them in the scan is 0; so is a gun on a module that is latched as stuck on;
    and nobody else is barred, unless everything is stopped (S1, S8). That no module is enabled on
    them: scan.locked-is-off."""
    of = any_scan(station)
    closed, stuck = of.acts.diagnosed.closed, of.acts.diagnosed.latched.stuck_on
    names = Cut().name("counts closed", closed).name("stuck on", stuck)
    joined = [
        implies(and_(row[a], row[b]), and_(of.locks[a], of.locks[b]))
        for row in closed
        for a in of.guns
        for b in range(a)
    ]
    return Claim(
        (),
        names.of(
            and_(
                *joined,
                *[implies(row[gun], of.locks[gun]) for row in stuck for gun in of.guns],
                *[
                    iff(of.acts.set_going.barred[gun], or_(of.locks[gun], of.stopped))
                    for gun in of.guns
                ],
            )
        ),
        None,
        (
            ("nobody is locked", names.of(not_(or_(*of.locks)))),
            ("one gun is", names.of(and_(of.locks[0], not_(or_(*of.locks[1:]))))),
        ),
    )


@obligation(
    "scan.live-stays-enabled",
    *ACTS,
    "switching.step",
    "switching.live",
    domain=WHOLE,
    needs={CHIPS, LINES, SOLE_OWNER},
)
def live_stays_enabled(station: Station, assumed: Assumed) -> Claim:
    """A module that feeds a gun feeds no other; and as long as what may be switched to leaves it
    there, and the gun is not barred, it stays enabled and its coils are left alone."""

    def goal(of: WholeScan, m: int) -> Any:
        writes, feeding = of.acts.set_going.writes[m], of.acts.diagnosed.feeding
        return and_(
            *[
                and_(
                    implies(feeding[gun][m], of.now[m].readings.enabled),
                    *[not_(and_(feeding[gun][m], feeding[other][m])) for other in range(gun)],
                    implies(
                        and_(
                            feeding[gun][m],
                            of.held[gun][m],
                            not_(of.acts.set_going.barred[gun]),
                        ),
                        and_(writes.enable, not_(writes.may_switch)),
                    ),
                )
                for gun in of.guns
            ]
        )

    return of_each_module(
        station,
        lambda of, m: [
            *from_scan_to_scan(assumed)(of, m),
            ages_are_sound(of.now[m]),
            one_at_most([row[m] for row in of.held]),
        ],
        goal,
        given_but_ages,
        ("it is kept", lambda of, m: and_(of.acts.diagnosed.feeding[0][m], is_enabled(of, m))),
    )


OBLIGATIONS = (
    *collected(globals()),
    *scan_offers.OBLIGATIONS,
    *scan_effects.OBLIGATIONS,
)
