"""The EPFL's sessions come in filtered, with reasons, and can be laid upon each other."""

from collections import Counter
from pathlib import Path

import pytest

from verified_alloc.errors import BadInput
from verified_alloc.workload.cars import read_cars
from verified_alloc.workload.epfl import MS_PER_DAY, overlay, read_epfl
from verified_alloc.workload.session_file import SessionFile, write_sessions

DATA = Path(__file__).parents[2].parent / "shared" / "data"
PUBLIC = DATA / "epfl_sessions.csv"
CURVES = DATA / "open_ev_charging_curves.csv"
HEADER = (
    "Session,CCS,Arrival,Departure,Stay (min),Energy (Wh),Pmax (W),Preq_max (W),"
    '"Controlled session (0=False, 1=True)",TotalCapacity,BulkCapacity,SOC arrival,SOC departure,'
    "Energy capacity (Wh)"
)


def row(
    arrival: str = "2022-04-12 19:27:00",
    departure: str = "2022-04-12 19:57:00",
    energy: str = "30000",
    requested: str = "150000",
    before: str = "20",
    after: str = "60",
    capacity: str = "75000",
) -> str:
    stay = f"1,CCS1,{arrival},{departure},31,{energy},99000,{requested}"
    return f"{stay},0,78900,63120,{before},{after},{capacity}"


def public(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "epfl.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_session_is_what_the_car_wanted(tmp_path: Path) -> None:
    (session,), left_out = read_epfl(public(tmp_path, row()))
    assert not left_out
    assert session.departure_ms - session.arrival_ms == 30 * 60_000
    assert (session.energy_kwh, session.max_power_kw) == (30, 150)
    assert (session.soc_arrival, session.capacity_kwh, session.car) == (20, 75, "")


def test_what_cannot_have_been_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        row(),
        row(departure="2022-04-12 19:20:00"),
        row(energy="0"),
        row(capacity="9748"),
        row(capacity="382028"),
        row(before="60", after="60"),
        row(energy="80000", departure="2022-04-12 20:27:00"),
        row(energy="70000", departure="2022-04-12 19:37:00"),
    ]
    sessions, left_out = read_epfl(public(tmp_path, *rows))
    assert len(sessions) == 1
    assert sorted(left_out.values()) == [1, 1, 1, 1, 1, 2]


def test_a_bad_cell_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 3, Energy \(Wh\): 'x'; allowed: a finite number"):
        read_epfl(public(tmp_path, row(), row(energy="x")))
    with pytest.raises(BadInput, match="the header lacks 'Arrival'"):
        read_epfl(public(tmp_path, header="a,b"))
    with pytest.raises(BadInput, match="no plausible session"):
        read_epfl(public(tmp_path, row(energy="0")))


def test_days_are_laid_upon_each_other(tmp_path: Path) -> None:
    days = [f"2022-04-{day}" for day in (12, 13, 14, 15, 16)]
    rows = [row(f"{day} 19:27:00", f"{day} 19:57:00", energy="3000") for day in days]
    sessions, _ = read_epfl(public(tmp_path, *rows))
    laid = overlay(sessions, 3)
    first = sessions[0].arrival_ms
    assert Counter((s.arrival_ms - first) // MS_PER_DAY for s in laid) == {0: 3, 1: 2}
    assert {s.arrival_ms % MS_PER_DAY for s in laid} == {first % MS_PER_DAY}
    assert overlay(sessions, 1) == sessions
    with pytest.raises(BadInput, match="--overlay 0"):
        overlay(sessions, 0)


@pytest.mark.skipif(not PUBLIC.exists(), reason="the public data is not here")
def test_the_public_data(tmp_path: Path) -> None:
    cars = read_cars(CURVES)
    sessions, left_out = read_epfl(PUBLIC, cars)
    assert len(sessions) + left_out.total() == 1314
    assert 0.9 < len(sessions) / 1314 < 1
    path = tmp_path / "sessions.csv"
    with path.open("w") as out:
        write_sessions(overlay(sessions, 20), out)
    read = list(SessionFile(path, range(1, 7), cars))
    assert len(read) == len(sessions)
    assert sum(session.max_power_w > 240_000 for session in read) / len(read) > 0.3


CURVE_HEADER = "id,brand,model,variant,release_year,usable_kwh,ports,max_dc_kw,soc_pct,power_kw"


def curves(folder: Path, *rows: str) -> Path:
    path = folder / "curves.csv"
    path.write_text("\n".join([CURVE_HEADER, *rows]) + "\n")
    return path


def test_curves_of_cars(tmp_path: Path) -> None:
    path = curves(
        tmp_path,
        "a,Volt,One,,2020,50,ccs,100,0,100",
        "a,Volt,One,,2020,50,ccs,100,100,12.5",
        "b,Volt,Two,Long,2022,90,ccs,200,0,200",
    )
    cars = read_cars(path)
    assert list(cars) == ["Volt One 2020", "Volt Two Long 2022"]
    assert cars["Volt One 2020"].curve == ((0, 100_000), (1000, 12_500))
    (near,), _ = read_epfl(public(tmp_path, row()), cars)
    assert near.car == "Volt Two Long 2022"


def test_a_curve_must_ascend(tmp_path: Path) -> None:
    path = curves(tmp_path, *["a,Volt,One,,2020,50,ccs,100,50,100"] * 2)
    with pytest.raises(BadInput, match="line 3, soc_pct: '50'; allowed"):
        read_cars(path)
    (tmp_path / "curves.csv").write_text("a,b\n")
    with pytest.raises(BadInput, match="the header lacks brand"):
        read_cars(tmp_path / "curves.csv")
