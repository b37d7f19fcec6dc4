"""Feeders against every assignment there is, each gun's share of a feeder counted either as all
that it is delivered or as the power of its modules there."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations, product

import pytest
from decide.policies.brute_force import Case, assignments, bounds_w, some_case
from sweep.stations import some_feeders

from verified_alloc import Station, allocate
from verified_alloc.errors import BadInput
from verified_alloc.station.parts import Feeder

Bounds = dict[int, tuple[int, int]]


def fed(seed: int) -> Case:
    """A small random station with feeders and neither site limit nor minimum of modules."""
    case = some_case(seed, most_guns=3, most_modules=5)
    station = case.station
    feeders = tuple(
        Feeder(tuple(each["modules"]), 1000 * each["limit_kw"])
        for each in some_feeders(seed, len(station.modules))
    )
    policy = replace(station.policy, minimum_modules=0)
    return case._replace(
        station=replace(station, feeders=feeders, site_limit_w=None, policy=policy)
    )


def budgets(case: Case, held: dict[int, tuple[int, ...]]) -> Iterator[list[tuple[set[int], int]]]:
    """Every way to count the shares: by feeder, the guns whose delivered power counts, and what the
    modules of the others leave for them, W."""
    ways = []
    for feeder in case.station.feeders:
        powers_w = {
            gun: case.power_w(tuple(m for m in modules if m in feeder.modules))
            for gun, modules in held.items()
        }
        some = [gun for gun, power_w in powers_w.items() if power_w]
        ways.append(
            [
                (counted, feeder.limit_w - sum(powers_w[g] for g in some if g not in counted))
                for bits in product((True, False), repeat=len(some))
                for counted in [{g for g, bit in zip(some, bits, strict=True) if bit}]
            ]
        )
    for way in product(*ways):
        yield list(way)


def greedy(
    order: list[int], bounds: Bounds, way: list[tuple[set[int], int]]
) -> dict[int, int] | None:
    """The most for each gun in this order, those after it left their least; None if none is."""
    given = {gun: least_w for gun, (least_w, _) in bounds.items()}
    rooms = [[counted, left_w - sum(given[gun] for gun in counted)] for counted, left_w in way]
    if any(left_w < 0 for _, left_w in rooms):
        return None
    for gun in order:
        more_w = min([bounds[gun][1] - given[gun], *[w for counted, w in rooms if gun in counted]])
        given[gun] += more_w
        for room in rooms:
            room[1] -= more_w if gun in room[0] else 0
    return given


def best(case: Case) -> tuple[list[int], int]:
    """What `priority` gives gun by gun in order, and the most that all can have together."""
    order = case.order()
    first: list[int] = []
    total = 0
    for held in assignments(case):
        bounds = bounds_w(case, held)
        if bounds is None:
            continue
        for way in budgets(case, held):
            for turn in permutations(order):
                given = greedy(list(turn), bounds, way)
                if given is None:
                    break
                total = max(total, sum(given.values()))
                if list(turn) == order:
                    first = max(first, [given[gun] for gun in order])
    return first, total


@pytest.mark.parametrize("seed", [n for n in range(400) if fed(n).station.kernel_feeders][:60])
def test_small_stations(seed: int) -> None:
    case = fed(seed)
    first, total = best(case)
    kw = {gun: power_w / 1000 for gun, power_w in case.demand_w.items()}
    by = {
        policy: allocate(case.station, kw, policy, case.current or None, case.faults)
        for policy in ("documented", "priority", "max-power", "fair")
    }
    assert {each.fallback_from for each in by.values()} == {None}
    assert [by["priority"].delivered_w[gun] for gun in case.order()] == first
    assert sum(by["max-power"].delivered_w.values()) == total
    least = {policy: min(each.delivered_w.values()) for policy, each in by.items()}
    assert least["fair"] == max(least.values())
    rules = [by["documented"].delivered_w[gun] for gun in case.order()]
    assert rules <= first


def test_where_no_feeder_binds_the_answer_is_the_flow_s_own() -> None:
    station = Station.reference()
    ample = replace(station, feeders=(Feeder((1, 2, 3), 119_000),))
    demands = {1: 60.0, 5: 50.0}
    for policy in ("priority", "max-power", "fair"):
        free, bound = (allocate(each, demands, policy) for each in (station, ample))
        assert bound.method == "flow"
        assert (bound.modules, bound.delivered_w) == (free.modules, free.delivered_w)


@pytest.mark.parametrize(
    ("feeders", "said"),
    [
        (
            [{"modules": [1, 10], "limit_kw": 90}],
            "feeder[1].modules: 10; allowed are modules 1 to 9",
        ),
        (
            [{"modules": [1], "limit_kw": 90}, {"modules": [1], "limit_kw": 90}],
            "feeder[2].modules: 1, on feeder[1] already; allowed is one for each module",
        ),
        ([{"modules": [1]}], "feeder[1].limit_kw"),
        ([{"modules": [1], "limit_kw": 0}], "feeder[1].limit_kw = 0"),
        ([{"modules": 1, "limit_kw": 9}], "feeder[1].modules = 1: allowed is a list"),
        ([{"modules": [], "limit_kw": 9}], "feeder[1].modules"),
        ([{"modules": [True], "limit_kw": 9}], "feeder[1].modules"),
    ],
)
def test_a_feeder_that_cannot_be_is_refused(feeders: list[object], said: str) -> None:
    tables = Station.reference().to_tables() | {"feeder": feeders}
    with pytest.raises(BadInput) as refused:
        Station.from_tables(tables)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_station_with_feeders_is_written_and_read() -> None:
    station = replace(Station.reference(), feeders=(Feeder((2, 4), 70_500),))
    assert Station.from_tables(station.to_tables()) == station


def test_a_pool_of_orders_is_within_every_feeder() -> None:
    """The documented rule on many random demands: whole modules, or what a feeder has left."""
    draw = random.Random(3)
    station = replace(
        Station.reference(), feeders=(Feeder((1, 2, 3, 4), 130_000), Feeder((5, 6), 50_000))
    )
    for _ in range(200):
        demands = {gun: draw.choice([0, draw.randint(1, 260)]) for gun in range(1, 7)}
        answer = allocate(station, demands)
        assert (answer.policy, answer.fallback_from) == ("documented", None)
        for feeder in station.feeders:
            shares_w = [
                min(answer.delivered_w[gun], 40_000 * len({*held} & {*feeder.modules}))
                for gun, held in answer.modules.items()
            ]
            assert sum(shares_w) <= feeder.limit_w
