"""The lines of the virtual Pi's header, with a stand-in for QEMU that tells edges as QEMU does: of
an output only, and not if it was told at that level last."""

import socket
import threading
from collections.abc import Iterator
from struct import pack

import pytest
from header import Header

BASE = 0x3F20_0000


class Controller:
    """The GPIO controller, at the far end of the socket."""

    def __init__(self, stream: socket.socket) -> None:
        self.outputs: set[int] = set()
        self.levels: set[int] = set()
        self._told: dict[int, bool] = {}
        self._stream = stream

    def put(self, line: int, high: bool) -> None:
        """The kernel writes its set or clear register."""
        self.levels = self.levels | {line} if high else self.levels - {line}
        if line in self.outputs and self._told.get(line, False) != high:
            self._told[line] = high
            self._stream.sendall(f"IRQ {'raise' if high else 'lower'} {line}\n".encode())

    def serve(self) -> None:
        for command in self._stream.makefile():
            verb, *words = command.split()
            if verb == "read":
                selects = [0] * 6
                for line in self.outputs:
                    selects[line // 10] |= 1 << 3 * (line % 10)
                levels = sum(1 << line for line in self.levels)
                registers = pack("<14I", *selects, *[0] * 7, levels)
                self._stream.sendall(f"OK 0x{registers.hex()}\n".encode())
                continue
            if verb == "writel":
                register, bits = int(words[0], 16) - BASE, int(words[1], 16)
                for line in range(28):
                    if bits >> line & 1:
                        self.put(line, register == 0x1C)
            self._stream.sendall(b"OK\n")


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
