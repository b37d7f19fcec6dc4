"""The USB-to-I2C adapter, spoken to as Linux's vhci_hcd and i2c-tiny-usb speak."""

import errno
import socket
import threading
from collections.abc import Iterator
from struct import pack, unpack

import pytest
from smbus2 import i2c_msg
from usbip import TinyUsb, serve

READ, WRITE = 1, 0
BEGIN, END = 1, 2
STALL = -errno.EPIPE


class Chip:
    """At 0x20: keeps what is written and gives it back; at 0x21 the bus hangs; nobody elsewhere."""

    def __init__(self) -> None:
        self.written = b""

    def transfer(self, message: i2c_msg) -> None:
        if message.addr == 0x21:
            raise OSError(errno.ETIMEDOUT, "hangs")
        if message.addr != 0x20:
            raise OSError(errno.EREMOTEIO, "nobody")
        if message.flags:
            for at in range(message.len):
                message.buf[at] = self.written[at]
        else:
            self.written = bytes(message)


class Driver:
    """The kernel's side of the cable."""

    def __init__(self, cable: socket.socket) -> None:
        self._cable = cable
        self._number = 0

    def attach(self) -> bytes:
        self._cable.sendall(pack(">HHI", 0x0111, 0x8003, 0) + b"1-1".ljust(32, b"\0"))
        return self._received(8 + 312)

    def control(
        self, kind: int, request: int, value: int, index: int, length: int, out: bytes = b""
    ) -> tuple[int, bytes]:
        """Status and data."""
        reads = bool(kind & 0x80)
        self._number += 1
        self._cable.sendall(
            pack(">5I", 1, self._number, 1 << 16 | 2, reads, 0)
            + pack(">Iiiii", 0, length, 0, 0, 0)
            + pack("<BBHHH", kind, request, value, index, length)
            + out
        )
        command, number, _, _, _, status, moved, *_ = unpack(">5I5i8x", self._received(48))
        assert (command, number) == (3, self._number)
        return status, self._received(moved) if reads else b""

    def unlink(self) -> int:
        self._number += 1
        self._cable.sendall(pack(">5I", 2, self._number, 0, 0, 0) + pack(">I24x", self._number - 1))
        command, number, _, _, _, status = unpack(">5Ii24x", self._received(48))
        assert (command, number) == (4, self._number)
        return int(status)

    def write(self, address: int, data: bytes) -> tuple[int, bytes]:
        return self.control(0x40, 4 | BEGIN | END, WRITE, address, len(data), data)

    def read(self, address: int, length: int) -> tuple[int, bytes]:
        return self.control(0xC0, 4 | BEGIN | END, READ, address, length)

    def status(self) -> tuple[int, bytes]:
        return self.control(0xC0, 3, 0, 0, 1)

    def _received(self, count: int) -> bytes:
        return self._cable.recv(count, socket.MSG_WAITALL) if count else b""


@pytest.fixture
def driver() -> Iterator[Driver]:
    near, far = socket.socketpair()
    near.settimeout(10)
    served = threading.Thread(target=serve, args=(far, TinyUsb(Chip().transfer)))
    served.start()
    with near:
        yield Driver(near)
    served.join(10)
    assert not served.is_alive()
    far.close()


def test_it_imports_as_the_device_that_its_driver_knows(driver: Driver) -> None:
    answer = driver.attach()
    assert unpack(">HHI", answer[:8]) == (0x0111, 3, 0)
    bus, device, speed, vendor, product = unpack(">IIIHH", answer[8 + 288 : 8 + 304])
    assert (bus, device, speed) == (1, 2, 2)
    assert (vendor, product) == (0x0403, 0xC631)


def test_its_descriptors_agree_with_the_import(driver: Driver) -> None:
    driver.attach()
    status, device = driver.control(0x80, 6, 0x0100, 0, 18)
    assert status == 0
    assert (len(device), device[0], device[1]) == (18, 18, 1)
    assert unpack("<HH", device[8:12]) == (0x0403, 0xC631)
    status, configuration = driver.control(0x80, 6, 0x0200, 0, 255)
    assert status == 0
    assert unpack("<H", configuration[2:4]) == (len(configuration),)
    assert driver.control(0x80, 6, 0x0200, 0, 9) == (0, configuration[:9])
    assert driver.control(0x80, 6, 0x0300, 0, 255)[0] == STALL  # it has no strings
    assert driver.control(0x00, 9, 1, 0, 0) == (0, b"")


def test_it_offers_plain_i2c(driver: Driver) -> None:
    driver.attach()
    status, functions = driver.control(0xC0, 1, 0, 0, 4)
    assert status == 0
    assert unpack("<I", functions)[0] & 1
    assert driver.control(0x40, 2, 10, 0, 0) == (0, b"")  # the delay that its driver sets


def test_bytes_go_out_and_come_back(driver: Driver) -> None:
    driver.attach()
    assert driver.write(0x20, b"\x14\x12\x34") == (0, b"")
    assert driver.status() == (0, b"\x01")
    assert driver.read(0x20, 3) == (0, b"\x14\x12\x34")
    assert driver.status() == (0, b"\x01")


def test_a_byte_that_nobody_acknowledges(driver: Driver) -> None:
    driver.attach()
    assert driver.write(0x22, b"\x14") == (0, b"")
    assert driver.status() == (0, b"\x02")
    assert driver.read(0x22, 2) == (0, bytes(2))
    assert driver.status() == (0, b"\x02")
    driver.write(0x20, b"\x00")
    assert driver.status() == (0, b"\x01")


def test_a_bus_that_hangs_stalls_the_request_and_only_that(driver: Driver) -> None:
    driver.attach()
    assert driver.write(0x21, b"\x14")[0] == STALL
    assert driver.read(0x21, 2) == (STALL, b"")
    assert driver.write(0x20, b"\x14") == (0, b"")


def test_what_it_does_not_know_is_stalled(driver: Driver) -> None:
    driver.attach()
    assert driver.control(0xC0, 9, 0, 0, 1) == (STALL, b"")
    assert driver.status() == (0, b"\x01")


def test_a_request_that_was_answered_cannot_be_unlinked(driver: Driver) -> None:
    driver.attach()
    driver.status()
    assert driver.unlink() == 0
    assert driver.status() == (0, b"\x01")


def test_a_machine_that_was_reset_imports_again(driver: Driver) -> None:
    first = driver.attach()
    driver.write(0x20, b"\x14")
    assert driver.attach() == first
    assert driver.read(0x20, 1) == (0, b"\x14")
