"""What has been, over HTTP: hours and days from the journal. One question at a time is worked on,
in a thread, for two seconds at most."""

import asyncio
import csv
import io
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response

from verified_alloc.errors import BadInput
from verified_alloc.journal.hours import Hours
from verified_alloc.journal.search import Event, search
from verified_alloc.service.models import DayEnergy, Events, EventView, PowerHistory, SessionView
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.views import Views
from verified_alloc.station.model import Station

STEP_S = {1: 60, 24: 300, 168: 1800}
"""By hours, one step of their curve."""
AGAIN_S = 5.0
"""What was read so short a time ago is new enough."""
MOST_EVENTS = 500
MOST_EXPORTED = 20_000

Severity = Literal["info", "warning", "critical"]
Time = Annotated[float, Query(ge=0, le=1e11, allow_inf_nan=False, description="Unix time")]
Words = Annotated[str, Query(max_length=100, description="in the text, whichever case")]
T = TypeVar("T")


def past_router(station: Station, journal: Path | None, link: ScanLink, views: Views) -> APIRouter:
    """One path for each question; 404 where no journal is kept."""
    router = APIRouter(responses={404: {"description": "No journal is kept, or none is there yet"}})
    one_at_a_time = asyncio.Lock()
    zone = ZoneInfo(views.zone)
    hours = None if journal is None else Hours(journal, station)
    read_s, read_all = 0.0, False

    async def ask(question: Callable[[Path], T]) -> T:
        if journal is None:
            raise HTTPException(404, "no journal is kept; run --journal FILE keeps one")
        async with one_at_a_time:
            try:
                return await asyncio.to_thread(question, journal)
            except (BadInput, OSError) as error:
                raise HTTPException(404, str(error)) from None

    def up_to_date(_: Path) -> tuple[Hours, bool]:
        nonlocal read_s, read_all
        assert hours is not None
        if not read_all or time.monotonic() > read_s + AGAIN_S:
            since_s = time.time() if link.seen is None else link.seen.started_s
            read_all = hours.read(since_s, time.time())
            read_s = time.monotonic()
        return hours, read_all

    @router.get("/api/v1/history")
    async def get_history(hours: Literal["1", "24", "168"] = "24") -> PowerHistory:
        """The power of each gun over the last hour, day or week."""
        step_s = STEP_S[int(hours)]
        steps = int(hours) * 3600 // step_s
        now_s = time.time()
        past, complete = await ask(up_to_date)
        return PowerHistory(
            start_at=(now_s // step_s + 1 - steps) * step_s,
            step_s=step_s,
            power_kw=past.power_kw(now_s, steps, step_s),
            complete=complete,
        )

    @router.get("/api/v1/energy")
    async def get_energy() -> list[DayEnergy]:
        """What each gun was given, by day, of about a week; oldest first."""
        past, _ = await ask(up_to_date)
        return [DayEnergy(date=day, energy_kwh=kwh) for day, kwh in past.kwh_by_day(zone).items()]

    @router.get("/api/v1/sessions")
    async def get_sessions() -> list[SessionView]:
        """The sessions of about a week, newest first."""
        past, _ = await ask(up_to_date)
        return [SessionView.of(*one) for one in past.sessions()]

    @router.get("/api/v1/events")
    async def get_events(
        from_at: Time = 0, to_at: Time = 1e11, words: Words = "", severity: Severity = "info"
    ) -> Events:
        """What happened then, of that severity or a greater one; the newest 500."""
        look = partial(search, from_s=from_at, to_s=to_at, words=words, severity=severity)
        found, complete = await ask(partial(look, most=MOST_EVENTS))
        return Events(events=[EventView.of(*one) for one in found], complete=complete)

    @router.get(
        "/api/v1/events.csv",
        response_class=Response,
        responses={200: {"description": "A table", "content": {"text/csv": {}}}},
    )
    async def get_events_csv(
        from_at: Time = 0, to_at: Time = 1e11, words: Words = "", severity: Severity = "info"
    ) -> Response:
        """The same as a table for a spreadsheet, the newest 20,000."""
        look = partial(search, from_s=from_at, to_s=to_at, words=words, severity=severity)
        found, _ = await ask(partial(look, most=MOST_EXPORTED))
        named = {"Content-Disposition": 'attachment; filename="events.csv"'}
        return Response(_csv(found, zone), headers=named, media_type="text/csv; charset=utf-8")

    return router


def _csv(events: list[Event], zone: ZoneInfo) -> str:
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["time", "zone", "severity", "kind", "text"])
    for one in events:
        at = datetime.fromtimestamp(one.at_s, zone)
        # A spreadsheet takes what begins like this for a formula.
        text = f"'{one.text}" if one.text[:1] in "=+-@\t\r" and one.text else one.text
        writer.writerow([at.isoformat(timespec="seconds"), zone.key, one.severity, one.kind, text])
    return table.getvalue()
