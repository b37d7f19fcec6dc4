"""What a request must show before anybody looks into it: who it is, how much, how often, from
where."""

import hmac
import json
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from verified_alloc.service.settings import is_loopback

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BODY_BYTES = 64 * 1024
REQUESTS_PER_S = 300.0
BURST = 600.0
CALLERS_KEPT = 1000
NEEDS_TOKEN = ("/api", "/metrics", "/openapi.json")

log = logging.getLogger("verified_alloc.door")


class RequestGuard:
    """An ASGI middleware. `refused` counts by reason."""

    def __init__(self, app: App, token: str | None, host: str, refused: Counter[str]) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._only_loopback = is_loopback(host)
        self._refused = refused
        self._allowance = Allowance()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        caller = (scope.get("client") or ("?",))[0]
        refusal = self._judge(scope, headers, caller)
        if refusal is not None:
            status, reason, said = refusal
            self._refused[reason] += 1
            log.warning("refused: %s from %s: %s", reason, caller, said)
            await _answer(send, status, said)
            return
        body, said = await _body(receive, headers)
        if body is None:
            self._refused["too large"] += 1
            log.warning("refused: too large from %s", caller)
            await _answer(send, 413, said)
            return
        replayed = False

        async def replay() -> MutableMapping[str, Any]:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    def _judge(
        self, scope: Scope, headers: dict[bytes, bytes], caller: str
    ) -> tuple[int, str, str] | None:
        if not self._allowance.take(caller):
            return 429, "too often", f"too many requests: allowed are {REQUESTS_PER_S:g} a second"
        host = headers.get(b"host", b"").decode("latin-1")
        # A page of some other site, open in a browser on this machine, can send requests here, also
        # under a name of its own that leads here. Only its browser says so: by Host and Origin.
        if self._only_loopback and not is_loopback(_bare(host)):
            return 403, "wrong host", "Host: allowed is this machine's loopback address"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
            return 403, "wrong origin", "Origin: allowed is a page of this station"
        if self._token is not None and scope["path"].startswith(NEEDS_TOKEN):
            kind, _, token = headers.get(b"authorization", b"").partition(b" ")
            if kind.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self._token):
                said = "Authorization: allowed is Bearer and the station's token"
                return 401, "wrong token", said
        return None


class Allowance:
    """How often each caller may come: a bucket that fills by so much a second."""

    def __init__(self, per_s: float = REQUESTS_PER_S, burst: float = BURST) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> bool:
        """Whether it may now."""
        now_s = time.monotonic()
        left, since_s = self._left.pop(caller, (self._burst, now_s))
        left = min(self._burst, left + (now_s - since_s) * self._per_s)
        self._left[caller] = (left - 1 if left >= 1 else left, now_s)
        if len(self._left) > CALLERS_KEPT:
            self._left.popitem(last=False)
        return left >= 1


async def _body(receive: Receive, headers: dict[bytes, bytes]) -> tuple[bytes | None, str]:
    """The whole body, or None and why not."""
    said = f"body too large: allowed are {MOST_BODY_BYTES} bytes"
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or len(declared) > 9 or int(declared) > MOST_BODY_BYTES:
        return None, said
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BODY_BYTES:
            return None, said
        if not message.get("more_body"):
            return body, ""


def _bare(host: str) -> str:
    """A Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


async def _answer(send: Send, status: int, said: str) -> None:
    body = json.dumps({"detail": said}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 429:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
