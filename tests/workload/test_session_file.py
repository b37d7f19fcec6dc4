"""A file of sessions is read row by row; what is refused is named in one line, or skipped."""

import io
from decimal import Decimal
from pathlib import Path

import pytest

from verified_alloc.errors import BadInput
from verified_alloc.workload.cars import CarType
from verified_alloc.workload.session_file import SessionFile, SessionRow, write_sessions
from verified_alloc.workload.sessions import MJ_PER_KWH, CurvePoint

HEADER = "arrival,departure,energy_kwh,max_power_kw,gun,soc_arrival,capacity_kwh,car"
GOOD = "2024-01-01 08:00:00,2024-01-01 08:30:00,20.5,150,2,30,77,"
ZOE = CarType("Zoe", 50 * MJ_PER_KWH, (CurvePoint(0, 46_000), CurvePoint(1000, 10_000)))


def file_of(folder: Path, *rows: str, header: str = HEADER, skip_bad: bool = False) -> SessionFile:
    path = folder / "sessions.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return SessionFile(path, range(1, 7), {"Zoe": ZOE}, skip_bad)


def refusal(folder: Path, *rows: str, header: str = HEADER) -> str:
    with pytest.raises(BadInput) as caught:
        file_of(folder, *rows, header=header)
    message = str(caught.value).replace(str(folder / "sessions.csv"), "sessions.csv")
    assert len(message.splitlines()) == 1
    return message


def test_a_row_in_integers(tmp_path: Path) -> None:
    (session,) = file_of(tmp_path, GOOD)
    assert session.departure_ms - session.arrival_ms == 30 * 60_000
    assert session.arrival_ms == 1_704_096_000_000
    assert session.energy_mj == 20_500_000 * 3600
    assert session.max_power_w == 150_000
    assert session.gun == 2
    assert session.battery is not None
    assert session.battery.capacity_mj == 77 * MJ_PER_KWH
    assert session.battery.arrival_mj * 10 == session.battery.capacity_mj * 3
    assert max(point.power_w for point in session.battery.curve) <= 150_000


def test_only_what_is_needed_and_in_any_order(tmp_path: Path) -> None:
    row = "50,2024-01-01 08:30,10,2024-01-01T08:00"
    (session,) = file_of(tmp_path, row, header="max_power_kw,departure,energy_kwh,arrival")
    assert session.gun is session.battery is None
    assert session.max_power_w == 50_000


def test_a_car_brings_its_battery_and_curve(tmp_path: Path) -> None:
    (session,) = file_of(tmp_path, GOOD.replace("30,77,", "20,,Zoe"))
    assert session.battery is not None
    assert session.battery.curve == ZOE.curve
    assert session.battery.capacity_mj == ZOE.capacity_mj


def test_it_is_read_anew_each_time(tmp_path: Path) -> None:
    sessions = file_of(tmp_path, GOOD, GOOD)
    assert list(sessions) == list(sessions)
    assert len(list(sessions)) == 2


BAD = {
    "x" + GOOD: "arrival: 'x2024-01-01 08:00:00'; allowed: a local time as 2022-04-12 19:27:00",
    GOOD.replace(
        "08:00:00", "08:00:00+01:00"
    ): "arrival: '2024-01-01 08:00:00+01:00'; allowed: a local time as 2022-04-12 19:27:00",
    GOOD.replace(
        "08:30", "07:30"
    ): "departure: '2024-01-01 07:30:00'; allowed: after the arrival, by a week at most",
    GOOD.replace("20.5", "-1"): "energy_kwh: '-1'; allowed: a finite number above 0, in kWh",
    GOOD.replace("20.5", "0"): "energy_kwh: '0'; allowed: a finite number above 0, in kWh",
    GOOD.replace("150", "nan"): "max_power_kw: 'nan'; allowed: a finite number above 0, in kW",
    GOOD.replace(",2,30", ",7,30"): "gun: '7' is no gun here; allowed: 1, 2, 3, 4, 5, 6",
    GOOD.replace(",30,77", ",130,77"): "soc_arrival: '130'; allowed: 0 to 100 percent",
    GOOD.replace(
        ",30,77", ",30,"
    ): "capacity_kwh: missing; allowed: soc_arrival with capacity_kwh or car, or none of them",
    GOOD.replace(
        ",30,77", ",,77"
    ): "soc_arrival: missing; allowed: soc_arrival with capacity_kwh or car, or none of them",
    GOOD + "Tesla": "car: 'Tesla' is not known; allowed: Zoe, ... (--curves FILE adds those of a"
    " file)",
}


@pytest.mark.parametrize("row", BAD)
def test_a_bad_row_is_named(tmp_path: Path, row: str) -> None:
    assert refusal(tmp_path, GOOD, row) == f"sessions.csv, line 3, {BAD[row]}"


def test_rows_by_arrival(tmp_path: Path) -> None:
    message = refusal(tmp_path, GOOD.replace(" 08:", " 09:"), GOOD)
    assert message.startswith("sessions.csv, line 3, arrival: it is before that of the row above")


def test_too_few_columns_and_an_unknown_one(tmp_path: Path) -> None:
    assert "line 2: 2 columns; allowed: 8" in refusal(tmp_path, "a,b")
    assert "the header has 'colour'" in refusal(tmp_path, header=HEADER + ",colour")
    assert "the header has 'no departure'" in refusal(tmp_path, header="arrival,energy_kwh")
    assert "no row after the header" in refusal(tmp_path)


def test_bad_rows_are_skipped_and_counted(tmp_path: Path) -> None:
    rows = [GOOD, *BAD, GOOD]
    sessions = file_of(tmp_path, *rows, skip_bad=True)
    assert len(list(sessions)) == 2
    assert sessions.skipped.count == len(BAD)
    assert sessions.skipped.first is not None
    assert "line 3, arrival" in sessions.skipped.first


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    row = SessionRow(
        1_704_096_000_000,
        1_704_097_000_000,
        Decimal("12.345"),
        Decimal(50),
        Decimal("20.5"),
        Decimal(52),
        "Zoe",
    )
    out = io.StringIO()
    write_sessions([row], out)
    path = tmp_path / "back.csv"
    path.write_text(out.getvalue())
    (session,) = SessionFile(path, [1], {"Zoe": ZOE})
    assert (session.arrival_ms, session.departure_ms) == row[:2]
    assert session.energy_mj == 12_345_000 * 3600
    assert session.battery is not None
    assert session.battery.capacity_mj == 52 * MJ_PER_KWH
