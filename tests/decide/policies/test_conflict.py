"""What stands against more for a gun, against every assignment there is."""

from dataclasses import replace

import pytest
from decide.policies.brute_force import Case, assignments, best, bounds_w, some_case
from decide.policies.test_optimality import problem

from verified_alloc import Station
from verified_alloc.decide import explain
from verified_alloc.decide.policies import conflict


def possible(case: Case, least_w: dict[int, int], limited: bool) -> bool:
    """The guns can have these powers together, some within the site limit."""
    station = case.station if limited else replace(case.station, site_limit_w=None)
    for held in assignments(case):
        bounds = bounds_w(case._replace(station=station), held)
        if bounds is not None and all(
            bounds[gun][1] >= power_w for gun, power_w in least_w.items()
        ):
            drawn_w = sum(max(low, least_w.get(gun, 0)) for gun, (low, _) in bounds.items())
            if station.site_limit_w is None or drawn_w <= station.site_limit_w:
                return True
    return False


@pytest.mark.parametrize("seed", range(40))
def test_nothing_of_a_conflict_can_be_left_out(seed: int) -> None:
    case = some_case(seed, most_guns=3, most_modules=4)
    question = problem(case)
    for answer in best(case).values():
        delivered_w = {gun - 1: power_w for gun, power_w in answer.delivered_w.items()}
        for gun in case.order():
            if gun - 1 not in question.order or delivered_w[gun - 1] == case.wanted_w(gun):
                continue
            against = conflict.of_power(question, delivered_w, gun - 1)
            wish = {gun: answer.delivered_w[gun] + 1}
            kept = {other + 1: delivered_w[other] for other in against.guns}
            assert not possible(case, wish | kept, against.within_limit)
            if against.within_limit:
                assert possible(case, wish | kept, limited=False)
            for other in kept:
                fewer = {gun: power_w for gun, power_w in kept.items() if gun != other}
                assert possible(case, wish | fewer, against.within_limit)


def said(gun: int, policy: str, minimum: int = 0, limit_kw: int | None = None) -> str:
    station = Station.from_tables(
        {
            "station": {"guns": 3, "modules": 4, "module_power_kw": 40, "gun_max_power_kw": 120}
            | ({} if limit_kw is None else {"site_limit_kw": limit_kw}),
            "policy": {"minimum_modules": minimum},
            "matrix": {"kind": "list", "reach": {"1": [1, 2], "2": [2, 3], "3": [3, 4]}},
        }
    )
    demands = {1: 80.0, 2: 70.0, 3: 60.0}
    explanation = explain.explain(station, demands, policy)
    return " ".join(explanation.guns[gun].sentences)


def test_in_a_sentence() -> None:
    assert said(3, "priority") == (
        "Gun 3 asks for 60 kW. It has no contactor to PM1-2. It takes PM4 and gets 40 kW, short by"
        " 20 kW. More for it cannot be had together with what gun 1 (PM1-2) and gun 2 (PM3) have:"
        " PM1-4 are all that they can use. By priority the higher demand comes first."
    )
    assert "within the site limit of 90 kW. By fair the smallest powers" in said(
        2, "fair", limit_kw=90
    )
    assert said(1, "priority", limit_kw=60).endswith(
        "More for it cannot be had of the site limit of 60 kW."
    )


def test_a_guarantee_that_cannot_be_met() -> None:
    assert "to have at least" not in said(1, "fair", minimum=2)
    assert (
        "The 2 modules that it is to have at least cannot be had together with what gun 1 (PM1-2)"
        " and gun 2 (PM3) have: PM1-4 are all that they can use."
    ) in said(3, "fair", minimum=2)
    assert said(3, "fair", minimum=2).endswith(
        " Guaranteed modules come before all, one for everybody first; by fair the smallest powers"
        " come first, then the total, then the higher demand."
    )
