"""Where the service listens and to whom it speaks, checked; secrets read from their files."""

import ipaddress
import secrets
import socket
import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from verified_alloc.errors import BadInput, shown
from verified_alloc.service.roles import ADMIN, DEMAND, Grant, Token
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
    """Before every topic; the station's name is its last level."""
    station: str
    prefix: str
    """The topic without that: what may be other stations' begins with it, too."""
    owner: str
    """This process, in its claim to the topic."""
    home_assistant: str = ""
    """Before the topics at which Home Assistant looks for devices; none: it is told nothing."""


class Settings(NamedTuple):
    """What the service process is told at its start."""

    host: str | None = None
    """Where HTTP listens; None: nowhere."""
    port: int = 0
    tokens: tuple[Token, ...] = ()
    trusted_proxy: str | None = None
    """The address that is believed when it says for whom it asks,"""
    public_name: str | None = None
    """and the HOST[:PORT] that browsers know it by."""
    broker: Broker | None = None
    journal: Path | None = None
    """Where the past is read."""
    modbus: tuple[str, int] | None = None
    """Where Modbus TCP listens; None: nowhere,"""
    modbus_write: bool = False
    """and whether it may be written."""


def settings(config: ServiceConfig, station: str) -> Settings:
    """The `[service]` table of the file of the station of that name; `BadInput` names key, value
    and what is allowed."""
    host, port = address(config.http) if config.http else (None, 0)
    tokens = tuple(_tokens(config))
    if len({token.secret for token in tokens}) < len(tokens):
        names = ", ".join(token.grant.name for token in tokens)
        raise BadInput(f"service.token: {names}: two are the same; allowed is a secret for each")
    if host is not None and not tokens and not is_loopback(host):
        raise BadInput(
            f"service.http = {shown(config.http)}: allowed without service.token_file or"
            " [[service.token]] is only loopback, as 127.0.0.1:8080"
        )
    if config.home_assistant and not config.mqtt:
        raise BadInput(
            f"service.home_assistant = {shown(config.home_assistant)}: allowed only with"
            " service.mqtt"
        )
    return Settings(
        host,
        port,
        tokens,
        _trusted_proxy(config, bool(tokens)) if config.trusted_proxy else None,
        _public_name(config) if config.public_name else None,
        _broker(config, station) if config.mqtt else None,
        modbus=_modbus(config),
        modbus_write=config.modbus_write,
    )


def _tokens(config: ServiceConfig) -> Iterator[Token]:
    if config.token_file:
        yield Token(_token("service.token_file", config.token_file), Grant("token_file", ADMIN))
    names: set[str] = set()
    for each in config.tokens:
        key = f"service.token {shown(each.name)}"
        if not each.name or each.name in names or each.name == "token_file":
            raise BadInput(f"{key}: allowed is a name for each, not token_file")
        if bool(each.guns) != (each.role == DEMAND):
            raise BadInput(
                f"{key}: role = {shown(each.role)}, guns = {list(each.guns)}; allowed are guns"
                f' with role = "{DEMAND}", and only with it'
            )
        names.add(each.name)
        grant = Grant(each.name, each.role, frozenset(each.guns))
        yield Token(_token(f"{key}: file", each.file), grant)


def _token(key: str, path: str) -> str:
    token = secret(key, path)
    if len(token) < SHORTEST_TOKEN:
        raise BadInput(
            f"{key} {path}: its token is too short; allowed are {SHORTEST_TOKEN} characters or more"
        )
    return token


def _modbus(config: ServiceConfig) -> tuple[str, int] | None:
    """Nobody is authenticated: it takes a network that somebody has named."""
    if not config.modbus:
        if config.modbus_write:
            raise BadInput("service.modbus_write = true: allowed only with service.modbus")
        return None
    host, port = address(config.modbus, "service.modbus =")
    key = f"service.modbus = {shown(config.modbus)}"
    try:
        named = host == "localhost" or not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        named = False
    if not named:
        raise BadInput(f"{key}: allowed is the IP address of one network, as 127.0.0.1:5020")
    if find_spec("pymodbus") is None:
        raise BadInput(
            f"{key}: pymodbus not installed; allowed after pip install 'verified-alloc[modbus]'"
        )
    return host, port


def _trusted_proxy(config: ServiceConfig, has_token: bool) -> str:
    key = f"service.trusted_proxy = {shown(config.trusted_proxy)}"
    try:
        proxy = str(ipaddress.ip_address(config.trusted_proxy))
    except ValueError:
        raise BadInput(f"{key}: allowed is an IP address, as 127.0.0.1") from None
    if not has_token:
        raise BadInput(f"{key}: allowed only with service.token_file or [[service.token]]")
    return proxy


def _public_name(config: ServiceConfig) -> str:
    if authority(config.public_name) is None or not config.trusted_proxy:
        raise BadInput(
            f"service.public_name = {shown(config.public_name)}: allowed is HOST or HOST:PORT, and"
            " only with service.trusted_proxy"
        )
    return config.public_name


def authority(text: str) -> tuple[str, int | None] | None:
    """The host, in small letters, and the port that a Host header or a page's address names; None
    if it is no such thing."""
    try:
        url = urlsplit(f"//{text}")
        host, port = url.hostname or "", url.port
    except ValueError:
        return None
    again = (f"[{host}]" if ":" in host else host) + ("" if port is None else f":{port}")
    return (host, port) if host and again == text.lower() else None


def address(text: str, key: str = "http address") -> tuple[str, int]:
    """HOST and PORT; IPv6 in brackets, port 0 for any free one."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if colon and bare and port.isascii() and port.isdigit() and int(port) < 65536:
        return bare, int(port)
    raise BadInput(f"{key} {shown(text)}: allowed is HOST:PORT, as 127.0.0.1:8080")


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


def _broker(config: ServiceConfig, station: str) -> Broker:
    form = "allowed is mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"
    try:
        url = urlsplit(config.mqtt)
        port = url.port
    except ValueError:
        raise BadInput(f"service.mqtt = {shown(config.mqtt)}: {form}") from None
    if url.scheme not in PORTS or not url.hostname or url.path or url.username or port == 0:
        raise BadInput(f"service.mqtt = {shown(config.mqtt)}: {form}")
    topic = config.mqtt_topic
    for key, told in {"mqtt_topic": topic, "home_assistant": config.home_assistant or "-"}.items():
        if not told or set(told) & set("+#$") or told != told.strip("/") or len(told) > 100:
            raise BadInput(
                f"service.{key} = {shown(told)}: allowed is a topic without + # $, at most 100"
                " characters, no / at its ends"
            )
    if not station or set(station) & set("+#$/") or len(station) > 100:
        raise BadInput(
            f"station.name = {shown(station)}: allowed, with service.mqtt, are 1 to 100 characters"
            " without + # $ /"
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
        topic=f"{topic}/{station}",
        station=station,
        prefix=topic,
        owner=secrets.token_hex(6),
        home_assistant=config.home_assistant,
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
