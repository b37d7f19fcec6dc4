"""What a study found: the figures of every station and policy over the seeds, and which are worth
building."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any

from verified_alloc.compare.metrics import FIGURES
from verified_alloc.station.model import Station
from verified_alloc.study.plan import Plan
from verified_alloc.study.store import Result

NEAR_POINTS = 1.0
"""So many percentage points of unmet energy are worth less than contactors; chosen."""

Price = tuple[float, int, float]
"""Unmet energy in percent, contactors, power of all modules in kW: all better low."""


@dataclass(frozen=True)
class Outcome:
    """One station under one policy, over all seeds."""

    station: Station
    policy: str
    results: tuple[Result, ...]
    """By seed, the figures of `compare.metrics`."""
    on_front: bool = False
    """Nothing in the study is better in one of the three of `price` and as good in the others."""

    @cached_property
    def figures(self) -> dict[str, float | None]:
        """The mean of each over the seeds; unmet energy in percent is of all seeds together."""
        means: dict[str, float | None] = {}
        for figure in FIGURES:
            values = [result.get(figure.key) for result in self.results]
            known = [value for value in values if value is not None]
            means[figure.key] = fmean(known) if known else None
        return means | {"unmet_percent": self.unmet_percent}

    @cached_property
    def unmet_percent(self) -> float:
        """Of the energy wanted with all seeds."""
        wanted_kwh = sum(result["wanted_kwh"] for result in self.results)
        unmet_kwh = sum(result["unmet_kwh"] for result in self.results)
        return float(100 * unmet_kwh / wanted_kwh) if wanted_kwh else 0.0

    @property
    def contactors(self) -> int:
        """Gun times module, where the matrix has one."""
        return len(self.station.contactors)

    @property
    def pool_kw(self) -> float:
        """The power of all modules together."""
        return sum(self.station.module_power_w) / 1000

    @property
    def price(self) -> Price:
        """What the front is about."""
        return (self.unmet_percent, self.contactors, self.pool_kw)

    @property
    def name(self) -> str:
        """The station in short."""
        return self.station.name


def outcomes(plan: Plan, results: Mapping[str, Result]) -> list[Outcome]:
    """By station, then policy."""
    by_outcome: dict[tuple[Station, str], list[Result]] = {}
    for key, case in plan.cases.items():
        by_outcome.setdefault((case.station, case.policy), []).append(results[key])
    found = [Outcome(station, policy, tuple(row)) for (station, policy), row in by_outcome.items()]
    # Of policies that come to the same on a station, the first named is the one to take.
    first = {(one.station, one.price): one for one in reversed(found)}
    prices = {price for _, price in first}
    front = {price for price in prices if not any(_beats(other, price) for other in prices)}
    return [
        replace(one, on_front=one.price in front and first[one.station, one.price] is one)
        for one in found
    ]


def _beats(one: Price, other: Price) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def answer(found: Sequence[Outcome]) -> str:
    """Two sentences: what leaves the least unmet, and what comes near it with the fewest
    contactors."""
    front = [one for one in found if one.on_front]
    best = min(front, key=lambda one: one.price)
    least = (
        f"Least energy is left unmet, {best.unmet_percent:.1f} %, by {best.name} under"
        f" {best.policy} with {best.contactors} contactors."
    )
    near = [one for one in front if one.unmet_percent <= best.unmet_percent + NEAR_POINTS]
    lean = min(near, key=lambda one: (one.contactors, one.pool_kw, one.unmet_percent))
    if lean is best:
        return f"{least} Nothing with fewer contactors comes within {NEAR_POINTS:g} point of it."
    less = f" and {lean.pool_kw:g} kW of modules instead of {best.pool_kw:g} kW"
    return (
        f"{least} {lean.name} under {lean.policy} leaves {lean.unmet_percent:.1f} % with"
        f" {lean.contactors} contactors{less if lean.pool_kw != best.pool_kw else ''}."
    )


def rows(found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row for each station and policy, as CSV and JSON have it."""
    return [
        {
            "station": one.name,
            "guns": len(one.station.guns),
            "modules": len(one.station.modules),
            "module_kw": one.station.module_power_w[0] / 1000,
            "matrix": one.station.matrix.kind,
            "contactors": one.contactors,
            "pool_kw": one.pool_kw,
            "policy": one.policy,
            "seeds": len(one.results),
            "on_front": one.on_front,
            **one.figures,
        }
        for one in found
    ]


def as_csv(found: Sequence[Outcome]) -> str:
    """All rows, with a header."""
    table = rows(found)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()
