"""Cars by name: battery and charging curve, built in or from the open-ev-data CSV."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from verified_alloc.errors import BadInput
from verified_alloc.workload.csv_rows import (
    CsvFile,
    ceiling_of_thousandths,
    csv_file,
    cut,
    number,
    rows,
)
from verified_alloc.workload.sessions import MJ_PER_KWH, Curve, CurvePoint

CURVE_COLUMNS = ("brand", "model", "variant", "release_year", "usable_kwh", "soc_pct", "power_kw")
ALLOWED = ",".join(CURVE_COLUMNS)

TYPICAL = ((0, 95), (400, 98), (500, 92), (600, 81), (700, 73), (800, 59), (900, 41), (1000, 12))
"""Per mille of charge, percent of the highest power: the median over the 172 curves of
open-ev-data, each taken relative to its own highest power."""


class CarType(NamedTuple):
    """A kind of car."""

    name: str
    capacity_mj: int
    curve: Curve

    @property
    def max_power_w(self) -> int:
        return max(point.power_w for point in self.curve)


def typical_curve(max_power_w: int) -> Curve:
    """The curve of a car of which only the highest power is known."""
    return tuple(CurvePoint(soc, percent * max_power_w // 100) for soc, percent in TYPICAL)


def read_cars(path: str | Path) -> dict[str, CarType]:
    """The cars of a CSV file as open-ev-data has them, by "brand model variant year" (what is empty
    left out): at least the columns `brand,model,variant,release_year,usable_kwh,soc_pct,power_kw`,
    one row for each point of a curve, rows of one car together and its charge ascending.

    `BadInput` names the file, the line, the column, the value and what is allowed.
    """
    file = csv_file(path, "a file of charging curves", "allowed: a readable CSV file of curves")
    records = rows(file, ALLOWED)
    line, header = next(records, (1, [""]))
    missing = [name for name in CURVE_COLUMNS if name not in header]
    if missing:
        raise BadInput(
            f"{file.name}, line {line}: the header lacks {missing[0]}; allowed: at least {ALLOWED}"
        )
    cars: dict[str, CarType] = {}
    for line, fields in records:
        if len(fields) != len(header):
            raise BadInput(
                f"{file.name}, line {line}: {len(fields)} columns; allowed: {len(header)}"
            )
        _add_point(cars, file, line, dict(zip(header, fields, strict=True)))
    if not cars:
        raise BadInput(f"{file.name}: no row after the header; allowed: at least one curve")
    return cars


def _add_point(cars: dict[str, CarType], file: CsvFile, line: int, row: Mapping[str, str]) -> None:
    def cell(column: str, unit: str, above_0: bool) -> Decimal:
        place = f"{file.name}, line {line}, {column}"
        return number(row[column], place, unit, above_0=above_0)

    name = " ".join(filter(None, (row[column] for column in CURVE_COLUMNS[:4])))
    capacity_mj = int(cell("usable_kwh", "in kWh", True) * MJ_PER_KWH)
    soc = cell("soc_pct", "in percent", False)
    point = CurvePoint(int(soc * 10), ceiling_of_thousandths(cell("power_kw", "in kW", False)))
    before = cars[name].curve if name in cars else ()
    if soc > 100 or (before and point.soc_permille <= before[-1].soc_permille):
        raise BadInput(
            f"{file.name}, line {line}, soc_pct: {cut(row['soc_pct'])}; allowed: percent up to 100,"
            " above that of the car's point before"
        )
    cars[name] = CarType(name, capacity_mj, (*before, point))
