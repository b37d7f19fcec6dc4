"""A model that allows too much or too little is found out, as are labels that are not its own."""

from collections.abc import Callable
from typing import Any

import pytest

from proofs import constraint as proofs
from proofs import manifest, prove
from verified_alloc import Station
from verified_alloc.policies import constraint
from verified_alloc.policies.constraint import Model
from verified_alloc.policies.problem import Problem

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


def no_module_for_low_demand(model: Model) -> None:
    for gun, wanted_w in model.problem.wanted_w.items():
        if wanted_w < 10_000:
            model.cp.add(model.modules(gun) == 0)


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("one_gun_for_a_module", nothing),
        ("one_gun_for_a_module", one_module_fewer),
        ("within_its_modules", nothing),
        ("within_its_modules", a_bit_less),
        ("no_useless_last_module", nothing),
        ("within_the_limit", nothing),
        ("within_the_limit", no_module_for_low_demand),
    ],
)
def test_a_broken_model_is_red(
    monkeypatch: pytest.MonkeyPatch, tiny: Station, rule: str, broken: Callable[[Model], None]
) -> None:
    monkeypatch.setattr(constraint, rule, broken)
    of = LIMITED if rule == "within_the_limit" else ALLOWS
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
        proofs.Stages,
        "_keep",
        lambda self, objective, value: self.model.cp.add(objective.value == value - 1),
    )
    assert prove.check(KEEPS, tiny).state == prove.RED
