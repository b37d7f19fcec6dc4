"""One virtual Pi for all tests that use it, switched on once; its log is kept."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bench import Bench
from image import CACHE, image, missing
from machine import Machine

from verified_alloc.station.model import Station

FOLDER = Path(__file__).parent
STATION = "station.toml"
LOG = CACHE / "log.txt"

Log = Callable[[str], None]


@pytest.fixture(scope="session")
def log() -> Iterator[Log]:
    """A line of what happens, with the seconds since the beginning."""
    CACHE.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    with LOG.open("w") as file:
        yield lambda line: print(
            f"{time.monotonic() - began_s:8.3f}  {line}", file=file, flush=True
        )


@pytest.fixture(scope="session")
def bench(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A virtual Pi that is up, wired to its cabinet."""
    if missing():
        pytest.fail(missing(), pytrace=False)
    files = {f"root/{path.name}": path.read_text() for path in (FOLDER / "pi").iterdir()}
    files["root/watched.toml"] = f'{files[f"root/{STATION}"]}watchdog_device = "/dev/watchdog"\n'
    machine = Machine(image(files), tmp_path_factory.mktemp("sockets"), log)
    try:
        station = Station.from_toml(FOLDER / "pi" / STATION)
        with Bench(station, machine, log).running() as bench:
            machine.wait_until_up()
            yield bench
            log(bench.summary())
    finally:
        machine.close()
