"""Logs: fields for journald where it listens, else lines on stderr."""

import logging
import math
import os
import socket
import time
from collections import Counter
from typing import Any

SOCKET = "/run/systemd/journal/socket"
PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}
SILENT_S = 60.0
"""After a line of a kind."""


class Journald(logging.Handler):
    """Sends records by journald's own protocol, with what is in `extra={"fields": {...}}`."""

    def __init__(self) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def emit(self, record: logging.LogRecord) -> None:
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": PRIORITIES.get(record.levelname, 6),
            "SYSLOG_IDENTIFIER": "verified-alloc",
            **getattr(record, "fields", {}),
        }
        lines = [f"{name}={' '.join(str(value).splitlines())}" for name, value in fields.items()]
        try:
            self._socket.sendto("\n".join(lines).encode(), SOCKET)
        except OSError:
            self.handleError(record)


class OncePerKind(logging.Filter):
    """Lets one record of a kind through a minute, with how many there were before it: who floods
    the door must not flood the log. A kind is what `extra={"kind": ...}` says, else the place in
    the code. Every single one is counted in the metrics."""

    def __init__(self) -> None:
        super().__init__()
        self._said_s: dict[object, float] = {}
        self._unsaid: Counter[object] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        kind = getattr(record, "kind", (record.pathname, record.lineno))
        now_s = time.monotonic()
        if now_s < self._said_s.get(kind, -math.inf) + SILENT_S:
            self._unsaid[kind] += 1
            return False
        self._said_s[kind] = now_s
        if unsaid := self._unsaid.pop(kind, 0):
            record.msg, record.args = f"{record.getMessage()} (and {unsaid} before it)", ()
        return True


class OneLine(logging.Formatter):
    """What comes from outside moves no cursor and begins no line: whatever does not print is shown
    by its code."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return "\n".join(map(printable, super().formatException(ei).splitlines()))


def printable(text: str) -> str:
    """Without anything that a terminal obeys."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def set_up(faces_a_network: bool = False) -> None:
    """Where this process's logs go; the warnings of its libraries too where it faces a network."""
    handler: logging.Handler = logging.StreamHandler()
    if os.environ.get("JOURNAL_STREAM"):
        handler = Journald()
    handler.setFormatter(OneLine("verified-alloc: %(message)s"))
    log = logging.getLogger("verified_alloc")
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    if faces_a_network:
        handler.addFilter(OncePerKind())
        logging.getLogger().handlers = [handler]
