"""The station on a terminal, as it works: guns, modules, contactors, what happened."""

import time
from collections import deque

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from verified_alloc.controller import State
from verified_alloc.station import Station

REFRESH_S = 0.2
SENTENCES_SHOWN = 6


class LiveTable:
    """Redrawn a few times a second of real time, however fast the scans come."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._live = Live(auto_refresh=False)
        self._drawn_s = 0.0
        self._sentences: deque[str] = deque(maxlen=SENTENCES_SHOWN)

    def __enter__(self) -> "LiveTable":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def note(self, sentence: str) -> None:
        """Show a sentence below the table."""
        self._sentences.append(sentence)

    def watch(self, state: State) -> None:
        """See a scan."""
        now_s = time.monotonic()
        if now_s - self._drawn_s >= REFRESH_S:
            self._drawn_s = now_s
            self._live.update(self._picture(state), refresh=True)

    def _picture(self, state: State) -> Group:
        hours, seconds = divmod(state.at_ms // 1000, 3600)
        table = Table(
            title=f"{self._station.name}  {hours:02}:{seconds // 60:02}:{seconds % 60:02}",
            caption="● feeds   ○ connected, off   → on its way   · open",
        )
        for head in ("gun", "asks kW", "granted kW", "offered kW", "live kW"):
            table.add_column(head, justify="right")
        for module in self._station.modules:
            table.add_column(f"PM{module.id}", justify="center")
        for gun in self._station.guns:
            table.add_row(*self._row(state, gun.id))
        below = [Text(f"Locked guns: {', '.join(map(str, state.locked))}")] if state.locked else []
        if state.stopped:
            below.append(Text("Stopped.", style="bold red"))
        return Group(table, *below, *map(Text, self._sentences))

    def _row(self, state: State, gun: int) -> list[Text]:
        live = state.live[gun - 1]
        live_w = sum(self._station.module_power_w[module - 1] for module in live)
        powers = (
            state.demand_w[gun - 1],
            state.allocation.delivered_w[gun],
            state.offer_w[gun - 1],
            live_w,
        )
        cells = [Text(str(gun)), *(Text(f"{power_w / 1000:.1f}") for power_w in powers)]
        for module in range(1, len(self._station.modules) + 1):
            if module in live:
                mark = Text("●", style="bold green")
            elif module in state.connected[gun - 1]:
                mark = Text("○", style="yellow")
            elif module in state.allocation.modules[gun]:
                mark = Text("→", style="cyan")
            elif self._station.has(gun, module):
                mark = Text("·", style="dim")
            else:
                mark = Text(" ")
            cells.append(mark)
        return cells
