"""The HTTP interface: what there is to see, what can be ordered, what is refused, the dashboard."""

from functools import cache
from importlib import resources
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from verified_alloc.service.explainer import Explainer
from verified_alloc.service.http_orders import orders_router
from verified_alloc.service.http_past import past_router
from verified_alloc.service.http_refusals import ALWAYS, refuse_in_one_line
from verified_alloc.service.http_stream import Past
from verified_alloc.service.http_views import views_router
from verified_alloc.service.request_guard import RequestGuard
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.settings import Settings
from verified_alloc.service.views import Views
from verified_alloc.station.model import Station

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def application(
    station: Station,
    settings: Settings,
    link: ScanLink,
    views: Views,
    past: Past,
    explainer: Explainer,
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
    app.include_router(views_router(station, link, views, past, explainer))
    app.include_router(orders_router(station, link, views))
    app.include_router(past_router(station, settings.journal, link, views))
    refuse_in_one_line(app, link)

    @app.api_route(
        "/api/{path:path}", methods=["GET", "PUT", "POST", "DELETE"], include_in_schema=False
    )
    async def moved(path: str, request: Request) -> RedirectResponse:
        """Where the interface was before it had versions, for one version; but a stop is obeyed."""
        if path.startswith("v1/"):
            raise HTTPException(405)
        now = "limits" if path == "site-limit" else path
        return RedirectResponse(request.url.replace(path=f"/api/v1/{now}"), 308)

    @app.get("/asyncapi.json", include_in_schema=False)
    async def get_asyncapi() -> Any:
        """The MQTT interface, as /openapi.json is this."""
        return told_by_mqtt()

    @cache
    def told_by_mqtt() -> Any:
        from verified_alloc.service.asyncapi import document

        return document(station, settings.broker, views.version)

    @app.middleware("http")
    async def page_headers(request: Request, go_on: Any) -> Any:
        response = await go_on(request)
        response.headers.update(PAGE_HEADERS)
        return response

    pages = resources.files("verified_alloc.service") / "dashboard"
    app.mount("/", StaticFiles(directory=str(pages), html=True))
    return RequestGuard(app, settings, link.refused)
