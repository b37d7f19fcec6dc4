"""Every policy of the solver against every assignment there is: same modules, same power."""

import os
from concurrent.futures import ProcessPoolExecutor

import pytest
from decide.policies.brute_force import Case, best, some_case
from sweep.progress import Progress

from verified_alloc import Faults, Station, allocate

STATIONS = 2000


def wrong(case: Case) -> list[str]:
    """What `allocate` answers otherwise than the brute force."""
    demands = {gun: power_w / 1000 for gun, power_w in case.demand_w.items()}
    differences = []
    for policy, expected in best(case).items():
        a = allocate(
            case.station, demands, policy, case.current or None, case.faults, case.wear or None
        )
        got = a.modules, a.delivered_w, a.operations, a.fallback_from
        shown = True if a.method == "flow" else None
        if got != (*expected, None) or a.optimal not in (shown, True):
            differences.append(f"{policy} by {a.method}: {got} instead of {expected}")
    return differences


def wrong_of(seed: int) -> list[str]:
    return [f"case {seed}: {text}" for text in wrong(some_case(seed))]


@pytest.mark.parametrize("seed", range(100))
def test_small_stations(seed: int) -> None:
    assert not wrong(some_case(seed, most_guns=3, most_modules=5))


@pytest.mark.parametrize("seed", [2062, 3353, 6157, 9024])
def test_a_power_that_the_solver_once_raised_watt_by_watt(seed: int) -> None:
    assert not wrong(some_case(seed))


@pytest.mark.sweep
@pytest.mark.xdist_group("campaigns")
def test_two_thousand_stations(capsys: pytest.CaptureFixture[str]) -> None:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        progress = Progress(capsys, "stations", STATIONS)
        found = progress.through(pool.map(wrong_of, range(STATIONS)), lambda _: 1)
        assert not [text for texts in found for text in texts]


@pytest.mark.parametrize("policy", ["priority", "max-power", "fair"])
def test_a_gun_with_modules_of_two_classes_has_the_smallest_list(policy: str) -> None:
    """Gun 2 has module 2 at first, and gun 1 module 5, though it could have 2 and leave 4."""
    station = Station.from_tables(
        {
            "station": {
                "name": "yard",
                "guns": 2,
                "modules": 5,
                "module_power_kw": 40,
                "gun_max_power_kw": 240,
            },
            "matrix": {"kind": "list", "reach": {"1": [1, 2, 3, 4, 5], "2": [2, 3, 4]}},
        }
    )
    a = allocate(station, {1: 100, 2: 20}, policy=policy)
    assert (a.modules, a.method) == ({1: (1, 2, 3), 2: (4,)}, "flow")


def test_alike_modules_of_different_reach_are_taken_in_ascending_order() -> None:
    """Modules 3 and 4 are alike for gun 2, though gun 1 could reach only one of them."""
    station = Station.from_tables(
        {
            "station": {
                "name": "court",
                "guns": 2,
                "modules": 4,
                "module_power_kw": 40,
                "gun_max_power_kw": 60,
            },
            "module": [{"id": 3, "power_kw": 20}, {"id": 4, "power_kw": 20}],
        }
    )
    faults = Faults(failed_open={(1, 4), (2, 2)}, welded={(2, 1)})
    assert allocate(station, {2: 120}, policy="priority", faults=faults).modules[2] == (1, 3)
