"""Who speaks for a topic: of two stations that have the same, the one whose claim the broker had
first. A claim is a retained message of its own connection, whose last will takes it away."""

import asyncio
import json
import logging
import os
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, cast

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from verified_alloc.errors import VerifiedAllocError, shown
from verified_alloc.service.models import Owner
from verified_alloc.service.settings import Broker

MOST_PAYLOAD_BYTES = 4096
MOST_PACKET_BYTES = MOST_PAYLOAD_BYTES + 1024
"""With topic and properties; larger ones the broker keeps."""
MESSAGES_QUEUED = 256
KEEP_ALIVE_S = 5
ANSWERED_WITHIN_S = 5.0
CLAIM_EXPIRES_S, CLAIM_EVERY_S = 30, 10.0

log = logging.getLogger("verified_alloc.door")


class Claimed(VerifiedAllocError, aiomqtt.MqttError):
    """The topic is another station's."""


class Inbox(asyncio.Queue[aiomqtt.Message]):
    """Keeps nothing: each message is looked at as soon as it is read, so that none is dropped
    because many came before it."""

    def __init__(self, look: Callable[[aiomqtt.Message], None], maxsize: int) -> None:
        super().__init__(maxsize)
        self._look = look

    def put_nowait(self, message: aiomqtt.Message) -> None:
        """Here it comes."""
        self._look(message)


def nobody_looks(_: aiomqtt.Message) -> None:
    """Of a connection that subscribes to nothing."""


def connection(
    broker: Broker,
    will: aiomqtt.Will | None,
    look: Callable[[aiomqtt.Message], None] = nobody_looks,
) -> aiomqtt.Client:
    """Not made yet."""
    announced = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    announced.MaximumPacketSize = MOST_PACKET_BYTES
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.user,
        password=broker.password,
        tls_context=ssl.create_default_context(cafile=broker.ca_file) if broker.tls else None,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=will,
        keepalive=KEEP_ALIVE_S,
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # else 40 ms a message
        timeout=ANSWERED_WITHIN_S,
        properties=announced,
        queue_type=cast(Any, partial(Inbox, look)),
        logger=log,
    )
    client.pending_calls_threshold = MESSAGES_QUEUED
    return client


class Claim:
    """One station's claim to its topic."""

    def __init__(self, broker: Broker) -> None:
        self._ours = f"{broker.topic}/owner/{broker.owner}-"
        self._topic = self._ours + secrets.token_hex(3)
        """A last will that comes late, of the connection before, does not take this one away."""
        self._all = f"{broker.topic}/owner/+"
        self._root = broker.topic
        self._text = Owner(
            station=broker.station,
            owner=broker.owner,
            host=socket.gethostname(),
            process=os.getppid(),
            at=round(time.time(), 3),
        ).model_dump_json()
        self._stands = False
        self._heard = asyncio.Event()
        self._other = asyncio.Event()
        self._whose = ""
        will = aiomqtt.Will(self._topic, None, qos=1, retain=True)
        self._client = connection(broker, will, self._look)

    @asynccontextmanager
    async def made(self) -> AsyncIterator[None]:
        """While inside, the topic is this station's; `Claimed` if it is another's."""
        async with self._client:
            try:
                await self._client.subscribe(self._all, qos=1)
                await self._say(self._text)
                await asyncio.wait_for(self._heard.wait(), ANSWERED_WITHIN_S)
                if self._whose:
                    raise Claimed(self._whose)
                yield
            except TimeoutError:
                raise aiomqtt.MqttError(f"{self._all}: cannot be written and read") from None
            finally:
                with suppress(aiomqtt.MqttError):
                    await self._say(None)

    def duties(self) -> Iterator[Coroutine[None, None, None]]:
        """What is to be done meanwhile: they end when the connection breaks, or when it turns out
        that the topic is another's."""
        yield self._renew()
        yield self._yields()
        yield until_broken(self._client)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(CLAIM_EVERY_S)
            await self._say(self._text)

    async def _yields(self) -> None:
        await self._other.wait()
        raise Claimed(self._whose)

    def _look(self, message: aiomqtt.Message) -> None:
        """One that is retained was there before ours, as one was that is heard before it."""
        topic = str(message.topic)
        if topic == self._topic:
            self._stands = self._stands or not message.retain
        elif topic.startswith(self._ours):
            pass  # of the connection before
        elif message.payload and (message.retain or not self._stands):
            self._whose = (
                f"topic {self._root} is spoken for by {_who(message.payload)}; allowed is one"
                " station for a topic: each with its own station.name or service.mqtt_topic"
            )
            self._other.set()
        if self._stands or self._whose:
            self._heard.set()

    async def _say(self, text: str | None) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if text is not None:
            properties.MessageExpiryInterval = CLAIM_EXPIRES_S
        await self._client.publish(self._topic, text, qos=1, retain=True, properties=properties)


async def until_broken(client: aiomqtt.Client) -> None:
    """Its messages are looked at already; when the connection breaks, this raises."""
    async for _ in client.messages:
        pass


def _who(payload: object) -> str:
    """Whose claim that is, as far as it says so."""
    try:
        claim = json.loads(cast(bytes, payload))
        return f"station {shown(claim['station'])} on {shown(claim['host'])}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "somebody else"
