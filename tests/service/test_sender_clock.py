"""How old a demand is, by a clock that is wrong, set, slow or right."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_alloc.errors import BadInput
from verified_alloc.service.sender_clock import SenderClock

TIMEOUT_S = 10.0
HOUR_S = 3600.0
AT_S = 1000.0
"""Now, by the monotonic clock."""


def unix_s(now_s: float) -> float:
    """What our wall clock shows then."""
    return now_s + time.time() - time.monotonic()


def accepted(clock: SenderClock, sent_s: float, now_s: float) -> bool:
    try:
        clock.age_s(sent_s, now_s)
    except BadInput:
        return False
    return True


def test_a_message_is_as_old_as_it_says() -> None:
    clock = SenderClock(TIMEOUT_S)
    assert clock.age_s(unix_s(AT_S) - 4, AT_S) == pytest.approx(4, abs=0.01)
    assert clock.age_s(unix_s(AT_S) - 0.5, AT_S) == pytest.approx(0.5, abs=0.01)
    with pytest.raises(BadInput, match=r"^sent_s is older than that of a message before"):
        clock.age_s(unix_s(AT_S) - 1, AT_S)


def test_the_first_is_judged_by_our_clock() -> None:
    with pytest.raises(BadInput, match=r"^10\.\d s old by its sent_s: allowed is 10 s$"):
        SenderClock(TIMEOUT_S).age_s(unix_s(AT_S) - TIMEOUT_S - 0.5, AT_S)


@given(
    st.floats(-HOUR_S, HOUR_S),
    st.lists(st.tuples(st.floats(1.0, 4.0), st.floats(0, 0.2)), min_size=4, max_size=20),
)
def test_a_clock_that_is_set_costs_one_message_at_most(
    set_s: float, course: list[tuple[float, float]]
) -> None:
    """Set by up to an hour, either way, in the middle; each message is a little on its way."""
    clock, now_s = SenderClock(TIMEOUT_S), AT_S
    taken = []
    for place, (pause_s, on_its_way_s) in enumerate(course):
        now_s += pause_s
        ahead_s = set_s if place >= len(course) // 2 else 0.0
        taken.append(accepted(clock, unix_s(now_s) + ahead_s - on_its_way_s, now_s))
    assert taken.count(False) <= 1


def test_our_own_clock_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sent_s = SenderClock(TIMEOUT_S), unix_s(AT_S)
    assert accepted(clock, sent_s, AT_S)
    for jump_s in (HOUR_S, -HOUR_S):
        really = time.time
        monkeypatch.setattr(time, "time", lambda by=jump_s, now=really: now() + by)
        later_s = AT_S + abs(jump_s) / 1000
        assert clock.age_s(sent_s + later_s - AT_S, later_s) < 0.1


@given(st.floats(11, HOUR_S), st.lists(st.floats(0, 0.9), min_size=1, max_size=10))
def test_what_a_broker_kept_is_refused_when_it_comes_at_once(
    old_s: float, sent_apart_s: list[float]
) -> None:
    clock = SenderClock(TIMEOUT_S)
    assert accepted(clock, unix_s(AT_S), AT_S)
    sent_s = unix_s(AT_S) - old_s
    for at, apart_s in enumerate(sent_apart_s):
        sent_s += apart_s
        assert not accepted(clock, min(sent_s, unix_s(AT_S) - 10.5), AT_S + at * 0.001)
    assert accepted(clock, unix_s(AT_S + 1), AT_S + 1)


def test_one_message_told_again_and_again_does_not_pass_for_a_clock() -> None:
    clock, sent_s = SenderClock(TIMEOUT_S), unix_s(AT_S) - 60
    assert not any(accepted(clock, sent_s, AT_S + 0.3 * n) for n in range(100))


def test_a_slow_clock_is_followed() -> None:
    """100 ppm, for three days, a message every 3 s."""
    clock = SenderClock(TIMEOUT_S)
    for n in range(86_400):
        assert clock.age_s(unix_s(AT_S) + 3 * n * (1 - 1e-4), AT_S + 3 * n) < 0.1


def test_a_time_out_of_this_world_locks_nobody_out() -> None:
    clock = SenderClock(TIMEOUT_S)
    assert accepted(clock, 1e11, AT_S)
    assert not accepted(clock, unix_s(AT_S + 1), AT_S + 1)
    assert accepted(clock, unix_s(AT_S + 3), AT_S + 3)
