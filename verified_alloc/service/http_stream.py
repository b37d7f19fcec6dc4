"""What is followed scan by scan: the latest decisions, and the live stream."""

import asyncio
import json
import time
import zlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from verified_alloc.service.changes import by_ids, merge_patch
from verified_alloc.service.models import StateView
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.views import Views

STREAM_PAUSE_S = 0.1
STREAM_SILENCE_S = 1.0
STREAM_REST_S = 1.0
"""So often at least it is told that nothing but time has passed."""
RESTLESS, RESTLESS_OF_A_GUN = {"sequence", "at", "scan"}, {"energy_kwh"}
"""What changes with every scan."""
PAINTED_KEPT = 100
"""Of the latest states, for those who come back: ten seconds or more."""
GZIP_WINDOW, GZIP_MEMORY = 12, 5
"""As powers of 2: 20 kB for each client, enough for changes."""
DECISIONS_KEPT = 50


class Painted(NamedTuple):
    """A state that somebody may have been told."""

    id: str
    seen: Snapshot
    view: StateView
    state: dict[str, Any]
    """The view, with lists by their ids."""


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
    """The live stream: every client gets what has changed when it can take it; what it was too slow
    for is left out, and nothing is kept for it but what it was told last."""

    def __init__(self, link: ScanLink, views: Views) -> None:
        self._link = link
        self._views = views
        self._painted: deque[Painted] = deque(maxlen=PAINTED_KEPT)
        self._patches: dict[tuple[str, str], dict[str, Any]] = {}
        self.clients = 0

    async def events(self, whole: bool = False, last_id: str | None = None) -> AsyncIterator[str]:
        """Server-sent events: `state` once, or each time if `whole`, `changes` from then on or from
        `last_id`; `lost` once a second while nobody knows the state."""
        self.clients += 1
        seen: Snapshot | None = None
        told = next((one for one in self._painted if one.id == last_id), None)
        told_s = -STREAM_REST_S
        try:
            while not self._link.ended.is_set():
                try:
                    await asyncio.wait_for(self._link.newer(seen), STREAM_SILENCE_S)
                except TimeoutError:
                    yield _event("lost", '{"said":"the scan is silent"}')
                    continue
                seen = self._link.seen
                if seen is not None and not self._link.ended.is_set():
                    now, now_s = self._paint(seen), time.monotonic()
                    if whole or told is None:
                        yield _event("state", now.view.model_dump_json(), now.id)
                        told, told_s = now, now_s
                    else:
                        patch = self._patch(told, now)
                        if _tells(patch) or now_s - told_s >= STREAM_REST_S:
                            yield _event("changes", _json(patch), now.id)
                            told, told_s = now, now_s
                await asyncio.sleep(STREAM_PAUSE_S)
            yield _event("lost", '{"said":"the station has ended"}')
        finally:
            self.clients -= 1

    def _paint(self, seen: Snapshot) -> Painted:
        if not self._painted or self._painted[-1].seen is not seen:
            view = self._views.state(seen, self._link.healthy)
            name = f"{seen.scans}-{seen.started_s:.3f}"
            self._painted.append(Painted(name, seen, view, by_ids(view.model_dump(mode="json"))))
            self._patches.clear()
        return self._painted[-1]

    def _patch(self, told: Painted, now: Painted) -> dict[str, Any]:
        """Worked out once for all who were told the same."""
        key = (told.id, now.id)
        if key not in self._patches:
            self._patches[key] = merge_patch(told.state, now.state)
        return self._patches[key]


def _tells(patch: dict[str, Any]) -> bool:
    """More than that time has passed."""
    guns = patch.get("guns", {}).values()
    return bool(patch.keys() - RESTLESS - {"guns"}) or any(
        gun.keys() - RESTLESS_OF_A_GUN for gun in guns
    )


async def gzipped(events: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """The same, each event for itself as soon as it is there."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + GZIP_WINDOW, GZIP_MEMORY)
    async for event in events:
        yield packer.compress(event.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _event(kind: str, data: str, name: str | None = None) -> str:
    return f"event: {kind}\n" + (f"id: {name}\n" if name else "") + f"data: {data}\n\n"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
