"""The public sessions of the EPFL ("Level 3 electric vehicle charging dataset", DESL, MIT licence):
a site of 172.5 kW with two plugs in Switzerland, April 2022 to July 2023."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from verified_alloc.errors import BadInput
from verified_alloc.workload.cars import CarType
from verified_alloc.workload.csv_rows import csv_file, number, rows
from verified_alloc.workload.session_file import SessionRow, time_ms_of
from verified_alloc.workload.sessions import MJ_PER_KWH

ARRIVAL, DEPARTURE = "Arrival", "Departure"
ENERGY, REQUESTED = "Energy (Wh)", "Preq_max (W)"
SOC, SOC_AFTER, CAPACITY = "SOC arrival", "SOC departure", "Energy capacity (Wh)"
UNITS = {ENERGY: "Wh", REQUESTED: "W", SOC: "%", SOC_AFTER: "%", CAPACITY: "Wh"}
NEEDED = (ARRIVAL, DEPARTURE, *UNITS)
COLUMNS = ",".join(NEEDED)

SITE_KW = Decimal("172.5")
CAPACITIES_KWH = (15, 140)
"""Batteries of cars that one can buy, smallest and largest; the data set estimates the capacity
from what the state of charge rose by, which goes astray where it rose by little."""

MS_PER_DAY = 24 * 3600 * 1000


def read_epfl(
    path: str | Path, cars: Mapping[str, CarType] | None = None
) -> tuple[list[SessionRow], Counter[str]]:
    """The sessions of the data set by arrival, and how many rows were left out and why.

    The power is the highest that the car asked for. With `cars` each session is given the one that
    is nearest in battery size and highest power. `BadInput` for a file that is no such data set:
    the file, the line, the column, the value and what is allowed.
    """
    left_out: Counter[str] = Counter()
    accepted = []
    for place, row in _records(path):
        cells = {
            column: number(row[column], f"{place}, {column}", f"in {unit}")
            for column, unit in UNITS.items()
        }
        arrival_ms = time_ms_of(row[ARRIVAL], f"{place}, {ARRIVAL}")
        departure_ms = time_ms_of(row[DEPARTURE], f"{place}, {DEPARTURE}")
        reason = _implausible(departure_ms - arrival_ms, cells)
        if reason:
            left_out[reason] += 1
            continue
        capacity_kwh, power_kw = cells[CAPACITY] / 1000, cells[REQUESTED] / 1000
        accepted.append(
            SessionRow(
                arrival_ms,
                departure_ms,
                energy_kwh=round(cells[ENERGY] / 1000, 3),
                max_power_kw=round(power_kw, 3),
                soc_arrival=round(cells[SOC], 1),
                capacity_kwh=round(capacity_kwh, 1),
                car=_nearest(cars, capacity_kwh, power_kw) if cars else "",
            )
        )
    if not accepted:
        raise BadInput(f"{path}: no plausible session; allowed: rows of {COLUMNS}")
    return sorted(accepted), left_out


def overlay(sessions: Iterable[SessionRow], days: int) -> list[SessionRow]:
    """So many days in a row laid onto one, at the same times of day, to load a bigger site."""
    if days < 1:
        raise BadInput(f"--overlay {days}: allowed is 1 or more")
    folded = []
    first_day: int | None = None
    for session in sessions:
        day = session.arrival_ms // MS_PER_DAY
        first_day = day if first_day is None else first_day
        earlier_ms = (day - first_day - (day - first_day) // days) * MS_PER_DAY
        folded.append(
            session._replace(
                arrival_ms=session.arrival_ms - earlier_ms,
                departure_ms=session.departure_ms - earlier_ms,
            )
        )
    return sorted(folded)


def _records(path: str | Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    file = csv_file(path, "the EPFL data set", "allowed: the EPFL's session file")
    records = rows(file, COLUMNS)
    line, header = next(records, (1, [""]))
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise BadInput(
            f"{file.name}, line {line}: the header lacks {missing[0]!r}; allowed: at least"
            f" {COLUMNS}"
        )
    for line, fields in records:
        place = f"{file.name}, line {line}"
        if len(fields) != len(header):
            raise BadInput(f"{place}: {len(fields)} columns; allowed: {len(header)}")
        yield place, dict(zip(header, fields, strict=True))


def _implausible(stay_ms: int, cells: Mapping[str, Decimal]) -> str | None:
    """Why this session cannot have been so, if it cannot."""
    capacity_kwh, energy_kwh = cells[CAPACITY] / 1000, cells[ENERGY] / 1000
    if stay_ms <= 0:
        return "it leaves before it comes"
    if energy_kwh <= 0 or cells[REQUESTED] <= 0:
        return "no energy or no power"
    if not CAPACITIES_KWH[0] <= capacity_kwh <= CAPACITIES_KWH[1]:
        return "a battery smaller than {} or larger than {} kWh".format(*CAPACITIES_KWH)
    if not 0 <= cells[SOC] < cells[SOC_AFTER] <= 100:
        return "a state of charge that does not rise, or not within 0 to 100 %"
    if energy_kwh > capacity_kwh:
        return "more energy than the battery holds"
    # The clock has whole minutes: one more may have passed.
    if energy_kwh > SITE_KW * (Decimal(stay_ms) / 3_600_000 + Decimal(1) / 60):
        return "more energy than the site can give in that time"
    return None


def _nearest(cars: Mapping[str, CarType], capacity_kwh: Decimal, power_kw: Decimal) -> str:
    """The car nearest in battery size and in highest power, relative to each; the first of
    equals."""

    def distance(car: CarType) -> float:
        size = float(capacity_kwh) * MJ_PER_KWH / car.capacity_mj
        power = float(power_kw) * 1000 / car.max_power_w
        return (size - 1) ** 2 + (power - 1) ** 2

    return min(cars.values(), key=distance).name
