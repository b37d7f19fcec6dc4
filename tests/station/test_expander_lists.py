"""Expanders on several buses: how a station file lists them, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stations import tables

from verified_alloc import BadInput, Station, cli
from verified_alloc.station.parts import Expander, Hardware

TWO = {
    "i2c_bus": [1, 3],
    "output_expanders": [[0x20, 0x21], [0x20]],
    "feedback_expanders": [[], [0x24, 0x25, 0x26]],
}


def hardware(**keys: Any) -> Hardware:
    return Station.from_tables(tables(hardware=keys)).hardware


def test_positions_count_through_the_buses_in_order() -> None:
    told = hardware(**TWO)
    assert told.i2c_buses == (1, 3)
    assert told.output_expanders == (Expander(1, 0x20), Expander(1, 0x21), Expander(3, 0x20))
    assert told.feedback_expanders == tuple(Expander(3, at) for at in (0x24, 0x25, 0x26))
    assert [told.output_name(position) for position in range(3)] == ["1:0x20", "1:0x21", "3:0x20"]
    assert told.feedback_name(2) == "3:0x26"
    assert told.buses_name == "I2C buses 1 and 3"
    turned = hardware(**TWO | {"i2c_bus": [3, 1]})
    assert [expander.bus for expander in turned.output_expanders] == [3, 3, 1]


def test_one_bus_in_a_list_is_one_bus() -> None:
    listed = hardware(
        i2c_bus=[1],
        output_expanders=[[0x20, 0x21, 0x22, 0x23]],
        feedback_expanders=[[0x24, 0x25, 0x26, 0x27]],
    )
    assert listed == hardware() == Station.reference().hardware
    assert listed.output_name(1) == "0x21"
    assert listed.buses_name == "I2C bus 1"


def test_the_default_addresses_are_on_whatever_bus() -> None:
    assert hardware(i2c_bus=7).output_expanders[3] == Expander(7, 0x23)


FOUR = [0x24, 0x25, 0x26, 0x27]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"i2c_bus": []}, "hardware.i2c_bus = []: allowed is a whole number, 0 to 255, or a list"),
        ({"i2c_bus": [1, 1]}, "hardware.i2c_bus = [1, 1]: allowed is"),
        ({"i2c_bus": [1, 256]}, "hardware.i2c_bus = [1, 256]: allowed is"),
        ({"i2c_bus": [1, True]}, "hardware.i2c_bus = [1, True]: allowed is"),
        ({"i2c_bus": [1, "3"]}, "hardware.i2c_bus = [1, '3']: allowed is"),
        # As many lists as buses, and nothing but lists.
        (
            {"i2c_bus": [1, 3, 4]},
            "hardware.output_expanders = [[32, 33], [32]]: allowed is a list of 3 lists of"
            " addresses, one for each bus of hardware.i2c_bus",
        ),
        ({"output_expanders": [0x20, 0x21]}, "hardware.output_expanders = [32, 33]: allowed is"),
        ({"output_expanders": [[0x20], 0x21]}, "output_expanders = [[32], 33]: allowed is a list"),
        ({"feedback_expanders": 0x24}, "hardware.feedback_expanders = 36: allowed is a list"),
        ({"i2c_bus": 1}, "hardware.output_expanders[1] = [32, 33]: allowed is addresses 0x20 to"),
        (
            {"i2c_bus": 1, "output_expanders": [0x20, [0x21]]},
            "hardware.output_expanders[2] = [33]: allowed is addresses 0x20 to 0x27",
        ),
        # Each address.
        (
            {"output_expanders": [[0x20, 0x28], [0x20]]},
            "hardware.output_expanders[1][2] = 40: allowed is addresses 0x20 to 0x27",
        ),
        ({"output_expanders": [[0x20, 0x21], [True]]}, "output_expanders[2][1] = True: allowed is"),
        (
            {"output_expanders": [[0x20], [0x21, 0x21]]},
            "hardware.output_expanders[2][2] = 0x21: already hardware.output_expanders[2][1];"
            " allowed is an address once on each bus",
        ),
        (
            {"feedback_expanders": [[0x20], [0x24, 0x25]]},
            "hardware.feedback_expanders[1][1] = 0x20: already hardware.output_expanders[1][1];",
        ),
        # As many of one kind as of the other, and at least one.
        (
            {"feedback_expanders": [[], [0x24]]},
            "hardware.feedback_expanders has 1 addresses: allowed are 3, one for each of",
        ),
        (
            {"output_expanders": [[], []], "feedback_expanders": [[], []]},
            "hardware.output_expanders = [[], []]: allowed is at least one address",
        ),
    ],
)
def test_what_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInput) as refused:
        hardware(**TWO | changes)
    assert said in str(refused.value)
    keys = "\n".join(f"{key} = {value}" for key, value in (TWO | changes).items())
    site = tmp_path / "site.toml"
    site.write_text(
        "[station]\nguns = 1\nmodules = 1\nmodule_power_kw = 40\ngun_max_power_kw = 40\n"
        f"[hardware]\n{keys.replace('True', 'true')}\n"
    )
    assert cli.main(["wiring", "--station", str(site)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"verified-alloc: station file {site}: {refused.value}"
    ]


def test_the_defaults_are_for_one_bus() -> None:
    with pytest.raises(BadInput, match=r"hardware\.output_expanders = \[32, 33, 34, 35\]: allowed"):
        hardware(i2c_bus=[1, 3])


@st.composite
def several(draw: st.DrawFn) -> dict[str, Any]:
    """Up to three buses, with as many expanders of one kind as of the other."""
    buses = draw(st.lists(st.integers(0, 255), min_size=1, max_size=3, unique=True))
    free = {bus: draw(st.permutations(range(0x20, 0x28))) for bus in buses}
    lists: dict[str, list[list[int]]] = {}
    for key in ("output_expanders", "feedback_expanders"):
        on = draw(st.lists(st.sampled_from(buses), min_size=4, max_size=4))
        lists[key] = [[free[bus].pop() for _ in range(on.count(bus))] for bus in buses]
    return {"i2c_bus": buses, **lists}


@given(keys=several())
def test_a_file_that_is_written_out_again_says_the_same(keys: dict[str, Any]) -> None:
    station = Station.from_tables(tables(hardware=keys))
    written = station.to_tables()
    assert Station.from_tables(written) == station
    if len(keys["i2c_bus"]) > 1:
        assert {key: written["hardware"][key] for key in keys} == keys
    else:
        assert written["hardware"]["i2c_bus"] == keys["i2c_bus"][0]
