"""The Modbus TCP server: registers to read, the site limit and demands to write where that is
allowed. pymodbus reads and writes the messages; each connection has one request answered at a time.

Nobody is authenticated: whoever reaches the port may do what it offers.
"""

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU

from verified_alloc.errors import BadInput
from verified_alloc.service.modbus_map import (
    GUN,
    GUN_STRIDE,
    NO_LIMIT,
    STATION,
    Look,
    placed,
    words,
)
from verified_alloc.service.models import Demand
from verified_alloc.service.scan_link import Busy, ScanLink
from verified_alloc.service.views import Views
from verified_alloc.station.model import Station

READS, WRITES = {3, 4}, {16}
"""Function codes: registers only, and values only whole."""
HEAD_BYTES, LONGEST_BYTES = 7, 253
"""The header, and what may follow it."""
CONNECTIONS = 16
SILENT_S = 60.0
"""A connection is closed when it has asked for nothing, or left an answer unread, for so long."""
PAUSE_S = 0.01
"""After each answer: nobody keeps the others waiting."""

log = logging.getLogger("verified_alloc.door")


class Registers:
    """What a message reads and writes, in pymodbus's words for that."""

    def __init__(self, station: Station, link: ScanLink, views: Views) -> None:
        self._station = station
        self._link = link
        self._views = views

    async def async_getValues(  # noqa: N802
        self, device_id: int, function: int, address: int, count: int = 1
    ) -> list[int] | ExcCodes:
        """So many words from there on, all of one scan."""
        gun, offset = divmod(address, GUN_STRIDE)
        if gun > len(self._station.guns):
            return ExcCodes.ILLEGAL_ADDRESS
        seen = self._link.seen
        if seen is None or not self._link.fresh:
            return ExcCodes.DEVICE_FAILURE
        look = Look(self._station, self._views, seen, self._link.healthy, gun - 1)
        block = words(GUN if gun else STATION, look)
        read = block[offset : offset + count]
        return read if len(read) == count else ExcCodes.ILLEGAL_ADDRESS

    async def async_setValues(  # noqa: N802
        self, device_id: int, function: int, address: int, values: Sequence[int]
    ) -> ExcCodes | None:
        """One value, whole; it goes the way of every order."""
        gun, offset = divmod(address, GUN_STRIDE)
        known = {at: each for at, each in placed(GUN if gun else STATION) if each.writable}
        if gun > len(self._station.guns) or offset not in known:
            return ExcCodes.ILLEGAL_ADDRESS
        if len(values) != known[offset].words:
            return ExcCodes.ILLEGAL_VALUE
        value = values[0] << 16 | values[1]
        try:
            if gun:
                await self._link.order(
                    "demand", gun=gun, kw=Demand(demand_kw=value / 1000).demand_kw
                )
            elif value == NO_LIMIT:
                await self._take_back()
            else:
                await self._link.order(
                    "put_limit", limit={"limit_kw": Demand(demand_kw=value / 1000).demand_kw}
                )
        except (ValidationError, BadInput):
            return ExcCodes.ILLEGAL_VALUE
        except Busy:
            return ExcCodes.DEVICE_BUSY
        return None

    async def _take_back(self) -> None:
        """The value that was written here, if it stands."""
        standing = () if self._link.seen is None else self._link.seen.limits.profiles
        if any(each.gun is None and each.purpose == "external" for each in standing):
            await self._link.order("clear_limits", which={"purpose": "external", "gun": 0})


class ModbusDoor:
    """Its connections."""

    def __init__(self, station: Station, link: ScanLink, views: Views, write: bool) -> None:
        self._registers = Registers(station, link, views)
        self._link = link
        self._functions = READS | WRITES if write else READS
        self._framer = FramerSocket(DecodePDU(True))
        self._heard_s: dict[asyncio.StreamWriter, float] = {}

    async def serve(self, listening: socket.socket) -> None:
        """Until cancelled."""
        server = await asyncio.start_server(self._converse, sock=listening, limit=1024)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        now_s = asyncio.get_running_loop().time
        if len(self._heard_s) >= CONNECTIONS:
            min(self._heard_s, key=self._heard_s.__getitem__).transport.abort()
        self._heard_s[writer] = now_s()
        try:
            while True:
                async with asyncio.timeout(SILENT_S):
                    head = await reader.readexactly(HEAD_BYTES)
                    length = int.from_bytes(head[4:6], "big") - 1
                    if any(head[2:4]) or not 1 <= length <= LONGEST_BYTES:
                        self._refuse("no Modbus header")
                        break
                    frame = head + await reader.readexactly(length)
                self._heard_s[writer] = now_s()
                writer.write(self._framer.buildFrame(await self._answer(frame)))
                async with asyncio.timeout(SILENT_S):
                    await writer.drain()
                await asyncio.sleep(PAUSE_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            del self._heard_s[writer]
            writer.transport.abort()

    async def _answer(self, frame: bytes) -> ModbusPDU:
        function = frame[HEAD_BYTES]
        answer: ModbusPDU = ExceptionResponse(function & 0x7F, ExcCodes.ILLEGAL_FUNCTION)
        if function in self._functions:
            answer = ExceptionResponse(function, ExcCodes.ILLEGAL_VALUE)
            with suppress(ModbusException):
                _, asked = self._framer.handleFrame(frame, 0, 0)
                registers: Any = self._registers
                if asked is not None:
                    answer = await asked.datastore_update(registers, asked.dev_id)
        if answer.isError():
            self._refuse(f"function {function}: exception {answer.exception_code}")
        answer.transaction_id, answer.dev_id = int.from_bytes(frame[:2], "big"), frame[6]
        return answer

    def _refuse(self, why: str) -> None:
        self._link.refused["modbus"] += 1
        log.warning("refused: modbus: %s", why)
