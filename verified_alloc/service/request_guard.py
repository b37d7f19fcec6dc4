"""What a request must show before anybody looks into it: where it is from, who it is, how often,
how much."""

import hmac
import json
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

from verified_alloc.service.connections import is_here, network
from verified_alloc.service.roles import ANYBODY, NO_TOKEN, Grant
from verified_alloc.service.settings import Settings, authority, is_loopback

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BODY_BYTES = 64 * 1024
REQUESTS_PER_S = 300.0
BURST = 600.0
CALLERS_KEPT = 1000
UNDER_WAY = 192
"""Requests at once; a stop and health always get in."""
NEEDS_TOKEN = ("/api", "/metrics", "/openapi.json", "/asyncapi.json")
STOP, HEALTH = ("POST", "/api/v1/emergency-stop"), ("GET", "/healthz")
ONCE = (b"host", b"origin", b"authorization")
PASSED_ON = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip")
"""What a proxy adds: whoever asks through one is not on this machine."""

log = logging.getLogger("verified_alloc.door")


class Refused(NamedTuple):
    """Why a request is not let in."""

    status: int
    reason: str
    said: str


TOO_OFTEN = Refused(429, "too often", f"too many requests: allowed are {REQUESTS_PER_S:g} a second")
BUSY = Refused(503, "busy", f"too many requests at once: allowed are {UNDER_WAY}")
TOO_LARGE = Refused(413, "too large", f"body too large: allowed are {MOST_BODY_BYTES} bytes")


class RequestGuard:
    """An ASGI middleware. What is let in has its `grant` in its scope; `refused` counts by
    reason."""

    def __init__(self, app: App, settings: Settings, refused: Counter[str]) -> None:
        self._app = app
        self._tokens = [(token.secret.encode(), token.grant) for token in settings.tokens]
        self._only_loopback = is_loopback(settings.host or "")
        self._public = authority(settings.public_name or "")
        self._refused = refused
        self._allowance = Allowance()
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        caller = network((scope.get("client") or ("?",))[0])
        asked = _asked(scope)
        judged = self._judge(scope, headers, caller)
        # Only who may come in is counted: nobody can use up what others are allowed.
        if isinstance(judged, Grant) and not self._allowance.take(
            (caller, judged.name, asked if asked in (STOP, HEALTH) else None)
        ):
            judged = TOO_OFTEN
        if isinstance(judged, Refused):
            await self._turn_away(send, judged, caller)
            return
        body = await _body(receive, headers)
        if isinstance(body, Refused):
            await self._turn_away(send, body, caller)
            return
        if body is None:
            return  # it has gone away in the middle of it
        if self._under_way >= UNDER_WAY and asked not in (STOP, HEALTH):
            await self._turn_away(send, BUSY, caller)
            return
        whole, replayed = body, False

        async def replay() -> MutableMapping[str, Any]:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": whole, "more_body": False}

        self._under_way += 1
        try:
            await self._app({**scope, "grant": judged}, replay, send)
        finally:
            self._under_way -= 1

    async def _turn_away(self, send: Send, why: Refused, caller: str) -> None:
        self._refused[why.reason] += 1
        kind = {"kind": why.reason}
        log.warning("refused: %s from %s: %s", why.reason, caller, why.said, extra=kind)
        await _answer(send, why.status, why.said)

    def _judge(self, scope: Scope, headers: dict[bytes, bytes], caller: str) -> Grant | Refused:
        given = Counter(name.lower() for name, _ in scope["headers"])
        for name in ONCE:
            if given[name] > 1:
                said = f"{name.decode().title()}: allowed is one"
                return Refused(400, "header twice", said)
        host = authority(headers.get(b"host", b"").decode("latin-1"))
        here = host is not None and is_loopback(host[0])
        # A page of some other site, open in a browser on this machine, can send requests here, also
        # under a name of its own that leads here. Only its browser says so: by Host and Origin.
        if host is None or (self._only_loopback and not here and host != self._public):
            return Refused(403, "wrong host", "Host: allowed is this station's own address")
        if b"origin" in headers:
            scheme, _, page = headers[b"origin"].decode("latin-1").partition("://")
            if scheme not in ("http", "https") or authority(page) not in (host, self._public):
                return Refused(403, "wrong origin", "Origin: allowed is a page of this station")
        if not self._tokens:
            return ANYBODY
        if not scope["path"].startswith(NEEDS_TOKEN):
            return NO_TOKEN
        kind, _, secret = headers.get(b"authorization", b"").partition(b" ")
        for right, grant in self._tokens:
            if kind.lower() == b"bearer" and hmac.compare_digest(secret.strip(), right):
                return grant
        passed_on = any(name in headers for name in PASSED_ON)
        if _asked(scope) == STOP and here and is_here(caller) and not passed_on:
            return NO_TOKEN
        said = "Authorization: allowed is Bearer and a token of the station"
        return Refused(401, "wrong token", said)


def _asked(scope: Scope) -> tuple[str, str]:
    """The method and the path; a stop also where it was before the interface had versions."""
    path = "/api/v1/emergency-stop" if scope["path"] == "/api/emergency-stop" else scope["path"]
    return scope["method"], path


class Allowance:
    """How often each caller may come: a bucket that fills by so much a second."""

    def __init__(self, per_s: float = REQUESTS_PER_S, burst: float = BURST) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def take(self, caller: object) -> bool:
        """Whether it may now."""
        now_s = time.monotonic()
        left, since_s = self._left.pop(caller, (self._burst, now_s))
        left = min(self._burst, left + (now_s - since_s) * self._per_s)
        self._left[caller] = (left - 1 if left >= 1 else left, now_s)
        if len(self._left) > CALLERS_KEPT:
            self._left.popitem(last=False)
        return left >= 1


async def _body(receive: Receive, headers: dict[bytes, bytes]) -> bytes | Refused | None:
    """The whole body; None if the client goes away before."""
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or len(declared) > 9 or int(declared) > MOST_BODY_BYTES:
        return TOO_LARGE
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            return TOO_LARGE
        if not message.get("more_body"):
            return bytes(body)


async def _answer(send: Send, status: int, said: str) -> None:
    body = json.dumps({"detail": said}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in (429, 503):
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
