"""How a process takes the wires and lets go of them, on the simulated charger."""

from dataclasses import replace

import pytest
from stations import tables
from sweep.stations import REFERENCE, without_status_inputs
from sweep.working_station import WorkingStation

from hardware import bus_time, clock
from hardware.modules import claim_input
from hardware.simulated.pins import RELEASED, CabinetPins
from verified_alloc.control.assembly import check_scan_time, controlled
from verified_alloc.decide.demand import DemandProcessor
from verified_alloc.errors import BadInput, HardwareError
from verified_alloc.station.model import Station

DEMANDS_KW = {1: 240, 2: 120}
FED = {1: (1, 2, 3, 4, 5, 6), 2: (7, 8, 9)}


def feeding(at_work: WorkingStation) -> None:
    at_work.ask(DEMANDS_KW)
    assert at_work.go_on(6, until=lambda: at_work.feeds(FED))


class _Crash(Exception):
    pass


def falls_of_a_crash(station: Station, monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """When the process dies of an error of its own under load: by line, when it falls, in us from
    then."""
    fell_us: dict[int, int] = {}
    moves = CabinetPins._moves

    def noting(pins: CabinetPins, line: int, was: bool, level: bool, cause: str) -> None:
        if not level and (was or cause == RELEASED):
            fell_us.setdefault(line, pins._cabinet.now_us)
        moves(pins, line, was, level, cause)

    with WorkingStation(station) as at_work:
        feeding(at_work)
        died_us = at_work.cabinet.now_us
        monkeypatch.setattr(CabinetPins, "_moves", noting)
        with pytest.raises(_Crash):
            at_work.crash(_Crash())
        return {line: at_us - died_us for line, at_us in fell_us.items()}


@pytest.mark.parametrize("station", [REFERENCE, without_status_inputs()], ids=["status", "blind"])
def test_on_a_crash_enables_fall_first_and_reset_when_no_current_flows(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins, decay_us = station.hardware, station.timing.current_decay_ms * 1000
    fell_us = falls_of_a_crash(station, monkeypatch)
    assert {fell_us[line] for line in pins.enable_pins} == {0}
    assert fell_us[pins.reset_pin] >= decay_us
    assert fell_us[pins.watchdog_pin] >= decay_us


def test_where_the_supervision_cannot_be_had_no_line_stays_taken() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.kill()
        taken = claim_input("taken", REFERENCE.hardware.estop_pin)
        demands = DemandProcessor(REFERENCE)
        process = controlled(REFERENCE, demands, lambda *_: None, lambda _: None, clock.now_s)
        with pytest.raises(HardwareError, match="emergency stop input"):
            process.__enter__()
        taken.close()
        at_work.start()
        feeding(at_work)


@pytest.mark.parametrize("strict", [True, False], ids=["strict kernel", "levels kept"])
def test_a_process_that_comes_back_in_time_finds_its_contactors_closed(strict: bool) -> None:
    with WorkingStation(REFERENCE) as at_work:
        feeding(at_work)
        operations = at_work.operations
        for away_s in (0.0, 0.05):
            at_work.kill(strict)
            at_work.charger.time.sleep_s(away_s)
            at_work.start()
            feeding(at_work)
        assert at_work.operations == operations
        assert at_work.monitor.broken_current_a == 0
        assert not at_work.monitor.violations


@pytest.mark.parametrize("strict", [True, False], ids=["strict kernel", "levels kept"])
def test_contactors_of_a_process_that_stays_away_open_without_current(strict: bool) -> None:
    quick = replace(REFERENCE, timing=replace(REFERENCE.timing, current_decay_ms=350))
    with WorkingStation(quick) as at_work:
        feeding(at_work)
        at_work.kill(strict)
        at_work.charger.time.sleep_s(5)
        assert not at_work.closed
        assert at_work.monitor.broken_current_a == 0
        at_work.start()
        feeding(at_work)
        assert not at_work.monitor.violations


@pytest.mark.parametrize(
    ("i2c_bus", "rates_hz", "told"),
    [
        (1, {1: 400_000}, "7, the time that a scan takes on I2C bus 1 at 400 kHz"),
        (1, {}, "7, the time that a scan takes on I2C bus 1 at 400 kHz"),
        ([1, 3], {1: 400_000, 3: 100_000}, "16, the time that a scan takes on I2C buses 1 and 3"),
        ([3, 1], {3: 1_000_000}, "6, the time that a scan takes on I2C buses 3 and 1 at 1000 and"),
    ],
)
def test_a_scan_shorter_than_its_time_on_all_buses_is_refused(
    monkeypatch: pytest.MonkeyPatch, i2c_bus: object, rates_hz: dict[int, int], told: str
) -> None:
    """A speed that the kernel does not tell is taken for 400 kHz."""
    monkeypatch.setattr(bus_time, "bit_rate_hz", rates_hz.get)
    coils, contacts = [0x20, 0x21, 0x22, 0x23], [0x24, 0x25, 0x26, 0x27]
    keys = {"output_expanders": coils, "feedback_expanders": contacts}
    if isinstance(i2c_bus, list):
        keys = {"output_expanders": [coils, []], "feedback_expanders": [[], contacts]}
    needed_ms = int(told.partition(",")[0])
    station = Station.from_tables(tables(hardware={"i2c_bus": i2c_bus, **keys}))
    fits, short = (
        replace(station, timing=replace(station.timing, scan_ms=scan_ms))
        for scan_ms in (needed_ms, needed_ms - 1)
    )
    check_scan_time(fits)
    with pytest.raises(BadInput) as refused:
        check_scan_time(short)
    at_least = f"timing.scan_ms = {needed_ms - 1}: allowed is at least {told}"
    assert str(refused.value).startswith(at_least)
