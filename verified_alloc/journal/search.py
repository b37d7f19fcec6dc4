"""Looks for entries of a journal: by time, words and weight, newest first, within bounds."""

import re
import sqlite3
import time
from heapq import nlargest
from pathlib import Path
from typing import NamedTuple

from verified_alloc.control.alarms import ALARMS
from verified_alloc.control.fault_kinds import KINDS, PUT_BACK
from verified_alloc.journal.reader import opened, parts_of

SEVERITIES = ("info", "warning", "critical")
STEPS_BETWEEN_LOOKS = 20_000

_FAULT = (
    "CASE stands WHEN 1 THEN '' ELSE 'no longer: ' END || CASE kind WHEN 'failed' THEN"
    " 'PM' || module || ' is out' WHEN 'out' THEN 'gun ' || gun || ' is out' WHEN 'locked' THEN"
    " 'gun ' || gun || ' is locked' WHEN 'welded' THEN 'contactor ' || gun || ':' || module ||"
    " ' is welded' ELSE 'contactor ' || gun || ':' || module || ' has ' || kind END"
)
_LATCHED = [
    (re.sub(r"\{\w+\}", "%", kind.sentence), kind.severity == "critical")
    for kind in KINDS.values()
    if kind.name != PUT_BACK
]
CRITICAL = ("stop", *(sentence for sentence, critical in _LATCHED if critical))
WARNING = (
    *(sentence for sentence, critical in _LATCHED if not critical),
    *(alarm.sentence for alarm in ALARMS),
    "WARNING:",
    "are out of order",
    "nobody knows which contactors",
    "reports on at start",
    "the I2C bus is disturbed",
    "had no answer",
    "limits: nobody has told any",
    "is not known",
    "cannot be read",
    "in memory only",
    "waits like other programs",
)
"""Words by which a report is known as that, as LIKE has them: each latched fault's, and others."""


def _any(words: tuple[str, ...]) -> str:
    return " OR ".join(f"text LIKE '%{each}%'" for each in words)


ENTRIES = (
    ("decision", "'decision'", "0", "why"),
    (
        "report",
        "'report'",
        f"CASE WHEN {_any(CRITICAL)} THEN 2 WHEN {_any(WARNING)} THEN 1 ELSE 0 END",
        "text",
    ),
    ("fault", "'fault'", "stands", _FAULT),
    ("incident", "kind", "CASE kind WHEN 'violation' THEN 2 ELSE 1 END", "text"),
)
"""Table, kind, severity as a place in `SEVERITIES`, and text of what is for people."""


class Event(NamedTuple):
    """Something that happened."""

    at_s: float
    kind: str
    """decision, report, fault, exposure or violation."""
    severity: str
    text: str


def search(
    path: Path,
    *,
    from_s: float,
    to_s: float,
    words: str = "",
    severity: str = "info",
    most: int = 500,
    within_s: float = 2.0,
) -> tuple[list[Event], bool]:
    """The newest so many events of that severity or a greater one whose text has these words; and
    whether all that is older was looked at too. `BadInput` if there is no journal."""
    end_s = time.monotonic() + within_s
    least = SEVERITIES.index(severity)
    found: set[tuple[int, str, int, str]] = set()
    for part in reversed(parts_of(path)):
        with opened(part) as database:
            database.set_progress_handler(lambda: time.monotonic() > end_s, STEPS_BETWEEN_LOOKS)
            for table, kind, weight, text in ENTRIES:
                query = (
                    "SELECT at_ms + (SELECT unix_ms - at_ms FROM clock WHERE"
                    f" run = {table}.run ORDER BY rowid DESC LIMIT 1) AS at_unix_ms, {kind},"
                    f" {weight} AS weight, {text} AS words FROM {table}"
                    " WHERE at_unix_ms BETWEEN ? AND ? AND weight >= ?"
                    " AND instr(lower(words), ?) > 0 ORDER BY rowid DESC LIMIT ?"
                )
                values = (from_s * 1000, to_s * 1000, least, words.lower(), most + 1)
                try:
                    found.update(database.execute(query, values))
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                        raise
        if time.monotonic() > end_s:
            return _newest(found, most), False
        if len(found) > most:
            break
    return _newest(found, most), len(found) <= most


def _newest(found: set[tuple[int, str, int, str]], most: int) -> list[Event]:
    return [
        Event(at_ms / 1000, kind, SEVERITIES[weight], text)
        for at_ms, kind, weight, text in nlargest(most, found)
    ]
