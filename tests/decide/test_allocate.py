"""allocate(): the documented scenarios, the documented rule at large, and every refusal."""

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listing import listing
from stations import demands_of, faults_of, states_of, stations, tables

from verified_alloc import BadInput, Faults, Station, allocate
from verified_alloc.decide import allocate as door
from verified_alloc.decide import demand
from verified_alloc.decide.allocate import (
    KEPT,
    Allocation,
    accepted,
    decide,
    keep,
    needs_constraints,
    prepare,
)
from verified_alloc.decide.demand import strictly
from verified_alloc.decide.explain import reasons
from verified_alloc.decide.policies import constraint, documented, flow
from verified_alloc.decide.policies.problem import NO_FAULTS, Answer, NotYet, Problem
from verified_alloc.kernel import invariants, ops
from verified_alloc.kernel.rule import Choice
from verified_alloc.station.faults import usable_after
from verified_alloc.station.parts import POLICIES

REFERENCE = Station.reference()
UNEQUAL = Station.from_tables(tables(module=[{"id": 9, "power_kw": 20}]))
SCENARIOS: list[tuple[dict[int, float], dict[int, tuple[int, ...]], tuple[int, ...]]] = [
    ({1: 240}, {1: (1, 2, 3, 4, 5, 6)}, (7, 8, 9)),
    (dict.fromkeys(range(1, 7), 40), {gun: (gun,) for gun in range(1, 7)}, (7, 8, 9)),
    ({1: 160, 3: 120, 5: 80}, {1: (1, 2, 3, 4), 3: (5, 6, 7), 5: (8, 9)}, ()),
]


@pytest.mark.parametrize(("demands", "modules", "idle"), SCENARIOS)
def test_the_documented_scenarios(
    demands: dict[int, float], modules: dict[int, tuple[int, ...]], idle: tuple[int, ...]
) -> None:
    a = allocate(REFERENCE, demands)
    assert a.modules == {gun: modules.get(gun, ()) for gun in range(1, 7)}
    assert a.delivered_kw == {gun: demands.get(gun, 0) for gun in range(1, 7)}
    assert a.unmet_kw == dict.fromkeys(range(1, 7), 0)
    assert a.idle_modules == idle
    assert a.operations == sum(map(len, modules.values()))
    assert (a.policy, a.fallback_from, a.optimal) == ("documented", None, None)


def test_twenty_thousand_whole_demands_as_the_listing_has_them() -> None:
    draw = random.Random(1)
    for _ in range(20_000):
        spread = draw.choice([45, 130, 300])
        demands = {gun: draw.randrange(spread) for gun in range(1, 7)}
        for gun in range(1, 7):
            if draw.random() < 0.3:
                demands[gun] = demands[draw.randint(1, 6)] if draw.random() < 0.5 else 0
        assert allocate(REFERENCE, demands).modules == listing(demands)


@pytest.mark.parametrize(
    ("kw", "listed", "needed"),
    [(40, 1, 1), (40.5, 1, 2), (40.0001, 1, 2), (0.4, 1, 1), (80.1, 2, 3), (81, 3, 3)],
)
def test_fractions_get_exactly_what_they_need_unlike_the_listing(
    kw: float, listed: int, needed: int
) -> None:
    assert len(listing({1: kw})[1]) == listed
    a = allocate(REFERENCE, {1: kw})
    assert len(a.modules[1]) == needed
    assert a.unmet_kw[1] == 0


def test_what_is_delivered_and_what_is_not() -> None:
    a = allocate(REFERENCE, {1: 300, 2: 150, 3: Decimal("16.1")})
    assert a.modules == {1: (1, 2, 3, 4, 5, 6), 2: (7, 8, 9), 3: (), 4: (), 5: (), 6: ()}
    assert a.delivered_kw == {1: 240.0, 2: 120.0, 3: 0.0, 4: 0.0, 5: 0.0, 6: 0.0}
    assert a.unmet_kw == {1: 0.0, 2: 30.0, 3: 16.1, 4: 0.0, 5: 0.0, 6: 0.0}
    assert a.delivered_w[2] == 120_000
    assert all(type(power) is float for power in [*a.delivered_kw.values(), *a.unmet_kw.values()])


def test_the_rank_says_who_comes_first_and_nothing_else() -> None:
    asked = demand.from_kilowatts(REFERENCE, {1: 100, 2: 90})
    lags_behind = asked._replace(rank_w=(104_000, 88_000, 0, 0, 0, 0))
    assert decide(REFERENCE, lags_behind) == decide(REFERENCE, asked)
    other = asked._replace(rank_w=(89_000, 90_000, 0, 0, 0, 0), order=(2, 1, 3, 4, 5, 6))
    assert decide(REFERENCE, other).modules[2] == (1, 2, 3)


def test_the_higher_demand_is_served_first_beyond_the_maximum() -> None:
    assert allocate(REFERENCE, {1: 250, 2: 260}).modules[2] == (1, 2, 3, 4, 5, 6)


def test_no_demands() -> None:
    a = allocate(REFERENCE, {})
    assert a.modules == dict.fromkeys(range(1, 7), ())
    assert a.idle_modules == tuple(range(1, 10))
    assert a.operations == 0


# --- independently, on any station --------------------------------------------------------------


def by_hand(
    station: Station, demand_w: dict[int, int], faults: Faults
) -> tuple[dict[int, list[int]], dict[int, int]]:
    """The documented rule in the contract's words, on pairs."""
    joined = {m for _, m in faults.welded if sum(m == other for _, other in faults.welded) > 1}
    dead = joined | set(faults.modules)
    out = set(faults.guns) | {gun for gun, module in faults.welded if module in dead}
    pairs = set(station.contactors) - faults.failed_open
    for gun, module in faults.welded:
        pairs -= {(other, module) for other in demand_w if other != gun}
    pairs = {(gun, module) for gun, module in pairs if gun not in out and module not in dead}
    left_w = float("inf") if station.site_limit_w is None else station.site_limit_w
    held: dict[int, list[int]] = {gun: [] for gun in demand_w}
    given_w = dict.fromkeys(demand_w, 0)
    for gun in sorted(demand_w, key=lambda gun: (-demand_w[gun], gun)):
        wanted_w = min(demand_w[gun], station.guns[gun - 1].max_power_w)
        grant_w = min(wanted_w, left_w)
        if grant_w < min(wanted_w, station.policy.minimum_power_w):
            continue
        power_w = 0
        for module in range(1, len(station.modules) + 1):
            if power_w >= grant_w:
                break
            if (gun, module) in pairs:
                held[gun].append(module)
                power_w += station.modules[module - 1].power_w
                pairs = {pair for pair in pairs if pair[1] != module}
        given_w[gun] = int(min(grant_w, power_w))
        left_w -= given_w[gun]
    return held, given_w


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_station_any_faults_any_state(data: st.DataObject) -> None:
    station = data.draw(stations())
    faults = data.draw(faults_of(station))
    demands = data.draw(demands_of(station))
    current = data.draw(states_of(station))
    a = allocate(station, demands, current=current, faults=faults)

    guns = range(1, len(station.guns) + 1)
    demand_w = {gun: demand.watts(demands.get(gun, 0), "") for gun in guns}
    held, given_w = by_hand(station, demand_w, faults)
    assert a.modules == {gun: tuple(modules) for gun, modules in held.items()}
    assert a.delivered_w == given_w
    assert a.fallback_from is None

    assert list(a.modules) == list(a.delivered_kw) == list(a.unmet_kw) == list(guns)
    for gun in guns:
        assert a.delivered_kw[gun] == given_w[gun] / 1000
        capped_w = min(demand_w[gun], station.guns[gun - 1].max_power_w)
        assert a.unmet_kw[gun] == (capped_w - given_w[gun]) / 1000
    now = {(gun, module) for gun, row in current.items() for module in row}
    then = {(gun, module) for gun, row in a.modules.items() for module in row}
    healthy = set(station.contactors) - faults.welded - faults.failed_open
    assert a.operations == len((then - now) & healthy) + len((now - then) & healthy)
    busy = {module for _, module in then}
    left = usable_after(station, faults)
    can = {m.id for m in station.modules if any(row[m.id - 1] for row in left.usable)}
    assert a.idle_modules == tuple(sorted(can - busy))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_documented_invariants_hold(data: st.DataObject) -> None:
    station = data.draw(stations())
    faults = data.draw(faults_of(station))
    asked = demand.from_kilowatts(station, data.draw(demands_of(station)))
    a = decide(station, asked, faults=faults)

    left = usable_after(station, faults)
    held = station.grid((gun, module) for gun, row in a.modules.items() for module in row)
    delivered_w = list(a.delivered_w.values())
    granted_w = [
        invariants.granted(ops, power_w, maximum_w)
        for power_w, maximum_w in zip(asked.demand_w, station.gun_max_w, strict=True)
    ]
    order = [gun - 1 for gun in asked.order]
    powers_w = station.module_power_w
    assert invariants.one_gun_per_module(ops, held)
    assert invariants.gun_cap(ops, held, station.gun_max_w, powers_w)
    assert invariants.no_waste(ops, held, delivered_w, powers_w)
    assert invariants.lowest_number_first(ops, order, held, left.usable)
    if station.site_limit_w is None:
        assert invariants.up_to_demand(ops, held, delivered_w, granted_w, powers_w)
        assert invariants.idle_only_if_met(ops, held, delivered_w, granted_w, left.usable)
    else:
        assert sum(delivered_w) <= station.site_limit_w
    full = station.matrix.kind == "full" and faults == Faults()
    if full:
        assert invariants.higher_demand_first(ops, order, delivered_w, granted_w)
    if full and len(set(powers_w)) == 1 and station.site_limit_w is None:
        assert invariants.needed_or_all_that_was_left(
            ops, order, held, granted_w, [True] * len(powers_w), powers_w
        )


# --- faults, matrices, limits: scenarios ---------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "modules"),
    [
        (Faults(modules={1}), {1: (2, 3), 2: (4,)}),
        (Faults(guns={1}), {1: (), 2: (1,)}),
        (Faults(failed_open={(1, 1), (2, 3)}), {1: (2, 3), 2: (1,)}),
        (Faults(welded={(2, 1)}), {1: (2, 3), 2: (1,)}),
        (Faults(welded={(3, 1)}), {1: (2, 3), 2: (4,)}),
        (Faults(welded={(1, 2), (3, 2)}), {1: (), 2: (1,)}),
        (Faults(modules={2}, welded={(2, 2)}), {1: (1, 3), 2: ()}),
    ],
)
def test_faults_are_planned_around(faults: Faults, modules: dict[int, tuple[int, ...]]) -> None:
    a = allocate(REFERENCE, {1: 80, 2: 40}, faults=faults)
    assert a.modules == dict.fromkeys(range(1, 7), ()) | modules


def test_operations_of_faulted_contactors_are_not_counted() -> None:
    def operations(**faults: Any) -> int:
        current = {1: [1, 2], 2: [5]}
        return allocate(REFERENCE, {1: 120}, current=current, faults=Faults(**faults)).operations

    assert operations() == 2  # closes 1:3, opens 2:5
    assert operations(welded={(2, 5)}) == 1
    assert operations(failed_open={(2, 5)}) == 1
    assert operations(failed_open={(1, 2)}) == 3  # 1:2 need not open; closes 1:3 and 1:4, opens 2:5
    assert operations(modules={5}) == 2


def test_idle_modules_are_those_that_somebody_could_use() -> None:
    faults = Faults(modules={9}, welded={(6, 8)}, guns={6})
    assert allocate(REFERENCE, {1: 240}, faults=faults).idle_modules == (7,)


def test_a_site_limit_is_granted_in_order() -> None:
    station = Station.from_tables(tables(station={"site_limit_kw": 190}))
    a = allocate(station, {1: 100, 2: 120, 3: 10})
    assert a.delivered_kw == {1: 70.0, 2: 120.0, 3: 0.0, 4: 0.0, 5: 0.0, 6: 0.0}
    assert a.modules[2] == (1, 2, 3)
    assert a.modules[1] == (4, 5)
    assert a.unmet_kw[1] == 30.0
    assert a.idle_modules == (6, 7, 8, 9)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("limit_kw", "least_kw", "second_kw"),
    [(240.5, 1, 0), (240.5, 0.5, 0.5), (240.5, 0, 0.5), (241, 1, 1), (250, 20, 0)],
)
def test_a_gun_is_given_a_useful_power_or_nothing(
    policy: str, limit_kw: float, least_kw: float, second_kw: float
) -> None:
    station = Station.from_tables(
        tables(station={"site_limit_kw": limit_kw}, policy={"minimum_power_kw": least_kw})
    )
    a = allocate(station, {1: 240, 2: 120}, policy)
    useful_kw = max(least_kw, limit_kw - 240)  # the total counts more than gun 1
    expected_kw = {"fair": 120, "max-power": useful_kw}.get(policy, second_kw)
    first_kw = limit_kw - expected_kw if expected_kw else 240
    assert (a.delivered_kw[1], a.delivered_kw[2]) == (first_kw, expected_kw)
    assert (a.modules[2] == ()) == (expected_kw == 0)
    assert a.fallback_from is None


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_useful_to_a_gun_is_no_more_than_it_wants(policy: str) -> None:
    station = Station.from_tables(
        tables(station={"site_limit_kw": 240.5}, policy={"minimum_power_kw": 2})
    )
    delivered_kw = allocate(station, {1: 240, 2: 3, 3: 0.5}, policy).delivered_kw
    expected = (237, 3, 0.5) if policy == "fair" else (240, 0, 0.5)
    assert tuple(delivered_kw.values())[:3] == expected


@pytest.mark.parametrize("policy", ["priority", "max-power", "fair"])
def test_the_power_of_all_its_modules_is_useful_to_a_gun(policy: str) -> None:
    """Three modules of 0.3 kW are all that 1 kW leaves whole."""
    station = Station.from_tables(
        tables(station={"module_power_kw": 0.3, "site_limit_kw": 1}, policy={"minimum_power_kw": 2})
    )
    assert allocate(station, {1: 4}, policy).delivered_w[1] == 900
    assert allocate(station, {1: 4}).modules[1] == ()


@pytest.mark.parametrize(
    ("policy", "delivered_kw"),
    [("priority", (40, 40, 20)), ("max-power", (40, 40, 20)), ("fair", (40, 40, 20))],
)
def test_guaranteed_modules_give_what_they_can_before_others_do(
    policy: str, delivered_kw: tuple[float, ...]
) -> None:
    about = {"guns": 3, "modules": 4, "site_limit_kw": 100}
    station = Station.from_tables(tables(station=about, policy={"minimum_modules": 1}))
    a = allocate(station, {1: 160, 2: 120, 3: 20}, policy)
    assert (tuple(a.delivered_kw.values()), a.fallback_from) == (delivered_kw, None)
    assert [len(held) for held in a.modules.values()] == [1, 1, 1]


@pytest.mark.parametrize("policy", ["priority", "max-power", "fair"])
@pytest.mark.parametrize("station", [REFERENCE, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize("minimum", [2, 3, 6])
def test_everybody_has_one_module_before_anybody_has_two(
    station: Station, policy: str, minimum: int
) -> None:
    least = replace(station, policy=replace(station.policy, minimum_modules=minimum))
    a = allocate(least, dict.fromkeys(range(1, 7), 240), policy)
    assert [len(held) for held in a.modules.values()] == [2, 2, 2, 1, 1, 1]
    assert a.fallback_from is None


def test_unequal_modules_are_taken_until_their_power_does() -> None:
    station = Station.from_tables(tables(module=[{"id": 1, "power_kw": 10}]))
    assert allocate(station, {1: 50}).modules[1] == (1, 2)
    assert allocate(station, {1: 50.1}).modules[1] == (1, 2, 3)


# --- behind the door -----------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("station", [REFERENCE, UNEQUAL], ids=["equal", "unequal"])
def test_a_reserved_module_is_its_guns_and_is_taken_first(station: Station, policy: str) -> None:
    asked = demand.from_kilowatts(station, {1: 80, 2: 60})
    a = decide(station, asked, policy=policy, reserved={8: 1, 1: 2, 2: 2})
    assert a.modules[1] == (3, 8)
    assert a.modules[2] == (1, 2)
    assert a.fallback_from is None


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("station", [REFERENCE, UNEQUAL], ids=["equal", "unequal"])
def test_a_dwelling_module_goes_to_no_gun_that_comes_first(station: Station, policy: str) -> None:
    asked = demand.from_kilowatts(station, {1: 240, 2: 230, 3: 40})
    a = decide(station, asked, policy=policy, reserved={5: 3})
    assert a.modules[3] == (5,)
    assert a.delivered_w[3] == 40_000
    assert a.fallback_from is None


def test_a_reservation_ends_where_its_gun_does_not_need_it() -> None:
    asked = demand.from_kilowatts(REFERENCE, {1: 240, 2: 40})
    a = decide(REFERENCE, asked, reserved={1: 2, 2: 2, 3: 4})
    assert a.modules[2] == (1,)
    assert a.modules[1] == (2, 3, 4, 5, 6, 7)
    gone = decide(REFERENCE, asked, reserved={1: 2}, faults=Faults(failed_open={(2, 1)}))
    assert gone.modules[1] == (1, 2, 3, 4, 5, 6)


def test_a_rejected_answer_is_made_again_without_reservations() -> None:
    station = Station.from_tables(tables(module=[{"id": 9, "power_kw": 20}]))
    asked = demand.from_kilowatts(station, {1: 30})
    # Taking PM9 first would leave 20 kW of PM9 without use beside PM1.
    a = decide(station, asked, reserved={9: 1})
    assert a.modules[1] == (1,)
    assert (a.fallback_from, a.fallback_reason) == (None, None)


def test_a_reservation_is_worth_what_its_gun_may_be_given() -> None:
    """Its maximum, 240 kW; what it asks for, not what its place in the order comes from."""
    asked = demand.from_kilowatts(REFERENCE, {1: 300, 2: 60})
    reserved = dict.fromkeys(range(3, 10), 1)
    a = decide(REFERENCE, asked, reserved=reserved)
    assert (a.modules[1], a.modules[2]) == ((3, 4, 5, 6, 7, 8), (1, 2))
    asked = demand.from_kilowatts(REFERENCE, {1: 300, 2: 60, 3: 40})
    ranked = asked._replace(rank_w=(300_000, 120_000, 40_000, 0, 0, 0))
    b = decide(REFERENCE, ranked, reserved={7: 2, 8: 2, 9: 2})
    assert (b.modules[2], b.modules[3]) == ((7, 8), (9,))
    asked = demand.from_kilowatts(SMALL, {1: 20, 2: 200})
    c = decide(SMALL, asked, reserved=dict.fromkeys((1, 2, 3), 2))
    assert c.modules == {1: (3,), 2: (1, 2)}


def test_the_guard_stands_before_every_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = Choice([[True] * 9 for _ in range(6)], [0] * 6)
    asked = demand.from_kilowatts(REFERENCE, {1: 80})
    monkeypatch.setattr(flow, "solve", lambda *_: Answer(everything, "flow"))
    a = decide(REFERENCE, asked, policy="fair")
    assert (a.policy, a.fallback_from, a.method) == ("documented", "fair", "rule")
    assert a.fallback_reason == "the guard does not accept the answer by flow"
    assert a.modules[1] == (1, 2)
    before = allocate(REFERENCE, {1: 80})
    monkeypatch.setattr(documented, "choose", lambda *_: everything)
    a = decide(REFERENCE, asked, policy="fair")
    assert (a.policy, a.fallback_from) == ("nothing", "fair")
    assert a.fallback_reason == "the guard does not accept the answer by flow"
    assert a.modules == dict.fromkeys(range(1, 7), ())
    assert a.delivered_w == dict.fromkeys(range(1, 7), 0)
    assert a.unmet_kw[1] == 80
    assert a.idle_modules == tuple(range(1, 10))
    kept = keep(REFERENCE, asked, before, current={(1, 1), (1, 2)})
    assert (kept.policy, kept.modules, kept.operations) == (KEPT, a.modules, 2)


# A station on which every bound is another: two guns of 100 and 70 kW, modules of 40, 40 and 20.
SMALL = Station.from_tables(
    tables(
        station={"guns": 2, "modules": 3, "gun_max_power_kw": 100, "site_limit_kw": 130},
        gun=[{"id": 2, "max_power_kw": 70}],
        module=[{"id": 3, "power_kw": 20}],
    )
)
BOTH = ([[True, False, True], [False, True, False]], [60_000, 40_000])


@pytest.mark.parametrize(
    ("demands_kw", "held", "delivered_w", "well"),
    [
        ((60, 40), *BOTH, True),
        ((60, 0), [[True, False, True], [False, False, False]], [60_000, 0], True),
        ((60, 40), [[True, True, False], [False, True, False]], [60_000, 40_000], False),
        ((59.999, 40), *BOTH, False),
        ((200, 200), [[True, True, True], [False, False, False]], [100_000, 0], True),
        ((200, 200), [[True, False, False], [False, True, True]], [40_000, 60_000], True),
        ((200, 200), [[True, False, False], [False, True, True]], [40_000, 60_001], False),
        ((40, 200), [[True, True, False], [False, False, False]], [40_000, 0], False),
        ((200, 200), [[False, False, False], [True, True, False]], [0, 70_001], False),
        ((0, 0), [[False, False, False], [True, False, False]], [0, 0], False),
        ((0, 0), [[False, False, False], [False, False, False]], [0, -1], False),
    ],
)
def test_the_guard_judges_by_what_is_asked_and_what_there_is(
    demands_kw: tuple[float, float], held: list[list[bool]], delivered_w: list[int], well: bool
) -> None:
    asked = demand.from_kilowatts(SMALL, dict(enumerate(demands_kw, start=1)))
    ranked = asked._replace(rank_w=(300_000, 290_000), order=(1, 2))
    left = usable_after(SMALL, Faults())
    choice = Choice(held, delivered_w)
    assert accepted(SMALL, left, asked, choice) == well
    assert accepted(SMALL, left, ranked, choice) == well


@pytest.mark.parametrize(
    ("station", "faults"),
    [
        (SMALL.limited(99_999), Faults()),
        (SMALL, Faults(guns={1})),
        (SMALL, Faults(modules={2})),
        (SMALL, Faults(failed_open={(1, 3)})),
        (SMALL, Faults(welded={(2, 1)})),
    ],
    ids=["limit", "gun", "module", "failed open", "welded"],
)
def test_the_guard_knows_the_limit_and_the_faults(station: Station, faults: Faults) -> None:
    asked = demand.from_kilowatts(SMALL, {1: 60, 2: 40})
    left = usable_after(SMALL, faults)
    assert not accepted(station, left, asked, Choice(*BOTH))
    assert accepted(SMALL, usable_after(SMALL, Faults()), asked, Choice(*BOTH))


@pytest.mark.parametrize(
    ("policy", "tables_beside", "needed"),
    [
        ("documented", {"station": {"site_limit_kw": 150}}, False),
        ("documented", {"module": [{"id": 9, "power_kw": 20}]}, False),
        ("priority", {}, False),
        ("priority", {"gun": [{"id": 2, "max_power_kw": 70}]}, False),
        ("priority", {"module": [{"id": 9, "power_kw": 20}]}, True),
        ("priority", {"station": {"site_limit_kw": 150}}, False),
        ("priority", {"minimum_modules": 1}, False),
        ("priority", {"minimum_modules": 1, "station": {"site_limit_kw": 150}}, True),
        ("fair", {}, False),
        ("fair", {"station": {"site_limit_kw": 150}}, True),
        ("max-power", {"minimum_modules": 1}, False),
        ("max-power", {"station": {"site_limit_kw": 150}}, True),
    ],
)
def test_a_constraint_solver_is_made_ready_where_it_is_needed(
    policy: str, tables_beside: dict[str, Any], needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = dict(tables_beside)
    about = {"name": policy, "minimum_modules": beside.pop("minimum_modules", 0)}
    station = Station.from_tables(tables(policy=about, **beside))
    asked = demand.from_kilowatts(station, {1: 160, 2: 90, 3: 90})
    assert needs_constraints(station) == needed
    assert (decide(station, asked, policy=policy).method == "constraint") == needed

    loaded: list[str] = []

    class AtOnce(threading.Thread):
        def start(self) -> None:
            assert self.daemon  # who ends does not wait for it
            self.run()

    monkeypatch.setattr(door, "Thread", AtOnce)
    monkeypatch.setattr(door, "import_module", loaded.append)
    prepare(station)
    assert loaded == ["ortools.sat.python.cp_model"] * needed


def test_a_given_solver_is_asked_where_no_flow_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[tuple[Problem, str]] = []

    def solve(problem: Problem, policy: str) -> Answer:
        questions.append((problem, policy))
        raise NotYet

    asked = demand.from_kilowatts(UNEQUAL, {1: 80})
    with pytest.raises(NotYet):
        decide(UNEQUAL, asked, policy="fair", wear={(1, 2): 3}, current={(1, 1)}, solve=solve)
    expected = Problem(UNEQUAL, asked, wear={(1, 2): 3}, current={(1, 1)})
    assert questions == [(expected, "fair")]
    asked = demand.from_kilowatts(REFERENCE, {1: 80})
    assert decide(REFERENCE, asked, policy="fair", solve=solve).method == "flow"
    assert len(questions) == 1


def test_whatever_goes_wrong_in_a_solver_the_rule_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Answer:
        raise ArithmeticError("overflow")

    asked = demand.from_kilowatts(UNEQUAL, {1: 80})
    assert decide(UNEQUAL, asked, policy="fair").method == "constraint"
    monkeypatch.setattr(constraint, "LIMIT", 0)
    a = decide(UNEQUAL, asked, policy="fair")
    assert a.fallback_from == "fair"
    assert a.modules[1] == (1, 2)
    assert "CP-SAT says" in str(a.fallback_reason)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(documented, "choose", lambda *_: Choice([[True] * 9] * 6, [0] * 6))
        a = decide(UNEQUAL, asked, policy="fair")
        assert (a.policy, a.method) == ("nothing", "rule")
        assert "CP-SAT says" in str(a.fallback_reason)
    monkeypatch.setattr(constraint, "solve", broken)
    a = decide(UNEQUAL, asked, policy="priority")
    assert (a.policy, a.fallback_from) == ("documented", "priority")
    assert a.fallback_reason == "ArithmeticError in the solver: overflow"
    assert decide(UNEQUAL, asked, policy="documented").fallback_reason is None


def test_a_wrong_order_is_not_accepted() -> None:
    asked = demand.from_kilowatts(REFERENCE, {1: 80, 2: 240})
    left = usable_after(REFERENCE, Faults())
    wrong = asked._replace(order=(1, 2, 3, 4, 5, 6))
    for order in (asked, wrong):
        choice = documented.choose(REFERENCE, left, order, {})
        assert accepted(REFERENCE, left, order, choice) == (order is asked)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_reservations_never_cost_safety(data: st.DataObject) -> None:
    """Whatever is reserved, by whom and however wrongly: a decision comes, nothing on two guns,
    nothing out of reach, no gun above its demand."""
    station = data.draw(stations())
    faults = data.draw(faults_of(station))
    asked = demand.from_kilowatts(station, data.draw(demands_of(station)))
    guns, modules = len(station.guns), len(station.modules)
    reserved = data.draw(st.dictionaries(st.integers(1, modules), st.integers(1, guns)))
    policy = data.draw(st.sampled_from(POLICIES))
    a = decide(station, asked, faults=faults, policy=policy, reserved=reserved)
    assert (a.policy, a.fallback_from) == (policy, None)
    pairs = [(gun, module) for gun, row in a.modules.items() for module in row]
    assert len({module for _, module in pairs}) == len(pairs)
    left = usable_after(station, faults)
    assert all(left.usable[gun - 1][module - 1] for gun, module in pairs)
    for gun, power_w in a.delivered_w.items():
        assert power_w <= asked.demand_w[gun - 1]
        held_w = sum(station.module_power_w[module - 1] for module in a.modules[gun])
        if station.site_limit_w is None:
            assert power_w == min(asked.demand_w[gun - 1], station.gun_max_w[gun - 1], held_w)


# What stands while a solver is at work.


def standing(delivered_w: Sequence[int], *modules: Sequence[int]) -> Allocation:
    """An allocation that gives the first guns that much, on these modules."""
    nothing = allocate(UNEQUAL, {})
    powers_w = [*delivered_w, *[0] * (6 - len(delivered_w))]
    return replace(
        nothing,
        modules=nothing.modules | dict(enumerate(map(tuple, modules), start=1)),
        delivered_w=dict(enumerate(powers_w, start=1)),
    )


def test_kept_grants_stand_whatever_is_asked_more() -> None:
    before = standing([50_000, 50_000, 50_000], (1, 2), (3, 4), (5, 6))
    station = REFERENCE.limited(150_000)
    for asked_w in ([150_500, 150_000, 150_000], [50_000, 150_000, 150_000]):
        kept = keep(station, strictly([*asked_w, 0, 0, 0]), before)
        assert kept.modules == before.modules
        assert kept.delivered_w == before.delivered_w
    kept = keep(station, strictly([40_000, 150_000, 150_000, 240_000, 0, 0]), before)
    assert list(kept.delivered_w.values()) == [40_000, 50_000, 50_000, 0, 0, 0]
    assert kept.modules[1] == (1,)


def test_where_a_limit_falls_the_last_in_order_give_first() -> None:
    before = standing([80_000, 50_000], (1, 2), (4, 9))
    asked = demand.from_kilowatts(UNEQUAL, {1: 100, 2: 50})
    kept = keep(UNEQUAL.limited(90_000), asked, before)
    assert list(kept.delivered_w.values()) == [80_000, 10_000, 0, 0, 0, 0]
    assert kept.modules[2] == (4,)
    told = reasons(UNEQUAL.limited(90_000), asked, NO_FAULTS, kept)
    assert "It takes PM1-2 and gets 80 kW, short by 20 kW." in told.guns[1].sentences
    assert "A solver is at work; until it answers no module comes to a gun." in told.station


def test_where_a_gun_loses_a_module_only_its_grant_falls() -> None:
    before = standing([100_000, 50_000], (1, 2, 3), (4, 9))
    asked = demand.from_kilowatts(UNEQUAL, {1: 100, 2: 50})
    kept = keep(UNEQUAL.limited(150_000), asked, before, faults=Faults({1}))
    assert list(kept.delivered_w.values()) == [80_000, 50_000, 0, 0, 0, 0]
    assert kept.modules[1] == (2, 3)


def test_what_is_kept_of_little_costs_nobody_else_anything() -> None:
    """Less than the least useful power of what the gun asks now."""
    before = standing([500, 50_000], (1,), (3, 4))
    kept = keep(REFERENCE, strictly([100_000, 50_000, 0, 0, 0, 0]), before)
    assert list(kept.delivered_w.values()) == [500, 50_000, 0, 0, 0, 0]


def test_before_the_first_answer_nothing_is_kept() -> None:
    kept = keep(REFERENCE, strictly([100_000, 0, 0, 0, 0, 0]), None)
    assert not any(kept.delivered_w.values())


# A gun that is held.


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("station", [REFERENCE, UNEQUAL], ids=["equal", "unequal"])
def test_a_held_gun_is_served_first_up_to_what_it_held(station: Station, policy: str) -> None:
    asked = demand.from_kilowatts(station, {1: 60, 2: 240, 3: 240})
    current = {*[(2, m) for m in range(2, 7)], *[(3, m) for m in (7, 8, 9)]}
    held = decide(
        station,
        asked,
        policy=policy,
        faults=Faults({1}),
        holds_w={1: 40_000},
        current=current,
        reserved={9: 3},
    )
    assert 7 in held.modules[1]  # of the gun that is served last, and does not dwell
    assert held.fallback_from is None
    gone = decide(station, asked, faults=Faults(guns={1}), holds_w={1: 40_000}, current=current)
    assert gone.modules[1] == ()


# --- refusals ------------------------------------------------------------------------------------

RING = Station.from_tables(tables(matrix={"kind": "ring"}))


@pytest.mark.parametrize(
    ("station", "arguments", "said"),
    [
        (REFERENCE, {"demands": {7: 40}}, "gun 7: allowed are guns 1 to 6"),
        (REFERENCE, {"demands": {"1": 40}}, "gun '1': allowed"),
        (REFERENCE, {"demands": {True: 40}}, "gun True: allowed"),
        (REFERENCE, {"demands": {1: float("nan")}}, "gun 1 = nan kW"),
        (REFERENCE, {"demands": {1: float("inf")}}, "gun 1 = inf kW"),
        (REFERENCE, {"demands": {2: -1}}, "gun 2 = -1 kW"),
        (REFERENCE, {"demands": {1: "40"}}, "gun 1 = '40' kW"),
        (REFERENCE, {"demands": {1: 40, 2: None}}, "gun 2 = None kW"),
        (REFERENCE, {"demands": [40, 40]}, "demands = [40, 40]: allowed is gun: kW"),
        (REFERENCE, {"policy": "best"}, "policy 'best': allowed is documented, priority,"),
        (REFERENCE, {"policy": ["fair"]}, "policy ['fair']: allowed is documented"),
        (REFERENCE, {"policy": None}, "policy None"),
        (REFERENCE, {"current": {7: [1]}}, "gun 7: allowed are guns 1 to 6"),
        (REFERENCE, {"current": {1: [10]}}, "module 10: allowed are modules 1 to 9"),
        (REFERENCE, {"current": {1: ["1"]}}, "module '1'"),
        (REFERENCE, {"current": {1: [True]}}, "module True"),
        (REFERENCE, {"current": {1: "12"}}, "current of gun 1 = '12'"),
        (REFERENCE, {"current": {1: 1}}, "current of gun 1 = 1"),
        (REFERENCE, {"current": [[1]]}, "current = [[1]]"),
        (REFERENCE, {"current": {1: [1, 2], 2: [2]}}, "module 2 is already on gun 1"),
        (REFERENCE, {"current": {1: [2, 2]}}, "module 2 is already on gun 1"),
        (RING, {"current": {1: [1], 2: [1]}}, "module 1 is out of reach: allowed are 2, 3, 4, 5"),
        (RING, {"current": {1: [5]}}, "module 5 is out of reach: allowed are 1, 2, 3, 4"),
        (REFERENCE, {"faults": Faults(modules={10})}, "failed module 10"),
        (RING, {"faults": Faults(welded={(1, 5)})}, "welded contactor 1:5"),
        (REFERENCE, {"faults": {3}}, "faults = {3}: allowed is Faults(...)"),
        (REFERENCE, {"wear": [1]}, "wear = [1]: allowed is (gun, module): operations"),
        (RING, {"wear": {(1, 5): 3}}, "wear of (1, 5): allowed are the contactors"),
        (RING, {"wear": {(1, 5): -3}}, "wear of (1, 5): allowed are the contactors"),
        (REFERENCE, {"wear": {1: 3}}, "wear of 1: allowed are the contactors"),
        (REFERENCE, {"wear": {(1, 5): -1}}, "wear of contactor 1:5 = -1: allowed is a whole"),
        (REFERENCE, {"wear": {(1, 5): 0.5}}, "wear of contactor 1:5 = 0.5"),
        (
            Station.from_tables(tables(policy={"minimum_modules": 1})),
            {},
            "policy.minimum_modules = 1 with policy documented: allowed is 0",
        ),
    ],
)
def test_bad_input(station: Station, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as refused:
        allocate(station, **{"demands": {}} | arguments)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_one_thing_is_refused_after_the_other() -> None:
    """The first that is wrong, in the order of what is given; what does not fit together, last."""
    station = Station.from_tables(tables(policy={"minimum_modules": 1}))
    good: dict[str, Any] = {"policy": "documented", "faults": Faults(modules={10}), "demands": {}}
    bad: dict[str, tuple[Any, str]] = {
        "policy": ("best", "policy 'best'"),
        "faults": ({3}, "faults = {3}"),
        "demands": ({7: 40}, "gun 7"),
        "current": ({8: 1}, "gun 8"),
        "wear": ([1], "wear = [1]"),
    }
    arguments = {name: wrong for name, (wrong, _) in bad.items()}
    for name, (_, said) in bad.items():
        with pytest.raises(BadInput) as refused:
            allocate(station, **arguments)
        assert str(refused.value).startswith(said)
        arguments[name] = good.get(name)
    with pytest.raises(BadInput, match="minimum_modules = 1 with policy documented"):
        allocate(station, **arguments)
    with pytest.raises(BadInput, match="failed module 10"):
        allocate(station, **arguments | {"policy": "priority"})


@pytest.mark.parametrize("operations", [0, 1, 10**9])
def test_wear_is_a_number_of_operations(operations: int) -> None:
    assert allocate(REFERENCE, {1: 40}, policy="priority", wear={(1, 1): operations}).modules[
        1
    ] == ((1,) if operations == 0 else (2,))
    with pytest.raises(BadInput, match="from 0 to 1000000000"):
        allocate(REFERENCE, {}, wear={(1, 1): 10**9 + 1})


def test_current_is_judged_by_the_fault_free_matrix() -> None:
    faults = Faults(failed_open={(1, 1)}, modules={2})
    assert allocate(REFERENCE, {}, current={1: (1, 2)}, faults=faults).operations == 1
