"""How fast a replay is, against the same replay in steps of a second, and how long a year takes."""

import time
import tracemalloc
from collections.abc import Iterator
from functools import partial
from typing import Any

from verified_alloc import Station
from verified_alloc.compare.replay import replay
from verified_alloc.decide.allocate import decide
from verified_alloc.decide.demand import DemandProcessor
from verified_alloc.decide.steady import Steady, granted
from verified_alloc.station.parts import Pair
from verified_alloc.workload.session_file import SessionFile, write_sessions
from verified_alloc.workload.sessions import DemandStep, Session, demand_steps
from verified_alloc.workload.synthetic import BUILT_IN_CARS, synthetic_sessions

STATION = Station.reference()
POLICIES = ("documented", "max-power", "fair")
AGAINST_STEPS = 10
MONTHS_S = 60
DAY_MS = 24 * 3600 * 1000
NOBODY = (None, [DemandStep(0, 0)], 0, 0.0)


def cpu_s(began_s: float) -> float:
    return time.process_time() - began_s


def a_day(tmp_path: Any) -> SessionFile:
    path = tmp_path / "day.csv"
    with path.open("w") as out:
        write_sessions(synthetic_sessions(1, len(STATION.guns), 1), out)
    return SessionFile(path, [gun.id for gun in STATION.guns], BUILT_IN_CARS)


def in_steps(sessions: list[Session], policy: str) -> float:
    """A day in closed loop, second by second, decided in every one for the demands that are held;
    kWh."""
    coming = list(sessions)
    on_gun: dict[int, list[Any]] = {}
    current: frozenset[Pair] = frozenset()
    asking = DemandProcessor(STATION)
    steady = Steady(asking, STATION)
    delivered_j = 0.0
    start_s = sessions[0].arrival_ms // DAY_MS * 86_400
    for now_s in range(start_s, start_s + 86_400):
        while coming and coming[0].arrival_ms <= now_s * 1000:
            free = [gun.id for gun in STATION.guns if gun.id not in on_gun]
            if not free:
                break
            car = coming.pop(0)
            on_gun[free[0]] = [car, demand_steps(car), 0, 0.0]
        for gun in STATION.guns:
            _, steps, step, _ = on_gun.get(gun.id, NOBODY)
            asking.set_w(gun.id, steps[step].demand_w, now_s * 1000)
        asked = asking.asked(now_s * 1000)
        steady.is_new(asked, now_s)
        anew = partial(decide, STATION, policy=policy, current=current)
        answer = granted(STATION, steady.decide(STATION, asked, (), anew)[1], asked)
        current = frozenset(answer.pairs)
        for gun, state in list(on_gun.items()):
            car, steps, step, got_j = state
            got_j += answer.delivered_w[gun]
            delivered_j += answer.delivered_w[gun]
            while step < len(steps) and got_j * 1000 >= steps[step].until_mj:
                step += 1
            state[2:] = [step, got_j]
            stay_ms = car.departure_ms - car.arrival_ms
            if step == len(steps) or now_s * 1000 >= car.departure_ms + stay_ms // 2:
                del on_gun[gun]
    return delivered_j / 3.6e6


def test_a_day_against_steps_of_a_second(benchmark: Any, tmp_path: Any) -> None:
    sessions = a_day(tmp_path)
    listed = list(sessions)

    def events() -> float:
        began_s = time.process_time()
        for policy in POLICIES:
            replay(STATION, sessions, policy)
        return cpu_s(began_s)

    events_s = benchmark.pedantic(events, rounds=1, warmup_rounds=1)
    began_s = time.process_time()
    for policy in POLICIES:
        stepped_kwh = in_steps(listed, policy)
        replayed_kwh = replay(STATION, sessions, policy).delivered_mj / 3.6e9
        assert abs(stepped_kwh / replayed_kwh - 1) < 0.1  # gun choice and switching differ
    steps_s = cpu_s(began_s) - events_s
    ratio = steps_s / events_s
    print(
        f"a day under three policies: {ratio:.0f} x faster than in steps of a second,"
        f" at least {AGAINST_STEPS}"
    )
    assert ratio >= AGAINST_STEPS


def fifteen_months() -> Iterator[Session]:
    """About as many sessions as the EPFL's site had in that time: four a day."""
    days = 456
    one = list(synthetic_rows())
    for day in range(days):
        for place in range(4):
            row = one[(day * 4 + place) % len(one)]
            at_ms = day * DAY_MS + (7 + 4 * place) * 3_600_000 + row.arrival_ms % 3_600_000
            stay_ms = row.departure_ms - row.arrival_ms
            yield Session(at_ms, at_ms + stay_ms, row.energy_mj, row.max_power_w, None, row.battery)


def synthetic_rows() -> Iterator[Session]:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "days.csv"
        with path.open("w") as out:
            write_sessions(synthetic_sessions(1, 6, 5), out)
        yield from SessionFile(path, range(1, 7), BUILT_IN_CARS)


def test_fifteen_months(benchmark: Any) -> None:
    longest_s = 0.0

    def all_policies() -> None:
        nonlocal longest_s
        for policy in POLICIES:
            began_s = time.process_time()
            told = replay(STATION, fifteen_months(), policy)
            assert told.sessions == 4 * 456
            longest_s = max(longest_s, cpu_s(began_s))

    benchmark.pedantic(all_policies, rounds=1)
    print(
        f"15 months of 4 sessions a day, the slowest policy: {longest_s:.1f} s of CPU, at most"
        f" {MONTHS_S} s"
    )
    assert longest_s <= MONTHS_S


def test_memory_is_flat(benchmark: Any, tmp_path: Any) -> None:
    """Four days from a file against one."""

    def peak_mb(days: int) -> float:
        path = tmp_path / f"{days}.csv"
        with path.open("w") as out:
            write_sessions(synthetic_sessions(1, 6, days), out)
        tracemalloc.start()
        replay(STATION, SessionFile(path, range(1, 7), BUILT_IN_CARS))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most / 1e6

    few_mb, many_mb = benchmark.pedantic(lambda: (peak_mb(2), peak_mb(8)), rounds=1)
    print(f"memory for 8 days: {many_mb / few_mb:.2f} x that for 2, at most 1.2")
    assert many_mb <= 1.2 * few_mb
