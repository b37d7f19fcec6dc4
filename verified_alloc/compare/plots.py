"""The plots of a comparison, as SVG to put into a page.

Colours are safe for the colour-blind and the same throughout: policies by Okabe and Ito (with
markers and dashes of their own), guns by Paul Tol's muted scheme.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from verified_alloc.compare import metrics
from verified_alloc.compare.comparison import Comparison
from verified_alloc.compare.demand_source import DAY_MS
from verified_alloc.compare.replay import Replay
from verified_alloc.compare.timeline import BINS, Timeline
from verified_alloc.station.model import Station

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

INK, FAINT, GRID = "#222222", "#666666", "#dddddd"
LIMIT = "#e0004d"
POLICY_STYLES: dict[str, tuple[str, str, Any]] = {
    "documented": ("#444444", "o", "-"),
    "priority": ("#0072b2", "s", (0, (6, 2))),
    "max-power": ("#d55e00", "^", (0, (1, 1))),
    "fair": ("#009e73", "D", (0, (4, 1, 1, 1))),
}
"""Colour, marker, dashes."""
GUN_COLOURS = (
    *("#332288", "#88ccee", "#ddcc77", "#117733", "#cc6677", "#882255"),
    *("#44aa99", "#999933", "#aa4499", "#bbbbbb"),
)
STATION_FILLS = ("full", "none", "left", "right", "top", "bottom")

RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "verified-alloc",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "path.simplify": True,
}


def gun_colour(gun: int) -> str:
    """The colour of a gun, counted from 1; from the eleventh on they come again."""
    return GUN_COLOURS[(gun - 1) % len(GUN_COLOURS)]


def day(station: Station, replayed: Replay) -> str:
    """Power by gun over time, stacked, and below which gun each module feeds."""
    with drawing(6.4, 2.5 + 0.16 * len(station.modules)) as figure:
        draw_day(figure, station, replayed)
        return _svg(figure)


def draw_day(figure: "FigureBase", station: Station, replayed: Replay) -> "Axes":
    """The same into a figure, or a part of one; the upper axes."""
    timeline = replayed.timeline
    assert timeline is not None
    modules = len(station.modules)
    power: Axes
    strip: Axes
    power, strip = figure.subplots(
        2, 1, sharex=True, height_ratios=(2.0, 0.16 * modules), gridspec_kw={"hspace": 0.08}
    )
    hours = [
        _hours(timeline, timeline.start_ms + place * _bin_ms(timeline)) for place in range(BINS + 1)
    ]
    power.stackplot(
        hours,
        [[w / 1000 for w in (*row, row[-1])] for row in timeline.mean_w],
        step="post",
        colors=[gun_colour(gun.id) for gun in station.guns],
        labels=[f"gun {gun.id}" for gun in station.guns],
        linewidth=0,
    )
    pool_kw = replayed.pool_w / 1000
    power.axhline(pool_kw, color=INK, linewidth=0.9, linestyle=(0, (5, 3)))
    power.annotate(
        f"all modules, {pool_kw:g} kW",
        (hours[0], pool_kw),
        xytext=(3, 3),
        textcoords="offset points",
        fontsize=8,
    )
    if any(limit_w is not None for _, limit_w in timeline.limits):
        starts = [_hours(timeline, at_ms) for at_ms, _ in timeline.limits]
        limits_kw = [
            float("nan") if limit_w is None else limit_w / 1000 for _, limit_w in timeline.limits
        ]
        power.step(
            [*starts, hours[-1]],
            [*limits_kw, limits_kw[-1]],
            where="post",
            color=LIMIT,
            linewidth=1.4,
            label="limit",
        )
    power.set_ylim(0, pool_kw * 1.12)
    power.set_ylabel("power, kW")
    by_pair: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for module, gun, from_ms, to_ms in timeline.stretches:
        span = (_hours(timeline, from_ms), (to_ms - from_ms) / 3_600_000)
        by_pair.setdefault((module, gun), []).append(span)
    for (module, gun), spans in sorted(by_pair.items()):
        strip.broken_barh(spans, (module - 0.42, 0.84), color=gun_colour(gun), linewidth=0)
    strip.set_ylim(modules + 0.6, 0.4)
    strip.set_yticks(range(1, modules + 1, 1 if modules <= 16 else 4))
    strip.set_ylabel("module")
    strip.grid(visible=False)
    strip.set_xlim(hours[0], hours[-1])
    _time_axis(strip, timeline)
    return power


def distributions(replays: Sequence[Replay]) -> str:
    """Sessions by energy delivered, and by the share of what they came for."""
    with drawing(11, 1.0 + 0.75 * max(len(replays), 3)) as figure:
        left, right = figure.subfigures(1, 2, squeeze=False)[0]
        rows = left.subplots(len(replays), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        share = right.subplots()
        width = 5
        highest = max(
            (kwh for r in replays for kwh, count in enumerate(r.energy_counts) if count), default=0
        )
        edges = list(range(0, highest + 2 * width, width))
        for axes, replayed in zip(rows, replays, strict=True):
            colour, _, dashes = POLICY_STYLES[replayed.policy]
            counts = [sum(replayed.energy_counts[low : low + width]) for low in edges[:-1]]
            axes.stairs(counts, edges, color=colour, fill=True, alpha=0.75)
            axes.annotate(
                replayed.policy,
                (0.99, 0.92),
                xycoords="axes fraction",
                ha="right",
                va="top",
                fontweight="bold",
            )
            below = [0, *accumulate(replayed.share_counts[:-1])]
            share.step(
                range(len(below)),
                [100 * count / max(replayed.sessions, 1) for count in below],
                where="post",
                color=colour,
                linestyle=dashes,
                linewidth=1.8,
                label=replayed.policy,
            )
        rows[0].set_title("Energy delivered to a session")
        rows[-1].set_xlabel(f"kWh, in steps of {width}")
        rows[len(rows) // 2].set_ylabel("sessions")
        rows[0].set_xlim(0, edges[-1])
        rows[0].set_ylim(bottom=0)
        share.set_title("Who got less than they came for")
        share.set_xlabel("share delivered, % of what the session came for")
        share.set_ylabel("sessions with less, %")
        share.set_xlim(0, 100)
        share.set_ylim(bottom=0)
        share.legend(loc="upper left")
        return _svg(figure)


def gain_and_price(comparison: Comparison) -> str:
    """Every policy and station against the baseline of its station: what it delivers more, and
    what that costs."""
    with drawing(11, 3.8) as figure:
        loss, wear = figure.subplots(1, 2, sharey=True, gridspec_kw={"wspace": 0.08})
        for place, (station, replays) in enumerate(
            zip(comparison.stations, comparison.replays, strict=True)
        ):
            base = replays[comparison.baseline]
            for replayed in replays:
                gain = 100 * (metrics.unmet_share(base) - metrics.unmet_share(replayed))
                colour, marker, _ = POLICY_STYLES[replayed.policy]
                for axes, price in (
                    (loss, 100 * (metrics.top_gun_loss(replayed) - metrics.top_gun_loss(base))),
                    (wear, _more_operations(replayed, base)),
                ):
                    axes.plot(
                        [price],
                        [gain],
                        marker=marker,
                        markersize=9,
                        color=colour,
                        markerfacecoloralt="white",
                        fillstyle=STATION_FILLS[place % len(STATION_FILLS)],
                        linestyle="none",
                        label=f"{replayed.policy}, {station.name}"
                        if len(comparison.stations) > 1
                        else replayed.policy,
                    )
        for axes in (loss, wear):
            axes.axhline(0, color=FAINT, linewidth=0.8)
            axes.axvline(0, color=FAINT, linewidth=0.8)
            axes.margins(0.12)
        loss.set_ylabel("gain: less energy unmet,\npercentage points")
        loss.set_xlabel("price: more loss of the gun served first, percentage points")
        wear.set_xlabel("price: more contactor operations, % (below 0: fewer)")
        wear.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
        return _svg(figure)


def heat_maps(station: Station, replays: Sequence[Replay]) -> str:
    """Operations of every contactor, gun by module, one map for each policy."""
    guns, modules = len(station.guns), len(station.modules)
    columns = min(len(replays), 2)
    rows = -(-len(replays) // columns)
    numbers = guns * modules <= 120
    with drawing(11, rows * (0.8 + 0.27 * guns)) as figure:
        grid = figure.subplots(
            rows, columns, squeeze=False, gridspec_kw={"wspace": 0.12, "hspace": 0.55}
        )
        most = max(metrics.worst_operations(replayed) for replayed in replays) or 1
        for axes in grid.flat[len(replays) :]:
            axes.set_visible(False)
        for axes, replayed in zip(grid.flat, replays, strict=False):
            table = [
                [replayed.operations.get((gun, m), float("nan")) for m in range(1, modules + 1)]
                for gun in range(1, guns + 1)
            ]
            axes.set_facecolor("white")
            image = axes.pcolormesh(
                range(modules), range(guns), table, cmap="Blues", vmin=0, vmax=most, linewidth=0
            )
            axes.invert_yaxis()
            axes.grid(visible=False)
            axes.set_title(f"{replayed.policy}: {metrics.operations(replayed):,} operations")
            axes.set_xticks(range(modules), [str(m + 1) for m in range(modules)])
            axes.set_yticks(range(guns), [str(gun + 1) for gun in range(guns)])
            axes.set_xlabel("module")
            axes.set_ylabel("gun")
            for gun, row in enumerate(table):
                for module, times in enumerate(row):
                    if numbers:
                        exists = times == times
                        axes.text(
                            module,
                            gun,
                            f"{times:.0f}" if exists else "·",
                            ha="center",
                            va="center",
                            fontsize=7.5,
                            color="white" if exists and times > 0.6 * most else INK,
                        )
        if not numbers:
            figure.colorbar(image, ax=grid, label="makes and breaks")
        return _svg(figure)


def _more_operations(replayed: Replay, base: Replay) -> float:
    return 100 * (metrics.operations(replayed) / max(metrics.operations(base), 1) - 1)


def _bin_ms(timeline: Timeline) -> int:
    return (timeline.end_ms - timeline.start_ms) // BINS


def _hours(timeline: Timeline, at_ms: int) -> float:
    return (at_ms - timeline.start_ms) / 3_600_000


def _time_axis(axes: "Axes", timeline: Timeline) -> None:
    """Hours of the day; in a window shorter than two hours minutes from its start."""
    last = _hours(timeline, timeline.end_ms)
    if last > 2:
        start = timeline.start_ms // 3_600_000
        ticks = range(0, int(last) + 1)
        axes.set_xticks(ticks, [f"{(start + hour) % 24:02}:00" for hour in ticks])
        date = datetime.fromtimestamp(timeline.start_ms / 1000, UTC)
        has_date = timeline.start_ms >= 365 * DAY_MS
        axes.set_xlabel(f"{date:%A, %d %B %Y}" if has_date else "time of day")
    else:
        step = next(step for step in (1, 2, 5, 10) if last * 60 / step <= 13)
        minutes = range(0, int(last * 60) + 1, step)
        axes.set_xticks([minute / 60 for minute in minutes], [str(minute) for minute in minutes])
        axes.set_xlabel("minutes")


@contextmanager
def drawing(width: float, height: float) -> Iterator["Figure"]:
    """A figure of that size in inches, under our own settings, closed afterwards."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with matplotlib.rc_context(RC):
        figure = pyplot.figure(figsize=(width, height))
        try:
            yield figure
        finally:
            pyplot.close(figure)


def _svg(figure: "Figure") -> str:
    """The figure without what is for a file of its own, its numbers to hundredths of a point."""
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    return re.sub(r"(\d+\.\d\d)\d+", r"\1", text)
