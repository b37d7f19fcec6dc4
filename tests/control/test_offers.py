"""What the guns are told, when, and for how long it binds them."""

import pytest
from sweep.stations import REFERENCE

from hardware import clock
from verified_alloc.control.offers import Offers

LEAD_MS = REFERENCE.timing.offer_lead_ms
NOBODY = [0] * 5


class Guns:
    """Those of the station, at a time that is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = 5_000
        self.heard: list[tuple[int, int, int]] = []
        monkeypatch.setattr(clock, "now_s", lambda: self.now_ms / 1000)
        self.offers = Offers(REFERENCE, lambda *told: self.heard.append(told))

    def publish(self, power_w: int, until_ms: int) -> list[tuple[int, int, int]]:
        """Gun 1 is offered so much; what gun 1 heard."""
        self.heard.clear()
        self.offers.publish([power_w, *NOBODY], until_ms)
        return [told for told in self.heard if told[0] == 1]

    def lower(self, power_w: int) -> list[tuple[int, int, int]]:
        """Gun 1 is offered no more than that; what all guns heard."""
        self.heard.clear()
        self.offers.lower([power_w, *NOBODY])
        return self.heard


@pytest.fixture
def guns(monkeypatch: pytest.MonkeyPatch) -> Guns:
    return Guns(monkeypatch)


def test_in_time_every_offer_is_renewed(guns: Guns) -> None:
    for power_w in (40_000, 40_000, 80_000, 20_000):
        assert guns.publish(power_w, guns.now_ms) == [(1, power_w, LEAD_MS)]
        assert [gun for gun, _, _ in guns.heard] == [1, 2, 3, 4, 5, 6]


def test_too_late_an_offer_is_lowered_but_neither_renewed_nor_raised(guns: Guns) -> None:
    guns.publish(40_000, guns.now_ms)
    guns.now_ms += 41
    late_ms = guns.now_ms - 1
    assert guns.publish(40_000, late_ms) == []
    assert guns.publish(80_000, late_ms) == []
    assert guns.publish(30_000, late_ms) == [(1, 30_000, LEAD_MS)]
    assert guns.publish(40_000, late_ms) == []


def test_too_late_an_offer_that_has_expired_is_not_given_anew(guns: Guns) -> None:
    guns.publish(40_000, guns.now_ms)
    guns.now_ms += LEAD_MS
    assert guns.publish(30_000, guns.now_ms - 1) == []
    assert guns.publish(30_000, guns.now_ms) == [(1, 30_000, LEAD_MS)]


def test_lowered_is_who_was_told_more_and_nobody_else(guns: Guns) -> None:
    guns.publish(40_000, guns.now_ms)
    assert guns.lower(50_000) == []
    assert guns.lower(40_000) == []
    assert guns.lower(30_000) == [(1, 30_000, LEAD_MS)]
    assert guns.lower(40_000) == []


def test_lowering_tells_nothing_that_came_too_late(guns: Guns) -> None:
    """It would be a rise, before anything is enabled or verified."""
    assert guns.publish(40_000, guns.now_ms - 1) == []
    assert guns.lower(40_000) == []
    guns.publish(40_000, guns.now_ms)
    guns.now_ms += LEAD_MS
    assert guns.lower(30_000) == []


def test_in_scans_that_were_skipped_it_was_renewed(guns: Guns) -> None:
    guns.publish(40_000, guns.now_ms)
    guns.now_ms += LEAD_MS
    guns.offers.skipped(0, guns.now_ms)
    assert guns.publish(30_000, guns.now_ms - 1) == []
    guns.offers.skipped(3, guns.now_ms)
    guns.now_ms += LEAD_MS - 1
    assert guns.publish(30_000, guns.now_ms - 1) == [(1, 30_000, LEAD_MS)]


def test_withdrawn_every_gun_hears_0(guns: Guns) -> None:
    guns.publish(40_000, guns.now_ms)
    guns.heard.clear()
    guns.offers.withdraw()
    assert guns.heard == [(gun, 0, 0) for gun in range(1, 7)]
