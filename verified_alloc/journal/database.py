"""The journal's file: an SQLite database in parts of bounded size, written behind a queue by a
thread of its own, so that no disk ever stops or delays the station."""

import re
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from verified_alloc.errors import BadInput

APPLICATION_ID = 0x56414A4C
"""In the header of the SQLite file: it is a journal ("VAJL")."""
VERSION = 4
"""Of the tables, as `PRAGMA user_version`."""
READABLE = (2, 3, VERSION)
"""What is read, too: a decision of version 2 says nothing of what was held, one of 3 nothing of
guns with a limit of their own."""

TABLES = {
    "run": "run INTEGER, version TEXT, simulated INTEGER, station TEXT",
    "clock": "run INTEGER, at_ms INTEGER, unix_ms INTEGER",
    "demand": "run INTEGER, at_ms INTEGER, gun INTEGER, demand_w INTEGER, stale INTEGER",
    "decision": "run INTEGER, at_ms INTEGER, why TEXT, policy TEXT, fallback_from TEXT,"
    " fallback_reason TEXT, method TEXT, optimal INTEGER, operations INTEGER, modules TEXT,"
    " delivered_w TEXT, demand_w TEXT, rank_w TEXT, faults TEXT, reserved TEXT,"
    " site_limit_w INTEGER, held_w TEXT, limited TEXT",
    "offer": "run INTEGER, at_ms INTEGER, gun INTEGER, offer_w INTEGER, live TEXT",
    "operation": "run INTEGER, at_ms INTEGER, gun INTEGER, module INTEGER, closed INTEGER",
    "wear": "run INTEGER, at_ms INTEGER, gun INTEGER, module INTEGER, operations INTEGER",
    "fault": "run INTEGER, at_ms INTEGER, kind TEXT, gun INTEGER, module INTEGER, stands INTEGER",
    "report": "run INTEGER, at_ms INTEGER, text TEXT",
    "incident": "run INTEGER, at_ms INTEGER, kind TEXT, rule TEXT, gun INTEGER, module INTEGER,"
    " current_a REAL, duration_ms REAL, cause TEXT, text TEXT",
}
"""What is recorded. A run goes by a random number; `at_ms` counts from its start by its own clock,
and `clock` says what the wall clock showed then, in ms since 1970. Lists are JSON, gun 1 first."""

IDENTITY = {
    "run": (0,),
    "clock": (0,),
    "demand": (0, 2),
    "decision": (0,),
    "offer": (0, 2),
    "operation": (0, 2, 3),
    "wear": (0, 2, 3),
    "fault": (0, 2, 3, 4),
}
"""Tables whose newest row, of those equal in these columns, holds until the next one. A new part
opens with them."""

Row = tuple[str, tuple[object, ...]]
"""A table and the values of one row."""

PART_BYTES = 64 * 2**20
OLDER_PARTS = 7
QUEUED = 5_000
GATHER_S = 0.2
"""What comes within so long is one transaction: every one of them wears the disk."""
RETRY_S = 10.0
FAREWELL_S = 5.0
MAGIC = b"SQLite format 3\0"
FOREIGN = "it is another program's database"
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class JournalFile:
    """Rows on their way to the disk. `problems` says what happened to the file since it was last
    asked.

    A full queue drops entries and counts them; if `patient` it is waited for, as long as the disk
    works: simulated time can wait. What cannot be written is kept and tried again.
    """

    def __init__(
        self,
        path: Path,
        *,
        patient: bool,
        part_bytes: int = PART_BYTES,
        older_parts: int = OLDER_PARTS,
        queued: int = QUEUED,
        retry_s: float = RETRY_S,
    ) -> None:
        self._path = path
        self._patient = patient
        self._part_bytes = part_bytes
        self._older_parts = older_parts
        self._queued = queued
        self._retry_s = retry_s
        self._entries: deque[Sequence[Row]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._failing = False
        self._dropped = 0
        self._problems: deque[str] = deque()
        self._standing: dict[object, Row] = {}
        self._database: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def put(self, rows: Sequence[Row]) -> None:
        """These rows, which belong together: all of them will be written, or none."""
        with self._changed:
            while self._patient and self._is_working() and len(self._entries) >= self._queued:
                self._changed.wait(GATHER_S)
            if len(self._entries) >= self._queued:
                self._dropped += 1
            else:
                self._entries.append(rows)
                self._changed.notify_all()

    def problems(self) -> list[str]:
        """One sentence each."""
        sentences = []
        while self._problems:
            sentences.append(self._problems.popleft())
        return sentences

    def close(self) -> None:
        """Write what is queued. Who is not patient waits for it `FAREWELL_S` at most."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(None if self._patient else FAREWELL_S)
        if lost := self._dropped + len(self._entries):
            self._tell(f"{_entries(lost)} not written")

    def _is_working(self) -> bool:
        return self._thread.is_alive() and not self._failing

    # The thread ---------------------------------------------------------------------------

    def _write(self) -> None:
        while batch := self._next_batch():
            while not self._written(batch):
                with self._changed:
                    self._failing = True
                    self._changed.notify_all()
                    if self._changed.wait_for(lambda: self._closing, self._retry_s):
                        self._entries.extendleft(reversed(batch))
                        return
            with self._changed:
                recovered, self._failing = self._failing, False
                lost, self._dropped = self._dropped, 0
            if recovered:
                self._tell("is written again")
            if lost:
                self._tell(f"{_entries(lost)} lost, the disk was too slow or did not work")
        self._close_database()

    def _next_batch(self) -> list[Sequence[Row]]:
        """All that is there, a moment after the first of it came; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._closing)
            self._changed.wait_for(
                lambda: self._closing or len(self._entries) >= self._queued, GATHER_S
            )
            batch = list(self._entries)
            self._entries.clear()
            self._changed.notify_all()
        return batch

    def _written(self, batch: Iterable[Sequence[Row]]) -> bool:
        rows = [row for entry in batch for row in entry]
        try:
            try:
                self._insert(rows)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._set_aside(f"was damaged ({error})")
                self._insert(rows)
        except (sqlite3.Error, OSError) as error:
            self._close_database()
            if not self._failing:
                reason = getattr(error, "strerror", None) or error
                self._tell(f"cannot be written ({reason}); the station goes on")
            return False
        except Exception as error:  # a value that is no good must not be the end of the journal
            self._tell(f"{_entries(len(rows))} lost ({error})")
            return True
        self._standing.update((key, row) for row in rows if (key := identity(*row)))
        return True

    def _insert(self, rows: Iterable[Row]) -> None:
        """In one transaction."""
        database = self._opened()
        with database:
            database.execute("BEGIN")
            _insert(database, rows)

    def _opened(self) -> sqlite3.Connection:
        """The file, whole, of this version, with room in it; with what stands, if it is new."""
        if self._database is not None and not self._path.exists():  # somebody took it away
            self._close_database()
        if self._database is not None and _size(self._database) >= self._part_bytes:
            self._rotate(self._database)
        if self._database is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._path, isolation_level=None)
            if (version := _judged(self._database)) not in (0, VERSION):
                self._set_aside(f"is of version {version}, not {VERSION}")
                self._database = sqlite3.connect(self._path, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            if version != VERSION:
                with self._database:
                    _create(self._database)
                    _insert(self._database, self._standing.values())
        return self._database

    def _rotate(self, database: sqlite3.Connection) -> None:
        """Close this part and give it the next number; later, if a reader still needs its log: a
        log must never lie beside another file."""
        busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            return
        self._close_database()
        for log in _logs(self._path):
            log.unlink(missing_ok=True)
        older = older_parts(self._path)
        self._path.rename(part(self._path, max(older, default=0) + 1))
        for oldest in list(older.values())[: len(older) + 1 - self._older_parts]:
            oldest.unlink()

    def _set_aside(self, why: str) -> None:
        """Out of the way, with its log, for who wants to recover it; the last one is kept."""
        self._close_database()
        aside = part(self._path, "aside")
        for old, new in zip((self._path, *_logs(self._path)), (aside, *_logs(aside)), strict=True):
            new.unlink(missing_ok=True)
            if old.exists():
                old.rename(new)
        self._tell(f"{why}; it is kept as {aside.name} and a new one is begun")

    def _close_database(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _tell(self, sentence: str) -> None:
        self._problems.append(f"journal {self._path}: {sentence}")


def check_journal(path: Path) -> None:
    """Refuse, as `BadInput`, what is not ours to write: a folder, another program's database.
    Whatever else is wrong with a journal must not keep a station from starting."""
    allowed = "allowed is a journal, or a file that is not there yet"
    if path.is_dir():
        raise BadInput(f"journal {path}: it is a folder; {allowed}")
    if is_database(path):
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as database:
            if _is_foreign(database):
                raise BadInput(f"journal {path}: {FOREIGN}; {allowed}")


def is_database(path: Path) -> bool:
    """An SQLite database, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def identity(table: str, values: Sequence[object]) -> tuple[object, ...] | None:
    """What this row is about, where it holds until the next one about the same."""
    columns = IDENTITY.get(table)
    return None if columns is None else (table, *(values[column] for column in columns))


def part(path: Path, name: object) -> Path:
    """`journal.db` -> `journal.NAME.db`."""
    return path.with_name(f"{path.stem}.{name}{path.suffix}")


def older_parts(path: Path) -> dict[int, Path]:
    """The closed parts of this journal by number, oldest first."""
    name = re.compile(rf"{re.escape(path.stem)}\.([0-9]+){re.escape(path.suffix)}")
    numbered = {
        int(found[1]): file
        for file in path.parent.iterdir()
        if (found := name.fullmatch(file.name))
    }
    return dict(sorted(numbered.items()))


def _logs(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _judged(database: sqlite3.Connection) -> int:
    """The version of this journal; 0 if there is nothing in it. An error if it is damaged, or no
    journal."""
    ((found,),) = database.execute("PRAGMA quick_check(1)")
    if found != "ok":
        raise _Damaged(found)
    if _is_foreign(database):
        raise sqlite3.OperationalError(FOREIGN)
    ((version,),) = database.execute("PRAGMA user_version")
    return int(version)


def _is_foreign(database: sqlite3.Connection) -> bool:
    ((tables,),) = database.execute("SELECT count(*) FROM sqlite_schema")
    ((application,),) = database.execute("PRAGMA application_id")
    return bool(tables) and application != APPLICATION_ID


class _Damaged(sqlite3.DatabaseError):
    """Found by looking for it."""


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, _Damaged) or (getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGE)


def _create(database: sqlite3.Connection) -> None:
    database.execute("BEGIN")
    for table, columns in TABLES.items():
        database.execute(f"CREATE TABLE {table} ({columns}) STRICT")
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {VERSION}")


def _insert(database: sqlite3.Connection, rows: Iterable[Row]) -> None:
    for table, values in rows:
        places = ", ".join("?" * len(values))
        database.execute(f"INSERT INTO {table} VALUES ({places})", values)


def _size(database: sqlite3.Connection) -> int:
    ((pages,),) = database.execute("PRAGMA page_count")
    ((page_bytes,),) = database.execute("PRAGMA page_size")
    return int(pages * page_bytes)


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"
