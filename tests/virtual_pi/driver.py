"""A stand-in for the kernel's i2c-tiny-usb, at QEMU's end of the USB port."""

import socket
from struct import pack, unpack

READ, WRITE = 1, 0
BEGIN, END = 1, 2


class Driver:
    """The kernel's side of the port."""

    def __init__(self, port: socket.socket) -> None:
        self._port = port
        self._number = 0

    def plug_in(self) -> dict[int, bytes]:
        """What the adapter tells of itself, by kind."""
        self.send(0, b"driver".ljust(64, b"\0"))
        told = [self.receive() for _ in range(4)]
        assert [number for _, number, _ in told] == [0] * 4
        return {kind: body for kind, _, body in told}

    def choose(self, kind: int, *numbers: int) -> tuple[int, bytes]:
        """Kind and body of the answer."""
        self.send(kind, bytes(numbers))
        answer, number, body = self.receive()
        assert number == self._number
        return answer, body

    def control(
        self, kind: int, request: int, value: int, index: int, length: int, out: bytes = b""
    ) -> tuple[int, bytes]:
        """Status and data."""
        self.send(100, pack("<BBBBHHH", 0, request, kind, 0, value, index, length) + out)
        answer, number, body = self.receive()
        assert (answer, number) == (100, self._number)
        told = unpack("<BBBBHHH", body[:10])
        assert told[:3] == (0, request, kind)
        assert told[4:6] == (value, index)
        data = body[10:]
        assert told[6] == (len(data) if kind & 0x80 or told[3] else length)
        return told[3], data

    def send(self, kind: int, body: bytes = b"") -> None:
        self._number += 1
        self._port.sendall(pack("<III", kind, len(body), self._number) + body)

    def receive(self) -> tuple[int, int, bytes]:
        """Kind, number and body."""
        kind, length, number = unpack("<III", self._port.recv(12, socket.MSG_WAITALL))
        return kind, number, self._port.recv(length, socket.MSG_WAITALL) if length else b""

    def write(self, address: int, data: bytes) -> tuple[int, bytes]:
        return self.control(0x40, 4 | BEGIN | END, WRITE, address, len(data), data)

    def read(self, address: int, length: int) -> tuple[int, bytes]:
        return self.control(0xC0, 4 | BEGIN | END, READ, address, length)

    def status(self) -> tuple[int, bytes]:
        return self.control(0xC0, 3, 0, 0, 1)
