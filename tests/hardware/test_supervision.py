"""Reset, watchdog and emergency stop on gpiozero's mock pins, judged by the pins."""

from collections.abc import Iterator

import pytest
from gpiozero import Device, OutputDevice
from gpiozero.pins.mock import MockFactory
from layouts import REFERENCE

from hardware import DeviceLost
from hardware.supervision import Supervision

RESET, WATCHDOG, ESTOP = REFERENCE.reset_pin, REFERENCE.watchdog_pin, REFERENCE.estop_pin


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    factory = MockFactory()
    monkeypatch.setattr(Device, "pin_factory", factory)
    yield factory
    factory.reset()


def test_the_reset_line_is_touched_only_when_told(pins):
    supervision = Supervision(REFERENCE)
    assert pins.pin(RESET).function == "input"
    for low in (False, False, True, True, False):
        supervision.reset(low)
        assert pins.pin(RESET).function == "output"
        assert bool(pins.pin(RESET).state) is not low


def test_the_reset_line_can_be_low_from_the_first(pins):
    supervision = Supervision(REFERENCE)
    supervision.reset(True)
    assert (pins.pin(RESET).function, bool(pins.pin(RESET).state)) == ("output", False)


def test_every_verified_scan_is_an_edge(pins):
    supervision = Supervision(REFERENCE)
    levels = []
    for _ in range(4):
        supervision.pet(True)
        levels.append(bool(pins.pin(WATCHDOG).state))
    assert levels == [True, False, True, False]


def test_low_or_a_broken_wire_is_stop(pins):
    supervision = Supervision(REFERENCE)
    assert pins.pin(ESTOP).pull == "down"
    assert supervision.stopped
    pins.pin(ESTOP).drive_high()
    assert not supervision.stopped
    pins.pin(ESTOP).drive_low()
    assert supervision.stopped


def fails(*_: object) -> None:
    raise OSError("gone")


def test_a_scan_that_is_not_verified_is_no_edge(pins):
    supervision = Supervision(REFERENCE)
    assert pins.pin(WATCHDOG).function == "output"
    pins.pin(WATCHDOG).clear_states()
    supervision.pet(False)
    supervision.pet(True)
    supervision.pet(False)
    assert [state.state for state in pins.pin(WATCHDOG).states] == [False, True]


@pytest.mark.parametrize(
    ("looks", "stopped"),
    [
        ([False, False, True], True),
        ([False, True], False),
        ([True, False, False], False),
    ],
)
def test_a_stop_is_low_when_looked_at_twice(pins, monkeypatch, looks, stopped):
    supervision = Supervision(REFERENCE)
    shown = iter(looks)
    monkeypatch.setattr(pins.pin(ESTOP), "_get_state", lambda: next(shown))
    assert supervision.stopped is stopped


def test_closing_does_not_reset_the_expanders_under_load(pins):
    supervision = Supervision(REFERENCE)
    supervision.reset(False)
    pins.pin(RESET).clear_states()
    supervision.close()
    assert all(state.state for state in pins.pin(RESET).states)
    supervision.close()
    Supervision(REFERENCE).reset(False)


@pytest.mark.parametrize(
    ("pin", "name"),
    [
        (RESET, "expander reset"),
        (WATCHDOG, "watchdog output"),
        (ESTOP, "emergency stop input"),
    ],
)
def test_a_pin_that_is_taken_is_one_clear_line(pins, pin, name):
    other = OutputDevice(pin)
    with pytest.raises(DeviceLost, match=rf"^{name} \(BCM {pin}\): .*in use"):
        Supervision(REFERENCE).reset(False)
    other.close()
    Supervision(REFERENCE).reset(False)


def test_where_one_line_is_taken_the_other_is_let_go_of(pins):
    other = OutputDevice(ESTOP)
    with pytest.raises(DeviceLost) as lost:  # holds on to the one that failed
        Supervision(REFERENCE)
    other.close()
    Supervision(REFERENCE)
    assert "emergency stop" in str(lost.value)


def test_a_line_that_fails_later_is_a_lost_device(pins, monkeypatch):
    supervision = Supervision(REFERENCE)
    monkeypatch.setattr(pins.pin(ESTOP), "_get_state", fails)
    with pytest.raises(DeviceLost, match=r"^emergency stop input: gone$"):
        _ = supervision.stopped
    monkeypatch.setattr(pins.pin(WATCHDOG), "_set_state", fails)
    with pytest.raises(DeviceLost, match=r"^watchdog output: gone$"):
        supervision.pet(True)
    supervision.reset(False)
    monkeypatch.setattr(pins.pin(RESET), "_set_state", fails)
    with pytest.raises(DeviceLost, match=r"^expander reset: gone$"):
        supervision.reset(True)
