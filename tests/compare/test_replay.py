"""A replay adds up exactly, and is what the live controller would have done."""

import pickle
from dataclasses import replace as changed

import pytest

from verified_alloc.compare.replay import replay
from verified_alloc.compare.traces import DemandTrace, read_trace
from verified_alloc.run import Run, simulated_charger
from verified_alloc.station import Station

REFERENCE = Station.reference()
DOCUMENTED = changed(REFERENCE, policy=changed(REFERENCE.policy, name="documented"))
GUNS = [gun.id for gun in REFERENCE.guns]


@pytest.fixture(scope="module")
def busy() -> DemandTrace:
    return read_trace("hour", GUNS).excerpt(0, 15 * 60_000)


def test_it_is_what_the_live_controller_does(busy: DemandTrace) -> None:
    """Operations are equal, contactor by contactor; energies within what the pool gives in one scan
    for each change. The vehicles of the cabinet take their full time to heed a lower offer."""
    charger = simulated_charger(DOCUMENTED)
    for vehicle in charger.cabinet.vehicles:
        vehicle.response_us = DOCUMENTED.timing.offer_lead_ms * 1000
    live = Run(DOCUMENTED, charger, busy).play(busy.last_ms)
    replayed = replay(DOCUMENTED, busy, "documented")
    moved = {f"{g}:{m}": times for (g, m), times in replayed.operations.items() if times}
    assert moved == live.operations
    assert sum(moved.values()) > 50
    off_j = abs(replayed.delivered_mj / 1e3 - sum(live.energy_kwh.values()) * 3.6e6)
    assert off_j <= len(busy.changes) * replayed.pool_w * DOCUMENTED.timing.scan_ms / 1e3


def test_the_same_again_and_it_travels(busy: DemandTrace) -> None:
    once = replay(REFERENCE, busy)
    assert once == replay(REFERENCE, busy)
    assert pickle.loads(pickle.dumps(once)) == once
