"""Readings of modules from the bank and the lines, and what is told to the lines, on mock pins."""

from collections.abc import Iterator, Sequence

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
from stations import tables

from hardware import clock
from hardware.contactors import BankReading, ContactorController
from hardware.modules import LineReading, PowerModuleController
from hardware.simulated.bus import BusFault, SimulatedBus
from hardware.simulated.virtual_time import VirtualTime
from verified_alloc.control.wires import Wires
from verified_alloc.kernel.diagnosis import Timing
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station

# Contactors, module by module: 1:1, 2:1, 1:2, 2:3. Fourteen more modules on gun 1 alone reach into
# a second expander.
REACH = {"1": [1, 2, *range(4, 18)], "2": [1, 3]}
ENABLES, STATUSES = [16, 17, 18], [4, 5, 6]
OUTPUTS, FEEDBACK = (0x20, 0x21), (0x24, 0x25)
SCAN_MS = 20
TIMING = Timing(200, 1000, 1000, 40, 40, 16, 16)


class Rig:
    """Three lines on mock pins, and a bank of two output and two feedback chips whose contacts
    follow the coils at once."""

    def __init__(self, pins: MockFactory) -> None:
        self.pins = pins
        self.time = VirtualTime()
        self.bus = SimulatedBus(self.time, OUTPUTS, FEEDBACK)
        for output, feedback in zip(OUTPUTS, FEEDBACK, strict=True):
            chip = self.bus.chips[output]
            self.bus.chips[feedback].floating = lambda chip=chip: chip.word
        about = {"guns": 2, "modules": 17, "module_power_kw": 40, "gun_max_power_kw": 240}
        station = Station.from_tables(
            tables(station=about, matrix={"kind": "list", "reach": REACH})
        )
        self.contactors = station.contactors
        self.lines = PowerModuleController(ENABLES, STATUSES)
        self.bank = ContactorController(station.contactors, OUTPUTS, FEEDBACK, 1)
        self.wires = Wires(station, self.bank, self.lines)

    def levels(self) -> list[bool]:
        return [bool(self.pins.pin(number).state) for number in ENABLES]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    factory = MockFactory()
    monkeypatch.setattr(Device, "pin_factory", factory)
    made = Rig(factory)
    monkeypatch.setattr(clock, "now_s", made.time.now_s)
    monkeypatch.setattr(clock, "sleep_s", made.time.sleep_s)
    with made.bus.installed():
        yield made
        made.bank.close()
    factory.reset()


def bits(*ones: int, of: int = 18) -> tuple[bool, ...]:
    return tuple(number in ones for number in range(of))


def bank(
    latch: Sequence[bool] = bits(),
    closed: Sequence[bool] = bits(),
    again: Sequence[bool] = bits(),
    answered: tuple[bool, ...] = (True, True),
) -> BankReading:
    nothing = (False, False)
    return BankReading(
        answered, nothing, nothing, nothing, nothing, tuple(latch), tuple(closed), tuple(again)
    )


def lines(
    enabled: Sequence[bool], high: Sequence[bool] = (), on: Sequence[bool] = ()
) -> LineReading:
    return LineReading(tuple(enabled), tuple(high or enabled), tuple(on or enabled))


def test_each_contactor_is_read_where_it_is(rig: Rig) -> None:
    nothing = lines(bits(of=17))
    for number, (gun, module) in enumerate(rig.contactors):
        for place, kind in enumerate(("latch", "closed", "closed_again")):
            shown = [bits(number) if each == place else bits() for each in range(3)]
            readings = rig.wires.readings(nothing, bank(*shown))
            seen = {
                (which, each + 1, of + 1)
                for of, reading in enumerate(readings)
                for which in ("latch", "closed", "closed_again")
                for each, bit in enumerate(getattr(reading, which))
                if bit
            }
            assert seen == {(kind, gun, module)}


def test_where_there_is_no_contactor_nothing_is_closed(rig: Rig) -> None:
    everything = bits(*range(18))
    readings = rig.wires.readings(lines(bits(of=17)), bank(everything, everything, everything))
    for which in ("latch", "closed", "closed_again"):
        seen = [getattr(reading, which) for reading in readings]
        assert seen[:3] == [[True, True], [True, False], [False, True]]


def test_the_lines_are_read_module_by_module(rig: Rig) -> None:
    readings = rig.wires.readings(lines(bits(1, of=17), bits(2, of=17), bits(0, of=17)), bank())
    assert [reading.enabled for reading in readings] == list(bits(1, of=17))
    assert [reading.reports_on for reading in readings] == list(bits(0, of=17))


def test_a_line_told_high_is_enabled_whatever_holds_it_low(rig: Rig) -> None:
    rig.lines.enable(2)
    rig.pins.pin(ENABLES[1]).state = False
    read = rig.lines.read()
    wide = LineReading(*(each + bits(of=14) for each in read))
    assert rig.wires.readings(wide, bank())[1].enabled


def test_a_module_is_valid_where_its_chips_answered(rig: Rig) -> None:
    nothing = lines(bits(of=17))
    assert all(reading.valid for reading in rig.wires.readings(nothing, bank()))
    half = rig.wires.readings(nothing, bank(answered=(True, False)))
    assert [reading.valid for reading in half] == [True] * 13 + [False] * 4
    other = rig.wires.readings(nothing, bank(answered=(False, True)))
    assert [reading.valid for reading in other] == [False] * 13 + [True] * 4


def test_coils_of_modules_that_may_not_switch_stay_as_their_latch(rig: Rig) -> None:
    """Module by module its own writes, gun by gun."""
    for number, (gun, module) in enumerate(rig.contactors):
        coils = [[False, False] for _ in range(17)]
        coils[module - 1][gun - 1] = True
        may = [Writes(False, True, each) for each in coils]
        assert rig.wires.coils(bank(bits()), may) == bits(number)
        may_not = [Writes(True, False, each) for each in coils]
        assert rig.wires.coils(bank(bits(3, 5)), may_not) == bits(3, 5)
        mixed = [*may[: module - 1], may_not[module - 1], *may[module:]]
        assert rig.wires.coils(bank(bits(*range(18))), mixed)[number]


def test_a_write_is_verified_module_by_module(rig: Rig) -> None:
    rig.bank.open()
    rig.bank.start()
    assert rig.wires.write(bits(0, 17), 2) == [True] * 17
    assert [rig.bus.chips[at].word for at in OUTPUTS] == [1 << 0, 1 << 3]
    rig.bus.inject(BusFault("drop_write", OUTPUTS[1], count=None))
    assert rig.wires.write(bits(1), 2) == [True] * 13 + [False] * 4
    assert rig.bus.chips[OUTPUTS[0]].word == 1 << 1


def test_lines_that_shall_not_be_up_are_dropped(rig: Rig) -> None:
    for module in (1, 2):
        rig.lines.enable(module)
    rig.wires.disable(rig.lines.read(), [True, False, False])
    assert rig.levels() == [True, False, False]


def test_a_line_told_high_is_dropped_though_it_reads_low(rig: Rig) -> None:
    rig.lines.enable(1)
    rig.pins.pin(ENABLES[0]).state = False
    rig.wires.disable(rig.lines.read(), [False, False, False])
    assert not any(rig.lines.read().enabled)


def test_a_line_that_is_down_is_left_alone(rig: Rig) -> None:
    rig.pins.pin(ENABLES[2]).clear_states()
    rig.wires.disable(rig.lines.read(), [False, False, False])
    rig.lines.enable(2)
    rig.pins.pin(ENABLES[1]).clear_states()
    rig.wires.enable(rig.lines.read(), [False, True, False])
    assert all(len(rig.pins.pin(ENABLES[line]).states) == 1 for line in (1, 2))


def test_lines_that_shall_be_up_are_raised(rig: Rig) -> None:
    rig.lines.enable(1)
    rig.wires.enable(rig.lines.read(), [False, True, False])
    assert rig.levels() == [True, True, False]


def test_a_line_is_raised_whatever_the_module_reports(rig: Rig) -> None:
    rig.pins.pin(STATUSES[0]).drive_high()
    rig.wires.enable(rig.lines.read(), [True, False, False])
    assert rig.levels() == [True, False, False]


def test_every_module_knows_the_contactors_that_carry_it(rig: Rig) -> None:
    assert rig.wires.carried == [[0, 1], [2], [3], *[[number] for number in range(4, 18)]]


def test_a_line_told_high_is_raised_again_where_it_reads_low(rig: Rig) -> None:
    rig.lines.enable(3)
    rig.pins.pin(ENABLES[2]).state = False
    rig.wires.enable(rig.lines.read(), [False, False, True])
    assert rig.levels() == [False, False, True]


def test_the_start_waits_for_the_whole_decay_once_all_are_off(rig: Rig) -> None:
    assert rig.wires.wait_until_off(TIMING, SCAN_MS) == (False,) * 3
    assert rig.time.now_us == 200_000


def test_the_start_counts_the_decay_anew_while_a_module_is_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.pins.pin(STATUSES[1]).drive_high()
    sleep_s = clock.sleep_s

    def sleep(for_s: float) -> None:
        sleep_s(for_s)
        if rig.time.now_us >= 300_000:
            rig.pins.pin(STATUSES[1]).drive_low()

    monkeypatch.setattr(clock, "sleep_s", sleep)
    assert rig.wires.wait_until_off(TIMING, SCAN_MS) == (False,) * 3
    assert rig.time.now_us == 300_000 + 200_000 - 20_000


def test_the_start_does_not_wait_for_ever(rig: Rig) -> None:
    rig.pins.pin(STATUSES[2]).drive_high()
    assert rig.wires.wait_until_off(TIMING, SCAN_MS) == (False, False, True)
    assert rig.time.now_us == 1_200_000
