"""What counts only once it has lasted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_alloc.decide.lasting import Lasting, LastingLimit
from verified_alloc.station.model import Station

DELAY_MS = 1000


def test_a_rise_counts_at_once_and_a_fall_once_it_has_lasted() -> None:
    lasting = Lasting(DELAY_MS)
    assert [lasting.take_in(5, 0), lasting.take_in(7, 10), lasting.take_in(3, 20)] == [5, 7, 7]
    assert lasting.until_ms == 1020
    assert [lasting.take_in(4, 500), lasting.take_in(3, 1019)] == [7, 7]
    assert lasting.take_in(3, 1020) == 4  # as much as it was at most meanwhile
    assert lasting.until_ms == 2020
    assert [lasting.take_in(3, 2019), lasting.take_in(3, 2020)] == [4, 3]
    assert lasting.until_ms is None


def test_given_up_it_counts_for_what_it_is() -> None:
    lasting = Lasting(DELAY_MS)
    lasting.take_in(7, 0)
    lasting.take_in(3, 10)
    lasting.give_up()
    assert (lasting.counts, lasting.until_ms) == (3, None)


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 9)), max_size=40))
def test_it_is_the_most_of_lately(steps: list[tuple[int, int]]) -> None:
    """Of the delay at least, and of twice that at most."""
    lasting, now_ms, seen = Lasting(DELAY_MS), 0, [(0, 0)]
    for after_ms, number in steps:
        now_ms += after_ms
        seen.append((now_ms, number))
        counts = lasting.take_in(number, now_ms)
        recent = [each for at_ms, each in seen if now_ms - at_ms < DELAY_MS]
        older = [each for at_ms, each in seen if now_ms - at_ms <= 3 * DELAY_MS]
        assert max(recent) <= counts <= max(older)


def limit(own_w: int | None) -> LastingLimit:
    station = Station.reference().limited(own_w)
    return LastingLimit(replace(station, policy=replace(station.policy, limit_delay_s=5)))


def test_a_limit_that_falls_counts_at_once_and_one_that_rises_after_its_delay() -> None:
    told = limit(None)
    assert told.at(0) is None
    told.tell(100_000)
    assert told.at(1000) == 100_000
    told.tell(120_000)
    assert told.at(2000) == 100_000
    assert told.until_ms == 7000
    told.tell(110_000)
    assert told.at(4000) == 100_000
    assert told.at(7000) == 110_000  # the least of what was told meanwhile
    told.tell(None)
    assert told.at(7001) == 110_000
    assert told.at(12_001) is None
    assert told.until_ms is None


@pytest.mark.parametrize(("told_w", "counts_w"), [(None, 300_000), (200_000, 200_000)])
def test_the_stations_own_limit_is_never_passed(told_w: int | None, counts_w: int) -> None:
    of = limit(300_000)
    of.tell(told_w)
    assert of.at(0) == counts_w
    of.tell(400_000)
    of.at(1)
    assert of.at(10_000) == 300_000
