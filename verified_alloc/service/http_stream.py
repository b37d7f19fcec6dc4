"""What is followed scan by scan: the latest decisions, and the live stream."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.views import Views

STREAM_PAUSE_S = 0.1
STREAM_SILENCE_S = 1.0
DECISIONS_KEPT = 50


class Past:
    """The scans of the latest decisions, oldest first."""

    def __init__(self, link: ScanLink) -> None:
        self._link = link
        self.seen: deque[Snapshot] = deque(maxlen=DECISIONS_KEPT)

    async def follow(self) -> None:
        """Note every new assignment that is seen."""
        seen: Snapshot | None = None
        while not self._link.ended.is_set():
            await self._link.newer(seen)
            before, seen = seen, self._link.seen
            if seen and (before is None or before.assignment != seen.assignment):
                self.seen.append(seen)
                await asyncio.sleep(STREAM_PAUSE_S)


class Stream:
    """The live stream: every client gets the newest state when it can take it; what it was too slow
    for is left out, and nothing is kept for it."""

    def __init__(self, link: ScanLink, views: Views) -> None:
        self._link = link
        self._views = views
        self._painted: tuple[object, str] = (None, "")
        self.clients = 0

    async def events(self) -> AsyncIterator[str]:
        """Server-sent events: `state`, or `lost` once a second while nobody knows the state."""
        self.clients += 1
        seen: Snapshot | None = None
        try:
            while not self._link.ended.is_set():
                try:
                    await asyncio.wait_for(self._link.newer(seen), STREAM_SILENCE_S)
                except TimeoutError:
                    yield _event("lost", '{"said":"the scan is silent"}')
                    continue
                seen = self._link.seen
                if seen is not None and not self._link.ended.is_set():
                    yield self._paint(seen)
                await asyncio.sleep(STREAM_PAUSE_S)
            yield _event("lost", '{"said":"the station has ended"}')
        finally:
            self.clients -= 1

    def _paint(self, seen: Snapshot) -> str:
        if self._painted[0] is not seen:
            state = self._views.state(seen, self._link.healthy)
            self._painted = seen, _event("state", state.model_dump_json(), seen.scans)
        return self._painted[1]


def _event(kind: str, data: str, number: int | None = None) -> str:
    return f"event: {kind}\n" + (f"id: {number}\n" if number else "") + f"data: {data}\n\n"
