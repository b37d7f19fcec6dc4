"""The guard accepts exactly the allocations that the design's seven conditions describe.

The conditions are stated here once more, pair by pair and sum by sum, without the guard's folds,
and compared both ways, for free allocations, demands, maxima, limits and module powers.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations, product
from typing import Any, NamedTuple

import z3

from proofs.algebras import z3_terms
from proofs.lemmas.rule_inputs import columns, in_model, kw, numbers
from proofs.obligation import PROVED, REFUTED, Claim, Obligation
from verified_alloc.kernel import guard, ops, rule
from verified_alloc.kernel.feeder import Feeder
from verified_alloc.station.model import Station

BUDGET = 40_000_000
SHAPES = "every shape up to the station's, any module powers above 0"


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
    feeders: Sequence[Feeder] = ()


def case(guns: int, modules: int) -> Case:
    """Everything free."""
    return Case(
        z3_terms.bools("held", guns, modules),
        z3_terms.ints("delivered", guns),
        z3_terms.ints("demand", guns),
        z3_terms.ints("maximum", guns),
        z3_terms.ints("power", modules),
        z3_terms.bools("usable", guns, modules),
        z3_terms.bools("gun", guns),
        z3_terms.ints("limit"),
        z3_terms.ints("least useful"),
        any_feeders(modules),
    )


def any_feeders(modules: int) -> list[Feeder]:
    """Two with any modules on each, a module perhaps on both, and any limits."""
    return [
        Feeder(
            z3_terms.bools(f"feeder {n} has module", modules), z3_terms.ints(f"feeder {n} limit")
        )
        for n in (1, 2)
    ]


def positive(of: Case) -> tuple[Any, ...]:
    """Modules have some power."""
    return tuple(power > 0 for power in of.module_power_w)


# The design's words.


def on_one_gun(of: Case) -> Any:
    """(1) A module is on one gun at most."""
    guns = range(len(of.held))
    return z3.And(
        *[
            z3.Not(z3.And(of.held[a][module], of.held[b][module]))
            for module in range(len(of.module_power_w))
            for a in guns
            for b in guns
            if a < b
        ]
    )


def every_contactor_usable(of: Case) -> Any:
    """(2) Every contactor used exists and is healthy, welds respected."""
    return z3.And(
        *[
            z3.Implies(held, usable)
            for rows in zip(of.held, of.usable, strict=True)
            for held, usable in zip(*rows, strict=True)
        ]
    )


def serving_with_demand(of: Case) -> Any:
    """(3) Only guns in service with demand have modules."""
    return z3.And(
        *[
            z3.Implies(held, z3.And(serves, demand > 0))
            for row, serves, demand in zip(of.held, of.in_service, of.demand_w, strict=True)
            for held in row
        ]
    )


def delivered_within_means(of: Case) -> Any:
    """(4) Delivered power is at most min(demand, gun maximum, power of its modules), and without
    its highest-numbered module the gun could not be given it."""
    clauses = []
    for row, delivered, demand, maximum in zip(
        of.held, of.delivered_w, of.demand_w, of.gun_max_w, strict=True
    ):
        powers = [z3.If(held, power, 0) for held, power in zip(row, of.module_power_w, strict=True)]
        clauses += [delivered >= 0, delivered <= demand, delivered <= maximum]
        clauses.append(delivered <= z3_terms.total(powers))
        for module, held in enumerate(row):
            highest = z3.And(held, *[z3.Not(higher) for higher in row[module + 1 :]])
            clauses.append(
                z3.Implies(highest, z3.Not(delivered <= z3_terms.total(powers[:module])))
            )
    return z3.And(*clauses)


def total_within_limit(of: Case) -> Any:
    """(5) The total is within the site limit."""
    return z3_terms.total(of.delivered_w) <= of.site_limit_w


def useful_or_nothing(of: Case) -> Any:
    """(6) A gun is delivered nothing, or at least the smaller of the least useful power and all
    that it may have: the least of demand, gun maximum and power of its modules."""
    clauses = []
    for row, delivered, *may_have in zip(
        of.held, of.delivered_w, of.demand_w, of.gun_max_w, strict=True
    ):
        powers = [z3.If(held, power, 0) for held, power in zip(row, of.module_power_w, strict=True)]
        bounds = [*may_have, z3_terms.total(powers), of.minimum_power_w]
        clauses.append(
            z3.Implies(delivered > 0, z3.Not(z3.And(*[delivered < bound for bound in bounds])))
        )
    return z3.And(*clauses)


def within_every_feeder(of: Case) -> Any:
    """(7) For each feeder the sum over all guns, of what the gun is delivered or the power of its
    modules there if that is less, is within its limit."""
    return z3.And(
        *[
            z3_terms.total(shares_w) <= each.limit_w
            for each, shares_w in zip(
                of.feeders,
                shares_w(of.feeders, of.held, of.delivered_w, of.module_power_w),
                strict=True,
            )
        ]
    )


def shares_w(
    feeders: Sequence[Feeder], held: Any, drawn_w: Sequence[Any], power_w: Sequence[Any]
) -> list[list[Any]]:
    """By feeder and gun: what the gun draws, or the power of its modules there if that is less."""
    shares = []
    for each in feeders:
        there_w = [
            z3_terms.total(
                z3.If(z3.And(*bits), watts, 0)
                for *bits, watts in zip(each.modules, row, power_w, strict=True)
            )
            for row in held
        ]
        shares.append(
            [z3.If(gun_w < w, gun_w, w) for gun_w, w in zip(drawn_w, there_w, strict=True)]
        )
    return shares


CONDITIONS = (
    on_one_gun,
    every_contactor_usable,
    serving_with_demand,
    delivered_within_means,
    total_within_limit,
    useful_or_nothing,
    within_every_feeder,
)


def _shapes(station: Station) -> Iterator[tuple[int, int]]:
    """The station's own shape, and up to the reference's size all smaller ones."""
    guns, modules = len(station.guns), len(station.modules)
    yield guns, modules
    for shape in product(range(1, min(guns, 6) + 1), range(1, min(modules, 9) + 1)):
        if shape != (guns, modules):
            yield shape


def condition(number: int) -> Any:
    """The claim that one field of the verdict is one condition, for every shape."""

    def claim(station: Station) -> Claim:
        cases = [case(*shape) for shape in _shapes(station)]
        same = [_term(guard.judge(z3_terms, *of)[number]) == CONDITIONS[number](of) for of in cases]

        def show(model: Any) -> str:
            wrong = next(
                of
                for of, both in zip(cases, same, strict=True)
                if z3.is_false(model.eval(both, True))
            )
            return _shown(wrong, model)

        return Claim(positive(case(1, len(station.modules))), z3.And(*same), show)

    return claim


def _shown(of: Case, model: Any) -> str:
    """An allocation, and the guard's conditions against the design's."""
    plain = Case(*in_model(of, model))
    plain = plain._replace(feeders=[Feeder(*each) for each in plain.feeders])
    designed = [z3.is_true(model.eval(holds(of), model_completion=True)) for holds in CONDITIONS]
    verdict = guard.judge(ops, *plain)
    differ = [
        f"{field}: the guard says {says}, the design {means}"
        for field, says, means in zip(verdict._fields, verdict, designed, strict=True)
        if says != means
    ]
    return (
        f"{table(plain)}\nmodules of {', '.join(map(kw, plain.module_power_w))} kW; site limit"
        f" {kw(plain.site_limit_w)} kW, least useful {kw(plain.minimum_power_w)} kW\n"
        f"Replayed on the shipped guard: {'; '.join(differ) or 'they agree'}"
    )


def _term(value: Any) -> Any:
    return z3.BoolVal(value) if isinstance(value, bool) else value


def both_ways(station: Station) -> Claim:
    """All fields together, on the station's own shape, each named by its proved meaning."""
    of = case(len(station.guns), len(station.modules))
    verdict = guard.judge(z3_terms, *of)
    # It accepts where all fields are true.
    same = [_term(bit) == holds(of) for bit, holds in zip(verdict, CONDITIONS, strict=True)]

    return Claim(
        positive(of),
        z3.And(*same),
        lambda model: _shown(of, model),
        (
            ("it accepts an allocation on two guns", _accepted_on_two_guns(of, verdict)),
            *[
                (
                    f"an allocation breaks condition {number + 1} alone",
                    z3.And(*[z3.Not(bit) if n == number else bit for n, bit in enumerate(verdict)]),
                )
                for number in range(len(verdict))
            ],
        ),
    )


def _accepted_on_two_guns(of: Case, verdict: Any) -> Any:
    return z3.And(*verdict, z3.Or(*of.held[0]), z3.Or(*of.held[-1]))


def table(of: Case) -> str:
    """An allocation, a line for each gun."""
    rows: list[tuple[str, ...]] = [
        ("gun", "demand kW", "maximum", "given kW", "modules", "cannot use", "in service")
    ]
    for gun, (row, usable, serves) in enumerate(
        zip(of.held, of.usable, of.in_service, strict=True), start=1
    ):
        cannot = numbers([not bit for bit in usable])
        figures = [kw(x[gun - 1]) for x in (of.demand_w, of.gun_max_w, of.delivered_w)]
        rows.append((str(gun), *figures, numbers(row), cannot, "yes" if serves else "no"))
    return columns(rows)


def at_most_one(station: Station) -> Claim:
    """Against counting, for every number of bits."""
    most = max(len(station.guns), len(station.modules))
    same = []
    for size in range(most + 1):
        bits = z3_terms.bools("bit", size) if size else []
        same.append(
            _term(guard.at_most_one(z3_terms, bits))
            == z3.And(z3.BoolVal(True), *_pairs_exclude(bits))
        )
    return Claim((), z3.And(*same))


def _pairs_exclude(bits: Sequence[Any]) -> list[Any]:
    return [z3.Not(z3.And(a, b)) for n, a in enumerate(bits) for b in bits[:n]]


def sorted_order(station: Station) -> Claim:
    """For every order of the guns: accepted exactly when each gun stands before all that it beats.
    Lists that are not an order of the guns are never accepted."""
    guns = len(station.guns)
    rank = z3_terms.ints("rank", guns)

    def beats(a: int, b: int) -> Any:
        return z3.Or(rank[a] > rank[b], rank[a] == rank[b]) if a < b else rank[a] > rank[b]

    orders = list(permutations(range(guns))) if guns <= 6 else [tuple(range(guns))]
    first = orders[0]
    # The ranks may be any, so that an order differs from another only in which ties it allows:
    # each stretch of neighbours is proved, and that `beats` carries over them.
    same = [
        _term(guard.sorted_order(z3_terms, order, rank))
        == z3.And(*[beats(a, b) for a, b in pairwise(order)])
        for order in orders
    ]
    carries = [
        z3.Implies(z3.And(beats(a, b), beats(b, c)), beats(a, c))
        for a in first
        for b in first
        for c in first
        if len({a, b, c}) == 3
    ]
    total = [beats(a, b) != beats(b, a) for a in first for b in first if a < b]
    never = [
        guard.sorted_order(z3_terms, listed, rank) is False
        for listed in [
            *[(*first[:place], other, *first[place + 1 :]) for place in first for other in first],
            first[:-1],
            (*first, 0),
        ]
        if sorted(listed) != list(first)
    ]
    return Claim((), z3.And(*same, *carries, *total, all(never)))


def bridge_is_refused(station: Station) -> Claim:
    """Whatever else is said: a second gun on one module is refused."""
    of = case(len(station.guns), len(station.modules))
    accepted = guard.judge(z3_terms, *of)
    guns = range(len(of.held))
    bridged = z3.Or(
        *[
            z3.And(of.held[a][m], of.held[b][m])
            for m in range(len(of.module_power_w))
            for a in guns
            for b in guns
            if a < b
        ]
    )
    return Claim((bridged,), z3.Not(z3.And(*accepted)))


def other_look_on_unequal_modules(station: Station) -> Claim:
    """Outside its domain: a gun that looks at modules in another order than by number may end with
    a module that, by number, it could do without."""
    half_w = station.module_power_w[0] // 2
    powers = (station.module_power_w[0], half_w)
    demand = z3_terms.ints("demand")
    choice = rule.documented(
        z3_terms, [0], [demand], [sum(powers)], powers, [[True, True]], sum(powers), 0, [[1, 0]]
    )
    verdict = guard.judge(
        z3_terms, *choice, [demand], [sum(powers)], powers, [[True, True]], [True], sum(powers), 0
    )

    def show(model: Any) -> str:
        plain = in_model(demand, model)
        choice = rule.documented(
            ops, [0], [plain], [sum(powers)], powers, [[True, True]], sum(powers), 0, [[1, 0]]
        )
        of = Case(*choice, [plain], [sum(powers)], powers, [[True, True]], [True], sum(powers), 0)
        return (
            f"PM1 {kw(powers[0])} kW, PM2 {kw(powers[1])} kW; the gun looks at PM2 first\n"
            f"{table(of)}\nReplayed, the guard says {guard.judge(ops, *of)}"
        )

    return Claim((demand >= 0,), z3.And(*map(_term, verdict)), show)


def other_look_on_equal_modules(station: Station) -> Claim:
    """One turn (`rule.turn-by-turn`), from any modules free and any limit left, in three
    orders: downwards, from the middle on, every other one first. (In any order:
    `rule.any-station`.)"""
    power_w = station.module_power_w
    modules = list(range(len(power_w)))
    demand, maximum, left, minimum = z3_terms.ints("watts", 4)
    free = z3_terms.bools("free", len(modules))
    accepted = []
    half = len(modules) // 2
    for order in (
        modules[::-1],
        [*modules[half:], *modules[:half]],
        [*modules[1::2], *modules[::2]],
    ):
        choice = rule.documented(
            z3_terms, [0], [demand], [maximum], power_w, [free], left, minimum, [order]
        )
        of = Case(*choice, [demand], [maximum], power_w, [free], [True], left, minimum)
        accepted.append(z3.And(*map(_term, guard.judge(z3_terms, *of))))
    return Claim((demand >= 0, maximum >= 0, left >= 0), z3.And(*accepted))


def _guard(
    name: str,
    sentence: str,
    claim: Any,
    proves: tuple[str, ...],
    domain: str = SHAPES,
    *,
    expected: str = PROVED,
    applies: Any = lambda station: True,
) -> Obligation:
    return Obligation(
        f"guard.{name}", sentence, proves, domain, (), expected, BUDGET, claim, applies
    )


OBLIGATIONS: tuple[Obligation, ...] = (
    _guard(
        "at-most-one",
        "`at_most_one` says that no two bits are set.",
        at_most_one,
        ("guard.at_most_one",),
        "any bits, up to the station's guns or modules",
    ),
    _guard(
        "one-gun-per-module",
        "It finds a module on two guns, and nothing else, not exclusive.",
        condition(0),
        ("guard.exclusive", "guard.judge"),
    ),
    _guard(
        "usable-contactors",
        "It finds a contactor used that is not usable, and nothing else, not usable.",
        condition(1),
        ("guard.only_usable", "guard.judge"),
    ),
    _guard(
        "serving-with-demand",
        "It finds modules on a gun out of service or without demand, and nothing else, not wanted.",
        condition(2),
        ("guard.only_wanted", "guard.judge"),
    ),
    _guard(
        "delivered-within-means",
        "It finds the delivered power fitting exactly if it is at most demand, maximum and power of"
        " the modules, and impossible without the highest-numbered one.",
        condition(3),
        ("guard.fits", "guard.powers", "guard.judge"),
    ),
    _guard(
        "total-within-limit",
        "It finds the total within the limit exactly if the sum is at most the limit.",
        condition(4),
        ("guard.within_limit", "guard.judge"),
    ),
    _guard(
        "useful-or-nothing",
        "It finds the delivered power useful exactly if each gun is delivered nothing, or at least"
        " the smaller of the least useful power and min(demand, maximum, power of its modules).",
        condition(5),
        ("guard.useful", "guard.powers", "guard.judge"),
    ),
    _guard(
        "within-feeders",
        "It finds the feeders bear it exactly if for each the sum over all guns, of what each is"
        " delivered or the power of its modules there if that is less, is within its limit.",
        condition(6),
        ("feeder.within", "feeder.given", "feeder.power", "guard.judge"),
        SHAPES + ", two feeders with any of them",
    ),
    _guard(
        "exactly-the-seven-conditions",
        "It accepts an allocation exactly if the design's seven conditions hold.",
        both_ways,
        ("guard.judge",),
        "the station's shape, any module powers above 0",
    ),
    _guard(
        "bridge-is-refused",
        "No allocation that joins two guns by a module is accepted, whatever its other figures.",
        bridge_is_refused,
        ("guard.judge", "guard.exclusive"),
        "the station's shape",
    ),
    _guard(
        "sorted-order",
        "It takes an order as sorted exactly if every gun stands once, before all guns of lower"
        " rank and all of the same rank and a higher number.",
        sorted_order,
        ("guard.sorted_order",),
        "all orders up to 6 guns; beyond that the identity",
    ),
    _guard(
        "other-look.equal",
        "It accepts the rule's choice also where guns look at modules in another order (dwell).",
        other_look_on_equal_modules,
        ("guard.judge", "rule.documented"),
        "any matrix and site limit; equal modules; three orders",
        applies=lambda station: len(set(station.module_power_w)) == 1,
    ),
    _guard(
        "other-look.unequal",
        "It accepts the rule's choice also where a gun looks at unequal modules in another order."
        " (It fails: by number the gun could do without one, though not in the order it looked.)",
        other_look_on_unequal_modules,
        ("guard.judge", "rule.documented"),
        "outside its domain: unequal modules, another order of looking",
        expected=REFUTED,
    ),
)
