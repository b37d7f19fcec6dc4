"""The MQTT interface: demands, acknowledgements and holds in; offers, assignment and states out.

Everything published expires by itself when nobody renews it (MQTT 5), but for what the last will
says: offers of 0 for every gun.
"""

import asyncio
import json
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import BaseModel, ValidationError

from verified_alloc.errors import BadInput, shown
from verified_alloc.service.models import Hold, TimedAcknowledgement, TimedDemand, said_of
from verified_alloc.service.scan_link import Busy, ScanLink
from verified_alloc.service.settings import Broker
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.views import Views
from verified_alloc.station.model import Station

MOST_PAYLOAD_BYTES = 4096
MESSAGES_QUEUED = 256
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
KEEP_ALIVE_S = 5
ANSWERED_WITHIN_S = 5.0
ASSIGNMENT_PAUSE_S = 0.1
STATE_EVERY_S = 1.0
STATE_EXPIRES_S = 5

log = logging.getLogger("verified_alloc.door")


async def speak(broker: Broker, station: Station, link: ScanLink, views: Views) -> None:
    """Stay connected, however often the broker goes away, until cancelled; then say 0."""
    pause_s = FIRST_PAUSE_S
    while not link.ended.is_set():
        talk = _Talk(broker, station, link, views)
        try:
            await talk.run()
        except (aiomqtt.MqttError, OSError) as error:
            log.warning("MQTT broker %s:%s: %s", broker.host, broker.port, error)
        lasted_s = 0.0 if talk.connected_s is None else time.monotonic() - talk.connected_s
        if lasted_s > LONGEST_PAUSE_S:
            pause_s = FIRST_PAUSE_S
        link.connected = False
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


class _Talk:
    """One connection."""

    def __init__(self, broker: Broker, station: Station, link: ScanLink, views: Views) -> None:
        self._broker = broker
        self._station = station
        self._link = link
        self._views = views
        self._tasks: set[asyncio.Task[None]] = set()
        self.connected_s: float | None = None
        nothing = views.offers(None).model_dump_json()
        self._client = aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.user,
            password=broker.password,
            tls_context=ssl.create_default_context(cafile=broker.ca_file) if broker.tls else None,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=aiomqtt.Will(f"{broker.topic}/offers", nothing, qos=1, retain=True),
            keepalive=KEEP_ALIVE_S,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # else 40 ms a message
            timeout=ANSWERED_WITHIN_S,
            max_queued_incoming_messages=MESSAGES_QUEUED,
            logger=log,
        )
        self._client.pending_calls_threshold = MESSAGES_QUEUED
        self._nothing = nothing

    async def run(self) -> None:
        """Until the connection breaks."""
        async with self._client:
            self.connected_s = time.monotonic()
            self._link.connected = True
            self._link.connects += 1
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._hear())
                    group.create_task(self._offer())
                    group.create_task(self._show())
            except* (aiomqtt.MqttError, OSError) as broken:
                raise broken.exceptions[0] from None
            finally:
                for task in self._tasks:
                    task.cancel()
                with suppress(aiomqtt.MqttError):
                    await self._say("offers", self._nothing)

    # In.

    async def _hear(self) -> None:
        await self._client.subscribe(f"{self._broker.topic}/set/#", qos=1)
        async for message in self._client.messages:
            try:
                gun, kind, request = self._read(message)
            except BadInput as error:
                self._link.refused["mqtt"] += 1
                log.warning("refused: mqtt: %s", error)
                continue
            task = asyncio.create_task(self._tell(gun, kind, request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _read(self, message: aiomqtt.Message) -> "tuple[int, _Kind, BaseModel]":
        """What a message asks for, checked; `BadInput`."""
        topic = str(message.topic).removeprefix(f"{self._broker.topic}/set/")
        gun_text, _, name = topic.removeprefix("gun/").partition("/")
        is_gun = topic.startswith("gun/") and gun_text.isascii() and gun_text.isdigit()
        if name not in KINDS or not is_gun or len(gun_text) > 4:
            raise BadInput(f"topic {shown(topic)}: allowed is gun/NUMBER/{', '.join(KINDS)}")
        gun = int(gun_text)
        if not 1 <= gun <= len(self._station.guns):
            raise BadInput(f"gun {gun}: allowed are guns 1 to {len(self._station.guns)}")
        if message.retain:
            raise BadInput(f"topic {topic}: retained; allowed is only what is sent now")
        payload = message.payload
        if not isinstance(payload, bytes | bytearray) or len(payload) > MOST_PAYLOAD_BYTES:
            raise BadInput(f"topic {topic}: allowed are {MOST_PAYLOAD_BYTES} bytes of JSON")
        kind = KINDS[name]
        try:
            request = kind.model.model_validate_json(payload)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "payload"
            said = said_of(where, first["input"], first["msg"])
            raise BadInput(f"topic {topic}: {said}") from None
        return gun, kind, request

    async def _tell(self, gun: int, kind: "_Kind", request: BaseModel) -> None:
        """Pass it on to the scan, and the scan's answer back."""
        answer: dict[str, Any] = {"to": kind.name, "id": getattr(request, "id", None)}
        try:
            said = await kind.order(self, gun, request)
            answer |= {"accepted": True, "said": said}
        except (BadInput, Busy) as error:
            self._link.refused["busy" if isinstance(error, Busy) else "by the scan"] += 1
            answer |= {"accepted": False, "said": str(error)}
        try:
            await self._say(f"gun/{gun}/answer", json.dumps(answer), retain=False)
        except aiomqtt.MqttError:
            return  # the connection is gone: what was not answered is told again

    async def _demand(self, gun: int, request: TimedDemand) -> str:
        age_s = 0.0 if request.sent_s is None else time.time() - request.sent_s
        timeout_s = self._station.timing.demand_timeout_s
        if not -timeout_s <= age_s <= timeout_s:
            raise BadInput(
                f"demand of gun {gun} is {age_s:.1f} s old by its sent_s: allowed is {timeout_s} s"
            )
        return await self._link.order(
            "demand", gun=gun, kw=request.kw, age_ms=max(0, round(age_s * 1000))
        )

    async def _acknowledge(self, gun: int, request: TimedAcknowledgement) -> str:
        return await self._link.order("acknowledge", gun=gun, offer_kw=request.offer_kw)

    async def _hold(self, gun: int, request: Hold) -> str:
        return await self._link.order("hold", gun=gun, seconds=request.seconds)

    # Out.

    async def _offer(self) -> None:
        """Offers as soon as they change, and again before they expire."""
        lifetime_s = self._station.timing.offer_lead_ms / 1000
        offered: object = None
        seen: Snapshot | None = None
        renewed_s = 0.0
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._link.newer(seen), max(0.05, lifetime_s / 4))
            if not self._link.fresh:
                if offered != self._nothing:
                    offered = self._nothing
                    await self._say("offers", self._nothing)
                if self._link.ended.is_set():
                    await asyncio.Event().wait()
                continue
            seen = self._link.seen
            assert seen is not None
            now_s = time.monotonic()
            if seen.state.offer_w != offered or now_s >= renewed_s + lifetime_s / 4:
                offered, renewed_s = seen.state.offer_w, now_s
                offers = self._views.offers(seen).model_dump_json()
                await self._say("offers", offers, expires_s=max(1, round(lifetime_s)))

    async def _show(self) -> None:
        """The assignment as soon as it changes; the whole state, and that of each gun, every
        second."""
        assignment: object = None
        seen: Snapshot | None = None
        shown_s = 0.0
        while not self._link.ended.is_set():
            await self._link.newer(seen)
            seen = self._link.seen
            if seen is None:
                continue
            if seen.assignment != assignment:
                assignment = seen.assignment
                await self._say("assignment", self._views.assignment(seen).model_dump_json())
                await asyncio.sleep(ASSIGNMENT_PAUSE_S)
            if time.monotonic() >= shown_s + STATE_EVERY_S:
                shown_s = time.monotonic()
                state = self._views.state(seen, self._link.healthy)
                for gun in state.guns:
                    await self._say(
                        f"gun/{gun.gun}/state", gun.model_dump_json(), expires_s=STATE_EXPIRES_S
                    )
                await self._say("state", state.model_dump_json(), expires_s=STATE_EXPIRES_S)

    async def _say(
        self, topic: str, text: str, retain: bool = True, expires_s: int | None = None
    ) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expires_s is not None:
            properties.MessageExpiryInterval = expires_s
        await self._client.publish(
            f"{self._broker.topic}/{topic}", text, qos=1, retain=retain, properties=properties
        )


@dataclass(frozen=True)
class _Kind:
    """Something that a gun can tell."""

    name: str
    model: type[BaseModel]
    order: Callable[[_Talk, int, Any], Awaitable[str]]


KINDS = {
    kind.name: kind
    for kind in (
        _Kind("demand", TimedDemand, _Talk._demand),
        _Kind("acknowledgement", TimedAcknowledgement, _Talk._acknowledge),
        _Kind("hold", Hold, _Talk._hold),
    )
}
