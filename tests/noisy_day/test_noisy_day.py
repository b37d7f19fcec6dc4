"""The first hour of a noisy day."""

import pytest
from noisy_day.__main__ import play
from noisy_day.demands import chattering_limits

from verified_alloc.compare import metrics
from verified_alloc.station.model import Station


@pytest.mark.parametrize("limited", [False, True])
def test_nothing_that_lasts_falls_to_0_without_a_cause(limited: bool) -> None:
    limits = chattering_limits(1, 0) if limited else []
    day = play(Station.reference(), "priority", 1, limits, 0)
    assert metrics.operations(day.replay) > 0
    assert day.unexplained == 0
