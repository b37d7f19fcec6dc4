"""Connections that keep the door waiting, on a real server that waits only for a moment."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any

import pytest
import uvicorn

from verified_alloc.service import connections
from verified_alloc.service.connections import Connection, is_here, network

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
MOMENT_S = 0.2
LONG_S = 3600.0
Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Door:
    """Answers once it is let; a long answer to /long."""

    def __init__(self) -> None:
        self.refused = Counter[str]()
        self.open = asyncio.Event()
        self.open.set()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await self.open.wait()
        while (await receive()).get("more_body"):
            pass
        body = b"x" * (1 << 22 if scope["path"] == "/long" else 1)
        length = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": body})

    async def talk(self, said: bytes = b"") -> Talk:
        reader, writer = await asyncio.open_connection(*self.at)
        writer.write(said)
        await writer.drain()
        return reader, writer


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Door]:
    door = Door()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        door.at = listening.getsockname()
        http: Any = partial(Connection, door.refused)
        config = uvicorn.Config(
            door.app, interface="asgi3", http=http, lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))
        try:
            yield door
        finally:
            door.open.set()
            server.should_exit = True
            await serving


def play(act: Callable[[Door], Coroutine[Any, Any, None]]) -> None:
    async def played() -> None:
        async with served() as door:
            await act(door)

    asyncio.run(played())


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_WITHIN_S", "BODY_WITHIN_S", "READ_WITHIN_S"):
        monkeypatch.setattr(connections, name, LONG_S)


async def ended(talk: Talk) -> bytes:
    """What still comes until it is closed."""
    try:
        return await talk[0].read()
    except ConnectionResetError:
        return b""
    finally:
        talk[1].close()


@pytest.mark.parametrize(
    ("limit", "said", "answered"),
    [
        ("HEAD_WITHIN_S", b"", False),
        ("HEAD_WITHIN_S", GET[:9], False),
        ("HEAD_WITHIN_S", GET + GET[:9], True),
        ("BODY_WITHIN_S", PUT, False),
        ("BODY_WITHIN_S", PUT + b"12", False),
    ],
)
def test_who_does_not_end_a_request_is_hung_up_on(
    limit: str,
    said: bytes,
    answered: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And it is told, unless nothing was ever said: browsers do that."""
    monkeypatch.setattr(connections, limit, MOMENT_S)

    async def act(door: Door) -> None:
        assert (await ended(await door.talk(said))).startswith(b"HTTP/1.1 200") == answered
        assert door.refused["too slow"] == 1

    play(act)
    assert ("refused: too slow: a connection of 127.0.0.1" in caplog.messages) == bool(said)


def test_a_drop_at_a_time_is_no_way_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_WITHIN_S", MOMENT_S)

    async def act(door: Door) -> None:
        reader, writer = await door.talk(GET[:1])

        async def drip() -> None:
            while True:
                writer.write(b"G")
                await asyncio.sleep(MOMENT_S / 10)

        dripping = asyncio.create_task(drip())
        await ended((reader, writer))
        dripping.cancel()
        assert door.refused["too slow"] == 1

    play(act)


def test_who_reads_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_WITHIN_S", MOMENT_S)

    async def act(door: Door) -> None:
        reader, writer = await door.talk(GET.replace(b"/", b"/long", 1))
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        while not door.refused["too slow"]:
            await asyncio.sleep(0.01)
        writer.close()

    play(act)


def test_the_one_that_has_waited_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS", 3)

    async def act(door: Door) -> None:
        first, second, third = [await door.talk() for _ in range(3)]
        second[1].write(GET)
        assert (await second[0].readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        fourth = await door.talk(GET)
        assert (await fourth[0].readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        assert await ended(first) == b""
        assert door.refused == {"too many connections": 1}
        for _, writer in (second, third, fourth):
            writer.close()

    play(act)


def test_none_on_which_something_is_done_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS", 2)

    async def act(door: Door) -> None:
        door.open.clear()
        busy = [await door.talk(GET) for _ in range(2)]
        assert await ended(await door.talk(GET)) == b""
        door.open.set()
        for reader, writer in busy:
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            writer.close()

    play(act)


def test_one_address_elsewhere_gets_its_share_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "OF_A_PEER", 2)
    monkeypatch.setattr(connections, "is_here", lambda _: False)

    async def act(door: Door) -> None:
        talks = [await door.talk() for _ in range(3)]
        assert await ended(talks[0]) == b""
        assert door.refused == {"too many connections": 1}
        for _, writer in talks[1:]:
            writer.close()

    play(act)


def test_where_a_caller_is_from() -> None:
    assert network("192.0.2.7") == "192.0.2.7"
    assert network("2001:db8::7") == network("2001:db8::8") == "2001:db8::/64"
    assert network("::1") == "::1"
    assert network("\x1b[2J") == "?"
    assert [is_here(each) for each in ("127.0.0.9", "::1", "192.0.2.7", "?")] == [
        True,
        True,
        False,
        False,
    ]
