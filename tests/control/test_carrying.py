"""What the scan observes of bank and lines, and its effects on them: real drivers, mock pins."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
from stations import tables
from sweep.stations import REFERENCE

from hardware import clock
from hardware.contactors import BankReading
from hardware.modules import LineReading, PowerModuleController
from hardware.simulated.bus import BusFault, SimulatedBus
from hardware.simulated.virtual_time import VirtualTime
from hardware.supervision import Supervision
from verified_alloc.control.wires import Wires, bank_of, layout_of
from verified_alloc.kernel import wiring
from verified_alloc.kernel.diagnosis import Readings, Timing
from verified_alloc.kernel.scan import Abandon, Disable, Enable, Pet, Write
from verified_alloc.station.model import Station

# Contactors, module by module: 1:1, 2:1, 1:2, 2:3. Fourteen more modules on gun 1 reach into a
# second expander; 13, on gun 2 too, is the one that both carry.
REACH = {"1": [1, 2, *range(4, 18)], "2": [1, 3, 13]}
CONTACTORS = 19
ENABLES, STATUSES = [16, 17, 18], [4, 5, 6]
OUTPUTS, FEEDBACK = (0x20, 0x21), (0x24, 0x25)
WATCHDOG = 26
SCAN_MS = 20
EVER_MS = 10**9
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
        self.station = station = Station.from_tables(
            tables(
                station=about,
                matrix={"kind": "list", "reach": REACH},
                hardware={"output_expanders": OUTPUTS, "feedback_expanders": FEEDBACK},
            )
        )
        self.contactors = station.contactors
        self.lines = PowerModuleController(ENABLES, STATUSES)
        self.bank = bank_of(station)
        self.supervision = Supervision(layout_of(station))
        self.wires = Wires(station, self.bank, self.lines, self.supervision, {})

    def readings(self, lines: LineReading, bank: BankReading) -> Sequence[Readings]:
        return self.wires.observed(lines, bank, False, 0, SCAN_MS, 1).modules

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


def bits(*ones: int, of: int = CONTACTORS) -> tuple[bool, ...]:
    return tuple(number in ones for number in range(of))


def bank(
    latch: Sequence[bool] = bits(),
    closed: Sequence[bool] = bits(),
    again: Sequence[bool] = bits(),
    answered: tuple[bool, ...] = (True, True),
) -> BankReading:
    nothing = (False, False)
    words = [
        tuple(sum(bit << at for at, bit in enumerate(word)) for word in wiring.words(tuple(each)))
        for each in (latch, closed, again)
    ]
    return BankReading(answered, nothing, nothing, nothing, nothing, *words)


def lines(
    enabled: Sequence[bool], high: Sequence[bool] = (), on: Sequence[bool] = ()
) -> LineReading:
    return LineReading(tuple(enabled), tuple(high or enabled), tuple(on or enabled))


def test_each_contactor_is_read_where_it_is(rig: Rig) -> None:
    nothing = lines(bits(of=17))
    for number, (gun, module) in enumerate(rig.contactors):
        for place, kind in enumerate(("latch", "closed", "closed_again")):
            shown = [bits(number) if each == place else bits() for each in range(3)]
            readings = rig.readings(nothing, bank(*shown))
            seen = {
                (which, each + 1, of + 1)
                for of, reading in enumerate(readings)
                for which in ("latch", "closed", "closed_again")
                for each, bit in enumerate(getattr(reading, which))
                if bit
            }
            assert seen == {(kind, gun, module)}


def test_where_there_is_no_contactor_nothing_is_closed(rig: Rig) -> None:
    everything = bits(*range(CONTACTORS))
    readings = rig.readings(lines(bits(of=17)), bank(everything, everything, everything))
    for which in ("latch", "closed", "closed_again"):
        seen = [getattr(reading, which) for reading in readings]
        assert seen[:3] == [[True, True], [True, False], [False, True]]


def test_the_lines_are_read_module_by_module(rig: Rig) -> None:
    readings = rig.readings(lines(bits(1, of=17), bits(2, of=17), bits(0, of=17)), bank())
    assert [reading.enabled for reading in readings] == list(bits(1, of=17))
    assert [reading.reports_on for reading in readings] == list(bits(0, of=17))


def test_a_line_told_high_is_enabled_whatever_holds_it_low(rig: Rig) -> None:
    rig.lines.enable(2)
    rig.pins.pin(ENABLES[1]).state = False
    read = rig.lines.read()
    wide = LineReading(*(each + bits(of=14) for each in read))
    assert rig.readings(wide, bank())[1].enabled


def test_a_module_is_valid_where_its_chips_answered(rig: Rig) -> None:
    nothing = lines(bits(of=17))
    assert all(reading.valid for reading in rig.readings(nothing, bank()))
    half = rig.readings(nothing, bank(answered=(True, False)))
    assert [reading.valid for reading in half] == [True] * 12 + [False] * 5
    other = rig.readings(nothing, bank(answered=(False, True)))
    assert [reading.valid for reading in other] == [False] * 13 + [True] * 4


def test_what_else_is_observed(rig: Rig) -> None:
    """By expander; what answered has obeyed only if it also took what was written last."""
    of = bank()._replace(
        answered=(True, True),
        heeded=(True, False),
        seen=(False, True),
        doubted=(True, False),
        lost=(False, True),
    )
    observed = rig.wires.observed(lines(bits(of=17), bits(3, of=17)), of, True, 7, 40, 2)
    assert observed.obeyed == [True, False]
    assert observed.contacts_read == (False, True)
    assert observed.coils_doubted == (True, False)
    assert observed.misconfigured == (False, True)
    assert observed.line_high == bits(3, of=17)
    assert (observed.stop_pressed, observed.begun_ms) == (True, 7)
    assert (observed.elapsed_ms, observed.scans) == (40, 2)
    deaf = rig.wires.observed(
        lines(bits(of=17)), of._replace(answered=(False, True), heeded=(True, True)), False, 7, 0, 1
    )
    assert deaf.obeyed == [False, True]
    assert not deaf.stop_pressed


def test_a_write_is_verified_expander_by_expander(rig: Rig) -> None:
    rig.bank.open()
    rig.bank.start()
    assert rig.wires.carry([Write(wiring.words(bits(0, 17)), EVER_MS)]) == [True, True]
    assert [rig.bus.chips[at].word for at in OUTPUTS] == [1 << 0, 1 << 3]
    rig.bus.inject(BusFault("drop_write", OUTPUTS[1], count=None))
    assert rig.wires.carry([Write(wiring.words(bits(1)), EVER_MS)]) == [True, False]
    assert rig.bus.chips[OUTPUTS[0]].word == 1 << 1


def test_coils_that_an_earlier_process_left_on_stay_on_where_a_contactor_is(rig: Rig) -> None:
    no_contactor = 0x20
    for left in ((0x7F7F, 0x1F), (0, no_contactor)):
        rig.bank.open()
        rig.bank.start()
        rig.bank.write(left)
        rig.bank.close()
        rig.bank = bank_of(rig.station)
        rig.bank.open()
        rig.bank.start()
        words = [rig.bus.chips[at].word for at in OUTPUTS]
        assert words == [left[0], left[1] & ~no_contactor]
        rig.bank.close()


@pytest.mark.parametrize(("scan_ms", "scans"), [(10, 8), (20, 8), (50, 8), (100, 4), (250, 2)])
def test_every_chip_is_looked_over_within_half_a_second(scan_ms: int, scans: int) -> None:
    timing = replace(REFERENCE.timing, scan_ms=scan_ms)
    assert bank_of(replace(REFERENCE, timing=timing)).scrub_scans == scans


def test_a_quick_look_shows_the_contact_of_one_contactor(rig: Rig) -> None:
    rig.bank.open()
    rig.bank.start()
    for number in range(CONTACTORS):
        rig.wires.carry([Write(wiring.words(bits(number)), EVER_MS)])
        assert [rig.wires.contact(each) for each in range(CONTACTORS)] == list(bits(number))
    rig.bus.inject(BusFault("nack", FEEDBACK[1], count=None))
    assert [rig.wires.contact(each) for each in (13, 14)] == [False, None]


@pytest.mark.parametrize("lost", [(False, True), (True, False), (True, True), (False, False)])
def test_an_abandoned_expander_is_written_no_more(rig: Rig, lost: tuple[bool, bool]) -> None:
    rig.bank.open()
    rig.bank.start()
    rig.wires.carry([Abandon(lost)])
    verified = [not each for each in lost]
    assert rig.wires.carry([Write(wiring.words(bits(0, 14)), EVER_MS)]) == verified
    assert [bool(rig.bus.chips[at].word) for at in OUTPUTS] == verified


def test_lines_fall_and_rise_in_the_order_of_the_effects(rig: Rig) -> None:
    rig.wires.carry([Enable([True, True, False], EVER_MS)])
    assert rig.levels() == [True, True, False]
    rig.wires.carry([Disable([True, False, True]), Enable([False, False, True], EVER_MS)])
    assert rig.levels() == [False, True, True]
    rig.wires.carry([Enable([True, False, False], EVER_MS), Disable([True, False, False])])
    assert rig.levels() == [False, True, True]


def test_what_comes_too_late_closes_and_enables_nothing(rig: Rig) -> None:
    """At the last millisecond it still does; what opens and what falls always does."""
    rig.bank.open()
    rig.bank.start()
    rig.time.sleep_s(1.0 - clock.now_s())
    rig.wires.carry([Write(wiring.words(bits(0)), 1000), Enable([True, False, False], 1000)])
    assert [rig.bus.chips[at].word for at in OUTPUTS] == [1, 0]
    assert rig.levels() == [False] * 3  # the write took its time
    assert rig.wires.carry([Write(wiring.words(bits(14)), 1000)]) == [True, True]
    assert [rig.bus.chips[at].word for at in OUTPUTS] == [0, 0]
    rig.time.sleep_s(60)
    rig.wires.carry([Enable([True] * 3, round(clock.now_s() * 1000) + 1)])
    rig.wires.carry([Disable([True, False, False]), Enable([True, False, False], 1000)])
    assert rig.levels() == [False, True, True]


def test_a_line_falls_whatever_it_reads(rig: Rig) -> None:
    """One that something holds low would rise again once it is let go."""
    rig.wires.carry([Enable([True, True, False], EVER_MS)])
    rig.pins.pin(ENABLES[0]).state = False
    rig.wires.carry([Disable([True, True, False])])
    assert rig.lines.read().enabled == (False, False, False)


def test_a_line_that_no_effect_names_is_left_alone(rig: Rig) -> None:
    for number in ENABLES:
        rig.pins.pin(number).clear_states()
    rig.wires.carry([Disable([False, False, False]), Enable([False, False, False], EVER_MS)])
    assert all(len(rig.pins.pin(number).states) == 1 for number in ENABLES)


def test_the_watchdog_is_fed_only_when_it_is_due(rig: Rig) -> None:
    pin = rig.pins.pin(WATCHDOG)
    before = pin.state
    rig.wires.carry([Pet(False)])
    assert pin.state == before
    rig.wires.carry([Pet(True)])
    assert pin.state != before


@pytest.mark.parametrize(("decay_ms", "scans"), [(200, 10), (201, 11)])
def test_the_start_waits_for_the_whole_decay_once_all_are_off(
    rig: Rig, decay_ms: int, scans: int
) -> None:
    timing = TIMING._replace(current_decay_ms=decay_ms)
    assert rig.wires.wait_until_off(timing, SCAN_MS) == (False,) * 3
    assert rig.time.now_us == scans * SCAN_MS * 1000


@pytest.mark.parametrize(("decay_ms", "scans"), [(200, 10), (201, 11)])
@pytest.mark.parametrize("on_from_us", [0, 100_000])
def test_the_start_counts_the_decay_anew_while_a_module_is_on(
    rig: Rig, on_from_us: int, decay_ms: int, scans: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, sleep_s = rig.pins.pin(STATUSES[1]), clock.sleep_s

    def sleep(for_s: float) -> None:
        sleep_s(for_s)
        if on_from_us <= rig.time.now_us < 300_000:
            status.drive_high()
        else:
            status.drive_low()

    monkeypatch.setattr(clock, "sleep_s", sleep)
    timing = TIMING._replace(current_decay_ms=decay_ms)
    assert rig.wires.wait_until_off(timing, SCAN_MS) == (False,) * 3
    assert rig.time.now_us == 300_000 + (scans - 1) * SCAN_MS * 1000


def test_the_start_does_not_wait_for_ever(rig: Rig) -> None:
    rig.pins.pin(STATUSES[2]).drive_high()
    assert rig.wires.wait_until_off(TIMING, SCAN_MS) == (False, False, True)
    assert rig.time.now_us == 1_200_000
