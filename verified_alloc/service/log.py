"""Logs: fields for journald where it listens, else lines on stderr."""

import logging
import os
import socket
from collections import deque

SOCKET = "/run/systemd/journal/socket"
PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}
REMEMBERED = 200


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


class Once(logging.Filter):
    """Lets a message through once, as long as it is remembered: who floods the door must not flood
    the log. How often it came is in the metrics."""

    def __init__(self) -> None:
        super().__init__()
        self._said: deque[str] = deque(maxlen=REMEMBERED)

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if text in self._said:
            return False
        self._said.append(text)
        return True


def set_up(level: int = logging.INFO) -> None:
    """Where this process's logs go."""
    handler: logging.Handler = logging.StreamHandler()
    if os.environ.get("JOURNAL_STREAM"):
        handler = Journald()
    handler.setFormatter(logging.Formatter("verified-alloc: %(message)s"))
    log = logging.getLogger("verified_alloc")
    log.handlers = [handler]
    log.setLevel(level)
    log.propagate = False
