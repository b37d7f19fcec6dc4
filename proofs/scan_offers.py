"""One scan of the whole station, continued: what guns are offered (S6). See `proofs.scan`."""

from typing import Any

from proofs.algebras.z3_terms import and_, implies, not_, or_, total
from proofs.lemmas.scan_claims import (
    ACTS,
    WHOLE,
    affordable,
    of_each_gun,
    promise_w,
    published,
    still_w,
)
from proofs.lemmas.whole_scan import (
    Cut,
    WholeScan,
    any_scan,
    course,
    equal,
    invariant_of_station,
    offer_is_ordered,
    sane,
)
from proofs.obligation import Claim, collected, obligation
from verified_alloc.station.model import Station


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
    "scan.offers-stay-ordered", *ACTS, "offer.lower", "offer.cut", "offer.raise_", domain=WHOLE
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
    are, and as long as they are not, none rises; no gun is denied what is left, by it or by a
    feeder (`feeder.offers-rise-within`) (S6)."""
    of = any_scan(station)
    first_w, then_w = affordable(of)
    names = Cut().name("affordable", [first_w, then_w])
    has_feeders = bool(of.built.feeders)
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
                        or_(told.offer_w >= power_w, promised(after) >= limit_w, has_feeders)
                        for told, power_w in zip(after, then_w, strict=True)
                    ],
                ),
            )
        ),
        None,
        (("the limit binds", names.of(and_(given, total(published(of)[-1].offer_w) == limit_w))),),
    )


OBLIGATIONS = collected(globals())
