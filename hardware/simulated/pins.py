"""gpiozero's mock pins, joined to the cabinet: `Device.pin_factory = CabinetPins(...)`."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from hardware.layout import Layout
from hardware.simulated.cabinet import COMMAND, HELD, Cabinet
from hardware.simulated.faults import STALL

CLAIMED = "restart"
RELEASED = "process lost"
RESET = "reset"
_COMPUTE_MODULE_3 = "a020a0"  # it brings out BCM 0 to 45; any other Pi, 0 to 27
LINE_KINDS = ("flip_read", "drop_write", "error", STALL)


@dataclass(frozen=True)
class LineFault:
    """One fault of the GPIO lines. It strikes one access: a read or a write of any line.

    kind:
        flip_read   a read shows the other level
        drop_write  a write does not reach the line
        error       the GPIO library raises OSError; nothing takes effect
        stall       no fault of the lines: the host stands still for `for_us` before it goes on
    at_access: not before the n-th access from now (0 = the next); it waits for one it applies to.
    """

    kind: str
    at_access: int = 0
    for_us: int = 0


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
        """Claim the line as an output at that level. As LGPIOFactory does, low first."""
        self._function = "output"
        self._state = bool(state)
        if self._pins is not None:
            self._pins.driven(self._line, False, CLAIMED)
            if state:
                self._pins.driven(self._line, True, CLAIMED)

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

    def _set_state(self, value: bool) -> None:
        if self._pins is None or not self._pins.struck("drop_write"):
            super()._set_state(value)

    def _change_state(self, value: bool) -> bool:
        if self._state == value:
            return False
        self._state = value
        if self._function == "output" and self._pins is not None:
            self._pins.driven(self._line, value, COMMAND)
        return True

    def _get_state(self) -> bool:
        shows = bool(self._state)
        if self._pins is None:
            return shows
        reads = self._pins.read(self._line, self._function == "output")
        return (shows if reads is None else reads) ^ self._pins.struck("flip_read")


class CabinetPins(MockFactory):  # type: ignore[misc]  # gpiozero has no types
    """Lines by BCM number. External pull-downs hold enables and RESET low while nobody drives."""

    def __init__(
        self,
        cabinet: Cabinet,
        layout: Layout,
    ) -> None:
        super().__init__(revision=_COMPUTE_MODULE_3, pin_class=CabinetPin)
        self._cabinet = cabinet
        self._enables = {pin: module for module, pin in enumerate(layout.enable_pins, start=1)}
        self._reset_pin = layout.reset_pin
        self._watchdog_pin = layout.watchdog_pin
        self.accesses = 0
        """Reads and writes of lines so far."""
        self.stand_still: Callable[[int], None] = lambda us: None
        """Called to let so much time pass."""
        self._armed: list[tuple[int, LineFault]] = []
        self._levels: dict[int, bool] = {}
        self._statuses = dict(enumerate(layout.status_pins, start=1))
        self._held: dict[int, bool] = {}
        self._inputs: dict[int, Callable[[], bool]] = {
            pin: partial(cabinet.status, module) for module, pin in self._statuses.items()
        }
        self._inputs[layout.estop_pin] = lambda: cabinet.estop_healthy
        self.wired = frozenset({*self._enables, *self._inputs, self._reset_pin, self._watchdog_pin})
        cabinet.status_wired = bool(layout.status_pins)

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

    def read(self, line: int, output: bool) -> bool | None:
        """The level that is on a line against what its pin would show by itself, if it is any
        other's deed: what the plant puts on an input, or whatever holds it."""
        held = self._held.get(line)
        if held and line in self._enables:
            self._cabinet.observer.looked_at(self._enables[line])
        if held is not None or output:
            return held
        source = self._inputs.get(line)
        return None if source is None else source()

    def driven(self, line: int, level: bool, cause: str) -> None:
        """An output drives its line."""
        was = self._levels.get(line, False)
        self._levels[line] = level
        if line not in self._held:
            self._moves(line, was, level, cause)

    def _moves(self, line: int, was: bool, level: bool, cause: str) -> None:
        module = self._enables.get(line)
        if module is not None:
            # Claimed high is a deed of ours; claimed low ends what another process had left on.
            known = level and cause == CLAIMED
            self._cabinet.set_enable(module, level, COMMAND if known else cause)
        elif line == self._watchdog_pin:
            if was != level:
                self._cabinet.watchdog_edge()
        elif line == self._reset_pin:
            self._cabinet.reset_line(level, RESET if cause == HELD else cause)

    def hold(self, line: int, level: bool | None) -> None:
        """Something else holds a line at a level (a short circuit, another process), or lets go."""
        self._cabinet.disturb()
        driven = self._levels.get(line, False)
        was = self._held.get(line, driven)
        if level is None:
            self._held.pop(line, None)
        else:
            self._held[line] = level
        self._cabinet.watchdog_held = self._watchdog_pin in self._held
        # Let go, a line that we drive high is high by our own deed.
        cause = COMMAND if level is None and driven else HELD
        self._moves(line, was, driven if level is None else level, cause)

    def inject(self, fault: LineFault) -> None:
        """Arm a fault. Raises ValueError for one that could never strike."""
        if fault.kind not in LINE_KINDS:
            raise ValueError(f"line fault {fault.kind!r}: must be one of {', '.join(LINE_KINDS)}")
        self._armed.append((self.accesses + fault.at_access, fault))

    def struck(self, kind: str) -> bool:
        """Count an access that this kind of fault applies to; whether one strikes it. OSError if
        it is an error that does."""
        access = self.accesses
        self.accesses += 1
        if not self._armed:
            return False
        for armed in self._armed:
            first, fault = armed
            if first <= access and fault.kind in (kind, "error", STALL):
                self._armed.remove(armed)
                if fault.kind == STALL:
                    self.stand_still(fault.for_us)
                    return False
                self._cabinet.disturb()
                if fault.kind == "error":
                    raise OSError(errno.EIO, "GPIO access failed")
                return True
        return False

    def released(self, line: int) -> None:
        """An output became an input: the pull-down takes the line."""
        was = self._levels.get(line, False)
        self._levels[line] = False
        if line not in self._held:
            self._moves(line, was, False, RELEASED)

    def power_lost(self) -> None:
        """The Raspberry Pi has no supply: nobody drives a line, the pull-downs take them all."""
        self.process_killed(strict=True)

    def process_killed(
        self, strict: bool = False, order: Callable[[list[int]], list[int]] = list
    ) -> None:
        """kill -9: nobody holds a line any more. Every output keeps its level, or where the kernel
        is `strict`, is let go, in this order of those that were claimed one after another."""
        for pin in self.pins.values():
            pin.cut_off()
        self.reset()
        if strict:
            for line in order(list(self._levels)):
                self.released(line)
