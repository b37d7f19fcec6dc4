"""The solver's model allows exactly what the guard accepts (obligation 7 of the suite).

The model is the proto that OR-Tools is given, built by the shipped `constraint.base` and translated
by `proofs.lemmas.cp_sat_terms`. It is built for a set of guns that want power, and holds their
demands nowhere but as the domains of the delivered and the least useful powers; that is checked on
other demands, and then these are free numbers. So each claim is about all demands of those guns. A
module of a gun that wants nothing is refused by the guard, and has no variable in the model.

What the model counts is compared with single modules both ways. Feasible counts, labelled as
`Problem.labelled` does it, are an allocation that the guard accepts; and the counts of an
allocation that it accepts are feasible: so model and guard allow the same up to swaps of modules
that are alike, and every count can be labelled.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise, product
from typing import Any, NamedTuple

import z3

from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, implies, ints, or_
from proofs.lemmas import cp_sat_terms
from proofs.obligation import PROVED, Claim, Obligation
from verified_alloc.decide.demand import Asked, strictly
from verified_alloc.decide.policies import constraint
from verified_alloc.decide.policies.constraint import Model, Stages
from verified_alloc.decide.policies.problem import Problem
from verified_alloc.kernel import guard, ops
from verified_alloc.station.faults import Faults, usable_after
from verified_alloc.station.model import Station
from verified_alloc.station.parts import POLICIES

BUDGET = 60_000_000
MOST_SETS = 6
"""With more guns, not every set of guns that want power is taken, but one of every size."""


PROBLEMS = 12


class Case(NamedTuple):
    """A station, what is out of order there, and who wants power."""

    station: Station
    faults: Faults
    wanting: tuple[int, ...]
    """In the order of service, from 0."""
    binding: bool
    """They want more than the site limit."""

    def problem(self, demand_w: Mapping[int, int]) -> Problem:
        """The problem with these demands."""
        asked_w = tuple(demand_w.get(gun, 0) for gun in range(len(self.station.guns)))
        others = [gun for gun in range(len(self.station.guns)) if gun not in self.wanting]
        order = tuple(gun + 1 for gun in (*self.wanting, *others))
        return Problem(self.station, Asked(asked_w, asked_w, order), self.faults)

    def __str__(self) -> str:
        guns = ", ".join(str(gun + 1) for gun in self.wanting)
        limit = ", the site limit binds" if self.binding else ""
        return f"{self.station.name}, guns {guns} want power, {self.faults}{limit}"


def unfed(station: Station) -> Station:
    """Without feeders: what they add to the model is left to the tests, and every answer of it to
    the guard."""
    return replace(station, feeders=())


def faults_of(station: Station) -> Iterator[Faults]:
    """Partial matrices: a contactor that failed open, a module and a gun out, a weld."""
    (gun, module), *_, (last_gun, last_module) = station.contactors
    yield Faults(failed_open={(gun, module)})
    yield Faults(modules={last_module}, guns={last_gun})
    middle = station.contactors[len(station.contactors) // 2]
    yield Faults(welded={middle}, failed_open={(last_gun, last_module)} - {middle})


def as_it_is(station: Station) -> Iterator[Case]:
    """All sets of guns that want power; all of them in another order of service."""
    guns = tuple(range(len(station.guns)))
    free = replace(unfed(station), site_limit_w=None)
    for size in range(1, len(guns) + 1):
        for wanting in combinations(guns, size):
            yield Case(free, Faults(), wanting, False)
            if len(guns) > MOST_SETS:
                break
    yield Case(free, Faults(), guns[::-1], False)


def faulty(station: Station) -> Iterator[Case]:
    """All guns under each fault, in two orders of service."""
    guns = tuple(range(len(station.guns)))
    for faults in faults_of(station):
        yield Case(replace(unfed(station), site_limit_w=None), faults, guns, False)
        yield Case(replace(unfed(station), site_limit_w=None), faults, guns[::-1], False)


def limited(station: Station) -> Iterator[Case]:
    """All guns with a site limit, the station's own or half of their maxima: it binds, with and
    without faults, or it does not; also where less than a module's power is of no use."""
    guns = tuple(range(len(station.guns)))
    limit_w = station.site_limit_w or sum(station.gun_max_w) // 2
    station = replace(unfed(station), site_limit_w=limit_w)
    yield Case(station, Faults(), guns, False)
    for faults in (Faults(), *faults_of(station)):
        yield Case(station, faults, guns, True)
    policy = replace(station.policy, minimum_power_w=max(station.module_power_w))
    yield Case(replace(station, policy=policy), Faults(), guns, True)


def distinct(cases: Iterable[Case]) -> list[tuple[Case, Model]]:
    """The cases with their models; where guns are only named otherwise, one of them."""
    seen: set[tuple[Any, ...]] = set()
    found = []
    for case in cases:
        model = constraint.base(case.problem(_demands(case, 1)))
        alike = tuple(
            (each.modules, each.power_w, tuple(case.wanting.index(gun) for gun in each.costs))
            for each in model.problem.classes
        )
        maxima = tuple(case.station.gun_max_w[gun] for gun in case.wanting)
        serving_w = sum(case.station.gun_max_w[gun] for gun in model.problem.order)
        if case.binding and serving_w <= case.station.limit_w:
            continue  # the guns that are left cannot want so much
        station = case.station
        key = (station.limit_w, station.policy.minimum_power_w, case.binding, alike, maxima)
        if key not in seen and model.problem.order:
            seen.add(key)
            found.append((case, model))
    return found


def _demands(case: Case, seed: int) -> dict[int, int]:
    """Some demands of the guns that want power: below their maxima, or beyond; together within the
    site limit or not, as the case says."""
    chance = random.Random(seed)
    maxima = case.station.gun_max_w
    if case.binding:
        return {gun: maxima[gun] + chance.randint(-1000, 1000) for gun in case.wanting}
    each_w = min(case.station.limit_w // len(case.wanting), min(maxima))
    return {gun: chance.randint(1, each_w) for gun in case.wanting}


def holds_demands_only_as_bounds(case: Case, model: Model) -> bool:
    """Models of other demands are the same but for the domains of the delivered powers, which end
    at the smaller of demand and maximum, and of the least useful ones, which are at most that."""
    for seed in range(1, 6):
        demand_w = dict.fromkeys(case.wanting, 1) if seed == 5 else _demands(case, seed)
        if seed == 5 and case.binding:
            continue
        other = constraint.base(case.problem(demand_w))
        wanted_w = {gun: min(w, case.station.gun_max_w[gun]) for gun, w in demand_w.items()}
        least_w = {gun: min(w, case.station.policy.minimum_power_w) for gun, w in wanted_w.items()}
        domains = _domains(other, wanted_w, least_w)
        variables = other.cp.proto.variables
        if {place: list(variables[place].domain) for place in domains} != domains:
            return False
        if _skeleton(other, domains) != _skeleton(model, domains):
            return False
    return True


def _domains(
    model: Model, wanted_w: Mapping[int, Any], least_w: Mapping[int, Any]
) -> dict[int, list[Any]]:
    """By variable, the domains that depend on the demands."""
    delivered = {of.index: [0, wanted_w[gun]] for gun, of in model.delivered_w.items()}
    return delivered | {of.index: [least_w[gun]] * 2 for gun, of in model.useful_w.items()}


def _skeleton(model: Model, domains: Iterable[int]) -> str:
    """The proto's text without these domains."""
    bare = model.cp.clone()
    for place in domains:
        bare.proto.variables[place].domain.clear()
    return str(bare.proto)


class Both(NamedTuple):
    """The world of one case: the guard's side as terms."""

    demand_w: list[Any]
    wanted_w: dict[int, Any]
    """By gun that wants power: the smaller of demand and maximum."""
    domains: dict[int, list[Any]]
    """By variable of the model, those that depend on the demands."""
    given: Any
    """What is known of the demands."""


def world(case: Case, model: Model) -> Both:
    """All demands of the guns that want power."""
    station = case.station
    demand_w = ints("demand", len(station.guns))
    wanted_w = {
        gun: z3.If(demand_w[gun] < station.gun_max_w[gun], demand_w[gun], station.gun_max_w[gun])
        for gun in model.problem.order
    }
    total_w = z3_terms.total(wanted_w.values())
    minimum_w = station.policy.minimum_power_w
    least_w = {gun: z3.If(w < minimum_w, w, minimum_w) for gun, w in wanted_w.items()}
    return Both(
        demand_w,
        wanted_w,
        _domains(model, wanted_w, least_w),
        and_(
            *[
                demand > 0 if gun in case.wanting else demand == 0
                for gun, demand in enumerate(demand_w)
            ],
            total_w > station.limit_w if case.binding else total_w <= station.limit_w,
        ),
    )


def verdict(case: Case, held: Any, delivered_w: Sequence[Any], of: Both) -> guard.Verdict:
    """The shipped guard on an allocation."""
    station, left = case.station, usable_after(case.station, case.faults)
    return guard.judge(
        z3_terms,
        held,
        delivered_w,
        of.demand_w,
        station.gun_max_w,
        station.module_power_w,
        left.usable,
        left.in_service,
        station.limit_w,
        station.policy.minimum_power_w,
    )


# From the model to the guard.


def labels(over: Any, model: Model, on: Mapping[tuple[int, int], Any]) -> list[list[Any]]:
    """`Problem.labelled` on any algebra: of each class, guns served before have the first
    modules."""
    station = model.problem.station
    held: list[list[Any]] = [[False] * len(station.modules) for _ in station.guns]
    for place, alike in enumerate(model.problem.classes):
        first: Any = 0
        for gun in model.problem.order:
            if (place, gun) in on:
                for position, module in enumerate(alike.modules):
                    held[gun][module] = over.and_(
                        first <= position, first + on[place, gun] > position
                    )
                first = first + on[place, gun]
    return held


def labels_as_shipped(model: Model) -> bool:
    """`labels` gives what `Problem.labelled` gives: for all counts of a class where these are not
    too many, and for 100 random ones of all classes."""
    chance = random.Random(1)
    keys = list(model.on)
    for place, alike in enumerate(model.problem.classes):
        mine = [key for key in keys if key[0] == place]
        sizes = range(len(alike.modules) + 1)
        for counts in product(sizes, repeat=len(mine)) if len(sizes) ** len(mine) < 1000 else ():
            if sum(counts) <= len(alike.modules) and not _labelled_alike(
                model, dict(zip(mine, counts, strict=True))
            ):
                return False
    for _ in range(100):
        on = {}
        for place, alike in enumerate(model.problem.classes):
            left = len(alike.modules)
            for key in (key for key in keys if key[0] == place):
                on[key] = chance.randint(0, left)
                left -= on[key]
        if not _labelled_alike(model, on):
            return False
    return True


def _labelled_alike(model: Model, on: Mapping[tuple[int, int], int]) -> bool:
    shipped = model.problem.choice(model.problem.labelled(on), {}).held
    return shipped == labels(ops, model, {key: on.get(key, 0) for key in model.on})


def sound(case: Case, model: Model) -> list[Any]:
    """Every feasible point, labelled, is accepted: condition by condition."""
    of, proto = world(case, model), model.cp.proto
    terms = cp_sat_terms.variables(proto)
    feasible = cp_sat_terms.translate(proto, terms, of.domains).feasible()
    on = {key: terms[variable.index] for key, variable in model.on.items()}
    delivered_w: list[Any] = [z3.IntVal(0)] * len(case.station.guns)
    for gun, variable in model.delivered_w.items():
        delivered_w[gun] = terms[variable.index]
    accepted = verdict(case, labels(z3_terms, model, on), delivered_w, of)
    goals = [part for condition in accepted for part in _parts(condition)]
    return [implies(and_(of.given, *feasible), goal) for goal in goals]


def _parts(condition: Any) -> list[Any]:
    if z3.is_expr(condition) and z3.is_and(condition):
        return [part for child in condition.children() for part in _parts(child)]
    return [condition]


# From the guard to the model.


def complete(case: Case, model: Model) -> list[Any]:
    """The counts of every accepted allocation are feasible: rule by rule. A variable that is
    neither count nor power is true exactly if the rule that it enforces alone is kept."""
    of, proto, station = world(case, model), model.cp.proto, case.station
    held = bools("held", len(station.guns), len(station.modules))
    delivered_w = ints("delivered", len(station.guns))
    terms: list[Any] = [None] * len(proto.variables)
    about: list[set[int]] = [set() for _ in terms]
    for (place, gun), variable in model.on.items():
        modules = model.problem.classes[place].modules
        terms[variable.index] = z3_terms.count(held[gun][module] for module in modules)
        about[variable.index] = {gun}
    for gun, variable in model.delivered_w.items():
        terms[variable.index], about[variable.index] = delivered_w[gun], {gun}
    for gun, variable in model.useful_w.items():
        terms[variable.index], about[variable.index] = of.domains[variable.index][0], {gun}
    free = cp_sat_terms.variables(proto)
    for rule in cp_sat_terms.translate(proto, free).rules:
        if len(rule.enforced) == 1 and rule.enforced[0] >= 0 and terms[rule.enforced[0]] is None:
            known = [(free[v], terms[v]) for v in rule.variables if terms[v] is not None]
            kept = z3.substitute(rule.body, *known)
            terms[rule.enforced[0]] = z3.If(kept, z3.IntVal(1), z3.IntVal(0))
            about[rule.enforced[0]] = set().union(*(about[v] for v in rule.variables))
    model_on = cp_sat_terms.translate(proto, terms, of.domains)
    accepted = verdict(case, held, delivered_w, of)
    goals = [(domain, about[place]) for place, domain in enumerate(model_on.domains)]
    goals += [
        (rule.holds, set().union(*(about[v] for v in rule.variables))) for rule in model_on.rules
    ]
    # What concerns one gun follows from what the guard says of that gun (it says it of all).
    of_gun = {
        gun: and_(of.given, *_says_of_gun(case, held, delivered_w, of, gun))
        for gun in model.problem.order
    }
    not_below_0 = and_(*[power_w >= 0 for power_w in delivered_w])
    together = and_(of.given, accepted.exclusive, accepted.within_limit, not_below_0)
    return [
        implies(accepted.fitting, not_below_0),
        *[
            implies(of_gun[min(guns)], goal) if len(guns) == 1 else _adding_up(together, goal, held)
            for goal, guns in goals
        ],
    ]


def _says_of_gun(
    case: Case, held: Any, delivered_w: Sequence[Any], of: Both, gun: int
) -> tuple[Any, ...]:
    """Conditions 2 to 4 and 6 of the shipped guard, for one gun."""
    station, left = case.station, usable_after(case.station, case.faults)
    one = guard.judge(
        z3_terms,
        [held[gun]],
        [delivered_w[gun]],
        [of.demand_w[gun]],
        [station.gun_max_w[gun]],
        station.module_power_w,
        [left.usable[gun]],
        [left.in_service[gun]],
        station.limit_w,
        station.policy.minimum_power_w,
    )
    return one.usable, one.wanted, one.fitting, one.useful


def _adding_up(given: Any, goal: Any, held: Any) -> Any:
    """Sums over guns: what holds whatever numbers stand for the bits' ones and zeros, if none is
    below 0, holds for them."""
    bits = [bit for row in held for bit in row]
    numbers = [(z3.If(bit, 1, 0), z3.Int(f"{bit} as a number")) for bit in bits]
    given = and_(given, *[number >= 0 for _, number in numbers])
    return z3.substitute(implies(given, goal), *numbers)


def allows_what_the_guard_accepts(
    cases: Callable[[Station], Iterator[Case]],
) -> Callable[[Station], Claim]:
    """Both ways, in every case."""

    def claim(station: Station) -> Claim:
        goals: list[Any] = []
        found = distinct(cases(station))
        for case, model in found:
            goals.append(holds_demands_only_as_bounds(case, model))
            goals.append(labels_as_shipped(model))
            goals += sound(case, model)
            goals += complete(case, model)
        possible = [(f"demands where {case}", world(case, model).given) for case, model in found]
        return Claim((), and_(*goals), None, (*possible, *_covers(*found[-1])))

    return claim


def _covers(case: Case, model: Model) -> Iterator[tuple[str, Any]]:
    """Both sides allow something."""
    of, proto = world(case, model), model.cp.proto
    terms = cp_sat_terms.variables(proto)
    on = [terms[variable.index] > 0 for variable in model.on.values()]
    feasible = cp_sat_terms.translate(proto, terms, of.domains).feasible()
    yield "a solution with modules on guns", and_(of.given, *feasible, or_(*on))
    first = case.wanting[0]
    more = of.demand_w[first] > case.station.gun_max_w[first]
    yield "a gun wants more than its maximum", and_(of.given, more)
    held = bools("held", len(case.station.guns), len(case.station.modules))
    accepted = verdict(case, held, ints("delivered", len(held)), of)
    bits = [bit for row in held for bit in row]
    yield "an accepted allocation with modules on guns", and_(of.given, *accepted, or_(*bits))


# Objective after objective.


class Watched(Stages):
    """The shipped stages, with the proto as it is after each."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.protos = [model.cp.clone().proto]

    def put(self, objective: constraint.Objective) -> None:
        """As shipped."""
        super().put(objective)
        self.protos.append(self.model.cp.clone().proto)


def only_adds(before: Any, after: Any) -> bool:
    """All variables and constraints of a model are in the next one, as they were."""
    return all(
        [str(each) for each in new][: len(old)] == [str(each) for each in old]
        for old, new in (
            (before.variables, after.variables),
            (before.constraints, after.constraints),
        )
    )


def is_optimum(proto: Any) -> Any:
    """The last constraint keeps an objective at a value; no solution of the others exceeds it."""
    terms = cp_sat_terms.variables(proto)
    model = cp_sat_terms.translate(proto, terms)
    value, kept = cp_sat_terms.kept(proto.constraints[len(proto.constraints) - 1], terms)
    others = [*model.domains, *(rule.holds for rule in model.rules[:-1])]
    return implies(and_(*others), value <= kept)


def each_stage_keeps_its_optimum(station: Station) -> Claim:
    """Random demands and faults, every policy of the solver."""
    chance = random.Random(1)
    goals: list[Any] = []
    last: Any = None
    faults = [Faults(), *faults_of(station)]
    for number in range(PROBLEMS):
        demand_w = [
            chance.choice((0, chance.randint(1, most_w), most_w)) for most_w in station.gun_max_w
        ]
        asked = Problem(unfed(station), strictly(demand_w), faults[number % len(faults)])
        if not asked.classes:
            continue
        policy = constraint_policies()[number % len(constraint_policies())]
        stages = Watched(constraint.base(asked))
        for objective in constraint.objectives(stages.model, policy):
            stages.put(objective)
        constraint.label(stages)
        goals += [only_adds(*pair) for pair in pairwise(stages.protos)]
        goals += [is_optimum(proto) for proto in stages.protos[1:]]
        last = stages.protos[-1]
    terms = cp_sat_terms.variables(last)
    answer = and_(*cp_sat_terms.translate(last, terms).feasible())
    return Claim((), and_(*goals), None, (("the last model has a solution", answer),))


def constraint_policies() -> list[str]:
    """The policies that a solver answers."""
    return [name for name in POLICIES if name != "documented"]


def _allows(name: str, where: str, cases: Any, domain: str) -> Obligation:
    return Obligation(
        f"constraint.allows-what-the-guard-accepts{name}",
        f"{where} the model that OR-Tools is given allows exactly the allocations that the guard"
        " accepts, up to swaps of modules that are alike, and every count of modules that it finds"
        " can be labelled.",
        ("guard.judge",),
        domain,
        (),
        PROVED,
        BUDGET,
        allows_what_the_guard_accepts(cases),
    )


OBLIGATIONS: tuple[Obligation, ...] = (
    _allows(
        "",
        "On the station as it is",
        as_it_is,
        "the station's matrix, without feeders; all demands, every set of guns that wants power"
        " (beyond 6 guns one of each size)",
    ),
    _allows(
        ".partial",
        "On what faults leave of it",
        faulty,
        "three faulty matrices; all demands of all guns, in two orders",
    ),
    _allows(
        ".site-limit",
        "With a site limit",
        limited,
        "the station's site limit or half of all maxima, binding or not; its least useful power or"
        " a module's; its matrix and three faulty ones; all demands of all guns",
    ),
    Obligation(
        "constraint.each-stage-keeps-its-optimum",
        "Each objective only adds constraints to the model, and keeps a value that no solution"
        f" exceeds: Z3 agrees with OR-Tools on {PROBLEMS} random problems.",
        ("guard.judge",),
        "random demands of this station, three kinds of faults or none, every policy of the solver",
        (),
        PROVED,
        BUDGET,
        each_stage_keeps_its_optimum,
    ),
)
