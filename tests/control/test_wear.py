"""Operations are counted for life, and spare the contactors that have moved most."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.control.wear import STEP, Wear, in_steps
from verified_alloc.decide import demand
from verified_alloc.decide.allocate import decide
from verified_alloc.decide.policies.problem import NO_WEAR
from verified_alloc.journal.reader import operations_so_far
from verified_alloc.journal.recorder import Journal
from verified_alloc.kernel.diagnosis import Readings
from verified_alloc.station.parts import Pair

STATION = replace(REFERENCE, timing=replace(REFERENCE.timing, minimum_dwell_s=0))
ONE_GUN_OFTEN = {(1, module): STEP for module in range(1, 7)}


def reading(*closed: bool, valid: bool = True) -> Readings:
    return Readings(valid, False, False, closed, closed, closed)


def test_only_what_valid_readings_show_to_have_moved_is_counted() -> None:
    wear = Wear({(2, 1): 7})
    wear.note([reading(True, False)])  # a restart finds it so
    assert wear.operations == {(2, 1): 7}
    wear.note([reading(False, False, valid=False)])
    wear.note([reading(True, False)])
    assert wear.operations == {(2, 1): 7}
    before = wear.operations
    wear.note([reading(False, True)])
    assert wear.operations == {(1, 1): 1, (2, 1): 8}
    assert before == {(2, 1): 7}


def test_a_decision_is_told_whole_steps() -> None:
    assert in_steps({(1, 1): STEP - 1, (1, 2): STEP, (1, 3): 3 * STEP + 5}) == {
        (1, 2): 1,
        (1, 3): 3,
    }


def fed_by(before: Mapping[Pair, int]) -> tuple[tuple[int, ...], Mapping[Pair, int]]:
    """The modules of gun 1 for 120 kW, and the operations in the end."""
    with WorkingStation(STATION, operations=before) as at_work:
        at_work.ask({1: 120})
        assert at_work.go_on(6, until=lambda: at_work.state.settled and at_work.state.live[0] != ())
        at_work.go_on(1)
        return at_work.state.live[0], at_work.state.operations


def test_the_least_worn_contactors_are_operated() -> None:
    modules, operations = fed_by(NO_WEAR)
    assert modules == (1, 2, 3)
    assert operations == {(1, 1): 1, (1, 2): 1, (1, 3): 1}
    modules, operations = fed_by(ONE_GUN_OFTEN)
    assert modules == (7, 8, 9)
    assert operations == ONE_GUN_OFTEN | {(1, 7): 1, (1, 8): 1, (1, 9): 1}
    asked = demand.from_kilowatts(STATION, {1: 120})
    expected = decide(STATION, asked, policy="priority", wear=in_steps(ONE_GUN_OFTEN))
    assert expected.modules[1] == modules


def test_the_journal_counts_on_from_run_to_run(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    counted: Mapping[Pair, int] = {}
    for count in (1, 2):
        journal = Journal(path, STATION, simulated=False)
        assert journal.operations == counted
        journal.begin(0, lambda _: None)
        with WorkingStation(STATION, operations=journal.operations) as at_work:
            at_work.ask({1: 80})
            for _ in range(150):
                journal.watch(at_work.scan(skip=False))
            counted = at_work.state.operations
        journal.close()
        assert counted == {(1, 1): count, (1, 2): count}
        assert operations_so_far(path) == counted
        with closing(
            sqlite3.connect(path)
        ) as database:  # an older part may be gone by the next run
            ((runs,),) = database.execute("SELECT count(DISTINCT run) FROM wear WHERE at_ms = 0")
        assert runs == count - 1
    new = Journal(path, STATION, simulated=True)
    assert new.operations == {}  # simulated contactors are new ones
    new.close()


def test_a_bad_journal_is_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)
    journal = Journal(path, STATION, simulated=False)
    journal.close()
    assert journal.operations == {}
