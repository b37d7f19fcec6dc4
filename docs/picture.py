"""Draws station.svg, the README's picture: the live table of a real run, `python docs/picture.py`.

The hour sample, with a weld and a failed module, at one moment of it.
"""

import re
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from hardware.simulated import faults
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.control.state import State
from verified_alloc.run.loop import Run
from verified_alloc.run.terminal import LiveTable
from verified_alloc.station.model import Station
from verified_alloc.workload.traces import read_trace

MOMENT_MS = 713_270
FAULTS = ("weld 2:1 @ 0s", "module-dead 4 @ 10min")


def main() -> None:
    station = Station.reference()
    table = LiveTable(station)
    console = Console(record=True, width=80, file=StringIO())
    drawn = False

    def watch(state: State) -> None:
        nonlocal drawn
        if not drawn and state.at_ms >= MOMENT_MS:
            drawn = True
            console.print(table.picture(state))

    charger = simulated_charger(station)
    trace = read_trace("hour", [gun.id for gun in station.guns])
    injections = [faults.parse(text) for text in FAULTS]
    run = Run(station, charger, trace, injections=injections, watch=watch, note=table.note)
    run.play(MOMENT_MS + 5_000)
    picture = console.export_svg(title="verified-alloc run", theme=MONOKAI, unique_id="station")
    # A README shows no font from elsewhere.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    picture = picture.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")
    picture = "\n".join(line.rstrip() for line in picture.splitlines() if line.strip())
    Path(__file__).with_name("station.svg").write_text(picture + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
