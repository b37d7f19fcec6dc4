"""Enable lines and status inputs on gpiozero's mock pins, judged by the pins."""

import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType

import pytest
from gpiozero import Device, OutputDevice
from gpiozero.pins.mock import MockFactory

from hardware import DeviceLost, MissingExtra, clock
from hardware.modules import PowerModuleController, claim_input, claim_output

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


def test_lines_that_were_left_high_are_claimed_low(pins):
    OutputDevice(17, initial_value=True).close()
    assert levels(pins) == [False, True, False]
    PowerModuleController(ENABLES, STATUSES)
    assert levels(pins) == [False] * 3


def test_modules_are_switched_one_by_one(pins):
    modules = PowerModuleController(ENABLES, [])
    modules.enable(2)
    modules.enable(3)
    assert levels(pins) == [False, True, True]
    modules.disable(2)
    assert levels(pins) == [False, False, True]
    assert modules.read().enabled == (False, False, True)


def test_a_module_is_not_switched_on_too_late(pins, monkeypatch):
    modules = PowerModuleController(ENABLES, [])
    monkeypatch.setattr(clock, "now_s", lambda: 5.0)
    modules.enable(1, 5.0)
    modules.enable(2, 4.999)
    assert levels(pins) == [True, False, False]
    assert modules.read().enabled == (True, False, False)


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
    for module, number in ((1, 16), (3, 18)):
        modules.enable(module)
        pins.pin(number).state = False
    reading = modules.read()
    assert reading.high == reading.reports_on == (False, False, False)
    assert reading.enabled == (True, False, True)
    modules.disable(1)
    assert modules.read().enabled == (False, False, True)


def test_a_line_told_low_counts_as_enabled_while_it_is_high(pins):
    modules = PowerModuleController(ENABLES, [])
    pins.pin(17).state = True
    assert modules.read().enabled == (False, True, False)


def held(pins, monkeypatch, number: int, *levels: bool) -> None:
    """From now on that pin shows these levels, look by look, whatever drives it; then the last."""
    shown = iter(levels)
    monkeypatch.setattr(pins.pin(number), "_get_state", lambda: next(shown, levels[-1]))


def broken(pins, monkeypatch, number: int) -> None:
    """From now on that pin cannot be set."""

    def fails(state: bool) -> None:
        raise OSError("gone")

    monkeypatch.setattr(pins.pin(number), "_set_state", fails)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(("number", "seen"), [(5, "reports_on"), (17, "high")])
def test_a_level_that_only_one_look_shows_is_not_believed(pins, monkeypatch, number, seen, before):
    modules = PowerModuleController(ENABLES, STATUSES)
    held(pins, monkeypatch, number, before)
    for _ in range(2):
        assert getattr(modules.read(), seen) == (False, before, False)
    held(pins, monkeypatch, number, not before, before, not before)
    assert getattr(modules.read(), seen) == (False, before, False)
    assert getattr(modules.read(), seen) == (False, not before, False)


def test_a_level_that_is_as_it_was_is_looked_at_once(pins, monkeypatch):
    """Whatever the other lines do: a scan's time is short."""
    modules = PowerModuleController(ENABLES, STATUSES)
    pins.pin(4).drive_high()
    held(pins, monkeypatch, 17, False, True)
    assert modules.read().high == (False,) * 3


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


@pytest.mark.parametrize("level", [False, True])
def test_a_line_is_driven_low_whatever_it_reads(pins, monkeypatch, level):
    """One that reads low may only be held; one that is high unbidden was never told so."""
    for switch_off in (
        lambda modules: modules.disable(2),
        PowerModuleController.off,
        PowerModuleController.close,
    ):
        modules = PowerModuleController(ENABLES, STATUSES)
        modules.enable(2)
        with monkeypatch.context() as patched:
            held(pins, patched, 17, level)
            switch_off(modules)
        assert levels(pins) == [False] * 3
        modules.close()
        modules = PowerModuleController(ENABLES, STATUSES)
        pins.pin(17).state = level
        switch_off(modules)
        assert levels(pins) == [False] * 3
        modules.close()


def test_lines_that_fail_do_not_keep_the_others_on(pins, monkeypatch):
    modules = PowerModuleController(ENABLES, [])
    for module in (1, 2, 3):
        modules.enable(module)
    for number in (16, 17):
        broken(pins, monkeypatch, number)
    with pytest.raises(DeviceLost, match=r"^enable line of module 1: gone$"):
        modules.off()
    assert levels(pins) == [True, True, False]
    assert modules.read().enabled == (True, True, False)


def test_closing_raises_nothing_whatever_fails(pins, monkeypatch):
    modules = PowerModuleController(ENABLES, STATUSES)
    for module in (1, 2, 3):
        modules.enable(module)
    broken(pins, monkeypatch, 17)

    failures = [OSError("gone")]

    def stays() -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(pins.pin(16), "close", stays)
    modules.close()
    assert levels(pins) == [False, True, False]
    assert [pins.pin(number).function for number in ENABLES] == ["output", "input", "input"]


def test_a_line_that_could_not_be_switched_counts_as_enabled(pins, monkeypatch):
    """Told to rise, it may; told to fall, it did not; whatever holds it low."""
    modules = PowerModuleController(ENABLES, [])
    modules.enable(1)
    for number in (16, 17):
        broken(pins, monkeypatch, number)
        held(pins, monkeypatch, number, False)
    with pytest.raises(DeviceLost, match="enable line of module 2"):
        modules.enable(2)
    with pytest.raises(DeviceLost, match="enable line of module 1"):
        modules.disable(1)
    assert modules.read().enabled == (True, True, False)


@pytest.mark.parametrize("number", [17, 5])
def test_a_line_that_cannot_be_read_is_a_lost_device(pins, monkeypatch, number):
    modules = PowerModuleController(ENABLES, STATUSES)

    def fails() -> bool:
        raise OSError("gone")

    monkeypatch.setattr(pins.pin(number), "_get_state", fails)
    with pytest.raises(DeviceLost, match=r"^module lines cannot be read: gone$"):
        modules.read()


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
    PowerModuleController(ENABLES, STATUSES)


def test_without_lgpio_the_pip_line_is_given(monkeypatch):
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    with pytest.raises(MissingExtra, match=r"pip install 'verified-alloc\[pi\]'"):
        PowerModuleController(ENABLES, STATUSES)


class Library(ModuleType):
    """In place of gpiozero's module for lgpio, which needs a GPIO chip. Its pipe is made on import,
    where `LG_WD` says."""

    class Factory(MockFactory):
        pass

    made_in: str | None = "nowhere"

    def __getattr__(self, name: str) -> type[MockFactory]:
        if name != "LGPIOFactory":
            raise AttributeError(name)
        self.made_in = os.environ.get("LG_WD")
        return self.Factory


@pytest.fixture
def lgpio(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library("gpiozero.pins.lgpio")
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", library)
    monkeypatch.setattr(Device, "pin_factory", None)
    return library


@pytest.mark.parametrize("claim", [claim_output, claim_input])
@pytest.mark.parametrize(
    ("writable", "given", "made_in"),
    [
        (True, "", None),
        (False, "", tempfile.gettempdir()),
        (False, "/elsewhere", "/elsewhere"),
    ],
)
def test_lgpio_makes_its_pipe_where_it_can(lgpio, monkeypatch, writable, given, made_in, claim):
    monkeypatch.setenv("LG_WD", given)
    if not given:
        monkeypatch.delenv("LG_WD")
    monkeypatch.setattr(os, "access", lambda path, mode: writable or (path, mode) != (".", os.W_OK))
    claim("a line", 4)
    assert isinstance(Device.pin_factory, lgpio.Factory)
    assert lgpio.made_in == made_in


def test_a_factory_that_is_set_is_kept_and_lgpio_left_alone(pins, monkeypatch):
    monkeypatch.setenv("LG_WD", "")
    monkeypatch.delenv("LG_WD")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    claim_output("a line", 4)
    assert Device.pin_factory is pins
    assert "LG_WD" not in os.environ


def test_a_gpio_that_is_not_there_is_a_lost_device(lgpio, monkeypatch):
    def fails(factory: MockFactory) -> None:
        raise OSError("no chip")

    monkeypatch.setattr(lgpio.Factory, "__init__", fails)
    with pytest.raises(DeviceLost, match=r"^GPIO: no chip$"):
        PowerModuleController(ENABLES, STATUSES)
