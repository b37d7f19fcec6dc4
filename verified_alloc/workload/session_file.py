"""Sessions from a CSV file, and into one."""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TextIO

from verified_alloc.errors import BadInput
from verified_alloc.workload.cars import CarType, typical_curve
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
from verified_alloc.workload.sessions import MJ_PER_KWH, Battery, Session

NEEDED = ("arrival", "departure", "energy_kwh", "max_power_kw")
OPTIONAL = ("gun", "soc_arrival", "capacity_kwh", "car")
COLUMNS = f"{','.join(NEEDED)}, and if you like {','.join(OPTIONAL)}"
TIME = "a local time as 2022-04-12 19:27:00"
LONGEST_MS = 7 * 24 * 3600 * 1000


class SessionRow(NamedTuple):
    """One row as it is written; times in ms as `Session` has them, numbers as text or None."""

    arrival_ms: int
    departure_ms: int
    energy_kwh: Decimal
    max_power_kw: Decimal
    soc_arrival: Decimal | None = None
    capacity_kwh: Decimal | None = None
    car: str = ""


class SessionFile:
    """The sessions of a file, read anew at every iteration: files may be of any length.

    Columns `arrival,departure,energy_kwh,max_power_kw`, in any order, and `gun`, `soc_arrival` (%),
    `capacity_kwh`, `car` where wanted; rows by arrival. The battery is known where a row tells
    `soc_arrival` and `capacity_kwh` or a `car` among `cars`; its curve is that of the car, or a
    typical one under `max_power_kw`. The whole file is read and judged when this is made;
    `BadInput` names the file, the line, the column, the value and what is allowed. With `skip_bad`
    bad rows are left out and counted in `skipped`.
    """

    def __init__(
        self,
        path: str | Path,
        guns: Collection[int],
        cars: Mapping[str, CarType],
        skip_bad: bool = False,
    ) -> None:
        self._file = csv_file(path, "a file of sessions", "allowed: a readable CSV file")
        self._guns = frozenset(guns)
        self._cars = cars
        self._skip_bad = skip_bad
        self.skipped = Skipped(skip_bad)
        if not sum(1 for _ in self._sessions(self.skipped)):
            raise BadInput(
                f"{self._file.name}: no row after the header; allowed: at least one row of"
                f" {COLUMNS}"
            )

    def __iter__(self) -> Iterator[Session]:
        return self._sessions(Skipped(self._skip_bad))

    def _sessions(self, skipped: Skipped) -> Iterator[Session]:
        file = self._file
        records = rows(file, COLUMNS)
        line, header = next(records, (1, [""]))
        wrong = [name for name in header if name not in (*NEEDED, *OPTIONAL)]
        wrong += [name for name in header if header.count(name) > 1]
        wrong += [f"no {name}" for name in NEEDED if name not in header]
        if wrong:
            raise BadInput(
                f"{file.name}, line {line}: the header has {cut(wrong[0])}; allowed: {COLUMNS}"
            )
        last_ms = 0
        for line, fields in records:
            try:
                if len(fields) != len(header):
                    raise BadInput(
                        f"{file.name}, line {line}: {len(fields)} columns; allowed: {len(header)}"
                        " as in the header"
                    )
                session = self._session(line, dict(zip(header, fields, strict=True)))
                if session.arrival_ms < last_ms:
                    raise BadInput(
                        f"{file.name}, line {line}, arrival: it is before that of the row above;"
                        " allowed: rows by arrival"
                    )
            except BadInput as error:
                skipped.note(error)
                continue
            last_ms = session.arrival_ms
            yield session

    def _session(self, line: int, row: Mapping[str, str]) -> Session:
        def place(column: str) -> str:
            return f"{self._file.name}, line {line}, {column}"

        def above_0(column: str, unit: str) -> Decimal:
            return number(row[column], place(column), unit, above_0=True)

        arrival_ms = time_ms_of(row["arrival"], place("arrival"))
        departure_ms = time_ms_of(row["departure"], place("departure"))
        if not 0 < departure_ms - arrival_ms <= LONGEST_MS:
            raise BadInput(
                f"{place('departure')}: {cut(row['departure'])}; allowed: after the arrival, by a"
                " week at most"
            )
        energy_mj = int(above_0("energy_kwh", "in kWh") * MJ_PER_KWH)
        max_power_w = ceiling_of_thousandths(above_0("max_power_kw", "in kW"))
        gun = None
        if row.get("gun"):
            gun = gun_number(row["gun"], place("gun"), self._guns)
        return Session(
            arrival_ms,
            departure_ms,
            max(energy_mj, 1),
            max_power_w,
            gun,
            self._battery(self._file, line, row, max_power_w),
        )

    def _battery(
        self, file: CsvFile, line: int, row: Mapping[str, str], max_power_w: int
    ) -> Battery | None:
        soc, capacity, car = (row.get(column, "") for column in OPTIONAL[1:])
        place = f"{file.name}, line {line}"
        if car and car not in self._cars:
            some = ", ".join(sorted(self._cars)[:6])
            raise BadInput(
                f"{place}, car: {cut(car)} is not known; allowed: {some}, ... (--curves FILE adds"
                " those of a file)"
            )
        if not soc and not capacity and not car:
            return None
        if not soc or not (capacity or car):
            missing = "capacity_kwh" if soc else "soc_arrival"
            raise BadInput(
                f"{place}, {missing}: missing; allowed: soc_arrival with capacity_kwh or car,"
                " or none of them"
            )
        soc_percent = number(soc, f"{place}, soc_arrival", "in percent")
        if soc_percent > 100:
            raise BadInput(f"{place}, soc_arrival: {cut(soc)}; allowed: 0 to 100 percent")
        if capacity:
            kwh = number(capacity, f"{place}, capacity_kwh", "in kWh", above_0=True)
            capacity_mj = int(kwh * MJ_PER_KWH)
        else:
            capacity_mj = self._cars[car].capacity_mj
        curve = self._cars[car].curve if car else typical_curve(max_power_w)
        return Battery(capacity_mj, int(soc_percent * capacity_mj / 100), curve)


def write_sessions(sessions: Iterable[SessionRow], out: TextIO) -> None:
    """Write rows as CSV that `SessionFile` reads."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*NEEDED, *OPTIONAL[1:]))
    for row in sessions:
        cells = ["" if value is None else value for value in row[2:]]
        writer.writerow((_time(row.arrival_ms), _time(row.departure_ms), *cells))


def time_ms_of(text: str, place: str) -> int:
    """A local time in ms as `Session` has it; `place` is for the refusal."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is not None or time.year < 1970:
        raise BadInput(f"{place}: {cut(text)}; allowed: {TIME}")
    return int(time.replace(tzinfo=UTC).timestamp() * 1000)


def _time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
