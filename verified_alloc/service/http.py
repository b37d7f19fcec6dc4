"""The HTTP interface: what there is to see, what can be told, the live stream, the dashboard."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from importlib import resources
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as AnyHTTPException

from verified_alloc.errors import BadInput
from verified_alloc.service.metrics import Metrics
from verified_alloc.service.models import (
    Acknowledgement,
    Assignment,
    ContactorView,
    Decision,
    Demand,
    Done,
    FaultView,
    GunView,
    Health,
    Hold,
    Injection,
    InService,
    LimitProfile,
    LimitValue,
    ModuleView,
    Offers,
    Refusal,
    SiteLimitView,
    StateView,
    StationView,
    said_of,
)
from verified_alloc.service.request_guard import RequestGuard
from verified_alloc.service.scan_link import Busy, ScanLink
from verified_alloc.service.settings import Settings
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.views import Views
from verified_alloc.station.model import Station

STREAMS = 32
STREAM_PAUSE_S = 0.1
STREAM_SILENCE_S = 1.0
DECISIONS_KEPT = 50
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

ALWAYS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "The token is missing or wrong"},
    403: {"model": Refusal, "description": "A page of some other site asks"},
    413: {"model": Refusal, "description": "The body is too large"},
    422: {"model": Refusal, "description": "Not as this document says"},
    429: {"model": Refusal, "description": "Too many requests"},
    503: {"model": Refusal, "description": "No scan is there to ask"},
}
NO_SUCH: dict[int | str, dict[str, Any]] = {
    404: {"model": Refusal, "description": "The station has no such thing"}
}
REFUSED: dict[int | str, dict[str, Any]] = {
    409: {"model": Refusal, "description": "The scan refuses it as things are; nothing changed"},
    400: {"model": Refusal, "description": "The body is no JSON"},
}

Number = Annotated[int, Path(ge=1, le=10_000, description="counted from 1")]
FaultId = Annotated[str, Path(min_length=1, max_length=40, examples=["contactor-2:1"])]

log = logging.getLogger("verified_alloc.door")


class Past:
    """The latest decisions, oldest first."""

    def __init__(self, link: ScanLink, views: Views) -> None:
        self._link = link
        self._views = views
        self.decisions: deque[Decision] = deque(maxlen=DECISIONS_KEPT)

    async def follow(self) -> None:
        """Note every new assignment that is seen."""
        seen: Snapshot | None = None
        while not self._link.ended.is_set():
            await self._link.newer(seen)
            before, seen = seen, self._link.seen
            if seen and (before is None or before.assignment != seen.assignment):
                self.decisions.append(self._views.decision(seen))
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


def application(
    station: Station, settings: Settings, link: ScanLink, views: Views, past: Past
) -> Any:
    """The ASGI application of one station."""
    app = FastAPI(
        title="verified-alloc",
        description="A charging station: what it does, why, and what can be told to it.",
        version=views.version,
        docs_url=None,
        redoc_url=None,
        responses=ALWAYS,
    )
    metrics, stream = Metrics(station, link), Stream(link, views)

    def seen() -> Snapshot:
        if link.seen is None or not link.fresh:
            raise HTTPException(503, "the scan is silent: what the station does is not known")
        return link.seen

    async def order(do: str, **what: Any) -> Done:
        try:
            return Done(said=await link.order(do, **what))
        except BadInput as error:
            link.refused["by the scan"] += 1
            raise HTTPException(409, str(error)) from None
        except Busy as error:
            link.refused["busy"] += 1
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from None

    def known(kind: str, number: int, count: int) -> int:
        if number > count:
            raise HTTPException(404, f"{kind} {number}: allowed are {kind}s 1 to {count}")
        return number

    def gun_of(number: int) -> int:
        return known("gun", number, len(station.guns))

    def module_of(number: int) -> int:
        return known("module", number, len(station.modules))

    # What there is to see.

    @app.get("/api/state")
    async def get_state() -> StateView:
        """Everything, now."""
        return views.state(seen(), link.healthy)

    @app.get("/api/station")
    async def get_station() -> StationView:
        """What does not change while it runs."""
        return views.station(seen().started_s)

    @app.get("/api/guns")
    async def get_guns() -> list[GunView]:
        """Every gun: demand, capability, offer, modules, and why."""
        return views.guns(seen())

    @app.get("/api/guns/{gun}", responses=NO_SUCH)
    async def get_gun(gun: Number) -> GunView:
        """One gun."""
        return views.guns(seen())[gun_of(gun) - 1]

    @app.get("/api/modules")
    async def get_modules() -> list[ModuleView]:
        """Every power module."""
        return views.modules(seen())

    @app.get("/api/contactors")
    async def get_contactors() -> list[ContactorView]:
        """Every contactor, in the order of the wiring."""
        return views.contactors(seen())

    @app.get("/api/faults")
    async def get_faults() -> list[FaultView]:
        """Every latched fault."""
        return views.faults(seen().state.latched)

    @app.get("/api/offers")
    async def get_offers() -> Offers:
        """What the guns may draw now."""
        return views.offers(seen())

    @app.get("/api/assignment")
    async def get_assignment() -> Assignment:
        """Which modules are to feed which gun."""
        return views.assignment(seen())

    @app.get("/api/decisions")
    async def get_decisions() -> list[Decision]:
        """The latest assignments with their reasons, oldest first."""
        return list(past.decisions)

    @app.get("/api/site-limit")
    async def get_site_limit() -> SiteLimitView:
        """The site limit in force, and where it comes from."""
        return views.site_limit(seen())

    @app.get(
        "/api/stream",
        response_class=Response,
        responses={
            200: {
                "description": "Server-sent events: `state` with a StateView, at most ten a second;"
                " `lost` once a second while nobody knows the state",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    async def get_stream() -> Response:
        """The live state."""
        if stream.clients >= STREAMS:
            raise HTTPException(503, f"too many streams: allowed are {STREAMS}")
        return StreamingResponse(stream.events(), media_type="text/event-stream")

    @app.get(
        "/metrics",
        response_class=Response,
        responses={
            200: {
                "description": "Prometheus text",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            }
        },
    )
    async def get_metrics() -> Response:
        """What Prometheus reads."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/healthz", responses={503: {"model": Health, "description": "They are not"}})
    async def get_health() -> Response:
        """200 only while scans go on and are verified."""
        said = (
            "scans are verified"
            if link.healthy
            else "scans are not verified"
            if link.fresh
            else "the scan is silent"
        )
        health = Health(healthy=link.healthy, said=said)
        return JSONResponse(health.model_dump(), 200 if health.healthy else 503)

    # What can be told.

    @app.put("/api/guns/{gun}/demand", responses=NO_SUCH | REFUSED)
    async def put_demand(gun: Number, demand: Demand) -> Done:
        """What the gun's vehicle could take; to be refreshed within `demand_timeout_s`."""
        return await order("demand", gun=gun_of(gun), kw=demand.kw)

    @app.post("/api/guns/{gun}/acknowledgement", responses=NO_SUCH | REFUSED)
    async def post_acknowledgement(gun: Number, told: Acknowledgement) -> Done:
        """The gun obeys the offer published last, which must be this."""
        return await order("acknowledge", gun=gun_of(gun), offer_kw=told.offer_kw)

    @app.put("/api/guns/{gun}/hold", responses=NO_SUCH | REFUSED)
    async def put_hold(gun: Number, hold: Hold) -> Done:
        """Nobody else gets the gun's modules, while it needs them, for so long; faults do."""
        return await order("hold", gun=gun_of(gun), seconds=hold.seconds)

    @app.delete("/api/guns/{gun}/hold", responses=NO_SUCH | REFUSED)
    async def delete_hold(gun: Number) -> Done:
        """Let the gun's modules go."""
        return await order("hold", gun=gun_of(gun), seconds=0)

    @app.put("/api/guns/{gun}/service", responses=NO_SUCH | REFUSED)
    async def put_gun_service(gun: Number, told: InService) -> Done:
        """Take a gun out of service, its offer first; or back."""
        return await order("take_out", kind="gun", id=gun_of(gun), out=not told.in_service)

    @app.put("/api/modules/{module}/service", responses=NO_SUCH | REFUSED)
    async def put_module_service(module: Number, told: InService) -> Done:
        """Take a module out of service, its gun's offer first; or back."""
        return await order("take_out", kind="module", id=module_of(module), out=not told.in_service)

    @app.put("/api/site-limit", responses=REFUSED)
    async def put_site_limit(told: LimitValue | LimitProfile) -> Done:
        """What all guns together may be given: a value, or an OCPP charging profile. Never more
        than the station's own limit. It replaces what was told before."""
        return await order("site_limit", limit=told.model_dump(exclude_none=True))

    @app.delete("/api/site-limit", responses=REFUSED)
    async def delete_site_limit() -> Done:
        """No limit but the station's own."""
        return await order("site_limit", limit=None)

    @app.delete("/api/faults/{fault}", responses=NO_SUCH | REFUSED)
    async def delete_fault(fault: FaultId) -> Done:
        """Clear a latched fault whose cause is gone: refused while it is visible."""
        if fault not in {one.id for one in views.faults(seen().state.latched)}:
            raise HTTPException(404, f"fault {fault!r}: allowed is the id of a latched fault")
        return await order("clear", fault=fault)

    @app.post("/api/emergency-stop", responses=REFUSED)
    async def post_emergency_stop() -> Done:
        """Everything off until it is cleared: offers fall at once, modules go off when the guns
        obey, at most two lead times later, contactors open. It does not replace the button."""
        return await order("emergency_stop")

    @app.post("/api/simulation/faults", responses=REFUSED)
    async def post_injection(injection: Injection) -> Done:
        """Play a fault on the simulated cabinet."""
        return await order("inject", fault=injection.fault)

    # What is refused.

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        no_json = first["type"] == "json_invalid"
        link.refused["invalid"] += 1
        said = said_of(where, first["input"], first["msg"])
        if no_json:
            said = "the body is no JSON"
        log.warning("refused: invalid: %s", said)
        return JSONResponse({"detail": said}, 400 if no_json else 422)

    @app.exception_handler(AnyHTTPException)
    async def refused(_: Request, error: AnyHTTPException) -> JSONResponse:
        if error.status_code in (404, 405):
            link.refused["unknown"] += 1
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)

    @app.middleware("http")
    async def page_headers(request: Request, go_on: Any) -> Any:
        response = await go_on(request)
        response.headers.update(PAGE_HEADERS)
        return response

    pages = resources.files("verified_alloc.service") / "dashboard"
    app.mount("/", StaticFiles(directory=str(pages), html=True))
    return RequestGuard(app, settings.token, settings.host or "", link.refused)
