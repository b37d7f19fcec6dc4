"""The check of optimality against every other allocation there is, good or bad."""

from itertools import islice

import pytest
from decide.policies.brute_force import Case, assignments, best, bounds_w, in_order, some_case

from verified_alloc.decide.demand import strictly
from verified_alloc.decide.policies.optimality import is_optimal
from verified_alloc.decide.policies.problem import Problem
from verified_alloc.kernel.rule import Choice

POLICIES = ("priority", "max-power", "fair")


def problem(case: Case) -> Problem:
    asked = strictly([case.demand_w[gun.id] for gun in case.station.guns])
    return Problem(
        case.station, asked, case.faults, current=frozenset(case.closed()), wear=case.wear
    )


def choice(case: Case, held: dict[int, tuple[int, ...]], delivered_w: dict[int, int]) -> Choice:
    grid = case.station.grid((gun, module) for gun, row in held.items() for module in row)
    return Choice([list(row) for row in grid], [delivered_w[gun.id] for gun in case.station.guns])


def cost(case: Case, held: dict[int, tuple[int, ...]]) -> tuple[int, int]:
    """Operations and wear of moving there."""
    pairs = {(gun, module) for gun, modules in held.items() for module in modules}
    moved = (pairs ^ case.closed()) - case.faults.welded - case.faults.failed_open
    return len(moved), sum(case.wear.get(pair, 0) for pair in moved)


@pytest.mark.parametrize("seed", range(150))
def test_exactly_the_optimal_ones(seed: int) -> None:
    case = some_case(seed, most_guns=3, most_modules=5)
    question, answers = problem(case), best(case)
    for policy in POLICIES:
        optimum = answers[policy]
        for held in islice(assignments(case), 300):
            bounds = bounds_w(case, held)
            if bounds is None:
                continue
            delivered_w = in_order(case, bounds)
            verdict = is_optimal(question, policy, choice(case, held, delivered_w))
            equal = cost(case, held) == cost(case, optimum.modules)
            if verdict is not None:
                assert verdict == (delivered_w == optimum.delivered_w and equal)
            elif question.equal_w is not None:
                assert case.station.site_limit_w is not None


def test_a_gun_that_is_given_less_than_it_could_be_refutes() -> None:
    case = next(
        case
        for case in map(some_case, range(1000))
        if case.station.site_limit_w is None and problem(case).equal_w and problem(case).order
    )
    for policy, answer in best(case).items():
        gun = max(answer.delivered_w, key=lambda number: answer.delivered_w[number])
        less = answer.delivered_w | {gun: answer.delivered_w[gun] - 1}
        assert is_optimal(problem(case), policy, choice(case, answer.modules, less)) is False
