"""One gun's turn, and the rule as turns one after another."""

from collections.abc import Sequence
from typing import Any

import z3

from proofs import solver
from proofs.algebras import z3_terms
from proofs.lemmas.rule_inputs import (
    Scene,
    any_matrix,
    columns,
    full_matrix,
    in_model,
    kw,
    limited,
    numbers,
    turn,
)
from proofs.obligation import Claim
from verified_alloc.kernel import invariants, ops, rule
from verified_alloc.station.model import Station


class Turn:
    """One gun's turn: the shipped rule for that gun alone, with any modules free and any limit
    left over. `rule.turn-by-turn` shows that the rule is such turns one after another."""

    def __init__(self, power_w: Sequence[int]) -> None:
        self.power_w = power_w
        self.demand_w, self.maximum_w, self.left_w, self.minimum_w = z3_terms.ints("turn", 4)
        self.free = z3_terms.bools("free", len(power_w))
        self.row, self.delivered_w = turn(
            z3_terms,
            self.demand_w,
            self.maximum_w,
            power_w,
            self.free,
            self.left_w,
            self.minimum_w,
        )
        self.wanted_w = rule.least(z3_terms, self.demand_w, self.maximum_w)
        self.granted_w = rule.grant(z3_terms, self.wanted_w, self.left_w, self.minimum_w)

    def show(self, model: Any) -> str:
        """The turn in that model, as the shipped rule takes it on the plain values."""
        demand_w, maximum_w, left_w, minimum_w, free = in_model(
            [self.demand_w, self.maximum_w, self.left_w, self.minimum_w, self.free], model
        )
        row, given_w = turn(ops, demand_w, maximum_w, self.power_w, free, left_w, minimum_w)
        granted_w = rule.grant(ops, rule.least(ops, demand_w, maximum_w), left_w, minimum_w)
        head = ("one gun", "demand kW", "maximum", "limit leaves", "given kW", "takes", "free")
        figures = map(kw, (demand_w, maximum_w, left_w, given_w))
        needs = rule.need(ops, granted_w, self.power_w)
        return (
            f"{columns([head, ('', *figures, numbers(row), numbers(free))])}\n"
            f"For {kw(granted_w)} kW it needs {needs} modules; {sum(free)} are free, {sum(row)}"
            " taken. Replayed on the shipped function."
        )

    def put_in(
        self, scene: Scene, gun: int, free: Sequence[Any], left_w: Any
    ) -> list[tuple[Any, Any]]:
        """What makes it that gun's turn, for `z3.substitute`."""
        usable = map(z3_terms.and_, free, scene.usable[gun])
        names = [self.demand_w, self.maximum_w, self.left_w, self.minimum_w, *self.free]
        values = [scene.demand_w[gun], scene.gun_max_w[gun], left_w, scene.minimum_w, *usable]
        return list(zip(names, map(solver.term, values), strict=True))


def _scenes(station: Station) -> tuple[Scene, ...]:
    """All scenes that are proved turn by turn."""
    return limited(station), any_matrix(station), full_matrix(station)


def turn_by_turn(station: Station) -> Claim:
    """The rule for all guns against turns one after another, each with what is then left of the
    limit; and each of these is `Turn`, with the gun's numbers and modules put in."""
    one = Turn(station.module_power_w)
    same: list[Any] = []
    for scene in _scenes(station):
        choice, (turns, _, names) = scene.choice(z3_terms), scene.by_turns()
        left_w = [scene.limit_w]
        for given_w in choice.delivered_w[:-1]:
            left_w.append(left_w[-1] - given_w)
        put_in = list(zip(names, map(solver.term, left_w), strict=True))
        free: list[Any] = [True] * len(station.modules)
        for gun in scene.order:
            ours = [*turns.held[gun], turns.delivered_w[gun]]
            of_gun = one.put_in(scene, gun, free, names[gun])
            same += [
                z3_terms.same(z3.substitute(term, *of_gun), solver.term(bit))
                for term, bit in zip([*one.row, one.delivered_w], ours, strict=True)
            ]
            whole = [*choice.held[gun], choice.delivered_w[gun]]
            same += [
                z3.simplify(z3.substitute(solver.term(a), *put_in) == b)
                for a, b in zip(ours, whole, strict=True)
            ]
            free = list(map(z3_terms.and_, free, map(z3_terms.not_, turns.held[gun])))
    return Claim((), z3_terms.and_(*same))


def granted_under_a_limit(station: Station) -> Claim:
    """In the design's words, with a division into what is useful and what is not."""
    one = Turn(station.module_power_w)
    enough = z3.Or(one.left_w >= one.wanted_w, one.left_w >= one.minimum_w)
    left_w = z3.If(one.left_w < one.wanted_w, one.left_w, one.wanted_w)
    return Claim(
        (one.wanted_w >= 0,),
        one.granted_w == z3.If(enough, left_w, 0),
        one.show,
        (("something is left, and not granted", z3.And(one.left_w > 0, one.granted_w == 0)),),
    )


def minimum_without_a_limit(station: Station) -> Claim:
    """A turn with as much left as the gun wants."""
    one = Turn(station.module_power_w)
    return Claim((one.left_w >= one.wanted_w,), one.granted_w == one.wanted_w, one.show)


def bounded(given_w: Any, maximum_w: Any, left_w: Any) -> Any:
    """A gun is given nothing below 0, its maximum at most and what is left at most, where its
    maximum is not below 0 and the limit is not overdrawn."""
    return z3_terms.implies(
        z3_terms.and_(maximum_w >= 0, left_w >= 0),
        z3_terms.and_(given_w >= 0, given_w <= maximum_w, given_w <= left_w),
    )


def running(scene: Scene, given_w: Sequence[Any], left_w: Sequence[Any]) -> list[Any]:
    """The limit, gun after gun, where each is given what `bounded` says."""
    return [
        *scene.hypotheses,
        left_w[0] == scene.limit_w,
        *[
            then == left - given
            for then, left, given in zip(left_w[1:], left_w, given_w, strict=False)
        ],
        *map(bounded, given_w, scene.gun_max_w, left_w),
    ]


def limit_is_kept(station: Station) -> Claim:
    """From one turn's bounds to what is left for each gun, just as the turns assume it, and to the
    total."""
    one = Turn(station.module_power_w)
    kept = []
    for scene in _scenes(station):
        given_w = z3_terms.ints("given", len(station.guns))
        _, assumed, left_w = scene.by_turns()
        turns = running(scene, given_w, left_w)
        within = z3_terms.total(given_w) <= scene.limit_w
        kept.append(z3_terms.implies(z3_terms.and_(*turns), z3_terms.and_(*assumed, within)))
    return Claim((), z3_terms.and_(bounded(one.delivered_w, one.maximum_w, one.left_w), *kept))


def turn_counts(station: Station) -> Claim:
    """The number of modules that a gun takes, and how many are left."""
    one = Turn(station.module_power_w)
    taken, available = z3_terms.count(one.row), z3_terms.count(one.free)
    left = z3_terms.count(
        z3_terms.and_(free, z3_terms.not_(takes))
        for free, takes in zip(one.free, one.row, strict=True)
    )
    needs = rule.need(z3_terms, one.granted_w, one.power_w)
    return Claim(
        (),
        z3_terms.and_(taken == rule.least(z3_terms, needs, available), left == available - taken),
        one.show,
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
    other = z3_terms.bools("other", len(one.row))
    given = z3_terms.ints("given")
    matches = z3_terms.and_(given == one.delivered_w, *map(z3_terms.iff, other, one.row))
    return Claim(
        (),
        matches
        == row_as_specified(
            z3_terms, other, given, one.granted_w, one.free, station.module_power_w
        ),
        one.show,
    )


def kept(station: Station) -> Claim:
    """One gun's turn, with whatever the limit has left for it."""
    modules = range(len(station.modules))
    usable, present = z3_terms.bools("a", 2, len(modules))
    power_w = z3_terms.ints("power", len(modules))
    demand_w, granted_w, maximum_w, left_w, minimum_w = z3_terms.ints("turn", 5)
    kept_w, can = rule.kept(z3_terms, [demand_w], [granted_w], [usable], [present])
    choice = rule.documented(z3_terms, [0], kept_w, [maximum_w], power_w, can, left_w, minimum_w)
    [given_w], [row] = choice.delivered_w, choice.held
    bounds_w = (demand_w, granted_w, maximum_w, left_w)
    return Claim(
        (*[bound_w >= 0 for bound_w in bounds_w], *[power > 0 for power in power_w]),
        z3_terms.and_(
            given_w >= 0,
            *[given_w <= bound_w for bound_w in bounds_w],
            given_w <= z3_terms.total(map(z3_terms.ite, row, power_w, [0] * len(modules))),
            *[z3_terms.implies(row[m], z3_terms.and_(usable[m], present[m])) for m in modules],
        ),
        covers=(("it keeps all", z3.And(given_w == granted_w, given_w > 0)),),
    )
