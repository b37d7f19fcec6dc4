"""The cabinet around the virtual Pi, wired to stand-ins for the machine's sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from bench import Bench
from controller import Controller
from driver import Driver

from hardware.simulated.bus import BusFault
from verified_alloc.station.model import Station

STATION = Station.from_toml(Path(__file__).parent / "pi" / "station.toml")
ENABLE = STATION.hardware.enable_pins[0]
STATUS = STATION.hardware.status_pins[0]
CHIP = STATION.hardware.output_expanders[0].address
NOTHING_ON, CONTACTOR_1_1 = b"\x14\0\0", b"\x14\1\0"
ALL_OUTPUTS = b"\0\0\0"


class Rig(NamedTuple):
    """A bench, its log, and what stands in for the machine."""

    bench: Bench
    log: list[str]
    controller: Controller
    driver: Driver
    printed: list[Callable[[str], None]]
    """Called with a line that the station prints, once it was started."""

    def live(self) -> None:
        """Module 1 feeds gun 1, as the station would have it."""
        for pin in (STATION.hardware.watchdog_pin, ENABLE):
            self.controller.outputs.add(pin)
        self.controller.put(STATION.hardware.watchdog_pin, True)
        for words in (NOTHING_ON, ALL_OUTPUTS, CONTACTOR_1_1):
            self.driver.write(CHIP, words)
        self.bench.wait_until(lambda _: self.bench.closed())
        self.controller.put(ENABLE, True)
        self.bench.wait_for({1: (1,)})
        self.printed[0]("3.00 s  gun 1: PM1 40 kW")


@pytest.fixture
def rig() -> Iterator[Rig]:
    near, far = socket.socketpair()
    port, other_end = socket.socketpair()
    controller = Controller(far)
    served = threading.Thread(target=controller.serve)
    served.start()
    printed: list[Callable[[str], None]] = []
    machine = SimpleNamespace(
        lines=near, usb=port, start=lambda text, listener: printed.append(listener)
    )
    log: list[str] = []
    with Bench(STATION, machine, log.append).running() as bench:
        bench.wait_until(lambda _: STATION.hardware.estop_pin in controller.levels)
        bench.run("the station")
        driver = Driver(other_end)
        driver.plug_in()
        yield Rig(bench, log, controller, driver, printed)
    near.shutdown(socket.SHUT_RDWR)
    served.join(10)
    for end in (near, far, port, other_end):
        end.close()


def test_the_lines_end_in_the_cabinet_and_its_own_in_the_machine(rig: Rig) -> None:
    bench, controller = rig.bench, rig.controller
    for pin in (STATION.hardware.watchdog_pin, ENABLE):
        controller.outputs.add(pin)
    module = bench.charger.cabinet.modules[0]
    controller.put(STATION.hardware.watchdog_pin, True)
    controller.put(ENABLE, True)
    bench.wait_until(lambda _: STATUS in controller.levels)
    assert module.wire
    assert len(bench.violations()) == 1  # an enable with no contactor closed
    controller.outputs.remove(ENABLE)  # its owner is dead
    bench.wait_until(lambda _: not module.wire)


def test_a_line_that_moved_before_a_message_has_moved_when_that_arrives(rig: Rig) -> None:
    rig.live()
    for level in [False, True] * 10:
        rig.controller.put(ENABLE, level)
        rig.driver.read(CHIP, 1)
        assert rig.bench.charger.cabinet.modules[0].wire is level


@pytest.mark.parametrize("forced", [False, True])
def test_a_cut_is_a_violation_unless_a_fault_forced_it(rig: Rig, forced: bool) -> None:
    rig.live()
    if forced:
        rig.bench.inject(BusFault("nack", CHIP))
        rig.driver.read(CHIP, 1)
    rig.controller.put(ENABLE, False)
    rig.bench.wait_for({})
    assert bool(rig.bench.violations()) is not forced
    told = [line for line in rig.log if "nack" in line or "violation" in line]
    assert len(told) == 1
