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

    def tell(self, power_w: int, raise_until_ms: int) -> list[tuple[int, int, int]]:
        """Gun 1 is offered so much; what gun 1 heard."""
        self.heard.clear()
        self.offers.tell([power_w, *NOBODY], raise_until_ms)
        return [told for told in self.heard if told[0] == 1]


@pytest.fixture
def guns(monkeypatch: pytest.MonkeyPatch) -> Guns:
    return Guns(monkeypatch)


def test_in_time_every_offer_is_renewed(guns: Guns) -> None:
    for power_w in (40_000, 40_000, 80_000, 20_000):
        assert guns.tell(power_w, guns.now_ms) == [(1, power_w, LEAD_MS)]
        assert [gun for gun, _, _ in guns.heard] == [1, 2, 3, 4, 5, 6]


def test_too_late_an_offer_is_lowered_but_neither_renewed_nor_raised(guns: Guns) -> None:
    guns.tell(40_000, guns.now_ms)
    guns.now_ms += 41
    late_ms = guns.now_ms - 1
    assert guns.tell(40_000, late_ms) == []
    assert guns.tell(80_000, late_ms) == []
    assert guns.tell(30_000, late_ms) == [(1, 30_000, LEAD_MS)]
    assert guns.tell(40_000, late_ms) == []


def test_too_late_an_offer_that_has_expired_is_not_given_anew(guns: Guns) -> None:
    guns.tell(40_000, guns.now_ms)
    guns.now_ms += LEAD_MS
    assert guns.tell(30_000, guns.now_ms - 1) == []
    assert guns.tell(30_000, guns.now_ms) == [(1, 30_000, LEAD_MS)]


def test_in_scans_that_were_skipped_it_was_renewed(guns: Guns) -> None:
    guns.tell(40_000, guns.now_ms)
    guns.now_ms += LEAD_MS
    guns.offers.skipped(0, guns.now_ms)
    assert guns.tell(30_000, guns.now_ms - 1) == []
    guns.offers.skipped(3, guns.now_ms)
    guns.now_ms += LEAD_MS - 1
    assert guns.tell(30_000, guns.now_ms - 1) == [(1, 30_000, LEAD_MS)]


def test_withdrawn_every_gun_hears_0(guns: Guns) -> None:
    guns.tell(40_000, guns.now_ms)
    guns.heard.clear()
    guns.offers.withdraw()
    assert guns.heard == [(gun, 0, 0) for gun in range(1, 7)]
