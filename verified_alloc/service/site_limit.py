"""The site limit as it is told: a value, or a schedule in the shape of an OCPP charging profile."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from verified_alloc.errors import BadInput, shown

PURPOSES = (
    "ChargePointMaxProfile",  # OCPP 1.6
    "ChargingStationMaxProfile",  # OCPP 2.0.1
    "ChargingStationExternalConstraints",
)
REPEATS_S = {"Daily": 86_400, "Weekly": 7 * 86_400}
MOST_PERIODS = 1000


@dataclass(frozen=True)
class SiteLimit:
    """A limit over time, all in s of Unix time: from `start_s` on, for `duration_s` or for good,
    again every `every_s`, and only from `from_s` until `to_s`."""

    starts_s: tuple[int, ...]
    """Of the periods, after `start_s`, ascending from 0."""
    limits_w: tuple[int, ...]
    start_s: float = 0.0
    duration_s: float = math.inf
    every_s: float = math.inf
    from_s: float = -math.inf
    to_s: float = math.inf
    from_told: bool = False
    """It begins when it was told, whatever a clock is set to since."""

    def at(self, now_s: float) -> int | None:
        """The limit in force then, W; None: none."""
        since_s = now_s - self.start_s
        if since_s < 0 or not self.from_s <= now_s < self.to_s:
            return None
        if self.every_s < math.inf:
            since_s %= self.every_s
        if since_s >= self.duration_s:
            return None
        return self.limits_w[bisect_right(self.starts_s, since_s) - 1]


def site_limit(order: Mapping[str, Any], now_s: float) -> SiteLimit:
    """What `{"limit_kw": 100}` or `{"profile": {...}}` says; a profile without a start begins at
    `now_s`. `BadInput` names the key, its value and what is allowed."""
    if order.keys() == {"limit_kw"}:
        return SiteLimit((0,), (_watts("limit_kw", order["limit_kw"], 1000),))
    if order.keys() != {"profile"} or not isinstance(order["profile"], Mapping):
        raise BadInput(f"site limit {shown(order)}: allowed is limit_kw or profile")
    profile = order["profile"]
    _one_of(profile, "chargingProfilePurpose", PURPOSES)
    kind = _one_of(profile, "chargingProfileKind", ("Absolute", "Recurring"))
    schedule = profile.get("chargingSchedule")
    if not isinstance(schedule, Mapping):
        raise BadInput(f"chargingSchedule {shown(schedule)}: allowed is one schedule")
    _one_of(schedule, "chargingRateUnit", ("W",))
    starts_s, limits_w = _periods(schedule.get("chargingSchedulePeriod"))
    every_s = math.inf
    if kind == "Recurring":
        every_s = REPEATS_S[_one_of(profile, "recurrencyKind", tuple(REPEATS_S))]
    return SiteLimit(
        starts_s,
        limits_w,
        start_s=_time(schedule, "startSchedule", now_s),
        duration_s=_duration_s(schedule.get("duration")),
        every_s=every_s,
        from_s=_time(profile, "validFrom", -math.inf),
        to_s=_time(profile, "validTo", math.inf),
        from_told=schedule.get("startSchedule") is None,
    )


def _periods(periods: object) -> tuple[tuple[int, ...], tuple[int, ...]]:
    name = "chargingSchedulePeriod"
    if not isinstance(periods, list) or not 1 <= len(periods) <= MOST_PERIODS:
        raise BadInput(f"{name}: allowed are 1 to {MOST_PERIODS} periods")
    starts_s: list[int] = []
    limits_w: list[int] = []
    for period in periods:
        if not isinstance(period, Mapping):
            raise BadInput(f"{name} {shown(period)}: allowed is startPeriod with its limit")
        start_s: Any = period.get("startPeriod")
        fits = _is_whole(start_s) and (start_s > starts_s[-1] if starts_s else start_s == 0)
        if not fits:
            allowed = f"more than {starts_s[-1]}, the one before" if starts_s else "0 in the first"
            raise BadInput(f"{name}.startPeriod {shown(start_s)}: allowed is {allowed}")
        starts_s.append(start_s)
        limits_w.append(_watts(f"{name}.limit", period.get("limit"), 1))
    return tuple(starts_s), tuple(limits_w)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**9


def _watts(name: str, value: Any, unit_w: int) -> int:
    """Rounded down: a limit is kept."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 10**9:
        return math.floor(round(value * unit_w, 3))
    raise BadInput(f"{name} {shown(value)}: allowed is a number, 0 to 1000000000")


def _duration_s(value: Any) -> float:
    if value is None:
        return math.inf
    if not _is_whole(value) or value == 0:
        raise BadInput(f"duration {shown(value)}: allowed is a whole number of seconds above 0")
    return float(value)


def _one_of(profile: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    value = profile.get(key)
    if value not in allowed:
        raise BadInput(f"{key} {shown(value)}: allowed is {', '.join(allowed)}")
    return str(value)


def _time(profile: Mapping[str, Any], key: str, missing_s: float) -> float:
    value = profile.get(key)
    if value is None:
        return missing_s
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None:
            return at.timestamp()
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadInput(f"{key} {shown(value)}: allowed is a time with its zone, 2026-11-24T15:00:00Z")
