"""What a charge point does in both versions of OCPP: it announces itself, reports what its guns do,
and passes on that the CSMS is there. A request of the CSMS that makes no sense is answered or
logged, and changes nothing."""

import asyncio
import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ocpp.charge_point import ChargePoint
from ocpp.exceptions import OCPPError
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from verified_alloc.errors import VerifiedAllocError, shown
from verified_alloc.ocpp.station import StationDoor, iso

VENDOR = "verified-alloc"
ANSWER_WITHIN_S = 30
HEARTBEAT_S, LONGEST_HEARTBEAT_S = 60, 86_400
STATUS_EVERY_S, METER_EVERY_S = 5, 60
HEARD_EVERY_S = 1
MOST_UNASKED = 64
LONGEST_LINE = 300

log = logging.getLogger("verified_alloc.ocpp")

T = TypeVar("T")


def _short(record: logging.LogRecord) -> bool:
    """What the library says of a frame: one line, without its traceback."""
    why = f"{record.exc_info[1]!r:.200}: " if record.exc_info else ""
    record.msg, record.args, record.exc_info = why + record.getMessage(), (), None
    record.msg = record.msg[:LONGEST_LINE]
    return True


_library = logging.getLogger("verified_alloc.ocpp.library")
_library.setLevel(logging.WARNING)  # below that, every frame
_library.addFilter(_short)


def end_if_cancelled() -> None:
    """What came at the same moment, an answer or an error, must not hide that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class SmartCharging(ChargePoint):
    """One connection. A version says how each message is spelled."""

    def __init__(self, id: str, connection: ClientConnection, station: StationDoor) -> None:
        super().__init__(id, connection, ANSWER_WITHIN_S, _library)
        self.station = station
        self._response_queue: asyncio.Queue[Any] = asyncio.Queue(MOST_UNASKED)
        self._heard = asyncio.Event()

    @abstractmethod
    def boot_notification(self) -> Any:
        """Who we are."""

    @abstractmethod
    def heartbeat(self) -> Any:
        """We are there."""

    @abstractmethod
    def status_notification(self, gun: int, status: str, at: str) -> Any:
        """Of a gun or, 0, the station; None: this version does not tell that."""

    @abstractmethod
    def meter_values(self, gun: int, at: str, offer_w: int, energy_wh: int) -> Any:
        """Of a gun."""

    async def run(self) -> None:
        """Until the connection breaks, by an exception."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.start())
            every_s = await self._accepted()
            for duty in (
                self._beat(every_s),
                self._tell_statuses(),
                self._tell_meters(),
                self._pass_on(),
            ):
                group.create_task(duty)

    async def route_message(self, raw_msg: str | bytes) -> None:
        """A frame. The library lets some through that are no OCPP."""
        self._heard.set()
        try:
            await super().route_message(raw_msg)
        except ConnectionClosed:
            raise
        except Exception as error:
            log.warning("a frame that is no OCPP (%s): %s", type(error).__name__, shown(raw_msg))

    async def ask(self, ask: Callable[..., T], *what: Any) -> tuple[T | None, str]:
        """The station's answer; or none, and why it refuses."""
        try:
            return await asyncio.to_thread(ask, *what), ""
        except VerifiedAllocError as error:
            log.warning("rejected: %s", error)
            return None, str(error)

    async def _say(self, message: Any) -> Any:
        """The answer; None if there is none that means anything. Without one in time the
        connection is given up."""
        try:
            answer = await self.call(message)
        except (OCPPError, TypeError) as error:
            said = str(error)[:LONGEST_LINE]
            log.warning("%s: no answer of OCPP: %s", type(message).__name__, said)
            return None
        finally:
            end_if_cancelled()
        return answer

    async def _accepted(self) -> int:
        """How often the CSMS wants to hear of us, once it has accepted us."""
        while True:
            answer = await self._say(self.boot_notification())
            told_s = getattr(answer, "interval", 0)
            every_s = min(told_s, LONGEST_HEARTBEAT_S) if told_s > 0 else HEARTBEAT_S
            if answer is not None and answer.status == "Accepted":
                log.info("%s is accepted", self.id)
                return every_s
            said = "no answer" if answer is None else answer.status
            log.warning("%s is not accepted (%s); again in %d s", self.id, said, every_s)
            await asyncio.sleep(every_s)

    async def _beat(self, every_s: int) -> None:
        while True:
            await asyncio.sleep(every_s)
            await self._say(self.heartbeat())

    async def _tell_statuses(self) -> None:
        """Those that have changed, at first all."""
        told: Sequence[str | None] = [None] * (1 + self.station.guns)
        while True:
            state = await asyncio.to_thread(self.station.state)
            now, at = self.station.statuses(state), iso(time.time())
            for gun, (status, before) in enumerate(zip(now, told, strict=True)):
                message = self.status_notification(gun, status, at)
                if status != before and message is not None:
                    await self._say(message)
            told = now
            await asyncio.sleep(STATUS_EVERY_S)

    async def _tell_meters(self) -> None:
        while True:
            state = await asyncio.to_thread(self.station.state)
            for gun in () if state is None else state["guns"]:
                offer_w, energy_wh = round(gun["offer_kw"] * 1000), round(gun["energy_kwh"] * 1000)
                await self._say(self.meter_values(gun["gun"], iso(state["at"]), offer_w, energy_wh))
            await asyncio.sleep(METER_EVERY_S)

    async def _pass_on(self) -> None:
        """To the station, that the CSMS is there."""
        while True:
            await self._heard.wait()
            self._heard.clear()
            await self.ask(self.station.heard)
            await asyncio.sleep(HEARD_EVERY_S)
