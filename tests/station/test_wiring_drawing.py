"""The drawing: every wire of the list is on it, inside the sheet, no text on another."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from verified_alloc import Station, cli
from verified_alloc.station.wiring_drawing import wiring_picture
from verified_alloc.station.wiring_list import wiring_list

SVG = "{http://www.w3.org/2000/svg}"


def some_station(**changes: object) -> Station:
    about = {"guns": 6, "modules": 9, "module_power_kw": 40, "gun_max_power_kw": 240, **changes}
    return Station.from_tables({"station": about})


RING = Station.from_tables(
    {
        "station": {"guns": 12, "modules": 24, "module_power_kw": 40, "gun_max_power_kw": 240},
        "matrix": {"kind": "ring"},
        "hardware": {
            "i2c_bus": [0, 1],
            "output_expanders": [[0x20, 0x21, 0x22], [0x20, 0x21, 0x22]],
            "feedback_expanders": [[0x24, 0x25, 0x26], [0x24, 0x25, 0x26]],
            "enable_pins": [*range(9, 14), *range(16, 25), *range(30, 34), *range(37, 43)],
            "status_pins": [],
        },
    }
)
SPLIT = Station.from_tables(
    RING.to_tables()
    | {
        "station": {"guns": 6, "modules": 9, "module_power_kw": 40, "gun_max_power_kw": 240},
        "matrix": {},
        "hardware": {
            "i2c_bus": [1, 3, 11],
            "output_expanders": [[0x20, 0x21, 0x22, 0x23], [], []],
            "feedback_expanders": [[], [0x20, 0x21], [0x20, 0x21]],
            "enable_pins": list(range(30, 39)),
            "status_pins": [*range(39, 46), 28, 29],
        },
    }
)
STATIONS = [
    RING,
    SPLIT,
    some_station(),
    some_station(guns=1, modules=1, name="a < b & 'c'"),
    some_station(guns=7, modules=8),
    some_station(guns=2, modules=9, name="a name that is much longer than others are"),
]


def texts(station: Station) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(wiring_picture(station)).iter(f"{SVG}text"))


@pytest.mark.parametrize("station", STATIONS)
def test_every_wire_is_drawn(station: Station) -> None:
    told = [element.text for element in texts(station)]
    rows = wiring_list(station)
    for row in rows:
        # At its pins, and in the matrix.
        assert told.count(f"K{row.contactor}") == 2
        assert f"{row.output_expander} {row.pin[2:]}" in told
        assert f"enable PM{row.module}  BCM {row.enable_bcm}" in told
        assert (f"status PM{row.module}  BCM {row.status_bcm}" in told) == bool(row.status_bcm)
    assert {rows[0].output_expander, rows[-1].feedback_expander} <= set(told)
    assert f"at least {station.timing.current_decay_ms} ms" in told
    assert station.name in told
    for bus in station.hardware.i2c_buses:
        assert f"I2C bus {bus}: SDA, SCL, 400 kHz" in told


@pytest.mark.parametrize("station", STATIONS)
def test_nothing_leaves_the_sheet_or_lies_on_another_text(station: Station) -> None:
    boxes = []
    drawn = ElementTree.fromstring(wiring_picture(station))
    width, height = map(float, drawn.get("viewBox", "").split()[2:])
    for element in drawn.iter(f"{SVG}text"):
        size, x, y = (float(element.get(name, "0")) for name in ("font-size", "x", "y"))
        wide = 0.66 * size * len(element.text or "")  # of DejaVu Sans, rather too much
        left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor", "")] * wide
        assert left > 7
        assert left + wide < width - 7, element.text
        assert 7 < y < height - 7
        assert size >= 1.2
        boxes.append((left, y - 0.7 * size, left + 0.85 * wide, y, element.text))
    for n, (left, top, right, bottom, text) in enumerate(boxes):
        for other_left, other_top, other_right, other_bottom, other in boxes[:n]:
            apart = (
                left >= other_right
                or other_left >= right
                or top >= other_bottom
                or other_top >= bottom
            )
            assert apart, (text, other)


def junctions(station: Station) -> list[tuple[float, float]]:
    """Where an expander's wire meets the line of its bus."""
    circles = ElementTree.fromstring(wiring_picture(station)).iter(f"{SVG}circle")
    dots = (each for each in circles if each.get("r") == "0.8")
    return [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in dots]


def test_each_expander_hangs_on_the_line_of_its_bus() -> None:
    assert junctions(some_station()) == []
    coils, contacts = junctions(SPLIT)[::2], junctions(SPLIT)[1::2]
    assert [x for x, _ in coils] == sorted(x for x, _ in coils)
    (bus_1,) = {y for _, y in coils}
    (bus_3,), (bus_11,) = ({y for _, y in half} for half in (contacts[:2], contacts[2:]))
    assert bus_1 < bus_3 < bus_11
    lines = ElementTree.fromstring(wiring_picture(SPLIT)).iter(f"{SVG}line")
    level = {float(each.get("y1", "")) for each in lines if each.get("x1") == "88.00"}
    assert level == {bus_1, bus_3, bus_11}


@pytest.mark.parametrize(
    ("guns", "modules", "sheet"),
    [
        (6, 9, "A3"),  # 4 pairs of expanders
        (6, 10, "A2"),
        (6, 14, "A2"),  # 6
        (6, 15, "A1"),
        (6, 21, "A1"),  # 9
        (6, 22, "A0"),
        (6, 33, "2A0"),
        (12, 37, "off a roll"),
    ],
)
def test_the_sheet_is_as_large_as_its_expanders_need(guns: int, modules: int, sheet: str) -> None:
    buses = list(range(8))
    lines = [pin for pin in range(4, 46) if pin not in (14, 15, 25, 26, 27)]
    station = Station.from_tables(
        {
            "station": {
                "guns": guns, "modules": modules, "module_power_kw": 1, "gun_max_power_kw": 1
            },
            "hardware": {
                "i2c_bus": buses,
                "output_expanders": [[0x20, 0x21, 0x22, 0x23] for _ in buses],
                "feedback_expanders": [[0x24, 0x25, 0x26, 0x27] for _ in buses],
                "enable_pins": lines[:modules],
                "status_pins": [],
            },
        }
    )  # fmt: skip
    assert f"1 of 1, {sheet}" in [element.text for element in texts(station)]


def test_the_command_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["wiring", "--svg", str(tmp_path / "w.svg")]) == 0
    assert "1:1" in capsys.readouterr().out
    drawn = (tmp_path / "w.svg").read_text()
    assert drawn == wiring_picture(Station.reference())
    assert re.search(r'width="420mm" height="297mm"', drawn)


def test_the_one_in_the_docs_is_up_to_date() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert (docs / "wiring.svg").read_text() == wiring_picture(Station.reference())
