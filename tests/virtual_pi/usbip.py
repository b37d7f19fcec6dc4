"""A USB-to-I2C adapter at the far end of a network cable, for Linux's own drivers to talk to.

The adapter is an i2c-tiny-usb (protocol: drivers/i2c/busses/i2c-tiny-usb.c of Linux); the cable
carries USB/IP (Documentation/usb/usbip_protocol.rst), so that `usbip attach` on the other machine
plugs it in. There vhci_hcd, i2c-tiny-usb and i2c-dev make a /dev/i2c-N of it.
"""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from typing import NamedTuple

from smbus2 import i2c_msg

BUS_ID = "1-1"

_OPERATION = Struct(">HHI")  # version, code, status
_VERSION, _IMPORT, _IMPORTED = 0x0111, 0x8003, 0x0003
_BUS_ID_BYTES = 32
_DEVICE = Struct(">256s32sIIIHHHBBBBBB")
_FULL_SPEED = 2

_HEADER = Struct(">IIIIIIiiii8s")
_SUBMIT, _UNLINK, _SUBMITTED, _UNLINKED = 1, 2, 3, 4
_REPLY = Struct(">IIIIIiiiii8x")
_IN = 1
_STALL = -errno.EPIPE

_SETUP = Struct("<BBHHH")
_VENDOR, _PRODUCT, _RELEASE = 0x0403, 0xC631, 0x0205
_DEVICE_DESCRIPTOR = Struct("<BBHBBBBHHHBBBB").pack(
    *(18, 1, 0x0110, 0xFF, 0, 0, 8, _VENDOR, _PRODUCT, _RELEASE, 0, 0, 0, 1)
)
_CONFIGURATION = bytes([9, 2, 18, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 0, 0xFF, 0, 0, 0])
_DESCRIPTORS = {1: _DEVICE_DESCRIPTOR, 2: _CONFIGURATION}

_ECHO, _GET_FUNC, _SET_DELAY, _GET_STATUS, _I2C_IO = 0, 1, 2, 3, 4
_I2C_M_RD = 1
_FUNCTIONS = (0x0EFE0009).to_bytes(4, "little")  # I2C, and SMBus made of it, as i2c-bcm2835
_ACKNOWLEDGED, _NOT_ACKNOWLEDGED = 1, 2


class Stall(Exception):
    """The adapter refuses a request; the driver's caller gets an error."""


class Setup(NamedTuple):
    """The eight bytes that begin a control transfer."""

    kind: int
    request: int
    value: int
    index: int
    length: int


class TinyUsb:
    """The adapter. Each message of an I2C transfer goes to `transfer`, which raises OSError:
    ETIMEDOUT for a bus that hangs, anything else for a byte that nobody acknowledged."""

    def __init__(self, transfer: Callable[[i2c_msg], None]) -> None:
        self._transfer = transfer
        self._status = _ACKNOWLEDGED

    def control(self, setup: Setup, sent: bytes) -> bytes:
        """Answer one control request with the bytes that it asks for."""
        if not setup.kind & 0x60:
            return self._standard(setup)[: setup.length]
        if setup.request == _ECHO:
            return setup.value.to_bytes(2, "little")
        if setup.request == _GET_FUNC:
            return _FUNCTIONS
        if setup.request == _SET_DELAY:
            return b""
        if setup.request == _GET_STATUS:
            return bytes([self._status])
        if _I2C_IO <= setup.request < _I2C_IO + 4:  # with a bit each for the first and the last
            return self._message(setup, sent)
        raise Stall

    def _standard(self, setup: Setup) -> bytes:
        if setup.request == 6:  # GET_DESCRIPTOR
            if setup.value >> 8 not in _DESCRIPTORS:
                raise Stall
            return _DESCRIPTORS[setup.value >> 8]
        return bytes(2) if setup.request == 0 else b""

    def _message(self, setup: Setup, sent: bytes) -> bytes:
        reads = bool(setup.value & _I2C_M_RD)
        address = setup.index
        message = i2c_msg.read(address, setup.length) if reads else i2c_msg.write(address, sent)
        self._status = _ACKNOWLEDGED
        try:
            self._transfer(message)
        except OSError as error:
            if error.errno == errno.ETIMEDOUT:
                raise Stall from error
            self._status = _NOT_ACKNOWLEDGED
        return bytes(message) if reads else b""


def serve(connection: socket.socket, adapter: TinyUsb) -> None:
    """Answer on a stream until its end. A machine that was reset imports the adapter again."""
    with suppress(EOFError, OSError):
        while True:
            begun = _received(connection, _OPERATION.size)
            version, code, _ = _OPERATION.unpack(begun)
            if version == _VERSION and code == _IMPORT:
                _received(connection, _BUS_ID_BYTES)
                connection.sendall(_OPERATION.pack(_VERSION, _IMPORTED, 0) + _description())
            else:
                rest = _received(connection, _HEADER.size - len(begun))
                _answer(connection, adapter, begun + rest)


def _answer(connection: socket.socket, adapter: TinyUsb, header: bytes) -> None:
    command, number, _, direction, endpoint, _, length, _, _, _, setup = _HEADER.unpack(header)
    if command == _UNLINK:  # every request is answered at once: there is nothing left to cancel
        connection.sendall(_REPLY.pack(_UNLINKED, number, 0, 0, 0, 0, 0, 0, 0, 0))
        return
    sent = b"" if direction == _IN else _received(connection, length)
    status, answer = 0, b""
    try:
        if command != _SUBMIT or endpoint:
            raise Stall
        answer = adapter.control(Setup(*_SETUP.unpack(setup)), sent)
    except Stall:
        status = _STALL
    moved = len(answer) if direction == _IN or status else len(sent)
    reply = _REPLY.pack(_SUBMITTED, number, 0, 0, 0, status, moved, 0, 0, 0)
    connection.sendall(reply + (answer if direction == _IN else b""))


def _description() -> bytes:
    path = f"/sys/devices/virtual/usb1/{BUS_ID}".encode()
    numbers = (1, 2, _FULL_SPEED, _VENDOR, _PRODUCT, _RELEASE, 0xFF, 0, 0, 1, 1, 1)
    return _DEVICE.pack(path, BUS_ID.encode(), *numbers)


def _received(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = connection.recv(count - len(received))
        if not part:
            raise EOFError
        received += part
    return received
