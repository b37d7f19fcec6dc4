"""Opens the service of a live station, where that can be."""

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from hardware import DeviceLost
from hardware.simulated.charger import SimulatedCharger
from verified_alloc.errors import BadInput, shown
from verified_alloc.service import log
from verified_alloc.service.orders import Orders
from verified_alloc.service.service_process import ServiceProcess
from verified_alloc.service.settings import Settings, listen
from verified_alloc.station.model import Station

LIBRARIES = ("fastapi", "uvicorn", "aiomqtt", "prometheus_client")


def can_serve(http: str | None) -> bool:
    """The service's libraries are here, and what it needs of the system. Who has asked for it is
    told what is missing, anybody else does without."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if not missing and sys.platform == "linux":
        return True
    if http is None:
        return False
    if missing:
        raise BadInput(
            f"--http {shown(http)}: {', '.join(missing)} not installed; allowed after"
            " pip install 'verified-alloc[service]'"
        )
    raise BadInput(f"--http {shown(http)}: allowed only on Linux, not {sys.platform}")


@contextmanager
def serving(
    station: Station,
    proof: str,
    wanted: Settings,
    charger: SimulatedCharger | None,
    by_default: bool,
    note: Callable[[str], None],
) -> Iterator[Orders]:
    """The service process, told in a sentence what is proved, and its orders to the scan.
    DeviceLost if its port is taken, unless nobody has named one: a simulated station takes any."""
    if os.environ.get("JOURNAL_STREAM"):
        log.set_up()
    doors = []
    if wanted.host is not None:
        try:
            listening = listen(wanted.host, wanted.port)
        except OSError as error:
            place = f"{wanted.host}:{wanted.port}"
            reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
            if error.errno != errno.EADDRINUSE or charger is None or not by_default:
                raise DeviceLost(f"http {place}: {reason}; --http names another") from error
            listening = listen(wanted.host, 0)
            note(f"http {place} is taken")
        doors.append(listening)
        note(f"Dashboard: http://{_place(listening)}/")
    if wanted.modbus is not None:
        try:
            doors.append(listen(*wanted.modbus))
        except OSError as error:
            reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
            raise DeviceLost(f"modbus {wanted.modbus[0]}:{wanted.modbus[1]}: {reason}") from error
        note(f"Modbus: {_place(doors[-1])}")
    with ServiceProcess(station, proof, wanted, doors, simulated=charger is not None) as child:
        yield Orders(station, child, charger)


def _place(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"
