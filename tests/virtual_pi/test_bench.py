"""The cabinet around the virtual Pi, wired to stand-ins for the machine's sockets."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from bench import Bench
from controller import Controller

from verified_alloc.station import Station

STATION = Station.from_toml(Path(__file__).parent / "pi" / "station.toml")
ENABLE = STATION.hardware.enable_pins[0]
STATUS = STATION.hardware.status_pins[0]


@pytest.fixture
def rig() -> Iterator[tuple[Bench, Controller]]:
    near, far = socket.socketpair()
    bus, other_end = socket.socketpair()
    controller = Controller(far)
    served = threading.Thread(target=controller.serve)
    served.start()
    machine = SimpleNamespace(lines=near, usb=bus)
    with Bench(STATION, machine, print).running() as bench:
        yield bench, controller
    near.shutdown(socket.SHUT_RDWR)
    served.join(10)
    for end in (near, far, bus, other_end):
        end.close()


def test_the_lines_end_in_the_cabinet_and_its_own_in_the_machine(
    rig: tuple[Bench, Controller],
) -> None:
    bench, controller = rig
    bench.wait_until(lambda _: STATION.hardware.estop_pin in controller.levels)
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
