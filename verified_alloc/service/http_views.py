"""What there is to see over HTTP."""

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse

from verified_alloc.service.explainer import Explainer
from verified_alloc.service.http_refusals import NO_SUCH, Number, known, seen
from verified_alloc.service.http_stream import Past, Stream, gzipped
from verified_alloc.service.metrics import Metrics
from verified_alloc.service.models import (
    Assignment,
    ContactorView,
    Decision,
    FaultView,
    GunView,
    Health,
    ModuleView,
    Offers,
    ProofTestView,
    Schedule,
    StandingLimit,
    StateView,
    StationView,
)
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.views import Views
from verified_alloc.station.model import Station

STREAMS = 32
EXPLAINED_WITHIN_S = 1.0
"""The latest decisions; the rest when they are asked for again."""

Hours = Annotated[float, Query(gt=0, le=168, allow_inf_nan=False)]


def views_router(
    station: Station, link: ScanLink, views: Views, past: Past, explainer: Explainer
) -> APIRouter:
    """One path for each view."""
    router = APIRouter()

    async def explained() -> Snapshot:
        """The latest scan, with its explanation if that comes soon."""
        await explainer.wait(now := seen(link))
        return now

    metrics, stream = Metrics(station, link), Stream(link, views)

    @router.get("/api/v1/state")
    async def get_state() -> StateView:
        """Everything, now."""
        return views.state(await explained(), link.healthy)

    @router.get("/api/v1/station")
    async def get_station() -> StationView:
        """What does not change while it runs."""
        return views.station(seen(link).started_s)

    @router.get("/api/v1/guns")
    async def get_guns() -> list[GunView]:
        """Every gun: demand, capability, offer, modules, and why."""
        return views.guns(await explained())

    @router.get("/api/v1/guns/{gun}", responses=NO_SUCH)
    async def get_gun(gun: Number) -> GunView:
        """One gun."""
        place = known("gun", gun, len(station.guns)) - 1
        return views.guns(await explained())[place]

    @router.get("/api/v1/modules")
    async def get_modules() -> list[ModuleView]:
        """Every power module."""
        return views.modules(seen(link))

    @router.get("/api/v1/contactors")
    async def get_contactors() -> list[ContactorView]:
        """Every contactor, in the order of the wiring."""
        return views.contactors(seen(link))

    @router.get("/api/v1/faults")
    async def get_faults() -> list[FaultView]:
        """Every latched fault."""
        return views.faults(seen(link))

    @router.get("/api/v1/proof-tests")
    async def get_proof_tests() -> list[ProofTestView]:
        """The proof tests of the safety chain: results and dates."""
        return views.proof_tests(seen(link))

    @router.get("/api/v1/offers")
    async def get_offers() -> Offers:
        """What the guns may draw now."""
        return views.offers(seen(link))

    @router.get("/api/v1/assignment")
    async def get_assignment() -> Assignment:
        """Which modules are to feed which gun."""
        return views.assignment(seen(link))

    @router.get("/api/v1/decisions")
    async def get_decisions() -> list[Decision]:
        """The latest assignments with their reasons, oldest first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EXPLAINED_WITHIN_S):
                for decided in reversed(past.seen):
                    await explainer.wait(decided)
        return [views.decision(decided) for decided in past.seen]

    @router.get("/api/v1/limits")
    async def get_limits() -> list[StandingLimit]:
        """All limits that stand, with all that they say."""
        return views.limits.standing(seen(link).limits)

    @router.get("/api/v1/limits/schedule")
    async def get_schedule(hours: Hours = 24) -> Schedule:
        """What will be allowed, all guns together and each: the composite schedule."""
        return await asyncio.to_thread(views.limits.schedule, seen(link).limits, hours)

    @router.get(
        "/api/v1/stream",
        response_class=Response,
        responses={
            200: {
                "description": "Server-sent events: `state` with a StateView, then `changes`: a"
                " JSON merge patch (RFC 7396) to it, with its lists as objects by gun, module,"
                " gun:module, id, test or number; at most ten a second, one a second at rest."
                " `lost` once a second while nobody knows the state",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    async def get_stream(
        whole: bool = False,
        last_event_id: Annotated[str | None, Header(max_length=60)] = None,
        accept_encoding: Annotated[str, Header()] = "",
    ) -> Response:
        """The live state: whole once, then what changes. Who comes back with `Last-Event-ID` soon
        enough is told what has changed since; `whole` has the whole state each time."""
        if stream.clients >= STREAMS:
            raise HTTPException(503, f"too many streams: allowed are {STREAMS}")
        events = stream.events(whole, last_event_id)
        if "gzip" not in accept_encoding:
            return StreamingResponse(events, media_type="text/event-stream")
        packed = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return StreamingResponse(gzipped(events), headers=packed, media_type="text/event-stream")

    @router.get(
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

    @router.get("/healthz", responses={503: {"model": Health, "description": "They are not"}})
    async def get_health() -> Response:
        """503 only where a restart would help: the scan is silent, or an enable line is not as it
        was left. A scan that is not verified takes off what it could not verify."""
        verified = link.fresh and link.seen is not None and link.seen.state.verified
        said = (
            "scans are verified"
            if verified
            else "scans go on; what the latest wrote is not verified, and off"
            if link.healthy
            else "an enable line is not as the scan left it"
            if link.fresh
            else "the scan is silent"
        )
        health = Health(healthy=link.healthy, verified=verified, said=said)
        return JSONResponse(health.model_dump(), 200 if health.healthy else 503)

    return router
