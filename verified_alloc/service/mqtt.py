"""The MQTT interface: demands, acknowledgements and holds in; offers, assignment and states out.

Everything published expires by itself when nobody renews it (MQTT 5), but for what the last will
says: offers of 0 for every gun.
"""

import asyncio
import json
import logging
import time
from contextlib import AsyncExitStack, suppress

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from verified_alloc.service.home_assistant import discovery
from verified_alloc.service.models import Answer
from verified_alloc.service.mqtt_claim import Claim, Claimed, connection, until_broken
from verified_alloc.service.mqtt_orders import OF_STATION, MqttOrders, Told
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.settings import Broker
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.views import Views
from verified_alloc.station.model import Station

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
CLAIMED_PAUSE_S = 2.0
MOST_EARS = 32
ASSIGNMENT_PAUSE_S = 0.1
STATE_EVERY_S = 1.0
STATE_EXPIRES_S = 5

log = logging.getLogger("verified_alloc.door")


async def speak(broker: Broker, station: Station, link: ScanLink, views: Views) -> None:
    """Stay connected, however often the broker goes away, until cancelled; then say 0."""
    pause_s = FIRST_PAUSE_S
    orders = MqttOrders(broker, station, link)
    while not link.ended.is_set():
        talk = _Talk(broker, station, link, views, orders)
        try:
            await talk.run()
        except (aiomqtt.MqttError, OSError) as error:
            log.warning("MQTT broker %s:%s: %s", broker.host, broker.port, error)
            views.mqtt_trouble = f"MQTT: {error}" if isinstance(error, Claimed) else ""
            if isinstance(error, Claimed):
                pause_s = CLAIMED_PAUSE_S
        lasted_s = 0.0 if talk.connected_s is None else time.monotonic() - talk.connected_s
        if lasted_s > LONGEST_PAUSE_S:
            pause_s = FIRST_PAUSE_S
        link.connected = False
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


class _Talk:
    """One connection."""

    def __init__(
        self, broker: Broker, station: Station, link: ScanLink, views: Views, orders: MqttOrders
    ) -> None:
        self._broker = broker
        self._station = station
        self._link = link
        self._views = views
        self._orders = orders
        self._claim = Claim(broker)
        self.connected_s: float | None = None
        self._named = f'{{"station":{json.dumps(broker.station)},'
        self._nothing = self._views.offers(None).model_dump_json()
        nothing = self._with_name(self._nothing)
        will = aiomqtt.Will(f"{broker.topic}/offers", nothing, qos=1, retain=True)
        self._client = connection(broker, will)
        guns = [gun.id for gun in station.guns]
        heard = [f"gun/{gun}/+" for gun in guns]
        self._ears = {
            connection(broker, None, orders.look): topics
            for topics in ([*OF_STATION], *(heard[ear::MOST_EARS] for ear in range(MOST_EARS)))
            if topics
        }
        """Each with its topics: what a gun floods, the others do not wait behind, nor does who
        tells limits, and nobody speaks through it."""

    async def run(self) -> None:
        """Until the connection breaks."""
        async with self._claim.made(), self._client, AsyncExitStack() as stack:
            self._orders.answer = self._answer
            stack.callback(self._orders.cancel)
            for ear, topics in self._ears.items():
                await stack.enter_async_context(ear)
                for topic in topics:
                    await ear.subscribe(f"{self._broker.topic}/set/{topic}", qos=1)
            self.connected_s = time.monotonic()
            self._link.connected = True
            self._link.connects += 1
            self._views.mqtt_trouble = ""
            await self._introduce()
            unbroken = map(until_broken, (self._client, *self._ears))
            duties = (*self._claim.duties(), *unbroken)
            try:
                async with asyncio.TaskGroup() as group:
                    for duty in (*duties, self._offer(), self._show()):
                        group.create_task(duty)
            except* (aiomqtt.MqttError, OSError) as broken:
                raise broken.exceptions[0] from None
            finally:
                with suppress(aiomqtt.MqttError):
                    await self._say("offers", self._nothing)

    async def _introduce(self) -> None:
        """To Home Assistant; this does not expire, whether we are there it hears of `offers`."""
        if self._broker.home_assistant:
            devices = discovery(self._broker, self._station, self._views.version)
            for topic, config in devices:
                await self._client.publish(topic, json.dumps(config), qos=1, retain=True)

    async def _answer(self, told: Told, accepted: bool, said: str) -> None:
        answer = Answer(
            station=self._broker.station, to=told.kind, id=told.id, accepted=accepted, said=said
        )
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if told.correlation is not None:
            properties.CorrelationData = told.correlation
        place = f"gun/{told.gun}/answer" if told.gun else "answer"
        await self._client.publish(
            told.reply_to or f"{self._broker.topic}/{place}",
            answer.model_dump_json(),
            qos=1,
            properties=properties,
        )

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

    async def _say(self, topic: str, text: str, expires_s: int | None = None) -> None:
        """Retained; the whole state has the station's name already."""
        if topic != "state":
            text = self._with_name(text)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expires_s is not None:
            properties.MessageExpiryInterval = expires_s
        await self._client.publish(
            f"{self._broker.topic}/{topic}", text, qos=1, retain=True, properties=properties
        )

    def _with_name(self, text: str) -> str:
        """The JSON, with whose it is."""
        return self._named + text[1:]
