"""The command `ocpp`."""

import signal
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from verified_alloc.commands.remote import At, TokenFile
from verified_alloc.errors import MissingExtra
from verified_alloc.station.parts import ServiceConfig

if TYPE_CHECKING:
    from verified_alloc.ocpp.csms import Csms
    from verified_alloc.ocpp.station import StationDoor


def ocpp(
    url: Annotated[
        str, typer.Option("--url", help="Of the CSMS, ws:// or wss://, without the id.")
    ],
    id: Annotated[str, typer.Option("--id", help="By which the CSMS knows this charge point.")],
    version: Annotated[str, typer.Option("--version", help="Of OCPP: 1.6 or 2.0.1.")] = "2.0.1",
    user: Annotated[
        str | None, typer.Option("--user", help="Of basic authentication; the id, if not given.")
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option("--password-file", metavar="FILE", help="Of basic authentication."),
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option("--ca-file", metavar="FILE", help="Whose certificates a wss:// CSMS has."),
    ] = None,
    at: At = ServiceConfig.http,
    token_file: TokenFile = None,
) -> int:
    """Be a charge point's smart-charging half beside a running station: charging profiles of a
    CSMS become limits of the station.

    Ctrl-C ends it; the limits stand.

    \b
    verified-alloc ocpp --url ws://127.0.0.1:9000/ocpp --id CP1
    verified-alloc ocpp --url wss://csms.example/ocpp --id CP1 --password-file password
    """
    for package in ("ocpp", "websockets"):
        if find_spec(package) is None:
            raise MissingExtra(f"{package} not installed: pip install 'verified-alloc[ocpp]'")
    import asyncio

    from verified_alloc.ocpp.csms import csms
    from verified_alloc.ocpp.station import StationDoor
    from verified_alloc.service import log
    from verified_alloc.service.client import Client

    place = csms(url, id, version, user, password_file, ca_file)
    station = StationDoor(Client(at, token_file))
    log.set_up()
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_signal(place, station))
    return 0


async def _until_signal(place: "Csms", station: "StationDoor") -> None:
    import asyncio

    from verified_alloc.ocpp.csms import stay_connected

    talking = asyncio.ensure_future(stay_connected(place, station))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, talking.cancel)
    await talking
