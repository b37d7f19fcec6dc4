"""A solver in a process of its own: it answers as one in the scan would, and ends with it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sweep.stations import unequal

from verified_alloc.control.assembly import simulated_charger
from verified_alloc.control.state import State
from verified_alloc.decide import demand
from verified_alloc.decide.allocate import KEPT
from verified_alloc.decide.policies import constraint
from verified_alloc.decide.policies.problem import Answer, NoAnswer, NotYet, Problem
from verified_alloc.decide.policies.process import SolverProcess
from verified_alloc.run.loop import Run
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.workload.traces import DemandChange, DemandTrace

UNEQUAL = unequal()


def answered(solver: SolverProcess, problem: Problem) -> Answer:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        try:
            return solver(problem, "priority")
        except NotYet:
            time.sleep(0.01)
    raise AssertionError("no answer")


def problem(kw: float, station: Station = UNEQUAL) -> Problem:
    return Problem(station, demand.from_kilowatts(station, {1: kw, 2: 90}))


def child_of(solver: SolverProcess) -> int:
    assert solver._process is not None
    return solver._process.pid


def test_a_process_answers_as_the_scan_would() -> None:
    with SolverProcess(at_once=False) as solver:
        assert answered(solver, problem(50)) == constraint.solve(problem(50), "priority")
        for _ in range(5):
            with pytest.raises(NotYet):
                solver(problem(60), "priority")
        assert solver._questions.qsize() <= 1
        # It is at work on 60, which nobody asks any more.
        assert answered(solver, problem(70)) == constraint.solve(problem(70), "priority")
        first = child_of(solver)
        os.kill(first, signal.SIGKILL)
        assert answered(solver, problem(30)) == constraint.solve(problem(30), "priority")
        assert child_of(solver) != first
        unfit = replace(problem(10), faults=Faults({77}))
        with pytest.raises(Exception, match="77"):
            answered(solver, unfit)
        last = child_of(solver)
    assert not Path(f"/proc/{last}").exists()


SCAN_OF_A_KILLED_PROCESS = """
import time
from verified_alloc.decide.policies.process import SolverProcess

with SolverProcess(at_once=True) as solver:
    while solver._process is None:
        time.sleep(0.01)
    print(solver._process.pid, flush=True)
    time.sleep(600)
"""


def test_it_ends_with_the_scan_even_if_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCAN_OF_A_KILLED_PROCESS], stdout=subprocess.PIPE, text=True
    ) as scan:
        assert scan.stdout is not None
        solver = Path(f"/proc/{scan.stdout.readline().strip()}")
        assert solver.exists()
        scan.kill()
    until_s = time.monotonic() + 60
    while is_alive(solver) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not is_alive(solver)


def is_alive(process: Path) -> bool:
    """It is there and no zombie that nobody waits for."""
    with suppress(OSError):
        return "State:\tZ" not in (process / "status").read_text()
    return False


def test_a_process_that_cannot_be_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with SolverProcess(at_once=False) as solver, pytest.raises(NoAnswer, match="has ended"):
        answered(solver, problem(50))


def test_a_run_in_real_time_asks_the_process() -> None:
    """Its answers come while scans go on; how soon is the machine's business."""
    states: list[State] = []

    def watch(state: State) -> None:
        states.append(state)
        if state.allocation.method == "constraint":
            run.end()

    trace = DemandTrace((DemandChange(0, 1, 100_000), DemandChange(0, 2, 50_000)))
    charger = simulated_charger(UNEQUAL, speed=1.0)
    run = Run(UNEQUAL, charger, trace, real_time=True, watch=watch)
    summary = run.play(60_000)
    assert states[0].allocation.policy == KEPT
    assert any(state.allocation.method == "constraint" for state in states)
    assert not summary.violations
