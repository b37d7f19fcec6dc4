"""The lines of the virtual Pi's header, with a stand-in for QEMU."""

import socket
import threading
from collections.abc import Iterator

import pytest
from controller import Controller
from header import Header


class Wires:
    """What the header tells, and what stands on the inputs."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.inputs: dict[int, bool] = {}

    def driven(self, line: int, level: bool, claimed: bool) -> None:
        self.told.append((line, level, "claimed" if claimed else "driven"))

    def released(self, line: int) -> None:
        self.told.append((line, "released"))

    def news(self) -> list[tuple[object, ...]]:
        told, self.told = self.told, []
        return told


@pytest.fixture
def rig() -> Iterator[tuple[Header, Controller, Wires]]:
    near, far = socket.socketpair()
    controller, wires = Controller(far), Wires()
    served = threading.Thread(target=controller.serve)
    served.start()
    yield Header(near, wires.driven, wires.released, wires.inputs.get), controller, wires
    near.shutdown(socket.SHUT_RDWR)
    served.join(10)
    near.close()
    far.close()


def test_an_output_is_claimed_driven_and_released(rig: tuple[Header, Controller, Wires]) -> None:
    header, controller, wires = rig
    header.look()
    assert wires.news() == []
    controller.outputs.add(16)
    header.look()
    header.look()
    assert wires.news() == [(16, False, "claimed")]
    controller.put(16, True)
    header.look()
    assert wires.news() == [(16, True, "driven")]
    controller.outputs.clear()
    header.look()
    assert wires.news() == [(16, "released")]


def test_a_pulse_between_two_looks_is_seen(rig: tuple[Header, Controller, Wires]) -> None:
    header, controller, wires = rig
    controller.outputs.add(25)
    controller.put(25, True)
    controller.put(25, False)
    header.look()
    assert wires.news() == [(25, False, "claimed"), (25, True, "driven"), (25, False, "driven")]


def test_a_line_that_was_high_when_its_owner_died_can_rise_again(
    rig: tuple[Header, Controller, Wires],
) -> None:
    header, controller, wires = rig
    controller.outputs.add(16)
    controller.put(16, True)
    controller.outputs.clear()
    header.look()
    controller.put(16, False)
    controller.outputs.add(16)
    header.look()
    wires.news()
    controller.put(16, True)
    header.look()
    assert wires.news() == [(16, True, "driven")]


def test_an_input_shows_what_stands_on_it_and_an_output_is_left_alone(
    rig: tuple[Header, Controller, Wires],
) -> None:
    header, controller, wires = rig
    wires.inputs.update({4: True, 16: True})
    controller.outputs.add(16)
    header.look()
    header.look()
    assert controller.levels == {4}
    wires.inputs[4] = False
    header.look()
    assert controller.levels == set()
