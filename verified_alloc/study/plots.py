"""The picture of a study: unmet energy against contactors and against module power."""

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from verified_alloc.compare.plots import FAINT, INK, POLICY_STYLES, RC
from verified_alloc.study.outcome import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

MATRIX_COLOURS = {"full": "#0072b2", "half": "#e69f00", "ring": "#009e73", "list": "#cc79a7"}
"""Safe for the colour-blind (Okabe and Ito)."""
WIDTH_IN, HEIGHT_IN = 11.0, 5.0


def as_png(found: Sequence[Outcome]) -> bytes:
    """The picture for a document."""
    return _drawn(found, "png", dpi=160)


def as_svg(found: Sequence[Outcome]) -> str:
    """The picture for a page."""
    text = _drawn(found, "svg", metadata={"Date": None}).decode()
    return text[text.index("<svg") :]


def _drawn(found: Sequence[Outcome], form: str, **options: Any) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure

    out = io.BytesIO()
    with matplotlib.rc_context(RC):
        figure = Figure((WIDTH_IN, HEIGHT_IN), layout="constrained")
        by_contactors, by_power = figure.subplots(1, 2, sharey=True)
        _panel(by_contactors, found, [one.contactors for one in found])
        _panel(by_power, found, [one.pool_kw for one in found])
        by_contactors.set_title("against contactors")
        by_contactors.set_xlabel("contactors")
        by_contactors.set_ylabel("energy unmet, % of what was wanted")
        top = max(one.unmet_percent for one in found)
        by_contactors.set_ylim(bottom=-0.06 * top)  # room for the names
        by_power.set_title("against module power")
        by_power.set_xlabel("power of all modules, kW")
        figure.legend(
            handles=list(_keys(found)), loc="outside lower center", ncols=8, columnspacing=1.6
        )
        figure.savefig(out, format=form, **options)
    return out.getvalue()


def _panel(axes: "Axes", found: Sequence[Outcome], prices: Sequence[float]) -> None:
    """Every station under every policy; filled where nothing beats it; the steps are the least
    unmet energy that the price buys."""
    kinds = list(dict.fromkeys(one.station.matrix.kind for one in found))
    beside = 0.01 * (max(prices) - min(prices))
    for one, price in zip(found, prices, strict=True):
        # Matrices stand side by side, or they would hide each other.
        price += beside * (kinds.index(one.station.matrix.kind) - (len(kinds) - 1) / 2)
        _, marker, _ = POLICY_STYLES[one.policy]
        colour = MATRIX_COLOURS[one.station.matrix.kind]
        values = [result["unmet_percent"] for result in one.results]
        if one.on_front and len(values) > 1:
            axes.vlines(price, min(values), max(values), color=colour, linewidth=0.8, alpha=0.5)
        axes.plot(
            price,
            one.unmet_percent,
            marker=marker,
            markersize=7 if one.on_front else 5,
            markerfacecolor=colour if one.on_front else "none",
            markeredgecolor=INK if one.on_front else colour,
            markeredgewidth=0.7,
            alpha=1 if one.on_front else 0.55,
            zorder=3 if one.on_front else 2,
        )
    steps: list[tuple[float, Outcome]] = []
    for price, one in sorted(zip(prices, found, strict=True), key=lambda p: (p[0], p[1].price)):
        if not steps or one.unmet_percent < steps[-1][1].unmet_percent:
            steps.append((price, one))
    axes.step(
        [*(price for price, _ in steps), max(prices)],
        [*(one.unmet_percent for _, one in steps), steps[-1][1].unmet_percent],
        where="post",
        color=FAINT,
        linewidth=1,
        zorder=1,
    )
    span = (max(prices) - min(prices)) or max(prices)
    axes.set_xlim(min(prices) - 0.2 * span, max(prices) + 0.16 * span)
    _name(axes, steps, span, max(one.unmet_percent for one in found))


def _name(axes: "Axes", steps: Sequence[tuple[float, Outcome]], span: float, top: float) -> None:
    """Names below the steps; above, where one would run into the one before."""
    last_price, last_percent, below = -span, 2 * top, False
    for price, one in steps:
        near = price - last_price < 0.25 * span and last_percent - one.unmet_percent < 0.05 * top
        below = not (near and below)
        last_price, last_percent = price, one.unmet_percent
        axes.annotate(
            one.name,
            (price, one.unmet_percent),
            xytext=(-6, -5) if below else (5, 6),
            textcoords="offset points",
            ha="right" if below else "left",
            va="top" if below else "bottom",
            fontsize=7,
            color=INK,
            zorder=1,
        )


def _keys(found: Sequence[Outcome]) -> Iterator["Line2D"]:
    """What colours, markers and filling mean."""
    from matplotlib.lines import Line2D

    for kind in dict.fromkeys(one.station.matrix.kind for one in found):
        yield Line2D([], [], color=MATRIX_COLOURS[kind], marker="s", linestyle="", label=kind)
    for policy in dict.fromkeys(one.policy for one in found):
        marker = POLICY_STYLES[policy][1]
        yield Line2D(
            [], [], color=INK, marker=marker, markerfacecolor="none", linestyle="", label=policy
        )
    yield Line2D(
        [], [], color=FAINT, marker="o", markeredgecolor=INK, linestyle="", label="nothing beats it"
    )
    yield Line2D([], [], color=FAINT, linewidth=1, label="the least unmet at this price")
