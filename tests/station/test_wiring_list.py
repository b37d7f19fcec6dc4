"""The wiring list, against its own transcription and against the simulated cabinet's."""

import csv
import io
import json
from pathlib import Path

import pytest

from hardware.simulated.charger import SimulatedCharger
from verified_alloc import Station, cli
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.station.parts import Expander, PowerModule
from verified_alloc.station.wiring_list import HEADER_PINS, wiring_list

# What is printed beside the header on every board, pin 1 first; blank is power or ground.
HEADER = [
    None, None, 2, None, 3, None, 4, 14, None, 15, 17, 18, 27, None, 22, 23, None, 24, 10, None,
    9, 25, 11, 8, None, 7, 0, 1, 5, None, 6, 12, 13, None, 19, 16, 26, 20, None, 21,
]  # fmt: skip


def test_every_pin_of_the_header() -> None:
    assert {HEADER[pin - 1]: pin for pin in range(1, 41) if HEADER[pin - 1] is not None} == (
        HEADER_PINS
    )


def test_the_first_and_the_last_of_the_reference_station() -> None:
    rows = wiring_list(Station.reference())
    assert len(rows) == 54
    assert rows[0]._asdict() == {
        "contactor": "1:1", "gun": 1, "module": 1, "output_expander": "0x20",
        "feedback_expander": "0x24", "pin": "GPA0", "package_pin": 21, "enable_bcm": 16,
        "enable_header_pin": 36, "status_bcm": 4, "status_header_pin": 7, "off_delay_ms": 200,
    }  # fmt: skip
    last = rows[-1]
    assert (last.contactor, last.output_expander, last.feedback_expander) == ("6:9", "0x23", "0x27")
    assert (last.pin, last.package_pin, last.enable_bcm, last.status_bcm) == ("GPB4", 5, 24, 12)
    assert [row.pin for row in rows[5:9]] == ["GPA5", "GPA6", "GPB0", "GPB1"]
    assert {row.pin for row in rows} == {f"GP{port}{n}" for port in "AB" for n in range(7)}


def moved_by(charger: SimulatedCharger, expander: Expander, pin: str) -> list[tuple[int, int]]:
    """The coils with energy when this pin alone is high."""
    chip = charger.buses[expander.bus].chips[expander.address]
    bit = 8 * "AB".index(pin[2]) + int(pin[3])
    chip.driven(1 << bit, "command")
    energised = [pair for pair, c in charger.cabinet.contactors.items() if c.latched]
    chip.driven(0, "command")
    return energised


@pytest.mark.parametrize("matrix", ["full", "ring", "half"])
def test_a_pin_moves_the_contactor_that_the_list_says(matrix: str) -> None:
    station = Station.from_tables(
        {
            "station": {"guns": 6, "modules": 9, "module_power_kw": 40, "gun_max_power_kw": 240},
            "matrix": {"kind": matrix},
        }
    )
    charger = simulated_charger(station)
    named = {station.hardware.name(each): each for each in station.hardware.output_expanders}
    for row in wiring_list(station):
        expander = named[row.output_expander]
        assert moved_by(charger, expander, row.pin) == [(row.gun, row.module)]


def test_csv_and_json_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["wiring", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert cli.main(["wiring", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [{key: str(value) for key, value in row.items()} for row in told["contactors"]] == rows
    assert rows[0]["output_expander"] == "0x20"
    assert (told["reset_bcm"], told["watchdog_bcm"], told["estop_bcm"]) == (25, 26, 27)


TWO_BUSES = """
[station]
guns = 2
modules = 8
module_power_kw = 40
gun_max_power_kw = 240
[hardware]
i2c_bus = [1, 3]
output_expanders = [[0x20, 0x21], []]
feedback_expanders = [[], [0x20, 0x24]]
enable_pins = [16, 17, 18, 19, 20, 21, 22, 45]
status_pins = []
"""


def test_of_two_buses_each_expander_is_listed_with_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "two.toml").write_text(TWO_BUSES)
    command = ["wiring", "--station", str(tmp_path / "two.toml")]
    assert cli.main([*command, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    where = [(row["output_expander"], row["feedback_expander"]) for row in rows]
    assert where == [("1:0x20", "3:0x20")] * 14 + [("1:0x21", "3:0x24")] * 2
    assert (rows[-1]["enable_bcm"], rows[-1]["enable_header_pin"]) == ("45", "")
    assert cli.main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["i2c_bus"] == [1, 3]
    assert told["contactors"][-1]["feedback_expander"] == "3:0x24"
    assert told["contactors"][-1]["enable_header_pin"] is None
    assert cli.main(command) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].startswith("I2C buses 1 and 3. Expander reset BCM 25")
    assert printed[-2].split() == [
        "2:8", "1:0x21", "3:0x24", "GPA1", "(22)", "BCM", "45", "-", ">=", "200", "ms"
    ]  # fmt: skip


def test_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["wiring"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 56
    assert lines[1].split() == [
        "1:1", "0x20", "0x24", "GPA0", "(21)", "BCM", "16", "(36)", "BCM", "4", "(7)", ">=", "200",
        "ms",
    ]  # fmt: skip


def test_what_cannot_be_wired_or_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    big = tmp_path / "big.toml"
    big.write_text(
        "[station]\nguns = 8\nmodules = 9\nmodule_power_kw = 40\ngun_max_power_kw = 240\n"
    )
    assert cli.main(["wiring", "--station", str(big)]) == 2
    assert "72 contactors: allowed are 56" in capsys.readouterr().err
    assert cli.main(["wiring", "--csv", "--json"]) == 2
    assert cli.main(["wiring", "--svg", str(tmp_path / "no" / "where.svg")]) == 2
    assert "no such file" in capsys.readouterr().err.lower()


def test_without_status_inputs_there_is_none() -> None:
    station = Station.from_tables(
        {
            "station": {"guns": 1, "modules": 1, "module_power_kw": 40, "gun_max_power_kw": 40},
            "hardware": {"status_pins": []},
        }
    )
    assert station.modules == (PowerModule(1, 40_000),)
    assert wiring_list(station)[0].status_bcm is None
