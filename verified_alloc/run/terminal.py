"""The station on a terminal, as it works: guns, modules, contactors, what happened."""

import time
from collections import deque

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from verified_alloc.control.state import State
from verified_alloc.station.model import Station

REFRESH_S = 0.2
SENTENCES_SHOWN = 6
BAR_CELLS = 12

FEEDS = Text("●", style="bold green")
CLOSED = Text("○", style="yellow")
COMING = Text("→", style="cyan")
OPEN = Text("·", style="dim")
WELDED = Text("W", style="bold red")
WELDED_LIVE = Text("W", style="bold green")
FAILED = Text("x", style="bold red")
NONE = Text(" ")


class LiveTable:
    """Redrawn a few times a second of real time, however fast the scans come. The reference
    station fits a terminal of 80 columns."""

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
            self._live.update(self.picture(state), refresh=True)

    def picture(self, state: State) -> Group:
        """The table of one scan, and the latest sentences."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for head in ("gun", "asks", "granted", "offered", "live"):
            table.add_column(head, justify="right", no_wrap=True)
        table.add_column("kW", min_width=BAR_CELLS)
        table.add_column(self._module_numbers(state), no_wrap=True)
        for gun in self._station.guns:
            table.add_row(*self._row(state, gun.id))
        return Group(self._title(state), table, self._legend(state), *self._below(state))

    def _title(self, state: State) -> Text:
        minutes, seconds = divmod(state.at_ms // 1000, 60)
        title = Text.assemble(
            (self._station.name, "bold"), f"  {minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
        )
        return title.append("  STOPPED", "bold red") if state.stopped else title

    def _module_numbers(self, state: State) -> Text:
        dead = state.faults.modules
        numbers = [module.id for module in self._station.modules]
        return _spaced([Text(str(n), FAILED.style if n in dead else "") for n in numbers])

    def _legend(self, state: State) -> Text:
        legend = Text.assemble(
            "modules: ", FEEDS, " feeds  ", CLOSED, " closed, off  ", COMING, " on its way  "
        ).append_text(Text.assemble(OPEN, " open"))
        if state.faults.welded:
            legend.append_text(Text.assemble("  ", WELDED, " welded"))
        if state.faults.failed_open or state.faults.modules or state.faults.guns:
            legend.append_text(Text.assemble("  ", FAILED, " failed"))
        return legend

    def _below(self, state: State) -> list[Text]:
        lines = [Text(sentence) for sentence in self._sentences]
        if state.locked:
            lines.insert(0, Text(f"Locked guns: {', '.join(map(str, state.locked))}", "bold red"))
        return lines

    def _row(self, state: State, gun: int) -> list[Text]:
        live_w = sum(self._station.module_power_w[m - 1] for m in state.live[gun - 1])
        asked_w, offered_w = state.demand_w[gun - 1], state.offer_w[gun - 1]
        out = gun in state.faults.guns or gun in state.locked
        return [
            Text(str(gun), style=FAILED.style if out else ""),
            _kw(asked_w),
            _kw(state.allocation.delivered_w[gun]),
            _kw(offered_w),
            _kw(live_w),
            self._bar(gun, asked_w, min(asked_w, offered_w)),
            _spaced([self._mark(state, gun, module.id) for module in self._station.modules]),
        ]

    def _bar(self, gun: int, asked_w: int, served_w: int) -> Text:
        """What the gun asks for, up to its maximum; the bright part is offered."""
        most_w = max(self._station.gun_max_w)
        asked = min(BAR_CELLS, round(BAR_CELLS * asked_w / most_w))
        served = min(asked, round(BAR_CELLS * served_w / most_w))
        return Text.assemble(
            ("━" * served, "bold green"),
            ("━" * (asked - served), "red"),
            " " * (BAR_CELLS - asked),
        )

    def _mark(self, state: State, gun: int, module: int) -> Text:
        if not self._station.has(gun, module):
            return NONE
        if (gun, module) in state.faults.welded:
            return WELDED_LIVE if module in state.live[gun - 1] else WELDED
        if (gun, module) in state.faults.failed_open:
            return FAILED
        if module in state.live[gun - 1]:
            return FEEDS
        if module in state.connected[gun - 1]:
            return CLOSED
        if module in state.allocation.modules[gun]:
            return COMING
        return OPEN


def _spaced(marks: list[Text]) -> Text:
    """In columns three wide."""
    row = Text()
    for mark in marks:
        row.append_text(mark).append(" " * (3 - len(mark)))
    return row


def _kw(power_w: int) -> Text:
    return Text(f"{power_w / 1000:g}", style="" if power_w else "dim")
