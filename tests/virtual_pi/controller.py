"""A stand-in for QEMU's GPIO controller and the socket to it, which tells edges as QEMU does: of an
output only, and not if it was told at that level last."""

import socket
from struct import pack

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
