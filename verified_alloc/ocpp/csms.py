"""The CSMS: where it is, how it lets us in, and staying connected however often it goes away."""

import asyncio
import base64
import logging
import random
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

from verified_alloc.errors import BadInput, reason, shown
from verified_alloc.ocpp.charge_point import SmartCharging, end_if_cancelled
from verified_alloc.ocpp.station import StationDoor
from verified_alloc.ocpp.v16 import SmartCharging16
from verified_alloc.ocpp.v201 import SmartCharging201
from verified_alloc.service.settings import secret

VERSIONS: Mapping[str, type[SmartCharging]] = {"1.6": SmartCharging16, "2.0.1": SmartCharging201}
LONGEST_ID = 48
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0

log = logging.getLogger("verified_alloc.ocpp")


class Csms(NamedTuple):
    """Where it listens for this charge point."""

    url: str
    id: str
    version: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None


def csms(
    url: str,
    id: str,
    version: str,
    user: str | None,
    password_file: str | None,
    ca_file: str | None,
) -> Csms:
    """Checked; `BadInput` names the option, its value and what is allowed."""
    if version not in VERSIONS:
        raise BadInput(f"--version {shown(version)}: allowed are {', '.join(VERSIONS)}")
    if not (id.isprintable() and 1 <= len(id) <= LONGEST_ID and ":" not in id):
        raise BadInput(f"--id {shown(id)}: allowed are 1 to {LONGEST_ID} characters without :")
    if user is not None and password_file is None:
        raise BadInput(f"--user {shown(user)}: allowed only with --password-file")
    if user is not None and (not user.isprintable() or ":" in user):
        raise BadInput(f"--user {shown(user)}: allowed is a name without :")
    headers = {}
    if password_file is not None:
        pair = f"{user or id}:{secret('--password-file', password_file)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    secure = _is_secure(url)
    if ca_file is not None and not secure:
        raise BadInput(f"--ca-file {shown(ca_file)}: allowed only with --url wss://...")
    place = f"{url.rstrip('/')}/{quote(id, safe='')}"
    return Csms(place, id, version, headers, _tls(ca_file) if secure else None)


def _is_secure(url: str) -> bool:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment or not url.isprintable():
        raise BadInput(f"--url {shown(url)}: allowed is ws://HOST[:PORT]/PATH or wss://...")
    return parts.scheme == "wss"


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        # A folder or nothing at all is no SSLError.
        authorities = None if ca_file is None else Path(ca_file).read_text(encoding="ascii")
        return ssl.create_default_context(cadata=authorities)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) and error.errno else "no certificates"
        raise BadInput(f"--ca-file {shown(ca_file)}: {why}; allowed is a PEM file") from None


async def stay_connected(csms: Csms, station: StationDoor) -> None:
    """Until cancelled. The longer a CSMS is away, the rarer it is tried, and many charge points
    do not come at once."""
    pause_s = FIRST_PAUSE_S
    while True:
        began_s = time.monotonic()
        try:
            # A task of its own: in Python 3.11 a group that fails leaves its task marked cancelled.
            await asyncio.create_task(_talk(csms, station))
        except Exception as error:  # whatever a CSMS does to us, the next connection is tried
            end_if_cancelled()
            said = _words(error)
        if time.monotonic() > began_s + LONGEST_PAUSE_S:
            pause_s = FIRST_PAUSE_S
        wait_s = random.uniform(pause_s / 2, pause_s)
        log.warning("%s: %s; again in %.1f s", csms.url, said, wait_s)
        await asyncio.sleep(wait_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def _talk(csms: Csms, station: StationDoor) -> None:
    """Until the connection breaks, by an exception."""
    async with connect(
        csms.url,
        subprotocols=[f"ocpp{csms.version}"],  # type: ignore[list-item]
        additional_headers=csms.headers,
        ssl=csms.tls,
        close_timeout=2,
    ) as connection:
        if connection.subprotocol is None:
            raise InvalidHandshake(f"it does not speak OCPP {csms.version}")
        log.info("%s: connected, OCPP %s", csms.url, csms.version)
        await VERSIONS[csms.version](csms.id, connection, station).run()


def _words(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
