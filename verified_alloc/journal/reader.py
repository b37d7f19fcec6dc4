"""Reads a journal back: what the guns asked for, as a trace to replay, and what was decided."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import nlargest
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from verified_alloc.control.state import Inputs
from verified_alloc.decide.allocate import Allocation
from verified_alloc.decide.demand import Asked, by_rank
from verified_alloc.decide.explain import Explanation, reasons
from verified_alloc.errors import BadInput
from verified_alloc.journal.database import (
    APPLICATION_ID,
    READABLE,
    TABLES,
    VERSION,
    identity,
    older_parts,
)
from verified_alloc.station.faults import Faults, usable
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair
from verified_alloc.workload.traces import DemandChange, DemandTrace

Values = tuple[Any, ...]


class RecordedDecision(NamedTuple):
    """One decision of the controller."""

    at_ms: int
    """As in the journal's trace."""
    why: str
    """What had changed."""
    inputs: Inputs
    allocation: Allocation

    def explained(self, station: Station) -> Explanation:
        """Why every gun got what it got."""
        station = replace(station, site_limit_w=self.inputs.site_limit_w)
        inputs = self.inputs
        return reasons(station, inputs.asked, inputs.faults, self.allocation, (), inputs.limited)


class Happening(NamedTuple):
    """An entry for people: a `decision`, a `report`, an `exposure` or a `violation`."""

    unix_ms: int
    kind: str
    text: str


class _Run(NamedTuple):
    number: int
    starts_ms: int
    """On the journal's time."""
    lasts_ms: int


@dataclass(frozen=True)
class Recorded:
    """What a journal holds of its newest station. Time is the wall clock's between runs and the
    run's own within one; it counts from the start of the first run."""

    path: Path
    station: Station
    """As the newest run had it."""
    runs: tuple[_Run, ...]
    left_out: int
    """Runs of stations with other guns, modules, contactors or limit."""
    started_unix_ms: int

    @property
    def ended_ms(self) -> int:
        """When the last run was last heard of."""
        return self.runs[-1].starts_ms + self.runs[-1].lasts_ms

    @cached_property
    def trace(self) -> DemandTrace:
        """What the guns asked for. Where no run was under way, nothing."""
        changes: list[DemandChange] = []
        for run in self.runs:
            asked_w = dict.fromkeys(range(1, len(self.station.guns) + 1), 0)
            rows = _rows(self.path, "demand", run.number)
            for _, at_ms, gun, demand_w, _ in sorted(rows, key=lambda row: row[1]):
                if gun not in asked_w or demand_w < 0:
                    raise _refused(self.path, f"demand {demand_w} W of gun {gun}")
                asked_w[gun] = demand_w
                changes.append(DemandChange(run.starts_ms + at_ms, gun, demand_w))
            ended_ms = run.starts_ms + run.lasts_ms + 1
            changes += [DemandChange(ended_ms, gun, 0) for gun, w in asked_w.items() if w > 0]
        return DemandTrace(tuple(changes))

    @cached_property
    def operations(self) -> dict[Pair, int]:
        """Makes and breaks of every contactor that moved, as its auxiliary contact showed them."""
        return dict(
            Counter(
                (gun, module)
                for run in self.runs
                for _, _, gun, module, _ in _rows(self.path, "operation", run.number)
            )
        )

    def decisions(self) -> Iterator[RecordedDecision]:
        """All of them, in order of time."""
        for run in self.runs:
            for row in _rows(self.path, "decision", run.number):
                try:
                    yield _decision(self.station, run, row)
                except (ValueError, TypeError, KeyError) as error:
                    raise _refused(self.path, f"a decision ({error})") from None


def read_journal(path: str | Path) -> Recorded:
    """The journal in a file and in the older parts beside it. `BadInput` if it is none."""
    path = Path(path)
    clocks: dict[int, tuple[int, int]] = {}
    lasts_ms: dict[int, int] = {}
    stations: dict[int, Station] = {}
    for part in parts_of(path):
        with opened(part) as database:
            for number, tables in database.execute("SELECT run, station FROM run"):
                stations[number] = _station(part, tables)
            for number, at_ms, unix_ms in database.execute("SELECT * FROM clock"):
                clocks[number] = (at_ms, unix_ms)
            for table in TABLES.keys() - {"run"}:
                heard = f"SELECT run, max(at_ms) FROM {table} GROUP BY run"
                for number, at_ms in database.execute(heard):
                    lasts_ms[number] = max(at_ms, lasts_ms.get(number, 0))
    if not stations:
        raise _refused(path, "no run is in it")
    newest = list(stations.values())[-1]
    kept = [number for number, station in stations.items() if _alike(station, newest)]
    runs: list[_Run] = []
    started_unix_ms = free_ms = 0
    for number in kept:
        at_ms, unix_ms = clocks[number]
        if not runs:
            started_unix_ms = unix_ms - at_ms
        # A wall clock that went back must not put one run into another.
        starts_ms = max(free_ms, unix_ms - at_ms - started_unix_ms)
        runs.append(_Run(number, starts_ms, lasts_ms[number]))
        free_ms = starts_ms + lasts_ms[number] + 2
    return Recorded(path, newest, tuple(runs), len(stations) - len(kept), started_unix_ms)


def operations_so_far(path: Path) -> dict[Pair, int]:
    """Makes and breaks of every contactor in its life, as far as the journal has seen it."""
    counted: dict[Pair, int] = {}
    for part in parts_of(path):
        with opened(part) as database:
            for gun, module, operations in database.execute(
                "SELECT gun, module, max(operations) FROM wear GROUP BY gun, module"
            ):
                counted[gun, module] = max(operations, counted.get((gun, module), 0))
    return counted


def latest(path: str | Path, count: int) -> list[Happening]:
    """The newest entries for people, newest first."""
    path = Path(path)
    found: set[Happening] = set()
    for part in reversed(parts_of(path)):
        with opened(part) as database:
            found.update(
                Happening(*row)
                for table, kind, text in (
                    ("decision", "'decision'", "why"),
                    ("report", "'report'", "text"),
                    ("incident", "kind", "text"),
                )
                for row in database.execute(
                    f"SELECT at_ms + (SELECT unix_ms - at_ms FROM clock WHERE run = {table}.run"
                    f" ORDER BY rowid DESC), {kind}, {text} FROM {table}"
                    " ORDER BY rowid DESC LIMIT ?",
                    (count,),
                )
            )
        if len(found) >= count:
            break
    return nlargest(count, found)


def parts_of(path: Path) -> list[Path]:
    """The files of this journal, oldest first. `BadInput` if there is none."""
    if not path.is_file():
        reason = "is no file" if path.exists() else "is not there"
        raise BadInput(f"journal {path}: {reason}; allowed is one that run --journal has written")
    return [*older_parts(path).values(), path]


@contextmanager
def opened(part: Path) -> Iterator[sqlite3.Connection]:
    """One of them, to be read only. `BadInput` where that cannot be."""
    try:
        uri = f"file:{quote(str(part.absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as database:
            ((application,),) = database.execute("PRAGMA application_id")
            ((version,),) = database.execute("PRAGMA user_version")
            if application != APPLICATION_ID:
                raise _refused(part, "another program's database")
            if version not in READABLE:
                raise _refused(part, f"version {version} and not {VERSION}")
            yield database
    except sqlite3.Error as error:
        raise _refused(part, str(error)) from None


def _refused(path: Path, what: str) -> BadInput:
    return BadInput(f"journal {path}: {what}; allowed is one that run --journal has written")


def _rows(path: Path, table: str, run: int) -> Iterator[Values]:
    """The rows of one run, each once: a part opens with rows that an older one may hold too."""
    newest_ms: dict[object, int] = {}
    for part in parts_of(path):
        with opened(part) as database:
            for row in database.execute(f"SELECT * FROM {table} WHERE run = ?", (run,)):
                about, at_ms = identity(table, row), row[1]
                if at_ms > newest_ms.get(about, -1):
                    newest_ms[about] = at_ms
                    yield row


def _station(part: Path, tables: str) -> Station:
    try:
        return Station.from_tables(json.loads(tables))
    except ValueError as error:  # BadInput too
        raise _refused(part, f"a station ({error})") from None


def _alike(one: Station, other: Station) -> bool:
    """The same guns, modules, contactors and limit; the policy and the times may differ."""
    return (one.guns, one.modules, one.contactors, one.limit_w) == (
        other.guns,
        other.modules,
        other.contactors,
        other.limit_w,
    )


def _decision(station: Station, run: _Run, row: Values) -> RecordedDecision:
    _, at_ms, why, policy, fallback_from, fallback_reason, method, optimal, operations = row[:9]
    modules, delivered, demand_w, rank_w, faults, reserved = map(json.loads, row[9:15])
    inputs = Inputs(
        Asked(tuple(demand_w), tuple(rank_w), by_rank(rank_w)),
        Faults(**faults),
        {int(module): gun for module, gun in reserved.items()},
        row[15],
        held_w=tuple(json.loads(row[16])) if len(row) > 16 else tuple(demand_w),
        limited=tuple(json.loads(row[17])) if len(row) > 17 else (),
    )
    held = {gun: tuple(row) for gun, row in enumerate(modules, start=1)}
    busy = {module for row in modules for module in row}
    delivered_w = dict(enumerate(delivered, start=1))
    capped_w = dict(enumerate(map(min, demand_w, station.gun_max_w), start=1))
    allocation = Allocation(
        modules=held,
        delivered_w=delivered_w,
        unmet_w={gun: capped_w[gun] - power_w for gun, power_w in delivered_w.items()},
        idle_modules=tuple(m for m in usable(station, inputs.faults) if m not in busy),
        operations=operations,
        policy=policy,
        optimal=None if optimal is None else bool(optimal),
        fallback_from=fallback_from,
        fallback_reason=fallback_reason,
        method=method,
    )
    return RecordedDecision(run.starts_ms + at_ms, why, inputs, allocation)
