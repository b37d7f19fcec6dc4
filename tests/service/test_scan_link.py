"""The service's end of the link to the scan, when the scan has too much to do."""

import asyncio
import json
import pickle
import socket
from contextlib import suppress

import pytest

from verified_alloc.service.order_models import ALIVE
from verified_alloc.service.scan_link import ORDERS_UNDER_WAY, Busy, ScanLink


def test_a_stop_finds_room_where_nothing_else_does() -> None:
    """So many orders are under way, and the line is full besides."""

    async def play() -> None:
        scan, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with scan, end:
            link = ScanLink(end)
            waiting = [asyncio.create_task(link.order("clear")) for _ in range(ORDERS_UNDER_WAY)]
            await asyncio.sleep(0)
            with pytest.raises(Busy, match="too many orders"):
                await link.order("clear")
            with suppress(BlockingIOError):
                while True:
                    end.send(b" " * 1000)
            stop = asyncio.create_task(link.order("emergency_stop"))
            await asyncio.sleep(0)
            scan.setblocking(False)
            while not stop.done():
                try:
                    packet = scan.recv(1 << 16)
                except BlockingIOError:
                    await asyncio.sleep(0.001)
                    continue
                if b"emergency_stop" in packet:
                    number = json.loads(packet)["number"]
                    scan.send(pickle.dumps(("answer", number, True, "stopped")))
                    await asyncio.sleep(0)
            assert await stop == "stopped"
            for each in waiting:
                each.cancel()

    asyncio.run(play())


def test_it_says_that_it_is_alive_until_the_scan_has_ended() -> None:
    async def play() -> None:
        scan, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with end:
            link = ScanLink(end)
            living = asyncio.create_task(link.live())
            await asyncio.sleep(0)
            assert scan.recv(100) == ALIVE
            scan.close()
            await living

    asyncio.run(play())
