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


STATIONS = [
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
        assert f"status PM{row.module}  BCM {row.status_bcm}" in told
    assert {rows[0].output_expander, rows[-1].feedback_expander} <= set(told)
    assert f"at least {station.timing.current_decay_ms} ms" in told
    assert station.name in told


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


def test_the_command_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["wiring", "--svg", str(tmp_path / "w.svg")]) == 0
    assert "1:1" in capsys.readouterr().out
    drawn = (tmp_path / "w.svg").read_text()
    assert drawn == wiring_picture(Station.reference())
    assert re.search(r'width="420mm" height="297mm"', drawn)


def test_the_one_in_the_docs_is_up_to_date() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert (docs / "wiring.svg").read_text() == wiring_picture(Station.reference())
