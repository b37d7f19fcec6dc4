"""Power, energy and sessions of each gun over days, read from a journal as it grows.

Nobody measures on real wires: a gun's power is what it was offered, as far as modules fed it, so
the energy is the most that it can have drawn.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from pathlib import Path
from sqlite3 import Connection
from typing import NamedTuple
from zoneinfo import ZoneInfo

from verified_alloc.journal.reader import opened, parts_of
from verified_alloc.station.model import Station

KEPT_S = 8 * 86_400
BIN_S = 60
PAUSE_S = 60
"""A gun that asks again within so long goes on with its session."""
CLOCK_MOVED_MS = 1_000
ROWS_AT_ONCE = 2_000
QUERIES = {
    "demand": "SELECT rowid, run, at_ms, gun, demand_w, '[]' FROM demand WHERE rowid > ?",
    "offer": "SELECT rowid, run, at_ms, gun, offer_w, live FROM offer WHERE rowid > ?",
}


class Session(NamedTuple):
    """A gun asked for power from `start_s` on; `end_s` is None while it does."""

    gun: int
    start_s: float
    end_s: float | None
    kwh: float
    most_kw: float


@dataclass
class _Asking:
    start_ms: int
    silent_ms: int | None = None
    """It asks for nothing since then."""
    energy: float = 0.0
    most_w: int = 0


@dataclass
class _Gun:
    counted_ms: int = 0
    """Unix time up to which everything is counted,"""
    power_w: int = 0
    """and what it is given from then on."""
    asking: _Asking | None = None


class _Row(NamedTuple):
    when: tuple[int, int]
    """In which run, by its place, and by its own clock, ms."""
    table: str
    row: int
    gun: int
    value_w: int
    live: str


class Hours:
    """Of one station. `read` takes in what is new in the journal; the rest answers from memory."""

    def __init__(self, path: Path, station: Station) -> None:
        self._path = path
        self._station = station
        self._begin()

    def _begin(self) -> None:
        guns = len(self._station.guns)
        self._nothing = (0.0,) * guns
        self._energy: dict[int, list[float]] = defaultdict(lambda: list(self._nothing))
        """By minute since 1970 and gun, W ms."""
        self._sessions: list[Session] = []
        self._guns = [_Gun() for _ in range(guns)]
        self._runs: dict[int, int] = {}
        """By its number, the place of a run in the order of their starts;"""
        self._start_ms: dict[int, int] = {}
        """by place, its start by the wall clock as that went at last,"""
        self._heard_ms: dict[int, int] = {}
        """and when by its own clock it was heard of last."""
        self._read: dict[tuple[int, str], int] = {}
        """The newest row that was counted, by file and table,"""
        self._newest: dict[tuple[str, int], tuple[int, int]] = {}
        """and when that was, by table and gun: a part opens with rows of the one before."""
        self._at = 0
        """The run that is being counted."""

    def read(self, live_since_s: float, now_s: float, within_s: float = 2.0) -> bool:
        """Take in what is new, for so long; whether that was all. A run since `live_since_s` goes
        on until now. `BadInput` if there is no journal."""
        end_s = time.monotonic() + within_s
        parts = [part for part in parts_of(self._path) if part.stat().st_mtime > now_s - KEPT_S]
        if self._clocks_moved(parts):
            self._begin()
            self._clocks_moved(parts)
        for part in parts:
            with opened(part) as database:
                for count, row in enumerate(self._news(database, part.stat().st_ino)):
                    self._count(row)
                    self._read[part.stat().st_ino, row.table] = row.row
                    if count % ROWS_AT_ONCE == ROWS_AT_ONCE - 1 and time.monotonic() > end_s:
                        return False
        if self._start_ms.get(self._at, 0) >= (live_since_s - BIN_S) * 1000:
            self._all_until(round(now_s * 1000))
        oldest_s = now_s - KEPT_S
        for minute in [minute for minute in self._energy if minute * BIN_S < oldest_s]:
            del self._energy[minute]
        self._sessions = [one for one in self._sessions if one.start_s >= oldest_s]
        return True

    def power_kw(self, to_s: float, steps: int, step_s: int) -> list[list[float]]:
        """By step and gun, the mean power; the last step holds `to_s`."""
        per_step = step_s // BIN_S
        first = (int(to_s // step_s) + 1 - steps) * per_step
        rows = []
        for start in range(first, first + steps * per_step, per_step):
            minutes = (self._energy.get(start + at, self._nothing) for at in range(per_step))
            sums = map(sum, zip(*minutes, strict=True))
            rows.append([round(energy / (step_s * 1e6), 2) for energy in sums])
        return rows

    def kwh_by_day(self, zone: ZoneInfo) -> dict[str, list[float]]:
        """By day of that zone and gun, oldest first; days without any are left out."""
        days: dict[str, list[float]] = defaultdict(lambda: list(self._nothing))
        for minute, energies in sorted(self._energy.items()):
            day = days[datetime.fromtimestamp(minute * BIN_S, zone).date().isoformat()]
            for place, energy in enumerate(energies):
                day[place] += _kwh(energy)
        return {day: [round(kwh, 2) for kwh in row] for day, row in days.items()}

    def sessions(self) -> list[Session]:
        """Newest first, those under way too."""
        under_way = [
            _session(gun, one.asking, one.asking.silent_ms)
            for gun, one in enumerate(self._guns, start=1)
            if one.asking is not None
        ]
        return sorted([*self._sessions, *under_way], key=lambda one: -one.start_s)

    def _clocks_moved(self, parts: list[Path]) -> bool:
        """See the runs and their clocks; whether a clock that was counted by has been set since."""
        start_ms: dict[int, int] = {}
        for part in parts:
            with opened(part) as database:
                for (run,) in database.execute("SELECT run FROM run ORDER BY rowid"):
                    self._runs.setdefault(run, len(self._runs))
                for run, at_ms, unix_ms in database.execute("SELECT * FROM clock ORDER BY rowid"):
                    start_ms[self._runs[run]] = unix_ms - at_ms
                    self._hear(self._runs[run], at_ms)
        before, self._start_ms = self._start_ms, {**self._start_ms, **start_ms}
        return any(
            abs(start_ms.get(run, was_ms) - was_ms) > CLOCK_MOVED_MS
            for run, was_ms in before.items()
        )

    def _news(self, database: Connection, file: int) -> Iterator[_Row]:
        """In order of time."""

        def rows(table: str) -> Iterator[_Row]:
            since = self._read.get((file, table), 0)
            for row, run, at_ms, gun, value_w, live in database.execute(QUERIES[table], (since,)):
                if self._runs.get(run) in self._start_ms:
                    yield _Row((self._runs[run], at_ms), table, row, gun, value_w, live)

        return merge(*map(rows, QUERIES))

    def _count(self, row: _Row) -> None:
        run, at_ms = row.when
        about = row.table, row.gun
        if row.when <= self._newest.get(about, (-1, 0)) or row.gun > len(self._guns):
            return
        self._newest[about] = row.when
        if run != self._at:
            self._all_until(self._start_ms[self._at] + self._heard_ms[self._at])
            self._end_run()
            self._at = run
        self._hear(run, at_ms)
        gun, now_ms = self._guns[row.gun - 1], self._start_ms[run] + at_ms
        self._until(row.gun, now_ms)
        if row.table == "offer":
            power_w = self._station.module_power_w
            fed_w = sum(power_w[m - 1] for m in json.loads(row.live) if m <= len(power_w))
            gun.power_w = min(row.value_w, fed_w)
        elif row.value_w > 0:
            gun.asking = gun.asking or _Asking(now_ms)
            gun.asking.silent_ms = None
        elif gun.asking is not None:
            gun.asking.silent_ms = now_ms

    def _hear(self, run: int, at_ms: int) -> None:
        self._heard_ms[run] = max(at_ms, self._heard_ms.get(run, 0))

    def _all_until(self, now_ms: int) -> None:
        for gun in range(1, len(self._guns) + 1):
            self._until(gun, now_ms)

    def _until(self, number: int, now_ms: int) -> None:
        """Count what the gun was given up to then."""
        gun = self._guns[number - 1]
        if gun.power_w > 0:
            at_ms = gun.counted_ms
            while at_ms < now_ms:
                minute = at_ms // (BIN_S * 1000)
                next_ms = min(now_ms, (minute + 1) * BIN_S * 1000)
                self._energy[minute][number - 1] += gun.power_w * (next_ms - at_ms)
                at_ms = next_ms
            if gun.asking is not None:
                gun.asking.energy += gun.power_w * max(0, now_ms - gun.counted_ms)
                gun.asking.most_w = max(gun.asking.most_w, gun.power_w)
        gun.counted_ms = max(now_ms, gun.counted_ms)
        silent_ms = gun.asking.silent_ms if gun.asking is not None else None
        if silent_ms is not None and now_ms - silent_ms > PAUSE_S * 1000:
            self._end_session(number, silent_ms)

    def _end_session(self, number: int, end_ms: int) -> None:
        gun = self._guns[number - 1]
        if gun.asking is not None:
            self._sessions.append(_session(number, gun.asking, end_ms))
            gun.asking = None

    def _end_run(self) -> None:
        for number, gun in enumerate(self._guns, start=1):
            self._end_session(number, gun.counted_ms)
            gun.power_w = gun.counted_ms = 0


def _session(gun: int, asking: _Asking, end_ms: int | None) -> Session:
    end_s = None if end_ms is None else end_ms / 1000
    kwh = round(_kwh(asking.energy), 2)
    return Session(gun, asking.start_ms / 1000, end_s, kwh, asking.most_w / 1000)


def _kwh(energy: float) -> float:
    """Of W ms."""
    return energy / 3.6e9
