"""The service process: started by the scan's with the numbers of its inherited sockets."""

import asyncio
import logging
import os
import pickle
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from verified_alloc.service import log as logs
from verified_alloc.service.settings import Settings
from verified_alloc.station.model import Station

LAST_WORDS_S = 1.5
"""How long a service whose scan has died goes on saying so."""

log = logging.getLogger("verified_alloc")


async def serve(
    end: socket.socket,
    doors: Iterator[socket.socket],
    station: Station,
    proof: str,
    settings: Settings,
    simulated: bool,
) -> int:
    """Until the scan ends: 0 if it did so in good order, else 3."""
    from verified_alloc.service.explainer import Explainer
    from verified_alloc.service.scan_link import ScanLink
    from verified_alloc.service.views import Views

    link = ScanLink(end)
    explainer = Explainer(station)
    views = Views(station, proof, simulated, explainer, settings.journal is not None)
    tasks = [asyncio.create_task(link.live())]
    if settings.broker is not None:
        from verified_alloc.service.mqtt import speak

        tasks.append(asyncio.create_task(speak(settings.broker, station, link, views)))
    if settings.host is not None:
        from verified_alloc.service.server import web_server

        door = web_server(next(doors), station, settings, link, views, explainer)
        tasks.append(asyncio.create_task(door))
    if settings.modbus is not None:
        from verified_alloc.service.modbus import ModbusDoor

        modbus = ModbusDoor(station, link, views, settings.modbus_write)
        tasks.append(asyncio.create_task(modbus.serve(next(doors))))
    os.nice(5)  # from now on the scan comes first
    await link.ended.wait()
    if not link.in_good_order:
        log.critical("the scan is gone: what the station does is not known")
        await asyncio.sleep(LAST_WORDS_S)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=LAST_WORDS_S)
    explainer.close()
    return 0 if link.in_good_order else 3


def main() -> int:
    """Ctrl-C and SIGTERM are for the scan, which tells its end when everything is off."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")  # before the scan
    logs.set_up(faces_a_network=True)
    end, *others = (socket.socket(fileno=int(text)) for text in sys.argv[1:])
    hello = end.recv(1 << 18)
    if not hello:
        return 3
    _, station, proof, settings, simulated = pickle.loads(hello)
    return asyncio.run(serve(end, iter(others), station, proof, settings, simulated))


if __name__ == "__main__":
    sys.exit(main())
