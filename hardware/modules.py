"""The power modules' enable lines and status inputs, by gpiozero."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import inf
from operator import or_
from typing import NamedTuple

from gpiozero import Device, InputDevice, OutputDevice

from hardware import DeviceLost, MissingExtra, clock


class LineReading(NamedTuple):
    """By module, module 1 first."""

    enabled: tuple[bool, ...]
    """The enable line is high, or was told to be: what holds it low may let go at any time."""
    high: tuple[bool, ...]
    """The enable line is high, as read from the pin."""
    reports_on: tuple[bool, ...]
    """The module's status input is high; where none is wired, the same as `high`."""


class PowerModuleController:
    """Switches the modules numbered from 1 by one enable line each: high = on.

    enable_pins: BCM numbers, module 1 first. They are claimed low. Active-high with an external
    pull-down, because an active-low output pulses on when it is claimed.
    status_pins: BCM numbers, high = the module is on; empty = none wired.

    Raises DeviceLost where a line cannot be had, and for a line that fails later.
    """

    def __init__(self, enable_pins: Sequence[int], status_pins: Sequence[int]) -> None:
        self._wanted = [False] * len(enable_pins)
        self._levels = [False] * (len(enable_pins) + len(status_pins))
        self._enables: list[OutputDevice] = []
        self._statuses: list[InputDevice] = []
        try:
            for module, pin in enumerate(enable_pins, 1):
                self._enables.append(claim_output(f"enable line of module {module}", pin))
            for module, pin in enumerate(status_pins, 1):
                self._statuses.append(claim_input(f"status input of module {module}", pin))
        except DeviceLost:
            self.close()
            raise

    def read(self) -> LineReading:
        """Look at all lines; at one that is not as it was, twice."""
        lines = (*self._enables, *self._statuses)
        try:
            levels = [line.value == 1 for line in lines]
            if levels != self._levels:
                levels = [
                    level if level == before else line.value == 1
                    for line, level, before in zip(lines, levels, self._levels, strict=True)
                ]
        except Exception as error:
            raise DeviceLost(f"module lines cannot be read: {error}") from error
        self._levels = levels
        high = tuple(levels[: len(self._enables)])
        enabled = tuple(map(or_, high, self._wanted))
        return LineReading(enabled, high, tuple(levels[len(self._enables) :]) or high)

    def enable(self, module: int, until_s: float = inf) -> None:
        """Switch a module on, unless it is later than that (of `hardware.clock`)."""
        if clock.now_s() <= until_s:
            self._set(module, True)

    def disable(self, module: int) -> None:
        """Switch a module off."""
        self._set(module, False)

    def off(self) -> None:
        """Switch all modules off; a line that fails does not keep the others on."""
        failure: DeviceLost | None = None
        for module in range(1, len(self._enables) + 1):
            try:
                self._set(module, False)
            except DeviceLost as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Switch all modules off and let go of the lines. Nothing is raised."""
        for line in self._enables:
            with suppress(Exception):
                line.off()
        release([*self._enables, *self._statuses])
        self._enables, self._statuses = [], []

    def _set(self, module: int, on: bool) -> None:
        if not 1 <= module <= len(self._enables):
            raise ValueError(f"module {module}: must be 1 to {len(self._enables)}")
        line = self._enables[module - 1]
        try:
            if on:
                self._wanted[module - 1] = True
                line.on()
            else:
                line.off()
                self._wanted[module - 1] = False
        except Exception as error:
            raise DeviceLost(f"enable line of module {module}: {error}") from error


def claim_output(name: str, pin: int, high: bool = False) -> OutputDevice:
    """Take an active-high output and set it. Raises DeviceLost, with the name, if it is busy."""
    choose_pin_factory()
    try:
        return OutputDevice(pin, active_high=True, initial_value=high)
    except Exception as error:
        raise DeviceLost(f"{name} (BCM {pin}): {error}") from error


def claim_input(name: str, pin: int) -> InputDevice:
    """Take an active-high input, pulled down, so that a broken wire reads low. Raises DeviceLost,
    with the name, if it is busy."""
    choose_pin_factory()
    try:
        return InputDevice(pin, pull_up=False)
    except Exception as error:
        raise DeviceLost(f"{name} (BCM {pin}): {error}") from error


def release(lines: Iterable[Device]) -> None:
    """Let go of lines as they are, whatever fails on the way."""
    for line in lines:
        with suppress(Exception):
            line.close()


def choose_pin_factory() -> None:
    """Keep gpiozero's pin factory if one is set; else lgpio's, and no other: left to itself,
    gpiozero falls through to lesser ones with only a warning."""
    if Device.pin_factory is not None:
        return
    # lgpio makes a pipe in the working directory when it is imported, and fails if it cannot.
    if not os.access(".", os.W_OK):
        os.environ.setdefault("LG_WD", tempfile.gettempdir())
    try:
        from gpiozero.pins.lgpio import LGPIOFactory
    except Exception as error:
        raise MissingExtra(
            f"no GPIO library ({error}): pip install 'verified-alloc[pi]', "
            "or apt install python3-lgpio"
        ) from error
    try:
        Device.pin_factory = LGPIOFactory()
    except Exception as error:
        raise DeviceLost(f"GPIO: {error}") from error
