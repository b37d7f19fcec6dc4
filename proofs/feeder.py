"""Feeders: no supply has to give more than its limit, in what is decided and in what is offered."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import z3

from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, iff, implies, ints, not_, or_, total
from proofs.guard import any_feeders, shares_w
from proofs.lemmas.any_offer import any_offer, ordered
from proofs.lemmas.scan_claims import ACTS, WHOLE, affordable
from proofs.lemmas.whole_scan import Cut, any_scan, offer_is_ordered
from proofs.obligation import Claim, collected, obligation
from verified_alloc.kernel import feeder, guard, offer
from verified_alloc.kernel.feeder import Feeder, Room
from verified_alloc.station.model import Station

SHAPE = "any modules of this station's number, two feeders with any of them and any limits"
FEEDERS = range(2)


class Case(NamedTuple):
    """Guns that draw from modules on two feeders."""

    feeders: Sequence[Feeder]
    held: list[list[Any]]
    drawn_w: list[Any]
    power_w: list[Any]

    @property
    def shares_w(self) -> list[list[Any]]:
        """By feeder and gun: what the gun draws, or the power of its modules there if that is
        less."""
        return shares_w(self.feeders, self.held, self.drawn_w, self.power_w)

    @property
    def sane(self) -> list[Any]:
        """Powers are above 0, and nobody draws less than nothing."""
        return [*[w > 0 for w in self.power_w], *[w >= 0 for w in self.drawn_w]]


def smaller(a: Any, b: Any) -> Any:
    return z3.If(a < b, a, b)


def case(guns: int, modules: int) -> Case:
    """Everything free."""
    return Case(
        any_feeders(modules),
        bools("held", guns, modules),
        ints("drawn", guns),
        ints("power", modules),
    )


class Turn(NamedTuple):
    """One gun's turn with anything left."""

    feeders: list[Feeder]
    """With what each has left."""
    left_w: Any
    demand_w: Any
    maximum_w: Any
    minimum_w: Any
    usable: list[Any]
    power_w: list[Any]
    row: list[Any]
    given_w: Any


def any_turn(station: Station) -> Turn:
    """The shipped function on any gun's turn."""
    modules = len(station.modules)
    feeders = any_feeders(modules)
    left_w, demand_w, maximum_w, minimum_w = ints("turn", 4)
    usable, power_w = bools("usable", modules), list(station.module_power_w)
    row, given_w = feeder.turn(
        z3_terms,
        feeders,
        [each.limit_w for each in feeders],
        left_w,
        smaller(demand_w, maximum_w),
        minimum_w,
        usable,
        power_w,
        range(modules),
    )
    return Turn(feeders, left_w, demand_w, maximum_w, minimum_w, usable, power_w, row, given_w)


@obligation(
    "feeder.turn",
    "feeder.turn",
    "feeder.fitting",
    "feeder.left",
    "rule.grant",
    "rule.documented",
    domain="modules of these sizes, two feeders with any of them; one gun's turn",
)
def one_turn(station: Station) -> Claim:
    """Whatever those before it left: what the gun takes and is given is what the guard accepts of
    it, within what the site limit and every feeder have left, and leaves no less than nothing."""
    of = any_turn(station)
    verdict = guard.judge(
        z3_terms,
        [of.row],
        [of.given_w],
        [of.demand_w],
        [of.maximum_w],
        of.power_w,
        [of.usable],
        [True],
        of.left_w,
        of.minimum_w,
        of.feeders,
    )
    rooms_w = [each.limit_w for each in of.feeders]
    left_w = feeder.left(z3_terms, of.feeders, rooms_w, of.row, of.given_w, of.power_w)
    return Claim(
        (
            of.demand_w >= 0,
            of.maximum_w >= 0,
            of.left_w >= 0,
            *[room_w >= 0 for room_w in rooms_w],
        ),
        and_(*verdict, *[room_w >= 0 for room_w in left_w]),
        None,
        (
            ("a feeder gives a part", and_(of.given_w == of.feeders[0].limit_w, of.given_w == 1)),
            ("it takes of both", and_(of.row[0], of.row[1], of.given_w > of.power_w[0])),
        ),
    )


@obligation(
    "feeder.rule-accepted",
    "feeder.documented",
    "feeder.turn",
    domain="two guns, three modules of this station's sizes, two feeders with any of them",
)
def rule_accepted(station: Station) -> Claim:
    """The guard accepts what the rule chooses where there are feeders."""
    power_w = list(station.module_power_w[:3])
    feeders = any_feeders(len(power_w))
    demand_w, maximum_w = ints("demand", 2), ints("maximum", 2)
    limit_w, minimum_w = ints("limits", 2)
    usable = bools("usable", 2, len(power_w))
    asked = demand_w, maximum_w, power_w, usable
    choice = feeder.documented(z3_terms, range(2), *asked, limit_w, minimum_w, feeders)
    verdict = guard.judge(z3_terms, *choice, *asked, [True] * 2, limit_w, minimum_w, feeders)
    return Claim(
        (
            *[w >= 0 for w in (*demand_w, *maximum_w, limit_w)],
            *[each.limit_w >= 0 for each in feeders],
        ),
        and_(*verdict),
        None,
        (("two guns on one feeder", and_(*[w > 0 for w in choice.delivered_w])),),
    )


@obligation(
    "feeder.turns-make-an-allocation",
    "feeder.documented",
    "feeder.left",
    domain=SHAPE + "; whatever each turn gives, as feeder.turn has it",
)
def turns_make_an_allocation(station: Station) -> Claim:
    """Turns that leave no less than nothing, one after another, are together within the site limit
    and every feeder."""
    of = case(len(station.guns), len(station.modules))
    left_w: Any = z3.Int("site limit")
    limit_w, rooms_w = left_w, [each.limit_w for each in of.feeders]
    for row, given_w in zip(of.held, of.drawn_w, strict=True):
        left_w = left_w - given_w
        rooms_w = feeder.left(z3_terms, of.feeders, rooms_w, row, given_w, of.power_w)
    return Claim(
        (left_w >= 0, *[room_w >= 0 for room_w in rooms_w]),
        and_(
            guard.within_limit(of.drawn_w, limit_w),
            feeder.within(z3_terms, of.feeders, of.held, of.drawn_w, of.power_w),
        ),
    )


@obligation(
    "feeder.offers-rise-within",
    "offer.raise_",
    "feeder.rooms",
    domain="this station's guns; any offers, any modules on two feeders",
)
def offers_rise_within(station: Station) -> Claim:
    """Raising offers makes no feeder give more than its limit, or than it might have to before;
    and no gun is denied what the site limit and its feeders leave it (S6)."""
    guns = range(len(station.guns))
    before = [any_offer(f"gun {gun + 1}") for gun in guns]
    affordable_w = ints("affordable", len(guns))
    limit_w = z3.Int("limit")
    rooms = [Room(ints(f"share {n + 1}", len(guns)), z3.Int(f"spare {n + 1}")) for n in FEEDERS]
    after = offer.raise_(z3_terms, before, affordable_w, limit_w, rooms)

    def given_w(room: Room, offers: Any) -> Any:
        pairs = zip(offers, room.share_w, strict=True)
        return total(smaller(each.promise_w, share_w) for each, share_w in pairs)

    grown = [given_w(room, after) - given_w(room, before) for room in rooms]
    full = [more_w >= room.spare_w for more_w, room in zip(grown, rooms, strict=True)]
    site_full = total(each.promise_w for each in after) >= limit_w
    return Claim(
        (
            *map(ordered, before),
            *[w >= 0 for w in affordable_w],
            *[w >= 0 for room in rooms for w in room.share_w],
        ),
        and_(
            *[
                or_(more_w <= room.spare_w, more_w <= 0)
                for more_w, room in zip(grown, rooms, strict=True)
            ],
            *[
                or_(
                    told.offer_w >= wanted_w,
                    site_full,
                    *[
                        and_(is_full, room.share_w[gun] > 0)
                        for is_full, room in zip(full, rooms, strict=True)
                    ],
                )
                for gun, (told, wanted_w) in enumerate(zip(after, affordable_w, strict=True))
            ],
        ),
        None,
        (("one feeder is full, one is not", and_(full[0], not_(full[1]), grown[0] > 0)),),
    )


def beside(of: Case, joining: list[list[Any]], may: list[Any]) -> Case:
    """With those of them that may."""
    rows = [
        [or_(has, and_(comes, bit)) for has, comes, bit in zip(*pair, may, strict=True)]
        for pair in zip(of.held, joining, strict=True)
    ]
    return of._replace(held=rows)


def bears(of: Case, after: Case) -> Any:
    """No feeder has to give more than its limit, or than it had to."""
    return and_(
        *[
            or_(total(now_w) <= each.limit_w, total(now_w) <= total(was_w))
            for each, now_w, was_w in zip(of.feeders, after.shares_w, of.shares_w, strict=True)
        ]
    )


@obligation("feeder.admitted", "feeder.admitted", domain=SHAPE)
def admitted(station: Station) -> Claim:
    """One module waits if, and only if, a feeder would have to give more for it than its limit."""
    guns, modules = len(station.guns), len(station.modules)
    of = case(guns, modules)._replace(power_w=list(station.module_power_w))
    joining = [[z3.Bool(f"joins gun {gun}"), *[False] * (modules - 1)] for gun in range(guns)]
    may = feeder.admitted(z3_terms, of.feeders, of.held, joining, of.drawn_w, of.power_w)
    bore = bears(of, beside(of, joining, [True] * modules))
    return Claim(
        tuple(of.sane),
        and_(iff(may[0], bore), *may[1:]),
        None,
        (("it must wait", not_(may[0])),),
    )


@obligation(
    "feeder.one-by-one",
    "feeder.admitted",
    domain="two guns, three modules of any sizes, two feeders with any of them and any limits",
)
def one_by_one(station: Station) -> Claim:
    """What is enabled makes no feeder give more than its limit, or than it might have to before."""
    of, joining = case(2, 3), bools("joining", 2, 3)
    may = feeder.admitted(z3_terms, of.feeders, of.held, joining, of.drawn_w, of.power_w)
    return Claim(
        tuple(of.sane),
        bears(of, beside(of, joining, may)),
        None,
        (("one may and one must wait", and_(may[0], joining[0][0], not_(may[1]))),),
    )


@obligation("feeder.more-is-more", "feeder.given", "feeder.power", domain=SHAPE)
def more_is_more(station: Station) -> Claim:
    """A feeder never has to give more while a gun draws no more of no other modules."""
    modules = len(station.modules)
    less, more = case(1, modules), case(1, modules)
    less = less._replace(held=[bools("fewer", modules)], drawn_w=[z3.Int("drawn less")])
    fewer = list(map(implies, less.held[0], more.held[0]))
    return Claim(
        (*more.sane, *fewer, less.drawn_w[0] <= more.drawn_w[0]),
        feeder.given(z3_terms, less.feeders[0], *less[1:])
        <= feeder.given(z3_terms, more.feeders[0], *more[1:]),
    )


@obligation(
    "feeder.scan",
    *ACTS,
    "feeder.rooms",
    "offer.lower",
    "offer.raise_",
    domain=WHOLE + " with two feeders that have any of its modules and any limits; composed of"
    " feeder.one-by-one and feeder.more-is-more",
)
def whole_scan(station: Station) -> Claim:
    """Through a scan no feeder comes to have to give more than its limit, or than it might have to
    before: of each gun all that it may draw, up to the power of its enabled modules there. What is
    on already only becomes less, what is enabled is what the feeders admit beside it, and then
    offers rise only within what is left (S6)."""
    of = any_scan(station, any_feeders(len(station.modules)))
    was = [module.enabled for module in of.observed.modules]
    may = [
        and_(write.enable, told)
        for write, told in zip(of.acts.set_going.writes, of.told, strict=True)
    ]
    lowered, after = of.acts.switched.offers, of.acts.after.offers
    promise_w, power_w = [each.promise_w for each in lowered], of.built.module_power_w

    on = [
        list(map(and_, row, may))
        for row in zip(*[module.latch for module in of.observed.modules], strict=True)
    ]

    def where(bits: Any) -> list[list[Any]]:
        return [list(map(and_, row, bits)) for row in on]

    admits = feeder.admitted(
        z3_terms,
        of.built.feeders,
        where(was),
        where([not_(bit) for bit in was]),
        promise_w,
        power_w,
    )
    enabled = of.acts.after.enabled
    rooms = feeder.rooms(z3_terms, of.built.feeders, where(enabled), promise_w, power_w)
    names = Cut().name("share", [room.share_w for room in rooms])
    names.name("affordable", affordable(of)[1]).name("lowered", lowered)

    def given_w(offers: Any, room: Room) -> Any:
        pairs = zip(offers, room.share_w, strict=True)
        return total(smaller(each.promise_w, share_w) for each, share_w in pairs)

    rises = [
        or_(given_w(after, room) <= each.limit_w, given_w(after, room) <= given_w(lowered, room))
        for each, room in zip(of.built.feeders, rooms, strict=True)
    ]
    known = [
        *map(ordered, lowered),
        *[w >= 0 for w in affordable(of)[1]],
        *[w >= 0 for room in rooms for w in room.share_w],
    ]
    falls = [
        now.promise_w <= then.promise_w for now, then in zip(lowered, of.memory.offers, strict=True)
    ]
    return Claim(
        (),
        and_(
            names.of(implies(and_(*known), and_(*rises))),
            implies(and_(*map(offer_is_ordered, of.memory.offers)), and_(*falls)),
            *[
                iff(now, and_(can, or_(old, new)))
                for now, can, old, new in zip(enabled, may, was, admits, strict=True)
            ],
        ),
    )


OBLIGATIONS = collected(globals())
