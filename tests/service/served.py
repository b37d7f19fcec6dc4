"""A station that runs as a process of its own and can be talked to, as users have it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
PROGRAM = [sys.executable, "-u", "-m", "verified_alloc"]
PATIENCE_S = 60.0

STATION = """
[station]
name = "tried"
guns = 6
modules = 9
module_power_kw = 40
gun_max_power_kw = 240
[policy]
name = "documented"
[timing]
minimum_dwell_s = 0
offer_lead_ms = 400
module_discharge_ms = 200
demand_timeout_s = {timeout_s}
[service]
http = "127.0.0.1:0"
"""


def eventually(holds: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """Wait until it holds; what it then is."""
    end_s = time.monotonic() + within_s
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < end_s, "it never came to hold"
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Served:
    """A simulated station under `run`, whose guns ask for nothing until told."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        service: str = "",
        timeout_s: int = 3600,
        ready: bool = True,
        change: tuple[str, str] = ("", ""),
    ) -> None:
        self.folder = folder
        self._options = options
        self._text = (STATION.format(timeout_s=timeout_s) + service).replace(*change)
        self._ready = ready

    def __enter__(self) -> Self:
        file = self.folder / "station.toml"
        file.write_text(self._text)
        self._said = (self.folder / "said").open("w+")
        self.process = subprocess.Popen(
            [*PROGRAM, "run", "--station", str(file), *self._options],
            stdout=self._said,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
        )
        try:
            self.url = eventually(self._address)
            self.http = httpx.Client(base_url=self.url, timeout=20, trust_env=False)
            if self._ready:
                eventually(self.is_healthy)
                self.to_rest()
        except BaseException:
            self.process.kill()
            raise
        return self

    def to_rest(self) -> None:
        """No gun asks for anything, nor lives the synthetic day any more, and no limit lasts that
        was taken back."""
        for gun in range(1, 7):
            assert self.ask(gun, 0).status_code == 200
        self.http.delete("/api/v1/limits")
        eventually(lambda: self._rests(self.state()))

    @staticmethod
    def _rests(state: Any) -> bool:
        limit = state["site_limit"]
        return limit["limit_kw"] == limit["own_kw"] and not any(
            c["closed"] for c in state["contactors"] if not c["welded"]
        )

    def __exit__(self, *_: object) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            finally:
                self.process.kill()
        self._said.close()

    def _address(self) -> str | None:
        found = re.search(r"Dashboard: (http://\S+)", self.said)
        assert found or self.process.poll() is None, self.said
        return found and found[1].rstrip("/")

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    @property
    def service_pid(self) -> int:
        """The service process: the only child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def is_healthy(self) -> bool:
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def state(self) -> Any:
        answer = self.http.get("/api/v1/state")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def gun(self, gun: int) -> Any:
        return self.state()["guns"][gun - 1]

    def ask(self, gun: int, kw: float) -> httpx.Response:
        return self.http.put(f"/api/v1/guns/{gun}/demand", json={"demand_kw": kw})

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


class Mosquitto:
    """A real broker."""

    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"

    def __init__(self, folder: Path, settings: str = "", start: bool = True) -> None:
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        anonymous = "" if "allow_anonymous" in settings else "allow_anonymous true\n"
        self._file.write_text(f"listener {self.port} 127.0.0.1\n{anonymous}{settings}")
        self._start = start

    def __enter__(self) -> Self:
        if self._start:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self.program, "-c", str(self._file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._start = True
        eventually(self._listens)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        if self._start:
            self._process.kill()
            self._process.wait()
