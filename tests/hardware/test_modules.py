"""Enable lines and status inputs on gpiozero's mock pins, judged by the pins."""

import sys
from collections.abc import Iterator

import pytest
from gpiozero import Device, OutputDevice
from gpiozero.pins.mock import MockFactory

from hardware import DeviceLost, MissingExtra
from hardware.modules import PowerModuleController

ENABLES = [16, 17, 18]
STATUSES = [4, 5, 6]


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    factory = MockFactory()
    monkeypatch.setattr(Device, "pin_factory", factory)
    yield factory
    factory.reset()


def levels(pins: MockFactory) -> list[bool]:
    return [bool(pins.pin(number).state) for number in ENABLES]


def test_lines_are_claimed_low_and_never_pulse(pins):
    for number in ENABLES:
        pins.pin(number).clear_states()
    modules = PowerModuleController(ENABLES, STATUSES)
    assert modules.read().enabled == (False,) * 3
    for number in ENABLES:
        assert pins.pin(number).function == "output"
        assert all(not state.state for state in pins.pin(number).states)


def test_modules_are_switched_one_by_one(pins):
    modules = PowerModuleController(ENABLES, [])
    modules.enable(2)
    modules.enable(3)
    assert levels(pins) == [False, True, True]
    modules.disable(2)
    assert levels(pins) == [False, False, True]
    assert modules.read().enabled == (False, False, True)


def test_status_is_read_from_its_own_line(pins):
    modules = PowerModuleController(ENABLES, STATUSES)
    pins.pin(5).drive_high()
    modules.enable(1)
    reading = modules.read()
    assert reading.enabled == (True, False, False)
    assert reading.reports_on == (False, True, False)


def test_a_status_wire_that_is_broken_reads_off(pins):
    modules = PowerModuleController(ENABLES, STATUSES)
    assert modules.read().reports_on == (False,) * 3
    assert [pins.pin(number).pull for number in STATUSES] == ["down"] * 3


def test_without_status_lines_the_command_stands_in(pins):
    modules = PowerModuleController(ENABLES, [])
    modules.enable(1)
    assert modules.read().reports_on == (True, False, False)


def test_a_line_told_high_counts_as_enabled_whatever_holds_it_low(pins):
    """What holds it may let go at any time, also while the module's contactor opens."""
    modules = PowerModuleController(ENABLES, [])
    modules.enable(1)
    pins.pin(16).state = False
    reading = modules.read()
    assert reading.high == reading.reports_on == (False, False, False)
    assert reading.enabled == (True, False, False)
    modules.disable(1)
    assert modules.read().enabled == (False, False, False)


def test_a_line_told_low_counts_as_enabled_while_it_is_high(pins):
    modules = PowerModuleController(ENABLES, [])
    pins.pin(17).state = True
    assert modules.read().enabled == (False, True, False)


def test_a_level_that_only_one_look_shows_is_not_believed(pins, monkeypatch):
    modules = PowerModuleController(ENABLES, STATUSES)
    looks = iter([True, False])
    monkeypatch.setattr(pins.pin(5), "_get_state", lambda: next(looks))
    assert modules.read().reports_on == (False,) * 3


@pytest.mark.parametrize("module", [0, 4, -1])
def test_a_module_that_is_not_there_is_refused(pins, module):
    modules = PowerModuleController(ENABLES, [])
    with pytest.raises(ValueError, match=f"module {module}: must be 1 to 3"):
        modules.enable(module)
    assert levels(pins) == [False] * 3


def test_closing_leaves_everything_low_and_free(pins):
    modules = PowerModuleController(ENABLES, STATUSES)
    modules.enable(1)
    modules.enable(3)
    modules.close()
    assert levels(pins) == [False] * 3
    modules.close()
    PowerModuleController(ENABLES, STATUSES).close()


def test_one_line_that_fails_does_not_keep_the_others_on(pins, monkeypatch):
    modules = PowerModuleController(ENABLES, [])
    for module in (1, 2, 3):
        modules.enable(module)

    def broken(state: bool) -> None:
        raise OSError("gone")

    monkeypatch.setattr(pins.pin(17), "_set_state", broken)
    with pytest.raises(DeviceLost, match="enable line of module 2"):
        modules.off()
    assert levels(pins) == [False, True, False]


def test_a_pin_that_is_taken_is_one_clear_line_and_frees_the_rest(pins):
    other = OutputDevice(18)
    with pytest.raises(DeviceLost, match=r"enable line of module 3 \(BCM 18\): .*in use") as lost:
        PowerModuleController(ENABLES, STATUSES)
    assert "\n" not in str(lost.value)
    other.close()
    PowerModuleController(ENABLES, STATUSES)


def test_a_status_pin_that_is_taken_is_told_with_its_module(pins):
    other = OutputDevice(5)
    with pytest.raises(DeviceLost, match=r"status input of module 2 \(BCM 5\): .*in use"):
        PowerModuleController(ENABLES, STATUSES)
    other.close()


def test_without_lgpio_the_pip_line_is_given(monkeypatch):
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    with pytest.raises(MissingExtra, match=r"pip install 'verified-alloc\[pi\]'"):
        PowerModuleController(ENABLES, STATUSES)
