"""The documented rule: what it guarantees on this station, and where it does not."""

import functools
from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import Any

import z3

from proofs import algebra, loop, terms
from proofs.obligation import PROVED, REFUTED, Claim, Obligation
from proofs.scene import (
    Property,
    Scene,
    about_the_rule,
    any_matrix,
    equal,
    full_matrix,
    in_model,
    judged,
    table,
    turn,
)
from verified_alloc.kernel import guard, invariants, ops, rule
from verified_alloc.station import Station

BUDGET = 60_000_000
ANY = "any station of this size: every matrix, every fault, modules and guns of these sizes"
FULL = "full matrix, any modules and guns out of order; modules and guns of these sizes"
EQUAL = FULL + "; equal modules"


def equal_modules(station: Station) -> bool:
    """All modules have one power."""
    return equal(station.module_power_w)


# What one sees of the whole rule.


def exclusive(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """A module is on one gun at most."""
    return invariants.one_gun_per_module(over, choice.held)


def usable_and_wanted(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """Only usable contactors, only guns with demand."""
    return over.and_(
        guard.only_usable(over, choice.held, scene.usable),
        guard.only_wanted(over, choice.held, scene.demand_w, scene.in_service),
    )


def gun_cap(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """A gun never holds more than its maximum needs, nor is given more than its maximum."""
    return over.and_(
        invariants.gun_cap(over, choice.held, scene.gun_max_w, scene.module_power_w),
        *[
            over.or_(power <= maximum, power <= 0)
            for power, maximum in zip(choice.delivered_w, scene.gun_max_w, strict=True)
        ],
    )


def priority(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """Higher demand first."""
    return invariants.higher_demand_first(
        over, scene.order, choice.delivered_w, scene.granted_w(over)
    )


def first_choice(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """Whoever is short left nothing that it could use to those after it, nor to nobody."""
    granted_w = scene.granted_w(over)
    return over.and_(
        *[
            over.or_(
                over.not_(scene.usable[gun][module]),
                choice.delivered_w[gun] >= granted_w[gun],
                over.or_(*[choice.held[holder][module] for holder in range(gun + 1)]),
            )
            for gun in scene.order
            for module in range(len(scene.module_power_w))
        ]
    )


def idle_only_if_met(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """A module idles only when everyone who could use it is met."""
    return invariants.idle_only_if_met(
        over, choice.held, choice.delivered_w, scene.granted_w(over), scene.usable
    )


def up_to_demand(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """A gun is given the power of its modules, up to what it may have."""
    return invariants.up_to_demand(
        over, choice.held, choice.delivered_w, scene.granted_w(over), scene.module_power_w
    )


def no_waste(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """No last module that is not needed."""
    return invariants.no_waste(over, choice.held, choice.delivered_w, scene.module_power_w)


def lowest_first(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """Lowest number first."""
    return invariants.lowest_number_first(over, scene.order, choice.held, scene.usable)


def accepted(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """The guard's conditions; the fifth, the limit, is `rule.limit-is-kept`."""
    return over.and_(*judged(over, scene, choice)[:4])


# The rule, gun by gun.


class Turn:
    """One gun's turn: the shipped rule for that gun alone, with any modules free and any limit
    left over. `rule.turn-by-turn` shows that the rule is such turns one after another."""

    def __init__(self, power_w: Sequence[int]) -> None:
        self.power_w = power_w
        self.demand_w, self.maximum_w, self.left_w = algebra.ints("turn", 3)
        self.free = algebra.bools("free", len(power_w))
        self.row, self.delivered_w = turn(
            algebra, self.demand_w, self.maximum_w, power_w, self.free, self.left_w
        )
        wanted = rule.least(algebra, self.demand_w, self.maximum_w)
        self.granted_w = rule.least(algebra, wanted, self.left_w)


def turn_by_turn(station: Station) -> Claim:
    """The rule for all guns against turns one after another."""
    scene = any_matrix(station, limited=True)
    choice = scene.choice(algebra)
    free: list[Any] = [True] * len(station.modules)
    left_w = scene.limit_w
    same = []
    for gun in scene.order:
        row, given_w, free = scene.turn(gun, free, left_w)
        left_w = left_w - given_w
        same += [a == b for a, b in zip(row, choice.held[gun], strict=True)]
        same.append(given_w == choice.delivered_w[gun])
    return Claim((), z3.And(*[z3.simplify(equation) for equation in same]))


def limit_is_kept(station: Station) -> Claim:
    """From one turn's bounds to what is left for each gun, and to the total."""
    guns = len(station.guns)
    one = Turn(station.module_power_w)
    given_w, maximum_w, left_w = (algebra.ints(name, guns) for name in ("given", "maximum", "left"))
    limit_w = algebra.ints("limit")

    def bounded(given: Any, maximum: Any, left: Any) -> Any:
        """Where the maximum is not below 0 and the limit is not overdrawn."""
        return algebra.implies(
            algebra.and_(maximum >= 0, left >= 0),
            algebra.and_(given >= 0, given <= maximum, given <= left),
        )

    turns = [
        left_w[0] == limit_w,
        *[left_w[gun + 1] == left_w[gun] - given_w[gun] for gun in range(guns - 1)],
        *map(bounded, given_w, maximum_w, left_w),
        *[maximum >= 0 for maximum in maximum_w],
    ]
    within = algebra.and_(*[left >= 0 for left in left_w], algebra.total(given_w) <= limit_w)
    leaves = algebra.and_(*[left >= top for left, top in zip(left_w, maximum_w, strict=True)])
    return Claim(
        (),
        algebra.and_(
            bounded(one.delivered_w, one.maximum_w, one.left_w),
            algebra.implies(algebra.and_(*turns, limit_w >= 0), within),
            algebra.implies(algebra.and_(*turns, limit_w >= algebra.total(maximum_w)), leaves),
        ),
    )


def turn_counts(station: Station) -> Claim:
    """The number of modules that a gun takes, and how many are left."""
    one = Turn(station.module_power_w)
    taken, available = algebra.count(one.row), algebra.count(one.free)
    left = algebra.count(
        algebra.and_(free, algebra.not_(takes))
        for free, takes in zip(one.free, one.row, strict=True)
    )
    needs = rule.need(algebra, one.granted_w, one.power_w)
    return Claim(
        (), algebra.and_(taken == rule.least(algebra, needs, available), left == available - taken)
    )


def row_as_specified(
    over: Any, row: Any, delivered_w: Any, granted_w: Any, free: Any, power_w: Sequence[int]
) -> Any:
    """What a gun's row must be, given the modules that are free for it: free ones, given up to
    their power, none too many, all of them where it is short, no lower-numbered one left out."""
    modules = range(len(power_w))
    grant = over.ite(granted_w > 0, granted_w, 0)
    return over.and_(
        *[over.or_(over.not_(row[m]), free[m]) for m in modules],
        invariants.up_to_demand(over, [row], [delivered_w], [grant], power_w),
        invariants.no_waste(over, [row], [delivered_w], power_w),
        *[over.or_(delivered_w >= grant, over.not_(free[m]), row[m]) for m in modules],
        *[
            over.or_(over.not_(over.and_(row[m], free[lower])), row[lower])
            for m in modules
            for lower in range(m)
        ],
    )


def turn_specified(station: Station) -> Claim:
    """The row that is specified is the one that the rule takes, and the other way round."""
    one = Turn(station.module_power_w)
    other = algebra.bools("other", len(one.row))
    given = algebra.ints("given")
    matches = algebra.and_(given == one.delivered_w, *map(algebra.iff, other, one.row))
    return Claim(
        (),
        matches
        == row_as_specified(algebra, other, given, one.granted_w, one.free, station.module_power_w),
    )


def specified(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """The whole specification: exclusive, usable, up to demand, no waste, first choice, lowest
    first."""
    return over.and_(
        *[
            holds(over, scene, choice)
            for holds in (exclusive, up_to_demand, no_waste, first_choice, lowest_first)
        ],
        guard.only_usable(over, choice.held, scene.usable),
    )


def specification_by_turns(station: Station) -> Claim:
    """The specification of the whole says, gun by gun, what the specification of a turn says."""
    scene = any_matrix(station)
    other = _any_choice(station)
    granted_w = algebra.ints("granted", len(station.guns))
    scene = scene._replace(demand_w=granted_w, gun_max_w=granted_w)
    rows = []
    for gun in scene.order:
        free = _free_before(scene, other.held, gun)
        rows.append(
            row_as_specified(
                algebra,
                other.held[gun],
                other.delivered_w[gun],
                granted_w[gun],
                free,
                station.module_power_w,
            )
        )
    return Claim((specified(algebra, scene, other),), algebra.and_(*rows))


def specification_determines(station: Station) -> Claim:
    """Two allocations that both are made of turns are the same: what a turn takes depends on what
    is free and granted alone (`T` stands for any such dependence, the rule's turn included)."""
    guns, modules = len(station.guns), len(station.modules)
    scene = any_matrix(station)
    takes = [
        z3.Function(f"T{m}", z3.IntSort(), *[z3.BoolSort()] * modules, z3.BoolSort())
        for m in range(modules)
    ]
    ours, other = algebra.bools("ours", guns, modules), algebra.bools("other", guns, modules)
    hypotheses = [
        held[gun][m] == takes[m](scene.demand_w[gun], *map(_bit, _free_before(scene, held, gun)))
        for held in (ours, other)
        for gun in range(guns)
        for m in range(modules)
    ]
    return Claim(
        tuple(hypotheses),
        z3.And(
            *[a == b for pair in zip(ours, other, strict=True) for a, b in zip(*pair, strict=True)]
        ),
    )


def _free_before(scene: Scene, held: Any, gun: int) -> list[Any]:
    """The modules that a gun can use and that no gun before it holds."""
    return [
        algebra.and_(usable, *[algebra.not_(held[before][m]) for before in range(gun)])
        for m, usable in enumerate(scene.usable[gun])
    ]


def _bit(value: Any) -> Any:
    return z3.BoolVal(value) if isinstance(value, bool) else value


def _any_choice(station: Station) -> rule.Choice:
    return rule.Choice(
        algebra.bools("other", len(station.guns), len(station.modules)),
        algebra.ints("given", len(station.guns)),
    )


# Counting, and the lexicographic optimum.


def counted(station: Station) -> Claim:
    """The number of modules of each gun, from the counts of the turns."""
    guns = len(station.guns)
    granted_w = algebra.ints("granted", guns)
    rows = algebra.bools("row", guns, len(station.modules))
    usable = algebra.bools("module", len(station.modules))
    taken = algebra.ints("taken", guns)
    free = algebra.ints("free", guns + 1)
    hypotheses = [free[0] == algebra.count(usable)]
    for gun in range(guns):
        needs = rule.need(algebra, granted_w[gun], station.module_power_w)
        hypotheses.append(taken[gun] == rule.least(algebra, needs, free[gun]))
        hypotheses.append(free[gun + 1] == free[gun] - taken[gun])
    goal = invariants.needed_or_all_that_was_left(
        algebra, range(guns), rows, granted_w, usable, station.module_power_w
    )
    return Claim(tuple(hypotheses), _named(goal, rows, taken))


def at_most_all(station: Station) -> Claim:
    """Guns that share nothing hold together no more than there is."""
    guns, modules = len(station.guns), len(station.modules)
    held = algebra.bools("held", guns, modules)
    usable = algebra.bools("module", modules)
    per_module = [
        algebra.count(row[m] for row in held) <= algebra.ite(usable[m], 1, 0)
        for m in range(modules)
    ]
    exclusive_and_usable = algebra.and_(
        guard.exclusive(algebra, held), guard.only_usable(algebra, held, [usable] * guns)
    )
    together = algebra.total(map(algebra.count, held)) <= algebra.count(usable)
    # Module by module from the bits; then adding up, where the bits' ones and zeros may be any
    # numbers.
    bits = [bit for row in (*held, usable) for bit in row]
    as_numbers = [(z3.If(bit, 1, 0), z3.Int(f"{bit} as a number")) for bit in bits]
    adding_up = algebra.implies(algebra.and_(*per_module), together)
    return Claim(
        (),
        algebra.and_(
            *[algebra.implies(exclusive_and_usable, one) for one in per_module],
            z3.substitute(adding_up, *as_numbers),
        ),
    )


def lexicographic(station: Station) -> Claim:
    """From the counts of the rule and of any other allocation: nobody could be given more without
    someone served before being given less. In three steps, each from what the one before says: what
    the counts say of each gun, what this says of its watts, and adding up over the guns."""
    guns = range(len(station.guns))
    power_w = station.module_power_w
    granted_w = algebra.ints("granted", len(guns))
    ours, other = algebra.ints("ours", len(guns)), algebra.ints("other", len(guns))
    ours_w, other_w = algebra.ints("ours W", len(guns)), algebra.ints("other W", len(guns))
    modules, left = algebra.ints("modules"), algebra.ints("left", len(guns) + 1)
    rows = algebra.bools("row", len(guns), len(power_w))
    usable = algebra.bools("module", len(power_w))

    def needed(guns: Sequence[int], there: Any) -> Any:
        """The invariant about these guns in turn, where so many modules are there."""
        says = invariants.needed_or_all_that_was_left(
            algebra, guns, rows, granted_w, usable, power_w
        )
        return z3.substitute(_named(says, rows, ours), (algebra.count(usable), there))

    turns = [
        left[0] == modules,
        *[left[gun + 1] == left[gun] - ours[gun] for gun in guns],
    ]
    each = [needed([gun], left[gun]) for gun in guns]
    no_fewer, none_left = [], []
    for gun in guns:
        watts = algebra.and_(
            granted_w[gun] >= 0,
            ours[gun] >= 0,
            ours[gun] <= len(power_w),
            left[gun] <= len(power_w),
            ours_w[gun] == rule.least(algebra, granted_w[gun], ours[gun] * power_w[0]),
            other[gun] >= 0,
            other_w[gun] >= 0,
            other_w[gun] <= granted_w[gun],
            other_w[gun] <= other[gun] * power_w[0],
        )
        given = algebra.and_(each[gun], watts)
        as_much = algebra.implies(other_w[gun] >= ours_w[gun], other[gun] >= ours[gun])
        more = algebra.implies(
            other_w[gun] > ours_w[gun],
            algebra.and_(other[gun] > ours[gun], ours[gun] == left[gun]),
        )
        no_fewer.append((given, as_much))
        none_left.append((given, more))
    together = algebra.and_(
        *turns,
        *[says for _, says in (*no_fewer, *none_left)],
        *[number >= 0 for number in other],
        algebra.total(other) <= modules,
    )
    return Claim(
        (),
        algebra.and_(
            *[algebra.implies(algebra.and_(needed(guns, modules), *turns), one) for one in each],
            *[algebra.implies(given, says) for given, says in (*no_fewer, *none_left)],
            *[
                algebra.implies(together, algebra.not_(better))
                for better in _better(other_w, ours_w)
            ],
        ),
        covers=(
            (
                "the other gives the last gun less",
                algebra.and_(
                    needed(guns, modules),
                    together,
                    *[given for given, _ in no_fewer],
                    other_w[-1] < ours_w[-1],
                ),
            ),
        ),
    )


def _better(other_w: Sequence[Any], ours_w: Sequence[Any]) -> list[Any]:
    """Lexicographically more, in the order of the guns: gun by gun, that it is the first to be
    given more."""
    return [
        algebra.and_(
            other_w[gun] > ours_w[gun],
            *[other_w[before] == ours_w[before] for before in range(gun)],
        )
        for gun in range(len(ours_w))
    ]


def _named(formula: Any, rows: Any, counts: Sequence[Any]) -> Any:
    """The formula with the counts of those rows replaced by free numbers: what then holds for all
    numbers holds for the counts."""
    return z3.substitute(
        formula, *[(algebra.count(row), number) for row, number in zip(rows, counts, strict=True)]
    )


def better_allocation(build: Any, readable: Any = lambda scene: ()) -> Any:
    """Expected to fail: no other allocation that the guard accepts gives lexicographically more."""

    def claim(station: Station) -> Claim:
        scene = build(station)
        choice, other = scene.choice(algebra), _any_choice(station)
        accepted_too = algebra.and_(*judged(algebra, scene, other))

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
            (*scene.hypotheses, *readable(scene), up_to_demand(algebra, scene, other)),
            algebra.not_(
                algebra.and_(
                    accepted_too, algebra.or_(*_better(other.delivered_w, choice.delivered_w))
                )
            ),
            show,
        )

    return claim


# Need, order, scenarios.


def need_is_the_ceiling(station: Station) -> Claim:
    """Against division; with unequal modules, against the smallest sufficient number."""
    grant = algebra.ints("granted")
    powers = station.module_power_w
    needs = rule.need(algebra, grant, powers)
    reached = [sum(powers[:n]) for n in range(len(powers) + 1)]
    smallest = algebra.and_(
        *[
            (needs == n)
            == algebra.and_(
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
    demand = algebra.ints("demand")
    power_w, maximum_w = station.module_power_w[0], max(station.gun_max_w)
    grant = invariants.granted(algebra, demand, maximum_w)
    exact = (rule.least(algebra, demand, maximum_w) + power_w - 1) / power_w
    most = len(station.modules)
    listed = z3.If(exact < 1, 1, z3.If(exact > most, most, exact))
    return Claim((demand > 0,), rule.need(algebra, grant, station.module_power_w) == listed)


def order_is_only_a_naming(station: Station) -> Claim:
    """Every order, with the guns' data moved along, builds the very same terms."""
    guns, modules = len(station.guns), len(station.modules)
    demand, maximum = terms.names("demand", guns), terms.names("maximum", guns)
    usable, limit = terms.names("usable", guns, modules), terms.names("limit")
    powers = terms.names("power", modules)
    base = rule.documented(terms, range(guns), demand, maximum, powers, usable, limit)
    for order in _orders(guns):
        place = [order.index(gun) for gun in range(guns)]

        def moved(rows: Any, place: Sequence[int] = place) -> list[Any]:
            return [rows[position] for position in place]

        choice = rule.documented(
            terms, order, moved(demand), moved(maximum), powers, moved(usable), limit
        )
        if choice != (moved(base.held), moved(base.delivered_w)):
            return Claim((), False, functools.partial(_other_terms, order))
    return Claim((), True)


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
        )
        held = {
            gun: "".join(str(m) for m, bit in enumerate(row, start=1) if bit)
            for gun, row in enumerate(choice.held, start=1)
            if any(row)
        }
        if held != expected:
            wrong.append(f"{demands} kW gave {held}, documented is {expected}")
    return Claim((), not wrong, lambda model: "\n".join(wrong))


# Examples that are to be shown: demands in whole tens of kW, sorted, little else amiss.


def _round_demands(scene: Scene) -> list[Any]:
    tens = algebra.ints("tens of kW", len(scene.demand_w))
    return [
        *[demand == 10_000 * ten for demand, ten in zip(scene.demand_w, tens, strict=True)],
        *[
            z3.And(demand >= 0, demand <= maximum)
            for demand, maximum in zip(scene.demand_w, scene.gun_max_w, strict=True)
        ],
        *[earlier >= later for earlier, later in pairwise(scene.demand_w)],
    ]


def _one_contactor_out(scene: Scene) -> list[Any]:
    contactors = [bit for row in scene.usable for bit in row]
    return [*_round_demands(scene), algebra.count(map(z3.Not, contactors)) <= 1]


def _all_healthy(scene: Scene) -> list[Any]:
    round_limit = scene.limit_w == 10_000 * algebra.ints("limit in tens of kW")
    return [*_round_demands(scene), *[bit for row in scene.usable for bit in row], round_limit]


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
    return Obligation(
        f"rule.{name}",
        sentence,
        ("rule.documented", "rule.take", *proves),
        domain,
        (),
        expected,
        BUDGET,
        about_the_rule(sentence, build, holds, readable, given),
        applies,
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
    return Obligation(
        f"rule.{name}", sentence, proves, domain, (), expected, BUDGET, claim, applies
    )


def limited(station: Station) -> Scene:
    """Any matrix, any site limit."""
    return any_matrix(station, limited=True)


def sensible(scene: Scene) -> list[Any]:
    """Demands that the demand processor lets through."""
    return [demand >= 0 for demand in scene.demand_w]


def whatever(station: Station) -> Claim:
    """Exclusive and usable however the comparisons of powers come out."""
    guns, modules = len(station.guns), len(station.modules)
    usable = algebra.bools("contactor", guns, modules)
    numbers_w: Any = [algebra.Whatever() for _ in range(max(guns, modules))]
    choice = rule.documented(
        algebra,
        range(guns),
        numbers_w[:guns],
        numbers_w[:guns],
        numbers_w[:modules],
        usable,
        algebra.Whatever(),  # type: ignore[arg-type]
    )
    return Claim(
        (),
        algebra.and_(
            invariants.one_gun_per_module(algebra, choice.held),
            guard.only_usable(algebra, choice.held, usable),
        ),
        covers=(("two guns hold modules", z3.And(z3.Or(*choice.held[0]), z3.Or(*choice.held[1]))),),
    )


OBLIGATIONS: tuple[Obligation, ...] = (
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
        "Serving the guns in another order is the same as numbering them otherwise: the rule looks"
        " at nothing else of a gun's number. All orders reduce to one.",
        order_is_only_a_naming,
        "any station of this size (all orders up to 6 guns, beyond that all double swaps)",
    ),
    _claim(
        "exclusive-whatever-the-powers",
        "However comparisons of powers come out: a module is on one gun at most, and only usable"
        " contactors are used.",
        whatever,
        ANY,
    ),
    _rule("one-gun-per-module", "A module is on one gun at most.", limited, exclusive, ANY),
    _rule(
        "usable-and-wanted",
        "Only usable contactors close, and only for guns with demand.",
        limited,
        usable_and_wanted,
        ANY,
        proves=("rule.least",),
    ),
    _rule(
        "gun-cap",
        "No gun holds more modules than its maximum needs (6 modules for 240 kW), nor is it given"
        " more than its maximum.",
        limited,
        gun_cap,
        ANY,
    ),
    _rule(
        "higher-demand-first",
        "If a gun is given less than it may have, every gun served after it is given nothing.",
        full_matrix,
        priority,
        FULL,
    ),
    _rule(
        "first-choice",
        "If a gun is given less than it may have, every module that it could use is on it or on a"
        " gun served before it.",
        any_matrix,
        first_choice,
        ANY + "; no site limit",
    ),
    _rule(
        "idle-only-if-met",
        "A module idles only when every gun that could use it is given all it may have.",
        any_matrix,
        idle_only_if_met,
        ANY + "; no site limit",
    ),
    _rule(
        "up-to-demand",
        "A gun is given the power of its modules, up to what it may have.",
        any_matrix,
        up_to_demand,
        ANY + "; no site limit",
    ),
    _rule(
        "no-waste",
        "No gun holds a last module without which it could be given the same.",
        limited,
        no_waste,
        ANY,
    ),
    _rule(
        "lowest-number-first",
        "Below every module that a gun holds, each one that it could use is on it or on a gun"
        " served before it.",
        limited,
        lowest_first,
        ANY,
    ),
    _rule(
        "guard-accepts",
        "The guard accepts whatever the rule chooses, for every demand of 0 or more, order, matrix"
        " and site limit: the rule is total, and always there to fall back on.",
        limited,
        accepted,
        ANY + "; the limit itself: rule.limit-is-kept",
        given=sensible,
        proves=("guard.judge",),
    ),
    _claim(
        "turn-by-turn",
        "The rule is one gun's turn after another: each takes from what the earlier ones left.",
        turn_by_turn,
        ANY,
    ),
    _claim(
        "limit-is-kept",
        "The total stays within the site limit; without one, what is left never binds.",
        limit_is_kept,
        ANY + "; composed with rule.turn-by-turn",
    ),
    _claim(
        "turn-counts",
        "In its turn a gun takes exactly the modules it needs, or all that are free for it.",
        turn_counts,
        "any free modules, any grant; equal modules",
        applies=equal_modules,
        proves=("rule.documented", "rule.take", "rule.need"),
    ),
    _claim(
        "needed-or-all-that-was-left",
        "Each gun holds exactly the modules it needs, or all that those served before it left.",
        counted,
        EQUAL + "; composed of rule.turn-by-turn and rule.turn-counts",
        applies=equal_modules,
        proves=("rule.need", "invariants.needed_or_all_that_was_left"),
    ),
    _claim(
        "turn-is-specified",
        "In its turn a gun takes the row of modules that the specification describes, and no other"
        " row fits it.",
        turn_specified,
        "any free modules, any grant; modules of these sizes",
    ),
    _claim(
        "specification-by-turns",
        "An allocation that is exclusive, usable, up to demand, without waste, first choice and"
        " lowest number first is, gun by gun, what the specification of a turn describes.",
        specification_by_turns,
        ANY + "; no site limit",
        proves=("invariants.one_gun_per_module",),
    ),
    _claim(
        "specification-determines-the-output",
        "So the specification leaves no choice: two allocations that meet it are the same.",
        specification_determines,
        ANY + "; composed of rule.turn-is-specified and rule.specification-by-turns",
    ),
    _claim(
        "no-more-than-there-is",
        "Any allocation that is exclusive and usable holds at most as many modules as there are.",
        at_most_all,
        FULL,
        proves=("guard.exclusive", "guard.only_usable"),
    ),
    _claim(
        "lexicographic-optimum",
        "No allocation gives any gun more without giving less to one served before it.",
        lexicographic,
        EQUAL + "; composed of rule.needed-or-all-that-was-left, rule.up-to-demand and"
        " rule.no-more-than-there-is",
        applies=equal_modules,
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
        priority,
        "outside its domain: partial matrix",
        expected=REFUTED,
        readable=_one_contactor_out,
    ),
    _rule(
        "idle-only-if-met.site-limit",
        "With a site limit: a module idles only when every gun is given all it may have. (It fails:"
        " the limit keeps modules idle.)",
        limited,
        idle_only_if_met,
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
    *loop.OBLIGATIONS,
)
