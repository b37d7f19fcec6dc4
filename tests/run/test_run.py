"""A whole run: what the summary tells is what the cabinet saw, however time passes."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sweep.stations import REFERENCE, quick, some_station

from hardware.simulated.faults import Injection, parse
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.control.state import State
from verified_alloc.run.loop import MS_PER_DAY, Run
from verified_alloc.run.summary import Summary
from verified_alloc.station.model import Station
from verified_alloc.workload.traces import DemandChange, DemandTrace

PLANT_FAULTS = (
    "weld",
    "failed-open",
    "late-release",
    "late-operate",
    "spontaneous-open",
    "aux-stuck-closed",
    "aux-stuck-open",
    "aux-chatter",
)
BUS_FAULTS = (
    "nack",
    "timeout",
    "flip-read",
    "flip-write",
    "wrong-chip",
    "drop-write",
    "brown-out",
)


def trace_of(*changes: tuple[float, int, float]) -> DemandTrace:
    """(time in s, gun, kW)"""
    return DemandTrace(
        tuple(DemandChange(round(at * 1000), gun, round(kw * 1000)) for at, gun, kw in changes)
    )


def random_trace(station: Station, draw: random.Random, until_s: float) -> DemandTrace:
    guns = [gun.id for gun in station.guns]
    times = sorted(draw.sample(range(round(until_s * 1000)), 8))
    return trace_of(
        *((at / 1000, draw.choice(guns), draw.choice([0, 40, 90, 240, 300])) for at in times)
    )


def random_faults(station: Station, draw: random.Random, until_s: float) -> list[Injection]:
    faults = []
    for _ in range(draw.choice([0, 1, 2, 3])):
        kind = draw.choice([*PLANT_FAULTS, *BUS_FAULTS, "module-dead", "module-stuck-on", "estop"])
        text = kind
        if kind in PLANT_FAULTS:
            gun, module = draw.choice(station.contactors)
            text += f" {gun}:{module}"
        elif kind.startswith("module"):
            text += f" {draw.choice(station.modules).id}"
        elif kind in BUS_FAULTS:
            text += f" {draw.choice([0x20, 0x24]):#x}"
        text += f" @ {draw.randrange(round(until_s * 1000))}ms"
        if draw.random() < 0.4 and kind != "brown-out":
            text += f" for {draw.choice([15, 70, 400, 2000])}ms"
        faults.append(parse(text))
    return faults


class Witness:
    """Sees the plant after every scan, and keeps what has changed."""

    def __init__(self, station: Station, seed: int) -> None:
        self.charger = simulated_charger(station, seed=seed)
        self.seen: list[tuple[int, object]] = []

    def watch(self, state: State) -> None:
        cabinet = self.charger.cabinet
        sight = (
            frozenset(cabinet.closed_contactors()),
            [cabinet.live_modules(v.gun) for v in cabinet.vehicles],
            [v.offer_w for v in cabinet.vehicles],
            [v.draw_w for v in cabinet.vehicles],
            state.locked,
            state.faults,
            state.stale,
        )
        if not self.seen or self.seen[-1][1] != sight:
            self.seen.append((state.at_ms, sight))


def both_ways(
    station: Station, trace: DemandTrace, faults: list[Injection], until_ms: int, seed: int
) -> list[tuple[Summary, Witness]]:
    told = []
    for skip in (False, True):
        witness = Witness(station, seed)
        run = Run(
            station,
            witness.charger,
            trace,
            injections=faults,
            longest_skip_ms=MS_PER_DAY if skip else 0,
            watch=witness.watch,
        )
        told.append((run.play(until_ms), witness))
    return told


def same(told: list[tuple[Summary, Witness]]) -> None:
    (whole, slow), (skipped, fast) = told
    assert fast.seen == slow.seen
    assert replace(skipped, scans=whole.scans) == whole
    for one, other in zip(
        fast.charger.cabinet.vehicles, slow.charger.cabinet.vehicles, strict=True
    ):
        assert one.energy_wus == other.energy_wus
    assert fast.charger.monitor.exposures == slow.charger.monitor.exposures
    assert fast.charger.monitor.violations == slow.charger.monitor.violations
    assert fast.charger.monitor.counts() == slow.charger.monitor.counts()


@pytest.mark.parametrize("seed", range(12))
def test_skipping_quiet_time_changes_nothing(seed: int) -> None:
    draw = random.Random(f"skip {seed}")
    station = quick() if seed % 2 else some_station(seed)
    station = replace(station, timing=replace(station.timing, minimum_dwell_s=draw.choice([0, 1])))
    trace = random_trace(station, draw, 6)
    faults = random_faults(station, draw, 6)
    told = both_ways(station, trace, faults, 8000, seed)
    same(told)
    assert told[1][0].scans < told[0][0].scans


@pytest.mark.parametrize(
    "fault",
    [
        "weld 1:1",
        "late-release 1:1 @ 4s",
        "aux-stuck-closed 2:1 @ 3s",
        "module-stuck-on 1 @ 4s",
        "module-dead 1 @ 3s",
        "nack 0x20 @ 3s",
        "brown-out 0x21 @ 3s",
        "estop @ 3s for 1s",
        "line-high 26 @ 3s",
    ],
)
def test_a_fault_is_found_as_soon_when_quiet_time_is_skipped(fault: str) -> None:
    trace = trace_of((0, 1, 80), (0.5, 2, 40), (4.5, 1, 0), (5, 3, 120))
    station = quick()
    told = both_ways(station, trace, [parse(fault)], 7000, 5)
    same(told)
    assert told[1][0].reported


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(100, 400))
def test_skipping_changes_nothing_on_many_traces(seed: int) -> None:
    draw = random.Random(f"skip {seed}")
    station = REFERENCE if seed % 3 else some_station(seed)
    trace = random_trace(station, draw, 40)
    same(both_ways(station, trace, random_faults(station, draw, 40), 45_000, seed))


def test_the_summary_adds_up() -> None:
    station = quick()
    charger = simulated_charger(station)
    summary = Run(station, charger, trace_of((0, 1, 80), (10, 6, 300), (20, 1, 0))).play(30_000)
    asked_kwh = (80 * 20 / 3600, 240 * 20 / 3600)
    for gun, asked in zip((1, 6), asked_kwh, strict=True):
        delivered = summary.energy_kwh[gun]
        assert delivered + summary.unmet_kwh[gun] == pytest.approx(asked)
        assert 0.95 * asked < delivered <= asked
        assert charger.cabinet.energy_wus(gun) / 3.6e12 == pytest.approx(delivered, rel=0.01)
    assert (
        summary.operations
        == {
            **{f"1:{module}": 2 for module in (7, 8)},
            **{f"6:{module}": 2 for module in range(1, 7)},
        }
        or sum(summary.operations.values()) >= 16
    )
    assert 0 < summary.longest_to_power_s < 1
    assert not summary.violations + summary.exposures + summary.reported


def test_the_same_seed_gives_the_same_run() -> None:
    station = quick()
    trace = random_trace(station, random.Random(1), 10)

    def run(seed: int) -> tuple[Summary, list[tuple[int, object]]]:
        witness = Witness(station, seed)
        return Run(station, witness.charger, trace, watch=witness.watch).play(12_000), witness.seen

    assert run(1) == run(1)
    assert run(1)[1] != run(2)[1]


def test_at_the_end_everything_is_off_and_open_and_was_off_before_it_opened() -> None:
    charger = simulated_charger(REFERENCE)
    summary = Run(REFERENCE, charger, trace_of((0, 1, 240), (0, 2, 120))).play(5000)
    assert not charger.cabinet.closed_contactors()
    assert not any(charger.cabinet.live_modules(gun) for gun in range(1, 7))
    assert charger.monitor.broken_current_a == 0
    assert not summary.violations + summary.exposures + summary.reported


@pytest.mark.parametrize("faults", [[], ["timeout 0x24 @ 5700ms for 1400ms"]])
def test_slow_scans_too_are_enough_to_end(faults: list[str]) -> None:
    """A scan longer than all that it waits for, so that every step to the end takes one; and a
    feedback expander that is silent in the last of them."""
    station = quick()
    station = replace(station, timing=replace(station.timing, scan_ms=500, fault_reaction_ms=3000))
    charger = simulated_charger(station)
    trace = trace_of((0, 1, 240), (0, 2, 120))
    summary = Run(station, charger, trace, injections=[*map(parse, faults)]).play(5000)
    assert charger.monitor.makes
    assert not charger.cabinet.closed_contactors()
    assert not summary.violations + summary.reported


def test_told_to_end_it_ends_in_good_order() -> None:
    charger = simulated_charger(REFERENCE)

    def end_soon(state: State) -> None:
        if state.at_ms > 4000:
            run.end()

    run = Run(REFERENCE, charger, trace_of((0, 1, 240)), longest_skip_ms=500, watch=end_soon)
    summary = run.play(None)
    assert 4 < summary.duration_s < 5
    assert not charger.cabinet.closed_contactors()
    assert charger.monitor.broken_current_a == 0
    assert not summary.violations + summary.exposures + summary.reported


def test_latched_faults_reach_the_next_run(tmp_path: Path) -> None:
    trace = trace_of((0, 1, 40), (4, 1, 0), (4, 2, 40))
    station = quick()
    first = Run(
        station,
        simulated_charger(station),
        trace,
        injections=[parse("weld 1:1")],
        faults_path=tmp_path / "faults",
    ).play(8000)
    assert first.reported[0].endswith("contactor 1:1 is welded")
    assert re.search("ended with contactors not seen open.*: 1:1$", first.reported[1])
    charger = simulated_charger(station)
    second = Run(station, charger, trace_of((0, 2, 40)), faults_path=tmp_path / "faults").play(4000)
    assert second.faults == ["contactor 1:1 is welded"]
    assert charger.monitor.makes == {(2, 2): 1}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_live_run_in_good_order(number: signal.Signals) -> None:
    live = subprocess.Popen(
        [sys.executable, "-m", "verified_alloc", "run", "--demands", "day", "--speed", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        time.sleep(2.5)
        assert live.poll() is None, live.communicate()
        live.send_signal(number)
        told, complaints = live.communicate(timeout=20)
    finally:
        live.kill()
    assert live.returncode == 0, complaints
    assert "Traceback" not in complaints
    assert re.search(r"Violations: 0", told)


def test_a_run_by_name_tells_its_summary_as_json() -> None:
    options = ["--demands=hour", "--until=60", "--speed=max", "--json", "--inject"]
    done = subprocess.run(
        [sys.executable, "-m", "verified_alloc", "run", *options, "module-dead 1 @ 20s"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["violations"] == []
    assert summary["faults_injected"] == ["module-dead 1 @ 20s"]
    assert summary["duration_s"] == 60
