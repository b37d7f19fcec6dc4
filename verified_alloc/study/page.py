"""A study as one HTML page that needs nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from verified_alloc.compare.report import STYLE
from verified_alloc.study import picture
from verified_alloc.study.outcome import Outcome, answer
from verified_alloc.study.plan import Plan

COLUMNS = (
    ("unmet_percent", "unmet, %", 2),
    ("met_percent", "sessions that got all, %", 1),
    ("minutes_waiting", "waiting, min", 1),
    ("nothing_percent", "asking and left with nothing, %", 1),
    ("load_factor", "load factor", 2),
    ("operations", "operations", 0),
    ("worst_life_years", "busiest contactor's life, years", 1),
)


def page(plan: Plan, found: Sequence[Outcome]) -> str:
    """The whole page."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Stations compared: {escape(plan.source.name)}</title>",
            f"<style>{STYLE}</style>\n<body>",
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
    yield f"<figure>{picture.as_svg(found)}</figure>"
    yield (
        '<p class="note">Left and low is better. Filled: nothing in the study is better in one of'
        " unmet energy, contactors and module power and as good in the others; a thin line spans"
        " its best and worst seed. Grey steps: the least unmet energy at most this price buys.</p>"
    )
    yield "<h2>What nothing beats</h2>"
    yield _table(sorted(front, key=lambda one: one.price))
    yield f"<details><summary>All {len(found)} stations and policies</summary>"
    yield _table(sorted(found, key=lambda one: one.price))
    yield "</details>"


def describe(plan: Plan) -> str:
    """What was replayed, in a sentence."""
    return (
        f"{len(plan.cases)} replays: {_count(plan.stations, 'station')},"
        f" {_count(plan.policies, 'policy', 'policies')} ({', '.join(plan.policies)}),"
        f" {_count(plan.seeds, 'seed')}, {len(plan.stations[0].guns)} guns."
    )


def _count(things: Sequence[object], one: str, many: str = "") -> str:
    return f"{len(things)} {one if len(things) == 1 else many or one + 's'}"


def _table(found: Iterable[Outcome]) -> str:
    heads = ("station", "policy", "contactors", "modules, kW", *(title for _, title, _ in COLUMNS))
    lines = ["<table><thead><tr>", *(f"<th>{escape(head)}</th>" for head in heads), "</tr></thead>"]
    for one in found:
        cells = [one.name, one.policy, f"{one.contactors}", f"{one.pool_kw:g}", *figures(one)]
        lines += ["<tr>", *(f"<td>{escape(cell)}</td>" for cell in cells), "</tr>"]
    return "".join([*lines, "</table>"])


def figures(one: Outcome) -> list[str]:
    """The columns of the table, for people."""
    told = [(one.figures[key], digits) for key, _, digits in COLUMNS]
    return ["-" if value is None else f"{value:,.{digits}f}" for value, digits in told]
