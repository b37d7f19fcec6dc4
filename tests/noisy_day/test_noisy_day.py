"""The first hour of a noisy day."""

import pytest
from noisy_day.__main__ import play
from noisy_day.demands import HOUR_MS, chattering_limits, noisy_demands

from verified_alloc.compare import metrics
from verified_alloc.station.model import Station


@pytest.mark.parametrize("limited", [False, True])
def test_nothing_that_lasts_falls_to_0_without_a_cause(limited: bool) -> None:
    station = Station.reference()
    limits = chattering_limits(1, 0) if limited else []
    day = play(station, "priority", noisy_demands(station, 1, 0), limits, HOUR_MS)
    assert metrics.operations(day.replay) > 0
    assert day.unexplained == 0
