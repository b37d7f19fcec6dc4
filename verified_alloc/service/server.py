"""Runs the HTTP interface on a socket that is already bound."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial

import uvicorn

from verified_alloc.service.connections import ACCEPTED_AT_ONCE, IDLE_S, Connection
from verified_alloc.service.explainer import Explainer
from verified_alloc.service.http import application
from verified_alloc.service.http_stream import Past
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.settings import Settings
from verified_alloc.service.views import Views
from verified_alloc.station.model import Station


class _Server(uvicorn.Server):
    """Signals are for the scan's process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def web_server(
    listening: socket.socket,
    station: Station,
    settings: Settings,
    link: ScanLink,
    views: Views,
    explainer: Explainer,
) -> None:
    """Until cancelled."""
    past = Past(link)
    following = asyncio.create_task(past.follow())
    server = _Server(
        uvicorn.Config(
            application(station, settings, link, views, past, explainer),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            http=partial(Connection, link.refused),  # type: ignore[arg-type]
            ws="none",
            backlog=ACCEPTED_AT_ONCE,
            proxy_headers=settings.trusted_proxy is not None,
            forwarded_allow_ips=settings.trusted_proxy,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=16 * 1024,
        )
    )
    serving = asyncio.create_task(server.serve([listening]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
        following.cancel()
