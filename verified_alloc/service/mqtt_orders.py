"""What guns tell by MQTT: of each kind and gun the latest, one at a time, so that none waits behind
another's flood; and what is told of the station, of each thing the latest."""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

import aiomqtt
from pydantic import ValidationError

from verified_alloc.errors import BadInput, shown
from verified_alloc.service.limit_models import (
    ClearLimitsByMqtt,
    HeartbeatByMqtt,
    LimitByMqtt,
)
from verified_alloc.service.models import (
    AcknowledgementByMqtt,
    ByMqtt,
    DemandByMqtt,
    FaultByMqtt,
    GunInServiceByMqtt,
    HoldByMqtt,
    InjectionByMqtt,
    ModuleInServiceByMqtt,
    PolicyByMqtt,
    StopByMqtt,
    said_of,
)
from verified_alloc.service.mqtt_claim import MOST_PAYLOAD_BYTES
from verified_alloc.service.scan_link import STOP, Busy, ScanLink
from verified_alloc.service.sender_clock import SenderClock
from verified_alloc.service.settings import Broker
from verified_alloc.station.model import Station

KINDS: Mapping[str, type[ByMqtt]] = {
    "demand": DemandByMqtt,
    "acknowledgement": AcknowledgementByMqtt,
    "hold": HoldByMqtt,
}
STOPS = "stop"
"""It waits for nothing else."""
OF_STATION: Mapping[str, type[ByMqtt]] = {
    STOPS: StopByMqtt,
    "limit": LimitByMqtt,
    "clear_limits": ClearLimitsByMqtt,
    "heartbeat": HeartbeatByMqtt,
    "policy": PolicyByMqtt,
    "gun_service": GunInServiceByMqtt,
    "module_service": ModuleInServiceByMqtt,
    "clear_fault": FaultByMqtt,
    "acknowledge_fault": FaultByMqtt,
    "inject": InjectionByMqtt,
}
ALL_KINDS: Mapping[str, Any] = {**KINDS, **OF_STATION}
LONGEST_ID = 64
MOST_IN_TURN = 64

log = logging.getLogger("verified_alloc.door")


class Told(NamedTuple):
    """A message, looked at."""

    gun: int
    """0: it is about the station, or nobody knows."""
    kind: str
    id: str | None
    reply_to: str | None
    """The response topic; None: the gun's own."""
    correlation: bytes | None
    request: Any = None
    heard_s: float = 0.0
    age_s: float = 0.0
    """When it was heard."""
    refusal: str = ""

    @property
    def topic(self) -> str:
        """As it is told to the station."""
        return f"gun/{self.gun}/{self.kind}" if self.gun else self.kind


class MqttOrders:
    """Those by one broker; `answer` is set by whoever is connected to it."""

    def __init__(self, broker: Broker, station: Station, link: ScanLink) -> None:
        self._broker = broker
        self._guns = len(station.guns)
        self._link = link
        timeout_s = station.timing.demand_timeout_s
        self._clocks = {gun.id: SenderClock(timeout_s) for gun in station.guns}
        self._waiting: dict[tuple[int, str, bool], Told | None] = {}
        """By gun, kind and whether it is refused: what comes next; None: nothing, but one is under
        way."""
        self._in_turn: deque[Told] = deque()
        """About the station: the first is under way."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.answer: Callable[[Told, bool, str], Awaitable[None]]

    def look(self, message: aiomqtt.Message) -> None:
        """Take it in; it displaces what its gun has told of this kind and nobody has passed on."""
        told = self._read(message)
        if told.refusal:
            self._link.refused["mqtt"] += 1
            log.warning("refused: mqtt: %s", told.refusal)
            if told.reply_to is None and (told.id is None or not told.kind):
                return
        if told.kind in OF_STATION and told.kind != STOPS and not told.refusal:
            if len(self._in_turn) >= MOST_IN_TURN:
                self._link.refused["superseded"] += 1
                return
            self._in_turn.append(told)
            if len(self._in_turn) == 1:
                self._begin(self._work_in_turn())
            return
        which = (told.gun, told.kind, bool(told.refusal))
        idle = which not in self._waiting
        if self._waiting.get(which) is not None:
            self._link.refused["superseded"] += 1
        self._waiting[which] = told
        if idle:
            self._begin(self._work(which))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """The connection is gone: what was not answered is told again."""
        for task in self._tasks:
            task.cancel()
        self._waiting.clear()
        self._in_turn.clear()

    def _read(self, message: aiomqtt.Message) -> Told:
        payload, now_s = message.payload, time.monotonic()
        data = bytes(payload) if isinstance(payload, bytes | bytearray) else b""
        told = Told(0, "", _id(data), None, None, heard_s=now_s)
        try:
            reply_to = getattr(message.properties, "ResponseTopic", None)
            if reply_to is not None:
                self._check_reply(reply_to)
                correlation = getattr(message.properties, "CorrelationData", None)
                told = told._replace(reply_to=reply_to, correlation=correlation)
            told = told._replace(**self._addressed(str(message.topic)))
            return told._replace(**self._asked(told, data, message.retain))
        except BadInput as error:
            return told._replace(refusal=str(error))

    def _check_reply(self, topic: str) -> None:
        """We may write where a gun may not: nobody has us speak as a station, or to one."""
        ours = [f"{each}/" for each in (self._broker.prefix, self._broker.home_assistant) if each]
        if set(topic) & set("+#") or topic.startswith(("$", *ours)) or f"{topic}/" in ours:
            raise BadInput(
                f"response topic {shown(topic)}: allowed is one outside {' '.join(ours)}, without"
                " + # $"
            )

    def _addressed(self, full: str) -> dict[str, Any]:
        topic = full.removeprefix(f"{self._broker.topic}/set/")
        if topic in OF_STATION:
            return {"kind": topic}
        gun_text, _, kind = topic.removeprefix("gun/").partition("/")
        is_gun = topic.startswith("gun/") and gun_text.isascii() and gun_text.isdigit()
        if kind not in KINDS or not is_gun or len(gun_text) > 4:
            raise BadInput(
                f"topic {shown(topic)}: allowed is gun/NUMBER/{', '.join(KINDS)},"
                f" {', '.join(OF_STATION)}"
            )
        gun = int(gun_text)
        if not 1 <= gun <= self._guns:
            raise BadInput(f"gun {gun}: allowed are guns 1 to {self._guns}")
        return {"gun": gun, "kind": kind}

    def _asked(self, told: Told, data: bytes, retained: bool) -> dict[str, Any]:
        topic = told.topic
        if retained:
            raise BadInput(f"topic {topic}: retained; allowed is only what is sent now")
        if not 0 < len(data) <= MOST_PAYLOAD_BYTES:
            raise BadInput(f"topic {topic}: allowed are 1 to {MOST_PAYLOAD_BYTES} bytes of JSON")
        try:
            request = ALL_KINDS[told.kind].model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "payload"
            said = said_of(where, first["input"], first["msg"])
            raise BadInput(f"topic {topic}: {said}") from None
        if request.station not in (None, self._broker.station):
            raise BadInput(
                f"topic {topic}: station = {shown(request.station)}: allowed is"
                f" {shown(self._broker.station)}"
            )
        age_s = 0.0
        if isinstance(request, DemandByMqtt) and request.sent_at is not None:
            try:
                age_s = self._clocks[told.gun].age_s(request.sent_at, told.heard_s)
            except BadInput as error:
                raise BadInput(f"demand of gun {told.gun}: {error}") from None
        return {"request": request, "age_s": age_s}

    async def _work(self, which: tuple[int, str, bool]) -> None:
        while (told := self._waiting.get(which)) is not None:
            self._waiting[which] = None
            if not await self._see_to(told):
                break
        self._waiting.pop(which, None)

    async def _work_in_turn(self) -> None:
        while self._in_turn and await self._see_to(self._in_turn[0]):
            self._in_turn.popleft()
        self._in_turn.clear()

    async def _see_to(self, told: Told) -> bool:
        """Have it done and answer; whether there is still somebody to answer to."""
        accepted, said = False, told.refusal
        if not said:
            try:
                accepted, said = True, await self._pass_on(told)
            except (BadInput, Busy) as error:
                reason = "busy" if isinstance(error, Busy) else "by the scan"
                self._link.refused[reason] += 1
                accepted, said = False, str(error)
        try:
            await self.answer(told, accepted, said)
        except aiomqtt.MqttError:
            return False
        return True

    async def _pass_on(self, told: Told) -> str:
        """To the scan; what it says."""
        gun, asked = told.gun, told.request
        if isinstance(asked, DemandByMqtt):
            age_s = told.age_s + time.monotonic() - told.heard_s
            return await self._link.order(
                "demand", gun=gun, kw=asked.demand_kw, age_ms=round(age_s * 1000)
            )
        if isinstance(asked, AcknowledgementByMqtt):
            return await self._link.order("acknowledge", gun=gun, offer_kw=asked.offer_kw)
        if isinstance(asked, HoldByMqtt):
            return await self._link.order("hold", gun=gun, seconds=asked.hold_s)
        do, what = _ORDERS[told.kind](asked)
        return await self._link.order(do, **what)


_ORDERS: Mapping[str, Callable[[Any], tuple[str, dict[str, Any]]]] = {
    STOPS: lambda _: (STOP, {}),
    "limit": lambda asked: ("put_limit", {"limit": _plain(asked)}),
    "clear_limits": lambda asked: ("clear_limits", {"which": _plain(asked)}),
    "heartbeat": lambda asked: ("heartbeat", _plain(asked)),
    "policy": lambda asked: ("policy", {"policy": asked.policy}),
    "gun_service": lambda asked: _take_out("gun", asked.gun, asked.in_service),
    "module_service": lambda asked: _take_out("module", asked.module, asked.in_service),
    "clear_fault": lambda asked: ("clear", {"fault": asked.fault}),
    "acknowledge_fault": lambda asked: ("acknowledge_fault", {"fault": asked.fault}),
    "inject": lambda asked: ("inject", {"fault": asked.fault}),
}
"""How the scan is asked what is about the station."""


def _take_out(kind: str, number: int, in_service: bool) -> tuple[str, dict[str, Any]]:
    return "take_out", {"kind": kind, "id": number, "out": not in_service}


def _plain(asked: ByMqtt) -> dict[str, Any]:
    return asked.model_dump(mode="json", exclude_none=True, exclude={"id", "station"})


def _id(data: bytes) -> str | None:
    """What is to come back, of whatever it is."""
    try:
        told = json.loads(data[:MOST_PAYLOAD_BYTES])
    except (ValueError, RecursionError):
        return None
    id = told.get("id") if isinstance(told, dict) else None
    return id if isinstance(id, str) and len(id) <= LONGEST_ID else None
