"""Where the service listens and to whom it speaks, checked; secrets read from their files."""

import ipaddress
import socket
import stat
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from verified_alloc.errors import BadInput, shown
from verified_alloc.station.parts import ServiceConfig

SHORTEST_TOKEN = 16
LONGEST_SECRET = 1000
PORTS = {"mqtt": 1883, "mqtts": 8883}


class Broker(NamedTuple):
    """An MQTT broker and how to be let in."""

    host: str
    port: int
    tls: bool
    ca_file: str | None
    user: str | None
    password: str | None
    topic: str
    """Before every topic."""


class Settings(NamedTuple):
    """What the service process is told at its start."""

    host: str | None
    """Where HTTP listens; None: nowhere."""
    port: int
    token: str | None
    broker: Broker | None
    journal: Path | None = None
    """Where the past is read."""


def settings(config: ServiceConfig) -> Settings:
    """The `[service]` table of a station file; `BadInput` names key, value and what is allowed."""
    host, port = address(config.http) if config.http else (None, 0)
    token = secret("service.token_file", config.token_file) if config.token_file else None
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise BadInput(
            f"service.token_file {config.token_file}: its token is too short; allowed are"
            f" {SHORTEST_TOKEN} characters or more"
        )
    if host is not None and token is None and not is_loopback(host):
        raise BadInput(
            f"service.http = {shown(config.http)}: allowed without service.token_file is only"
            " loopback, as 127.0.0.1:8080"
        )
    return Settings(host, port, token, _broker(config) if config.mqtt else None)


def address(text: str) -> tuple[str, int]:
    """HOST and PORT; IPv6 in brackets, port 0 for any free one."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if colon and bare and port.isascii() and port.isdigit() and int(port) < 65536:
        return bare, int(port)
    raise BadInput(f"http address {shown(text)}: allowed is HOST:PORT, as 127.0.0.1:8080")


def is_loopback(host: str) -> bool:
    """Only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; OSError if that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def _broker(config: ServiceConfig) -> Broker:
    form = "allowed is mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"
    try:
        url = urlsplit(config.mqtt)
        port = url.port
    except ValueError:
        raise BadInput(f"service.mqtt = {shown(config.mqtt)}: {form}") from None
    if url.scheme not in PORTS or not url.hostname or url.path or url.username or port == 0:
        raise BadInput(f"service.mqtt = {shown(config.mqtt)}: {form}")
    topic = config.mqtt_topic
    if not topic or set(topic) & set("+#$") or topic != topic.strip("/") or len(topic) > 100:
        raise BadInput(
            f"service.mqtt_topic = {shown(topic)}: allowed is a topic without + # $, at most 100"
            " characters, no / at its ends"
        )
    password_file = config.mqtt_password_file
    if config.mqtt_ca_file and not Path(config.mqtt_ca_file).is_file():
        raise BadInput(f"service.mqtt_ca_file {shown(config.mqtt_ca_file)}: allowed is a file")
    return Broker(
        host=url.hostname,
        port=port or PORTS[url.scheme],
        tls=url.scheme == "mqtts",
        ca_file=config.mqtt_ca_file or None,
        user=config.mqtt_user or None,
        password=secret("service.mqtt_password_file", password_file) if password_file else None,
        topic=topic,
    )


def secret(key: str, path: str) -> str:
    """What a file that only its owner reads says, without the blanks around it."""
    try:
        mode = Path(path).stat().st_mode
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not text").lower()
        raise BadInput(f"{key} {shown(path)}: {reason}; allowed is a text file") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise BadInput(f"{key} {shown(path)}: others may read or write it; allowed is chmod 600")
    if not secret.isprintable() or not 1 <= len(secret) <= LONGEST_SECRET:
        raise BadInput(
            f"{key} {shown(path)}: allowed is one line of 1 to {LONGEST_SECRET} characters"
        )
    return secret
