"""The proof tests of an idle station: when they begin, what they find, who waits for them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sweep.stations import REFERENCE
from sweep.working_station import NOON_S, WorkingStation

from verified_alloc import Station
from verified_alloc.control.idle_tests import AGAIN_MS, IDLE_MS, PERIODIC, ProofTest
from verified_alloc.control.proof_dates import beside
from verified_alloc.control.proof_tests import (
    ENABLES,
    FAILED,
    NOT_TESTED,
    PASSED,
    RESET,
    STOP,
    WATCHDOG,
)

HOUR_S = 3600


def every(hours: int, station: Station = REFERENCE) -> Station:
    return replace(station, timing=replace(station.timing, proof_test_interval_h=hours))


@pytest.fixture
def at_work() -> Iterator[WorkingStation]:
    with WorkingStation(every(1)) as station:
        yield station


def states(at_work: WorkingStation) -> dict[str, ProofTest]:
    return {state.test: state for state in at_work.state.tests}


def verdicts(at_work: WorkingStation) -> dict[str, str]:
    return {state.test: state.verdict for state in at_work.state.tests}


def under_way(at_work: WorkingStation) -> bool:
    return at_work.state.testing != ""


def test_nothing_is_tested_that_the_file_does_not_ask_for() -> None:
    with WorkingStation(REFERENCE) as at_work:
        assert not at_work.go_on(2 * HOUR_S, until=lambda: under_way(at_work))
        assert at_work.operations == 0
        assert at_work.reported == []
        assert not any(state.overdue or state.due_s for state in at_work.state.tests)


def test_an_idle_station_tests_what_needs_no_person_and_again_when_it_is_due(
    at_work: WorkingStation,
) -> None:
    at_work.go_on(4 * 60)
    assert verdicts(at_work) == {
        WATCHDOG: PASSED,
        RESET: PASSED,
        STOP: NOT_TESTED,
        ENABLES: NOT_TESTED,
    }
    first = states(at_work)
    assert first[WATCHDOG].tested_s == pytest.approx(NOON_S + IDLE_MS / 1000, abs=10)
    assert first[WATCHDOG].due_s == (first[WATCHDOG].tested_s or 0) + HOUR_S
    assert at_work.operations == 4
    assert sum(at_work.state.operations.values()) == 4
    assert not at_work.closed
    assert not any(unit.disabled_us for unit in at_work.cabinet.modules)

    at_work.go_on(HOUR_S - 4 * 60)
    assert states(at_work) == first
    at_work.go_on(4 * 60)
    for test in (WATCHDOG, RESET):
        assert first[test].due_s <= states(at_work)[test].tested_s  # type: ignore[operator]
    # Each time the one that has moved least.
    assert sorted(at_work.state.operations.values()) == [2, 2, 2, 2]
    assert at_work.bad() == []
    assert {event.current_a for event in at_work.monitor.exposures} == {0.0}


@pytest.mark.parametrize(
    ("fault", "test", "told"),
    [
        ("watchdog-stuck-on", WATCHDOG, "the relay watchdog is stuck on"),
        ("line-high 25", RESET, "low (BCM 25) for"),
    ],
)
def test_a_latent_fault_is_told_and_the_station_goes_on(
    at_work: WorkingStation, fault: str, test: str, told: str
) -> None:
    at_work.scan()
    at_work.inject(fault)
    at_work.go_on(4 * 60)
    assert verdicts(at_work)[test] == FAILED
    (warning,) = (said for said in at_work.reported if said.startswith("WARNING: proof test fail"))
    assert f"{test}: " in warning
    assert told in warning
    assert at_work.state.latched == frozenset()
    assert states(at_work)[test].overdue
    at_work.ask({1: 80})
    assert at_work.go_on(10, until=at_work.feeds_as_decided)
    assert at_work.bad() == []


@pytest.mark.slow
def test_a_demand_ends_a_test_at_any_of_its_scans_and_waits_for_nothing(
    at_work: WorkingStation,
) -> None:
    """From the first scan of either test to the last, and a few scans more."""
    dropped = {WATCHDOG: 0, RESET: 0}
    for scans in range(0, 170, 7):
        assert at_work.go_on(3 * HOUR_S, until=lambda: under_way(at_work))
        test = at_work.state.testing
        for _ in range(scans):
            at_work.scan(skip=False)
        dropped[test] += under_way(at_work)
        at_work.ask({2: 80})
        at_work.scan(skip=False)
        assert not under_way(at_work)
        # The discharge, and where it was in reset, its expanders healed.
        assert at_work.go_on(
            4, until=lambda: at_work.feeds({2: at_work.live[2]}) and at_work.offers_kw()[2] == 80
        )
        at_work.ask({2: 0})
    assert min(dropped.values()) > 3
    assert at_work.bad() == []
    assert at_work.state.latched == frozenset()


@pytest.mark.parametrize("test", [WATCHDOG, RESET])
@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("estop", "the station is wanted"),
        ("stop", "told otherwise"),
        ("end", "the station is wanted"),
        ("module-stuck-on 5", "a module reports on"),
    ],
)
def test_a_stop_a_fault_or_the_end_drops_it(
    at_work: WorkingStation, test: str, event: str, why: str
) -> None:
    assert at_work.go_on(3 * 60, until=lambda: at_work.state.testing == test)
    for _ in range(65):
        at_work.scan(skip=False)
    assert under_way(at_work)
    {"stop": at_work.controller.stop_all, "end": at_work.controller.stop}.get(
        event, lambda: at_work.inject(event)
    )()
    at_work.scan(skip=False)
    at_work.scan(skip=False)
    assert not under_way(at_work)
    assert f"proof test not done: {test}: dropped, {why}" in at_work.reported
    at_work.go_on(5)
    assert not at_work.closed
    assert verdicts(at_work)[test] == NOT_TESTED
    assert at_work.bad() == []


def test_a_contactor_that_does_not_close_is_told_and_another_one_is_taken(
    at_work: WorkingStation,
) -> None:
    at_work.inject("failed-open 1:1")
    at_work.go_on(2 * 60)
    told = "proof test not done: relay watchdog: contactor 1:1 did not close for it"
    assert at_work.reported[-1] == told
    at_work.go_on(20 * 60)
    assert (verdicts(at_work)[WATCHDOG], verdicts(at_work)[RESET]) == (PASSED, PASSED)
    assert at_work.state.latched == frozenset()


def test_what_was_dropped_is_tried_again_later(at_work: WorkingStation) -> None:
    assert at_work.go_on(70, until=lambda: under_way(at_work))
    at_work.ask({1: 40})
    at_work.scan()
    at_work.ask({1: 0})
    dropped_ms = at_work.now_ms
    assert at_work.go_on(HOUR_S, until=lambda: under_way(at_work))
    assert at_work.now_ms - dropped_ms == pytest.approx(AGAIN_MS, abs=100)


def test_a_station_at_work_or_stopped_or_with_a_welded_contactor_tests_nothing(
    at_work: WorkingStation,
) -> None:
    at_work.ask({1: 40})
    assert not at_work.go_on(HOUR_S, until=lambda: under_way(at_work))
    at_work.ask({1: 0})
    at_work.inject("weld 1:1")
    at_work.cabinet.contactors[1, 1].welded = True
    assert not at_work.go_on(HOUR_S, until=lambda: under_way(at_work))
    assert states(at_work)[WATCHDOG].overdue


def test_the_emergency_stop_counts_when_it_is_pressed_and_released(
    at_work: WorkingStation,
) -> None:
    at_work.ask({1: 40})
    at_work.go_on(5)
    at_work.inject("estop for 2s")
    at_work.go_on(1)
    assert verdicts(at_work)[STOP] == NOT_TESTED
    at_work.go_on(4)
    assert verdicts(at_work)[STOP] == PASSED
    assert not states(at_work)[STOP].overdue


def test_overdue_is_told_once_and_again_after_it_has_passed() -> None:
    with WorkingStation(every(1)) as at_work:
        told = "WARNING: proof test overdue: "
        at_work.scan()
        assert at_work.reported == [f"{told}{test} has never passed" for test in PERIODIC]
        at_work.go_on(4 * 60)
        at_work.ask({1: 40})
        at_work.go_on(2 * HOUR_S - 5 * 60)
        assert sum(said.startswith(told) for said in at_work.reported) == 3
        at_work.go_on(5 * 60)
        late = [said for said in at_work.reported if said.startswith(told)]
        assert late[3:] == [f"{told}{test} has not passed for 2 h" for test in (WATCHDOG, RESET)]
        assert states(at_work)[RESET].overdue


def test_dates_outlive_the_process(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    with WorkingStation(every(24), faults_path=faults) as at_work:
        at_work.go_on(4 * 60)
        before = at_work.state.tests
        at_work.kill()
        at_work.start()
        at_work.go_on(HOUR_S)
        assert at_work.state.tests == before
        told = "WARNING: proof test overdue: emergency stop has never passed"
        assert at_work.reported[-1] == told


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 2, "tests": {}}', '{"version": 1, "tests": {"RESET": {}}}'],
)
def test_a_file_that_cannot_be_read_is_told_and_counts_as_never_tested(
    tmp_path: Path, text: str
) -> None:
    faults = tmp_path / "faults.json"
    beside(faults).write_text(text)
    with WorkingStation(every(24), faults_path=faults) as at_work:
        at_work.scan()
        assert at_work.reported[0].startswith(f"proof tests {beside(faults)}: cannot be read")
        assert "\n" not in at_work.reported[0]
        assert set(verdicts(at_work).values()) == {NOT_TESTED}
        at_work.go_on(4 * 60)
        assert verdicts(at_work)[RESET] == PASSED


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    beside(faults).with_name(beside(faults).name + ".new").mkdir()
    with WorkingStation(every(24), faults_path=faults) as at_work:
        at_work.go_on(4 * 60)
        assert verdicts(at_work)[RESET] == PASSED
    assert any("is a directory; dates last until the end" in s for s in at_work.reported)


def test_a_date_to_come_counts_for_nothing(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    with WorkingStation(every(24), faults_path=faults) as at_work:
        at_work.go_on(4 * 60)
    with WorkingStation(every(24), faults_path=faults) as at_work:  # its clock begins at noon again
        at_work.scan()
        assert states(at_work)[WATCHDOG].overdue
        assert at_work.go_on(70, until=lambda: under_way(at_work))
