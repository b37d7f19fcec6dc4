"""Limits at the door: values, OCPP charging profiles as its library serialises them, EVerest's
external limits; and what is said of those that are none."""

import json
import math
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sweep.stations import REFERENCE

from verified_alloc.decide.limits.profile import Profile, always
from verified_alloc.errors import BadInput
from verified_alloc.service.limit_models import ClearLimits, Limit, profiles
from verified_alloc.service.models import said_of
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Site

NOON_S = 1_795_521_600  # 2026-11-24T12:00:00Z
DAY_S = 86_400
IN_AMPERE = replace(REFERENCE, site=Site(voltage_v=230, phases=3))


def read(told: object, station: Station = REFERENCE) -> Profile:
    """What the door makes of it; `BadInput` in the words that are answered."""
    try:
        limit = Limit.model_validate_json(json.dumps(told))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise BadInput(said_of(where, first["input"], first["msg"])) from None
    [profile] = profiles(limit, station, NOON_S)
    return profile


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
    assert read({"limit_kw": 100.0009}) == always(100_000)
    assert read({"limit_kw": 16.1, "gun": 2}) == always(16_100, 2)
    assert read({"limit_kw": 0, "gun": 0}) == always(0)


# As `ocpp.v16.call.SetChargingProfile` and `ocpp.v201.call.SetChargingProfile` of PyPI's `ocpp`
# leave its charge point for the wire (camel case), and as its dataclasses hand them out (snake).

OF_1_6 = {
    "connectorId": 0,
    "csChargingProfiles": {
        "chargingProfileId": 158798,
        "stackLevel": 2,
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Recurring",
        "recurrencyKind": "Daily",
        "validFrom": "2026-11-24T10:00:00Z",
        "chargingSchedule": {
            "duration": 7200,
            "startSchedule": "2026-11-24T12:00:00Z",
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [
                {"startPeriod": 0, "limit": 100000.0, "numberPhases": 3},
                {"startPeriod": 1800, "limit": 50000.0},
            ],
            "minChargingRate": 0.0,
        },
    },
}
OF_2_0_1 = {
    "evseId": 3,
    "chargingProfile": {
        "id": 7,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": [
            {
                "id": 1,
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [
                    {"startPeriod": 0, "limit": 40000},
                    {"startPeriod": 600, "limit": 20000, "phaseToUse": 1},
                ],
            }
        ],
    },
}


def snake(told: Any) -> Any:
    if isinstance(told, list):
        return [snake(one) for one in told]
    if not isinstance(told, dict):
        return told
    missing = {"custom_data": None, "sales_tariff": None}  # its dataclasses have every key
    return missing | {re.sub("([A-Z])", r"_\1", key).lower(): snake(told[key]) for key in told}


@pytest.mark.parametrize("told", [OF_1_6, OF_2_0_1], ids=["1.6", "2.0.1"])
def test_both_versions_in_both_spellings(told: dict[str, Any]) -> None:
    assert read(snake(told)) == read(told)


def test_a_profile_of_1_6() -> None:
    assert read(OF_1_6) == Profile(
        "station",
        (0, 1800),
        (100_000, 50_000),
        NOON_S,
        id=158798,
        stack_level=2,
        duration_s=7200,
        every_s=DAY_S,
        from_s=NOON_S - 7200,
    )


def test_a_profile_of_2_0_1_is_a_limit_of_that_gun() -> None:
    assert read(OF_2_0_1) == Profile(
        "default", (0, 600), (40_000, 20_000), None, id=7, gun=3, stack_level=1
    )


def test_a_session_is_named_by_its_transaction() -> None:
    for transaction in (17, "17"):
        told = profile((0, 9000), chargingProfilePurpose="TxProfile", transactionId=transaction) | {
            "gun": 2
        }
        found = read(told)
        assert (found.purpose, found.gun, found.transaction) == ("session", 2, "17")


@pytest.mark.parametrize("kind", [{}, {"chargingProfileKind": "Recurring"}])
def test_without_a_start_it_begins_when_it_is_valid_or_else_when_it_is_told(
    kind: dict[str, str],
) -> None:
    """As OCPP's reference implementation reads it."""
    kind |= {"recurrencyKind": "Daily"} if kind else {}
    told = profile((0, 100_000), (1200, 50_000), validFrom="2026-11-24T11:30:00Z", **kind)
    assert read(told).at(NOON_S) == 50_000
    from_now = read(profile((0, 100_000), (1200, 50_000), **kind))
    assert [from_now.at(NOON_S + s) for s in (0, 1199, 1200)] == [100_000, 100_000, 50_000]
    assert from_now.from_told
    assert not read(told).from_told


@pytest.mark.parametrize(
    ("phases", "expected_w"), [(None, 69_000), (3, 69_000), (1, 23_000), (2, 46_000)]
)
def test_amperes_where_the_station_file_says_volts(phases: int | None, expected_w: int) -> None:
    told = profile((0, 100), schedule={"chargingRateUnit": "A"})
    period = told["profile"]["chargingSchedule"]["chargingSchedulePeriod"][0]
    period |= {} if phases is None else {"numberPhases": phases}
    assert read(told, IN_AMPERE).limits_w == (expected_w,)
    with pytest.raises(BadInput, match=r"chargingRateUnit = 'A': allowed is W, and A where"):
        read(told)


def everest(*limits: tuple[str, float]) -> dict[str, Any]:
    return {
        "schedule_import": [
            {
                "timestamp": timestamp,
                "limits_to_root": {"total_power_W": {"value": limit_w, "source": "EMS"}},
                "limits_to_leaves": {},
                "conversion_efficiency": 0.95,
            }
            for timestamp, limit_w in limits
        ],
        "schedule_export": [],
    }


def test_everests_first_limit_is_in_force_at_once_and_its_last_for_ever() -> None:
    found = read(everest(("2026-11-24T13:00:00Z", 100_000), ("2026-11-24T14:00:00.500Z", 60_000.7)))
    expected = {0: 100_000, NOON_S: 100_000, NOON_S + 7199: 100_000, NOON_S + 7200: 60_000}
    assert {at_s: found.at(at_s) for at_s in expected} == expected
    assert found.at(10 * NOON_S) == 60_000
    assert found._replace(starts_s=(0,), limits_w=(0,)) == always(0)


# The two nights on which a clock is changed.


@pytest.mark.parametrize(
    ("midnight", "hours"), [(datetime(2026, 10, 25), 25), (datetime(2026, 3, 29), 23)]
)
def test_a_schedule_over_the_night_of_a_change_runs_on(midnight: datetime, hours: int) -> None:
    """Of what is told with its zone each instant is one; a day of OCPP's is 86,400 s."""
    berlin = ZoneInfo("Europe/Berlin")
    begins, ends = (midnight.replace(tzinfo=berlin) + timedelta(days=day) for day in (0, 1))
    told = profile(
        (0, 100_000),
        (6 * 3600, 50_000),
        schedule={"startSchedule": begins.isoformat()},
        validTo=ends.isoformat(),
    )
    found, start_s = read(told), begins.timestamp()
    assert [found.at(start_s + s) for s in (-1, 0, 21_599, 21_600)] == [
        None,
        100_000,
        100_000,
        50_000,
    ]
    assert [found.at(start_s + hours * 3600 + s) for s in (-1, 0)] == [50_000, None]
    daily = told | {"profile": {**told["profile"], "chargingProfileKind": "Recurring"}}
    daily["profile"] |= {"recurrencyKind": "Daily", "validTo": None}
    assert [read(daily).at(start_s + DAY_S + s) for s in (-1, 0, 21_600)] == [
        50_000,
        100_000,
        50_000,
    ]


# What is none.

W, P = "profile.chargingSchedule", "profile"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "allowed is exactly one of limit_kw, profile, csChargingProfiles, chargingProfile"),
        ({"limit_kw": 1, **profile((0, 1))}, "allowed is exactly one of limit_kw, profile"),
        ({"limit_kw": -1}, "limit_kw = -1: input should be greater than or equal to 0"),
        ({"limit_kw": True}, "limit_kw = True: input should be a valid number"),
        ({"limit_kw": float("nan")}, "limit_kw = nan: input should be a finite number"),
        ({"limit_kw": "9"}, "limit_kw = '9': input should be a valid number"),
        ({"limit_kw": 9, "gun": 7}, "gun 7: allowed are guns 1 to 6"),
        ({"limit_kw": 9, "gun": 1, "evseId": 2}, "allowed is one gun, connectorId or evseId"),
        ({"limit_kw": 9, "limit": 2}, "limit = 2: extra inputs are not permitted"),
        ([], "input should be"),
        (profile(), rf"{W}.chargingSchedulePeriod = \[\]: list should have at least 1 item"),
        (profile((5, 1)), f"{W}.chargingSchedulePeriod = .*allowed is 0 in the first, not 5"),
        (profile((0, 1), (0, 2)), "allowed is more than 0, the one before, not 0, as startPeriod"),
        (profile((0, 1), (9, 2), (8, 2)), "allowed is more than 9, the one before, not 8"),
        (profile((0, -1)), f"{W}.chargingSchedulePeriod.0.limit = -1: input should be greater"),
        (
            profile((0, 1), schedule={"chargingRateUnit": "kW"}),
            f"{W}.chargingRateUnit = 'kW': input should be 'W' or 'A'",
        ),
        (profile((0, 1), schedule={"duration": 0}), f"{W}.duration = 0: input should be greater"),
        (
            profile((0, 1), schedule={"startSchedule": "2026-11-24T12:00:00"}),
            f"{W}.startSchedule = '2026-11-24T12:00:00': allowed is a time with its zone",
        ),
        (profile((0, 1), validTo="noon"), f"{P}.validTo = 'noon': allowed is a time with its zone"),
        (
            profile((0, 1), validFrom="2026-11-24T12:00:00Z", validTo="2026-11-24T12:00:00Z"),
            "validTo = 2026-11-24 12:00:00.00:00: allowed is a time later than validFrom",
        ),
        (
            profile((0, 1), chargingProfileKind="Daily"),
            f"{P}.chargingProfileKind = 'Daily': input should be 'Absolute', 'Recurring' or",
        ),
        (
            profile((0, 1), chargingProfileKind="Relative"),
            "chargingProfileKind = 'Relative': allowed is Absolute, Recurring with ChargePointMax",
        ),
        (profile((0, 1), chargingProfileKind="Recurring"), "recurrencyKind = None: allowed is"),
        (
            profile((0, 1), chargingProfilePurpose="TheBest"),
            f"{P}.chargingProfilePurpose = 'TheBest': input should be 'ChargePointMaxProfile'",
        ),
        (
            profile((0, 1), chargingProfilePurpose="TxProfile"),
            "chargingProfilePurpose = 'TxProfile': allowed is one for a gun",
        ),
        (
            profile((0, 1)) | {"gun": 1},
            "chargingProfilePurpose = 'ChargePointMaxProfile': allowed is one without a gun",
        ),
        (profile((0, 1), transactionId=1), "transactionId = 1: allowed is one only with TxProfile"),
        (profile((0, 1), stackLevel=-1), f"{P}.stackLevel = -1: input should be greater"),
        (
            profile((0, 1), charging_profile_kind="Recurring"),
            "allowed is one chargingProfileKind",
        ),
        (profile((0, 1), chargingSchedule=[]), rf"{W} = \[\]: allowed is one schedule"),
        (profile((0, 1), chargingSchedule=None), f"{W}.* field required"),
        (
            everest(("2026-11-24T13:00:00Z", 1), ("2026-11-24T13:00:00Z", 1)),
            "schedule_import = .*allowed is a timestamp later than the one before",
        ),
        (everest(("2026-11-24T13:00:00Z", -1)), "limits_to_root.total_power_W.value = -1: input"),
        (everest(), "schedule_import = .*: value should have at least 1 item"),
    ],
)
def test_what_is_refused_is_named_by_its_key_its_value_and_what_is_allowed(
    told: Any, said: str
) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        read(told)
    assert "\n" not in str(refused.value)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
)


def paths(told: Any) -> list[tuple[Any, ...]]:
    """To everything in it."""
    inside = (
        enumerate(told)
        if isinstance(told, list)
        else told.items()
        if isinstance(told, dict)
        else ()
    )
    return [(), *((key, *path) for key, value in inside for path in paths(value))]


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Any, Any]:
    """A sound limit with one thing in it replaced by anything, and the key of that."""
    sound = draw(
        st.sampled_from(
            [
                {"limit_kw": 5.0},
                OF_1_6,
                OF_2_0_1,
                snake(OF_1_6),
                everest(("2026-11-24T13:00:00Z", 1)),
            ]
        )
    )
    told = json.loads(json.dumps(sound))
    *path, last = draw(st.sampled_from(paths(told)[1:]))
    place = told
    for key in path:
        place = place[key]
    place[last] = draw(anything)
    return told, next(key for key in reversed([*path, last]) if isinstance(key, str))


@settings(deadline=None, max_examples=400)
@given(spoiled())
def test_whatever_is_spoiled_is_taken_or_named(case: tuple[Any, Any]) -> None:
    """No other error, and what is taken is a profile in every number."""
    told, key = case
    refused, found = "", None
    try:
        found = read(told)
    except BadInput as error:
        refused = str(error)
    if found is None:
        camel = re.sub(r"_([a-z])", lambda letter: letter[1].upper(), key)
        gun = "gun" if key in ("connectorId", "evseId", "connector_id", "evse_id") else camel
        named = (key, camel, gun, "exactly one of", "required", "validTo", "allowed is one ")
        assert any(name in refused for name in named), (key, refused)
        assert "\n" not in refused
        return
    assert found.starts_s[0] == 0
    assert all(one < other for one, other in zip(found.starts_s, found.starts_s[1:], strict=False))
    assert all(isinstance(limit_w, int) and limit_w >= 0 for limit_w in found.limits_w)
    assert not math.isnan(found.duration_s)


def test_what_is_taken_back_is_named_as_it_was_told() -> None:
    named = ClearLimits.model_validate({"purpose": "TxDefaultProfile", "gun": 2}).named
    assert named == {"id": None, "purpose": "default", "stack_level": None, "gun": 2}
    assert ClearLimits.model_validate({"purpose": "external"}).named["purpose"] == "external"
    with pytest.raises(ValidationError, match="purpose"):
        ClearLimits.model_validate({"purpose": "all"})
