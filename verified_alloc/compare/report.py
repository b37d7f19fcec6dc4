"""A comparison as one HTML page that needs nothing else."""

import inspect
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from verified_alloc.compare import metrics, plots
from verified_alloc.compare.comparison import HOUR_MS, WINDOW_HOURS, Comparison, answer
from verified_alloc.compare.demand_source import DAY_MS
from verified_alloc.compare.replay import Replay
from verified_alloc.compare.tables import shown_values
from verified_alloc.station.model import Station

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 2rem 4rem; max-width: 76rem; background: #fff; color: #222;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans",
  sans-serif; }
h1 { font-size: 1.1rem; font-weight: 600; color: #666; margin: 0 0 .6rem; }
h2 { font-size: 1.45rem; margin: 3rem 0 .4rem; border-top: 2px solid #222; padding-top: .6rem; }
h3 { font-size: 1.05rem; margin: 2rem 0 .3rem; }
p { margin: .4rem 0; max-width: 60rem; }
.answer { font-size: 1.5rem; line-height: 1.35; font-weight: 500; margin: 0 0 1rem; }
.note { color: #555; font-size: .92rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .8rem 0; }
th, td { padding: .28rem .9rem; text-align: right; border-bottom: 1px solid #e4e4e4; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { border-bottom: 2px solid #222; vertical-align: bottom; }
tr.load td { font-weight: 600; background: #f6f6f6; }
td.best { font-weight: 700; background: #eaf4ee; }
td .unit { color: #777; }
.key { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: 2px; }
.legend { margin: .4rem 0 .2rem; font-size: .92rem; }
.legend span.item { margin-right: 1.1rem; white-space: nowrap; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1.2rem 1.6rem; }
figure { margin: .6rem 0; }
figcaption { font-weight: 600; margin-bottom: .1rem; }
svg { width: 100%; height: auto; display: block; }
svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif
  !important; }
dl { display: grid; grid-template-columns: 17rem 1fr; gap: .35rem 1.5rem; font-size: .92rem; }
dt { font-weight: 600; }
dd { margin: 0; }
@media (max-width: 60rem) { .pair { grid-template-columns: 1fr; } dl { display: block; } }
@media print {
  @page { size: A4; margin: 13mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .answer { font-size: 13pt; }
  h2 { margin-top: 1.2rem; }
  th, td { padding: .12rem .5rem; }
  figure, table, .legend { break-inside: avoid; }
  h2, h3, figcaption { break-after: avoid; }
  .pair { gap: .6rem .8rem; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def page(comparison: Comparison) -> str:
    """The whole page."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Policies compared: {escape(Path(comparison.input.name).name)}</title>",
            f"<style>{STYLE}</style>\n<body>",
            *_parts(comparison),
            "</body>\n</html>\n",
        ]
    )


def _parts(comparison: Comparison) -> Iterator[str]:
    first = comparison.replays[0][0]
    yield f"<h1>Policies compared on {escape(Path(comparison.input.name).name)}</h1>"
    yield f'<p class="answer">{escape(answer(comparison))}</p>'
    yield f'<p class="note">{escape(" ".join(_facts(comparison, first)))}</p>'
    yield "<h2>Gain and price</h2>"
    base = comparison.policies[comparison.baseline]
    yield (
        f"<p>Up is better, left is cheaper; {escape(base)} is where the lines cross."
        f"{_stations_note(comparison)}</p>"
    )
    yield f"<figure>{plots.gain_and_price(comparison)}</figure>"
    for station, replays in zip(comparison.stations, comparison.replays, strict=True):
        yield from _station(station, replays)
    yield "<h2>What the figures mean</h2>\n<dl>"
    for figure in metrics.FIGURES:
        meaning = " ".join((inspect.getdoc(figure.value) or "").split())
        yield f"<dt>{escape(figure.title)}</dt><dd>{escape(meaning)}</dd>"
    yield "</dl>"
    yield "<h3>How it was replayed</h3>"
    yield f'<p class="note">{escape(HOW)}</p>'


HOW = (
    "Event by event, in whole watt-milliseconds, with the controller's own decisions, offers,"
    " switching and dwell, on parts that take the longest time that the station's file allows and"
    " never fail. Cars are in closed loop: they go down their charging curve as they fill, stay"
    " longer if they get less, leave when they have what they came for or when their patience is at"
    " an end, and wait in line when no gun is free. Demand traces ask what they ask, whatever is"
    " delivered."
)


def _facts(comparison: Comparison, first: Replay) -> Iterator[str]:
    days = first.duration_ms / DAY_MS
    span = f"{days:,.0f} days" if days > 1 else f"{first.duration_ms / 3_600_000:g} h"
    what = "sessions" if first.closed_loop else "stretches of demand"
    yield f"{first.sessions:,} {what} in {span}."
    loads = [f"{metrics.load_factor(row[comparison.baseline]):.2f}" for row in comparison.replays]
    yield f"Load factor {' and '.join(dict.fromkeys(loads))}: {LOAD}"
    if comparison.input.limits is not None:
        yield f"Under the limits of {Path(comparison.input.limits).name}."
    if comparison.input.skipped.count:
        yield f"{comparison.input.skipped.count} bad rows were left out."


LOAD = "what was asked for while somebody asked, over what all modules together can give."


def _stations_note(comparison: Comparison) -> str:
    if len(comparison.stations) == 1:
        return ""
    return " Each station is held against its own; the filling of a marker tells the station."


def _station(station: Station, replays: tuple[Replay, ...]) -> Iterator[str]:
    yield f"<h2>Station {escape(station.name)}</h2>"
    yield f'<p class="note">{escape(_describe(station))}</p>'
    yield _table(replays)
    if any(replayed.timeline for replayed in replays):
        whole = replays[0].duration_ms <= WINDOW_HOURS * HOUR_MS
        when = "" if whole else f" in the busiest {WINDOW_HOURS} hours"
        yield f"<h3>Power and modules{when}</h3>"
        limits = [limit for one in replays if one.timeline for limit in one.timeline.limits]
        keys = [(f"gun {gun.id}", plots.gun_colour(gun.id)) for gun in station.guns]
        if any(limit_w is not None for _, limit_w in limits):
            keys.append(("limit", plots.LIMIT))
        yield f'<p class="legend">{"".join(_keys(keys))}</p>'
        yield '<div class="pair">'
        for replayed in replays:
            yield f"<figure><figcaption>{escape(replayed.policy)}</figcaption>"
            yield f"{plots.day(station, replayed)}</figure>"
        yield "</div>"
    yield "<h3>What sessions got</h3>"
    yield f"<figure>{plots.distributions(replays)}</figure>"
    yield "<h3>Operations of each contactor</h3>"
    yield '<p class="note">Makes and breaks; a dot: there is no such contactor.</p>'
    yield f"<figure>{plots.heat_maps(station, replays)}</figure>"


def _describe(station: Station) -> str:
    limit = (
        "" if station.site_limit_w is None else f", site limit {station.site_limit_w / 1e3:g} kW"
    )
    powers = sorted({module.power_w for module in station.modules})
    sizes = " and ".join(f"{power_w / 1000:g}" for power_w in powers)
    return (
        f"{len(station.guns)} guns, {len(station.modules)} modules of {sizes} kW,"
        f" {station.matrix.kind} matrix with {len(station.contactors)} contactors{limit}."
    )


def _keys(keys: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, colour in keys:
        yield (
            f'<span class="item"><span class="key" style="background:{colour}"></span>{name}</span>'
        )


def _table(replays: tuple[Replay, ...]) -> str:
    heads = "".join(f"<th>{escape(replayed.policy)}</th>" for replayed in replays)
    lines = [f"<table><thead><tr><th></th>{heads}</tr></thead><tbody>"]
    for figure in metrics.FIGURES:
        values = shown_values(figure, replays)
        if values is None:
            continue
        exact = [figure.of(replayed) for replayed in replays]
        numbers = [round(value, figure.digits) for value in exact if value is not None]
        best = max(numbers) if figure.better > 0 else min(numbers)
        unit = f' <span class="unit">{escape(figure.unit)}</span>' if figure.unit else ""
        kind = ' class="load"' if figure.value is metrics.load_factor else ""
        cells = "".join(
            f"<td{' class=best' if _is_best(figure, value, best, numbers) else ''}>"
            f"{escape(text)}</td>"
            for value, text in zip(exact, values, strict=True)
        )
        lines.append(f"<tr{kind}><td>{escape(figure.title)}{unit}</td>{cells}</tr>")
    lines.append("</tbody></table>")
    return "\n".join(lines)


def _is_best(
    figure: metrics.Figure, value: float | None, best: float, numbers: list[float]
) -> bool:
    differ = len(set(numbers)) > 1
    return bool(
        figure.better and differ and value is not None and round(value, figure.digits) == best
    )
