"""A solver beside the scan: the scan never waits for it, whatever it does."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.control.assembly import simulated_charger
from verified_alloc.control.decider import SOLVER_DEADLINE_MS
from verified_alloc.control.state import State
from verified_alloc.decide import demand
from verified_alloc.decide.allocate import KEPT, decide, keep
from verified_alloc.decide.explain import reasons
from verified_alloc.decide.policies import constraint
from verified_alloc.decide.policies.problem import Answer, NoAnswer, NotYet, Problem
from verified_alloc.decide.policies.process import SolverProcess
from verified_alloc.journal.reader import read_journal
from verified_alloc.journal.recorder import Journal
from verified_alloc.run.loop import Run
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import PowerModule
from verified_alloc.workload.traces import DemandChange, DemandTrace

UNEQUAL = replace(
    REFERENCE,
    modules=(*REFERENCE.modules[:8], PowerModule(9, 20_000)),
    timing=replace(REFERENCE.timing, minimum_dwell_s=0),
)
SCAN_MS = UNEQUAL.timing.scan_ms
DEADLINE_SCANS = SOLVER_DEADLINE_MS // SCAN_MS


class Slow:
    """Solves in a thread of its own, one question at a time, when it is let."""

    def __init__(self, solve: Callable[[Problem, str], Answer] = constraint.solve) -> None:
        self._solve = solve
        self._let = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._question: object = None
        self._answers: list[tuple[object, Answer | Exception]] = []
        self.asked = 0

    def __call__(self, problem: Problem, policy: str) -> Answer:
        for question, answer in self._answers:
            if question == (problem, policy):
                if isinstance(answer, Exception):
                    raise answer
                return answer
        if self._thread is None:
            self.asked += 1
            self._thread = threading.Thread(target=self._work, args=(problem, policy), daemon=True)
            self._thread.start()
        raise NotYet

    def _work(self, problem: Problem, policy: str) -> None:
        self._let.acquire()
        try:
            answer: Answer | Exception = self._solve(problem, policy)
        except Exception as error:
            answer = error
        self._answers.append(((problem, policy), answer))

    def answer(self) -> None:
        """Let it come to the end of the question that it has."""
        assert self._thread is not None
        self._let.release()
        self._thread.join()
        self._thread = None


def scans(at_work: WorkingStation, count: int) -> None:
    """So many, each on the grid."""
    due_ms = at_work.due_ms
    for number in range(count):
        assert at_work.scan(skip=False).at_ms == due_ms + number * SCAN_MS


def test_scans_go_on_while_a_solver_is_at_work() -> None:
    slow = Slow()
    with WorkingStation(UNEQUAL, solve=slow) as at_work:
        at_work.ask({1: 100, 2: 50})
        scans(at_work, DEADLINE_SCANS // 2)
        assert at_work.state.allocation.policy == KEPT
        assert not any(at_work.state.allocation.modules.values())
        assert slow.asked == 1
        slow.answer()
        scans(at_work, 1)
        expected = decide(UNEQUAL, at_work.state.inputs.asked, policy="priority")
        assert at_work.state.allocation == expected
        assert (expected.method, expected.fallback_from) == ("constraint", None)
        assert at_work.go_on(6, until=lambda: at_work.feeds(expected.modules), skip=False)
        assert slow.asked == 1
        assert not at_work.bad() + at_work.exposures() + at_work.reported


def test_meanwhile_guns_keep_what_they_still_can_use_and_need() -> None:
    slow = Slow()
    with WorkingStation(UNEQUAL, solve=slow) as at_work:
        at_work.ask({1: 100, 2: 50, 3: 80})
        scans(at_work, 1)
        slow.answer()
        assert at_work.go_on(6, until=lambda: at_work.state.settled, skip=False)
        fed = at_work.state.allocation.modules
        at_work.ask({1: 100, 2: 0, 3: 40, 4: 200})
        at_work.controller.take_out("gun", 3, True)
        scans(at_work, 2)
        allocation = at_work.state.allocation
        assert allocation.policy == KEPT
        assert allocation.modules == {**dict.fromkeys(range(1, 7), ()), 1: fed[1]}
        assert allocation.delivered_kw[1] == 100
        slow.answer()
        scans(at_work, 2)
        assert at_work.state.allocation.modules[4]
        assert not at_work.bad() + at_work.exposures()


def test_the_rule_stands_in_after_the_deadline_until_the_answer_comes(tmp_path: Path) -> None:
    slow = Slow()
    journal = Journal(tmp_path / "j.db", UNEQUAL, simulated=True)
    journal.begin(0, lambda _: None)
    with WorkingStation(UNEQUAL, solve=slow) as at_work:
        at_work.ask({1: 30})
        seen = []
        for _ in range(DEADLINE_SCANS + 3):
            scans(at_work, 1)
            journal.watch(at_work.state)
            seen.append(at_work.state.allocation.policy)
        assert seen == [KEPT] * DEADLINE_SCANS + ["documented"] * 3
        by_rule = at_work.state.allocation
        assert by_rule.fallback_from == "priority"
        assert by_rule.modules[1] == (1,)
        assert len(at_work.reported) == 1
        assert "has not answered within 1000 ms" in at_work.reported[0]
        slow.answer()
        scans(at_work, 1)
        journal.watch(at_work.state)
        assert (at_work.state.allocation.policy, slow.asked) == ("priority", 1)
    journal.close()
    told = [(one.why, one.allocation.policy) for one in read_journal(tmp_path / "j.db").decisions()]
    assert told == [
        ("gun 1 asks for 30 kW", KEPT),
        ("the solver has not answered within 1000 ms", "documented"),
        ("the solver has answered", "priority"),
    ]


def test_the_deadline_holds_however_often_the_question_changes() -> None:
    slow = Slow()
    with WorkingStation(UNEQUAL, solve=slow) as at_work:
        for kw in range(100, 100 + DEADLINE_SCANS):
            at_work.ask({1: kw})
            scans(at_work, 1)
            assert at_work.state.allocation.policy == KEPT
        at_work.ask({1: 60})
        scans(at_work, 1)
        assert at_work.state.allocation.fallback_from == "priority"
        assert at_work.state.allocation.delivered_kw[1] == 60


def test_an_answer_to_an_old_question_is_dropped() -> None:
    slow = Slow()
    with WorkingStation(UNEQUAL, solve=slow) as at_work:
        at_work.ask({1: 240})
        scans(at_work, 2)
        at_work.ask({1: 20})
        scans(at_work, 1)
        slow.answer()  # what it was asked first
        scans(at_work, 2)
        assert at_work.state.allocation.policy == KEPT
        assert slow.asked == 2
        slow.answer()
        scans(at_work, 1)
        assert at_work.state.allocation.delivered_kw[1] == 20
        assert at_work.state.allocation.policy == "priority"


def test_a_solver_that_fails_or_lies_is_replaced_by_the_rule() -> None:
    def broken(problem: Problem, policy: str) -> Answer:
        raise ArithmeticError("overflow")

    def lying(problem: Problem, policy: str) -> Answer:
        everything = [list(range(9)) for _ in range(6)]
        return Answer(problem.choice(everything, dict.fromkeys(range(6), 0)), "constraint")

    for solve, why in (
        (broken, "ArithmeticError in the solver: overflow"),
        (lying, "the guard does not accept the answer by constraint"),
    ):
        slow = Slow(solve)
        with WorkingStation(UNEQUAL, solve=slow) as at_work:
            at_work.ask({1: 80})
            scans(at_work, 1)
            slow.answer()
            scans(at_work, 1)
            allocation = at_work.state.allocation
            assert (allocation.policy, allocation.fallback_from) == ("documented", "priority")
            assert allocation.fallback_reason == why
            assert [why in told for told in at_work.reported] == [True]
            scans(at_work, 2)
            assert slow.asked == 1


def test_quiet_time_does_not_pass_over_an_answer() -> None:
    slow = Slow()
    with WorkingStation(UNEQUAL, solve=slow) as at_work:
        at_work.ask({1: 80})
        for _ in range(DEADLINE_SCANS // 2):
            assert at_work.scan().quiet_until_ms == at_work.state.at_ms


def test_what_is_kept_is_within_a_lower_site_limit() -> None:
    asked = demand.from_kilowatts(UNEQUAL, {1: 100, 2: 50})
    present = {1: (1, 2, 3), 2: (4, 9)}
    kept = keep(UNEQUAL.limited(90_000), asked, present, faults=Faults({1}))
    assert kept.delivered_w == {1: 80_000, 2: 10_000, 3: 0, 4: 0, 5: 0, 6: 0}
    assert kept.modules[1] == (2, 3)
    assert kept.modules[2] == (4,)
    told = reasons(UNEQUAL.limited(90_000), asked, Faults({1}), kept)
    assert "It takes PM2-3 and gets 80 kW, short by 20 kW." in told.guns[1].sentences
    assert "A solver is at work; until it answers no module comes to a gun." in told.station


# The process.


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
