"""A model that allows too much or too little is found out, as are labels that are not its own."""

from collections.abc import Callable
from typing import Any

import pytest
from ortools.sat.python import cp_model

from proofs import constraint as proofs
from proofs import manifest, solver
from proofs.obligation import PROVED, REFUTED, Claim
from proofs.suite import prove
from verified_alloc import Station
from verified_alloc.decide.policies import constraint
from verified_alloc.decide.policies.constraint import Model
from verified_alloc.decide.policies.problem import Problem

ALLOWS = manifest.obligations()["constraint.allows-what-the-guard-accepts"]
LIMITED = manifest.obligations()["constraint.allows-what-the-guard-accepts.site-limit"]
KEEPS = manifest.obligations()["constraint.each-stage-keeps-its-optimum"]


@pytest.fixture(scope="module")
def tiny() -> Station:
    """Two guns, three modules, one of them of half the power."""
    return Station.from_tables(
        {
            "station": {
                "name": "tiny",
                "guns": 2,
                "modules": 3,
                "module_power_kw": 40,
                "gun_max_power_kw": 80,
            },
            "module": [{"id": 3, "power_kw": 20}],
        }
    )


def nothing(model: Model) -> None:
    """A rule that is left out."""


def one_module_fewer(model: Model) -> None:
    for place, alike in enumerate(model.problem.classes):
        model.cp.add(sum(model.on[place, gun] for gun in alike.costs) < len(alike.modules))


def a_bit_less(model: Model) -> None:
    for gun, delivered_w in model.delivered_w.items():
        model.cp.add(delivered_w < model.power_w(gun))


def useful_in_any_case(model: Model) -> None:
    for gun, useful_w in model.useful_w.items():
        model.cp.add(model.delivered_w[gun] >= useful_w)


def a_straight_line(model: Model) -> None:
    """Also where two modules have not twice the least useful power."""
    for gun, useful_w in model.useful_w.items():
        more_w = model.problem.minimum_w * (model.modules(gun) - 1)
        model.cp.add(model.delivered_w[gun] >= useful_w + more_w)


def no_module_for_low_demand(model: Model) -> None:
    for gun, wanted_w in model.problem.wanted_w.items():
        if wanted_w < 10_000:
            model.cp.add(model.modules(gun) == 0)


def a_demand_elsewhere(model: Model) -> None:
    """A constraint that forbids nothing, but would be another with other demands."""
    for gun, variable in model.delivered_w.items():
        model.cp.add(variable <= model.power_w(gun))
        model.cp.add(model.modules(gun) <= 1000 + model.problem.wanted_w[gun])


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("one_gun_for_a_module", nothing),
        ("one_gun_for_a_module", one_module_fewer),
        ("within_its_modules", nothing),
        ("within_its_modules", a_bit_less),
        ("within_its_modules", a_demand_elsewhere),
        ("no_useless_last_module", nothing),
        ("useful_or_nothing", nothing),
        ("useful_or_nothing", useful_in_any_case),
        ("useful_or_nothing", a_straight_line),
        ("within_the_limit", nothing),
        ("within_the_limit", no_module_for_low_demand),
    ],
)
def test_a_broken_model_is_red(
    monkeypatch: pytest.MonkeyPatch, tiny: Station, rule: str, broken: Callable[[Model], None]
) -> None:
    monkeypatch.setattr(constraint, rule, broken)
    of = LIMITED if rule == "within_the_limit" or broken == a_straight_line else ALLOWS
    assert prove.check(of, tiny).state == prove.RED


def test_the_shipped_model_is_green(tiny: Station) -> None:
    assert prove.check(ALLOWS, tiny).state == prove.GREEN
    assert prove.check(KEEPS, tiny).state == prove.GREEN


def test_other_labels_are_red(monkeypatch: pytest.MonkeyPatch, tiny: Station) -> None:
    shipped = Problem.labelled

    def from_the_end(self: Problem, on: Any) -> list[list[int]]:
        return [
            [module ^ 1 if module < 2 else module for module in row] for row in shipped(self, on)
        ]

    monkeypatch.setattr(Problem, "labelled", from_the_end)
    assert prove.check(ALLOWS, tiny).state == prove.RED


def test_a_stage_that_keeps_too_little_is_red(
    monkeypatch: pytest.MonkeyPatch, tiny: Station
) -> None:
    monkeypatch.setattr(
        constraint.Stages,
        "_keep",
        lambda self, objective, value: self.model.cp.add(objective.value == value - 1),
    )
    assert prove.check(KEEPS, tiny).state == prove.RED


def test_a_stage_that_takes_something_back_is_red(
    monkeypatch: pytest.MonkeyPatch, tiny: Station
) -> None:
    real = constraint.Stages.put

    def put(self: constraint.Stages, objective: constraint.Objective) -> None:
        real(self, objective)
        wider = list(self.model.cp.proto.variables[0].domain)
        wider[-1] += 1
        self.model.cp.proto.variables[0].domain.clear()
        self.model.cp.proto.variables[0].domain.extend(wider)

    monkeypatch.setattr(constraint.Stages, "put", put)
    assert prove.check(KEEPS, tiny).state == prove.RED
    monkeypatch.undo()
    monkeypatch.setattr(proofs, "is_optimum", lambda proto: True)
    monkeypatch.setattr(proofs, "only_adds", lambda before, after: False)
    assert prove.check(KEEPS, tiny).state == prove.RED


def test_only_more_constraints_and_variables_are_an_addition() -> None:
    model = cp_model.CpModel()
    number = model.new_int_var(0, 5, "n")
    model.add(number >= 1)
    before = model.clone().proto
    model.add(number <= 4)
    assert proofs.only_adds(before, model.clone().proto)
    assert not proofs.only_adds(model.clone().proto, before)
    other = cp_model.CpModel()
    number = other.new_int_var(0, 5, "n")
    other.add(number >= 2)
    other.add(number <= 4)
    assert not proofs.only_adds(before, other.proto)
    wider = cp_model.CpModel()
    number = wider.new_int_var(0, 6, "n")
    wider.add(number >= 1)
    assert not proofs.only_adds(before, wider.proto)


@pytest.mark.parametrize(("kept", "is_best"), [(4, False), (5, True)])
def test_an_optimum_is_what_no_solution_exceeds(kept: int, is_best: bool) -> None:
    model = cp_model.CpModel()
    one, other = model.new_int_var(0, 9, "one"), model.new_int_var(0, 9, "other")
    model.add(one + other <= 5)
    model.add(one - other == kept)
    claim = Claim((), proofs.is_optimum(model.proto))
    assert solver.decide(claim, 1_000_000).answer == (PROVED if is_best else REFUTED)


def test_the_guns_demands_are_any(tiny: Station) -> None:
    """Below a module's power, and beyond the gun's maximum."""
    for case, model in proofs.distinct((*proofs.as_it_is(tiny), *proofs.faulty(tiny))):
        of = proofs.world(case, model)
        little = [of.demand_w[gun] == 1 for gun in case.wanting[1:]]
        much = of.demand_w[case.wanting[0]] == 10**6
        assert solver.satisfiable([of.given, much, *little], 1_000_000)[0] == "sat"


def test_a_limit_that_cannot_bind_is_no_case(tiny: Station) -> None:
    found = proofs.distinct(proofs.limited(tiny))
    assert any(case.binding for case, _ in found)
    for case, model in found:
        assert solver.satisfiable([proofs.world(case, model).given], 1_000_000)[0] == "sat"
