"""Any station by constraint programming, OR-Tools' CP-SAT: the reference for every policy, and the
only one for modules of unequal power.

The model counts the modules of each class on each gun, so that no two solutions differ by a swap of
modules that are alike. Its constraints allow exactly what the guard accepts. The objectives are
put one after another, each solved to its proved optimum and then kept. One worker, a fixed seed and
a limit in deterministic time: the same question has the same answer, always and everywhere.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from verified_alloc.decide.policies.problem import Answer, NoAnswer, Problem, Stage

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, CpSolver, IntVar, LinearExprT

LIMIT = 0.5
"""Deterministic seconds of CP-SAT for all stages together, 3 to 4 real ones on x86-64: twice the
most that any of 180 random questions of 6 guns and 9 unequal modules took, 800 times the median."""
DIGITS = 30
"""Modules that one objective of the labels tells apart; their weights are powers of 2."""


class Model(NamedTuple):
    """The model for a problem. Where nothing is to be decided there is no variable."""

    problem: Problem
    cp: "CpModel"
    on: "Mapping[tuple[int, int], IntVar]"
    """`on[class, gun]`: how many modules of that class are on that gun."""
    delivered_w: "Mapping[int, IntVar]"
    """By gun that wants power."""
    useful_w: "Mapping[int, IntVar]"
    """By gun, the least useful power of those that it may have, a variable of that one value; none
    where any power is useful."""

    def modules(self, gun: int) -> "LinearExprT":
        """How many modules are on a gun."""
        return sum(on for (_, on_gun), on in self.on.items() if on_gun == gun)

    def power_w(self, gun: int) -> "LinearExprT":
        """The power of the modules on a gun, W."""
        return sum(
            self.problem.classes[place].power_w * on
            for (place, on_gun), on in self.on.items()
            if on_gun == gun
        )


# --- what the guard accepts ----------------------------------------------------------------------


def base(problem: Problem) -> Model:
    """The constraints without any objective. With `problem.labelled` for the numbers, the
    solutions are exactly the allocations that the guard accepts, up to swaps of modules that are
    alike; a module goes to no gun that wants nothing, because there is no variable for it."""
    from ortools.sat.python.cp_model import CpModel

    cp = CpModel()
    model = Model(
        problem,
        cp,
        {
            (place, gun): cp.new_int_var(0, len(alike.modules), f"class {place} on gun {gun}")
            for place, alike in enumerate(problem.classes)
            for gun in alike.costs
        },
        {
            gun: cp.new_int_var(0, wanted_w, f"delivered to gun {gun}")
            for gun, wanted_w in problem.wanted_w.items()
        },
        {
            gun: cp.new_int_var(useful_w, useful_w, f"useful to gun {gun}")
            for gun, useful_w in problem.useful_w.items()
            if problem.minimum_w
        },
    )
    one_gun_for_a_module(model)
    within_its_modules(model)
    no_useless_last_module(model)
    within_the_limit(model)
    useful_or_nothing(model)
    within_the_feeders(model)
    return model


def one_gun_for_a_module(model: Model) -> None:
    """(1) Of no class are more modules on guns than it has; (2) and (3) only on guns that can use
    them and want power."""
    for place, alike in enumerate(model.problem.classes):
        model.cp.add(sum(model.on[place, gun] for gun in alike.costs) <= len(alike.modules))


def within_its_modules(model: Model) -> None:
    """(4) A gun is delivered at most the power of its modules (and, as the variable's domain, what
    it wants)."""
    for gun, delivered_w in model.delivered_w.items():
        model.cp.add(delivered_w <= model.power_w(gun))


def no_useless_last_module(model: Model) -> None:
    """(4) Without its highest-numbered module a gun could not be given what it is.

    Which power that module has is known by the last run of modules that the gun has any of; modules
    of one power need no such distinction, and a gun without modules fulfils it as it is.
    """
    for gun, delivered_w in model.delivered_w.items():
        runs = _runs_of(model, gun)
        without_last_w = [model.power_w(gun) - power_w for power_w, _ in runs]
        if len(runs) == 1:
            model.cp.add(delivered_w >= without_last_w[0] + 1)
            continue
        has = [model.cp.new_bool_var(f"gun {gun} has any of run {run}") for run in range(len(runs))]
        for run, (_, count) in enumerate(runs):
            model.cp.add(sum(count) >= 1).only_enforce_if(has[run])
            model.cp.add(sum(count) == 0).only_enforce_if(~has[run])
            model.cp.add(delivered_w >= without_last_w[run] + 1).only_enforce_if(
                has[run], *(~later for later in has[run + 1 :])
            )


def _runs_of(model: Model, gun: int) -> "list[tuple[int, list[IntVar]]]":
    """The modules that a gun can use, by number, in runs of equal power: that power, and the counts
    of its classes on the gun."""
    by_run: dict[int, list[int]] = {}
    for place, on_gun in model.on:
        if on_gun == gun:
            by_run.setdefault(model.problem.classes[place].run, []).append(place)
    runs: list[tuple[int, list[IntVar]]] = []
    for _, places in sorted(by_run.items()):
        power_w = model.problem.classes[places[0]].power_w
        if not runs or runs[-1][0] != power_w:
            runs.append((power_w, []))
        runs[-1][1].extend(model.on[place, gun] for place in places)
    return runs


def within_the_limit(model: Model) -> None:
    """(5) The total is within the site limit."""
    if model.problem.limit_binds:
        model.cp.add(sum(model.delivered_w.values()) <= model.problem.limit_w)


def useful_or_nothing(model: Model) -> None:
    """(6) A gun is delivered the least useful power at least, or that of all its modules, which is
    nothing without any.

    Where every module has twice the least useful power, that is a straight line: with one module it
    is the least useful power, with more it stays below what (4) asks for.
    """
    minimum_w = model.problem.minimum_w
    for gun, useful_w in model.useful_w.items():
        delivered_w = model.delivered_w[gun]
        if all(power_w >= 2 * minimum_w for power_w, _ in _runs_of(model, gun)):
            model.cp.add(delivered_w - useful_w >= minimum_w * (model.modules(gun) - 1))
            continue
        is_useful = model.cp.new_bool_var(f"useful to gun {gun}")
        model.cp.add(delivered_w >= useful_w).only_enforce_if(is_useful)
        model.cp.add(delivered_w >= model.power_w(gun)).only_enforce_if(~is_useful)


def within_the_feeders(model: Model) -> None:
    """(7) No feeder has to give its modules' guns more than its limit: of each gun what it is
    delivered, or the power of its modules there, whichever is less."""
    for place, supply in enumerate(model.problem.station.kernel_feeders):
        shares_w = []
        for gun, delivered_w in model.delivered_w.items():
            power_w = sum(
                alike.power_w * model.on[number, gun]
                for number, alike in enumerate(model.problem.classes)
                if place in alike.feeders and gun in alike.costs
            )
            share_w = model.cp.new_int_var(0, supply.limit_w, f"feeder {place} to gun {gun}")
            is_all = model.cp.new_bool_var(f"feeder {place} may give gun {gun} all")
            model.cp.add(share_w >= delivered_w).only_enforce_if(is_all)
            model.cp.add(share_w >= power_w).only_enforce_if(~is_all)
            shares_w.append(share_w)
        model.cp.add(sum(shares_w) <= supply.limit_w)


# --- objectives ----------------------------------------------------------------------------------


class Objective(NamedTuple):
    """What is to be as large as possible, and what it cannot exceed, where that is known."""

    name: str
    value: "LinearExprT"
    at_most: int | None = None


def objectives(model: Model, policy: str) -> Iterator[Objective]:
    """The objectives of a policy up to the labels, in their order."""
    yield from guarantee(model)
    if policy == "max-power":
        yield total(model)
    if policy == "fair":
        yield from smallest_first(model)
    yield from gun_by_gun(model)
    yield from fewest(model)


def guarantee(model: Model) -> Iterator[Objective]:
    """The sorted counts of what the guns have of the modules that they are to have at least, from
    the smallest: how many guns have one, then how many two, and so on. Then the same gun by gun in
    order; and where the site limit binds, what is lacking of that much power in all."""
    cp = model.cp
    least = {gun: modules for gun, modules in model.problem.guaranteed.items() if modules}
    if not least:
        return
    has = {
        gun: [cp.new_bool_var(f"gun {gun} has guaranteed {number}") for number in range(modules)]
        for gun, modules in least.items()
    }
    for gun, bits in has.items():
        for bit, following in pairwise(bits):
            cp.add(following <= bit)
        cp.add(sum(bits) <= model.modules(gun))
    for number in range(max(least.values())):
        guns = [bits[number] for bits in has.values() if number < len(bits)]
        yield Objective(f"guns with {number + 1} guaranteed modules", sum(guns), len(guns))
    for gun, bits in has.items():
        yield Objective(f"guaranteed modules of gun {gun + 1}", sum(bits), least[gun])
    if model.problem.limit_binds:
        yield lacking(model)


def lacking(model: Model) -> Objective:
    """What the guns are delivered less, in all, than guaranteed modules could give them. Left to
    itself the search would lower that watt by watt."""
    from ortools.sat.python.cp_model import CHOOSE_FIRST, SELECT_MIN_VALUE

    lacking_w = []
    for gun, power_w in model.problem.guaranteed_w.items():
        lacking_w.append(model.cp.new_int_var(0, power_w, f"lacking to gun {gun}"))
        model.cp.add(lacking_w[-1] >= power_w - model.delivered_w[gun])
    model.cp.add_decision_strategy(lacking_w, CHOOSE_FIRST, SELECT_MIN_VALUE)
    return Objective("lacking of guaranteed modules, W", -sum(lacking_w))


def total(model: Model) -> Objective:
    """The total delivered."""
    problem = model.problem
    at_most = min(problem.limit_w, sum(problem.wanted_w.values()))
    return Objective("delivered, W", sum(model.delivered_w.values()), at_most)


def smallest_first(model: Model) -> Iterator[Objective]:
    """The sorted delivered powers, from the smallest: the k-th is the largest power that all guns
    but k - 1 are delivered at least."""
    most_w = max(model.problem.wanted_w.values(), default=0)
    for below in range(len(model.delivered_w)):
        level_w = model.cp.new_int_var(0, most_w, f"level {below}")
        is_below = [model.cp.new_bool_var(f"gun {gun} below {below}") for gun in model.delivered_w]
        for delivered_w, exempt in zip(model.delivered_w.values(), is_below, strict=True):
            model.cp.add(delivered_w + most_w * exempt >= level_w)
        model.cp.add(sum(is_below) <= below)
        yield Objective(f"smallest but {below} delivered, W", level_w)


def gun_by_gun(model: Model) -> Iterator[Objective]:
    """What each gun is delivered, in order."""
    for gun, delivered_w in model.delivered_w.items():
        yield Objective(f"delivered to gun {gun + 1}, W", delivered_w, model.problem.wanted_w[gun])


def fewest(model: Model) -> Iterator[Objective]:
    """The most dwelling modules on their guns; the fewest modules used; the fewest operations; the
    least worn contactors. Left out where nothing is left to choose."""
    costs = {key: model.problem.classes[key[0]].costs[key[1]] for key in model.on}
    fixed = model.problem.equal_w is not None
    if any(cost.unreserved for cost in costs.values()):
        yield Objective(
            "dwelling modules",
            sum(-costs[key].unreserved * on for key, on in model.on.items()),
        )
    if not fixed:
        yield Objective("modules", -sum(model.on.values()))
    if not fixed or len({cost.operations for cost in costs.values()}) > 1:
        yield Objective(
            "operations", -sum(costs[key].operations * on for key, on in model.on.items())
        )
    if any(cost.wear for cost in costs.values()):
        yield Objective("wear", -sum(costs[key].wear * on for key, on in model.on.items()))


def solver_for(limit: float) -> "CpSolver":
    """A solver that answers the same always and everywhere, within that deterministic time."""
    from ortools.sat.python.cp_model import CpSolver

    solver = CpSolver()
    parameters = solver.parameters
    parameters.num_workers = 1
    parameters.random_seed = 0
    parameters.cp_model_presolve = False
    parameters.linearization_level = 2
    parameters.max_deterministic_time = limit
    return solver


# --- stage by stage ------------------------------------------------------------------------------


class Stages:
    """Solves a model for one objective after another, each kept at its optimum."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.solved: list[Stage] = []
        self._solver: CpSolver | None = None
        self._left = LIMIT

    def put(self, objective: Objective) -> None:
        """As large as it can be, from now on. `NoAnswer` if that is not found out."""
        if self._solver is not None and objective.at_most is not None:
            value = self._solver.value(objective.value)
            if value == objective.at_most:
                self._keep(objective, value)
                return
        self.model.cp.maximize(objective.value)
        self._keep(objective, self._solve(objective.name))

    def values(self, of: "Mapping[tuple[int, int], IntVar]") -> dict[tuple[int, int], int]:
        """What these variables are in the solution."""
        assert self._solver is not None
        return {key: self._solver.value(variable) for key, variable in of.items()}

    def delivered_w(self) -> dict[int, int]:
        """What each gun is delivered in the solution."""
        assert self._solver is not None
        return {gun: self._solver.value(it) for gun, it in self.model.delivered_w.items()}

    def _keep(self, objective: Objective, value: int) -> None:
        self.model.cp.add(objective.value == value)
        self.solved.append(Stage(objective.name, value, value))

    def _solve(self, name: str) -> int:
        from ortools.sat.python import cp_model

        solver = solver_for(self._left)
        status = solver.solve(self.model.cp)
        if status != cp_model.OPTIMAL:
            raise NoAnswer(f"{name}: CP-SAT says {solver.status_name(status)}")
        self._left -= solver.response_proto.deterministic_time
        self._solver = solver
        return round(solver.objective_value)


def label(stages: Stages) -> None:
    """Gun by gun in order, the smallest list of modules, ascending, as Python compares tuples.

    Each module that a gun could have stands for a bit, the lowest-numbered one for the highest. Of
    two lists the one with the larger number is the smaller: none is the beginning of another, since
    what the gun is delivered is known by now, and the guard refuses the longer one.
    """
    model = stages.model
    free = [list(alike.modules) for alike in model.problem.classes]
    for gun in model.problem.order:
        places = [place for place, on_gun in model.on if on_gun == gun and free[place]]
        on = stages.values({(place, gun): model.on[place, gun] for place in places})
        held = [module for place in places for module in free[place][: on[place, gun]]]
        candidates = sorted(module for place in places for module in free[place])
        if model.problem.equal_w is None or sorted(held) != candidates[: len(held)]:
            _smallest_list(stages, gun, {place: free[place] for place in places})
            on = stages.values({(place, gun): model.on[place, gun] for place in places})
        for place in places:
            model.cp.add(model.on[place, gun] == on[place, gun])
            del free[place][: on[place, gun]]


def _smallest_list(stages: Stages, gun: int, free: Mapping[int, list[int]]) -> None:
    cp = stages.model.cp
    has: dict[int, IntVar] = {}
    for place, modules in free.items():
        bits = [cp.new_bool_var(f"gun {gun} has {module}") for module in modules]
        for bit, following in pairwise(bits):
            cp.add(following <= bit)
        cp.add(sum(bits) == stages.model.on[place, gun])
        has |= zip(modules, bits, strict=True)
    modules = sorted(has)
    for first in range(0, len(modules), DIGITS):
        block = modules[first : first + DIGITS]
        number = sum(2**place * has[module] for place, module in enumerate(reversed(block)))
        stages.put(Objective(f"labels of gun {gun + 1}", number))


def solve(problem: Problem, policy: str) -> Answer:
    """The answer of a policy; `NoAnswer` if there is none."""
    stages = Stages(base(problem))
    for objective in objectives(stages.model, policy):
        stages.put(objective)
    label(stages)
    held = problem.labelled(stages.values(stages.model.on))
    choice = problem.choice(held, stages.delivered_w())
    return Answer(choice, "constraint", tuple(stages.solved))
