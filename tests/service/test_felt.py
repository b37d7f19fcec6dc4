"""What drivers and contactors feel, counted by gun."""

from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.service.felt import HOUR_MS, Felt


def test_offers_that_fell_to_0_and_the_operations_of_the_last_hour_are_counted() -> None:
    felt = Felt(6, REFERENCE.module_power_w)
    with WorkingStation(REFERENCE) as station:
        station.ask({1: 40, 2: 80})
        station.go_on(5)
        state = station.state
    offer_w = state.offer_w
    assert offer_w[:2] == (40_000, 80_000)
    nothing = (0,) * 6
    for offers in (nothing, offer_w, offer_w, nothing, offer_w, nothing):
        felt.watch(state._replace(offer_w=offers))
    assert felt.fell_to_0 == [2, 2, 0, 0, 0, 0]
    felt.watch(state._replace(offer_w=offer_w))
    felt.watch(state._replace(offer_w=nothing, demand_w=nothing))
    assert felt.fell_to_0 == [2, 2, 0, 0, 0, 0]

    pairs = {(1, 1): 3, (2, 5): 4}
    moved = state._replace(operations=dict(state.operations) | pairs, at_ms=state.at_ms + 1)
    expected = [3, 4, 0, 0, 0, 0]
    assert list(felt.operations_an_hour(moved)) == expected
    later = moved._replace(at_ms=state.at_ms + HOUR_MS)
    felt.watch(later)
    felt.watch(later._replace(at_ms=later.at_ms + HOUR_MS))
    assert felt.operations_an_hour(later) == nothing


def test_energy_is_what_was_offered_as_far_as_modules_fed_it() -> None:
    """On the scan's own clock: it only rises."""
    felt = Felt(2, (40_000, 20_000))
    with WorkingStation(REFERENCE) as station:
        state = station.scan()
    hour = 3_600_000
    given = state._replace(demand_w=(240_000,) * 2, operations={})
    powers = [((50_000, 0), ((1, 2), ())), ((60_000, 30_000), ((1,), (2,))), ((0, 0), ((), ()))]
    for scan, (offer_w, live) in enumerate(powers, start=1):
        felt.watch(given._replace(at_ms=scan * hour, offer_w=offer_w, live=live))
    assert [energy // hour for energy in felt.energy_wms] == [90_000, 20_000]
