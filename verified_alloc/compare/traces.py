"""Demand traces: who asked for how much, when. CSV with the columns time_s, gun, demand_kw."""

import csv
import io
import math
import re
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TextIO

from verified_alloc.errors import BadInput

COLUMNS = ("time_s", "gun", "demand_kw")
HEADER = ",".join(COLUMNS)
HOUR_MS = 3_600_000

# Python's own parsers also take underscores, "nan", "inf", digits of other scripts and exponents
# that no memory holds; a trace has none of them.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_GUN = re.compile(r"[0-9]{1,9}")


class DemandChange(NamedTuple):
    """From `time_ms` on, `gun` asks for `demand_w`."""

    time_ms: int
    gun: int
    demand_w: int


@dataclass(frozen=True)
class DemandTrace:
    """Demand changes in order of time; of one gun at most one in a millisecond."""

    changes: tuple[DemandChange, ...]

    @property
    def last_ms(self) -> int:
        """Time of the last change, where a replay ends; 0 for a trace without changes."""
        return self.changes[-1].time_ms if self.changes else 0

    def excerpt(self, start_ms: int, end_ms: int) -> "DemandTrace":
        """What happens from `start_ms` until `end_ms`, with times counted from `start_ms`.

        It opens with the demands standing at `start_ms` and ends with every gun of the trace
        asking for nothing.
        """
        if start_ms >= end_ms:
            raise BadInput(f"excerpt: end {end_ms} ms must be after its start {start_ms} ms")
        standing_w = {c.gun: c.demand_w for c in self.changes if c.time_ms <= start_ms}
        opening = [DemandChange(0, gun, w) for gun, w in sorted(standing_w.items()) if w > 0]
        during = [
            change._replace(time_ms=change.time_ms - start_ms)
            for change in self.changes
            if start_ms < change.time_ms < end_ms
        ]
        guns = sorted({change.gun for change in self.changes})
        closing = [DemandChange(end_ms - start_ms, gun, 0) for gun in guns]
        return DemandTrace((*opening, *during, *closing))

    def busiest_ms(self, window_ms: int = HOUR_MS) -> int:
        """When to look in: the plug-in after which the most energy is asked for in `window_ms`.

        A plug-in is a gun's demand rising from 0; the earliest of equals, 0 where there is none.
        """
        demand_w: dict[int, int] = {}
        plug_ins_ms: list[int] = []
        times_ms: list[int] = []
        totals_w: list[int] = []
        for change in self.changes:
            if change.demand_w > 0 and demand_w.get(change.gun, 0) == 0:
                plug_ins_ms.append(change.time_ms)
            demand_w[change.gun] = change.demand_w
            times_ms.append(change.time_ms)
            totals_w.append(sum(demand_w.values()))
        asked_mj = [0]  # millijoules (W x ms) asked for until each change
        for total_w, (before_ms, after_ms) in zip(totals_w, pairwise(times_ms), strict=False):
            asked_mj.append(asked_mj[-1] + total_w * (after_ms - before_ms))

        def asked_until(time_ms: int) -> int:
            time_ms = min(time_ms, self.last_ms)
            last = bisect_right(times_ms, time_ms) - 1
            return asked_mj[last] + totals_w[last] * (time_ms - times_ms[last])

        return max(
            plug_ins_ms,
            key=lambda start_ms: asked_until(start_ms + window_ms) - asked_until(start_ms),
            default=0,
        )


def sample_names() -> tuple[str, ...]:
    """The traces that come with the package, by the names that `read_trace` knows them by."""
    names = (entry.name for entry in _samples().iterdir())
    return tuple(sorted(name.removesuffix(".csv") for name in names if name.endswith(".csv")))


def sample(name: str) -> Traversable:
    """The packaged trace of this name; BadInput lists the names there are."""
    if name not in sample_names():
        raise BadInput(f"sample {_shown(name)}: no such sample; allowed: {_one_of_samples()}")
    return _samples() / f"{name}.csv"


def read_trace(source: str | Path, guns: Collection[int]) -> DemandTrace:
    """The demand trace in a file, or the packaged one of that name.

    A packaged name goes before a file called the same in the working directory (write `./day` for
    the file). Columns `time_s,gun,demand_kw`; time in seconds, finite, >= 0, never falling; gun one
    of `guns`, at most once in a millisecond; demand in kW, finite, >= 0. Times go up to the next
    millisecond and demands to the next watt, both exactly.

    The whole file is read and judged before anything is returned. BadInput names the file, the
    line, the column, the value and what is allowed.
    """
    if isinstance(source, str) and source in sample_names():
        return _parse(sample(source).read_bytes(), source, guns)
    name = str(source) if str(source).isprintable() else repr(str(source))
    allowed = f"a demand trace is a readable CSV file or {_one_of_samples()}"
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise BadInput(f"{name or repr(name)}: {reason}; {allowed}") from error
    except ValueError as error:  # a NUL in the path
        raise BadInput(f"{name}: not a path; {allowed}") from error
    return _parse(data, name, guns)


def write_trace(trace: DemandTrace, out: TextIO) -> None:
    """Write a trace as CSV that `read_trace` reads back as the same trace."""
    out.write(HEADER + "\n")
    for time_ms, gun, demand_w in trace.changes:
        out.write(f"{_thousandths(time_ms)},{gun},{_thousandths(demand_w)}\n")


def _samples() -> Traversable:
    return resources.files("verified_alloc.compare") / "samples"


def _one_of_samples() -> str:
    return f"one of the samples {', '.join(sample_names())}"


def _thousandths(amount: int) -> str:
    return f"{amount // 1000}.{amount % 1000:03d}".rstrip("0").rstrip(".")


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")


def _parse(data: bytes, name: str, guns: Collection[int]) -> DemandTrace:
    try:
        text = data.decode("utf-8-sig")  # spreadsheets put a byte order mark in front
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{name}, line {line}: byte {data[error.start]:#04x} is not UTF-8; "
            f"a demand trace is UTF-8 text"
        ) from error
    records = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    rows = _Rows(name, guns)
    line = 1
    try:
        for record in records:
            fields = [field.strip() for field in record]
            if header is not None and fields:  # an empty line says nothing
                rows.add(line, fields)
            elif fields:
                header = fields
                if header != list(COLUMNS):
                    raise BadInput(
                        f"{name}, line {line}: the header is {_shown(','.join(header))}; "
                        f"allowed: {HEADER}"
                    )
            line = records.line_num + 1  # where the next record begins
    except csv.Error as error:
        raise BadInput(
            f"{name}, line {line}: not CSV ({error}); allowed: rows of {HEADER}"
        ) from error
    if header is None:
        raise BadInput(f"{name}: the file is empty; allowed: the header {HEADER}, then rows")
    if not rows.changes:
        raise BadInput(f"{name}: no row after the header; allowed: at least one row of {HEADER}")
    return DemandTrace(tuple(rows.changes))


class _Rows:
    """The rows accepted so far; each is judged by itself and against those before it."""

    def __init__(self, name: str, guns: Collection[int]) -> None:
        self.changes: list[DemandChange] = []
        self._name = name
        self._guns = frozenset(guns)
        self._time_s = Decimal(0)
        self._time_text = "0"
        self._last_ms: dict[int, int] = {}

    def add(self, line: int, fields: list[str]) -> None:
        place = f"{self._name}, line {line}"
        if len(fields) < len(COLUMNS):
            raise BadInput(
                f"{place}, {COLUMNS[len(fields)]}: missing after {_shown(fields[-1])}; "
                f"allowed: the columns {HEADER}"
            )
        if len(fields) > len(COLUMNS):
            raise BadInput(
                f"{place}, column {len(COLUMNS) + 1}: {_shown(fields[len(COLUMNS)])} is one "
                f"too many; allowed: the columns {HEADER}"
            )
        time_text, gun_text, demand_text = fields
        time_s = _number(time_text, f"{place}, time_s", "in seconds")
        if time_s < self._time_s:
            raise BadInput(
                f"{place}, time_s: {_shown(time_text)} goes back; "
                f"allowed: {self._time_text} or later"
            )
        gun = int(gun_text) if _GUN.fullmatch(gun_text) else None
        if gun not in self._guns:
            known = ", ".join(str(known) for known in sorted(self._guns))
            raise BadInput(f"{place}, gun: {_shown(gun_text)} is no gun here; allowed: {known}")
        time_ms = _ceiling_of_thousandths(time_s)
        if self._last_ms.get(gun) == time_ms:
            raise BadInput(
                f"{place}, gun: {_shown(gun_text)} comes twice at {_shown(time_text)} s; "
                f"allowed: one row of a gun in a millisecond"
            )
        demand_kw = _number(demand_text, f"{place}, demand_kw", "in kW")
        self._time_s, self._time_text = time_s, time_text
        self._last_ms[gun] = time_ms
        self.changes.append(DemandChange(time_ms, gun, _ceiling_of_thousandths(demand_kw)))


def _number(text: str, place: str, unit: str) -> Decimal:
    if not _NUMBER.fullmatch(text) or math.isinf(float(text)) or Decimal(text) < 0:
        raise BadInput(f"{place}: {_shown(text)}; allowed: a finite number >= 0, {unit}")
    return Decimal(text)


def _ceiling_of_thousandths(value: Decimal) -> int:
    # The default context would round to 28 digits before the ceiling is taken.
    exact = Context(prec=len(value.as_tuple().digits) + 4, Emin=MIN_EMIN, Emax=MAX_EMAX)
    return math.ceil(exact.multiply(value, Decimal(1000)))
