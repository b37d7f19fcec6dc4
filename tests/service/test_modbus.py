"""Modbus TCP by other people's client, pymodbus's: what is read, what may be written, who is kept
out."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient, ModbusTcpClient
from pymodbus.pdu import ModbusPDU
from service.served import Served, eventually
from service.snapshots import snapshot_of
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc import cli
from verified_alloc.control.fault_kinds import Fault
from verified_alloc.service.explainer import Explainer
from verified_alloc.service.modbus import CONNECTIONS, ModbusDoor
from verified_alloc.service.modbus_map import GUN, GUN_STRIDE, NO_LIMIT, STATION, placed, table
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.views import Views

pytestmark = pytest.mark.xdist_group("modbus")  # one station for all of them

PAGE = (Path(__file__).parents[2] / "docs" / "modbus.md").read_text(encoding="utf-8")
DEMAND = 2
"""Where a gun's demand lies in its block, and the site limit in the station's: by the page."""
SITE_LIMIT = 8


def values(registers: list[int], gun: int = 0) -> dict[str, int]:
    """What a whole block says, by name."""
    told = {}
    for offset, register in placed(GUN if gun else STATION):
        high, *low = registers[offset : offset + register.words]
        told[register.name] = high << 16 | low[0] if low else high
    return told


def size(gun: int = 0) -> int:
    return sum(register.words for register in (GUN if gun else STATION))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = 'modbus = "127.0.0.1:0"\nmodbus_write = true\n'
    with Served(tmp_path_factory.mktemp("served"), service=service) as at_work:
        yield at_work


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[ModbusTcpClient]:
    port = re.search(r"Modbus: 127\.0\.0\.1:(\d+)\n", served.said)
    assert port is not None
    with ModbusTcpClient("127.0.0.1", port=int(port[1]), timeout=10) as connected:
        yield connected


def read(client: ModbusTcpClient, gun: int = 0) -> dict[str, int]:
    return values(client.read_input_registers(gun * GUN_STRIDE, count=size(gun)).registers, gun)


def write(client: ModbusTcpClient, address: int, value: int) -> ModbusPDU:
    return client.write_registers(address, [value >> 16, value & 0xFFFF])


def test_a_session_of_an_energy_manager(served: Served, client: ModbusTcpClient) -> None:
    station = read(client)
    assert (station["guns"], station["modules"], station["demand_timeout_s"]) == (6, 9, 3600)
    assert (station["healthy"], station["stopped"], station["faults"]) == (1, 0, 0)
    assert station["site_limit_w"] == station["own_limit_w"] == NO_LIMIT
    eventually(lambda: read(client)["heartbeat"] != station["heartbeat"])
    assert read(client, 3)["state"] == 0

    assert not write(client, 3 * GUN_STRIDE + DEMAND, 100_500).isError()
    gun = eventually(lambda: (told := read(client, 3))["offer_w"] == 100_500 and told)
    assert (gun["state"], gun["demand_w"], gun["modules"], gun["live"]) == (2, 100_500, 3, 3)
    assert gun["given_w"] == read(client)["offered_w"] == read(client)["given_w"] == 100_500
    assert served.gun(3)["demand_kw"] == 100.5
    assert eventually(lambda: read(client, 3)["energy_wh"]) <= served.gun(3)["energy_kwh"] * 1000

    assert not write(client, SITE_LIMIT, 60_000).isError()
    eventually(lambda: read(client, 3)["offer_w"] == read(client)["site_limit_w"] == 60_000)
    assert not write(client, SITE_LIMIT, NO_LIMIT).isError()
    eventually(lambda: read(client)["site_limit_w"] == NO_LIMIT)
    served.http.post("/api/v1/emergency-stop")
    eventually(lambda: (told := read(client))["stopped"] == told["faults"] == 1)
    assert read(client, 3)["offer_w"] == 0
    served.http.delete("/api/v1/faults/emergency-stop")
    assert not write(client, 3 * GUN_STRIDE + DEMAND, 0).isError()
    eventually(lambda: read(client, 3)["state"] == 0)


@pytest.mark.parametrize(
    ("ask", "exception"),
    [
        (lambda c: c.read_holding_registers(0, count=size() + 1), 2),
        (lambda c: c.read_holding_registers(50, count=1), 2),
        (lambda c: c.read_holding_registers(7 * GUN_STRIDE, count=1), 2),
        (lambda c: c.read_holding_registers(65_535, count=1), 2),
        (lambda c: c.read_coils(0, count=1), 1),
        (lambda c: c.write_register(GUN_STRIDE + DEMAND, 1), 1),
        (lambda c: c.write_coil(0, True), 1),
        (lambda c: c.read_device_information(), 1),
        (lambda c: c.write_registers(GUN_STRIDE + DEMAND, [1]), 3),
        (lambda c: c.write_registers(GUN_STRIDE + DEMAND, [0, 1, 0]), 3),
        (lambda c: c.write_registers(GUN_STRIDE + DEMAND + 1, [0, 1]), 2),
        (lambda c: c.write_registers(GUN_STRIDE + 4, [0, 1]), 2),
        (lambda c: write(c, 7 * GUN_STRIDE + DEMAND, 1), 2),
        (lambda c: write(c, GUN_STRIDE + DEMAND, 1_000_000_001), 3),
        (lambda c: write(c, SITE_LIMIT, NO_LIMIT - 1), 3),
    ],
)
def test_what_is_refused_changes_nothing(
    served: Served, client: ModbusTcpClient, ask: Callable[[Any], ModbusPDU], exception: int
) -> None:
    assert ask(client).exception_code == exception
    assert [gun["demand_kw"] for gun in served.state()["guns"]] == [0] * 6
    assert served.state()["limits"]["standing"] == []
    assert 'refused_total{reason="modbus"}' in served.http.get("/metrics").text


@asynccontextmanager
async def a_door(write: bool) -> AsyncIterator[tuple[int, ScanLink]]:
    """Its port, and the link that it looks at, which has seen nothing yet."""
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as listening:
        link = ScanLink(ours)
        views = Views(REFERENCE, "not proved", True, Explainer(REFERENCE))
        door = asyncio.create_task(ModbusDoor(REFERENCE, link, views, write).serve(listening))
        yield listening.getsockname()[1], link
        door.cancel()
        await asyncio.wait([door])
        asyncio.get_running_loop().remove_reader(ours)


def seen_now(link: ScanLink, *latched: Fault) -> None:
    with WorkingStation(REFERENCE) as at_work:
        state = at_work.scan()._replace(latched=frozenset(latched), locked=(2,))
    link.seen, link._seen_s = snapshot_of(state), asyncio.get_running_loop().time()


def of_a_door(go: Callable[[int, ScanLink], Awaitable[None]], write: bool = False) -> None:
    async def within() -> None:
        async with a_door(write) as (port, link):
            await go(port, link)

    asyncio.run(within())


def test_a_silent_scan_is_no_zero_and_writing_takes_leave() -> None:
    async def go(port: int, link: ScanLink) -> None:
        client = AsyncModbusTcpClient("127.0.0.1", port=port)
        assert await client.connect()
        assert (await client.read_holding_registers(0)).exception_code == 4
        seen_now(link, Fault("gun_out", gun=1))
        states = [await client.read_holding_registers(gun * GUN_STRIDE) for gun in (1, 2, 3)]
        assert [answer.registers for answer in states] == [[3], [4], [0]]
        answer = await client.write_registers(GUN_STRIDE + DEMAND, [0, 1])
        assert answer.exception_code == 1
        client.close()

    of_a_door(go)


def test_a_scan_that_does_not_answer_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verified_alloc.service.scan_link.ANSWER_WITHIN_S", 0)

    async def go(port: int, link: ScanLink) -> None:
        client = AsyncModbusTcpClient("127.0.0.1", port=port)
        assert await client.connect()
        assert (await client.write_registers(GUN_STRIDE + DEMAND, [0, 1])).exception_code == 6
        client.close()

    of_a_door(go, write=True)


def test_answers_come_in_the_order_of_the_requests_and_garbage_ends_the_connection() -> None:
    async def go(port: int, link: ScanLink) -> None:
        seen_now(link)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in (7, 8, 9):
            writer.write(bytes([0, number, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]))
        writer.write(bytes([0, 10, 0, 0, 0, 4, 1, 3, 0, 0]))  # cut short
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        answers = await reader.read()
        version = bytes([0, 0, 0, 5, 1, 3, 2, 0, 1])
        assert answers == b"".join(
            [*(bytes([0, number]) + version for number in (7, 8, 9)), bytes([0, 10, 0, 0, 0, 3])]
        ) + bytes([1, 0x83, 3])
        assert link.refused["modbus"] == 2
        writer.close()

    of_a_door(go)


def test_the_most_silent_connection_makes_room() -> None:
    async def go(port: int, link: ScanLink) -> None:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS + 1)]
        assert await opened[0][0].read() == b""
        _, last = opened[-1]
        last.write(bytes([0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]))
        assert (await opened[-1][0].readexactly(9))[7:] == bytes([0x83, 4])
        for _, writer in opened:
            writer.close()

    of_a_door(go)


def test_a_taken_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "station.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        file.write_text(
            "[station]\nguns = 1\nmodules = 1\nmodule_power_kw = 40\ngun_max_power_kw = 40\n"
            f'[service]\nhttp = "127.0.0.1:0"\nmodbus = "{at}"\n'
        )
        assert cli.main(["run", "--station", str(file), "--until", "1"]) == 3
    assert capsys.readouterr().err == f"verified-alloc: modbus {at}: address already in use\n"


@pytest.mark.parametrize(("block", "first"), [(STATION, ""), (GUN, "100 N + ")])
def test_the_page_has_the_table(block: Any, first: str) -> None:
    """`.venv/bin/python docs/interfaces.py` writes it."""
    assert table(block, first) in PAGE
