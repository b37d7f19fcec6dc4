"""Connections to the HTTP door: how long a client may keep one waiting, and who goes when there are
too many.

A new connection is never turned away for one on which nothing is done: of the crowd, the one that
has kept us waiting longest goes. So a stop gets in, however many are held open.
"""

import asyncio
import ipaddress
import logging
from collections import Counter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE_S = 5
"""Between two requests;"""
HEAD_WITHIN_S = 10.0
"""for the head of one;"""
BODY_WITHIN_S = 10.0
"""for its body;"""
READ_WITHIN_S = 20.0
"""and until a client that reads nothing must read on."""
CONNECTIONS = 256
OF_A_PEER = 64
"""Of one address elsewhere; who is on this machine may have them all."""
ACCEPTED_AT_ONCE = 64

log = logging.getLogger("verified_alloc.door")


class Connection(H11Protocol):
    """One of the server's `connections`; `refused` counts those that went, by reason."""

    def __init__(self, refused: Counter[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refused = refused
        self._deaf = False
        self._awaited: object = None
        self._deadline: asyncio.TimerHandle | None = None
        self.since_s = 0.0
        """Since when the client is waited for."""

    @property
    def peer(self) -> str:
        """Who has it."""
        return network(self.client[0] if self.client else "?")

    @property
    def waits(self) -> bool:
        """For its client, to say or to read something."""
        return self._awaited is not None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._mind()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._mind()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._mind()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._deaf = True
        self._mind()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._deaf = False
        self._mind()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._await(None, 0)

    def _mind(self) -> None:
        """See what the client has to do next, and until when."""
        if self._deaf or self.transport.is_closing():
            self._await("read", READ_WITHIN_S)
        elif self.conn.their_state is h11.IDLE:
            self._await("head", HEAD_WITHIN_S)
        elif self.conn.their_state is h11.SEND_BODY:
            self._await("body", BODY_WITHIN_S)
        else:
            self._await(None, 0)

    def _await(self, what: str | None, within_s: float) -> None:
        if what == self._awaited:
            return
        self._awaited = what
        self.since_s = self.loop.time()
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(within_s, self._go, "too slow") if what else None

    def _make_room(self) -> None:
        by_peer = Counter(each.peer for each in self._others())
        crowded = by_peer[self.peer] > OF_A_PEER and not is_here(self.peer)
        if len(self.connections) <= CONNECTIONS and not crowded:
            return
        # Among those that wait is always this one itself: nobody has heard from it yet.
        largest = self.peer if crowded else by_peer.most_common(1)[0][0]
        waiting = [each for each in self._others() if each.waits]
        crowd = [each for each in waiting if each.peer == largest] or waiting
        min(crowd, key=lambda each: each.since_s)._go("too many connections")

    def _others(self) -> "list[Connection]":
        return [each for each in self.connections if isinstance(each, Connection)]

    def _go(self, why: str) -> None:
        self._refused[why] += 1
        said_nothing = self._awaited == "head" and not self.conn.trailing_data[0]
        if why != "too slow" or not said_nothing:  # browsers, too, open one that they do not need
            log.warning("refused: %s: a connection of %s", why, self.peer, extra={"kind": why})
        self.connections.discard(self)
        self.transport.abort()


def network(address: str) -> str:
    """Where a caller is from: IPv6 gives each subscriber a whole network of addresses."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "?"
    if ip.version == 4 or ip.is_loopback:
        return str(ip)
    return str(ipaddress.ip_network((ip, 64), strict=False))


def is_here(address: str) -> bool:
    """It is an address of this machine only."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
