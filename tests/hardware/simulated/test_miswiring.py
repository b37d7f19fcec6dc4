"""Mistakes in the wiring: they are what they say, seen at the pins."""

import pytest

from hardware.simulated import miswiring
from verified_alloc import Station
from verified_alloc.control.assembly import simulated_charger

STATION = Station.reference()


@pytest.fixture
def charger():
    return simulated_charger(STATION)


def wired(charger, text: str) -> None:
    miswiring.apply(miswiring.parse(text), charger)


def latched(charger, address: int, word: int) -> set[tuple[int, int]]:
    charger.bus.chips[address].driven(word, "command")
    return {pair for pair, c in charger.cabinet.contactors.items() if c.latched}


def test_swapped_coils(charger):
    wired(charger, "swapped-coils 2:1 3:3")
    assert latched(charger, 0x20, 0b10) == {(3, 3)}
    assert latched(charger, 0x20, 0) == set()
    assert latched(charger, 0x21, 0b1) == {(2, 1)}


def test_swapped_contacts(charger):
    wired(charger, "swapped-contacts 2:1 3:3")
    charger.cabinet.contactors[2, 1].aux_fault = "aux-stuck-closed"
    charger.cabinet._refresh_aux(charger.cabinet.contactors[2, 1])
    fresh = simulated_charger(STATION).cabinet
    assert charger.cabinet.floating_word(0) == fresh.floating_word(0)
    assert charger.cabinet.floating_word(1) == fresh.floating_word(1) | 1


def test_swapped_straps(charger):
    wired(charger, "swapped-straps 0x20 0x23")
    assert latched(charger, 0x23, 1) == {(1, 1)}


def test_swapped_lines(charger):
    wired(charger, "swapped-enables 1 9")
    charger.pins.driven(16, True, "command")
    assert [unit.id for unit in charger.cabinet.modules if unit.wire] == [9]
    wired(charger, "swapped-statuses 2 3")
    charger.cabinet.modules[1].running = charger.cabinet.modules[1].risen = True
    assert (charger.pins.read(5, False), charger.pins.read(6, False)) == (False, True)


@pytest.mark.parametrize(
    "text",
    ["", "swapped-coils", "swapped-coils 1:1 2:1 3:1", "swapped-straps 0x20 0x30", "weld 1:1 2:1"],
)
def test_what_is_not_understood(text):
    with pytest.raises(ValueError, match="not understood; allowed: swapped-straps ADDRESS ADDRESS"):
        miswiring.parse(text)


@pytest.mark.parametrize(
    "text",
    ["swapped-coils 1:1 7:1", "swapped-contacts 0x 1:1", "swapped-enables 1 10"],
)
def test_what_there_is_not(charger, text):
    with pytest.raises(ValueError, match="fault"):
        wired(charger, text)
