"""Each figure is its formula: by hand on a small replay, and within its bounds on any."""

from dataclasses import replace as changed

import pytest
from compare.test_replay import small
from hypothesis import given, settings
from hypothesis import strategies as st
from stations import stations
from workload.some_sessions import (
    at_once,
    session,
    sessions_for,
)

from verified_alloc.compare import metrics
from verified_alloc.compare.demand_source import DAY_MS
from verified_alloc.compare.replay import Replay, replay
from verified_alloc.station.model import Station
from verified_alloc.workload.sessions import MJ_PER_KWH
from verified_alloc.workload.traces import read_trace


@pytest.fixture(scope="module")
def two_cars() -> Replay:
    """Two modules of 60 kW. Car 1 wants 120 kW for ten minutes and is served first; car 2 wants
    60 kW for ten minutes, gets nothing for ten minutes and has five left of its patience."""
    cars = [session(0, 10, 20, 120, gun=1), session(0, 10, 10, 60, gun=2)]
    return replay(small(2, 2), cars)


def test_by_hand(two_cars: Replay) -> None:
    def about(value: float) -> object:
        return pytest.approx(value, rel=0.001)

    assert metrics.wanted_kwh(two_cars) == 30
    assert metrics.delivered_kwh(two_cars) == about(25)
    assert metrics.unmet_kwh(two_cars) == about(5)
    assert metrics.unmet_share(two_cars) == about(1 / 6)
    assert metrics.delivered_share(two_cars) == about(5 / 6)
    assert metrics.met_share(two_cars) == 0.5
    assert metrics.load_factor(two_cars) == about((20 + 15) / (2 * 15))
    assert metrics.short_share(two_cars) == about(10 / 15)
    assert metrics.module_utilisation(two_cars) == about(25 / 30)
    assert metrics.minutes_to_finish(two_cars) == about(10)
    assert metrics.finished_share(two_cars) == 0.5
    assert metrics.minutes_waiting(two_cars) == metrics.longest_wait_minutes(two_cars) == 0
    assert metrics.unserved(two_cars) == 0
    assert metrics.nothing_share(two_cars) == about(10 / 25)
    assert metrics.top_gun_loss(two_cars) == pytest.approx(0, abs=0.001)
    assert metrics.jain_fairness(two_cars) == about(1.5**2 / (2 * 1.25))
    assert metrics.peak_kw(two_cars) == 120
    assert metrics.operations(two_cars) == 6
    assert metrics.worst_contactor(two_cars) == (1, 1)
    assert metrics.worst_operations(two_cars) == 2
    assert two_cars.duration_ms == DAY_MS
    assert metrics.worst_life_years(two_cars) == about(metrics.RATED_OPERATIONS / (2 * 365.25))


def test_what_a_demand_trace_does_not_tell() -> None:
    trace = read_trace("hour", range(1, 7)).excerpt(0, 60_000)
    told = replay(Station.reference(), trace)
    for key in ("minutes_to_finish", "minutes_waiting", "finished_percent", "unserved"):
        (figure,) = [figure for figure in metrics.FIGURES if figure.key == key]
        assert figure.of(told) is None
        assert figure.shown(told) == "-"
    assert told.wanted_mj == sum(told.gun_asked_mj)


def test_of_nothing() -> None:
    """Nobody gets anything: no contactor moves, and nothing is divided by 0."""
    station = changed(at_once(Station.reference()), site_limit_w=1)
    told = replay(station, [session(0, 1, 0.000001, 1)])
    for figure in metrics.FIGURES:
        figure.shown(told)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_bounds(data: st.DataObject) -> None:
    told = replay(station := data.draw(stations()), data.draw(sessions_for(station)))
    shares = (
        *(metrics.delivered_share, metrics.unmet_share, metrics.met_share, metrics.nothing_share),
        *(metrics.top_gun_loss, metrics.module_utilisation, metrics.short_share),
    )
    for share in shares:
        assert 0 <= share(told) <= 1
    assert 1 / told.sessions - 1e-9 <= metrics.jain_fairness(told) <= 1 + 1e-9 or not told.met
    assert metrics.delivered_kwh(told) + metrics.unmet_kwh(told) == pytest.approx(
        metrics.wanted_kwh(told)
    )
    assert metrics.worst_operations(told) == told.operations[metrics.worst_contactor(told)]
    assert told.delivered_mj / MJ_PER_KWH == metrics.delivered_kwh(told)


def test_every_figure_says_its_formula_and_carries_its_unit() -> None:
    keys = [figure.key for figure in metrics.FIGURES]
    assert len(set(keys)) == len(keys)
    for figure in metrics.FIGURES:
        assert len((figure.value.__doc__ or "").split()) >= 4
        unit = {"%": "percent", "min": "minutes"}.get(figure.unit, figure.unit.lower())
        assert unit in figure.key
