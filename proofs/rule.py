"""The documented rule: what it guarantees on this station, and where it does not."""

import functools
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import z3

from proofs.algebras import free_terms, z3_terms
from proofs.lemmas import consequences, loop_invariants, one_gun, rule_properties
from proofs.lemmas.rule_inputs import (
    Property,
    Scene,
    about_the_rule,
    any_choice,
    any_matrix,
    equal,
    full_matrix,
    in_model,
    judged,
    limited,
    on_the_reference,
    round_demands,
    table,
)
from proofs.obligation import PROVED, REFUTED, Claim, Obligation
from verified_alloc.kernel import guard, invariants, ops, rule
from verified_alloc.station.model import Station

BUDGET = 60_000_000
ANY = "any station of this size: every matrix, every fault, modules and guns of these sizes"
FULL = "full matrix, any modules and guns out of order; modules and guns of these sizes"
EQUAL = FULL + "; equal modules"


def equal_modules(station: Station) -> bool:
    """All modules have one power."""
    return equal(station.module_power_w)


def better_allocation(build: Any, readable: Any = lambda scene: ()) -> Any:
    """Expected to fail: no other allocation that the guard accepts gives lexicographically more."""

    def claim(station: Station) -> Claim:
        scene = build(station)
        choice, other = scene.choice(z3_terms), any_choice(station)
        accepted_too = z3_terms.and_(*judged(z3_terms, scene, other))

        def show(model: Any) -> str:
            plain, alternative = in_model(scene, model), rule.Choice(*in_model(other, model))
            ours = plain.choice(ops)
            real = (
                all(judged(ops, plain, alternative)) and alternative.delivered_w > ours.delivered_w
            )
            return (
                f"{table(plain, ours)}\nBetter, and the guard accepts it:\n"
                f"{table(plain, alternative)}\nReplayed on the shipped functions: {real}"
            )

        return Claim(
            (
                *scene.hypotheses,
                *readable(scene),
                rule_properties.up_to_demand(z3_terms, scene, other),
            ),
            z3_terms.not_(
                z3_terms.and_(
                    accepted_too,
                    z3_terms.or_(*consequences.better(other.delivered_w, choice.delivered_w)),
                )
            ),
            show,
        )

    return claim


# Need, order, scenarios.


def need_is_the_ceiling(station: Station) -> Claim:
    """Against division; with unequal modules, against the smallest sufficient number."""
    grant = z3_terms.ints("granted")
    powers = station.module_power_w
    needs = rule.need(z3_terms, grant, powers)
    reached = [sum(powers[:n]) for n in range(len(powers) + 1)]
    smallest = z3_terms.and_(
        *[
            (needs == n)
            == z3_terms.and_(
                True if n == 0 else grant > reached[n - 1],
                True if n == len(powers) else grant <= reached[n],
            )
            for n in range(len(powers) + 1)
        ]
    )
    if not equal_modules(station):
        return Claim((), smallest)
    ceiling = (grant + powers[0] - 1) / powers[0]
    clamped = z3.If(grant <= 0, 0, z3.If(ceiling > len(powers), len(powers), ceiling))
    return Claim((), z3.And(smallest, needs == clamped))


def documented_ceiling(station: Station) -> Claim:
    """The listing's `min(9, max(1, ceil(min(demand, gun maximum) / module power)))`."""
    demand = z3_terms.ints("demand")
    power_w, maximum_w = station.module_power_w[0], max(station.gun_max_w)
    grant = invariants.granted(z3_terms, demand, maximum_w)
    exact = (rule.least(z3_terms, demand, maximum_w) + power_w - 1) / power_w
    most = len(station.modules)
    listed = z3.If(exact < 1, 1, z3.If(exact > most, most, exact))
    return Claim((demand > 0,), rule.need(z3_terms, grant, station.module_power_w) == listed)


def order_is_only_a_naming(station: Station) -> Claim:
    """Every order, with the guns' data moved along, builds the very same terms; and all that is
    said of the choice says the same."""
    guns, modules = len(station.guns), len(station.modules)
    demand, maximum = free_terms.names("demand", guns), free_terms.names("maximum", guns)
    usable = free_terms.names("usable", guns, modules)
    limit, minimum = free_terms.names("limit"), free_terms.names("least useful")
    powers, serves = free_terms.names("power", modules), free_terms.names("in service", guns)
    held, given = free_terms.names("held", guns, modules), free_terms.names("given", guns)
    healthy = free_terms.names("module", modules)
    asked = demand, maximum, powers, usable, limit, minimum
    base = rule.documented(free_terms, range(guns), *asked)
    said = _said(range(guns), asked, serves, held, given, healthy)
    every = 1 if guns <= 6 else guns * guns
    for number, order in enumerate(_orders(guns)):
        place = [order.index(gun) for gun in range(guns)]

        def moved(rows: Any, place: Sequence[int] = place) -> list[Any]:
            return [rows[position] for position in place]

        of_guns = moved(demand), moved(maximum), powers, moved(usable), limit, minimum
        same = rule.documented(free_terms, order, *of_guns) == (
            moved(base.held),
            moved(base.delivered_w),
        )
        others = moved(serves), moved(held), moved(given), healthy
        if not same or (number % every == 0 and _said(order, of_guns, *others) != said):
            return Claim((), False, functools.partial(_other_terms, order))
    return Claim((), True)


def _said(
    order: Sequence[int], asked: Any, serves: Any, held: Any, given: Any, healthy: Any
) -> list[Any]:
    """All invariants and the guard's verdict on any allocation, where that is the order."""
    demand, maximum, powers, usable, limit, minimum = asked
    granted = [invariants.granted(free_terms, *pair) for pair in zip(demand, maximum, strict=True)]
    return [
        invariants.gun_cap(free_terms, held, maximum, powers),
        invariants.up_to_demand(free_terms, held, given, granted, powers),
        invariants.no_waste(free_terms, held, given, powers),
        invariants.needed_or_all_that_was_left(free_terms, order, held, granted, healthy, powers),
        invariants.higher_demand_first(free_terms, order, given, granted),
        invariants.idle_only_if_met(free_terms, held, given, granted, usable),
        invariants.lowest_number_first(free_terms, order, held, usable),
        *guard.judge(
            free_terms, held, given, demand, maximum, powers, usable, serves, limit, minimum
        ),
    ]


def _other_terms(order: Sequence[int], model: Any) -> str:
    return f"In the order {[gun + 1 for gun in order]} the rule builds other terms."


def _orders(guns: int) -> list[tuple[int, ...]]:
    """All orders; for more than six guns, all that two swaps make."""
    if guns <= 6:
        return list(permutations(range(guns)))
    swapped = []
    for a in range(guns):
        for b in range(a + 1):
            for c in range(a + 1):
                order = list(range(guns))
                order[a], order[b] = order[b], order[a]
                order[b], order[c] = order[c], order[b]
                swapped.append(tuple(order))
    return swapped


SCENARIOS: tuple[tuple[dict[int, int], dict[int, str]], ...] = (
    ({1: 240}, {1: "123456"}),
    (dict.fromkeys(range(1, 7), 40), {gun: str(gun) for gun in range(1, 7)}),
    ({1: 160, 3: 120, 5: 80}, {1: "1234", 3: "567", 5: "89"}),
    ({2: 240, 4: 240}, {2: "123456", 4: "789"}),
    ({1: 41, 2: 80, 3: 500}, {3: "123456", 2: "78", 1: "9"}),
)
"""The three documented ones, a tie, and a demand above the maximum."""


def scenarios(station: Station) -> Claim:
    """Plain runs on the reference station."""
    wrong = []
    for demands, expected in SCENARIOS:
        demand_w = [1000 * demands.get(gun.id, 0) for gun in station.guns]
        order = sorted(range(len(demand_w)), key=lambda gun: (-demand_w[gun], gun))
        choice = rule.documented(
            ops,
            order,
            demand_w,
            station.gun_max_w,
            station.module_power_w,
            [[True] * len(station.modules)] * len(station.guns),
            station.limit_w,
            station.policy.minimum_power_w,
        )
        held = {
            gun: "".join(str(m) for m, bit in enumerate(row, start=1) if bit)
            for gun, row in enumerate(choice.held, start=1)
            if any(row)
        }
        if held != expected:
            wrong.append(f"{demands} kW gave {held}, documented is {expected}")
    return Claim((), not wrong, lambda model: "\n".join(wrong))


# Examples that are to be shown: round demands, little else amiss.


def _one_contactor_out(scene: Scene) -> list[Any]:
    contactors = [bit for row in scene.usable for bit in row]
    return [*round_demands(scene), z3_terms.count(map(z3.Not, contactors)) <= 1]


def _all_healthy(scene: Scene) -> list[Any]:
    round_limit = scene.limit_w == 10_000 * z3_terms.ints("limit in tens of kW")
    return [*round_demands(scene), *[bit for row in scene.usable for bit in row], round_limit]


def _one_gun(scene: Scene) -> list[Any]:
    return [*_all_healthy(scene), *[demand == 0 for demand in scene.demand_w[1:]]]


def _smaller_first_module(station: Station) -> Scene:
    """The station with its first module of half the power, everything healthy."""
    scene = any_matrix(station)
    powers = (station.module_power_w[0] // 2, *station.module_power_w[1:])
    return scene._replace(module_power_w=powers)


def fewest_modules(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """No gun could be given the same by one of the modules that it holds two of, alone."""
    modules = range(len(scene.module_power_w))
    return over.and_(
        *[
            over.or_(over.not_(over.and_(row[m], row[n])), scene.module_power_w[m] < delivered)
            for row, delivered in zip(choice.held, choice.delivered_w, strict=True)
            for m in modules
            for n in modules
            if m != n
        ]
    )


def _rule(
    name: str,
    sentence: str,
    build: Any,
    holds: Property,
    domain: str,
    *,
    expected: str = PROVED,
    readable: Any = None,
    given: Any = lambda scene: (),
    applies: Any = lambda station: True,
    proves: tuple[str, ...] = (),
) -> Obligation:
    return _claim(
        name,
        sentence,
        about_the_rule(sentence, build, holds, readable, given),
        domain,
        expected=expected,
        applies=applies,
        proves=("rule.documented", "rule.take", *proves),
    )


def _claim(
    name: str,
    sentence: str,
    claim: Any,
    domain: str,
    *,
    expected: str = PROVED,
    applies: Any = lambda station: True,
    proves: tuple[str, ...] = ("rule.documented", "rule.take"),
) -> Obligation:
    if expected == REFUTED:
        claim, domain = on_the_reference(claim), f"{domain}; on the reference station"
    return Obligation(
        f"rule.{name}", sentence, proves, domain, (), expected, BUDGET, claim, applies
    )


def sensible(scene: Scene) -> list[Any]:
    """Demands that the demand processor lets through."""
    return [demand >= 0 for demand in scene.demand_w]


def whatever(station: Station) -> Claim:
    """Exclusive and usable however the comparisons of powers come out."""
    guns, modules = len(station.guns), len(station.modules)
    usable = z3_terms.bools("contactor", guns, modules)
    numbers_w: Any = [z3_terms.Whatever() for _ in range(max(guns, modules))]
    choice = rule.documented(
        z3_terms,
        range(guns),
        numbers_w[:guns],
        numbers_w[:guns],
        numbers_w[:modules],
        usable,
        *[z3_terms.Whatever() for _ in range(2)],  # type: ignore[arg-type]
    )
    return Claim(
        (),
        z3_terms.and_(
            invariants.one_gun_per_module(z3_terms, choice.held),
            guard.only_usable(z3_terms, choice.held, usable),
        ),
        covers=(("two guns hold modules", z3.And(z3.Or(*choice.held[0]), z3.Or(*choice.held[1]))),),
    )


OBLIGATIONS: tuple[Obligation, ...] = (
    _claim(
        "kept",
        "While nobody decides, a gun is given no more than it was granted, asks for, may have, has"
        " modules for and the site limit leaves it; and it has no module that it did not have.",
        one_gun.kept,
        "modules of any sizes, one gun's turn",
        proves=("rule.kept", "rule.documented"),
    ),
    _claim(
        "need-is-the-ceiling",
        "The number of modules needed is the exact ceiling of the grant over the module power, at"
        " most all; with unequal modules, the smallest number that suffices.",
        need_is_the_ceiling,
        "any grant; modules of these sizes",
        proves=("rule.need",),
    ),
    _claim(
        "need-is-the-documented-one",
        "For a demand above 0 it is min(9, max(1, ceil(min(demand, gun maximum) / module power))).",
        documented_ceiling,
        "equal modules",
        applies=equal_modules,
        proves=("rule.need", "rule.least", "invariants.granted"),
    ),
    _claim(
        "order-is-only-a-naming",
        "Serving the guns in another order is the same as numbering them otherwise: neither the"
        " rule nor what is said of its choice looks at a gun's number. All orders reduce to one.",
        order_is_only_a_naming,
        "any station of this size (all orders up to 6 guns, beyond that all double swaps, some of"
        " them for what is said)",
    ),
    _claim(
        "exclusive-whatever-the-powers",
        "However comparisons of powers come out: a module is on one gun at most, and only usable"
        " contactors are used.",
        whatever,
        ANY,
    ),
    _rule(
        "one-gun-per-module",
        "A module is on one gun at most.",
        limited,
        rule_properties.exclusive,
        ANY,
    ),
    _rule(
        "usable-and-wanted",
        "Only usable contactors close, and only for guns with demand.",
        limited,
        rule_properties.usable_and_wanted,
        ANY,
        proves=("rule.least",),
    ),
    _rule(
        "gun-cap",
        "No gun holds more modules than its maximum needs (6 modules for 240 kW), nor is it given"
        " more than its maximum.",
        limited,
        rule_properties.gun_cap,
        ANY,
    ),
    _rule(
        "higher-demand-first",
        "If a gun is given less than it may have, every gun served after it is given nothing.",
        full_matrix,
        rule_properties.priority,
        FULL,
    ),
    _rule(
        "first-choice",
        "If a gun is given less than it may have, every module that it could use is on it or on a"
        " gun served before it.",
        any_matrix,
        rule_properties.first_choice,
        ANY + "; no site limit",
    ),
    _rule(
        "idle-only-if-met",
        "A module idles only when every gun that could use it is given all it may have.",
        any_matrix,
        rule_properties.idle_only_if_met,
        ANY + "; no site limit",
    ),
    _rule(
        "up-to-demand",
        "A gun is given the power of its modules, up to what it may have.",
        any_matrix,
        rule_properties.up_to_demand,
        ANY + "; no site limit",
    ),
    _rule(
        "no-waste",
        "No gun holds a last module without which it could be given the same.",
        limited,
        rule_properties.no_waste,
        ANY,
    ),
    _rule(
        "lowest-number-first",
        "Below every module that a gun holds, each one that it could use is on it or on a gun"
        " served before it.",
        limited,
        rule_properties.lowest_first,
        ANY,
    ),
    _rule(
        "guard-accepts",
        "The guard accepts whatever the rule chooses, for every demand of 0 or more, order, matrix"
        " and site limit: the rule is total, and always there to fall back on.",
        limited,
        rule_properties.accepted,
        ANY + "; the limit itself: rule.limit-is-kept",
        given=sensible,
        proves=("guard.judge",),
    ),
    _claim(
        "turn-by-turn",
        "The rule is one gun's turn after another: each takes from what the earlier ones left, of"
        " the modules and of the limit, and is the turn of any gun with its numbers put in.",
        one_gun.turn_by_turn,
        ANY,
    ),
    _claim(
        "grant",
        "In its turn a gun is granted what it wants or what the site limit leaves of it; nothing,"
        " if that is less than the least useful power and than it wants.",
        one_gun.granted_under_a_limit,
        "any demand, maximum, limit left and least useful power",
        proves=("rule.grant", "rule.least"),
    ),
    _claim(
        "grant.no-limit",
        "Where the site limit leaves a gun what it wants, that is what it is granted, whatever the"
        " least useful power.",
        one_gun.minimum_without_a_limit,
        "any demand, maximum, limit left and least useful power",
        proves=("rule.grant", "rule.least"),
    ),
    _claim(
        "limit-is-kept",
        "The total stays within the site limit; and what is left of it for each gun is just what is"
        " assumed in its turn, without a limit all that it may have.",
        one_gun.limit_is_kept,
        ANY + "; for the turns of rule.turn-by-turn",
    ),
    _claim(
        "turn-counts",
        "In its turn a gun takes exactly the modules it needs, or all that are free for it.",
        one_gun.turn_counts,
        "any free modules, any grant; equal modules",
        applies=equal_modules,
        proves=("rule.documented", "rule.take", "rule.need"),
    ),
    _claim(
        "needed-or-all-that-was-left",
        "Each gun holds exactly the modules it needs, or all that those served before it left.",
        consequences.counted,
        EQUAL + "; composed of rule.turn-counts, for the turns of rule.turn-by-turn",
        applies=equal_modules,
        proves=("rule.need", "invariants.needed_or_all_that_was_left"),
    ),
    _claim(
        "turn-is-specified",
        "In its turn a gun takes the row of modules that the specification describes, and no other"
        " row fits it.",
        one_gun.turn_specified,
        "any free modules, any grant; modules of these sizes",
    ),
    _claim(
        "specification-by-turns",
        "An allocation that is exclusive, usable, up to demand, without waste, first choice and"
        " lowest number first is, gun by gun, what the specification of a turn describes.",
        consequences.specification_by_turns,
        ANY + "; no site limit",
        proves=("invariants.one_gun_per_module",),
    ),
    _claim(
        "specification-determines-the-output",
        "The specification leaves no choice: every allocation that meets it is the rule's, which"
        " meets it, module by module and watt by watt.",
        consequences.specification_determines,
        ANY + "; no site limit; composed of the obligations of its parts,"
        " rule.turn-is-specified, rule.specification-by-turns and rule.limit-is-kept",
    ),
    _claim(
        "no-more-than-there-is",
        "Any allocation that is exclusive and usable holds at most as many modules as there are.",
        consequences.at_most_all,
        FULL,
        proves=("guard.exclusive", "guard.only_usable"),
    ),
    _claim(
        "lexicographic-in-numbers",
        "Where guns in turn have as many modules as they need, or all that are left, no other"
        " numbers give any gun more without giving less to one before it.",
        consequences.lexicographic_in_numbers,
        "any numbers of this many guns and modules; equal modules",
        applies=equal_modules,
        proves=("invariants.needed_or_all_that_was_left",),
    ),
    _claim(
        "lexicographic-optimum",
        "No allocation that the guard accepts gives any gun more than the rule's without giving"
        " less to one served before it.",
        consequences.lexicographic,
        EQUAL + "; no site limit; composed of rule.needed-or-all-that-was-left, rule.up-to-demand,"
        " rule.usable-and-wanted, rule.limit-is-kept, rule.no-more-than-there-is and"
        " rule.lexicographic-in-numbers",
        applies=equal_modules,
        proves=("rule.documented", "rule.take", "guard.judge"),
    ),
    _claim(
        "documented-scenarios",
        "The documented scenarios come out exactly.",
        scenarios,
        "the reference station",
        applies=lambda station: (
            station.guns == Station.reference().guns
            and station.modules == Station.reference().modules
            and station.matrix.kind == "full"
        ),
    ),
    _rule(
        "higher-demand-first.partial",
        "With one contactor out of order: if a gun is given less than it may have, every gun served"
        " after it is given nothing. (It fails: a module that the short gun cannot reach serves a"
        " later one.)",
        any_matrix,
        rule_properties.priority,
        "outside its domain: partial matrix",
        expected=REFUTED,
        readable=_one_contactor_out,
    ),
    _rule(
        "idle-only-if-met.site-limit",
        "With a site limit: a module idles only when every gun is given all it may have. (It fails:"
        " the limit keeps modules idle.)",
        limited,
        rule_properties.idle_only_if_met,
        "outside its domain: a site limit",
        expected=REFUTED,
        readable=_one_gun,
    ),
    _rule(
        "fewest-modules.unequal",
        "With one module of half the power: no gun holds two modules where one of them would do."
        " (It fails: lowest number first takes the small one.)",
        _smaller_first_module,
        fewest_modules,
        "outside its domain: unequal modules",
        expected=REFUTED,
        readable=_all_healthy,
    ),
    _claim(
        "lexicographic-optimum.partial",
        "With one contactor out of order: no allocation gives any gun more without giving less to"
        " one served before it. (It fails: lowest number first takes the only module that another"
        " gun could have used; the solver's policies do better.)",
        better_allocation(any_matrix, _one_contactor_out),
        "outside its domain: partial matrix",
        expected=REFUTED,
    ),
    *loop_invariants.OBLIGATIONS,
)
