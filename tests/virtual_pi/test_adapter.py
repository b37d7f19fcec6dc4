"""The USB-to-I2C adapter, spoken to as QEMU and Linux's i2c-tiny-usb speak."""

import errno
import socket
import threading
from collections.abc import Iterator
from struct import pack, unpack

import pytest
from adapter import TinyUsb, serve
from driver import Driver
from smbus2 import i2c_msg

STALL = 4


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


def test_it_introduces_itself_as_what_its_driver_knows(driver: Driver) -> None:
    told = driver.plug_in()
    assert {kind: len(body) for kind, body in told.items()} == {0: 64, 1: 8, 4: 132, 5: 96}
    assert told[1] == pack("<BBBBHH", 1, 0xFF, 0, 0, 0x0403, 0xC631)  # full speed
    assert unpack("<I", told[4][:4]) == (1,)
    assert (told[4][36], told[4][68:]) == (0xFF, bytes(64))  # class and what it leaves open
    assert told[5][:32] == (b"\0" + b"\xff" * 15) * 2  # endpoint 0, out and in; no other


def test_its_descriptors_agree_with_the_introduction(driver: Driver) -> None:
    driver.plug_in()
    status, device = driver.control(0x80, 6, 0x0100, 0, 18)
    assert status == 0
    assert (len(device), device[0], device[1]) == (18, 18, 1)
    assert unpack("<HH", device[8:12]) == (0x0403, 0xC631)
    status, configuration = driver.control(0x80, 6, 0x0200, 0, 255)
    assert status == 0
    assert unpack("<H", configuration[2:4]) == (len(configuration),)
    assert driver.control(0x80, 6, 0x0200, 0, 9) == (0, configuration[:9])
    assert driver.control(0x80, 6, 0x0300, 0, 255)[0] == STALL  # it has no strings


def test_it_has_one_configuration_and_one_setting(driver: Driver) -> None:
    driver.plug_in()
    assert driver.choose(6, 1) == (8, b"\0\1")
    assert driver.choose(7) == (8, b"\0\1")
    assert driver.choose(9, 0, 0) == (11, b"\0\0\0")
    assert driver.choose(10, 0) == (11, b"\0\0\0")


def test_it_offers_plain_i2c(driver: Driver) -> None:
    driver.plug_in()
    status, functions = driver.control(0xC0, 1, 0, 0, 4)
    assert status == 0
    assert unpack("<I", functions)[0] & 1
    assert driver.control(0x40, 2, 10, 0, 0) == (0, b"")  # the delay that its driver sets


def test_bytes_go_out_and_come_back(driver: Driver) -> None:
    driver.plug_in()
    assert driver.write(0x20, b"\x14\x12\x34") == (0, b"")
    assert driver.status() == (0, b"\x01")
    assert driver.read(0x20, 3) == (0, b"\x14\x12\x34")
    assert driver.status() == (0, b"\x01")


def test_a_byte_that_nobody_acknowledges(driver: Driver) -> None:
    driver.plug_in()
    assert driver.write(0x22, b"\x14") == (0, b"")
    assert driver.status() == (0, b"\x02")
    assert driver.read(0x22, 2) == (0, bytes(2))
    assert driver.status() == (0, b"\x02")
    driver.write(0x20, b"\x00")
    assert driver.status() == (0, b"\x01")


def test_a_bus_that_hangs_stalls_the_request_and_only_that(driver: Driver) -> None:
    driver.plug_in()
    assert driver.write(0x21, b"\x14")[0] == STALL
    assert driver.read(0x21, 2) == (STALL, b"")
    assert driver.write(0x20, b"\x14") == (0, b"")


def test_what_it_does_not_know_is_stalled(driver: Driver) -> None:
    driver.plug_in()
    assert driver.control(0xC0, 9, 0, 0, 1) == (STALL, b"")
    assert driver.status() == (0, b"\x01")


@pytest.mark.parametrize("kind", [3, 21], ids=["reset", "cancelled when it was answered"])
def test_what_needs_no_answer_disturbs_nothing(driver: Driver, kind: int) -> None:
    driver.plug_in()
    driver.write(0x20, b"\x14")
    driver.send(kind)
    assert driver.read(0x20, 1) == (0, b"\x14")
