"""Hours and days from a journal: power, energy, sessions; and its events, searched."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sweep.stations import REFERENCE

from verified_alloc.control.alarms import ALARMS
from verified_alloc.control.fault_kinds import KINDS, Fault, sentence_of
from verified_alloc.errors import BadInput
from verified_alloc.journal.database import JournalFile, Row, older_parts
from verified_alloc.journal.hours import Hours, Session
from verified_alloc.journal.search import search

START_S = 1_700_035_200
"""15 November 2023, 08:00 UTC."""
UTC = ZoneInfo("UTC")


def written(path: Path, *rows: Row, **bounds: int) -> None:
    journal = JournalFile(path, patient=True, **bounds)
    for row in rows:
        journal.put([row])
    journal.close()


def run(number: int, start_s: float = START_S) -> list[Row]:
    return [
        ("run", (number, "0.1.0", True, "{}")),
        ("clock", (number, 0, round(start_s * 1000))),
    ]


def demand(number: int, at_s: float, gun: int, kw: float) -> Row:
    return "demand", (number, round(at_s * 1000), gun, round(kw * 1000), False)


def offer(number: int, at_s: float, gun: int, kw: float, live: str) -> Row:
    return "offer", (number, round(at_s * 1000), gun, round(kw * 1000), live)


def hours(path: Path, now_s: float, live_since_s: float = START_S) -> Hours:
    read = Hours(path, REFERENCE)
    assert read.read(live_since_s, now_s)
    return read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_power_is_what_was_offered_as_far_as_modules_fed_it(path: Path) -> None:
    written(
        path,
        *run(1),
        demand(1, 0, 2, 100),
        offer(1, 30, 2, 100, "[1,2]"),  # 100 kW offered, 80 kW of modules
        offer(1, 120, 2, 60, "[1,2]"),
    )
    now_s = START_S + 239
    assert [row[1] for row in hours(path, now_s).power_kw(now_s, 5, 60)] == [0, 40, 80, 60, 59]
    assert [row[1] for row in hours(path, now_s).power_kw(now_s, 1, 300)] == [pytest.approx(47.8)]
    assert {sum(row) - row[1] for row in hours(path, now_s).power_kw(now_s, 5, 60)} == {0}


def test_energy_is_counted_by_the_days_of_the_zone(path: Path) -> None:
    """Three hours at 40 kW around a midnight in Auckland, noon in Greenwich."""
    start_s = START_S + 1.5 * 3600  # 09:30 UTC is 22:30 there
    written(path, *run(1, start_s), offer(1, 0, 6, 40, "[9]"), offer(1, 3 * 3600, 6, 0, "[]"))
    read = hours(path, start_s + 4 * 3600)
    assert read.kwh_by_day(UTC) == {"2023-11-15": [0, 0, 0, 0, 0, 120]}
    assert read.kwh_by_day(ZoneInfo("Pacific/Auckland")) == {
        "2023-11-15": [0, 0, 0, 0, 0, 60],
        "2023-11-16": [0, 0, 0, 0, 0, 60],
    }


def test_a_session_lasts_from_the_first_demand_to_the_last(path: Path) -> None:
    written(
        path,
        *run(1),
        demand(1, 0, 1, 40),
        offer(1, 0, 1, 40, "[1]"),
        demand(1, 900, 1, 0),
        demand(1, 930, 1, 40),  # it was away for less than a minute
        demand(1, 1800, 1, 0),
        offer(1, 1800, 1, 0, "[]"),
        demand(1, 3600, 1, 20),
        offer(1, 3600, 1, 20, "[1]"),
    )
    assert hours(path, START_S + 7200).sessions() == [
        Session(1, START_S + 3600, None, 20, 20),
        Session(1, START_S, START_S + 1800, 20, 40),
    ]


def test_a_run_that_was_cut_off_gives_nothing_after_it_was_heard_of_last(path: Path) -> None:
    written(path, *run(1), demand(1, 0, 1, 40), offer(1, 0, 1, 40, "[1]"))
    written(path, ("clock", (1, 600_000, (START_S + 600) * 1000)), *run(2, START_S + 7200))
    written(path, offer(2, 0, 3, 0, "[]"))
    read = hours(path, START_S + 9000, live_since_s=START_S + 7200)
    assert read.kwh_by_day(UTC) == {"2023-11-15": [pytest.approx(40 / 6, abs=0.01), 0, 0, 0, 0, 0]}
    assert read.sessions() == [Session(1, START_S, START_S + 600, 6.67, 40)]


def test_what_is_new_is_read_on_once_and_the_rows_that_a_new_part_opens_with_do_not_count(
    path: Path,
) -> None:
    written(path, *run(1), demand(1, 0, 1, 40), offer(1, 0, 1, 40, "[1]"))
    read = hours(path, START_S + 60)
    rows = [
        ("report", (1, 60_000, "x" * 2000)) if at % 2 else offer(1, 60 + at, 2, 1 + at % 7, "[2]")
        for at in range(400)
    ]
    written(path, *run(1), *rows, part_bytes=120_000, queued=50)
    assert older_parts(path)
    assert read.read(START_S, START_S + 3600)
    assert read.kwh_by_day(UTC) == hours(path, START_S + 3600).kwh_by_day(UTC)
    assert read.kwh_by_day(UTC)["2023-11-15"][0] == 40


def test_a_clock_that_was_set_moves_the_whole_run(path: Path) -> None:
    """A Pi without a battery wakes up long ago and is told the time later."""
    written(path, *run(1, START_S - 86_400), offer(1, 0, 1, 40, "[1]"))
    read = hours(path, START_S, live_since_s=START_S - 86_400)
    written(path, ("clock", (1, 60_000, (START_S + 60) * 1000)), offer(1, 3600, 1, 0, "[]"))
    assert read.read(START_S, START_S + 7200)
    assert read.kwh_by_day(UTC) == {"2023-11-15": [40, 0, 0, 0, 0, 0]}


def test_a_long_journal_is_read_in_pieces(path: Path) -> None:
    written(path, *run(1), *(offer(1, at, 1, 1 + at % 2, "[1]") for at in range(5000)))
    read, times = Hours(path, REFERENCE), 1
    while not read.read(START_S, START_S + 5000, within_s=0):
        times += 1
    assert times > 1
    assert read.kwh_by_day(UTC) == hours(path, START_S + 5000).kwh_by_day(UTC)


def test_days_that_are_over_are_forgotten(path: Path) -> None:
    written(path, *run(1), demand(1, 0, 1, 9), offer(1, 0, 1, 40, "[1]"), demand(1, 60, 1, 0))
    written(path, offer(1, 60, 1, 0, "[]"))
    read = hours(path, START_S + 3600)
    assert read.kwh_by_day(UTC)
    later_s = START_S + 9 * 86_400
    assert read.read(later_s, later_s)
    assert (read.kwh_by_day(UTC), read.sessions()) == ({}, [])


EVENTS = [
    *run(1),
    ("report", (1, 1_000, "stopped, as told")),
    ("fault", (1, 2_000, "welded", 2, 1, True)),
    ("fault", (1, 3_000, "failed", None, 4, True)),
    ("fault", (1, 9_000, "welded", 2, 1, False)),
    ("report", (1, 4_000, "a new assignment")),
    ("incident", (1, 5_000, "violation", "S1", 1, 1, 0.0, 1.0, "made up", "two at once")),
]


def texts(path: Path, from_s: float = 0, to_s: float = 2e9, **asked: str) -> list[str]:
    found, complete = search(path, from_s=from_s, to_s=to_s, **asked)
    assert complete
    return [one.text for one in found]


def test_events_are_found_by_time_words_and_severity(path: Path) -> None:
    written(path, *EVENTS)
    assert texts(path) == [
        "no longer: contactor 2:1 is welded",
        "two at once",
        "a new assignment",
        "PM4 is out",
        "contactor 2:1 is welded",
        "stopped, as told",
    ]
    assert texts(path, from_s=START_S + 2, to_s=START_S + 3) == [
        "PM4 is out",
        "contactor 2:1 is welded",
    ]
    assert texts(path, words="WELD", severity="warning") == ["contactor 2:1 is welded"]
    assert texts(path, severity="critical") == ["two at once", "stopped, as told"]
    assert texts(path, words="' OR 1=1 --") == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_latched_fault_is_a_warning_or_critical_and_what_was_taken_out_is_not(
    path: Path, kind: str
) -> None:
    numbers = {"gun": 2, "module": 3, "expander": None}
    if KINDS[kind].of == "expander":
        numbers = {"gun": None, "module": None, "expander": 1}
    written(path, *run(1), ("report", (1, 1, sentence_of(REFERENCE, Fault(kind, **numbers)))))
    ((event,), _) = search(path, from_s=0, to_s=2e9)
    taken_out = kind.endswith("_out")
    critical = KINDS[kind].severity == "critical"
    assert event.severity == ("info" if taken_out else "critical" if critical else "warning")


def test_what_is_out_of_order_is_a_warning(path: Path) -> None:
    sentences = [*(alarm.sentence for alarm in ALARMS), "WARNING: proof test overdue: RESET"]
    written(path, *run(1), *(("report", (1, 1, sentence)) for sentence in sentences))
    assert sorted(texts(path, severity="warning")) == sorted(sentences)
    assert texts(path, severity="critical") == []


def test_a_search_is_bounded_by_count_and_by_time(path: Path) -> None:
    reports = [("report", (1, at, f"number {at}")) for at in range(2000)]
    written(path, *run(1), *reports)
    found, complete = search(path, from_s=0, to_s=2e9, most=10)
    assert ([one.text for one in found], complete) == (
        [f"number {at}" for at in range(1999, 1989, -1)],
        False,
    )
    assert search(path, from_s=0, to_s=2e9, words="nowhere", within_s=0)[1] is False


def test_a_journal_that_is_not_there_is_said(path: Path) -> None:
    with pytest.raises(BadInput, match="is not there"):
        hours(path, START_S)
    with pytest.raises(BadInput, match="is not there"):
        texts(path)
