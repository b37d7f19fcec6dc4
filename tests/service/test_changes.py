"""The live stream: what changed, and nothing else."""

import asyncio
import gzip
import json
import socket
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from service.snapshots import snapshot_of
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.control.state import State
from verified_alloc.service import http_stream
from verified_alloc.service.changes import by_ids, merge_patch
from verified_alloc.service.explainer import Explainer
from verified_alloc.service.http_stream import Stream, gzipped
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.views import Views

VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3),
)
OBJECTS = st.dictionaries(st.text(max_size=2), VALUES, max_size=4)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, as it stands there."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merged(target.get(name), value)
    return target


@given(before=OBJECTS, now=OBJECTS)
def test_a_patch_makes_the_new_of_the_old(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert merged(before, merge_patch(before, now)) == now
    assert merge_patch(now, now) == {}


def state_of_a_scan() -> State:
    with WorkingStation(REFERENCE) as at_work:
        return at_work.scan()


class Listening:
    """A stream's events, and scans to see; no second passes unless it is told to."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.theirs = theirs
        self.link = ScanLink(self.ours)
        self.now_s = 0.0
        self.state = state_of_a_scan()
        self.scans = 0
        self.stream = Stream(self.link, Views(REFERENCE, "not proved", True, Explainer(REFERENCE)))

    def scan(self, energy_wms: int = 0, **changed: Any) -> None:
        self.scans += 1
        self.state = self.state._replace(**changed)
        counts = {"scans": self.scans, "energy_wms": (energy_wms,) * 6}
        seen = snapshot_of(self.state, at_s=self.now_s, **counts)
        self.link.seen, self.link._seen_s = seen, self.now_s
        self.link._tell()


def told(go: Callable[[Listening, Any], Any], monkeypatch: Any) -> Any:
    """What a coroutine function makes of a stream, with pauses of no length."""
    monkeypatch.setattr(http_stream, "STREAM_PAUSE_S", 0)

    async def within() -> Any:
        listening = Listening()
        monkeypatch.setattr(http_stream.time, "monotonic", lambda: listening.now_s)
        try:
            return await go(listening, listening.stream.events())
        finally:
            listening.ours.close()
            listening.theirs.close()

    return asyncio.run(within())


async def after(listening: Listening, events: AsyncIterator[str], **changed: Any) -> str:
    """The next event, when this has changed in a scan."""
    listening.scan(**changed)
    return await anext(events)


def parsed(event: str) -> tuple[str, str, dict[str, Any]]:
    kind, name, data = event.strip().split("\n")
    return kind.removeprefix("event: "), name.removeprefix("id: "), json.loads(data[6:])


def test_the_state_comes_whole_once_and_then_what_changed(monkeypatch: Any) -> None:
    async def go(listening: Listening, events: AsyncIterator[str]) -> list[str]:
        return [
            await after(listening, events),
            await after(listening, events, offer_w=(0, 0, 80_000, 0, 0, 0)),
        ]

    first, second = map(parsed, told(go, monkeypatch))
    assert first[0] == "state"
    kind, _, patch = second
    assert kind == "changes"
    assert patch["guns"] == {"3": {"offer_kw": 80}}
    state = merged(by_ids(first[2]), patch)
    assert state["guns"]["3"]["offer_kw"] == 80
    assert "contactors" not in patch


def test_at_rest_a_viewer_gets_less_than_5_kb_a_second(monkeypatch: Any) -> None:
    """Five minutes in which 6 guns charge at 100 kW, ten scans seen a second: 300 events of 310
    bytes or so, 180 of them energy."""

    async def go(listening: Listening, events: AsyncIterator[str]) -> tuple[int, int]:
        await after(listening, events)
        size = count = 0
        waiting = asyncio.ensure_future(anext(events))
        for step in range(1, 3001):
            listening.now_s = step / 10
            listening.scan(energy_wms=step * 10_000_000)
            for _ in range(20):
                await asyncio.sleep(0)
                if waiting.done():
                    size, count = size + len(waiting.result()), count + 1
                    waiting = asyncio.ensure_future(anext(events))
        waiting.cancel()
        return size, count

    size, count = told(go, monkeypatch)
    assert 250 <= count <= 301
    assert size / 300 < 500  # bytes a second; allowed are 5,000


def test_who_comes_back_is_told_what_has_changed_since(monkeypatch: Any) -> None:
    async def go(listening: Listening, events: AsyncIterator[str]) -> list[str]:
        first = await after(listening, events)
        listening.scan(offer_w=(40_000, 0, 0, 0, 0, 0))
        _, name, _ = parsed(first)
        back = [await anext(listening.stream.events(last_id=name))]
        back.append(await anext(listening.stream.events(last_id="17-0.000")))
        return back

    known, unknown = map(parsed, told(go, monkeypatch))
    assert (known[0], known[2]["guns"]) == ("changes", {"1": {"offer_kw": 40}})
    assert unknown[0] == "state"


def test_every_event_can_be_unpacked_as_soon_as_it_comes() -> None:
    async def events() -> AsyncIterator[str]:
        yield "event: one\n\n"
        yield "event: two\n\n"

    async def packed() -> list[bytes]:
        return [piece async for piece in gzipped(events())]

    pieces = asyncio.run(packed())
    unpack = zlib.decompressobj(31)
    assert [unpack.decompress(piece) for piece in pieces[:2]] == [
        b"event: one\n\n",
        b"event: two\n\n",
    ]
    assert gzip.decompress(b"".join(pieces)) == b"event: one\n\nevent: two\n\n"
