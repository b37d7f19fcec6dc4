"""The limits that stand, in the words of the interface."""

import math
from typing import Any

from verified_alloc.control.standing_limits import Standing
from verified_alloc.decide.limits.profile import Profile
from verified_alloc.decide.limits.store import Limits
from verified_alloc.service.models import (
    GunLimit,
    GunSchedule,
    LimitsView,
    LimitView,
    PeriodView,
    ProfilePeriod,
    Schedule,
    StandingLimit,
)
from verified_alloc.station.model import Station

MOST_CHANGES = 1000


class LimitViews:
    """Of one station. What is now is worked out again when something else is allowed."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._latest: tuple[Standing, float, LimitsView] | None = None

    def now(self, standing: Standing) -> LimitsView:
        """What is allowed, and by what."""
        now_s, told = standing.at_s, standing._replace(at_s=0.0)
        if self._latest is not None:
            before, until_s, view = self._latest
            if told == before and now_s < until_s:
                return view
        limits = Limits(len(self._station.guns), standing.profiles)
        change_s = limits.next_change_s(now_s, standing.sessions)
        view = LimitsView(
            limit_kw=_kw(standing.allowed.station_w),
            guns=[
                GunLimit(gun=gun, limit_kw=limit_w / 1000)
                for gun, limit_w in enumerate(standing.allowed.gun_w, start=1)
                if limit_w is not None
            ],
            failsafe=standing.failsafe,
            clock_is_set=standing.on_set_clock,
            other_load_kw=standing.other_w / 1000,
            changes_at=_finite(change_s),
            standing=[LimitView(**_about(standing, profile)) for profile in standing.profiles],
        )
        self._latest = told, change_s, view
        return view

    def standing(self, standing: Standing) -> list[StandingLimit]:
        """All of them, with all that they say."""
        return [
            StandingLimit(
                **_about(standing, profile),
                start_at=profile.start_s,
                duration_s=_finite(profile.duration_s),
                every_s=_finite(profile.every_s),
                valid_from_at=_finite(profile.from_s),
                valid_to_at=_finite(profile.to_s),
                periods=[
                    ProfilePeriod(after_s=after_s, limit_kw=limit_w / 1000)
                    for after_s, limit_w in zip(profile.starts_s, profile.limits_w, strict=True)
                ],
            )
            for profile in standing.profiles
        ]

    def schedule(self, standing: Standing, hours: float) -> Schedule:
        """What will be allowed, as far as anybody knows now; within the station's own limit."""
        limits = Limits(len(self._station.guns), standing.profiles)
        now_s = standing.at_s
        until_s = now_s + hours * 3600
        found = limits.schedule(now_s, until_s, standing.sessions, MOST_CHANGES)
        if len(found) == MOST_CHANGES:
            until_s = found.pop()[0]
        own_w = self._station.site_limit_w
        together = [
            (at_s, standing.allowed.station_w if standing.failsafe else allowed.station_w)
            for at_s, allowed in found
        ]
        within_own = [
            (at_s, min((w for w in (own_w, limit_w) if w is not None), default=None))
            for at_s, limit_w in together
        ]
        return Schedule(
            periods=_periods(within_own),
            guns=[
                GunSchedule(
                    gun=gun.id,
                    periods=_periods(
                        [(at_s, allowed.gun_w[gun.id - 1]) for at_s, allowed in found]
                    ),
                )
                for gun in self._station.guns
            ],
            until_at=until_s,
        )


def _about(standing: Standing, profile: Profile) -> dict[str, Any]:
    session = standing.sessions.get(profile.gun or 0)
    now_s, began_s = standing.at_s, session and session.began_s
    return {
        "gun": profile.gun,
        "purpose": profile.purpose,
        "stack_level": profile.stack_level,
        "profile_id": profile.id,
        "transaction": profile.transaction,
        "allows_kw": _kw(profile.at(now_s, began_s)),
        "changes_at": _finite(profile.next_change_s(now_s, began_s)),
    }


def _periods(limits_w: list[tuple[float, int | None]]) -> list[PeriodView]:
    """Only where it changes."""
    return [
        PeriodView(at=at_s, limit_kw=_kw(limit_w))
        for place, (at_s, limit_w) in enumerate(limits_w)
        if place == 0 or limit_w != limits_w[place - 1][1]
    ]


def _kw(power_w: int | None) -> float | None:
    return None if power_w is None else power_w / 1000


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
