"""Offers (S6): no gun may draw more than its promise, and modules leave it only when those that
stay can bear it."""

from itertools import combinations
from typing import Any, NamedTuple

import z3

from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, count, implies, ints, not_, or_
from proofs.lemmas.any_offer import case, one_scan, ordered, remembered, story
from proofs.lemmas.any_scan import Assumed
from proofs.obligation import Claim, collected, obligation
from proofs.plant import ACKNOWLEDGES, CLOCK, OBEYS
from verified_alloc.kernel import diagnosis, offer
from verified_alloc.kernel.offer import Offer
from verified_alloc.station.model import Station

ANY_OFFERS = "any powers and times; one gun"
ITS_STATION = "this station's guns and modules; any target, any live modules, any offers"


@obligation(
    "offer.draws-within-promise",
    "offer.lower",
    "offer.cut",
    "offer.raise_",
    domain=ANY_OFFERS,
    needs={OBEYS, ACKNOWLEDGES},
)
def draws_within_promise(station: Station, assumed: Assumed) -> Claim:
    """No gun draws more than its promise: the highest offer that it may still rely on (S6)."""
    scan = one_scan(assumed)
    return Claim(
        (*scan.laws, case(scan)),
        and_(
            scan.draws_w <= scan.lowered.promise_w,
            scan.lowered.offer_w <= scan.lowered.promise_w,
            scan.raised.offer_w <= scan.raised.promise_w,
        ),
        story(scan),
        (
            ("the promise falls", scan.lowered.promise_w < scan.before.promise_w),
            ("it draws more than it is offered now", scan.draws_w > scan.lowered.offer_w),
            ("it acknowledges", scan.acknowledged),
        ),
    )


@obligation(
    "offer.promise-is-remembered",
    "offer.lower",
    "offer.cut",
    "offer.raise_",
    domain=ANY_OFFERS,
    needs={CLOCK},
)
def promise_is_remembered(station: Station, assumed: Assumed) -> Claim:
    """The promise covers every offer of the last offer_lead_ms, however late a scan publishes, in
    every scan if in the one before (S6)."""
    scan = one_scan(assumed)
    passed_ms, counted_ms, then_w, then_ms = (
        z3.Int(name) for name in ("passed_ms", "counted_ms", "told then", "ago then")
    )
    laws = [passed_ms >= 0, counted_ms >= 0]
    if CLOCK in assumed:
        laws.append(counted_ms <= passed_ms)
    still = and_(then_w == scan.told_w, then_ms == scan.ago_ms + passed_ms)
    relied_on = implies(scan.acknowledged, scan.told_w <= scan.before.offer_w)
    in_force = or_(
        and_(then_w == scan.before.offer_w, then_ms >= 0, then_ms <= passed_ms),
        and_(then_w == scan.lowered.offer_w, then_ms >= 0, then_ms <= passed_ms),
        and_(then_w == scan.cut.offer_w, then_ms >= 0, then_ms <= passed_ms),
        and_(then_w == scan.raised.offer_w, then_ms == 0),
    )
    return Claim(
        (*scan.laws, case(scan), *laws, or_(and_(still, relied_on), in_force)),
        and_(
            ordered(scan.raised),
            remembered(scan.lead_ms, scan.raised, counted_ms, then_w, then_ms),
        ),
        story(scan),
        (
            ("an old offer counts", and_(still, then_w > scan.raised.pending_w)),
            ("it is lowered and raised", scan.lowered.offer_w < scan.raised.offer_w),
        ),
    )


@obligation("offer.restart-promises-all", "offer.restarted", domain=ANY_OFFERS)
def restart_promises_all(station: Station, assumed: Assumed) -> Claim:
    """After a restart nothing is offered, and whatever was offered before is within the
    promise (S6)."""
    lead_ms, counted_ms, told_w, ago_ms, max_w = (
        z3.Int(name) for name in ("lead_ms", "counted_ms", "told_w", "ago_ms", "gun_max_w")
    )
    anew = offer.restarted(max_w)
    return Claim(
        (lead_ms >= 0, counted_ms >= 0, ago_ms >= 0, told_w >= 0, told_w <= max_w),
        and_(
            anew.offer_w == 0,
            ordered(anew),
            remembered(lead_ms, anew, counted_ms, told_w, ago_ms),
        ),
        None,
        (("it was offered all it may have", told_w == max_w),),
    )


@obligation("offer.falls-at-once", "offer.lower", "offer.cut", "offer.raise_", domain=ANY_OFFERS)
def falls_at_once(station: Station, assumed: Assumed) -> Claim:
    """An offer falls to what is affordable in the scan that finds out, once more if a write could
    not be verified, rises only to what is affordable after the writes, and lowering raises nothing
    (S6)."""
    scan = one_scan(assumed)
    fits = or_(scan.raised.offer_w <= scan.cut.offer_w, scan.raised.offer_w <= scan.later_w)
    return Claim(
        scan.laws,
        and_(
            scan.lowered.offer_w <= scan.affordable_w,
            scan.lowered.offer_w <= scan.before.offer_w,
            scan.lowered.promise_w <= scan.before.promise_w,
            scan.cut.offer_w <= scan.lowered.offer_w,
            implies(scan.unverified, scan.raised.offer_w <= scan.later_w),
            scan.raised.offer_w >= scan.cut.offer_w,
            fits,
        ),
        story(scan),
        (
            ("it falls", scan.lowered.offer_w < scan.before.offer_w),
            ("it is cut", scan.cut.offer_w < scan.lowered.offer_w),
            ("it rises", scan.raised.offer_w > scan.before.offer_w),
        ),
    )


@obligation("offer.gun-maximum", "offer.lower", "offer.cut", "offer.raise_", domain=ANY_OFFERS)
def within_gun_maximum(station: Station, assumed: Assumed) -> Claim:
    """Offer and promise of a gun stay within its maximum (rule 1)."""
    scan = one_scan(assumed)
    max_w = z3.Int("gun_max_w")
    return Claim(
        (
            *scan.laws,
            scan.before.promise_w <= max_w,
            scan.affordable_w <= max_w,
            scan.later_w <= max_w,
        ),
        and_(scan.lowered.promise_w <= max_w, scan.raised.promise_w <= max_w),
        story(scan),
        (("at its maximum", scan.raised.offer_w == max_w),),
    )


class Held(NamedTuple):
    """A station's handover, `[gun][module]`."""

    live: list[list[Any]]
    target: list[list[Any]]
    promise_w: list[Any]
    power_w: list[int]
    out: list[list[Any]]
    given: tuple[Any, ...]


def on_one_gun(held: list[list[Any]]) -> list[Any]:
    """A module is on one gun at most, pair by pair."""
    return [
        not_(and_(*pair)) for column in zip(*held, strict=True) for pair in combinations(column, 2)
    ]


def any_handover(station: Station) -> Held:
    """Any live modules, any target; a module is on one gun at most in each."""
    guns, modules = range(1, len(station.guns) + 1), len(station.modules)
    live = [bools(f"live on gun {gun}: module", modules) for gun in guns]
    target = [bools(f"target of gun {gun}: module", modules) for gun in guns]
    promise_w = ints("promise_w", len(station.guns))
    power_w = list(station.module_power_w)
    exclusive = (*on_one_gun(live), *on_one_gun(target))
    out = offer.hold(z3_terms, live, target, promise_w, power_w)
    return Held(live, target, promise_w, power_w, out, exclusive)


def leaving(held: Held, gun: int) -> Any:
    """A live module is taken from this gun."""
    return or_(
        *[
            and_(feeds, not_(stays))
            for feeds, stays in zip(held.live[gun], held.out[gun], strict=True)
        ]
    )


def target_w(held: Held, gun: int) -> Any:
    """The power of the live modules that the target leaves to this gun."""
    stay = offer.staying(z3_terms, held.live[gun], held.target[gun])
    return offer.power(z3_terms, stay, held.power_w)


def stays_in_target(held: Held, gun: int) -> list[Any]:
    """Of this gun's live modules, just those stay that are in its target."""
    return [
        implies(live, z3_terms.iff(out, target))
        for out, live, target in zip(held.out[gun], held.live[gun], held.target[gun], strict=True)
    ]


def keeps_or_follows(held: Held, gun: int) -> Any:
    """The gun keeps its live modules and gets no others; or its promise is borne, or nothing feeds
    it, it gets nothing but its target, and of its live modules just those stay that are in it."""
    return or_(
        and_(*map(z3_terms.iff, held.out[gun], held.live[gun])),
        and_(
            or_(held.promise_w[gun] <= target_w(held, gun), not_(or_(*held.live[gun]))),
            *map(implies, held.out[gun], held.target[gun]),
            *stays_in_target(held, gun),
        ),
    )


@obligation(
    "offer.planned-removal",
    "offer.lower",
    "offer.power",
    "offer.staying",
    domain=ITS_STATION,
    assumes={OBEYS, ACKNOWLEDGES},
)
def planned_removal(station: Station, assumed: Assumed) -> Claim:
    """A module leaves a gun as planned only when the gun draws no more than its staying live
    modules give (S6)."""
    held = any_handover(station)
    numbers = range(1, len(station.guns) + 1)
    held = held._replace(out=[bools(f"out, gun {gun}", len(station.modules)) for gun in numbers])
    scan = one_scan(assumed)
    guns = range(len(station.guns))
    return Claim(
        (
            *held.given,
            *[keeps_or_follows(held, gun) for gun in guns],
            *scan.laws,
            case(scan),
        ),
        and_(
            *[
                implies(
                    and_(held.promise_w[gun] == scan.lowered.promise_w, leaving(held, gun)),
                    and_(scan.draws_w <= target_w(held, gun), *stays_in_target(held, gun)),
                )
                for gun in guns
            ]
        ),
        story(scan),
        (
            ("modules leave while it draws", and_(leaving(held, 0), scan.draws_w > 0)),
            ("modules are kept", and_(held.live[0][0], not_(held.target[0][0]), held.out[0][0])),
        ),
    )


@obligation("offer.hold", "offer.hold", "offer.staying", "offer.power", domain=ITS_STATION)
def hold_is_safe(station: Station, assumed: Assumed) -> Claim:
    """What may be switched to leaves a gun exactly its live modules; or, if those that its target
    keeps bear its promise, or it has none, just these, and nothing beside that is not its
    target's."""
    held = any_handover(station)
    guns = range(len(station.guns))
    return Claim(
        held.given,
        and_(*[keeps_or_follows(held, gun) for gun in guns]),
        None,
        tuple(
            (f"gun 1 hands over to gun {gun + 1}", and_(held.live[0][0], held.out[gun][0]))
            for gun in guns[1:2]
        ),
    )


@obligation("offer.hold-is-exclusive", "offer.hold", domain=ITS_STATION)
def hold_is_exclusive(station: Station, assumed: Assumed) -> Claim:
    """What may be switched to has a module on one gun at most."""
    held = any_handover(station)
    return Claim(
        held.given,
        and_(*on_one_gun(held.out)),
        None,
        (("a module is kept and wanted", and_(held.out[0][0], held.target[1][0])),),
    )


@obligation("offer.hold-lets-go", "offer.hold", domain=ITS_STATION)
def hold_lets_go(station: Station, assumed: Assumed) -> Claim:
    """Where every gun's staying modules bear its promise, the target is switched to as it is."""
    held = any_handover(station)
    bears = [held.promise_w[gun] <= target_w(held, gun) for gun in range(len(station.guns))]
    same = [
        z3_terms.iff(out, target)
        for out_row, target_row in zip(held.out, held.target, strict=True)
        for out, target in zip(out_row, target_row, strict=True)
    ]
    return Claim((*held.given, *bears), and_(*same), None, (("modules leave", leaving(held, 0)),))


def enabled_then(on: Any, write: Any, did: Any, all_fell: Any) -> Any:
    """A module's enable once the scan's writes have been done or not: enables fall before any
    rises."""
    return or_(and_(on, or_(write, and_(not_(all_fell), not_(did)))), and_(all_fell, write, did))


@obligation("offer.module-cap", "offer.hold", domain=ITS_STATION)
def module_cap(station: Station, assumed: Assumed) -> Claim:
    """No gun ever has more modules enabled than its cap, through handovers and a crash at any
    write."""
    held = any_handover(station)
    modules = len(station.modules)
    enabled = bools("enabled on gun 1: module", modules)
    written = bools("enable written: module", modules)
    done = bools("its write is done: module", modules)
    all_fell = z3.Bool("every enable that falls has fallen")
    cap = z3.Int("cap")
    after = [enabled_then(*bits, all_fell) for bits in zip(enabled, written, done, strict=True)]
    return Claim(
        (
            *held.given,
            *map(implies, held.live[0], enabled),
            *map(implies, written, held.out[0]),
            count(enabled) <= cap,
            count(held.target[0]) <= cap,
        ),
        count(after) <= cap,
        None,
        (
            ("modules come", and_(not_(enabled[0]), after[0])),
            ("a crash leaves some on", and_(enabled[0], not_(written[0]), after[0])),
        ),
    )


@obligation(
    "offer.module-cap.any-station",
    "offer.hold",
    "offer.staying",
    "offer.power",
    domain="any number of modules, any powers; this station's number of guns",
)
def module_cap_of_any_station(station: Station, assumed: Assumed) -> Claim:
    """No gun ever has more modules enabled than its cap, through handovers and a crash at any
    write, however many modules there are."""
    guns = range(len(station.guns))
    live, target = bools("live", len(guns)), bools("target", len(guns))
    power_w, rest_w = z3.Int("power_w"), ints("staying beside it", len(guns))
    promise_w = ints("promise_w", len(guns))
    own = [[gun == other for other in guns] for gun in guns]
    rows = [[live[gun], *own[gun]] for gun in guns], [[target[gun], *own[gun]] for gun in guns]
    powers: Any = [power_w, *rest_w]
    out = offer.hold(z3_terms, *rows, promise_w, powers)
    stays = offer.staying(z3_terms, rows[0][0], rows[1][0])
    bears = promise_w[0] <= offer.power(z3_terms, stays, powers)
    on, write, did = z3.Bool("enabled"), z3.Bool("enable written"), z3.Bool("its write is done")
    all_fell = z3.Bool("every enable that falls has fallen")
    then = enabled_then(on, write, did, all_fell)
    given = and_(
        *on_one_gun([[bit] for bit in live]),
        *on_one_gun([[bit] for bit in target]),
        implies(live[0], on),
        implies(write, out[0][0]),
    )
    before, wanted, after, cap = ints("so far", 4)
    grows = and_(all_fell, bears)

    def fits(enabled: Any, wanted: Any, after: Any) -> Any:
        return z3_terms.ite(grows, after <= wanted, after <= enabled)

    return Claim(
        (),
        and_(
            implies(given, implies(then, z3_terms.ite(grows, target[0], on))),
            implies(
                and_(
                    fits(before, wanted, after),
                    implies(then, z3_terms.ite(grows, target[0], on)),
                ),
                fits(before + count([on]), wanted + count([target[0]]), after + count([then])),
            ),
            implies(and_(fits(before, wanted, after), before <= cap, wanted <= cap), after <= cap),
        ),
        None,
        (
            ("it comes", and_(given, not_(on), then)),
            ("a crash leaves it on", and_(given, on, not_(write), then)),
            ("it is kept", and_(given, not_(bears), then, not_(target[0]))),
        ),
    )


@obligation("offer.handover-ends", "offer.lower", "offer.cut", "offer.raise_", domain=ANY_OFFERS)
def handover_ends(station: Station, assumed: Assumed) -> Claim:
    """Once no more is affordable to a gun, its promise has fallen to that after two lead times and
    two scans, whatever else happens."""
    scan = one_scan(assumed)
    since_ms, longest_ms, limit_w = z3.Int("since_ms"), z3.Int("longest_ms"), z3.Int("limit_w")
    first = z3.Bool("first scan")

    def under_way(told: Offer, so_far_ms: Any) -> Any:
        """How far the promise has come."""
        begun = told.waited_ms > diagnosis.NOT_SO
        old_wait = and_(begun, told.waited_ms < scan.lead_ms, so_far_ms <= told.waited_ms)
        new_wait = and_(
            told.pending_w <= limit_w,
            implies(not_(begun), so_far_ms <= scan.lead_ms + longest_ms),
            implies(
                begun,
                and_(
                    told.waited_ms < scan.lead_ms,
                    so_far_ms <= scan.lead_ms + 2 * longest_ms + told.waited_ms,
                ),
            ),
        )
        return and_(told.offer_w <= limit_w, or_(told.promise_w <= limit_w, old_wait, new_wait))

    now_ms = z3_terms.ite(first, 0, since_ms + scan.elapsed_ms)
    return Claim(
        (
            *scan.laws,
            scan.lead_ms > 0,
            limit_w >= 0,
            since_ms >= 0,
            scan.elapsed_ms <= longest_ms,
            scan.affordable_w <= limit_w,
            scan.later_w <= limit_w,
            or_(first, under_way(scan.before, since_ms)),
        ),
        and_(
            under_way(scan.raised, now_ms),
            implies(now_ms >= 2 * (scan.lead_ms + longest_ms), scan.raised.promise_w <= limit_w),
        ),
        story(scan),
        (
            ("it takes its time", and_(now_ms > scan.lead_ms, scan.raised.promise_w > limit_w)),
            ("it is over", and_(now_ms > 0, scan.raised.promise_w <= limit_w)),
        ),
    )


@obligation(
    "offer.follows-from-rest", "offer.lower", "offer.cut", "offer.raise_", domain=ANY_OFFERS
)
def follows_at_once(station: Station, assumed: Assumed) -> Claim:
    """A gun whose promise is what it is offered has followed a lower offer after one lead time,
    counted from the scan after it was told."""
    scan = one_scan(assumed)
    since_ms, limit_w = z3.Int("since_ms"), z3.Int("limit_w")
    first = z3.Bool("first scan")

    def under_way(told: Offer, so_far_ms: Any) -> Any:
        """The wait began in the first scan, and is counted from the second."""
        counted_ms = z3_terms.ite(told.waited_ms > diagnosis.NOT_SO, told.waited_ms, 0)
        begun = and_(told.pending_w <= limit_w, so_far_ms <= counted_ms)
        return or_(told.promise_w <= limit_w, begun)

    now_ms = z3_terms.ite(
        or_(first, scan.before.waited_ms <= diagnosis.NOT_SO), 0, since_ms + scan.elapsed_ms
    )
    return Claim(
        (
            *scan.laws,
            scan.lead_ms > 0,
            limit_w >= 0,
            since_ms >= 0,
            scan.affordable_w <= limit_w,
            scan.later_w <= limit_w,
            z3_terms.ite(
                first,
                scan.before.pending_w == scan.before.promise_w,
                under_way(scan.before, since_ms),
            ),
        ),
        and_(
            under_way(scan.raised, now_ms),
            implies(and_(not_(first), now_ms >= scan.lead_ms), scan.raised.promise_w <= limit_w),
        ),
        story(scan),
        (("it is promised more", and_(not_(first), scan.raised.promise_w > limit_w)),),
    )


OBLIGATIONS = collected(globals())
