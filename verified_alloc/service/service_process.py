"""The service process as the scan's process sees it: started, listened to, started again."""

import logging
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from verified_alloc import process
from verified_alloc.service.settings import Settings
from verified_alloc.station.model import Station

LINE_BYTES = 1 << 18
"""What the kernel keeps of each direction of the line; when it is full, nothing more is sent."""
ORDER_BYTES = 1 << 17
LOOKED_AFTER_EVERY_S = 0.5
LONGEST_PAUSE_S = 30.0
WAIT_FOR_END_S = 3.0
STARTS_WITHIN_S, SILENT_S = 60.0, 5.0
"""It says that it is alive within so long of its start, and never later than that after."""

log = logging.getLogger("verified_alloc")


class ServiceProcess:
    """The service process and the line to it: one message a packet, nothing ever waits.

    `listening` are the bound sockets, of HTTP and of Modbus; they are kept here, so that a service
    process that is started again takes over their queues.
    """

    def __init__(
        self,
        station: Station,
        proof: str,
        settings: Settings,
        listening: Sequence[socket.socket],
        simulated: bool,
    ) -> None:
        self._hello = pickle.dumps(("hello", station, proof, settings, simulated))
        self._as_user = _as_user()
        self._listening = listening
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pause_s = 1.0
        self._look_s = self._start_s = self._silent_s = 0.0

    def __enter__(self) -> "ServiceProcess":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Say the end and wait a little for it to be told on."""
        self.send(("end",))
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            try:
                self._process.wait(WAIT_FOR_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for listening in self._listening:
            listening.close()

    def keep(self) -> None:
        """Start it again if it has ended, after a pause that doubles from one time to the next."""
        now_s = time.monotonic()
        if now_s < self._look_s:
            return
        self._look_s = now_s + LOOKED_AFTER_EVERY_S
        if self._line is not None and self._process is not None:
            code = self._process.poll()
            if code is None and now_s > self._silent_s:
                self._hang_up("it is silent")
            elif code is None:
                if now_s > self._start_s + 2 * LONGEST_PAUSE_S:
                    self._pause_s = 1.0
                return
            else:
                self._hang_up(f"it ended with code {code}")
        if now_s >= self._start_s:
            self._start()

    def send(self, message: Any) -> bool:
        """Send it if there is room for it at once."""
        if self._line is None:
            return False
        try:
            self._line.send(pickle.dumps(message), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            self._hang_up(str(error))
            return False
        return True

    def receive(self) -> bytes | None:
        """The next order, if one is there."""
        if self._line is None:
            return None
        try:
            data = self._line.recv(ORDER_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            self._hang_up(str(error))
            return None
        if not data:
            self._hang_up("it closed the line")
            return None
        self._silent_s = time.monotonic() + SILENT_S
        return data

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LINE_BYTES)
            passed = [theirs, *self._listening]
            self._process = process.start("verified_alloc.service", passed, self._as_user)
        self._line = ours
        self._silent_s = time.monotonic() + STARTS_WITHIN_S
        ours.send(self._hello)

    def _hang_up(self, why: str) -> None:
        """The station goes on; demands that nobody refreshes fall to zero."""
        assert self._line is not None
        self._line.close()
        self._line = None
        if self._process is not None:
            with suppress(OSError):
                self._process.kill()
        log.error("the service process is gone (%s); next start in %g s", why, self._pause_s)
        self._start_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


def _as_user() -> Sequence[str]:
    """What faces a network is another user than the scan, where that may be: no wire, no file and
    no process of the scan's is in its reach."""
    if not process.may_change_user():
        return ()
    found = [Path(path, "inside") for path in sys.path if Path(path).is_dir()]
    try:
        folder = process.shut([Path(sys.executable), Path(__file__), *found])
        if folder is not None:
            raise LookupError(f"others have no access to {folder}")
        return process.nobody()
    except LookupError as error:
        log.warning("the service process runs as the scan's user: %s", error)
        return ()
