"""A study as one HTML page that needs nothing else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from verified_alloc.compare.report import STYLE
from verified_alloc.station.model import Station
from verified_alloc.study import plots
from verified_alloc.study.outcome import Outcome, answer
from verified_alloc.study.plan import Plan

COLUMNS = (
    ("unmet_percent", "unmet, %", 2),
    ("met_percent", "got all, % of sessions", 1),
    ("nothing_percent", "left with nothing, %", 1),
    ("minutes_waiting", "waiting, min", 1),
    ("load_factor", "load factor", 2),
    ("operations", "operations", 0),
    ("worst_life_years", "life, years", 1),
)
"""Figures of `compare.metrics`, what the table calls them, and their decimals."""
OURS = """
table { font-size: .9rem; }
td, th { padding: .25rem .5rem; }
td:nth-child(-n+2), th:nth-child(-n+2) { text-align: left; white-space: nowrap; }
summary { cursor: pointer; margin-top: 2rem; font-weight: 600; }
@media print { details { display: none; } }
"""


def page(plan: Plan, found: Sequence[Outcome]) -> str:
    """The whole page."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Stations compared: {escape(plan.source.name)}</title>",
            f"<style>{STYLE}{OURS}</style>\n<body>",
            *_parts(plan, found),
            "</body>\n</html>\n",
        ]
    )


def _parts(plan: Plan, found: Sequence[Outcome]) -> Iterator[str]:
    front = [one for one in found if one.on_front]
    yield f"<h1>{len(plan.stations)} stations for {escape(plan.source.name)}</h1>"
    yield f'<p class="answer">{escape(answer(found))}</p>'
    yield f'<p class="note">{escape(describe(plan))}</p>'
    yield "<h2>Energy unmet, and what it costs to have less</h2>"
    yield f"<figure>{plots.as_svg(found)}</figure>"
    yield (
        '<p class="note">Left and low is better. Filled: nothing in the study is better in one of'
        " unmet energy, contactors and module power and as good in the others; a thin line spans"
        " its best and worst seed. Grey steps: the least unmet energy at most this price buys.</p>"
    )
    yield "<h2>What nothing beats</h2>"
    yield (
        '<p class="note">Load factor: what was asked for while somebody asked, over what all'
        " modules together can give. Life: of the contactor that moves most, at this rate.</p>"
    )
    yield _table(sorted(front, key=lambda one: one.price), _worth(plan, found))
    yield f"<details><summary>All {len(found)} stations and policies</summary>"
    yield _table(sorted(found, key=lambda one: one.price), {})
    yield "</details>"


def _worth(plan: Plan, found: Sequence[Outcome]) -> dict[str, dict[Station, float]]:
    """By policy, the unmet energy on each station in percent: what a policy is worth there."""
    if len(plan.policies) == 1:
        return {}
    return {
        policy: {one.station: one.unmet_percent for one in found if one.policy == policy}
        for policy in plan.policies
    }


def describe(plan: Plan) -> str:
    """What was replayed, in a sentence."""
    return (
        f"{len(plan.cases)} replays: {_count(plan.stations, 'station')},"
        f" {_count(plan.policies, 'policy', 'policies')} ({', '.join(plan.policies)}),"
        f" {_count(plan.seeds, 'seed')}, {len(plan.stations[0].guns)} guns."
    )


def _count(things: Sequence[object], one: str, many: str = "") -> str:
    return f"{len(things)} {one if len(things) == 1 else many or one + 's'}"


def _table(found: Iterable[Outcome], worth: Mapping[str, Mapping[Station, float]]) -> str:
    heads = ["station", "policy", "contactors", "modules, kW"]
    heads += [title for _, title, _ in COLUMNS]
    heads += [f"unmet under {policy}, %" for policy in worth]
    lines = ["<table><thead><tr>", *(f"<th>{escape(head)}</th>" for head in heads), "</tr></thead>"]
    for one in found:
        cells = [one.name, one.policy, f"{one.contactors}", f"{one.pool_kw:g}", *figures(one)]
        cells += [f"{unmet[one.station]:.2f}" for unmet in worth.values()]
        lines += ["<tr>", *(f"<td>{escape(cell)}</td>" for cell in cells), "</tr>"]
    return "".join([*lines, "</table>"])


def figures(one: Outcome) -> list[str]:
    """The columns of the table, for people."""
    cells = [(one.figures[key], digits) for key, _, digits in COLUMNS]
    return ["-" if value is None else f"{value:,.{digits}f}" for value, digits in cells]
