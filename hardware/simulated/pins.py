"""gpiozero's mock pins, joined to the cabinet: `Device.pin_factory = CabinetPins(...)`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from hardware.simulated.cabinet import COMMAND, Cabinet

CLAIMED = "restart"
RELEASED = "process lost"


class CabinetPin(MockPin):  # type: ignore[misc]  # gpiozero has no types
    """A line of the Pi. An output acts at the instant it is written; an input reads the plant.

    Keeps no history of states, so that millions of toggles cost no memory.
    """

    def __init__(self, factory: "CabinetPins", info: Any) -> None:
        self._line = int(info.name.removeprefix("GPIO"))
        super().__init__(factory, info)
        self._pins: CabinetPins | None = factory
        self._state = factory.level(self._line)

    def cut_off(self) -> None:
        """The process that held this pin is dead: whatever its objects still do moves no line."""
        self._pins = None

    def output_with_state(self, state: bool) -> None:
        """Claim the line as an output at that level, in one step."""
        self._function = "output"
        self._state = bool(state)
        if self._pins is not None:
            self._pins.driven(self._line, self._state, CLAIMED)

    def clear_states(self) -> None:
        """Keep the present state only."""
        self._last_change = 0.0
        self.states: list[Any] = []

    def _set_function(self, value: str) -> None:
        was = self._function
        super()._set_function(value)
        if self._pins is None:
            return
        if value == "output" and was != "output":
            self._pins.driven(self._line, self._state, CLAIMED)
        elif value == "input" and was == "output":
            self._pins.released(self._line)

    def _change_state(self, value: bool) -> bool:
        if self._state == value:
            return False
        self._state = value
        if self._function == "output" and self._pins is not None:
            self._pins.driven(self._line, value, COMMAND)
        return True

    def _get_state(self) -> bool:
        if self._function == "input" and self._pins is not None:
            reads = self._pins.read(self._line)
            if reads is not None:
                return reads
        return bool(self._state)


class CabinetPins(MockFactory):  # type: ignore[misc]  # gpiozero has no types
    """Lines by BCM number. External pull-downs hold enables and RESET low while nobody drives."""

    def __init__(
        self,
        cabinet: Cabinet,
        *,
        enable_pins: Sequence[int],
        status_pins: Sequence[int],
        reset_pin: int,
        watchdog_pin: int,
        estop_pin: int,
        reset_line: Callable[[bool], None],
    ) -> None:
        """`reset_line(low)` is told when the expanders' RESET falls (True) and rises (False)."""
        super().__init__(pin_class=CabinetPin)
        self._cabinet = cabinet
        self._enables = {pin: module for module, pin in enumerate(enable_pins, start=1)}
        self._reset_pin = reset_pin
        self._watchdog_pin = watchdog_pin
        self._reset_line = reset_line
        self._levels: dict[int, bool] = {}
        self._statuses = dict(enumerate(status_pins, start=1))
        self._inputs: dict[int, Callable[[], bool]] = {
            pin: partial(cabinet.status, module) for module, pin in self._statuses.items()
        }
        self._inputs[estop_pin] = lambda: cabinet.estop_healthy
        cabinet.status_wired = bool(status_pins)

    def swap_enables(self, one: int, other: int) -> None:
        """These two modules' enables hang on each other's lines. KeyError if there is none."""
        pins = {module: pin for pin, module in self._enables.items()}
        self._enables[pins[one]], self._enables[pins[other]] = other, one

    def swap_statuses(self, one: int, other: int) -> None:
        """These two modules' statuses hang on each other's lines. KeyError if there is none."""
        pin, pin_other, inputs = self._statuses[one], self._statuses[other], self._inputs
        inputs[pin], inputs[pin_other] = inputs[pin_other], inputs[pin]

    def level(self, line: int) -> bool:
        """The level an output last left on the line; a Raspberry Pi kernel keeps it."""
        return self._levels.get(line, False)

    def read(self, line: int) -> bool | None:
        """What the plant puts on an input; None where nothing is wired."""
        source = self._inputs.get(line)
        return None if source is None else source()

    def driven(self, line: int, level: bool, cause: str) -> None:
        """An output drives its line."""
        was = self._levels.get(line, False)
        self._levels[line] = level
        module = self._enables.get(line)
        if module is not None:
            # Claimed high is a deed of ours; claimed low ends what another process had left on.
            self._cabinet.set_enable(module, level, COMMAND if level else cause)
        elif line == self._watchdog_pin:
            if was != level:
                self._cabinet.watchdog_edge()
        elif line == self._reset_pin and (was != level or cause != COMMAND):
            self._reset_line(not level)

    def released(self, line: int) -> None:
        """An output became an input: the pull-down takes the line."""
        self._levels[line] = False
        module = self._enables.get(line)
        if module is not None:
            self._cabinet.set_enable(module, False, RELEASED)

    def process_killed(self) -> None:
        """kill -9: nobody holds a line any more, and every output keeps its level."""
        for pin in self.pins.values():
            pin.cut_off()
        self.reset()
