"""The documented invariants say what their sentences say.

The obligations of `proofs.rule` use the kernel's own invariants as goals; here each is compared,
both ways, with the sentence written out in another form.
"""

from collections.abc import Callable
from typing import Any

import z3

from proofs.algebras import z3_terms
from proofs.obligation import PROVED, Claim, Obligation
from verified_alloc.kernel import invariants, rule
from verified_alloc.station.model import Station

BUDGET = 20_000_000


class Case:
    """A free allocation on the station's shape."""

    def __init__(self, station: Station) -> None:
        self.guns, self.modules = range(len(station.guns)), range(len(station.modules))
        guns, modules = len(self.guns), len(self.modules)
        self.power_w = station.module_power_w
        self.held = z3_terms.bools("held", guns, modules)
        self.usable = z3_terms.bools("usable", guns, modules)
        self.healthy = z3_terms.bools("module", modules)
        self.delivered_w = z3_terms.ints("delivered", guns)
        self.granted_w = z3_terms.ints("granted", guns)
        self.gun_max_w = z3_terms.ints("maximum", guns)
        self.orders = (
            list(self.guns),
            list(reversed(self.guns)),
            [*self.guns[1::2], *self.guns[::2]],
        )

    def power(self, gun: int, upto: int | None = None) -> Any:
        """The power of a gun's modules (below the module `upto`)."""
        modules = self.modules if upto is None else self.modules[:upto]
        return z3_terms.total(z3.If(self.held[gun][m], self.power_w[m], 0) for m in modules)

    def highest(self, gun: int, module: int) -> Any:
        """This is the gun's highest-numbered module."""
        row = self.held[gun]
        return z3.And(row[module], *[z3.Not(row[m]) for m in self.modules[module + 1 :]])

    def number(self, gun: int) -> Any:
        """How many modules the gun holds."""
        return z3_terms.count(self.held[gun])


def _same(both: Callable[[Case], list[tuple[Any, Any]]]) -> Callable[[Station], Claim]:
    """The claim that these pairs are equal."""

    def claim(station: Station) -> Claim:
        return Claim((), z3.And(*[ours == theirs for ours, theirs in both(Case(station))]))

    return claim


def granted(of: Case) -> list[tuple[Any, Any]]:
    """Of min(demand, maximum) and 0 the larger."""
    demand, maximum = of.granted_w[0], of.gun_max_w[0]
    smaller = z3.If(demand <= maximum, demand, maximum)
    return [(invariants.granted(z3_terms, demand, maximum), z3.If(smaller >= 0, smaller, 0))]


def counting(of: Case) -> list[tuple[Any, Any]]:
    """Counting, implication and equality, against Z3's own."""
    a, b = of.healthy[0], of.held[0][0]
    return [
        (invariants.implies(z3_terms, a, b), z3.Implies(a, b)),
        (invariants.equal(z3_terms, *of.granted_w[:2]), of.granted_w[0] == of.granted_w[1]),
        (
            invariants.count(z3_terms, of.healthy),
            z3_terms.total(z3.If(bit, 1, 0) for bit in of.healthy),
        ),
    ]


def one_gun_per_module(of: Case) -> list[tuple[Any, Any]]:
    """At most one gun in each column."""
    columns = [z3_terms.count(of.held[gun][m] for gun in of.guns) <= 1 for m in of.modules]
    return [(invariants.one_gun_per_module(z3_terms, of.held), z3.And(*columns))]


def gun_cap(of: Case) -> list[tuple[Any, Any]]:
    """Below the highest module, less than the maximum."""
    return [
        (
            invariants.gun_cap(z3_terms, of.held, of.gun_max_w, of.power_w),
            z3.And(
                *[
                    z3.Implies(of.highest(gun, m), of.power(gun, m) < of.gun_max_w[gun])
                    for gun in of.guns
                    for m in of.modules
                ]
            ),
        )
    ]


def up_to_demand(of: Case) -> list[tuple[Any, Any]]:
    """The smaller of grant and power."""
    equal = []
    for gun in of.guns:
        power, grant, given = of.power(gun), of.granted_w[gun], of.delivered_w[gun]
        equal.append(z3.And(given <= power, given <= grant, z3.Or(given == power, given == grant)))
    return [
        (
            invariants.up_to_demand(z3_terms, of.held, of.delivered_w, of.granted_w, of.power_w),
            z3.And(*equal),
        )
    ]


def no_waste(of: Case) -> list[tuple[Any, Any]]:
    """More than the modules below the highest could give."""
    return [
        (
            invariants.no_waste(z3_terms, of.held, of.delivered_w, of.power_w),
            z3.And(
                *[
                    z3.Implies(of.highest(gun, m), of.delivered_w[gun] > of.power(gun, m))
                    for gun in of.guns
                    for m in of.modules
                ]
            ),
        )
    ]


def needed_or_left(of: Case) -> list[tuple[Any, Any]]:
    """Never more than needed nor than was left, and one of them."""
    both = []
    for order in of.orders:
        clauses = []
        for place, gun in enumerate(order):
            before = z3_terms.total(of.number(other) for other in order[:place])
            left = z3_terms.count(of.healthy) - before
            needs = rule.need(z3_terms, of.granted_w[gun], of.power_w)
            has = of.number(gun)
            clauses.append(z3.And(has <= needs, has <= left, z3.Or(has == needs, has == left)))
        says = invariants.needed_or_all_that_was_left(
            z3_terms, order, of.held, of.granted_w, of.healthy, of.power_w
        )
        # For any numbers in place of the counts, hence for the counts.
        counts = [z3_terms.count(row) for row in (*of.held, of.healthy)]
        numbers = list(zip(counts, z3_terms.ints("number", len(counts)), strict=True))
        both.append((z3.substitute(says, *numbers), z3.substitute(z3.And(*clauses), *numbers)))
    return both


def higher_demand_first(of: Case) -> list[tuple[Any, Any]]:
    """No gun served later is given anything while one before it is short."""
    both = []
    for order in of.orders:
        wrong = [
            z3.And(of.delivered_w[later] > 0, of.delivered_w[gun] < of.granted_w[gun])
            for gun in order
            for later in order
            if order.index(later) > order.index(gun)
        ]
        both.append(
            (
                invariants.higher_demand_first(z3_terms, order, of.delivered_w, of.granted_w),
                z3.Not(z3.Or(*wrong)),
            )
        )
    return both


def idle_only_if_met(of: Case) -> list[tuple[Any, Any]]:
    """For each idle module: every gun that could use it is met."""
    clauses = []
    for m in of.modules:
        idle = z3.Not(z3.Or(*[of.held[gun][m] for gun in of.guns]))
        met = [
            z3.Implies(of.usable[gun][m], of.delivered_w[gun] >= of.granted_w[gun])
            for gun in of.guns
        ]
        clauses.append(z3.Implies(idle, z3.And(*met)))
    return [
        (
            invariants.idle_only_if_met(z3_terms, of.held, of.delivered_w, of.granted_w, of.usable),
            z3.And(*clauses),
        )
    ]


def lowest_number_first(of: Case) -> list[tuple[Any, Any]]:
    """No gun holds a module while a lower one that it could use is idle or on a later gun."""
    both = []
    for order in of.orders:
        wrong = []
        for place, gun in enumerate(order):
            for m in of.modules:
                for lower in of.modules[:m]:
                    taken = [of.held[other][lower] for other in order[: place + 1]]
                    wrong.append(
                        z3.And(of.held[gun][m], of.usable[gun][lower], z3.Not(z3.Or(*taken)))
                    )
        both.append(
            (
                invariants.lowest_number_first(z3_terms, order, of.held, of.usable),
                z3.Not(z3.Or(*wrong)) if wrong else z3.BoolVal(True),
            )
        )
    return both


def _means(name: str, sentence: str, both: Any, *functions: str) -> Obligation:
    return Obligation(
        f"invariants.{name}",
        sentence,
        tuple(f"invariants.{function}" for function in functions),
        "the station's shape and module powers; three orders of the guns",
        (),
        PROVED,
        BUDGET,
        _same(both),
    )


OBLIGATIONS: tuple[Obligation, ...] = (
    _means("granted", "A grant is min(demand, maximum), never below 0.", granted, "granted"),
    _means(
        "counting",
        "`implies` implies, `equal` equals, `count` counts.",
        counting,
        "implies",
        "equal",
        "count",
    ),
    _means(
        "one-gun-per-module",
        "`one_gun_per_module` says that each module is on one gun at most.",
        one_gun_per_module,
        "one_gun_per_module",
    ),
    _means(
        "gun-cap",
        "`gun_cap` says that each gun's modules below its highest stay below its maximum.",
        gun_cap,
        "gun_cap",
    ),
    _means(
        "up-to-demand",
        "`up_to_demand` says that each gun is given the smaller of its grant and its power.",
        up_to_demand,
        "up_to_demand",
    ),
    _means(
        "no-waste",
        "`no_waste` says that each gun is given more than its modules below the highest could.",
        no_waste,
        "no_waste",
    ),
    _means(
        "needed-or-all-that-was-left",
        "`needed_or_all_that_was_left` says that each gun holds what it needs or all that is left.",
        needed_or_left,
        "needed_or_all_that_was_left",
    ),
    _means(
        "higher-demand-first",
        "`higher_demand_first` says that no gun is given anything while one before it is short.",
        higher_demand_first,
        "higher_demand_first",
    ),
    _means(
        "idle-only-if-met",
        "`idle_only_if_met` says that every gun that could use an idle module is met.",
        idle_only_if_met,
        "idle_only_if_met",
    ),
    _means(
        "lowest-number-first",
        "`lowest_number_first` says that no gun holds a module while a lower one that it could use"
        " is idle or on a later gun.",
        lowest_number_first,
        "lowest_number_first",
    ),
)
