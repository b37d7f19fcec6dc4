"""The finite core: claims that are decided on circuits, so that a certificate can be archived.

Each claim is a function of an algebra with inputs (`proofs.algebras.circuit.Circuit`), and runs the
shipped functions on it. What the numbers stand for:

Rule. Powers are counted in half units, the unit being the greatest common divisor of all module
powers and gun maxima (reference: 40 kW, so a module is 2): n units are 2n, and whatever lies
strictly between n and n + 1 units is 2n + 1. That loses nothing. Powers that a gun has reached, and
its maximum, are whole units; the rule and the claims compare a demand, a grant or a delivered power
of a gun only with whole units, or with another of these of the same gun, of which one is the
smaller of the other and whole units; such comparisons come out alike before and after. The limit
is so high that what it leaves is never below what a gun asks for; so on whichever side of that the
least useful power lies makes no difference (`rule.grant.no-limit`). Demands below 0 and beyond all
modules are there as well. `tests/proofs` compares with whole watts.

Guard. Whole watts, everything free within +-524 kW (modules up to 131 kW): no abstraction.

Switching. Ages and times are not read but compared, and every comparison may come out as it likes
(`Unread`): what is proved holds for all times. What takes arithmetic over time, and the world, is
proved in `proofs.switching` and `proofs.diagnosis`.

Wiring. The station's own contactors.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from proofs.algebras.unary import UnaryCircuit
from proofs.certificates.finite import Finite
from proofs.certificates.switching_claims import OF_SWITCHING
from proofs.lemmas import rule_properties
from proofs.lemmas.rule_inputs import Property, Scene
from proofs.obligation import Claim
from verified_alloc.kernel import guard, wiring
from verified_alloc.station.model import Station

WATTS = 1 << 19
MODULE_WATTS = 1 << 17


def scene(over: Any, station: Station, *, full: bool) -> Scene:
    """Any demands in half units; a full matrix under any outage, or any matrix at all."""
    guns, modules = len(station.guns), len(station.modules)
    unit_w = math.gcd(*station.module_power_w, *station.gun_max_w)

    def halves(power_w: int) -> int:
        return 2 * power_w // unit_w

    beyond = 1 + max(map(halves, station.gun_max_w))
    serves, healthy = [True] * guns, [True] * modules
    if full:
        serves, healthy = over.bits("gun in service", guns), over.bits("module usable", modules)
        usable = [[over.and_(gun, module) for module in healthy] for gun in serves]
    else:
        usable = over.bits("contactor usable", guns, modules)
    sizes = sorted(set(map(halves, station.gun_max_w)))
    maximum = [_one_of(over, sizes, f"size of gun {gun + 1}") for gun in range(guns)]
    return Scene(
        over.numbers("demand of gun", guns, low=-1, high=beyond),
        maximum,
        tuple(map(halves, station.module_power_w)),
        usable,
        2 * guns * beyond,
        over.number("least useful", low=-1, high=beyond),
        serves,
        healthy,
        False,
        (),
    )


def _one_of(over: Any, sizes: Sequence[int], name: str) -> Any:
    """Any of these numbers."""
    chosen: Any = sizes[0]
    for number, size in enumerate(sizes[1:], start=1):
        chosen = over.ite(over.bits(f"{name} is {number}"), size, chosen)
    return chosen


def _of_the_rule(
    name: str, sentence: str, has: Property, *, full: bool = False, demanded: bool = False
) -> Finite:
    def claim(over: Any, station: Station) -> Claim:
        given = scene(over, station, full=full)
        choice = given.choice(over)
        hypotheses = [demand >= 0 for demand in given.demand_w] if demanded else []
        return Claim(
            tuple(hypotheses),
            has(over, given, choice),
            covers=(
                ("a gun is short", choice.delivered_w[0] < given.granted_w(over)[0]),
                ("two guns hold modules", over.and_(*[over.or_(*row) for row in choice.held[:2]])),
            ),
        )

    matrix = "full matrix, any outages" if full else "any matrix"
    return Finite(
        f"rule.{name}",
        sentence,
        ("rule.documented", "rule.take"),
        f"{matrix}; all demands; no binding site limit",
        claim,
        UnaryCircuit,
    )


# Guard, in the design's words.


class Case(NamedTuple):
    """An allocation and all that it is judged by, in `guard.judge`'s words."""

    held: Any
    delivered_w: Any
    demand_w: Any
    gun_max_w: Any
    module_power_w: Any
    usable: Any
    in_service: Any
    site_limit_w: Any
    minimum_power_w: Any


def case(over: Any, station: Station) -> Case:
    """Everything free."""
    guns, modules = len(station.guns), len(station.modules)

    def watts(name: str) -> Any:
        return over.numbers(name, guns, low=-WATTS, high=WATTS - 1)

    return Case(
        over.bits("held", guns, modules),
        watts("delivered"),
        watts("demand"),
        watts("maximum"),
        over.numbers("power", modules, low=1, high=MODULE_WATTS),
        over.bits("usable", guns, modules),
        over.bits("in service", guns),
        over.number("limit", -8 * WATTS, 8 * WATTS - 1),
        over.number("least useful", -WATTS, WATTS - 1),
    )


def on_one_gun(over: Any, of: Case) -> Any:
    """(1) A module is on one gun at most."""
    return over.and_(
        *[
            over.not_(over.and_(a[module], b[module]))
            for module in range(len(of.module_power_w))
            for number, a in enumerate(of.held)
            for b in of.held[:number]
        ]
    )


def every_contactor_usable(over: Any, of: Case) -> Any:
    """(2) Every contactor used exists and is healthy, welds respected."""
    return over.and_(
        *[
            over.or_(over.not_(held), usable)
            for rows in zip(of.held, of.usable, strict=True)
            for held, usable in zip(*rows, strict=True)
        ]
    )


def serving_with_demand(over: Any, of: Case) -> Any:
    """(3) Only guns in service with demand have modules."""
    return over.and_(
        *[
            over.or_(over.not_(held), over.and_(serves, demand > 0))
            for row, serves, demand in zip(of.held, of.in_service, of.demand_w, strict=True)
            for held in row
        ]
    )


def within_means(over: Any, of: Case, gun: int) -> Any:
    """(4) Delivered power is at most min(demand, gun maximum, power of its modules), and without
    its highest-numbered module the gun could not be given it."""
    row, delivered = of.held[gun], of.delivered_w[gun]
    clauses = []
    below_w: Any = 0
    for module, (held, power_w) in enumerate(zip(row, of.module_power_w, strict=True)):
        is_last = over.and_(held, over.not_(over.or_(*row[module + 1 :])))
        clauses.append(over.or_(over.not_(is_last), delivered > below_w))
        below_w = below_w + over.ite(held, power_w, 0)
    return over.and_(
        delivered >= 0,
        delivered <= of.demand_w[gun],
        delivered <= of.gun_max_w[gun],
        delivered <= below_w,
        *clauses,
    )


def useful_or_nothing(over: Any, of: Case, gun: int) -> Any:
    """(6) A gun is delivered nothing, or at least the smaller of the least useful power and all
    that it may have: the least of demand, gun maximum and power of its modules."""
    delivered = of.delivered_w[gun]
    power_w: Any = 0
    for held, module_w in zip(of.held[gun], of.module_power_w, strict=True):
        power_w = power_w + over.ite(held, module_w, 0)
    bounds = (of.demand_w[gun], of.gun_max_w[gun], power_w, of.minimum_power_w)
    return over.implies(
        delivered > 0, over.not_(over.and_(*[delivered < bound for bound in bounds]))
    )


def total_within_limit(over: Any, of: Case) -> Any:
    """(5) The total is within the site limit."""
    total_w: Any = 0
    for delivered in of.delivered_w:
        total_w = total_w + delivered
    return total_w <= of.site_limit_w


CONDITIONS: dict[int, tuple[str, str, Callable[[Any, Case], Any]]] = {
    1: ("one-gun-per-module", "a module on two guns", on_one_gun),
    2: ("usable-contactors", "a contactor used that is not usable", every_contactor_usable),
    3: (
        "serving-with-demand",
        "modules on a gun out of service or without demand",
        serving_with_demand,
    ),
    5: ("total-within-limit", "a total above the limit", total_within_limit),
}
"""By the design's number. The fourth and the sixth are decided gun by gun."""

GUARD_POWERS = "whole watts up to 524 kW, modules up to 131 kW"


def _of_the_guard(number: int) -> Finite:
    name, finds, condition = CONDITIONS[number]

    def claim(over: Any, station: Station) -> Claim:
        of = case(over, station)
        right = guard.judge(over, *of)[number - 1]
        return Claim(
            (),
            over.iff(right, condition(over, of)),
            covers=(("it is wrong", over.not_(right)), ("it is right", right)),
        )

    return Finite(
        f"guard.{name}",
        f"The guard finds {finds}, and nothing else, wrong in condition {number}.",
        ("guard.judge",),
        "the station's shape; " + GUARD_POWERS,
        claim,
    )


def fits(over: Any, of: Case, gun: int) -> Any:
    """The shipped verdict on one gun."""
    powers_w = guard.powers(over, of.held[gun], of.module_power_w)
    figures = of.delivered_w[gun], of.demand_w[gun], of.gun_max_w[gun]
    return guard.fits(over, of.held[gun], *powers_w, *figures)


def useful(over: Any, of: Case, gun: int) -> Any:
    """The shipped verdict on one gun."""
    power_w, _ = guard.powers(over, of.held[gun], of.module_power_w)
    figures = of.delivered_w[gun], of.demand_w[gun], of.gun_max_w[gun]
    return guard.useful(over, power_w, *figures, of.minimum_power_w)


OF_ONE_GUN: dict[int, tuple[str, str, Callable[[Any, Case, int], Any], Any]] = {
    4: (
        "delivered-within-means",
        "power beyond a gun's means, or a module that it does not need",
        fits,
        within_means,
    ),
    6: ("useful-or-nothing", "power of no use to a gun", useful, useful_or_nothing),
}
"""By the design's number: the shipped verdict on one gun, and the design's."""


def _gun_by_gun(number: int) -> tuple[Finite, Finite]:
    name, finds, shipped, condition = OF_ONE_GUN[number]

    def one(over: Any, station: Station) -> Claim:
        of = case(over, station)
        right = shipped(over, of, 0)
        return Claim(
            (),
            over.iff(right, condition(over, of, 0)),
            covers=(("it is wrong", over.not_(right)), ("it is right", right)),
        )

    def every(over: Any, station: Station) -> Claim:
        of = case(over, station)
        each = [shipped(over, of, gun) for gun in range(len(station.guns))]
        return Claim((), over.iff(guard.judge(over, *of)[number - 1], over.and_(*each)))

    return (
        Finite(
            f"guard.{name}",
            f"The guard finds {finds}, and nothing else, wrong in condition {number}.",
            (f"guard.{shipped.__name__}", "guard.powers"),
            "any one gun, the station's number of modules; " + GUARD_POWERS,
            one,
        ),
        Finite(
            f"guard.{name}.all-guns",
            f"Condition {number} holds exactly if it holds for each gun.",
            ("guard.judge",),
            "the station's shape; " + GUARD_POWERS,
            every,
        ),
    )


# Wiring.


def may_not_switch(over: Any, station: Station) -> Claim:
    """Coil by coil, and port by port where writes fail."""
    number = len(station.contactors)
    may = over.bits("module may switch", len(station.modules))
    by_contactor = [may[module - 1] for _, module in station.contactors]
    wanted, verified = over.bits("wanted", number), over.bits("latch", number)
    coils = wiring.next_coils(over, by_contactor, wanted, verified)
    new, old = wiring.words(coils), wiring.words(verified)
    took = over.bits("port took its bits", len(new), 2)
    latched = [
        tuple(
            over.ite(took[expander][bit // 8], new[expander][bit], old[expander][bit])
            for bit in range(16)
        )
        for expander in range(len(new))
    ]
    after = wiring.coils(latched, number)
    return Claim(
        (),
        over.and_(
            *[
                over.and_(
                    over.iff(coil, over.ite(switches, want, latch)),
                    over.or_(over.iff(now, want), over.iff(now, latch)),
                    over.implies(over.not_(switches), over.iff(now, latch)),
                )
                for switches, want, latch, coil, now in zip(
                    by_contactor, wanted, verified, coils, after, strict=True
                )
            ]
        ),
        covers=(("a port did not take them", over.not_(over.iff(after[0], coils[0]))),),
    )


FINITE: tuple[Finite, ...] = (
    _of_the_rule(
        "one-gun-per-module", "A module is on one gun at most.", rule_properties.exclusive
    ),
    _of_the_rule(
        "usable-and-wanted",
        "Only usable contactors close, and only for guns with demand.",
        rule_properties.usable_and_wanted,
    ),
    _of_the_rule(
        "gun-cap",
        "No gun holds more modules than its maximum needs, nor is given more than its maximum.",
        rule_properties.gun_cap,
    ),
    _of_the_rule(
        "higher-demand-first",
        "If a gun is given less than it may have, every gun served after it is given nothing.",
        rule_properties.priority,
        full=True,
    ),
    _of_the_rule(
        "first-choice",
        "If a gun is given less than it may have, every module that it could use is on it or on a"
        " gun served before it.",
        rule_properties.first_choice,
    ),
    _of_the_rule(
        "idle-only-if-met",
        "A module idles only when every gun that could use it is given all it may have.",
        rule_properties.idle_only_if_met,
    ),
    _of_the_rule(
        "up-to-demand",
        "A gun is given the power of its modules, up to what it may have.",
        rule_properties.up_to_demand,
    ),
    _of_the_rule(
        "no-waste", "No gun holds a last module that it does not need.", rule_properties.no_waste
    ),
    _of_the_rule(
        "lowest-number-first",
        "Below every module that a gun holds, each one that it could use is on it or on a gun"
        " served before it.",
        rule_properties.lowest_first,
    ),
    _of_the_rule(
        "guard-accepts",
        "The guard accepts whatever the rule chooses, for demands of 0 or more.",
        rule_properties.accepted,
        demanded=True,
    ),
    *map(_of_the_guard, CONDITIONS),
    *_gun_by_gun(4),
    *_gun_by_gun(6),
    *OF_SWITCHING,
    Finite(
        "wiring.may-not-switch",
        "Whichever writes fail, coils of modules that may not switch keep their verified latch, and"
        " all others are what was wanted or what was latched.",
        ("wiring.next_coils", "wiring.words", "wiring.coils"),
        "the station's own contactors",
        may_not_switch,
    ),
)
