"""AC for DC: exact, rounded towards the safe side, whatever the curve."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_alloc import Station, allocate
from verified_alloc.errors import BadInput
from verified_alloc.station import grid_side
from verified_alloc.station.parts import Feeder

SHARES = st.integers(1, 100).map(lambda each: each / 100)
CURVES = (
    st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=6)
    .map(lambda points: grid_side.read(sorted(map(list, points))))
    .filter(lambda curve: curve is not None)
)


def taken_w(curve: grid_side.Curve, rated_w: int, dc_w: int) -> Fraction:
    """The same once more, segment by segment, in efficiencies."""
    points = [(Fraction(load * rated_w, 10**6), Fraction(eff, 10**6)) for load, eff in curve]
    if not points:
        return Fraction(dc_w)
    if dc_w <= points[0][0]:
        return dc_w / points[0][1]
    for (low, low_eff), (high, high_eff) in pairwise(points):
        if dc_w <= high:
            share = (dc_w - low) / (high - low)
            return (1 - share) * low / low_eff + share * high / high_eff
    last, last_eff = points[-1]
    return last / last_eff + (dc_w - last) / last_eff


@given(CURVES, st.integers(1, 10**7), st.integers(0, 2 * 10**7))
def test_what_is_given_takes_no_more_than_the_limit_and_a_watt_more_would(
    curve: grid_side.Curve, rated_w: int, limit_w: int
) -> None:
    dc_w = grid_side.dc_w(curve, rated_w, limit_w)
    assert taken_w(curve, rated_w, dc_w) <= limit_w < taken_w(curve, rated_w, dc_w + 1)
    took_w = grid_side.grid_w(curve, rated_w, dc_w)
    assert took_w <= limit_w
    assert took_w - 1 < taken_w(curve, rated_w, dc_w) <= took_w


def limited(**about: object) -> Station:
    tables = Station.reference().to_tables()
    tables["station"] |= {"site_limit_kw": 300, **about}
    return Station.from_tables(tables)


def test_two_guns_at_240_within_300_of_the_grid() -> None:
    station = limited(conversion_efficiency=0.95)
    answer = allocate(station, {1: 240, 2: 240})
    assert sum(answer.delivered_w.values()) == 285_000
    assert station.grid_w(285_000) == 300_000
    of_dc = replace(station, limit_side="dc")
    assert sum(allocate(of_dc, {1: 240, 2: 240}).delivered_w.values()) == 300_000
    assert of_dc.grid_w(300_000) == 315_790
    assert of_dc.counted_w(300_000) == 300_000


def test_a_curve_by_load() -> None:
    """At 90 of 360 kW 0.9, at 180 kW 0.96: 135 kW lies in the middle of 100 and 187.5."""
    station = limited(conversion_efficiency=[[0.25, 0.9], [0.5, 0.96]])
    assert [station.grid_w(w) for w in (45_000, 90_000, 135_000, 180_000)] == [
        50_000,
        100_000,
        143_750,
        187_500,
    ]
    assert station.dc_w(143_750) == 135_000
    assert Station.from_tables(station.to_tables()) == station


def test_a_feeder_is_limited_at_the_grid_too() -> None:
    station = replace(limited(conversion_efficiency=0.9), feeders=(Feeder((1, 2, 3), 100_000),))
    [supply] = station.kernel_feeders
    assert supply.limit_w == 90_000


@pytest.mark.parametrize(
    "wrong",
    [0, 1.01, -0.9, "0.9", True, [], [0.9], [[0.5, 0.9], [0.5, 0.95]], [[1, 0.9], [0.5, 0.9]],
     [[0.5, 0.5], [0.51, 1]], [[0.5]], [[0.5, 0.9, 1]], {"a": 1}, float("nan")],
)  # fmt: skip
def test_what_is_no_efficiency_is_refused(wrong: object) -> None:
    with pytest.raises(BadInput, match=r"station.conversion_efficiency = .*: allowed is a number"):
        limited(conversion_efficiency=wrong)


def test_an_efficiency_of_1_is_as_if_none_were_said() -> None:
    assert limited(conversion_efficiency=Decimal(1)) == limited()
