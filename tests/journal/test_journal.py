"""What happened and why: written beside the station, never in its way."""

import json
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from verified_alloc.cli import main
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.control.state import Inputs, State
from verified_alloc.decide.allocate import decide
from verified_alloc.decide.demand import strictly
from verified_alloc.decide.steady import Kept, granted
from verified_alloc.errors import BadInput
from verified_alloc.journal import recorder as journal_module
from verified_alloc.journal.database import TABLES, JournalFile, older_parts, part
from verified_alloc.journal.reader import latest, read_journal
from verified_alloc.journal.recorder import Journal, why
from verified_alloc.run.loop import Run
from verified_alloc.run.summary import Summary
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Policy
from verified_alloc.workload.traces import DemandTrace, read_trace

REFERENCE = replace(Station.reference(), policy=Policy("documented"))
GUNS = range(1, 7)


def run(journal: Path, trace: DemandTrace, until_ms: int, *, weld: bool = False) -> Summary:
    """A simulated run as fast as it goes, with its journal."""
    from hardware.simulated import faults

    return Run(
        REFERENCE,
        simulated_charger(REFERENCE),
        trace,
        injections=[faults.parse("weld 2:1 @ 0s")] if weld else [],
        journal=Journal(journal, REFERENCE, simulated=True),
    ).play(until_ms)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemandTrace, Summary]:
    """The sample hour, with a contactor that welds."""
    path = tmp_path_factory.mktemp("journal") / "hour.db"
    trace = read_trace("hour", GUNS)
    return path, trace, run(path, trace, trace.last_ms + 1, weld=True)


def by_gun(trace: DemandTrace) -> dict[int, list[tuple[int, int]]]:
    """The demands of each gun that differ from the one before, with their times."""
    told: dict[int, list[tuple[int, int]]] = {}
    for time_ms, gun, demand_w in trace.changes:
        demands = told.setdefault(gun, [])
        if demand_w != (demands[-1][1] if demands else 0):
            demands.append((time_ms, demand_w))
    return told


def test_the_demands_come_back_as_a_trace(hour: tuple[Path, DemandTrace, Summary]) -> None:
    """Each one at the scan that first saw it."""
    path, played, _ = hour
    told, read = by_gun(played), by_gun(read_journal(path).trace)
    assert read.keys() == told.keys()
    for gun, demands in told.items():
        assert [w for _, w in read[gun]] == [w for _, w in demands]
        for (seen_ms, _), (told_ms, _) in zip(read[gun], demands, strict=True):
            assert 0 <= seen_ms - told_ms <= REFERENCE.timing.scan_ms


def test_every_decision_follows_from_what_is_written_with_it(
    hour: tuple[Path, DemandTrace, Summary],
) -> None:
    recorded = read_journal(hour[0])
    decisions = list(recorded.decisions())
    assert len(decisions) > 100
    for decision in decisions:
        asked, faults, reserved, *_, held_w, _ = decision.inputs
        held = asked._replace(demand_w=held_w)
        steady = decide(REFERENCE, held, faults=faults, reserved=reserved, policy="documented")
        again = granted(REFERENCE, steady, asked)
        assert replace(decision.allocation, operations=0) == replace(again, operations=0)
    assert any(decision.inputs.reserved for decision in decisions)
    assert any(decision.inputs.faults.welded for decision in decisions)
    for before, after in pairwise(decisions):
        assert before.at_ms < after.at_ms


def test_a_decision_says_what_had_changed_and_explains_itself(
    hour: tuple[Path, DemandTrace, Summary],
) -> None:
    decisions = list(read_journal(hour[0]).decisions())
    assert all(decision.why for decision in decisions)
    (welded,) = [one for one in decisions if "contactor 2:1 is welded" in one.why]
    assert "PM1 is welded to" in " ".join(welded.explained(REFERENCE).guns[2].sentences)


def test_what_a_solver_decided_and_what_was_fallen_back_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db", REFERENCE, simulated=True)
    journal.begin(0, lambda _: None)
    asked = strictly([80_000, 40_000, 0, 0, 0, 0])
    solved = decide(REFERENCE, asked, policy="fair")
    fallen = replace(decide(REFERENCE, asked), fallback_from="fair", fallback_reason="no time")
    for n, allocation in enumerate((solved, fallen)):
        journal.watch(quiet_state(20 * n)._replace(allocation=allocation))
    journal.close()
    first, second = read_journal(tmp_path / "j.db").decisions()
    assert first.allocation.method == solved.method != "rule"
    assert first.allocation.optimal is solved.optimal
    assert first.allocation.modules == solved.modules
    assert second.allocation.fallback_reason == "no time"
    assert second.explained(REFERENCE).allocation.fallback_from == "fair"


def test_why_names_what_changed() -> None:
    nothing = Inputs(strictly([0] * 2), Faults(), {}, None)
    asked = nothing._replace(asked=strictly([40_000, 0]))
    assert why(nothing, asked, ()) == ["gun 1 asks for 40 kW"]
    assert why(asked, nothing, (1,)) == [
        "gun 1 asks for 0 kW, for it has not told its demand in time"
    ]
    broken = nothing._replace(faults=Faults({3}, {2}, {(1, 4)}, {(2, 5)}))
    assert why(nothing, broken, ()) == [
        "PM3 is out",
        "contactor 1:4 has failed open",
        "contactor 2:5 is welded",
        "gun 2 is out",
    ]
    assert why(broken, nothing, ())[0] == "no longer: PM3 is out"
    assert why(nothing._replace(reserved={1: 1, 2: 2}), nothing._replace(reserved={2: 2}), ()) == [
        "PM1 may move again"
    ]
    assert why(nothing, nothing._replace(reserved={3: 1}), ()) == ["PM3 has come to gun 1"]
    limited = nothing._replace(site_limit_w=90_500)
    assert why(nothing, limited, ()) == ["site limit 90.5 kW"]
    assert why(limited, nothing, ()) == ["no site limit"]


def test_a_site_limit_that_is_told_on_the_way(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db", REFERENCE, simulated=True)
    journal.begin(0, lambda _: None)
    journal.watch(quiet_state(0, 80_000))
    journal.watch(quiet_state(20, 80_000, 50_000))
    journal.close()
    recorded = read_journal(tmp_path / "j.db")
    _, limited = recorded.decisions()
    assert limited.why == "site limit 50 kW"
    told = " ".join(limited.explained(recorded.station).guns[1].sentences)
    assert "The site limit of 50 kW leaves 50 kW for it" in told


def test_operations_are_those_that_the_cabinet_made(tmp_path: Path) -> None:
    trace = read_trace("hour", GUNS)
    summary = run(tmp_path / "j.db", trace, 1_200_000)
    recorded = read_journal(tmp_path / "j.db")
    assert summary.operations
    assert {f"{g}:{m}": n for (g, m), n in recorded.operations.items()} == summary.operations


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_faults_reports_offers_and_exposures(hour: tuple[Path, DemandTrace, Summary]) -> None:
    path, _, summary = hour
    assert rows(path, "SELECT kind, gun, module, stands FROM fault") == [("welded", 2, 1, 1)]
    reported = rows(path, "SELECT at_ms, text FROM report ORDER BY rowid")
    assert [f"{at_ms / 1000:.3f} s: {text}" for at_ms, text in reported] == summary.reported
    seen = rows(path, "SELECT kind, text FROM incident")
    assert seen == [("exposure", one.text) for one in summary.exposures]
    offers = rows(path, "SELECT offer_w, live FROM offer WHERE gun = 2 ORDER BY rowid")
    assert (149_500, "[1,2,3,4]") in offers
    assert offers[-1] == (0, "[]")


def test_the_latest_happenings_for_people(hour: tuple[Path, DemandTrace, Summary]) -> None:
    found = latest(hour[0], 40)
    assert len(found) == 40
    assert sorted(found, reverse=True) == found
    assert {one.kind for one in found} == {"decision", "exposure", "report"}
    assert "ended with contactors not seen open" in found[0].text
    (started_ms,) = {ms for (ms,) in rows(hour[0], "SELECT unix_ms FROM clock")}
    assert abs(found[0].unix_ms - started_ms - 3_604_000) < 1000
    assert abs(started_ms / 1000 - time.time()) < 600


def test_two_runs_in_one_journal(tmp_path: Path) -> None:
    """One after the other on the wall clock; a run ends what its guns asked for."""
    path, trace = tmp_path / "j.db", read_trace("hour", GUNS)
    run(path, trace, 30_000)
    once = read_journal(path)
    run(path, trace, 30_000)
    twice = read_journal(path)
    assert len(twice.runs) == 2
    assert twice.started_unix_ms == once.started_unix_ms
    first, second = twice.runs
    assert second.starts_ms > first.starts_ms + first.lasts_ms
    shifted = [c._replace(time_ms=c.time_ms + second.starts_ms) for c in once.trace.changes]
    assert twice.trace.changes == (*once.trace.changes, *shifted)
    assert len(list(twice.decisions())) == 2 * len(list(once.decisions()))
    assert len({d.at_ms for d in twice.decisions()}) == len(list(twice.decisions()))


def test_runs_of_another_station_are_left_out(tmp_path: Path) -> None:
    path, trace = tmp_path / "j.db", read_trace("hour", GUNS)
    run(path, trace, 5_000)
    ring = Station.from_tables(REFERENCE.to_tables() | {"matrix": {"kind": "ring"}})
    charger = simulated_charger(ring)
    Run(ring, charger, trace, journal=Journal(path, ring, simulated=True)).play(5_000)
    recorded = read_journal(path)
    assert recorded.station == ring
    assert (len(recorded.runs), recorded.left_out) == (1, 1)


def test_the_page_about_it_names_every_column() -> None:
    page = (Path(__file__).parents[2] / "docs" / "journal.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| `([\w, ]+)` \|", page, flags=re.MULTILINE))
    assert told == {
        table: ", ".join(column.split()[0] for column in columns.split(","))
        for table, columns in TABLES.items()
    }


# The station goes on --------------------------------------------------------------------------


@cache
def first_state() -> State:
    """Of an idle station."""
    states: list[State] = []
    charger = simulated_charger(REFERENCE)
    Run(REFERENCE, charger, DemandTrace(()), watch=states.append).play(20)
    return states[0]


def quiet_state(at_ms: int, demand_w: int = 0, limit_w: int | None = None) -> State:
    """Gun 1 asks for that much, and nothing has moved yet."""
    asked = strictly([demand_w] + [0] * 5)
    return first_state()._replace(
        at_ms=at_ms,
        demand_w=asked.demand_w,
        allocation=decide(REFERENCE, asked),
        inputs=Inputs(asked, Faults(), {}, limit_w, held_w=asked.demand_w),
    )


def told_of(path: Path, states: int = 3, **options: Any) -> list[str]:
    """What is told of a journal that sees so many scans."""
    told: list[str] = []
    journal = Journal(path, REFERENCE, simulated=False)
    journal.begin(0, told.append)
    for n in range(states):
        journal.watch(quiet_state(20 * n, 1000 * n))
    journal.close()
    return told


DAMAGES = {
    "no database": lambda data: b"garbage" * 1000,
    "a broken first page": lambda data: b"\0" * 100 + data[100:],
    "a broken page": lambda data: data[:4096] + b"\xaa" * 4096 + data[8192:],
    "cut off": lambda data: data[: len(data) // 2 + 7],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_and_told_of(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    assert told_of(path) == []
    damaged = DAMAGES[damage](path.read_bytes())
    path.write_bytes(damaged)
    (told,) = told_of(path, states=5)
    assert "was damaged" in told
    assert "it is kept as journal.aside.db and a new one is begun" in told
    assert (tmp_path / "journal.aside.db").read_bytes() == damaged
    assert [w for _, _, w in read_journal(path).trace.changes] == [1000, 2000, 3000, 4000, 0]


def test_damage_where_nothing_is_written_any_more(tmp_path: Path) -> None:
    """In a page of old rows: looked for at the start, not found by chance one day."""
    path = tmp_path / "journal.db"
    file = JournalFile(path, patient=True)
    file.put([("report", (1, n, "x" * 1000)) for n in range(100)])
    file.close()
    data = path.read_bytes()
    page = data.index(b"x" * 1000) // 4096 * 4096
    path.write_bytes(data[:page] + b"\xaa" * 4096 + data[page + 4096 :])
    (told,) = told_of(path)
    assert "was damaged" in told


def test_damage_while_it_runs(tmp_path: Path) -> None:
    """What stands is written into the new file, which can be read by itself."""
    path = tmp_path / "journal.db"
    told: list[str] = []
    journal = Journal(path, REFERENCE, simulated=False)
    journal.begin(0, told.append)
    journal.watch(quiet_state(0, 5000))
    wait_for(lambda: rows(path, "SELECT * FROM demand"))
    with path.open("r+b") as file, closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        file.write(b"\xaa" * 20_000)
    for n in range(1, 100):
        journal.watch(quiet_state(20 * n, 5000 + n))
        if told:
            break
        time.sleep(0.05)
    journal.close()
    assert len(told) == 1
    assert "was damaged" in told[0]
    read = read_journal(path).trace.changes
    assert [w for _, _, w in read] == [5000 + k for k in range(n + 1)] + [0]


def wait_for(so: Any) -> None:
    """Until it is so; a database that is not there yet, or has no tables yet, is not so."""
    for _ in range(400):
        with suppress(sqlite3.OperationalError, BadInput):
            if so():
                return
        time.sleep(0.05)
    raise AssertionError("it did not come")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses to make a file longer: to a writer the same as a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_of_once_and_what_could_not_be_written_is_tried_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.db"
    file = JournalFile(path, patient=False, retry_s=0.05)
    entry = [("report", (1, n, "x" * 100)) for n in range(1000)]
    told: list[str] = []

    def has_told(count: int) -> bool:
        told.extend(file.problems())
        return len(told) >= count

    with files_of_at_most(100_000):
        file.put(entry)
        wait_for(lambda: has_told(1))
        time.sleep(0.3)
        assert not file.problems()
    wait_for(lambda: has_told(2))
    file.close()
    assert "cannot be written" in told[0]
    assert "is written again" in told[1]
    assert rows(path, "SELECT count(*), max(at_ms) FROM report") == [(1000, 999)]


def test_a_run_on_a_full_disk_ends_well(tmp_path: Path) -> None:
    """The whole command, with a journal for which there is no room."""
    path = tmp_path / "journal.db"
    options = ["--demands", "hour", "--until", "600", "--journal", str(path), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "verified_alloc", "run", *options],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["duration_s"] == 600
    told = [text for text in summary["reported"] if "cannot be written" in text]
    assert len(told) == 1
    assert any("not written" in text for text in summary["reported"])


@pytest.mark.parametrize("patient", [False, True])
def test_a_disk_that_does_not_answer(patient: bool, tmp_path: Path) -> None:
    """A live station drops entries at once, and counts them; simulated time waits."""
    path = tmp_path / "journal.db"
    told_of(path)
    file = JournalFile(path, patient=patient, queued=10)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # the writer waits for this lock
        before_s = time.monotonic()
        file.put([("report", (1, 0, "first"))])
        time.sleep(0.6)  # it has taken the first entry by now
        for n in range(1, 16):
            if patient and n > 10 and other.in_transaction:
                other.execute("ROLLBACK")
            file.put([("report", (1, n, "more"))])
        assert time.monotonic() - before_s < 4
        if other.in_transaction:
            other.execute("ROLLBACK")
        wait_for(lambda: len(rows(path, "SELECT * FROM report")) >= 11)
    file.close()
    written = [n for (n,) in rows(path, "SELECT at_ms FROM report ORDER BY rowid")]
    if patient:
        assert written == list(range(16))
        assert file.problems() == []
    else:
        assert written == list(range(11))
        assert "5 entries lost" in file.problems()[0]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = told_of(tmp_path / "file" / "journal.db")
    assert "cannot be written" in told[0]
    assert "the station goes on" in told[0]
    assert "4 entries not written" in told[1]


def test_a_demand_beyond_every_integer(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path, REFERENCE, simulated=True)
    journal.begin(0, lambda _: None)
    journal.watch(quiet_state(0, 10**311))
    journal.close()
    recorded = read_journal(path)
    assert recorded.trace.changes[0].demand_w == 2**63 - 1
    assert next(recorded.decisions()).inputs.asked.demand_w[0] == 10**311


def test_text_that_is_no_text_costs_only_itself(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "journal.db", patient=False)
    file.put([("report", (1, 0, "\ud800"))])
    wait_for(lambda: any("1 entry lost" in told for told in file.problems()))
    file.put([("report", (1, 1, "fine"))])
    file.close()
    assert rows(tmp_path / "journal.db", "SELECT text FROM report") == [("fine",)]


def test_every_transaction_is_flushed_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting that makes SQLite flush its log at each commit, before anything is written."""
    done: list[str] = []
    really_connect = sqlite3.connect

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database = really_connect(*arguments, **options)
        database.set_trace_callback(done.append)
        return database

    monkeypatch.setattr(sqlite3, "connect", connect)
    assert told_of(tmp_path / "journal.db") == []
    first = next(n for n, statement in enumerate(done) if statement.startswith("BEGIN"))
    assert {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"} <= set(done[:first])


# Crashes --------------------------------------------------------------------------------------


def test_cut_anywhere_it_opens_and_has_every_whole_transaction(tmp_path: Path) -> None:
    """The log beside the file, cut after each of its bytes, as a lost supply may leave it."""
    path = tmp_path / "journal.db"
    wal = tmp_path / "journal.db-wal"
    with closing(sqlite3.connect(path)) as database:  # small pages make a small log
        database.executescript("PRAGMA page_size = 512; PRAGMA journal_mode = WAL; VACUUM")
    file = JournalFile(path, patient=True)
    tables = json.dumps(REFERENCE.to_tables())
    file.put([("run", (7, "1", True, tables)), ("clock", (7, 0, 1_000))])
    wait_for(lambda: rows(path, "SELECT * FROM run"))
    rows(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    ends: list[int] = []
    for n in range(3):
        file.put([("demand", (7, n, 1, 1000 + n, 0))])
        wait_for(lambda n=n: len(rows(path, "SELECT * FROM demand")) == n + 1)
        ends.append(wal.stat().st_size)
    main, log = path.read_bytes(), wal.read_bytes()
    file.close()
    assert 1_000 < len(log) == ends[-1]
    assert len(set(ends)) == 3

    cut = tmp_path / "cut" / "journal.db"
    cut.parent.mkdir()
    for size in range(len(log) + 1):
        cut.write_bytes(main)
        cut.with_name("journal.db-wal").write_bytes(log[:size])
        found = [w for _, _, w in read_journal(cut).trace.changes][:-1]
        assert found == [1000 + n for n, end in enumerate(ends) if end <= size]
        cut.with_name("journal.db-shm").unlink(missing_ok=True)
        cut.with_name("journal.db-wal").unlink(missing_ok=True)


def test_a_crash_before_there_is_any_table(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    with pytest.raises(BadInput, match="allowed is"):
        read_journal(path)
    assert told_of(path) == []
    assert len(read_journal(path).runs) == 1


def test_a_killed_run_leaves_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    command = [sys.executable, "-m", "verified_alloc", "run", "--demands", "hour", "--speed", "60"]
    with subprocess.Popen([*command, "--journal", str(path)], stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: len(latest(path, 20)) >= 5)
        finally:
            process.kill()
    before = read_journal(path)
    assert before.trace.changes[-1].demand_w == 0
    assert told_of(path) == []
    assert len(read_journal(path).runs) == 2


# Parts ----------------------------------------------------------------------------------------


def test_a_full_part_is_closed_and_the_next_stands_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = read_trace("hour", GUNS)
    run(tmp_path / "whole.db", trace, 1_200_000)
    whole = read_journal(tmp_path / "whole.db")
    small = partial(JournalFile, part_bytes=50_000, older_parts=99, queued=20)
    monkeypatch.setattr(journal_module, "JournalFile", small)
    path = tmp_path / "journal.db"
    run(path, trace, 1_200_000)
    assert len(older_parts(path)) >= 2
    assert max(file.stat().st_size for file in tmp_path.glob("journal*.db")) < 200_000
    recorded = read_journal(path)
    assert recorded.trace == whole.trace
    assert recorded.operations == whole.operations
    assert list(recorded.decisions()) == list(whole.decisions())

    alone = tmp_path / "alone.db"
    for later in [*older_parts(path).values()][1:]:
        shutil.copy(later, alone)
        last = read_journal(alone)
        told = list(last.decisions())
        begun = list(whole.decisions()).index(told[0])
        assert told == list(whole.decisions())[begun : begun + len(told)]
        begun_ms = told[-1].at_ms
        assert standing(last.trace, begun_ms) == standing(whole.trace, begun_ms)


def standing(trace: DemandTrace, at_ms: int) -> dict[int, int]:
    standing_w = dict.fromkeys(GUNS, 0)
    standing_w.update({c.gun: c.demand_w for c in trace.changes if c.time_ms <= at_ms})
    return standing_w


def test_the_oldest_parts_go(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    file = JournalFile(path, patient=True, part_bytes=1, older_parts=2)
    for n in range(6):
        file.put([("report", (1, n, "text"))])
        wait_for(lambda n=n: (n,) in rows(path, "SELECT at_ms FROM report"))
    file.close()
    assert {p.name for p in tmp_path.iterdir()} == {"journal.db", "journal.4.db", "journal.5.db"}
    assert rows(part(path, 5), "SELECT at_ms FROM report") == [(4,)]


def test_a_reader_in_the_middle_does_not_cost_a_row(tmp_path: Path) -> None:
    """What was written after the reader had begun cannot leave the log before it ends; so the part
    is not closed before."""
    path = tmp_path / "journal.db"
    file = JournalFile(path, patient=True, part_bytes=60_000)
    file.put([("report", (1, 0, "text"))])
    wait_for(lambda: rows(path, "SELECT * FROM report"))
    assert path.stat().st_size < 60_000
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT at_ms FROM report").fetchall() == [(0,)]
        file.put([("report", (1, 1, "text" * 10_000))])
        wait_for(lambda: (1,) in rows(path, "SELECT at_ms FROM report"))
        file.put([("report", (1, 2, "text"))])
        wait_for(lambda: (2,) in rows(path, "SELECT at_ms FROM report"))
        assert not older_parts(path)
        assert reader.execute("SELECT at_ms FROM report").fetchall() == [(0,)]
    file.put([("report", (1, 3, "text"))])
    file.close()
    parts = [*older_parts(path).values(), path]
    assert len(parts) == 2
    assert [n for p in parts for (n,) in rows(p, "SELECT at_ms FROM report")] == [0, 1, 2, 3]


# Clocks ---------------------------------------------------------------------------------------


def test_a_wall_clock_that_is_set_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Pi has no clock of its own: it starts with a wrong time, and learns the right one."""
    path, wall_s = tmp_path / "journal.db", 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: wall_s)
    journal = Journal(path, REFERENCE, simulated=False)
    journal.begin(500, lambda _: None)
    journal.watch(quiet_state(500, 1000))
    wall_s += 7_200 + 60
    journal.watch(quiet_state(60_500, 2000))
    wall_s += 540
    journal.watch(quiet_state(600_500, 3000))
    wall_s += 600
    journal.watch(quiet_state(1_200_500, 3000))
    journal.close()
    assert rows(path, "SELECT at_ms, unix_ms FROM clock") == [
        (0, 1_000_000_000),
        (60_000, 1_007_260_000),
        (1_200_000, 1_008_400_000),
    ]
    recorded = read_journal(path)
    assert recorded.started_unix_ms == 1_007_200_000
    assert recorded.ended_ms == 1_200_000


# The door -------------------------------------------------------------------------------------


def test_what_is_not_ours_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE mine (text)")
    before = other.read_bytes()
    for path, said in ((other, "another program's database"), (tmp_path, "it is a folder")):
        assert main(["run", "--demands", "hour", "--until", "1", "--journal", str(path)]) == 2
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
    assert other.read_bytes() == before
    assert "another program" in told_of(other)[0]
    assert other.read_bytes() == before


def test_a_journal_of_another_version_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    told_of(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 5")
    with pytest.raises(BadInput, match="version 5 and not 4"):
        read_journal(path)
    (told,) = told_of(path)
    assert "is of version 5, not 4; it is kept as journal.aside.db" in told
    assert len(read_journal(path).runs) == 1


def test_a_file_that_is_no_journal_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with pytest.raises(BadInput, match="is not there"):
        read_journal(path)
    with pytest.raises(BadInput, match="is no file"):
        read_journal(tmp_path)
    path.write_bytes(b"time_s,gun,demand_kw\n")
    with pytest.raises(BadInput, match="allowed is one that run --journal has written"):
        read_journal(path)
    path.unlink()
    told_of(path)
    for table, column, value in (
        ("demand", "gun", "99"),
        ("demand", "demand_w", "-1"),
        ("run", "station", "'{}'"),
        ("run", "station", "'x'"),
    ):
        bad = tmp_path / "bad.db"
        shutil.copy(path, bad)
        with closing(sqlite3.connect(bad)) as database, database:
            database.execute(f"UPDATE {table} SET {column} = {value}")
        with pytest.raises(BadInput, match="allowed is one that run --journal has written"):
            _ = read_journal(bad).trace
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE decision SET modules = 'x'")
    with pytest.raises(BadInput, match="a decision"):
        list(read_journal(path).decisions())


def test_a_journal_of_a_version_before_is_read(tmp_path: Path) -> None:
    """So that operations are counted on."""
    path = tmp_path / "journal.db"
    told_of(path)
    before = list(read_journal(path).decisions())
    with closing(sqlite3.connect(path)) as database:
        for version, added in ((3, "limited"), (2, "held_w")):
            database.execute(f"ALTER TABLE decision DROP COLUMN {added}")
            database.execute(f"PRAGMA user_version = {version}")
            database.commit()
            assert list(read_journal(path).decisions()) == before


def test_what_a_gun_keeps_and_could_do_without_is_written_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.db", REFERENCE, simulated=True)
    journal.begin(0, lambda _: None)
    state = quiet_state(0)
    state = state._replace(allocation=replace(state.allocation, modules={1: (1, 2), 2: ()}))
    kept = state._replace(kept={1: Kept((2,), 60_000)})
    for at_ms, one in enumerate((state, kept, state, kept)):
        journal.watch(one._replace(at_ms=at_ms))
    journal.close()
    with closing(sqlite3.connect(tmp_path / "j.db")) as database:
        told = [text for (text,) in database.execute("SELECT text FROM report")]
    assert told == [
        "gun 1 could do without PM2 and keeps them for 59.999 s, unless somebody needs them"
    ]
