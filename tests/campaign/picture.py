"""The picture of a campaign: what became of the faults, and how long it lasted."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from campaign.faults import BUS_KINDS, LINE_KINDS, STALL
from campaign.findings import BINS_A_DECADE, LASTS, ONCE, OUTCOMES, STRAY, TWO
from campaign.handover import station

from verified_alloc.compare.plots import FAINT, INK, RC

if TYPE_CHECKING:
    from campaign.report import Whole
    from matplotlib.axes import Axes

COLOURS = dict(zip(OUTCOMES, ("#d9dde3", "#56b4e9", "#0072b2", "#d55e00"), strict=True))
"""Safe for the colour-blind (Okabe and Ito)."""
OTHER = "exposure of any other cause"
SPREADS = {
    OTHER: "#56b4e9",
    STRAY + TWO: "#cc79a7",
    STRAY + LASTS: "#009e73",
    STRAY + ONCE: "#e69f00",
}
DOUBLE, LASTING = "two at once", "one that lasts"
SINGLE = (*BUS_KINDS, STALL, "reset", *(f"line_{kind}" for kind in LINE_KINDS))
ROWS = [*(name.replace("_", " ") for name in SINGLE), LASTING, DOUBLE, "kill and restart"]


def draw(path: Path, whole: "Whole") -> None:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        figure = Figure((11, 5), layout="constrained")
        outcomes, spread = figure.subplots(1, 2, width_ratios=(1.25, 1))
        _outcomes(outcomes, whole)
        _spread(spread, whole.total.spread)
        figure.savefig(path, dpi=160)


def _row(name: str) -> str:
    if " + " in name:
        return DOUBLE
    return LASTING if " for " in name else name.replace("_", " ")


def _outcomes(axes: "Axes", whole: "Whole") -> None:
    """Of each kind of fault, the share of each outcome; how many it was is written beside."""
    told: dict[str, Counter[str]] = {row: Counter() for row in ROWS}
    for key, count in whole.total.outcomes.items():
        name, outcome = key.split(" | ")
        told[_row(name)][outcome] += count
    rows = [row for row in ROWS if told[row]]
    left = [0.0] * len(rows)
    for outcome in OUTCOMES:
        shares = [100 * told[row][outcome] / told[row].total() for row in rows]
        axes.barh(rows, shares, left=left, height=0.7, color=COLOURS[outcome], label=outcome)
        left = [before + share for before, share in zip(left, shares, strict=True)]
    for row in rows:
        axes.text(101, row, f"{told[row].total():,}", va="center", fontsize=8, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.grid(visible=False)
    axes.set_xlabel("of the faults of this kind, %")
    axes.set_title(f"what became of {whole.total.count:,} faults", pad=22)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1), ncols=4, columnspacing=1.4, handlelength=1.2
    )


def _spread(axes: "Axes", spread: Mapping[str, int]) -> None:
    """How many lasted how long, in tenths of a decade."""
    from matplotlib.patches import Patch

    told = {label: Counter[int]() for label in SPREADS}
    at_once = 0
    for key, count in spread.items():
        what, _, place = key.rpartition(" | ")
        if int(place) < 0:
            at_once += count
        else:
            told[what if what in told else OTHER][int(place)] += count
    for label, colour in SPREADS.items():
        counted = told[label]
        edges = [10 ** (place / BINS_A_DECADE) for place in counted]
        widths = [edge * (10 ** (1 / BINS_A_DECADE) - 1) for edge in edges]
        axes.bar(
            edges, list(counted.values()), widths, align="edge", color=colour, alpha=0.8,
            label=label, edgecolor="white", linewidth=0.4,
        )  # fmt: skip
    timing = station("full").timing
    for at_ms, name in (
        (timing.contactor_min_response_ms, "contactor_min_response_ms"),
        (timing.fault_reaction_ms, "fault_reaction_ms"),
    ):
        axes.axvline(1000 * at_ms, color=INK, linewidth=1, linestyle="--")
        axes.annotate(
            name, (1000 * at_ms, 1), xycoords=("data", "axes fraction"), xytext=(-3, -4),
            textcoords="offset points", rotation=90, ha="right", va="top", fontsize=7.5, color=INK,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("lasted, us")
    axes.set_ylim(top=30 * axes.get_ylim()[1])  # room for the names of the limits
    axes.set_ylabel("how many", color=FAINT)
    axes.set_title("how long it lasted", pad=22)
    told_apart = [Patch(color=colour, label=label) for label, colour in SPREADS.items()]
    axes.legend(
        handles=told_apart[::-1],
        loc="upper center",
        bbox_to_anchor=(0.44, -0.11),
        ncols=2,
        fontsize=8,
        handlelength=1.2,
        columnspacing=1.2,
    )
    if at_once:
        axes.set_xlabel(f"lasted, us ({at_once:,} more were over at once)")
