"""The station file: every key, every refusal; matrices; faults."""

import json
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stations import faults_of, stations, tables

from verified_alloc import BadInput, Faults, Station
from verified_alloc.station.faults import usable, usable_after
from verified_alloc.station.parts import Expander, Hardware, Matrix, Timing

DOCUMENTED = """
[station]
name = "reference"
guns = 6
modules = 9
module_power_kw = 40
gun_max_power_kw = 240
[matrix]
kind = "full"
[policy]
name = "priority"
minimum_modules = 0
minimum_power_kw = 1
priority_deadband_kw = 5
[timing]
scan_ms = 20
contactor_operate_ms = 40
contactor_release_ms = 40
contactor_min_response_ms = 5
current_decay_ms = 200
module_discharge_ms = 1000
module_off_timeout_ms = 1000
offer_lead_ms = 1000
fault_reaction_ms = 60
minimum_dwell_s = 10
demand_timeout_s = 10
[hardware]
i2c_bus = 1
output_expanders = [0x20, 0x21, 0x22, 0x23]
feedback_expanders = [0x24, 0x25, 0x26, 0x27]
enable_pins = [16, 17, 18, 19, 20, 21, 22, 23, 24]
status_pins = [4, 5, 6, 7, 8, 9, 10, 11, 12]
reset_pin = 25
watchdog_pin = 26
estop_pin = 27
watchdog_device = ""
"""


def read(text: str | bytes, folder: Path) -> Station:
    path = folder / "station.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Station.from_toml(path)


def refusal(changed: dict[str, Any]) -> str:
    with pytest.raises(BadInput) as refused:
        Station.from_tables(changed)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    return message


def test_the_documented_file_is_the_reference_station(tmp_path: Path) -> None:
    station = read(DOCUMENTED, tmp_path)
    assert station == Station.reference()
    assert hash(station) == hash(Station.reference())


def test_four_keys_are_enough_and_the_rest_are_the_documented_defaults() -> None:
    station = Station.from_tables(
        {"station": {"guns": 6, "modules": 9, "module_power_kw": 40, "gun_max_power_kw": 240}}
    )
    assert asdict(station) | {"name": "reference"} == asdict(Station.reference())
    assert station.site_limit_w is None
    assert station.policy.priority_deadband_w == 5000


@pytest.mark.parametrize("key", ["guns", "modules", "module_power_kw", "gun_max_power_kw"])
def test_the_four_keys_are_needed(key: str) -> None:
    without = tables()
    del without["station"][key]
    assert f"station.{key} is missing" in refusal(without)


def test_every_key_reaches_the_station(tmp_path: Path) -> None:
    station = read(
        """
        [station]
        name = "depot"
        guns = 2
        modules = 3
        module_power_kw = 30.5
        gun_max_power_kw = 90
        site_limit_kw = 75.25
        [[gun]]
        id = 2
        max_power_kw = 60
        [[module]]
        id = 3
        power_kw = 20
        [matrix]
        kind = "list"
        reach = { 1 = [3, 1], 2 = [2, 3] }
        [policy]
        name = "fair"
        minimum_modules = 1
        minimum_power_kw = 7.5
        priority_deadband_kw = 2.5
        [timing]
        scan_ms = 10
        contactor_operate_ms = 11
        contactor_release_ms = 12
        contactor_min_response_ms = 3
        current_decay_ms = 14
        module_discharge_ms = 15
        module_off_timeout_ms = 16
        offer_lead_ms = 17
        fault_reaction_ms = 18
        minimum_dwell_s = 19
        demand_timeout_s = 20
        relay_watchdog_ms = 121
        proof_test_interval_h = 22
        [hardware]
        i2c_bus = 3
        output_expanders = [0x27]
        feedback_expanders = [0x20]
        enable_pins = [4, 5, 6]
        status_pins = []
        reset_pin = 7
        watchdog_pin = 8
        estop_pin = 9
        watchdog_device = "/dev/watchdog"
        """,
        tmp_path,
    )
    assert station.name == "depot"
    assert [gun.max_power_w for gun in station.guns] == [90_000, 60_000]
    assert [module.power_w for module in station.modules] == [30_500, 30_500, 20_000]
    assert station.site_limit_w == 75_250
    assert station.matrix.kind == "list"
    assert station.matrix.reach == ((1, 3), (2, 3))
    assert station.contactors == ((1, 1), (2, 2), (1, 3), (2, 3))
    assert (station.policy.name, station.policy.minimum_modules) == ("fair", 1)
    assert station.policy.minimum_power_w == 7500
    assert station.policy.priority_deadband_w == 2500
    assert station.timing == Timing(10, 11, 12, 3, 14, 15, 16, 17, 18, 19, 20, 121, 22)
    assert station.hardware == Hardware(
        (3,), (Expander(3, 0x27),), (Expander(3, 0x20),), (4, 5, 6), (), 7, 8, 9, "/dev/watchdog"
    )


@given(stations())
def test_its_tables_describe_the_same_station(station: Station) -> None:
    assert Station.from_tables(json.loads(json.dumps(station.to_tables()))) == station


def test_tables_of_a_station_of_many_modules_and_of_one_without_status_pins() -> None:
    large = {"station": {"modules": 12}, "gun": [{"id": 2, "max_power_kw": 90.125}]}
    bare = {"hardware": {"status_pins": [], "reset_pin": 4}, "policy": {"name": "fair"}}
    service = {"service": {"http": "0.0.0.0:80", "mqtt": "mqtts://broker:8883"}}
    for told in (large, bare, service):
        station = Station.from_tables(tables(**told))
        assert Station.from_tables(station.to_tables()) == station


def test_contactors_are_counted_module_by_module() -> None:
    contactors = Station.reference().contactors
    assert len(contactors) == 54
    for gun in range(1, 7):
        for module in range(1, 10):
            assert contactors[(module - 1) * 6 + gun - 1] == (gun, module)


def test_a_station_is_the_same_key_in_another_process() -> None:
    code = (
        "import pickle, sys; from verified_alloc import Faults, Station;"
        "there = pickle.loads(sys.stdin.buffer.read());"
        "here = {Station.reference(): 1, Faults(modules={3}, welded={(2, 5)}): 2};"
        "print([here.get(one) for one in there])"
    )
    pair = Station.reference(), Faults(modules={3}, welded={(2, 5)})
    assert len({*pair}) == 2  # hashed, so that what is remembered goes along
    ran = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(pair), capture_output=True, check=True
    )
    assert ran.stdout.split() == [b"[1,", b"2]"]


def test_a_station_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Station.reference().name = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Faults().modules = frozenset({1})  # type: ignore[misc]


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        *(("station", "guns", value) for value in (0, -1, 1.0, "6", True, [6], 501)),
        *(("station", "modules", value) for value in (0, -1, 9.0, "9", False, 2001)),
        *(
            ("station", power, value)
            for power in ("module_power_kw", "gun_max_power_kw", "site_limit_kw")
            for value in (
                *(0, -40, "40", True, [40], 40.0005, float("nan"), float("inf"), 1e7),
                *(Decimal("40.0001"), Decimal("sNaN"), Decimal("1e999999"), Decimal("NaN")),
            )
        ),
        *(("station", "name", value) for value in (5, "two\nlines")),
        *(("matrix", "kind", value) for value in ("star", 1, ["full"])),
        *(("policy", "name", value) for value in ("greedy", 1)),
        *(("policy", "minimum_modules", value) for value in (-1, 1.5, "1", True)),
        *(
            ("policy", name, value)
            for name in ("minimum_power_kw", "priority_deadband_kw")
            for value in (-1, "5", 0.0001)
        ),
        *(
            ("timing", spec.name, value)
            for spec in fields(Timing)
            for value in (-1, 1.5, "20", True, 10**9)
        ),
        *(("timing", name, 0) for name in ("scan_ms", "current_decay_ms", "demand_timeout_s")),
        *(("hardware", "i2c_bus", value) for value in (-1, "1", 1.0)),
        *(
            ("hardware", pin, value)
            for pin in ("reset_pin", "watchdog_pin", "estop_pin")
            for value in (0, 1, 2, 3, 14, 15, 46, -1, "25", 25.0, True)
        ),
        *(("hardware", pins, 16) for pins in ("enable_pins", "status_pins")),
        *(("hardware", bank, 32) for bank in ("output_expanders", "feedback_expanders")),
        ("hardware", "watchdog_device", 1),
    ],
)
def test_a_bad_value_is_refused_by_key_value_and_what_is_allowed(
    table: str, key: str, value: object
) -> None:
    message = refusal(tables(**{table: {key: value}}))
    assert message.startswith(f"{table}.{key} = ")
    assert "allowed is" in message


def test_the_relay_watchdog_outlasts_four_scans() -> None:
    assert Station.from_tables(tables(timing={"scan_ms": 15})).timing.relay_watchdog_ms == 100
    slow = Station.from_tables(tables(timing={"scan_ms": 50, "fault_reaction_ms": 50}))
    assert slow.timing.relay_watchdog_ms == 250
    message = refusal(tables(timing={"relay_watchdog_ms": 79}))
    assert message.startswith("timing.relay_watchdog_ms = 79: allowed is at least four times")
    assert Station.from_tables(tables(timing={"relay_watchdog_ms": 80}))


@pytest.mark.parametrize("table", ["station", "matrix", "policy", "timing", "hardware"])
def test_an_unknown_key_is_refused_and_the_known_ones_listed(table: str) -> None:
    message = refusal(tables(**{table: {"colour": 1}}))
    assert message.startswith(f"{table}.colour = 1: unknown key; allowed are ")


def test_unknown_tables_and_keys_of_entries_are_refused() -> None:
    assert refusal(tables(guns=[])).startswith("guns = []: unknown key; allowed are station, gun,")
    entry = {"id": 1, "max_power_kw": 5, "color": "red"}
    assert refusal(tables(gun=[entry])).startswith("gun[1].color = 'red': unknown key")
    entry = {"id": 1, "power_kw": 5, "color": "red"}
    assert refusal(tables(module=[entry])).startswith("module[1].color = 'red': unknown key")


@pytest.mark.parametrize("table", ["station", "matrix", "policy", "timing", "hardware"])
def test_what_is_no_table_is_refused(table: str) -> None:
    assert refusal(tables() | {table: 5}) == f"{table} = 5: allowed is a table"


@pytest.mark.parametrize(("kind", "key"), [("gun", "max_power_kw"), ("module", "power_kw")])
def test_entries_by_id(kind: str, key: str) -> None:
    count = 6 if kind == "gun" else 9
    assert refusal(tables(**{kind: 5})) == f"{kind} = 5: allowed is a list of tables"
    assert f"{kind}[1].{key} is missing" in refusal(tables(**{kind: [{"id": 1}]}))
    assert f"{kind}[1].id is missing" in refusal(tables(**{kind: [{key: 1}]}))
    for value in (0, -1, "1", 1.0, True):
        assert f"{kind}[1].id = " in refusal(tables(**{kind: [{"id": value, key: 1}]}))
    beyond = refusal(tables(**{kind: [{"id": 1, key: 1}, {"id": count + 1, key: 1}]}))
    assert beyond == f"{kind}[2].id = {count + 1}: allowed are {kind}s 1 to {count}"
    assert f"{kind}[2].id = 1: twice" in refusal(tables(**{kind: [{"id": 1, key: 1}] * 2}))
    assert f"{kind}[1].{key} = 0" in refusal(tables(**{kind: [{"id": 1, key: 0}]}))


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        (None, "matrix.reach = None"),
        ([1, 2], "matrix.reach = [1, 2]"),
        ({"1": [1]}, "matrix.reach.2 is missing"),
        ({"1": [1], "2": []}, "matrix.reach.2 = []"),
        ({"1": [1], "2": [10]}, "matrix.reach.2[1] = 10: allowed are modules 1 to 9"),
        ({"1": [1], "2": [0]}, "matrix.reach.2[1] = 0"),
        ({"1": [1], "2": [True]}, "matrix.reach.2[1] = True"),
        ({"1": [1], "2": ["3"]}, "matrix.reach.2[1] = '3'"),
        ({"1": [1], "2": [3, 4, 3]}, "matrix.reach.2[3] = 3: twice"),
        ({"1": [1], "2": 3}, "matrix.reach.2 = 3"),
        ({"1": [1], "2": [1], "3": [1]}, "matrix.reach.'3': allowed are guns 1 to 2"),
        ({"1": [1], "02": [1]}, "matrix.reach.'02'"),
        ({"1": [1], "two": [1]}, "matrix.reach.'two'"),
    ],
)
def test_a_bad_reach_is_refused(reach: object, said: str) -> None:
    changed = tables(station={"guns": 2}, matrix={"kind": "list", "reach": reach})
    assert said in refusal(changed)


def test_reach_goes_with_kind_list_only() -> None:
    assert "matrix.reach" in refusal(tables(matrix={"kind": "ring", "reach": {"1": [1]}}))


def test_pins_and_addresses() -> None:
    def hardware(**keys: object) -> str:
        return refusal(tables(hardware=keys))

    nine = [16, 17, 18, 19, 20, 21, 22, 23, 24]
    assert "enable_pins has 8 pins: allowed are 9" in hardware(enable_pins=nine[:8])
    assert "enable_pins has 0 pins: allowed are 9" in hardware(enable_pins=[])
    assert "status_pins has 1 pins: allowed are 9" in hardware(status_pins=[4])
    assert "enable_pins[9] = 16: already hardware.enable_pins[1]" in hardware(
        enable_pins=[*nine[:8], 16]
    )
    assert "enable_pins[9] = 25: already hardware.reset_pin" in hardware(
        enable_pins=[*nine[:8], 25]
    )
    assert "status_pins[1] = 16: already hardware.enable_pins[1]" in hardware(status_pins=nine)
    assert "estop_pin = 26: already hardware.watchdog_pin" in hardware(estop_pin=26)
    assert "watchdog_pin = 16" not in hardware(watchdog_pin=25)
    for pin in (0, 1, 2, 3, 14, 15, 46):
        assert f"enable_pins[9] = {pin}: allowed is BCM" in hardware(enable_pins=[*nine[:8], pin])
    assert "output_expanders[1] = 31" in hardware(output_expanders=[0x1F])
    assert "output_expanders[1] = 40" in hardware(output_expanders=[0x28])
    assert "output_expanders = []" in hardware(output_expanders=[], feedback_expanders=[])
    assert "feedback_expanders has 4 addresses: allowed are 1" in hardware(output_expanders=[0x20])
    assert "output_expanders[2] = 0x20: already hardware.output_expanders[1]" in hardware(
        output_expanders=[0x20, 0x20], feedback_expanders=[0x24, 0x25]
    )
    assert "feedback_expanders[1] = 0x20: already hardware.output_expanders[1]" in hardware(
        output_expanders=[0x20], feedback_expanders=[0x20]
    )


def test_nonsense_timings() -> None:
    def timing(**keys: int) -> str:
        return refusal(tables(timing=keys))

    assert "contactor_min_response_ms = 41" in timing(contactor_min_response_ms=41)
    assert "contactor_min_response_ms = 5" in timing(contactor_release_ms=4)
    assert "fault_reaction_ms = 19" in timing(fault_reaction_ms=19)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[station", "not TOML"),
        (b"[station]\nguns = 1\nguns = 2\n", "not TOML"),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (b"", "station is missing"),
        (b"x = " + b"[" * 100_000, "not TOML"),
        (DOCUMENTED.replace("= 40\n", "= nan\n", 1).encode(), "module_power_kw = NaN"),
        (DOCUMENTED.replace("= 40\n", "= 40.0004\n", 1).encode(), "module_power_kw = 40.0004:"),
    ],
)
def test_a_file_that_is_no_station(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        read(content, tmp_path)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"station file {tmp_path / 'station.toml'}: ")
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        Station.from_toml(tmp_path / "nowhere.toml")
    with pytest.raises(BadInput, match="Is a directory"):
        Station.from_toml(str(tmp_path))


# --- wiring -------------------------------------------------------------------------------------


def test_the_reference_station_can_be_wired() -> None:
    Station.reference().check_wiring()


def test_more_contactors_than_pins_are_refused_for_driving_only() -> None:
    station = Station.from_tables(tables(station={"guns": 7}))  # 63 contactors, 56 places
    with pytest.raises(BadInput, match="63 contactors: allowed are 56"):
        station.check_wiring()
    three = {"output_expanders": [0x20, 0x21, 0x22], "feedback_expanders": [0x24, 0x25, 0x26]}
    with pytest.raises(BadInput, match="54 contactors: allowed are 42"):
        Station.from_tables(tables(hardware=three)).check_wiring()
    Station.from_tables(tables(matrix={"kind": "half"}, hardware=three)).check_wiring()


def test_default_pins_are_the_first_of_the_reference_and_none_beyond() -> None:
    small = Station.from_tables(tables(station={"modules": 4}))
    assert small.hardware.enable_pins == (16, 17, 18, 19)
    assert small.hardware.status_pins == (4, 5, 6, 7)
    small.check_wiring()
    large = Station.from_tables(tables(station={"guns": 2, "modules": 10}))
    assert large.hardware.enable_pins == ()
    with pytest.raises(BadInput, match="enable_pins has 0 pins: needed are 10"):
        large.check_wiring()
    pins = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    told = tables(station={"guns": 2, "modules": 10}, hardware={"enable_pins": pins})
    Station.from_tables(told).check_wiring()


# --- matrices -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ring", "half"])
def test_the_pictures_are_the_documented_ones(kind: str) -> None:
    station = Station.from_tables(tables(matrix={"kind": kind}))
    drawn = [line[4:].split() for line in station.matrix.picture().splitlines()[1:]]
    documented = []
    start = (Matrix.__doc__ or "").index(f"{kind} ")
    column = start - (Matrix.__doc__ or "").rindex("\n", 0, start) - 1
    for line in (Matrix.__doc__ or "").splitlines():
        cells = line[column : column + 29].split()
        if cells[:1] == ["gun"]:
            documented.append(cells[1:])
    assert [row[1:] for row in drawn] == [row[1:] for row in documented]
    assert len(drawn) == 6


@given(st.integers(1, 30), st.integers(1, 40))
def test_a_ring_gives_every_gun_as_many_modules_in_a_row_on_the_circle(
    guns: int, modules: int
) -> None:
    reach = Matrix.ring(guns, modules).reach
    width = len(reach[0])
    for row in reach:
        assert len(row) == width >= 1
        breaks = sum((module % modules) + 1 not in row for module in row)
        assert breaks <= 1  # one run on the circle
    assert {module for row in reach for module in row} == set(range(1, modules + 1))


@given(st.integers(2, 30), st.integers(1, 40))
def test_halves_share_the_middle(guns: int, modules: int) -> None:
    reach = Matrix.half(guns, modules).reach
    first, last = set(reach[0]), set(reach[-1])
    assert first | last == set(range(1, modules + 1))
    assert len(first) == len(last) == -(-2 * modules // 3)
    assert set(reach) == {tuple(sorted(first)), tuple(sorted(last))}
    assert sum(set(row) == first for row in reach[: (guns + 1) // 2]) == (guns + 1) // 2


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (Faults(modules={10}), "failed module 10: allowed are modules 1 to 9"),
        (Faults(modules={0}), "failed module 0"),
        (Faults(modules=[True]), "failed module True"),
        (Faults(modules=["3"]), "failed module '3'"),  # type: ignore[list-item]
        (Faults(guns={7}), "failed gun 7: allowed are guns 1 to 6"),
        (Faults(welded={(1, 10)}), "welded contactor 1:10"),
        (Faults(welded={(7, 1)}), "welded contactor 7:1"),
        (Faults(failed_open={(0, 1)}), "failed-open contactor 0:1"),
        (Faults(failed_open={(1.0, 1)}), "failed-open contactor 1.0:1"),  # type: ignore[arg-type]
        (Faults(failed_open={(1, True)}), "failed-open contactor 1:True"),
        (Faults(failed_open={(1,)}), "failed-open contactor 1"),  # type: ignore[arg-type]
        (Faults(failed_open={()}), "failed-open contactor"),  # type: ignore[arg-type]
        (Faults(failed_open=["12"]), "failed-open contactor '1':'2'"),  # type: ignore[list-item]
        (Faults(welded={(1, 2)}, failed_open={(1, 2)}), "1:2 is both welded and failed open"),
    ],
)
def test_faults_that_the_station_cannot_have(faults: Faults, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        faults.check(Station.reference())
    assert said in str(refused.value)


def test_a_contactor_that_the_matrix_lacks_has_no_faults() -> None:
    ring = Station.from_tables(tables(matrix={"kind": "ring"}))
    for faults in (Faults(welded={(1, 5)}), Faults(failed_open={(1, 5)})):
        with pytest.raises(BadInput, match="contactor 1:5"):
            faults.check(ring)


def test_collections_that_are_none_are_refused() -> None:
    with pytest.raises(BadInput, match=r"faults\.modules = 3"):
        Faults(modules=3)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"faults\.welded"):
        Faults(welded={3})  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"faults\.modules"):
        Faults(modules=[[3]])  # type: ignore[list-item]


def test_equal_faults_are_one_key() -> None:
    assert Faults(modules=[3, 3], welded=[(2, 5)]) == Faults({3}, (), (), {(2, 5)})
    assert hash(Faults(modules=[3])) == hash(Faults(modules={3}))
    assert Faults(modules={3}) != Faults(guns={3})


@given(st.data())
def test_what_the_faults_leave(data: st.DataObject) -> None:
    """The contract's words, pair by pair."""
    station = data.draw(stations())
    faults = data.draw(faults_of(station))
    left = usable_after(station, faults)
    welds = {m.id: {g for g, module in faults.welded if module == m.id} for m in station.modules}
    dead = {m for m, guns in welds.items() if m in faults.modules or len(guns) > 1}
    out = faults.guns | {gun for module in dead for gun in welds[module]}
    can = {
        (gun, module)
        for gun, module in station.contactors
        if gun not in out
        and module not in dead
        and (gun, module) not in faults.failed_open
        and welds[module] <= {gun}
    }
    assert [
        g.id for g, serves in zip(station.guns, left.in_service, strict=True) if not serves
    ] == (sorted(out))
    assert {
        (gun, module)
        for gun, row in enumerate(left.usable, start=1)
        for module, is_usable in enumerate(row, start=1)
        if is_usable
    } == can
    assert usable(station, faults) == tuple(sorted({module for _, module in can}))
