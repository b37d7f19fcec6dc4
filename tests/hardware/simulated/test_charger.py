"""The whole simulated charger: its buses, and which faults can strike it."""

import pytest

from hardware.simulated import miswiring
from hardware.simulated.faults import parse
from verified_alloc import Station
from verified_alloc.control.assembly import simulated_charger

ONE = Station.reference()
TWO = Station.from_tables(
    {
        "station": {"guns": 6, "modules": 9, "module_power_kw": 40, "gun_max_power_kw": 240},
        "hardware": {
            "i2c_bus": [1, 3],
            "output_expanders": [[0x20, 0x21], [0x20, 0x21]],
            "feedback_expanders": [[0x24, 0x25], [0x24, 0x26]],
        },
    }
)
ALL_OF_TWO = "bus-1, bus-3, 1:0x20, 1:0x21, 1:0x24, 1:0x25, 3:0x20, 3:0x21, 3:0x24, 3:0x26"


@pytest.mark.parametrize("text", ["nack 0x21", "nack 1:0x21", "timeout", "timeout bus-1"])
def test_of_one_bus_the_number_may_be_said(text: str) -> None:
    charger = simulated_charger(ONE)
    charger.inject(parse(text))
    assert len(charger.bus._armed) == 1


@pytest.mark.parametrize("text", ["nack 3:0x26", "timeout bus-3"])
def test_of_several_the_one_that_is_said_is_struck_until_it_is_over(text: str) -> None:
    charger = simulated_charger(TWO)
    charger.inject(parse(f"{text} for 1s"))
    assert [len(bus._armed) for bus in charger.buses.values()] == [0, 1]
    charger.time.sleep_s(1)
    assert [len(bus._armed) for bus in charger.buses.values()] == [0, 0]


@pytest.mark.parametrize(
    ("station", "text", "what"),
    [
        (ONE, "nack 3:0x21", "no expander 0x21; allowed: 0x20, 0x21, 0x22, 0x23, 0x24,"),
        (ONE, "timeout bus-3", "no such bus; allowed: 0x20,"),
        (TWO, "nack 0x21", f"which bus is not said; allowed: {ALL_OF_TWO}"),
        (TWO, "timeout", f"which bus is not said; allowed: {ALL_OF_TWO}"),
        (TWO, "timeout bus-2", f"no such bus; allowed: {ALL_OF_TWO}"),
        (TWO, "nack 3:0x25", f"no expander 0x25; allowed: {ALL_OF_TWO}"),
    ],
)
def test_a_fault_of_a_part_that_is_not_there(station: Station, text: str, what: str) -> None:
    with pytest.raises(ValueError, match=f"^fault '{text}': {what}"):
        simulated_charger(station).check(parse(text))


def test_reset_is_common_to_all_buses() -> None:
    charger = simulated_charger(TWO)
    chips = [chip for bus in charger.buses.values() for chip in bus.chips.values()]
    for low in (True, False):
        charger.cabinet.reset_expanders(low, "reset")
        assert {chip.held_in_reset for chip in chips} == {low}


def test_straps_are_swapped_on_one_bus() -> None:
    charger = simulated_charger(TWO)
    miswiring.apply(miswiring.parse("swapped-straps 3:0x20 3:0x21"), charger)
    charger.buses[3].chips[0x20].driven(1, "command")
    coils = {pair for pair, c in charger.cabinet.contactors.items() if c.latched}
    assert coils == {(1, 8)}  # contactor 42: the first of the fourth pair
    for text in ("0x20 0x21", "1:0x20 3:0x21", "2:0x20 2:0x21"):
        with pytest.raises(ValueError, match="there is no one bus that both are on"):
            miswiring.apply(miswiring.parse(f"swapped-straps {text}"), charger)
