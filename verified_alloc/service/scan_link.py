"""The service process's end of the link to the scan: what was seen last, and orders."""

import asyncio
import json
import logging
import pickle
import socket
import time
from collections import Counter
from contextlib import suppress
from typing import Any

from verified_alloc.errors import BadInput, VerifiedAllocError
from verified_alloc.service.order_models import ALIVE
from verified_alloc.service.snapshot import Snapshot

PACKET_BYTES = 1 << 18
ORDERS_UNDER_WAY = 256
ANSWER_WITHIN_S = 2.0
TRIED_EVERY_S = 0.01
ALIVE_EVERY_S = 0.5
STOP = "emergency_stop"
FRESH_S = 1.0
"""What was seen is true for so long; later nobody knows."""

log = logging.getLogger("verified_alloc")


class Busy(VerifiedAllocError):
    """The scan has not answered, or has too much to answer already."""


class ScanLink:
    """`seen` is the latest scan; what came before it is forgotten. Made inside a running loop."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self.seen: Snapshot | None = None
        self.ended = asyncio.Event()
        self.in_good_order = False
        """The scan has told its end."""
        self.refused: Counter[str] = Counter()
        """What was turned away, by reason; for the metrics."""
        self.accepted: Counter[str] = Counter()
        self.connected = False
        """To the MQTT broker."""
        self.connects = 0
        self._end = end
        self._seen_s = 0.0
        self._changed = asyncio.Event()
        self._number = 0
        self._waiting: dict[int, asyncio.Future[str]] = {}
        asyncio.get_running_loop().add_reader(end, self._readable)

    @property
    def fresh(self) -> bool:
        """The latest scan was seen a short while ago."""
        return time.monotonic() - self._seen_s < FRESH_S and not self.ended.is_set()

    @property
    def healthy(self) -> bool:
        """Scans go on, and the enable lines are as they left them: no restart would help."""
        return self.fresh and self.seen is not None and self.seen.state.as_left

    async def newer(self, than: Snapshot | None) -> None:
        """Wait until something else has been seen."""
        while self.seen is than and not self.ended.is_set():
            await self._changed.wait()

    async def order(self, do: str, **what: Any) -> str:
        """Have the scan do something; what it says. `BadInput` if it refuses, `Busy` if it does
        not answer: then it may still do it. For a stop there is always room."""
        room = do == STOP or len(self._waiting) < ORDERS_UNDER_WAY
        if not room or self.ended.is_set():
            raise Busy("the scan has too many orders already; try again")
        self._number += 1
        number = self._number
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._send(json.dumps({"number": number, "do": do, **what}).encode(), do)
                said = await answer
        except (TimeoutError, OSError):
            raise Busy("the scan does not answer; it may still do it") from None
        finally:
            del self._waiting[number]
        self.accepted[do] += 1
        return said

    async def live(self) -> None:
        """Show the scan that this process is at work."""
        while not self.ended.is_set():
            with suppress(OSError):
                self._end.send(ALIVE)
            await asyncio.sleep(ALIVE_EVERY_S)

    async def _send(self, data: bytes, do: str) -> None:
        while True:
            try:
                self._end.send(data)
                return
            except BlockingIOError:
                if do != STOP:
                    raise
            await asyncio.sleep(TRIED_EVERY_S)

    def _readable(self) -> None:
        latest: Snapshot | None = None
        try:
            while data := self._end.recv(PACKET_BYTES):
                message = pickle.loads(data)
                if isinstance(message, Snapshot):
                    latest = message
                elif message[0] == "end":
                    self.in_good_order = True
                else:
                    self._answered(*message[1:])
            self._lost()
        except BlockingIOError:
            pass
        except OSError:
            self._lost()
        if latest is not None:
            self.seen, self._seen_s = latest, time.monotonic()
            self._tell()

    def _answered(self, number: int, accepted: bool, said: str) -> None:
        answer = self._waiting.get(number)
        if answer is None or answer.done():
            return
        if accepted:
            answer.set_result(said)
        else:
            answer.set_exception(BadInput(said))

    def _lost(self) -> None:
        asyncio.get_running_loop().remove_reader(self._end)
        self.ended.set()
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
