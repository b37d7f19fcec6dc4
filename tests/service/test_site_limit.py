"""Site limits as values and as OCPP charging profiles."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_alloc.errors import BadInput
from verified_alloc.service.site_limit import site_limit

NOON_S = 1_795_521_600.0  # 2026-11-24T12:00:00Z
DAY_S = 86_400


def profile(*periods: tuple[int, float], schedule: Any = None, **keys: Any) -> dict[str, Any]:
    return {
        "profile": {
            "chargingProfilePurpose": "ChargePointMaxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [
                    {"startPeriod": start_s, "limit": limit_w} for start_s, limit_w in periods
                ],
                **(schedule or {}),
            },
            **keys,
        }
    }


def test_a_value_is_in_force_for_good_and_rounded_down() -> None:
    limit = site_limit({"limit_kw": 100.0009}, NOON_S)
    assert [limit.at(at_s) for at_s in (0, NOON_S, 10 * NOON_S)] == [100_000] * 3
    assert site_limit({"limit_kw": 16.1}, NOON_S).at(0) == 16_100
    assert site_limit({"limit_kw": 0}, NOON_S).at(0) == 0


def test_a_schedule_begins_when_it_is_told_unless_it_says_when() -> None:
    limit = site_limit(profile((0, 300_000), (60, 150_000), schedule={"duration": 90}), NOON_S)
    expected = {-1: None, 0: 300_000, 59.9: 300_000, 60: 150_000, 89.9: 150_000, 90: None}
    assert {after_s: limit.at(NOON_S + after_s) for after_s in expected} == expected
    later = site_limit(
        profile((0, 1000), schedule={"startSchedule": "2026-11-24T14:00:00+01:00"}), NOON_S
    )
    assert [later.at(NOON_S + s) for s in (0, 3599, 3600)] == [None, None, 1000]


def test_a_daily_one_comes_again_every_day() -> None:
    limit = site_limit(
        profile(
            (0, 300_000),
            (17 * 3600, 150_000),
            schedule={"startSchedule": "2026-11-24T00:00:00Z", "duration": 22 * 3600},
            chargingProfileKind="Recurring",
            recurrencyKind="Daily",
        ),
        NOON_S,
    )
    for day in range(3):
        midnight_s = NOON_S - DAY_S / 2 + day * DAY_S
        assert limit.at(midnight_s + 12 * 3600) == 300_000
        assert limit.at(midnight_s + 17 * 3600) == 150_000
        assert limit.at(midnight_s + 22 * 3600) is None
    assert limit.at(NOON_S - DAY_S) is None


def test_outside_its_validity_it_is_not_in_force() -> None:
    limit = site_limit(
        profile((0, 1000), validFrom="2026-11-24T12:01:00Z", validTo="2026-11-24T12:02:00Z"),
        NOON_S,
    )
    assert [limit.at(NOON_S + s) for s in (59, 60, 119, 120)] == [None, 1000, 1000, None]


@given(
    st.lists(st.integers(1, 10_000), max_size=20),
    st.lists(st.integers(0, 10**6), min_size=21, max_size=21),
    st.integers(0, 250_000),
)
def test_the_period_in_force_is_the_last_that_has_begun(
    gaps: list[int], limits: list[int], at_s: int
) -> None:
    starts = [sum(gaps[:count]) for count in range(len(gaps) + 1)]
    periods = list(zip(starts, map(float, limits), strict=False))
    expected = next(limit for start_s, limit in reversed(periods) if start_s <= at_s)
    assert site_limit(profile(*periods), 0.0).at(at_s) == expected


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "allowed is limit_kw or profile"),
        ({"limit_kw": 1, "profile": {}}, "allowed is limit_kw or profile"),
        ({"limit_kw": -1}, "limit_kw -1: allowed is a number"),
        ({"limit_kw": True}, "limit_kw True"),
        ({"limit_kw": float("nan")}, "limit_kw nan"),
        ({"limit_kw": "9"}, "limit_kw '9'"),
        (profile(), "allowed are 1 to 1000 periods"),
        (profile((5, 1)), "startPeriod 5: allowed is 0 in the first"),
        (profile((0, 1), (0, 2)), "startPeriod 0: allowed is more than 0"),
        (profile((0, -1)), "limit -1"),
        (profile((0, 1), schedule={"chargingRateUnit": "A"}), "chargingRateUnit 'A': allowed is W"),
        (profile((0, 1), schedule={"duration": 0}), "duration 0"),
        (profile((0, 1), schedule={"startSchedule": "2026-11-24T12:00:00"}), "with its zone"),
        (profile((0, 1), schedule={"startSchedule": "noon"}), "startSchedule 'noon'"),
        (profile((0, 1), chargingProfileKind="Relative"), "allowed is Absolute, Recurring"),
        (profile((0, 1), chargingProfileKind="Recurring"), "recurrencyKind None: allowed is Daily"),
        (profile((0, 1), chargingProfilePurpose="TxProfile"), "chargingProfilePurpose 'TxProfile'"),
        (profile((0, 1), chargingSchedule=[]), "allowed is one schedule"),
    ],
)
def test_what_is_refused(told: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("'", ".")) as refused:
        site_limit(told, NOON_S)
    assert "\n" not in str(refused.value)
