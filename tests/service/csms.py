"""A CSMS of other people's library, and the command `ocpp` as a process that speaks with it."""

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Self

from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call_result as result201
from service.served import ENVIRONMENT, PATIENCE_S, PROGRAM, eventually
from websockets.asyncio.server import ServerConnection, basic_auth, serve
from websockets.exceptions import ConnectionClosed

STOP_WITHIN_S = 10
_NUMBERS = count()


def _now() -> str:
    return datetime.now(UTC).isoformat()


class _Told:
    """What a charge point tells. `heard` has it all, by message."""

    heard: dict[str, list[dict[str, Any]]]
    results: Any
    verdicts: list[str]
    interval_s: int

    def _hear(self, message: str, told: dict[str, Any]) -> None:
        self.heard.setdefault(message, []).append(told)

    @on("BootNotification")
    def on_boot(self, **told: Any) -> Any:
        self._hear("BootNotification", told)
        verdict = self.verdicts.pop(0) if self.verdicts else "Accepted"
        return self.results.BootNotification(_now(), self.interval_s, verdict)

    @on("Heartbeat")
    def on_heartbeat(self, **told: Any) -> Any:
        self._hear("Heartbeat", told)
        return self.results.Heartbeat(_now())

    @on("StatusNotification")
    def on_status(self, **told: Any) -> Any:
        self._hear("StatusNotification", told)
        return self.results.StatusNotification()

    @on("MeterValues")
    def on_meter(self, **told: Any) -> Any:
        self._hear("MeterValues", told)
        return self.results.MeterValues()


class _Csms16(_Told, ChargePoint16):
    results = result16


class _Csms201(_Told, ChargePoint201):
    results = result201


class Csms:
    """On loopback, in a thread of its own; what it is told of one charge point."""

    def __init__(
        self,
        version: str,
        *,
        tls: ssl.SSLContext | None = None,
        password: str | None = None,
        user: str = "CP1",
        verdicts: tuple[str, ...] = (),
        interval_s: int = 300,
        speaks: bool = True,
    ) -> None:
        self.version = version
        self.heard: dict[str, list[dict[str, Any]]] = {}
        self.paths: list[str] = []
        self._tls, self._speaks = tls, speaks
        self._login = None if password is None else basic_auth(credentials=(user, password))
        self._verdicts, self._interval_s = list(verdicts), interval_s
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._connected: Any = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_WITHIN_S)

    @property
    def url(self) -> str:
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self._port}/ocpp"

    def start(self) -> None:
        """Again at the same port."""
        self._server = self._do(self._serve())
        self._port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """It goes away, with its connections."""
        self._loop.call_soon_threadsafe(self._server.close)
        self._do(self._server.wait_closed())
        self._connected = None

    def ask(self, message: Any) -> Any:
        """The charge point's answer."""
        eventually(lambda: self._connected)
        return self._do(self._connected.call(message, suppress=False))

    def send(self, frame: str | bytes) -> None:
        """Whatever it is."""
        eventually(lambda: self._connected)
        self._do(self._connected._connection.send(frame))

    def has(self, message: str, count: int = 1) -> list[dict[str, Any]]:
        """What it was told by then."""
        return eventually(lambda: len(found := self.heard.get(message, [])) >= count and found)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _serve(self) -> Any:
        return await serve(
            self._talk,
            "127.0.0.1",
            self._port,
            subprotocols=[f"ocpp{self.version}"] if self._speaks else None,  # type: ignore[list-item]
            ssl=self._tls,
            process_request=self._login,
        )

    async def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        kind = _Csms16 if self.version == "1.6" else _Csms201
        talking = kind("CP1", connection)
        talking.heard, talking.verdicts = self.heard, self._verdicts
        talking.interval_s = self._interval_s
        self._connected = talking
        with contextlib.suppress(ConnectionClosed):
            await talking.start()


class Half:
    """The command, beside a station, with a CSMS."""

    def __init__(self, folder: Path, csms: Csms, at: str, *options: str) -> None:
        self._log = folder / f"half-{next(_NUMBERS)}"
        self._command = ["ocpp", "--url", csms.url, "--id", "CP1", "--version", csms.version]
        self._command += ["--at", at, *options]

    def __enter__(self) -> Self:
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, *self._command],
                stderr=log,
                cwd=self._log.parent,
                env=ENVIRONMENT | {"no_proxy": "127.0.0.1"},
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def said(self) -> str:
        return self._log.read_text()

    def says(self, words: str) -> None:
        """By and by."""
        eventually(lambda: words in self.said or self.process.poll() is not None)
        assert words in self.said
