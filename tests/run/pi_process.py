"""A process on a Pi of its own: `python pi_process.py FOLDER COMMAND...` runs the command line on a
simulated charger in real time, whose outputs stand in a file, so that they outlive the process as
they do on a Pi's kernel. FOLDER/hang hangs the I2C bus."""

import sys
import time
from pathlib import Path
from typing import Any

from verified_alloc import Station, cli
from verified_alloc.control.assembly import simulated_charger


def main(folder: Path, argv: list[str]) -> int:
    """Byte n of FOLDER/levels is the level of BCM n."""
    station = Station.reference()
    charger = simulated_charger(station, speed=1.0)
    levels = (folder / "levels").open("r+b", buffering=0)
    driven, ioctl = charger.pins.driven, charger.bus.ioctl

    def keep(line: int, level: bool, cause: str) -> None:
        levels.seek(line)
        levels.write(b"1" if level else b"0")
        driven(line, level, cause)

    def maybe_hang(*arguments: Any) -> int:
        while (folder / "hang").exists():
            time.sleep(3600)
        return ioctl(*arguments)

    charger.pins.driven = keep
    charger.bus.ioctl = maybe_hang
    with charger.installed():
        return cli.main(argv)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
