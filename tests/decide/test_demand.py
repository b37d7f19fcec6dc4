"""The demand processor: exact watts, refusals, freshness, the order of guns."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stations import tables

from verified_alloc import BadInput, Station
from verified_alloc.decide.demand import DemandProcessor, by_rank, from_kilowatts, strictly, watts


def processor(deadband_kw: float = 0, timeout_s: int = 10, rank_s: int = 0) -> DemandProcessor:
    changed = tables(
        policy={"priority_deadband_kw": deadband_kw, "rank_delay_s": rank_s},
        timing={"demand_timeout_s": timeout_s},
    )
    return DemandProcessor(Station.from_tables(changed))


@pytest.mark.parametrize(
    ("kw", "expected_w"),
    [
        (0, 0),
        (0.0, 0),
        (-0.0, 0),
        (160, 160_000),
        (16.1, 16_100),  # 16.1 * 1000 in floats is 16100.000000000002
        (40.5, 40_500),
        (0.0001, 1),
        (5e-324, 1),
        (40.0000001, 40_001),
        (Decimal("16.1"), 16_100),
        (Decimal("40." + "0" * 60 + "1"), 40_001),
        (Decimal("1e-400"), 1),
        (1.7e308, 17 * 10**310),
    ],
)
def test_kilowatts_become_whole_watts_rounded_up_exactly(kw: Any, expected_w: int) -> None:
    assert watts(kw, "gun 1") == expected_w


@given(st.floats(0, 1e6))
def test_watts_are_the_exact_ceiling_of_what_is_written(kw: float) -> None:
    assert watts(kw, "gun 1") == ceil(Fraction(str(kw)) * 1000)


@given(st.decimals(0, 10**6, places=5))
def test_the_callers_decimal_context_does_not_round(kw: Decimal) -> None:
    with localcontext() as context:
        context.prec = 2
        assert watts(kw, "gun 1") == ceil(Fraction(kw) * 1000)


BAD = [
    *(float("nan"), float("inf"), -float("inf"), -1, -0.001, "40", "", None, True, False, [40]),
    *(Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-1"), 1j, Fraction(1, 2)),
    *(Decimal("1e999999999"), 10**5000, b"40"),
]


@pytest.mark.parametrize("kw", BAD, ids=lambda kw: type(kw).__name__)
def test_what_is_no_demand_is_refused_with_gun_value_and_range(kw: Any) -> None:
    with pytest.raises(BadInput) as refused:
        watts(kw, "gun 3")
    message = str(refused.value)
    assert "demand of gun 3 = " in message
    assert "allowed is a finite number of kW, 0 or more" in message
    assert len(message.splitlines()) == 1
    assert len(message) < 150


def test_the_refused_value_is_shown() -> None:
    with pytest.raises(BadInput, match=r"gun 3 = -0\.5 kW"):
        watts(-0.5, "gun 3")
    with pytest.raises(BadInput, match="gun 3 = '40' kW"):
        watts("40", "gun 3")  # type: ignore[arg-type]


@pytest.mark.parametrize("gun", [0, 7, -1, "1", True, 1.0, None])
def test_an_unknown_gun_is_refused(gun: Any) -> None:
    with pytest.raises(BadInput, match="allowed are guns 1 to 6"):
        from_kilowatts(Station.reference(), {gun: 40})
    with pytest.raises(BadInput, match="allowed are guns 1 to 6"):
        processor().set(gun, 40, 0)
    with pytest.raises(BadInput, match="allowed are guns 1 to 6"):
        processor().set_w(gun, 40_000, 0)


@pytest.mark.parametrize("kw", BAD, ids=lambda kw: type(kw).__name__)
def test_one_bad_demand_changes_nothing(kw: Any) -> None:
    demands = processor()
    demands.set_all({1: 40, 2: 80}, 0)
    before = demands.asked(0)
    with pytest.raises(BadInput):
        demands.set_all({1: 100, 2: kw}, 5000)
    with pytest.raises(BadInput):
        demands.set_all({1: 100, 7: 1}, 5000)
    assert demands.asked(0) == before
    assert demands.stale(10_001) == (1, 2)  # no younger for it


def test_demands_above_the_maximum_keep_their_rank() -> None:
    asked = from_kilowatts(Station.reference(), {1: 250, 2: 300})
    assert asked.demand_w == (250_000, 300_000, 0, 0, 0, 0)
    assert asked.order == (2, 1, 3, 4, 5, 6)


@given(st.lists(st.integers(0, 5), min_size=1))
def test_highest_first_ties_by_gun_number(demand_w: list[int]) -> None:
    order = by_rank(demand_w)
    assert sorted(order) == list(range(1, len(demand_w) + 1))
    assert list(order) == sorted(order, key=lambda gun: (-demand_w[gun - 1], gun))
    assert strictly(demand_w) == (tuple(demand_w), tuple(demand_w), order)


def test_a_demand_older_than_its_timeout_counts_as_nothing() -> None:
    demands = processor(timeout_s=10)
    demands.set(2, 80, 1000)
    assert demands.asked(1000).demand_w == (0, 80_000, 0, 0, 0, 0)
    assert demands.asked(11_000).demand_w == (0, 80_000, 0, 0, 0, 0)
    assert demands.stale(11_000) == ()
    assert demands.asked(11_001).demand_w == (0, 0, 0, 0, 0, 0)
    assert demands.asked(11_001).rank_w == (0, 0, 0, 0, 0, 0)
    assert demands.stale(11_001) == (2,)
    demands.set(2, 40, 12_000)
    assert demands.asked(12_000).demand_w == (0, 40_000, 0, 0, 0, 0)
    assert demands.stale(12_000) == ()


def test_the_next_change_is_when_the_oldest_demand_becomes_stale() -> None:
    demands = processor(timeout_s=10)
    assert demands.next_change_ms(0) is None
    demands.set(2, 80, 1000)
    demands.set_w(3, 40_000, 4000)
    for _ in range(2):
        changes_ms = demands.next_change_ms(4000)
        assert changes_ms == 11_001
    assert demands.asked(changes_ms - 1) != demands.asked(changes_ms)
    assert demands.next_change_ms(changes_ms) == 14_001
    assert demands.asked(14_000).demand_w[2] == 40_000
    assert demands.asked(14_001).demand_w[2] == 0
    assert demands.next_change_ms(14_001) is None


def test_within_the_deadband_guns_keep_their_places() -> None:
    demands = processor(deadband_kw=5)

    def order(**kw: float) -> tuple[int, ...]:
        demands.set_all({int(gun[1:]): value for gun, value in kw.items()}, 0)
        return demands.asked(0).order[:2]

    assert order(g1=100, g2=97) == (1, 2)
    assert order(g2=101) == (1, 2)  # 97 -> 101: not more than 5
    assert order(g2=102) == (1, 2)  # exactly 5
    assert order(g2=102.001) == (2, 1)  # more than 5: its rank follows
    assert order(g1=105) == (2, 1)
    assert order(g1=0) == (2, 1)
    assert order(g1=3) == (2, 1)
    assert order(g2=0) == (1, 2)  # both rank 0: by number


def test_a_demand_that_ends_ends_its_rank_however_small_it_was() -> None:
    demands = processor(deadband_kw=5)
    for kw, rank_w in ((10, 10_000), (3, 3_000), (0, 0)):
        demands.set(1, kw, 0)
        assert demands.asked(0).rank_w[0] == rank_w


def test_a_slow_drift_is_followed_in_steps_of_the_deadband() -> None:
    demands = processor(deadband_kw=5)
    ranks = []
    for kw in range(100, 113):
        demands.set(1, kw, 0)
        ranks.append(demands.asked(0).rank_w[0] // 1000)
    assert ranks == [100] * 6 + [106] * 6 + [112]


def test_the_demand_itself_is_never_held_back_by_the_deadband() -> None:
    demands = processor(deadband_kw=50)
    demands.set(1, 100, 0)
    demands.asked(0)
    demands.set(1, 120, 0)
    assert demands.asked(0).demand_w[0] == 120_000
    assert demands.asked(0).rank_w[0] == 100_000


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 300)), max_size=20))
def test_without_a_deadband_the_order_is_the_documented_one(
    told_kw: list[tuple[int, int]],
) -> None:
    demands = processor(deadband_kw=0)
    for gun, kw in told_kw:
        demands.set(gun, kw, 0)
        asked = demands.asked(0)
        assert asked == strictly(asked.demand_w)


def test_a_rank_follows_a_difference_that_has_lasted() -> None:
    demands = processor(deadband_kw=5, rank_s=10, timeout_s=1000)
    demands.set_all({1: 205, 2: 195}, 0)
    assert demands.asked(0).order[:2] == (1, 2)
    for second in range(1, 60):  # five seconds each in turn
        first, then = (1, 2) if second // 5 % 2 else (2, 1)
        demands.set_all({first: 205, then: 195}, second * 1000)
        assert demands.asked(second * 1000).order[:2] == (1, 2)
    demands.set_all({1: 100, 2: 240}, 60_000)
    assert demands.asked(60_000).order[:2] == (1, 2)
    assert demands.next_change_ms(60_000) == 70_000
    assert demands.asked(69_999).order[:2] == (1, 2)
    assert demands.asked(70_000).order[:2] == (2, 1)


def test_who_comes_or_goes_has_a_rank_at_once() -> None:
    demands = processor(deadband_kw=5, rank_s=10)
    demands.set_all({1: 100}, 0)
    demands.asked(0)
    demands.set_all({2: 200}, 1)
    assert demands.asked(1).order[:2] == (2, 1)
    demands.set_all({2: 0}, 2)
    assert demands.asked(2).order[:2] == (1, 2)


def test_what_was_asked_lately_is_remembered_until_it_is_0() -> None:
    demands = processor(timeout_s=1000)
    release_ms = 60_000
    for at_ms, kw in ((0, 100), (1000, 40), (2000, 80)):
        demands.set(1, kw, at_ms)
        demands.asked(at_ms)
    assert demands.lasting_w(1) == (40_000, 100_000)
    assert demands.held_until_ms(1) == 1000 + release_ms
    assert demands.next_change_ms(2000) == 1000 + release_ms
    demands.asked(1000 + release_ms)
    assert demands.lasting_w(1)[1] == 80_000
    demands.release([1])
    assert demands.held_until_ms(1) is None
    demands.set(1, 0, 90_000)
    demands.asked(90_000)
    assert demands.lasting_w(1) == (0, 0)
    demands.set(1, 30, 90_001)
    demands.asked(90_001)
    assert demands.lasting_w(1) == (30_000, 30_000)
