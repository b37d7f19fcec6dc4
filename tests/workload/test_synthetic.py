"""A synthetic day is the same for the same seed, and one that a station could have had."""

import subprocess
import sys
from itertools import chain, groupby, pairwise

import pytest

from verified_alloc.errors import BadInput
from verified_alloc.workload.synthetic import (
    CAR_CLASSES,
    DAY_S,
    GUN_MAX_W,
    HOURLY_ARRIVALS,
    PLUG_IN_S,
    RAMP_S,
    RESEND_S,
    RESEND_W,
    STEP_S,
    Day,
    SyntheticSession,
    main,
    synthetic_day,
)
from verified_alloc.workload.traces import DemandChange, read_trace, sample

GUNS = range(1, 7)
SAMPLE_SEED = 1


@pytest.fixture(scope="module")
def day() -> Day:
    return synthetic_day(SAMPLE_SEED)


@pytest.fixture(scope="module")
def many() -> list[Day]:
    return [synthetic_day(seed) for seed in range(8)]


def rows_of(day: Day, session: SyntheticSession) -> list[DemandChange]:
    return [
        change
        for change in day.trace.changes
        if change.gun == session.gun
        and session.plugged_s * 1000 <= change.time_ms <= session.unplugged_s * 1000
    ]


def test_the_samples_are_the_generators_bytes() -> None:
    module = [sys.executable, "-m", "verified_alloc.workload.synthetic", "--seed", str(SAMPLE_SEED)]
    for name, options in (("day", []), ("hour", ["--hour"])):
        made = subprocess.run([*module, *options], check=True, capture_output=True).stdout
        assert made == sample(name).read_bytes()


def test_the_same_seed_gives_the_same_day_and_another_another(day: Day) -> None:
    assert synthetic_day(SAMPLE_SEED) == day
    assert synthetic_day(SAMPLE_SEED + 1) != day


def test_the_sample_day_is_the_days_trace(day: Day) -> None:
    assert read_trace("day", GUNS) == day.trace


@pytest.mark.parametrize("guns", [1, 2, 12])
def test_a_day_for_any_number_of_guns(guns: int) -> None:
    trace = synthetic_day(3, guns).trace
    assert {change.gun for change in trace.changes} == set(range(1, guns + 1))
    assert len({change[:2] for change in trace.changes}) == len(trace.changes)


def test_no_guns_no_day(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match=r"^guns: 0; allowed: 1 or more$"):
        synthetic_day(1, 0)
    with pytest.raises(SystemExit) as stopped:
        main(["--seed", "1", "--guns", "0"])
    assert stopped.value.code == 2
    assert "guns: 0; allowed: 1 or more" in capsys.readouterr().err


def test_a_gun_charges_one_car_at_a_time(many: list[Day]) -> None:
    for day in many:
        in_order = sorted(day.sessions, key=lambda session: (session.gun, session.plugged_s))
        for _, sessions in groupby(in_order, key=lambda session: session.gun):
            for first, second in pairwise(sessions):
                assert first.unplugged_s + 60 <= second.plugged_s


def test_every_demand_belongs_to_a_session_and_ends_with_it(many: list[Day]) -> None:
    for day in many:
        rows = [rows_of(day, session) for session in day.sessions]
        closing = [DemandChange(DAY_S * 1000, gun, 0) for gun in GUNS]
        assert sorted([*chain(*rows), *closing]) == list(day.trace.changes)
        for session, changes in zip(day.sessions, rows, strict=True):
            assert all(change.demand_w > 0 for change in changes[:-1])
            assert changes[-1].demand_w == 0
            assert changes[0].time_ms >= (session.plugged_s + PLUG_IN_S) * 1000


def test_a_demand_comes_anew_when_it_moved_or_got_old_and_never_unchanged(day: Day) -> None:
    slow = 0
    for session in day.sessions:
        changes = rows_of(day, session)[:-1]
        for last, change in pairwise(changes):
            moved_w = abs(change.demand_w - last.demand_w)
            apart_ms = change.time_ms - last.time_ms
            assert moved_w >= RESEND_W or (moved_w > 0 and apart_ms >= RESEND_S * 1000)
            slow += moved_w < RESEND_W
    assert slow > 100


def test_a_curve_has_no_jumps(many: list[Day]) -> None:
    for day in many:
        for session in day.sessions:
            changes = rows_of(day, session)[:-1]
            ramped = [c for c in changes if c.time_ms - changes[0].time_ms >= RAMP_S * 1000]
            for last, change in pairwise(ramped):
                assert abs(change.demand_w - last.demand_w) < 2 * RESEND_W


def test_a_car_ramps_up_in_steps_and_tapers(day: Day) -> None:
    for session in day.sessions:
        demands_w = [change.demand_w for change in rows_of(day, session)]
        assert demands_w[0] <= 0.35 * max(demands_w)
    full = [session for session in day.sessions if session.soc_departure > 85]
    assert full
    for session in full:
        demands_w = [change.demand_w for change in rows_of(day, session)]
        assert demands_w[-2] < 0.75 * max(demands_w)


def test_the_state_of_charge_follows_from_the_demands(day: Day) -> None:
    capacity_kwh = {car.name: car.capacity_kwh for car in CAR_CLASSES}
    for session in day.sessions:
        changes = rows_of(day, session)
        asked_kwh = sum(
            min(before.demand_w, GUN_MAX_W) * (after.time_ms - before.time_ms) / 3.6e9
            for before, after in pairwise(changes)
        )
        # What is sent lags what is drawn by less than RESEND_W, and longest at a minute's drift.
        hours = (session.unplugged_s - session.plugged_s) / 3600
        assert abs(asked_kwh - session.energy_kwh) <= RESEND_W / 1000 * hours + 0.2
        gained = (session.soc_departure - session.soc_arrival) / 100
        assert gained * capacity_kwh[session.car] == pytest.approx(session.energy_kwh)
        assert 5 <= session.soc_arrival < session.soc_departure <= 100.5


def test_curves_run_from_empty_to_full_and_some_cars_ask_for_more_than_a_gun_has() -> None:
    assert sum(car.share for car in CAR_CLASSES) == 100
    assert len(HOURLY_ARRIVALS) == 24
    peaks_kw = [max(power_kw for _, power_kw in car.curve) for car in CAR_CLASSES]
    assert min(peaks_kw) >= 60
    assert max(peaks_kw) == 350
    assert sum(peak_kw * 1000 > GUN_MAX_W for peak_kw in peaks_kw) == 3
    for car in CAR_CLASSES:
        charges = [charge for charge, _ in car.curve]
        assert charges == sorted(set(charges))
        assert (charges[0], charges[-1]) == (0, 100)


def test_nobody_waits_while_a_gun_is_free_and_whoever_came_first_goes_first() -> None:
    # A crowd: many arrivals for one gun, so that most wait.
    day = synthetic_day(2, guns=1)
    waited = [session for session in day.sessions if session.plugged_s > session.arrival_s]
    assert waited
    assert list(day.sessions) == sorted(day.sessions, key=lambda session: session.plugged_s)
    arrivals_s = [session.arrival_s for session in day.sessions]
    assert arrivals_s == sorted(arrivals_s)
    for session in waited:
        assert session.plugged_s - session.arrival_s <= 25 * 60
        before = [s for s in day.sessions if s.plugged_s < session.plugged_s]
        assert before[-1].unplugged_s > session.arrival_s - 9 * 60


def test_cars_are_turned_away_only_where_it_is_crowded(many: list[Day]) -> None:
    assert sum(synthetic_day(seed, guns=1).turned_away for seed in range(8)) > 0
    assert sum(day.turned_away for day in many) < 0.02 * sum(len(day.sessions) for day in many)


def test_days_are_believable(many: list[Day]) -> None:
    sessions = [session for day in many for session in day.sessions]
    per_day = len(sessions) / len(many)
    assert 80 <= per_day <= 100  # 15 a gun
    mean_kwh = sum(session.energy_kwh for session in sessions) / len(sessions)
    assert 30 <= mean_kwh <= 45
    minutes = [(session.unplugged_s - session.plugged_s) / 60 for session in sessions]
    assert 15 <= sum(minutes) / len(minutes) <= 30
    night = sum(session.arrival_s < 6 * 3600 for session in sessions)
    evening = sum(16 * 3600 <= session.arrival_s < 19 * 3600 for session in sessions)
    assert night < 0.04 * len(sessions) < 0.18 * len(sessions) < evening
    above_gun = [
        max(change.demand_w for change in rows_of(day, session)) > GUN_MAX_W
        for day in many
        for session in day.sessions
    ]
    assert 0.08 <= sum(above_gun) / len(above_gun) <= 0.3
    for day in many:
        assert 1000 <= len(day.trace.changes) <= 8000


def test_the_sample_day_has_room_and_contention(day: Day) -> None:
    station_w = 9 * 40_000
    demand_w = dict.fromkeys(GUNS, 0)
    asked_ws, last_ms, contended_ms = 0, 0, 0
    for change in day.trace.changes:
        total_w = sum(min(w, GUN_MAX_W) for w in demand_w.values())
        asked_ws += total_w * (change.time_ms - last_ms)
        contended_ms += (change.time_ms - last_ms) * (total_w > station_w)
        demand_w[change.gun] = change.demand_w
        last_ms = change.time_ms
    assert 0.3 < asked_ws / (station_w * DAY_S * 1000) < 0.5
    assert 0.05 < contended_ms / (DAY_S * 1000) < 0.25
    assert len(sample("day").read_bytes()) < 150_000


def test_a_live_station_starts_with_cars_charging_and_more_to_come(many: list[Day]) -> None:
    for day in many:
        start_ms = day.trace.busiest_ms()
        live = day.trace.excerpt(start_ms, day.trace.last_ms)
        charging = [change for change in live.changes if change.time_ms == 0]
        assert charging
        coming = [s for s in day.sessions if 0 < s.plugged_s * 1000 - start_ms < 30 * 60_000]
        assert len(coming) >= 2


def test_a_session_moves_in_its_own_steps(day: Day) -> None:
    for session in day.sessions:
        times_ms = [change.time_ms for change in rows_of(day, session)]
        assert {(time_ms - times_ms[0]) % (STEP_S * 1000) for time_ms in times_ms} == {0}
