"""The translator against CP-SAT itself: the same solutions, one by one."""

import random
from typing import Any

import pytest
import z3
from ortools.sat.python import cp_model

from proofs.lemmas import cp_sat_terms


class Every(cp_model.CpSolverSolutionCallback):
    """Collects all solutions."""

    def __init__(self, variables: list[Any]) -> None:
        super().__init__()
        self.variables = variables
        self.found: set[tuple[int, ...]] = set()

    def on_solution_callback(self) -> None:
        self.found.add(tuple(self.value(variable) for variable in self.variables))


def by_cp_sat(model: cp_model.CpModel, variables: list[Any]) -> set[tuple[int, ...]]:
    solver = cp_model.CpSolver()
    solver.parameters.enumerate_all_solutions = True
    every = Every(variables)
    solver.solve(model, every)
    return every.found


def differs(model: cp_model.CpModel, solutions: set[tuple[int, ...]]) -> z3.CheckSatResult:
    """Whether some point is a solution of the translation and not one of these, or the other way
    round."""
    terms = cp_sat_terms.variables(model.proto)
    feasible = z3.And(*cp_sat_terms.translate(model.proto, terms).feasible())
    points = [z3.And(*map(z3.ArithRef.__eq__, terms, point)) for point in solutions]
    solver = z3.Solver()
    solver.add(feasible != z3.Or(z3.BoolVal(False), *points))
    return solver.check()


def some_model(chance: random.Random) -> tuple[cp_model.CpModel, list[Any]]:
    """Numbers, one with a gap in its domain, and bits; one constraint of every kind that is known,
    some of them enforced."""
    model = cp_model.CpModel()
    numbers = [model.new_int_var(-1, 3, f"n{place}") for place in range(2)]
    gap = cp_model.Domain.from_intervals([(-2, -1), (2, 3)])
    numbers.append(model.new_int_var_from_domain(gap, "gap"))
    bits = [model.new_bool_var(f"b{place}") for place in range(3)]
    literals = [bit if chance.random() < 0.5 else ~bit for bit in bits]

    def number() -> Any:
        chosen = chance.sample(numbers, 2)
        return chosen[0] * chance.choice((-2, 1, 3)) + chosen[1] + chance.randint(-1, 1)

    kinds: list[Any] = [
        lambda: model.add(number() <= chance.randint(0, 4)),
        lambda: model.add(number() != chance.randint(0, 2)),
        lambda: model.add_linear_expression_in_domain(
            number(), cp_model.Domain.from_intervals([(-3, 0), (2, 5)])
        ),
        lambda: model.add_bool_or(literals),
        lambda: model.add_bool_and(literals[:2]),
        lambda: model.add_bool_xor(literals),
        lambda: model.add_at_most_one(literals),
        lambda: model.add_exactly_one(literals),
        lambda: model.add_max_equality(numbers[0], [number(), numbers[1], 1]),
        lambda: model.add_min_equality(numbers[0], [numbers[1], numbers[2]]),
        lambda: model.add_element(numbers[0], [2, numbers[1], numbers[2]], numbers[1]),
        lambda: model.add_all_different(numbers),
    ]
    for kind in chance.sample(kinds, 3):
        constraint = kind()
        if kind in kinds[:5] and chance.random() < 0.6:
            constraint.only_enforce_if(chance.choice(literals))
    return model, [*numbers, *bits]


@pytest.mark.parametrize("seed", range(25))
def test_it_has_the_solutions_that_cp_sat_finds(seed: int) -> None:
    model, variables = some_model(random.Random(seed))
    assert model.validate() == ""
    solutions = by_cp_sat(model, variables)
    assert differs(model, solutions) == z3.unsat
    if solutions:
        assert differs(model, set(list(solutions)[1:])) == z3.sat


def test_a_kind_that_is_not_known_is_refused() -> None:
    model = cp_model.CpModel()
    numbers = [model.new_int_var(0, 3, f"n{place}") for place in range(2)]
    model.add_allowed_assignments(numbers, [(0, 1), (2, 3)])
    with pytest.raises(cp_sat_terms.Untranslatable, match="unknown kind"):
        cp_sat_terms.translate(model.proto, cp_sat_terms.variables(model.proto))


def test_a_sum_that_may_be_several_values_is_not_kept() -> None:
    model = cp_model.CpModel()
    numbers = [model.new_int_var(0, 3, f"n{place}") for place in range(2)]
    model.add(numbers[0] + 2 * numbers[1] == 4)
    model.add_linear_constraint(numbers[0] + numbers[1], 3, 4)
    one, several = model.proto.constraints
    terms = cp_sat_terms.variables(model.proto)
    value, kept = cp_sat_terms.kept(one, terms)
    assert kept == 4
    assert z3.is_true(z3.simplify(value == terms[0] + 2 * terms[1]))
    with pytest.raises(cp_sat_terms.Untranslatable, match="one value"):
        cp_sat_terms.kept(several, terms)
