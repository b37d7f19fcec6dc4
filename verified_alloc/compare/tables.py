"""A comparison as tables: for a terminal, Markdown, CSV, JSON."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from verified_alloc.compare import metrics
from verified_alloc.compare.comparison import Comparison, answer
from verified_alloc.compare.replay import Replay
from verified_alloc.workload.sessions import MJ_PER_KWH

Row = tuple[str, ...]


def figure_rows(replays: Sequence[Replay]) -> list[Row]:
    """A line for each figure that some replay tells: its title with unit, its values."""
    rows: list[Row] = []
    for figure in metrics.FIGURES:
        values = shown_values(figure, replays)
        if values is not None:
            title = f"{figure.title}, {figure.unit}" if figure.unit else figure.title
            rows.append((title, *values))
    return rows


def shown_values(figure: metrics.Figure, replays: Sequence[Replay]) -> list[str] | None:
    """A figure's values for a person; None if no replay tells it."""
    if all(figure.of(replayed) is None for replayed in replays):
        return None
    values = [figure.shown(replayed) for replayed in replays]
    if figure.value is metrics.worst_operations:
        pairs = ["{}:{}".format(*metrics.worst_contactor(replayed)) for replayed in replays]
        return [f"{value} ({pair})" for value, pair in zip(values, pairs, strict=True)]
    return values


def text(comparison: Comparison) -> str:
    """For a terminal: the answer, then a table for each station."""
    lines = [answer(comparison)]
    for station, replays in zip(comparison.stations, comparison.replays, strict=True):
        table = [(station.name, *comparison.policies), *figure_rows(replays)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines.append("")
        lines += [
            "  ".join(
                [row[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            )
            for row in table
        ]
    return "\n".join(lines)


def markdown(comparison: Comparison) -> str:
    """The same in Markdown."""
    lines = [answer(comparison)]
    for station, replays in zip(comparison.stations, comparison.replays, strict=True):
        lines += ["", f"| {station.name} | {' | '.join(comparison.policies)} |"]
        lines.append("|---|" + "---:|" * len(comparison.policies))
        lines += [f"| {' | '.join(row)} |" for row in figure_rows(replays)]
    return "\n".join(lines)


def as_csv(comparison: Comparison) -> str:
    """A row for each station and policy, a column for each figure."""
    out = io.StringIO()
    results = [figures(replayed) for row in comparison.replays for replayed in row]
    writer = csv.DictWriter(out, list(results[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(results)
    return out.getvalue()


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything, with the operations of every contactor and the energy of every gun."""
    return {
        "input": comparison.input.name,
        "limits": comparison.input.limits,
        "skipped_rows": comparison.input.skipped.count,
        "answer": answer(comparison),
        "results": [
            {
                **figures(replayed),
                "operations_by_contactor": {
                    f"{gun}:{module}": times for (gun, module), times in replayed.operations.items()
                },
                "delivered_kwh_by_gun": {
                    str(gun): energy_mj / MJ_PER_KWH
                    for gun, energy_mj in enumerate(replayed.gun_delivered_mj, start=1)
                },
            }
            for row in comparison.replays
            for replayed in row
        ],
    }


def figures(replayed: Replay) -> dict[str, Any]:
    """All figures by key."""
    return {
        "station": replayed.station,
        "policy": replayed.policy,
        "seed": replayed.seed,
        "days": replayed.duration_ms / (24 * 3600 * 1000),
        "sessions": replayed.sessions,
        **{figure.key: figure.of(replayed) for figure in metrics.FIGURES},
        "worst_contactor": "{}:{}".format(*metrics.worst_contactor(replayed)),
    }
