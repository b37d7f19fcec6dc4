"""Who must hear that scans are verified, and acts when they are not: the Pi's own watchdog timer
and systemd. Both begin with the first verified scan, so that a start may take its time."""

import fcntl
import os
import socket
from contextlib import suppress
from struct import pack

from hardware import DeviceLost, clock

# Linux watchdog API (uapi/linux/watchdog.h): _IOWR('W', 6, int).
_WDIOC_SETTIMEOUT = 0xC0045706
_DISARM = b"V"  # without this last byte the timer runs on after it is closed

TIMEOUT_S = 2
"""The Pi restarts after so long without a verified scan; its timer takes 1 to 15 s."""


class WatchdogTimer:
    """A hardware watchdog as /dev/watchdog: petted, or the machine is reset, and its pins with it.

    Raises DeviceLost where it cannot be opened or written to.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None

    def beat(self) -> None:
        """Pet it; the first time, arm it."""
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY)
                with suppress(OSError):  # one whose time is fixed
                    fcntl.ioctl(self._file, _WDIOC_SETTIMEOUT, pack("i", TIMEOUT_S))
            os.write(self._file, b"\0")
        except OSError as error:
            raise DeviceLost(f"watchdog {self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Disarm it, where the kernel lets go of one that runs. Nothing is raised."""
        if self._file is not None:
            with suppress(OSError):
                os.write(self._file, _DISARM)
            with suppress(OSError):
                os.close(self._file)
            self._file = None


class ServiceManager:
    """systemd, where it started us as a service of `Type=notify` (sd_notify(3)); else nobody."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero that an abstract name begins with; to "" nothing can be sent.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        period_us = os.environ.get("WATCHDOG_USEC", "")
        self._every_s = int(period_us) / 4e6 if period_us.isdigit() else None
        self._beat_s: float | None = None

    def beat(self) -> None:
        """The first time: ready. From then on as often as its watchdog asks for, and some more."""
        now_s = clock.now_s()
        if self._beat_s is None:
            self._tell("READY=1\nSTATUS=scanning")
        elif self._every_s is None or now_s - self._beat_s < self._every_s:
            return
        self._tell("WATCHDOG=1")
        self._beat_s = now_s

    def close(self) -> None:
        """Say that it ends."""
        if self._beat_s is not None:
            self._tell("STOPPING=1")
            self._beat_s = None

    def _tell(self, text: str) -> None:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd:
            to_systemd.setblocking(False)  # a scan waits for nobody
            to_systemd.sendto(text.encode(), self._address)
