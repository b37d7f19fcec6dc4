"""Demand traces: who asked for how much, when. CSV with the columns time_s, gun, demand_kw."""

from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

from verified_alloc.errors import BadInput
from verified_alloc.workload.csv_rows import (
    CsvFile,
    Skipped,
    ceiling_of_thousandths,
    csv_file,
    cut,
    gun_number,
    number,
    rows,
)

COLUMNS = ("time_s", "gun", "demand_kw")
HEADER = ",".join(COLUMNS)
HOUR_MS = 3_600_000


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
        raise BadInput(f"sample {cut(name)}: no such sample; allowed: {_one_of_samples()}")
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
    changes = tuple(_changes(_file(source), guns, Skipped(False)))
    return DemandTrace(changes)


class TraceFile:
    """A demand trace that stays in its file and is read anew whenever it is played: for traces of
    any length. Read and judged whole when it is made, as by `read_trace`; with `skip_bad` bad rows
    are left out and counted in `skipped`."""

    def __init__(self, source: str | Path, guns: Collection[int], skip_bad: bool = False) -> None:
        self._file = _file(source)
        self._guns = guns
        self._skip_bad = skip_bad
        self.skipped = Skipped(skip_bad)
        for change in _changes(self._file, guns, self.skipped):
            self.last_ms = change.time_ms

    @property
    def changes(self) -> Iterator[DemandChange]:
        """All changes in order of time, from the first on."""
        return _changes(self._file, self._guns, Skipped(self._skip_bad))


def _file(source: str | Path) -> CsvFile:
    if isinstance(source, str) and source in sample_names():
        return CsvFile(source, "a demand trace", lambda: cast(BinaryIO, sample(source).open("rb")))
    allowed = f"a demand trace is a readable CSV file or {_one_of_samples()}"
    return csv_file(source, "a demand trace", allowed)


def write_trace(trace: DemandTrace, out: TextIO) -> None:
    """Write a trace as CSV that `read_trace` reads back as the same trace."""
    out.write(HEADER + "\n")
    for time_ms, gun, demand_w in trace.changes:
        out.write(f"{_thousandths(time_ms)},{gun},{_thousandths(demand_w)}\n")


def _samples() -> Traversable:
    return resources.files("verified_alloc.workload") / "samples"


def _one_of_samples() -> str:
    return f"one of the samples {', '.join(sample_names())}"


def _thousandths(amount: int) -> str:
    return f"{amount // 1000}.{amount % 1000:03d}".rstrip("0").rstrip(".")


def _changes(file: CsvFile, guns: Collection[int], skipped: Skipped) -> Iterator[DemandChange]:
    records = rows(file, HEADER)
    line, header = next(records, (0, None))
    if header is None:
        raise BadInput(f"{file.name}: the file is empty; allowed: the header {HEADER}, then rows")
    if header != list(COLUMNS):
        raise BadInput(
            f"{file.name}, line {line}: the header is {cut(','.join(header))}; allowed: {HEADER}"
        )
    judge = _Judge(file.name, guns)
    change = None
    for line, fields in records:
        try:
            change = judge.accepted(line, fields)
        except BadInput as error:
            skipped.note(error)
        else:
            yield change
    if change is None:
        raise BadInput(
            f"{file.name}: no row after the header; allowed: at least one row of {HEADER}"
        )


class _Judge:
    """Judges each row by itself and against those accepted before it."""

    def __init__(self, name: str, guns: Collection[int]) -> None:
        self._name = name
        self._guns = frozenset(guns)
        self._time_s = Decimal(0)
        self._time_text = "0"
        self._last_ms: dict[int, int] = {}

    def accepted(self, line: int, fields: list[str]) -> DemandChange:
        place = f"{self._name}, line {line}"
        if len(fields) < len(COLUMNS):
            raise BadInput(
                f"{place}, {COLUMNS[len(fields)]}: missing after {cut(fields[-1])}; "
                f"allowed: the columns {HEADER}"
            )
        if len(fields) > len(COLUMNS):
            raise BadInput(
                f"{place}, column {len(COLUMNS) + 1}: {cut(fields[len(COLUMNS)])} is one "
                f"too many; allowed: the columns {HEADER}"
            )
        time_text, gun_text, demand_text = fields
        time_s = number(time_text, f"{place}, time_s", "in seconds")
        if time_s < self._time_s:
            raise BadInput(
                f"{place}, time_s: {cut(time_text)} goes back; allowed: {self._time_text} or later"
            )
        gun = gun_number(gun_text, f"{place}, gun", self._guns)
        time_ms = ceiling_of_thousandths(time_s)
        if self._last_ms.get(gun) == time_ms:
            raise BadInput(
                f"{place}, gun: {cut(gun_text)} comes twice at {cut(time_text)} s; "
                f"allowed: one row of a gun in a millisecond"
            )
        demand_kw = number(demand_text, f"{place}, demand_kw", "in kW")
        self._time_s, self._time_text = time_s, time_text
        self._last_ms[gun] = time_ms
        return DemandChange(time_ms, gun, ceiling_of_thousandths(demand_kw))
