"""A replay adds up exactly, is what an independent simulation finds, and what the live controller
would have done."""

import pickle
import random
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace as changed

import pytest
from compare.by_the_second import curve_w, simulate, stepped_w
from hypothesis import given, settings
from hypothesis import strategies as st
from stations import stations
from sweep.stations import quick, some_station
from workload.some_sessions import (
    MINUTE_MS,
    MONDAY_MS,
    at_once,
    session,
    sessions_for,
    some_sessions,
    with_battery,
)

from verified_alloc.compare.demand_source import DAY_MS, Served
from verified_alloc.compare.ideal_charger import Charger, Deciding
from verified_alloc.compare.replay import Replay, replay
from verified_alloc.control import wear
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.decide.demand import strictly
from verified_alloc.run.loop import Run
from verified_alloc.station.model import Station
from verified_alloc.station.parts import POLICIES, Matrix
from verified_alloc.workload.sessions import MJ_PER_KWH, Session
from verified_alloc.workload.traces import DemandChange, DemandTrace, read_trace

REFERENCE = Station.reference()
DOCUMENTED = changed(REFERENCE, policy=changed(REFERENCE.policy, name="documented"))
GUNS = [gun.id for gun in REFERENCE.guns]


def small(guns: int, modules: int, **timing: int) -> Station:
    station = Station.from_tables(
        {
            "station": {
                "guns": guns,
                "modules": modules,
                "module_power_kw": 60,
                "gun_max_power_kw": 240,
            }
        }
    )
    return at_once(station, **timing)


def served_by(
    station: Station, cars: list[Session], policy: str = "documented", **options: int
) -> tuple[Replay, list[Served]]:
    served: list[Served] = []
    told = replay(station, cars, policy, each=served.append, **options)  # type: ignore[arg-type]
    return told, served


def minutes(at_ms: int | None) -> float:
    assert at_ms is not None
    return (at_ms - MONDAY_MS) / MINUTE_MS


# Against the live controller ----------------------------------------------------------------


@pytest.fixture(scope="module")
def busy() -> DemandTrace:
    return read_trace("hour", GUNS).excerpt(0, 15 * 60_000)


def random_trace(station: Station, seed: int, changes: int, until_s: int) -> DemandTrace:
    draw = random.Random(f"replay {seed}")
    times = sorted(draw.sample(range(until_s * 1000), changes))
    told = [
        DemandChange(at_ms, draw.randint(1, len(station.guns)), 1000 * draw.randint(0, 260))
        for at_ms in times
    ]
    return DemandTrace((*told, DemandChange((until_s + 5) * 1000, 1, 0)))


def is_what_the_controller_does(station: Station, trace: DemandTrace) -> Replay:
    """Operations are equal, contactor by contactor; energies within what the pool gives in one scan
    for each change. The vehicles of the cabinet take their full time to heed a lower offer; its
    contactors all take their full time as scans count it, less half a scan, so that every one of
    them is seen by the same scan."""
    charger = simulated_charger(station)
    timing = station.timing
    for vehicle in charger.cabinet.vehicles:
        vehicle.response_us = timing.offer_lead_ms * 1000

    def in_good_time_us(limit_ms: int) -> int:
        scans_us = -(-limit_ms // timing.scan_ms) * timing.scan_ms * 1000
        return min(limit_ms * 1000, scans_us - timing.scan_ms * 500)

    for contactor in charger.cabinet.contactors.values():
        operate_us = in_good_time_us(timing.contactor_operate_ms)
        contactor.operate_us = operate_us - contactor.bounce_us
        release_us = in_good_time_us(timing.contactor_release_ms)
        # Writes come a little later in scans that look a chip over besides: no tie hangs on that.
        contactor.release_us = release_us - contactor.bounce_us - 1000
    live = Run(station, charger, trace).play(trace.last_ms)
    replayed = replay(station, trace, station.policy.name)
    moved = {f"{g}:{m}": times for (g, m), times in replayed.operations.items() if times}
    assert moved == live.operations
    off_j = abs(replayed.delivered_mj / 1e3 - sum(live.energy_kwh.values()) * 3.6e6)
    assert off_j <= len(trace.changes) * replayed.pool_w * station.timing.scan_ms / 1e3
    asked_kwh = sum(live.energy_kwh.values()) + sum(live.unmet_kwh.values())
    assert sum(replayed.gun_asked_mj) / MJ_PER_KWH == pytest.approx(asked_kwh)
    return replayed


def test_it_is_what_the_live_controller_does(busy: DemandTrace) -> None:
    replayed = is_what_the_controller_does(DOCUMENTED, busy)
    assert sum(replayed.operations.values()) > 50
    assert replayed.delivered_mj > 0.4 * sum(replayed.gun_asked_mj)


def under(policy: str, station: Station, lasts_s: int = 0) -> Station:
    """The rule knows no minimum."""
    decides = changed(
        station.policy, name=policy, rank_delay_s=lasts_s, release_delay_s=3 * lasts_s
    )
    if policy == "documented":
        decides = changed(decides, minimum_modules=0)
    return changed(station, policy=decides)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(2))
def test_on_any_station_under_any_policy(seed: int, policy: str) -> None:
    """Any matrix, powers, site limit, scan, contactors and dwell."""
    station = under(policy, some_station(seed), lasts_s=seed % 4)
    is_what_the_controller_does(station, random_trace(station, seed, 12, 60))


@pytest.mark.parametrize("seed", [0, 2])
def test_wear_is_what_the_controller_counts(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a step so small that it decides."""
    trace = random_trace(REFERENCE, seed, 40, 400)
    without = replay(REFERENCE, trace, "priority")
    monkeypatch.setattr(wear, "STEP", 2)
    worn = is_what_the_controller_does(REFERENCE, trace)
    assert worn.operations != without.operations


def test_an_answer_for_other_wear_is_not_taken_again() -> None:
    deciding = Deciding("priority")
    question = REFERENCE, strictly([40_000, 0, 0, 0, 0, 0]), {}, frozenset()
    assert deciding(*question, {}).modules[1] == (1,)
    assert deciding(*question, {(1, 1): 1}).modules[1] == (2,)
    assert deciding(*question, {}).modules[1] == (1,)
    assert (deciding.asked, deciding.made) == (3, 2)


@pytest.mark.sweep
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(6, 60))
def test_on_many_stations(seed: int, policy: str) -> None:
    station = under(policy, some_station(seed), lasts_s=seed % 4)
    is_what_the_controller_does(station, random_trace(station, seed, 25, 90))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_missed_between_scans(seed: int) -> None:
    """Scanning at every point of the grid finds the same as scanning where something is due."""
    station = quick() if seed % 2 else some_station(seed)
    station = changed(station, timing=changed(station.timing, minimum_dwell_s=seed % 3))
    station = under("documented", station, lasts_s=seed)
    trace = random_trace(station, 10 + seed, 12, 20)
    scan_ms = station.timing.scan_ms
    due, always = (Charger(station, "documented", 0) for _ in range(2))
    changes = list(trace.changes)
    for now_ms in range(0, trace.last_ms, scan_ms):
        while changes and changes[0].time_ms <= now_ms:
            change = changes.pop(0)
            for charger in (due, always):
                charger.ask(change.gun - 1, change.demand_w, now_ms)
        while due.next_ms <= now_ms:
            due.advance(due.next_ms)
        always._next_scan_ms = now_ms
        always.advance(now_ms)
        assert due.draw_w == always.draw_w
        assert due.live_on == always.live_on
        assert due.operations == always.operations
    assert sum(map(sum, due.operations)) >= 8


def test_a_coil_pulse_too_short_for_its_contactor_is_no_operation() -> None:
    """Wanted for one scan: the coil falls before the armature has arrived."""
    slow = changed(quick(), timing=changed(quick().timing, contactor_operate_ms=80))
    asked_ms = 400
    trace = DemandTrace(
        (
            DemandChange(asked_ms, 1, 40_000),
            DemandChange(asked_ms + slow.timing.scan_ms, 1, 0),
            DemandChange(3000, 1, 0),
        )
    )
    station = changed(slow, policy=changed(slow.policy, name="documented"))
    told = is_what_the_controller_does(station, trace)
    assert sum(told.operations.values()) == 0


# Against an independent simulation ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["full", "half", "ring"])
def test_an_independent_simulation_by_the_second_agrees(kind: str) -> None:
    """Where switching takes next to nothing: energy within 0.1 %, and every car nearly so."""
    station = at_once(changed(REFERENCE, matrix=getattr(Matrix, kind)(6, 9)))
    cars = some_sessions(7, 60, 6, named=True, hours=6)
    replayed, served = served_by(station, cars)
    site = simulate(station, cars, 0.5, stepped_w)
    assert replayed.delivered_mj / 1e3 == pytest.approx(sum(site.got_j.values()), rel=0.001)
    assert 0.5 < replayed.delivered_mj / replayed.wanted_mj < 0.99
    by_car = {(one.arrival_ms, one.asked_mj): one for one in served}
    for place, car in enumerate(cars):
        one = by_car[car.arrival_ms, car.energy_mj]
        assert one.delivered_mj / MJ_PER_KWH == pytest.approx(site.got_j[place] / 3.6e6, abs=0.5)
        assert one.left_ms / 1000 == pytest.approx(site.left_s[place], abs=60)
    # Steps decide a little earlier or later than the curve itself who of two goes first.
    smooth = simulate(station, cars, 0.5, curve_w)
    assert replayed.delivered_mj / 1e3 == pytest.approx(sum(smooth.got_j.values()), rel=0.005)


# What adds up -------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_energy_is_balanced_exactly(data: st.DataObject) -> None:
    station = data.draw(stations())
    cars = data.draw(sessions_for(station))
    window_ms = (MONDAY_MS, MONDAY_MS + DAY_MS)
    served: list[Served] = []
    told = replay(station, cars, each=served.append, window_ms=window_ms)
    assert len(served) == told.sessions == len(cars)
    assert sum(one.delivered_mj for one in served) == told.delivered_mj
    assert sum(one.asked_mj for one in served) == told.wanted_mj
    assert sum(one.asked_mj for one in served) == sum(car.energy_mj for car in cars)
    for gun, delivered_mj in enumerate(told.gun_delivered_mj, start=1):
        assert delivered_mj == sum(one.delivered_mj for one in served if one.gun == gun)
        assert delivered_mj <= told.gun_asked_mj[gun - 1]
    for one in served:
        assert 0 <= one.delivered_mj <= one.asked_mj
        assert one.arrival_ms <= one.plugged_ms <= one.left_ms
    assert sum(told.share_counts) == sum(told.energy_counts) == len(cars)
    assert all(times % 2 == 0 for times in told.operations.values())
    limit_w = min(told.pool_w, station.limit_w)
    assert told.peak_w <= limit_w
    assert told.delivered_mj <= limit_w * told.busy_ms
    assert told.start_ms % DAY_MS == told.end_ms % DAY_MS == 0


def test_a_session_is_charged_to_the_millisecond() -> None:
    """60 kW for 10 kWh: ten minutes from when the module is on, and not a joule more."""
    station = small(1, 1)
    told, (car,) = served_by(station, [session(1, 30, 10, 60)])
    assert told.delivered_mj == told.wanted_mj == 10 * MJ_PER_KWH
    assert minutes(car.left_ms) == pytest.approx(11, abs=0.001)
    assert told.operations == {(1, 1): 2}
    assert told.live_ms[0] / MINUTE_MS == pytest.approx(10, abs=0.001)


def test_the_timeline_holds_what_was_delivered(busy: DemandTrace) -> None:
    told = replay(REFERENCE, busy, window_ms=(0, busy.last_ms))
    assert told.timeline is not None
    bin_ms = (told.timeline.end_ms - told.timeline.start_ms) // len(told.timeline.mean_w[0])
    for row, delivered_mj in zip(told.timeline.mean_w, told.gun_delivered_mj, strict=True):
        assert sum(row) * bin_ms == pytest.approx(delivered_mj, rel=0.001)
    for module, live_ms in enumerate(told.live_ms, start=1):
        fed = [s for s in told.timeline.stretches if s.module == module]
        assert sum(s.to_ms - s.from_ms for s in fed) == live_ms


# Closed loop --------------------------------------------------------------------------------


def test_who_gets_less_stays_longer() -> None:
    """Two cars want 120 kW for ten minutes of two modules: the later gets what is left."""
    told, served = served_by(small(2, 2), [session(0, 10, 20, 120), session(0, 20, 10, 60)])
    assert told.met == 2
    assert [minutes(one.left_ms) for one in served] == pytest.approx([10, 20], abs=0.01)


def test_who_gets_too_little_leaves_with_less() -> None:
    """One module for a car that wants two: half the power, a stay half as long again."""
    told, (car,) = served_by(small(1, 1), [session(0, 10, 20, 120)])
    assert minutes(car.left_ms) == 15
    assert car.delivered_mj / MJ_PER_KWH == pytest.approx(15, abs=0.01)
    assert car.finished_ms is None
    assert told.met == 0
    told, (car,) = served_by(small(1, 1), [session(0, 10, 20, 120)], patience_percent=100)
    assert told.met == 1


def test_a_car_waits_for_a_gun_and_in_the_order_of_arrival() -> None:
    cars = [session(0, 10, 10, 60), session(1, 20, 5, 60), session(2, 20, 5, 60)]
    told, served = served_by(small(1, 1), cars)
    assert [minutes(one.plugged_ms) for one in served] == pytest.approx([0, 10, 15], abs=0.01)
    assert told.waited == 2
    assert told.waiting_ms / MINUTE_MS == pytest.approx(9 + 13, abs=0.01)
    assert told.longest_wait_ms / MINUTE_MS == pytest.approx(13, abs=0.01)


def test_a_car_gives_up_waiting() -> None:
    told, served = served_by(small(1, 1), [session(0, 60, 60, 60), session(10, 20, 5, 60)])
    gave_up = served[0]
    assert gave_up.gun is None
    assert minutes(gave_up.left_ms) == 40
    assert gave_up.delivered_mj == 0
    assert told.unserved == 1
    assert told.wanted_mj == 65 * MJ_PER_KWH


def test_a_car_for_one_gun_waits_for_that_one() -> None:
    cars = [session(0, 10, 10, 60, gun=2), session(1, 10, 5, 60, gun=2), session(2, 10, 5, 60)]
    _, served = served_by(small(2, 2), cars)
    assert [(one.gun, round(minutes(one.plugged_ms))) for one in served] == [
        (1, 2),
        (2, 0),
        (2, 10),
    ]


def test_the_seed_says_who_takes_which_gun() -> None:
    cars = [session(at, 2, 1, 60) for at in range(0, 100, 5)]

    def guns(seed: int) -> list[int | None]:
        return [one.gun for one in served_by(small(4, 4), cars, seed=seed)[1]]

    assert guns(1) == guns(1)
    assert guns(1) != guns(2)
    assert set(guns(1)) == {1, 2, 3, 4}


def test_a_car_goes_down_its_curve_and_has_finished_at_80_percent() -> None:
    """50 kWh, typical curve under 60 kW, from 20 to 90 %."""
    car = with_battery(session(0, 120, 35, 60), 50, 0.2)
    told, (one,) = served_by(small(1, 1), [car])
    assert told.met == 1
    finished, left = minutes(one.finished_ms), minutes(one.left_ms)
    power_80_kw, power_90_kw = 60 * 0.59, 60 * 0.41
    assert 5 / power_80_kw * 60 < left - finished < 5 / power_90_kw * 60
    full, (quick_one,) = served_by(small(1, 1), [session(0, 120, 35, 60)])
    assert minutes(quick_one.left_ms) == pytest.approx(35, abs=0.001)
    assert left > 40
    assert full.delivered_mj == told.delivered_mj


@pytest.mark.parametrize("policy", POLICIES)
def test_a_short_day_under_every_policy(policy: str) -> None:
    """Load above what there is: each policy does what it is for."""
    cars = [session(0, 20, 30, 160, gun=1), session(0, 20, 30, 150, gun=2)]
    cars += [session(0, 20, 10, 80, gun=gun) for gun in (3, 4, 5, 6)]
    told, served = served_by(REFERENCE, cars, policy)
    shares = {one.gun: one.delivered_mj / one.asked_mj for one in served}
    if policy == "fair":
        assert min(shares.values()) > 0.5
        assert told.nothing_ms < told.asking_ms / 10
    else:
        assert shares[1] > 0.99
    assert told.delivered_mj > 0.6 * told.wanted_mj


# Runs ---------------------------------------------------------------------------------------


def test_the_same_again_and_it_travels(busy: DemandTrace) -> None:
    once = replay(REFERENCE, busy)
    assert once == replay(REFERENCE, busy)
    assert pickle.loads(pickle.dumps(once)) == once


def test_memory_does_not_grow_with_the_input() -> None:
    def days(count: int) -> Iterator[Session]:
        for day in range(count):
            for at_min in range(0, 1440, 120):
                yield session(
                    1440 * day + at_min, 30, 10 + at_min / 100, 100, gun=2 - at_min // 120 % 2
                )

    def peak(count: int) -> int:
        tracemalloc.start()
        told = replay(small(2, 3), days(count))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert told.sessions == 12 * count
        return most

    peak(2)
    assert peak(40) < peak(4) + 100_000
