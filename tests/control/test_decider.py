"""What is decided when, and what stands meanwhile: a solver beside the scan is never waited for."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sweep.stations import REFERENCE, unequal
from sweep.working_station import WorkingStation

from verified_alloc.control.decider import SOLVER_DEADLINE_MS, Decider
from verified_alloc.control.fault_kinds import bits_of
from verified_alloc.control.wear import STEP
from verified_alloc.decide.allocate import KEPT, Allocation, decide
from verified_alloc.decide.demand import DemandProcessor, strictly
from verified_alloc.decide.policies import constraint, documented
from verified_alloc.decide.policies.problem import (
    NO_FAULTS,
    NO_WEAR,
    Answer,
    NoAnswer,
    NotYet,
    Problem,
)
from verified_alloc.journal.reader import read_journal
from verified_alloc.journal.recorder import Journal
from verified_alloc.kernel import scan
from verified_alloc.kernel.deadline import LONG_MS
from verified_alloc.kernel.diagnosis import Readings
from verified_alloc.kernel.latched import Latched
from verified_alloc.station.faults import Faults, usable_after
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

UNEQUAL = unequal()
DWELLING = replace(UNEQUAL, timing=replace(UNEQUAL.timing, minimum_dwell_s=2))
SCAN_MS = UNEQUAL.timing.scan_ms
DEADLINE_SCANS = SOLVER_DEADLINE_MS // SCAN_MS
GUNS, MODULES = range(1, 7), range(1, 10)

# The decider alone. Its solver answers by the rule.


class Beside:
    """A solver beside the scan that answers when it is let, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: bool | str = True
        """A text: there is none, for this reason."""
        self.asked: list[Problem] = []

    def __call__(self, problem: Problem, policy: str) -> Answer:
        self.asked.append(problem)
        if isinstance(self.answers, str):
            raise NoAnswer(self.answers)
        if not self.answers:
            raise NotYet
        left = usable_after(problem.station, problem.faults)
        choice = documented.choose(problem.station, left, problem.asked, problem.reserved)
        return Answer(choice, "constraint")


def reading(*closed: int, again: Sequence[int] | None = None) -> Readings:
    """A module whose contactors to these guns read closed, and then again."""
    first, then = (
        [gun in guns for gun in GUNS] for guns in (closed, closed if again is None else again)
    )
    return Readings(True, False, False, first, first, then)


def pairs(gun: int, *modules: int) -> set[Pair]:
    return {(gun, module) for module in modules}


class Deciding:
    """A decider that is asked scan after scan, in which nothing is closed unless it is said."""

    def __init__(
        self, station: Station = UNEQUAL, operations: Mapping[Pair, int] = NO_WEAR
    ) -> None:
        self.station = station
        self.now_ms = 0
        self.solver = Beside()
        self.reported: list[str] = []
        self.demands = DemandProcessor(station)
        self.decider = Decider(station, self.demands, self.solver, operations, self.reported.append)
        sound = Latched(**bits_of(frozenset(), station))
        self._memory = scan.restarted(station.built, sound)

    def ask(self, demands_kw: Mapping[int, float]) -> None:
        self.demands.set_all(demands_kw, self.now_ms)

    def scan(
        self,
        after_ms: int = SCAN_MS,
        station: Station | None = None,
        faults: Faults = NO_FAULTS,
        readings: Mapping[int, Readings] | None = None,
        **memory: Any,
    ) -> Allocation:
        """What is decided in the next scan, with these readings by module and this memory."""
        self.now_ms += after_ms
        _, allocation = self.decider.decide(
            station or self.station,
            faults,
            self._memory._replace(**memory),
            [(readings or {}).get(module, reading()) for module in MODULES],
            self.now_ms,
        )
        return allocation


def fed(gun: int, *modules: int) -> list[list[bool]]:
    """`[gun][module]`: these modules feed this gun."""
    return [[(one, each) in pairs(gun, *modules) for each in MODULES] for one in GUNS]


def test_a_question_is_asked_once() -> None:
    deciding = Deciding()
    deciding.ask({2: 80})
    first = deciding.scan()
    assert first.modules[2] == (1, 2)
    assert [deciding.scan() for _ in range(3)] == [first] * 3
    assert len(deciding.solver.asked) == 1
    inputs = deciding.decider.inputs
    assert inputs is not None
    assert inputs.asked.demand_w == (0, 80_000, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "modules", "delivered_w"),
    [
        ({"faults": Faults(modules={1})}, (2, 3), 80_000),
        ({"faults": Faults(guns={2})}, (), 0),
        ({"faults": Faults(failed_open={(2, 2)})}, (1, 3), 80_000),
        ({"station": DWELLING.limited(60_000)}, (1, 2), 60_000),
        ({"feeding": fed(2, 7), "fed_ms": [0 for _ in MODULES]}, (1, 7), 80_000),
        ({"stopping_ms": 0}, (), 0),
    ],
    ids=["module", "gun", "contactor", "limit", "dwell", "end"],
)
def test_what_changes_is_decided_anew_and_what_changes_back_too(
    changes: dict[str, Any], modules: tuple[int, ...], delivered_w: int
) -> None:
    deciding = Deciding(DWELLING)
    deciding.ask({2: 80})
    assert deciding.scan().modules[2] == (1, 2)
    now = deciding.scan(**changes)
    assert (now.modules[2], now.delivered_w[2]) == (modules, delivered_w)
    again = deciding.scan()
    assert (again.modules[2], again.delivered_w[2]) == ((1, 2), 80_000)


def test_a_demand_is_decided_anew_and_one_that_is_stale_counts_nothing() -> None:
    deciding = Deciding()
    deciding.ask({2: 80})
    deciding.scan()
    deciding.ask({2: 40})
    assert deciding.scan().modules[2] == (1,)
    timeout_ms = UNEQUAL.timing.demand_timeout_s * 1000
    assert deciding.scan(timeout_ms - SCAN_MS).modules[2] == (1,)
    assert deciding.scan(1).modules[2] == ()


def test_nobody_asks_for_anything_on_the_way_out() -> None:
    deciding = Deciding()
    deciding.ask({2: 80})
    deciding.scan(stopping_ms=0)
    assert deciding.decider.inputs is not None
    assert deciding.decider.inputs.asked == strictly([0] * 6)


def test_a_stopped_station_that_has_not_begun_to_end_is_still_decided_for() -> None:
    """A button keeps everything off, and what is wanted is not forgotten."""
    deciding = Deciding()
    deciding.ask({2: 80})
    assert deciding.scan(stop_ms=0).modules[2] == (1, 2)


def test_modules_that_came_a_short_while_ago_and_those_of_a_held_gun_are_reserved() -> None:
    """Modules 3 and 5 feed gun 2, 4 feeds gun 1; all off their lines for long."""
    dwell_ms = DWELLING.built.minimum_dwell_ms
    deciding = Deciding(DWELLING)
    feeding = [fed(1, 4)[0], fed(2, 3, 5)[1], *fed(1)[2:]]
    fed_ms = [dwell_ms for _ in MODULES]

    def reserved(**memory: Any) -> Mapping[int, int]:
        deciding.scan(0, **{"feeding": feeding, "fed_ms": fed_ms} | memory)
        assert deciding.decider.inputs is not None
        return deciding.decider.inputs.reserved

    assert reserved() == {}
    fed_ms[2] = dwell_ms - 1
    assert reserved() == {3: 2}
    assert reserved(closed=[[True for _ in GUNS] for _ in MODULES]) == {3: 2}
    assert reserved(lines_off_ms=[0 for _ in MODULES]) == {3: 2}
    deciding.decider.hold(2, 1)
    assert reserved() == {3: 2, 5: 2}
    deciding.now_ms = 1
    assert reserved() == {3: 2}
    deciding.decider.hold(1, 100)
    assert reserved() == {3: 2, 4: 1}
    deciding.decider.hold(1, 0)
    assert reserved() == {3: 2}


def test_a_hold_lasts_as_long_as_it_was_told() -> None:
    decider = Deciding().decider
    assert [decider.held_ms(gun, 0) for gun in GUNS] == [0] * 6
    decider.hold(2, 5000)
    assert [decider.held_ms(gun, 1000) for gun in GUNS] == [0, 4000, 0, 0, 0, 0]
    assert decider.held_ms(2, 5000) == decider.held_ms(2, 6000) == 0


def test_a_held_gun_has_its_claim_also_after_a_moment_without_any_module() -> None:
    deciding = Deciding(REFERENCE)
    deciding.ask({1: 40, 2: 240})
    assert deciding.scan().modules[1]
    deciding.decider.hold(1, 60_000)
    every = Faults(modules=frozenset(MODULES))
    assert not any(deciding.scan(faults=every).modules.values())
    deciding.scan(faults=every)
    deciding.decider.hold(1, 60_000)  # told again, as a gun does until it has done
    left = replace(every, modules=every.modules - {5})
    assert deciding.scan(faults=left).modules == {1: (5,), **dict.fromkeys(range(2, 7), ())}
    assert deciding.decider.inputs is not None
    assert deciding.decider.inputs.holds_w == {1: 40_000}


def test_what_is_asked_is_said_also_where_nothing_else_counts_than_before() -> None:
    deciding = Deciding(Station.reference())
    for asked_kw in (80, 70):
        deciding.ask({1: asked_kw})
        deciding.scan()
        assert deciding.decider.inputs is not None
        assert deciding.decider.inputs.asked.demand_w[0] == asked_kw * 1000
        assert deciding.decider.inputs.held_w[0] == 80_000


def test_what_moves_is_counted_where_nothing_is_decided() -> None:
    decider = Deciding().decider
    for closed in ((), (2,), ()):
        decider.see([reading(*closed), *[reading()] * 8])
    assert decider.operations == {(2, 1): 2}


def test_the_next_change_is_the_first_end_of_a_hold_or_of_a_demand() -> None:
    deciding = Deciding()
    stale_ms = UNEQUAL.timing.demand_timeout_s * 1000 + 1

    def next_ms() -> int:
        deciding.scan(0)
        return deciding.decider.next_change_ms(deciding.now_ms)

    assert next_ms() == LONG_MS
    deciding.decider.hold(1, 500)
    deciding.decider.hold(2, 400)
    assert next_ms() == 400
    deciding.ask({1: 40})
    assert next_ms() == 400
    deciding.now_ms = 400
    assert next_ms() == 500
    deciding.now_ms = 500
    assert next_ms() == stale_ms
    deciding.decider.hold(1, 2 * stale_ms)
    assert next_ms() == stale_ms
    deciding.now_ms = stale_ms
    assert next_ms() == 2 * stale_ms


def test_what_stands_is_where_both_looks_show_it_or_else_where_it_was_sent() -> None:
    deciding = Deciding()

    def standing(readings: Mapping[int, Readings], kw: float) -> set[Pair]:
        deciding.ask({2: kw})
        deciding.scan(readings=readings)
        return set(deciding.solver.asked[-1].current)

    assert standing({}, 80) == set()
    assert standing({}, 79) == pairs(2, 1, 2)
    assert standing({1: reading(3, again=[]), 2: reading(again=[3])}, 78) == pairs(2, 1, 2)
    assert standing({2: reading(3), 9: reading(1)}, 77) == {(2, 1), (3, 2), (1, 9)}


def test_the_question_stands_still_until_something_is_decided_anew() -> None:
    """A module that moves while a solver is at work does not begin the work anew."""
    deciding = Deciding(operations={(1, 1): STEP - 1})
    deciding.solver.answers = False
    deciding.ask({1: 40})
    for closed in ({}, {1: reading(1)}, {}):
        deciding.scan(readings=closed)
    first, *others = deciding.solver.asked
    assert others == [first] * 2
    assert (first.wear, deciding.decider.operations) == ({}, {(1, 1): STEP + 1})
    deciding.ask({1: 30})
    deciding.scan()
    assert deciding.solver.asked[-1].wear == {(1, 1): 1}


def test_meanwhile_a_fault_takes_out_what_it_struck() -> None:
    deciding = Deciding()
    deciding.ask({1: 80, 2: 70})
    assert deciding.scan().modules == {1: (1, 2), 2: (3, 4), 3: (), 4: (), 5: (), 6: ()}
    deciding.solver.answers = False
    struck = Faults(modules={3}, failed_open={(1, 1)})
    kept = deciding.scan(faults=struck)
    assert kept.policy == KEPT
    assert (kept.modules[1], kept.modules[2]) == ((2,), (4,))
    assert kept.delivered_w[1] == 40_000
    assert kept.operations == 1  # 2:3 opens; 1:1, which failed open, does not count
    assert deciding.scan(0, faults=struck) == kept


def test_until_when_a_solver_has_time() -> None:
    deciding = Deciding()
    deciding.solver.answers = False
    deciding.ask({1: 80})
    assert deciding.scan(after_ms=7).policy == KEPT
    assert deciding.decider.next_change_ms(deciding.now_ms) == deciding.now_ms
    assert deciding.scan(SOLVER_DEADLINE_MS - 1).policy == KEPT
    assert deciding.scan(1).policy == "documented"
    assert deciding.reported == [
        "policy priority had no answer (the solver has not answered within 1000 ms):"
        " documented instead"
    ]
    assert deciding.decider.next_change_ms(deciding.now_ms) == deciding.now_ms
    deciding.solver.answers = True
    assert deciding.scan().policy == "priority"
    assert deciding.decider.next_change_ms(deciding.now_ms) > deciding.now_ms
    deciding.solver.answers = False
    deciding.ask({1: 40})
    assert deciding.scan(SOLVER_DEADLINE_MS).policy == KEPT


def test_a_fall_back_is_told_when_it_begins_or_its_reason_is_another() -> None:
    deciding = Deciding()
    told = "policy priority had no answer ({}): documented instead"
    for kw, answers, sentences in (
        (80, "too hard", [told.format("too hard")]),
        (81, "too hard", []),
        (82, "too long", [told.format("too long")]),
        (83, True, []),
        (84, "too long", [told.format("too long")]),
    ):
        deciding.solver.answers = answers
        deciding.ask({1: kw})
        deciding.scan()
        deciding.scan()
        assert deciding.reported == sentences
        deciding.reported.clear()


# At work, with a solver in a thread.


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
