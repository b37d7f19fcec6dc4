"""A USB-to-I2C adapter in the virtual Pi's USB port, for Linux's own drivers to talk to.

The adapter is an i2c-tiny-usb (protocol: drivers/i2c/busses/i2c-tiny-usb.c of Linux). QEMU hands on
over a socket what the kernel asks of it through the port's controller (usbredir's
docs/usb-redirection-protocol.md). So the kernel's own dwc2, i2c-tiny-usb and i2c-dev make a
/dev/i2c-N of it.
"""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from typing import NamedTuple

from smbus2 import i2c_msg

_HEADER = Struct("<III")  # kind, bytes that follow, number of the request
_HELLO, _CONNECT, _INTERFACES, _ENDPOINTS, _CONTROL = 0, 1, 4, 5, 100
_REQUEST = Struct("<BBBBHHH")  # endpoint, request, kind, status, value, index, length
_IN = 0x80
_DONE, _STALL = 0, 4

# Set or get a configuration or an alternate setting: there is one of each. Kind, and the answer.
_CHOICES = {
    **dict.fromkeys((6, 7), (8, bytes([_DONE, 1]))),
    **dict.fromkeys((9, 10), (11, bytes([_DONE, 0, 0]))),
}

_FULL_SPEED, _VENDOR_SPECIFIC, _NONE = 1, 0xFF, 0xFF
_VENDOR, _PRODUCT, _RELEASE = 0x0403, 0xC631, 0x0205
_DEVICE_DESCRIPTOR = Struct("<BBHBBBBHHHBBBB").pack(
    *(18, 1, 0x0110, 0xFF, 0, 0, 8, _VENDOR, _PRODUCT, _RELEASE, 0, 0, 0, 1)
)
_CONFIGURATION = bytes([9, 2, 18, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 0, 0xFF, 0, 0, 0])
_DESCRIPTORS = {1: _DEVICE_DESCRIPTOR, 2: _CONFIGURATION}

# What usbredir wants to be told of it: endpoints by direction and number, of which there is only
# the one for control (type 0); one interface, whose class is the vendor's; the device itself.
_INTRODUCTION = (
    (_HELLO, b"i2c-tiny-usb".ljust(64, b"\0")),
    (_ENDPOINTS, bytes([0, *[_NONE] * 15]) * 2 + bytes(64)),
    (_INTERFACES, b"\1".ljust(36, b"\0") + bytes([_VENDOR_SPECIFIC]).ljust(96, b"\0")),
    (_CONNECT, Struct("<4B2H").pack(_FULL_SPEED, _VENDOR_SPECIFIC, 0, 0, _VENDOR, _PRODUCT)),
)

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


def serve(port: socket.socket, adapter: TinyUsb) -> None:
    """Plug the adapter into a port, and answer until that ends."""
    with suppress(EOFError, OSError):
        while True:
            kind, length, number = _HEADER.unpack(_received(port, _HEADER.size))
            asked = _received(port, length)
            if kind == _HELLO:
                for what, told in _INTRODUCTION:
                    _tell(port, what, 0, told)
            elif kind in _CHOICES:
                what, told = _CHOICES[kind]
                _tell(port, what, number, told)
            elif kind == _CONTROL:
                _tell(port, _CONTROL, number, _answer(adapter, asked))


def _answer(adapter: TinyUsb, asked: bytes) -> bytes:
    endpoint, request, kind, _, value, index, length = _REQUEST.unpack_from(asked)
    status, answer = _DONE, b""
    try:
        setup = Setup(kind, request, value, index, length)
        answer = adapter.control(setup, asked[_REQUEST.size :])
    except Stall:
        status, length = _STALL, 0
    moved = len(answer) if kind & _IN else length
    return _REQUEST.pack(endpoint, request, kind, status, value, index, moved) + answer


def _tell(port: socket.socket, kind: int, number: int, told: bytes) -> None:
    port.sendall(_HEADER.pack(kind, len(told), number) + told)


def _received(port: socket.socket, count: int) -> bytes:
    received = port.recv(count, socket.MSG_WAITALL) if count else b""
    if len(received) < count:
        raise EOFError
    return received
