"""Stacks of charging profiles against a composite schedule made the way OCPP's reference
implementation makes it: every period written out, then the highest stack level at each second."""

import math
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_alloc.decide.limits.profile import Profile, always
from verified_alloc.decide.limits.store import Allowed, Limits, Session, Sessions

GUNS = 2
NOW_S, END_S = 100, 160


class Entry(NamedTuple):
    """One period of a profile, written out."""

    profile: Profile
    start_s: float
    end_s: float
    limit_w: int


def entries(profile: Profile, session_s: int | None) -> list[Entry]:
    """As libocpp's `calculate_profile` lists them."""
    start_s = session_s if profile.start_s is None else profile.start_s
    if start_s is None:
        return []
    starts_s: list[float] = [start_s]
    if profile.every_s < math.inf:
        back = math.floor((NOW_S - start_s) / profile.every_s)
        first_s = start_s + back * profile.every_s
        starts_s = [first_s + turn * profile.every_s for turn in range(-1, END_S)]
    found = []
    for turn in starts_s:
        ends_s = [*profile.starts_s[1:], math.inf]
        for begins, ends, limit_w in zip(profile.starts_s, ends_s, profile.limits_w, strict=True):
            ends = min(ends, profile.duration_s, profile.every_s)
            begin_s = max(turn + begins, profile.from_s)
            end_s = min(turn + ends, profile.to_s)
            if begin_s < end_s:
                found.append(Entry(profile, begin_s, end_s, limit_w))
    return found


def prevailing(
    profiles: list[Profile], gun: int | None, session: Session | None, at_s: float
) -> int | None:
    ranked = sorted(
        (
            entry
            for profile in profiles
            if profile.transaction is None
            or (session is not None and session.transaction == profile.transaction)
            for entry in entries(profile, None if session is None else session.began_s)
            if entry.start_s <= at_s < entry.end_s
        ),
        key=lambda entry: (entry.profile.stack_level, entry.profile.gun == gun, -entry.limit_w),
    )
    return ranked[-1].limit_w if ranked else None


def least(*limits_w: int | None) -> int | None:
    told = [limit_w for limit_w in limits_w if limit_w is not None]
    return min(told) if told else None


def allowed(limits: Limits, sessions: Sessions, at_s: float) -> Allowed:
    """The oracle."""

    def of(purpose: str, whom: tuple[int | None, ...], gun: int | None) -> int | None:
        profiles = [p for p in limits.profiles if p.purpose == purpose and p.gun in whom]
        return prevailing(profiles, gun, sessions.get(gun) if gun else None, at_s)

    def of_gun(gun: int) -> int | None:
        session = of("session", (None, gun), gun)
        default = of("default", (None, gun), gun)
        first = default if session is None else session
        return least(first, of("external", (gun,), gun), of("station", (gun,), gun))

    return Allowed(
        least(of("external", (None,), None), of("station", (None,), None)),
        tuple(map(of_gun, range(1, GUNS + 1))),
    )


def times(least_s: int, most_s: int) -> st.SearchStrategy[int]:
    return st.integers(least_s, most_s)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    count = draw(st.integers(1, 4))
    gaps = draw(st.lists(times(1, 15), min_size=count - 1, max_size=count - 1))
    purpose = draw(st.sampled_from(["external", "station", "default", "session"]))
    return Profile(
        purpose,
        tuple(sum(gaps[:place]) for place in range(count)),
        tuple(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))),
        draw(st.none() | times(60, 180))
        if purpose in ("default", "session")
        else draw(times(60, 180)),
        gun=draw(st.none() | st.integers(1, GUNS)),
        stack_level=draw(st.integers(0, 2)),
        transaction=draw(st.sampled_from([None, "a", "b"])) if purpose == "session" else None,
        duration_s=draw(st.just(math.inf) | times(1, 40)),
        every_s=draw(st.just(math.inf) | times(5, 50)),
        from_s=draw(st.just(-math.inf) | times(80, 140)),
        to_s=draw(st.just(math.inf) | times(110, 170)),
    )


sessions_of = st.dictionaries(
    st.integers(1, GUNS),
    st.builds(Session, times(60, 130), st.sampled_from([None, "a", "b"])),
)


def agrees(told: list[Profile], sessions: Sessions) -> None:
    """Second by second: what is allowed now, what the schedule says, and the lowest of them all."""
    limits = Limits(GUNS)
    for profile in told:
        limits = limits.told(profile, NOW_S)
    schedule = dict(limits.schedule(NOW_S, END_S, sessions))
    lowest = limits.at_any_time()
    standing = schedule[NOW_S]
    for at_s in range(NOW_S, END_S):
        expected = allowed(limits, sessions, at_s)
        standing = schedule.get(at_s, standing)
        assert limits.at(at_s, sessions) == standing == expected
        for ever_w, now_w in zip(
            (lowest.station_w, *lowest.gun_w), (expected.station_w, *expected.gun_w), strict=True
        ):
            assert now_w is None or (ever_w is not None and ever_w <= now_w)
        assert limits.pruned(at_s).at(at_s, sessions) == expected
    assert schedule.keys() <= set(range(NOW_S, END_S))


@given(st.lists(profiles(), max_size=6), sessions_of)
def test_random_stacks(told: list[Profile], sessions: Sessions) -> None:
    agrees(told, sessions)


@pytest.mark.sweep
@settings(max_examples=100_000)
@given(st.lists(profiles(), max_size=6), sessions_of)
def test_a_hundred_thousand_stacks(told: list[Profile], sessions: Sessions) -> None:
    agrees(told, sessions)


def limit(limit_w: int, **what: object) -> Profile:
    return always(limit_w)._replace(**what)


def stack(*told: Profile) -> Limits:
    limits = Limits(GUNS)
    for profile in told:
        limits = limits.told(profile, 0)
    return limits


def test_a_higher_stack_level_that_is_over_leaves_the_lower_one() -> None:
    limits = stack(limit(120), limit(60, stack_level=1, start_s=50, duration_s=8))
    assert [limits.at(at_s, {}).station_w for at_s in (49, 50, 57, 58)] == [120, 60, 60, 120]


def test_one_that_starts_later_leaves_what_is_there_until_then() -> None:
    limits = stack(limit(100), limit(70, start_s=10))
    assert limits.schedule(0, 20, {}) == [
        (0, Allowed(100, (None, None))),
        (10, Allowed(70, (None, None))),
    ]
    assert limits.within(8, 2, {}).station_w == 100
    assert limits.within(8, 3, {}).station_w == 70


def test_the_same_place_or_id_is_replaced() -> None:
    limits = stack(limit(1, id=7), limit(2, id=7, stack_level=3))
    assert [each.limits_w for each in limits.profiles] == [(2,)]
    assert len(limits.told(limit(3, stack_level=3), 0).profiles) == 1
    assert len(limits.told(limit(3, stack_level=3, gun=1), 0).profiles) == 2


def test_the_latest_of_those_to_come_is_the_one_that_comes() -> None:
    """And one that comes to nothing is not kept."""
    limits = stack(limit(1), limit(2, start_s=20), limit(3, start_s=10))
    assert limits.profiles == (limit(1, to_s=10), limit(3, start_s=10))
    assert len(limits.told(limit(4), 5).profiles) == 1


def test_a_clock_that_is_set_moves_what_began_when_it_was_told() -> None:
    limits = stack(limit(1, from_told=True, duration_s=60), limit(2, id=1, stack_level=1))
    assert [each.start_s for each in limits.shifted(3600).profiles] == [3600, 0]


def test_what_is_taken_back() -> None:
    limits = stack(limit(1, id=1), limit(2, id=2, stack_level=1))
    assert [each.id for each in limits.without(id=1).profiles] == [2]
    assert [each.id for each in limits.without(purpose="external", stack_level=1).profiles] == [1]
    assert limits.without(purpose="station").profiles == limits.profiles
    assert limits.without().profiles == ()
