"""Why a gun is given no more: the fewest things that cannot be had together with more for it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from verified_alloc.decide.policies import constraint
from verified_alloc.decide.policies.problem import NoAnswer, Problem


class Conflict(NamedTuple):
    """More for a gun, what these other guns have and, if so, the site limit and the feeders' cannot
    be had together; without any one of them it could. Guns are counted from 0."""

    guns: tuple[int, ...]
    within_limit: bool
    within_feeders: bool


def of_power(problem: Problem, delivered_w: Mapping[int, int], gun: int) -> Conflict:
    """What stands against 1 W more for a gun, the other guns keeping what they are delivered."""

    def possible(asked: Problem, keeping: tuple[int, ...]) -> bool:
        model = constraint.base(asked)
        model.cp.add(model.delivered_w[gun] >= delivered_w[gun] + 1)
        for other in keeping:
            model.cp.add(model.delivered_w[other] >= delivered_w[other])
        return _has_solution(model)

    return _least(problem, gun, possible)


def of_guarantee(problem: Problem, counts: Mapping[int, int], gun: int) -> Conflict:
    """What stands against one more of the modules guaranteed to a gun, the other guns keeping those
    that they have of theirs."""

    def possible(asked: Problem, keeping: tuple[int, ...]) -> bool:
        model = constraint.base(asked)
        model.cp.add(model.modules(gun) >= counts[gun] + 1)
        for other in keeping:
            kept = min(counts[other], problem.guaranteed[other])
            model.cp.add(model.modules(other) >= kept)
        return _has_solution(model)

    return _least(problem, gun, possible)


def _least(
    problem: Problem, gun: int, possible: Callable[[Problem, tuple[int, ...]], bool]
) -> Conflict:
    """Leaves out what the conflict does not need: the feeders, the limit, then the guns, last
    served first."""
    guns = tuple(other for other in problem.order if other != gun)
    asked, bounds = problem, []
    for bound in ({"feeders": ()}, {"site_limit_w": None}):
        without = replace(asked, station=replace(asked.station, **bound))
        bounds.append(possible(without, guns))
        asked = asked if bounds[-1] else without
    within_feeders, within_limit = bounds
    for other in reversed(guns):
        fewer = tuple(kept for kept in guns if kept != other)
        if not possible(asked, fewer):
            guns = fewer
    return Conflict(guns, within_limit, within_feeders)


def _has_solution(model: constraint.Model) -> bool:
    from ortools.sat.python import cp_model

    solver = constraint.solver_for(constraint.LIMIT)
    status = solver.solve(model.cp)
    if status == cp_model.INFEASIBLE:
        return False
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return True
    raise NoAnswer(f"CP-SAT says {solver.status_name(status)}")
