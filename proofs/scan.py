"""One scan of the whole station: what its memory may say, and the safety rules S1 to S9.

By induction. `scan.invariant-at-start`: a process that has just begun satisfies the invariant,
whatever state the world is in; so it is covered wherever the one before died, between any two
effects. `scan.invariant-is-kept`: from every memory that satisfies it, a scan leaves one that does.
`scan.ages-are-sound`: then the ages that the first act counts are sound. All rules are shown from
these: for any readings, any target, any subset of the writes done and verified, any time.

Modules do not see each other but through what they are given: which guns are locked, the target
that may be switched to, stops. The theorems about one module hold for whatever these are
(`whole_scan.Cut`), and are decided for each module that is unlike the others.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, iff, implies, not_, or_, total
from proofs.lemmas.any_scan import Assumed, ages_are_sound
from proofs.lemmas.whole_scan import (
    Cut,
    Moment,
    WholeScan,
    anew,
    any_built,
    any_scan,
    course,
    equal,
    flat,
    invariant_of_module,
    invariant_of_station,
    offer_is_ordered,
    sane,
    story,
    unlike,
    variables,
    world_of,
)
from proofs.obligation import Claim, collected, obligation
from proofs.plant import (
    CHIPS,
    CLOCK,
    IN_ITS_SCAN,
    LINES,
    MIRROR,
    NEEDS_ENABLE,
    ONE_FLIP,
    SOLE_OWNER,
    STAYS_OPEN,
    STOPS_WITH_ENABLE,
)
from verified_alloc.kernel import diagnosis, dwell, offer, scan, switching
from verified_alloc.kernel.diagnosis import NOT_SO, ContactorFaults, ModuleFaults
from verified_alloc.kernel.scan import Abandon, Disable, Enable, Latch, Pet, Publish, Write
from verified_alloc.station.model import Station

WHOLE = "this station, any times; any target, readings, writes done and verified"
ACTS = ("scan.diagnose", "scan.switch", "scan.conclude", "scan.look_back")

Case = tuple[str, Callable[[WholeScan, int], Any]]


def of_each_module(
    station: Station,
    given: Callable[[WholeScan, int], list[Any]],
    goal: Callable[[WholeScan, int], Any],
    cut: Callable[[WholeScan, int, Cut], Any],
    *cases: Case,
) -> Claim:
    """The claim about every module, those that are alike once; cases must be possible for the
    first."""
    of = any_scan(station)

    def general(m: int, term: Any) -> Any:
        names = Cut()
        cut(of, m, names)
        return variables(m, of).of(names.of(term))

    claims = [general(m, implies(and_(*sane(of), *given(of, m)), goal(of, m))) for m in of.modules]
    first = and_(*sane(of), *given(of, 0))
    covers = tuple((name, general(0, and_(first, case(of, 0)))) for name, case in cases)
    return Claim((), unlike(claims), story(of, 0, lambda term: general(0, term)), covers)


def given_to(of: WholeScan, m: int, names: Cut) -> None:
    """What a module is given by the rest of the station, and its ages."""
    names.name("age", of.acts.diagnosed.ages[m])
    names.name("locked", of.locks)
    names.name("held", [row[m] for row in of.held])
    names.name("stop_ms", of.acts.diagnosed.stop_ms)
    names.name("verified", of.told[m])


def given_but_ages(of: WholeScan, m: int, names: Cut) -> None:
    """The same, where it matters how ages are counted."""
    names.name("locked", of.locks)
    names.name("held", [row[m] for row in of.held])
    names.name("stop_ms", of.acts.diagnosed.stop_ms)
    names.name("verified", of.told[m])


def with_sound_ages(assumed: Assumed) -> Callable[[WholeScan, int], list[Any]]:
    """What is given where `scan.ages-are-sound` is used."""

    def given(of: WholeScan, m: int) -> list[Any]:
        now = of.now[m]
        return [ages_are_sound(now), *plant.holds(assumed, of.built.timing, now)]

    return given


def from_scan_to_scan(assumed: Assumed) -> Callable[[WholeScan, int], list[Any]]:
    """The invariant, and what has happened since."""

    def given(of: WholeScan, m: int) -> list[Any]:
        kept = invariant_of_module(of, of.memory, m, of.before[m], of.left[m])
        return [kept, anew(of, m), *world_of(of, assumed, m)]

    return given


def left_by(of: WholeScan, m: int) -> Any:
    """What the scan writes, as far as it is verified."""
    return of.acts.set_going.writes[m]._replace(enable=of.acts.concluded.enabled[m])


def rises(of: WholeScan, m: int, gun: int) -> Any:
    """A write of ours energises this coil."""
    writes = of.acts.set_going.writes[m]
    return and_(writes.may_switch, writes.coils[gun], not_(of.now[m].module.coil[gun]))


def falls(of: WholeScan, m: int, gun: int) -> Any:
    """A write of ours drops this coil."""
    writes = of.acts.set_going.writes[m]
    return and_(writes.may_switch, not_(writes.coils[gun]), of.now[m].module.coil[gun])


def some_rise(of: WholeScan, m: int) -> Any:
    """A contactor is closed."""
    return or_(*[rises(of, m, gun) for gun in of.guns])


def is_enabled(of: WholeScan, m: int) -> Any:
    """The module is enabled when the scan is over."""
    return of.acts.concluded.enabled[m]


@obligation("scan.invariant-at-start", "scan.restarted", domain=WHOLE)
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
            not_(or_(*memory.strayed)),
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


@obligation(
    "scan.invariant-is-kept",
    *ACTS,
    domain=WHOLE,
)
def kept(station: Station) -> Claim:
    """From every memory in which what is left enabled is on one confirmed contactor with its coils
    left as they are, and feeds one gun at most, each scan whose ages are sound leaves such a memory,
    and sound ages in it. (Of offers and counts, scan.offers-stay-ordered says so.)"""
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


def promise_w(of: WholeScan, gun: int) -> Any:
    """The most that the gun may draw while things are switched."""
    return of.acts.switched.offers[gun].promise_w


def power_w(of: WholeScan, modules: Any) -> Any:
    """The power of these modules together."""
    return total(
        z3_terms.ite(bit, watts, 0)
        for bit, watts in zip(modules, of.built.module_power_w, strict=True)
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


def since(of: WholeScan, kind: type) -> list[Moment]:
    """From the first effect of this kind on."""
    moments = course(of)
    return moments[next(place for place, each in enumerate(moments) if type(each.effect) is kind) :]


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


def one_at_most(bits: list[Any]) -> Any:
    """No two of them."""
    return and_(*[not_(and_(a, b)) for place, a in enumerate(bits) for b in bits[:place]])


def of_each_gun(
    station: Station,
    goal: Callable[[WholeScan, int], Any],
    *cases: Case,
) -> Claim:
    """A claim about every gun, from what other obligations say of its modules: those that feed it
    are enabled, and stay so (`scan.live-stays-enabled`); and it keeps what feeds it or follows its
    target (`offer.hold`), if a module is on one gun at most in that."""
    of = any_scan(station)
    going, feeding = of.acts.set_going, of.acts.diagnosed.feeding
    claims, covers = [], []
    for gun in of.guns:
        lowered = of.acts.switched.offers
        names = Cut().name("feeds", feeding[gun]).name("held", of.held[gun])
        names.name("barred", going.barred[gun])
        names.name("writes enable", [each.enable for each in going.writes])
        names.name("verified", of.told)
        names.name("others", [each for other, each in enumerate(lowered) if other != gun])
        others = [w for other, w in enumerate(published(of)[1].offer_w) if other != gun]
        names.name("others cut", others)
        bears = promise_w(of, gun) <= power_w(of, map(and_, feeding[gun], of.wanted.target[gun]))
        keeps = and_(*map(iff, of.held[gun], feeding[gun]))
        follows = [
            implies(feeding[gun][m], iff(of.held[gun][m], of.wanted.target[gun][m]))
            for m in of.modules
        ]
        given = [
            *sane(of),
            offer_is_ordered(of.memory.offers[gun]),
            or_(keeps, and_(bears, *follows)),
            *[implies(feeding[gun][m], of.observed.modules[m].enabled) for m in of.modules],
            *[
                implies(
                    and_(feeding[gun][m], of.held[gun][m], not_(going.barred[gun])),
                    going.writes[m].enable,
                )
                for m in of.modules
            ],
        ]
        claims.append(names.of(implies(and_(*given), goal(of, gun))))
        if not gun:
            covers = [(name, names.of(and_(*given, case(of, gun)))) for name, case in cases]
    return Claim((), unlike(claims), None, tuple(covers))


def published(of: WholeScan) -> list[Publish]:
    """What is published, one after another."""
    effects = (*of.acts.falling, *of.acts.rising)
    return [effect for effect in effects if isinstance(effect, Publish)]


def still_w(of: WholeScan, gun: int, on: Any) -> Any:
    """The power of the modules that feed the gun and are on."""
    return power_w(of, map(and_, of.acts.diagnosed.feeding[gun], on))


@obligation(
    "scan.offers-are-borne",
    *ACTS,
    "offer.lower",
    "offer.cut",
    "offer.raise_",
    "offer.affordable",
    domain=WHOLE + " that has a module on one gun at most; composed of scan.live-stays-enabled and"
    " offer.hold",
)
def offers_are_borne(station: Station) -> Claim:
    """From the first effect of a scan on, after each one, and so wherever the process dies: what a
    gun was told last is at most the power of its modules that are live and still enabled; nor is it
    more than its grant, nor anything while it is locked or everything is stopped (S6)."""

    def goal(of: WholeScan, gun: int) -> Any:
        return and_(
            *[
                and_(
                    moment.published_w[gun] <= still_w(of, gun, moment.on),
                    moment.published_w[gun] <= of.wanted.granted_w[gun],
                    moment.published_w[gun] >= 0,
                    implies(of.acts.set_going.barred[gun], moment.published_w[gun] <= 0),
                )
                for moment in course(of)
            ],
        )

    return of_each_gun(
        station,
        goal,
        (
            "all that feeds it is offered",
            lambda of, gun: and_(
                course(of)[-1].published_w[gun] == still_w(of, gun, course(of)[-1].on),
                course(of)[-1].published_w[gun] > 0,
            ),
        ),
        (
            "it is cut",
            lambda of, gun: published(of)[1].offer_w[gun] < published(of)[0].offer_w[gun],
        ),
    )


@obligation(
    "scan.planned-removal-waits",
    *ACTS,
    "offer.hold",
    domain=WHOLE + " that has a module on one gun at most; composed of scan.live-stays-enabled and"
    " offer.hold",
)
def planned_removal_waits(station: Station) -> Claim:
    """No module that feeds a gun is taken from it, after any effect of the scan, unless those that
    are still on bear all that the gun may draw; but for a gun that is barred, and for writes that
    were not verified (S6)."""

    def goal(of: WholeScan, gun: int) -> Any:
        return implies(
            and_(not_(of.acts.set_going.barred[gun]), *of.told),
            and_(
                *[
                    or_(
                        promise_w(of, gun) <= still_w(of, gun, moment.on),
                        and_(*map(implies, of.acts.diagnosed.feeding[gun], moment.on)),
                    )
                    for moment in course(of)
                ]
            ),
        )

    def leaves(of: WholeScan, gun: int) -> Any:
        return and_(
            of.acts.diagnosed.feeding[gun][0],
            not_(course(of)[-1].on[0]),
            not_(of.acts.set_going.barred[gun]),
            promise_w(of, gun) > 0,
        )

    return of_each_gun(station, goal, ("a module leaves", leaves))


@obligation(
    "scan.offers-stay-ordered",
    *ACTS,
    "offer.lower",
    "offer.cut",
    "offer.raise_",
    domain=WHOLE,
)
def offers_stay_ordered(station: Station) -> Claim:
    """What the memory says of the whole station stays so through a scan: every offer is within what
    is pending and that within the promise, ages and counts are none that cannot be; what is
    remembered as offered is what was published last; and no promise rises but to what is offered
    (S6)."""
    of = any_scan(station)
    affordable_w = Cut().name("affordable", affordable(of)).name("stop", of.stopped)
    after, before = of.acts.after, of.memory
    return Claim(
        (),
        affordable_w.of(
            implies(
                and_(
                    *sane(of),
                    invariant_of_station(before),
                    *[power_w >= 0 for each in affordable(of) for power_w in each],
                ),
                and_(
                    invariant_of_station(after),
                    equal([each.offer_w for each in after.offers], published(of)[-1].offer_w),
                    *[
                        or_(new.promise_w <= old.promise_w, new.promise_w <= new.offer_w)
                        for old, new in zip(before.offers, after.offers, strict=True)
                    ],
                ),
            )
        ),
    )


def affordable(of: WholeScan) -> tuple[list[Any], list[Any]]:
    """What each gun can be offered before anything is switched, and when all is."""
    feeding = of.acts.diagnosed.feeding
    still = [list(map(and_, row, of.acts.concluded.enabled)) for row in feeding]
    first, then = (
        [
            offer.affordable(
                z3_terms,
                of.wanted.granted_w[gun],
                rows[gun],
                of.wanted.target[gun],
                of.built.module_power_w,
                of.acts.set_going.barred[gun],
            )
            for gun in of.guns
        ]
        for rows in (feeding, still)
    )
    return first, then


@obligation(
    "scan.site-limit",
    *ACTS,
    "offer.lower",
    "offer.cut",
    "offer.raise_",
    domain=WHOLE + "; grants within the site limit (the guard), or offers that were",
)
def site_limit(station: Station) -> Claim:
    """All that a scan publishes is, together, within the site limit; so are the promises once they
    are, and as long as they are not, none rises; no gun is denied what is left (S6)."""
    of = any_scan(station)
    first_w, then_w = affordable(of)
    names = Cut().name("affordable", [first_w, then_w])
    limit_w, before, after = of.orders.site_limit_w, of.memory.offers, of.acts.after.offers

    def promised(offers: Any) -> Any:
        return total(each.promise_w for each in offers)

    within = or_(
        total(of.wanted.granted_w) <= limit_w, total(each.offer_w for each in before) <= limit_w
    )
    granted = [
        and_(power_w >= 0, power_w <= most_w)
        for each in (first_w, then_w)
        for power_w, most_w in zip(each, of.wanted.granted_w, strict=True)
    ]
    given = and_(*sane(of), *map(offer_is_ordered, before), within, *granted)
    return Claim(
        (),
        names.of(
            implies(
                given,
                and_(
                    *[total(each.offer_w) <= limit_w for each in published(of)],
                    implies(promised(before) <= limit_w, promised(after) <= limit_w),
                    or_(
                        promised(after) <= limit_w,
                        promised(after) <= promised(of.acts.switched.offers),
                    ),
                    *[
                        or_(told.offer_w >= power_w, promised(after) >= limit_w)
                        for told, power_w in zip(after, then_w, strict=True)
                    ],
                ),
            )
        ),
        None,
        (("the limit binds", names.of(and_(given, total(published(of)[-1].offer_w) == limit_w))),),
    )


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


def only(of: WholeScan, kind: Any) -> Any:
    """The one effect of this kind."""
    acts = of.acts
    effects = (*acts.kept, *acts.falling, *acts.rising, *acts.last)
    (found,) = [effect for effect in effects if type(effect) is kind]
    return found


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
    """No act loses a latched fault; what the first act finds is what is kept on disk, before
    anything else is done, and what the scan hands on (S8)."""
    of = any_scan(station)
    before, after = of.memory.latched, of.acts.diagnosed.latched
    told = ("stopped", "gun_out", "module_out")
    return Claim(
        (),
        and_(
            *[implies(*pair) for pair in zip(flat(before), flat(after), strict=True)],
            *[equal(getattr(before, each), getattr(after, each)) for each in told],
            equal(only(of, Latch).latched, after),
            equal(only(of, Abandon).expanders, after.expander_lost),
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
    expander: ages, faults and contacts as `diagnosis` has them; an expander is lost once it is
    misconfigured or has not obeyed in more than three scans in a row, good ones wearing off; an
    enable line is held high once it has strayed so (S8)."""
    of = any_scan(station)
    was, now, seen = of.memory, of.acts.diagnosed, of.observed
    times, elapsed_ms, scans = of.built.timing, seen.elapsed_ms, seen.scans

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
            equal(ages, diagnosis.ages(z3_terms, times, read, was.ages[m], elapsed_ms, scans)),
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
            *[equal(now.feeding[gun][m], switching.live(z3_terms, read, gun)) for gun in of.guns],
        )

    def of_expander(at: int) -> Any:
        silence = counted(not_(seen.obeyed[at]), was.silence[at])
        return and_(
            equal(now.silence[at], silence),
            iff(
                now.latched.expander_lost[at],
                or_(was.latched.expander_lost[at], seen.misconfigured[at], silence > 12),
            ),
        )

    return Claim(
        (),
        implies(
            and_(scans >= 1, *[count >= 0 for count in (*was.silence, *was.stray)]),
            and_(
                *map(of_module, of.modules),
                *map(of_expander, range(len(was.silence))),
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


ORDER = (Latch, Abandon, Publish, Disable, Write, Publish, Disable, Enable, Publish, Pet)


@obligation("scan.order-of-effects", *ACTS, "scan.moves", domain=WHOLE)
def order_of_effects(station: Station) -> Claim:
    """In this order, in every scan: faults are kept and lost expanders left alone; lowered offers
    are published; enables fall; words are written; offers are cut, if a write was not verified, and
    enables fall whose were not; enables rise; raised offers are published; the watchdog is fed. And
    each contains just what it should: what was enabled and shall not be; what may not switch as it
    was read; only what is verified, and was low."""
    of = any_scan(station)
    acts, going = of.acts, of.acts.set_going
    every = (*acts.kept, *acts.falling, *acts.rising, *acts.last)
    falls_first, falls_then = [each for each in every if isinstance(each, Disable)]
    rising = only(of, Enable).modules
    reads = of.observed.modules
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
            iff(acts.concluded.enabled[m], and_(going.writes[m].enable, of.told[m])),
            iff(
                rising[m],
                and_(going.writes[m].enable, of.told[m], not_(of.observed.line_high[m])),
            ),
            implies(
                iff(reads[m].enabled, of.observed.line_high[m]),
                iff(course(of)[-1].on[m], acts.concluded.enabled[m]),
            ),
        )
        for m in of.modules
    ]
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
                iff(
                    only(of, Pet).due,
                    and_(*map(iff, of.looked[0], acts.concluded.enabled)),
                ),
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
    """The watchdog is fed only while every enable line is as this scan has left it (S7)."""
    of = any_scan(station)
    lines = z3_terms.bools("line in truth", len(of.modules))
    names = Cut().name("left enabled", of.acts.concluded.enabled)
    looks = [plant.last_look(assumed, *pair) for pair in zip(lines, of.looked[0], strict=True)]
    return Claim(
        tuple(law for each in looks for law in each),
        names.of(implies(only(of, Pet).due, and_(*map(iff, lines, of.acts.concluded.enabled)))),
        None,
        (("it is fed", names.of(only(of, Pet).due)),),
    )


@obligation("scan.last-look", "scan.look_back", "diagnosis.off_at_last_look", domain=WHOLE)
def last_look(station: Station) -> Claim:
    """A module that the last look shows enabled or on is not off for the next scan, by any count;
    its line has strayed if it is high and was not left so; nothing else changes."""
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

    same = now._replace(ages=was.ages, lines_off_ms=was.lines_off_ms, strayed=was.strayed)
    return Claim(
        (),
        names.of(and_(*map(of_module, of.modules), equal(same, was))),
        None,
        (("a line strays", names.of(now.strayed[0])),),
    )


@obligation("scan.built", "scan.built", domain="this station's wiring")
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
