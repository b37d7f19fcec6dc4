"""The assumptions of `proofs/plant.py`, by number, and those that no proof can use."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpiozero import Device, InputDevice

from hardware import DeviceLost, HardwareError, clock
from hardware.modules import choose_pin_factory, claim_input, release
from verified_alloc.control.wires import bank_of
from verified_alloc.doctor.check import MET, UNSEEN, Check, check
from verified_alloc.kernel import wiring
from verified_alloc.station.model import Station

SLEEPS = 50


def assumptions(station: Station, report: Path, root: Path) -> Iterator[Check]:
    """A line for each."""
    wires = _Wires(station)
    times = _Times(station, report)
    status_wired = bool(station.hardware.status_pins)
    by_walk = "seen only by: verified-alloc commission"
    yield wires.expanders()
    yield from wires.lines()
    yield times.mirror()
    yield Check("A4", UNSEEN, "one flipped bit at most: cabling, shielding")
    yield times.motion("A5", "contactor_release_ms", "release_ms")
    yield Check("A6", UNSEEN, "contacts stay open without their coil: datasheet (shock, vibration)")
    yield times.motion("A7", "contactor_operate_ms", "operate_ms")
    yield wires.modules_off()
    yield (
        Check("A9", MET, "status inputs are wired: nothing rests on modules without")
        if status_wired
        else Check("A9", UNSEEN, f"no status inputs: module datasheet; {by_walk} without them")
    )
    yield _sole_owner(station, wires, root)
    yield _clock()
    yield wires.factory()
    yield _spacing(station)
    yield Check("A14", UNSEEN, "guns obey offers and their lifetime: gun controller")
    yield Check("A15", UNSEEN, "guns that acknowledge obey: gun controller")
    yield Check("A16", UNSEEN, "no stall between a look at the clock and its write: kernel, load")
    yield wires.emergency_stop()
    yield Check("modules", UNSEEN, "current decay, discharge, reverse blocking: module datasheet")
    yield Check("guns", UNSEEN, "output contactors, insulation, lock, precharge: gun controller")


class _Wires:
    """What the wires show to somebody who only looks. A station that runs holds them."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self.lost: str | None = None
        self._answering: set[tuple[int, int]] = set()
        self._reports_on: list[int] = []
        self._high: list[int] = []
        self._stopped = False
        self._factory = ""
        try:
            bank = bank_of(station)
            bank.open()
            try:
                self._look_at_lines()
                self._answering = bank.answering()
            finally:
                bank.close()
        except HardwareError as error:
            self.lost = str(error)

    def _look_at_lines(self) -> None:
        pins = self._station.hardware
        held: list[Device] = []
        try:
            for module, pin in enumerate(pins.enable_pins, start=1):
                held.append(_claim_floating(f"enable line of module {module}", pin))
                if held[-1].value:
                    self._high.append(module)
            for module, pin in enumerate(pins.status_pins, start=1):
                held.append(claim_input(f"status input of module {module}", pin))
                if held[-1].value:
                    self._reports_on.append(module)
            held.append(claim_input("emergency stop input", pins.estop_pin))
            self._stopped = not held[-1].value
            self._factory = type(Device.pin_factory).__name__
        finally:
            release(held)

    def _seen(self, id: str, look: Callable[[], Check]) -> Check:
        return look() if self.lost is None else Check(id, UNSEEN, self.lost)

    def expanders(self) -> Check:
        pins = self._station.hardware
        used = wiring.expanders(len(self._station.contactors))
        listed = {*pins.output_expanders[:used], *pins.feedback_expanders[:used]}
        missing = ", ".join(map(pins.name, sorted(listed - self._answering)))
        return self._seen(
            "A1",
            lambda: check(
                "A1",
                not missing,
                f"all {len(listed)} expanders answer",
                f"expanders that do not answer: {missing}",
            ),
        )

    def lines(self) -> Iterator[Check]:
        high = ", ".join(map(str, self._high))
        yield self._seen(
            "A2",
            lambda: check(
                "A2",
                not high,
                "every enable line is low while nobody drives it",
                f"enable lines high while nobody drives them, without pull-down? modules {high}",
            ),
        )

    def modules_off(self) -> Check:
        on = ", ".join(map(str, self._reports_on))
        if not self._station.hardware.status_pins:
            return Check("A8", UNSEEN, "whether modules stay off: no status inputs are wired")
        return self._seen(
            "A8",
            lambda: check(
                "A8",
                not on,
                "no module reports on while its enable is low",
                f"modules that report on while their enable is low: {on}",
            ),
        )

    def factory(self) -> Check:
        return self._seen(
            "A12",
            lambda: check(
                "A12",
                self._factory == "LGPIOFactory",
                "lines are moved by the kernel, at once",
                f"lines are moved by {self._factory}, which may queue",
            ),
        )

    def emergency_stop(self) -> Check:
        return self._seen(
            "emergency stop",
            lambda: check(
                "emergency stop",
                not self._stopped,
                "its input is healthy; what it cuts is tested by hand",
                "pressed, or its wire is broken",
            ),
        )


def _claim_floating(name: str, pin: int) -> InputDevice:
    """An input without the Pi's own pull, so that the one outside shows."""
    choose_pin_factory()
    try:
        return InputDevice(pin, pull_up=None, active_state=True)
    except Exception as error:
        raise DeviceLost(f"{name} (BCM {pin}): {error}") from error


class _Times:
    """What the last walk measured, against the station file."""

    def __init__(self, station: Station, report: Path) -> None:
        self._timing = station.timing
        self._report = report
        self._walk: dict[str, Any] | None = None
        with suppress(OSError, ValueError):
            walk = json.loads(report.read_text(encoding="utf-8"))
            if isinstance(walk, dict) and walk.get("station") == station.name:
                self._walk = walk

    def _unseen(self, id: str) -> Check:
        sentence = f"{self._report} is no report of this station: verified-alloc commission"
        return Check(id, UNSEEN, sentence)

    def mirror(self) -> Check:
        if self._walk is None:
            return self._unseen("A3")
        wrong = [r["contactor"] for r in self._walk["contactors"] if r["verdict"] != "good"]
        ended = self._walk["ended"]
        return check(
            "A3",
            not wrong,
            f"every contact followed its coil in the walk of {ended}",
            f"contacts that did not follow their coils in the walk of {ended}: {', '.join(wrong)}",
        )

    def motion(self, id: str, key: str, measured: str) -> Check:
        if self._walk is None:
            return self._unseen(id)
        times = [ms for r in self._walk["contactors"] for ms in r[measured]]
        limit_ms = getattr(self._timing, key)
        worst_ms = max(times, default=0.0)
        sentence = f"{key} = {limit_ms}, the slowest of the walk took {worst_ms:.1f}"
        return check(id, bool(times) and worst_ms <= limit_ms + 1, sentence, sentence)


def _sole_owner(station: Station, wires: _Wires, root: Path) -> Check:
    if wires.lost is not None:
        return Check("A10", UNSEEN, wires.lost)
    hardware = station.hardware
    nodes = [f"/dev/i2c-{bus}" for bus in hardware.i2c_buses]
    others = [
        f"kernel driver {link.resolve().name} on {link.parent.name}"
        for bus in hardware.i2c_buses
        for link in (root / "sys/bus/i2c/devices").glob(f"{bus}-002[0-7]/driver")
    ]
    for descriptor in (root / "proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            process = descriptor.parent.parent.name
            if os.readlink(descriptor) in nodes and process != str(os.getpid()):
                others.append(f"process {process}")
    return check(
        "A10",
        not others,
        f"nobody else holds the lines or {hardware.buses_name}",
        f"others on {hardware.buses_name}: {', '.join(sorted(set(others)))}",
    )


def _clock() -> Check:
    about = time.get_clock_info("monotonic")
    return check(
        "A11",
        about.monotonic and not about.adjustable and about.resolution <= 1e-3,
        f"the clock is monotonic, in steps of {about.resolution * 1e9:g} ns",
        f"the clock is not good enough: {about}",
    )


def _spacing(station: Station) -> Check:
    """How late this machine wakes, just now."""
    latest_ms = 0.0
    for _ in range(SLEEPS):
        due_s = clock.now_s() + 0.002
        clock.sleep_s(0.002)
        latest_ms = max(latest_ms, (clock.now_s() - due_s) * 1000)
    sentence = (
        f"woken {latest_ms:.1f} ms late at most in {SLEEPS} tries, of {station.timing.scan_ms}"
    )
    return check("A13", latest_ms < station.timing.scan_ms / 2, sentence, sentence)
