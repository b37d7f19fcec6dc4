"""The command `allocate`."""

import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from verified_alloc.commands.options import (
    AsJson,
    Current,
    Demands,
    FailedModules,
    FailedOpen,
    GunsOut,
    PolicyOption,
    StationOption,
    Welded,
    current_of,
    demands_of,
    faults_of,
    station_of,
)
from verified_alloc.station.model import Station

if TYPE_CHECKING:
    from verified_alloc.decide.allocate import Allocation


def allocate(
    demand: Demands = None,
    station: StationOption = None,
    policy: PolicyOption = "documented",
    current: Current = None,
    failed_module: FailedModules = None,
    gun_out: GunsOut = None,
    welded: Welded = None,
    failed_open: FailedOpen = None,
    as_json: AsJson = False,
) -> int:
    """Which modules feed which gun.

    \b
    verified-alloc allocate --demand 1=160 --demand 3=120 --demand 5=80
    verified-alloc allocate --demand 1=240 --failed-module 3 --welded 2:5 --json
    verified-alloc allocate --demand 1=80 --current '{"2": [1, 2]}' --station site.toml
    """
    from verified_alloc.decide.allocate import allocate

    place = station_of(station)
    demands = demands_of(demand)
    faults = faults_of(failed_module, gun_out, failed_open, welded)
    answer = allocate(place, demands, policy, current_of(current), faults)
    result = result_of(place, demands, answer)
    if as_json:
        print(json.dumps(result))
    else:
        _print_allocation(result, how(answer))
    return 0


def result_of(
    station: Station, demands: dict[int, Decimal], answer: "Allocation"
) -> dict[str, Any]:
    """The result of `allocate` as the contract has it, powers in kW."""
    from verified_alloc.decide.demand import watts

    guns = [
        {
            "gun": gun,
            "demand_kw": watts(demands.get(gun, 0), f"gun {gun}") / 1000,
            "modules": held,
            "connected_kw": sum(station.module_power_w[module - 1] for module in held) / 1000,
            "delivered_kw": answer.delivered_w[gun] / 1000,
            "unmet_kw": answer.unmet_w[gun] / 1000,
        }
        for gun, held in answer.modules.items()
    ]
    return {
        "policy": answer.policy,
        "guns": guns,
        "idle_modules": answer.idle_modules,
        "operations": answer.operations,
        "optimal": answer.optimal,
        "fallback_from": answer.fallback_from,
    }


def how(answer: "Allocation") -> str:
    """Which policy answered, by what, and whether that is shown to be the best."""
    means = {"rule": "", "flow": ", exact without a solver", "constraint": ", by CP-SAT"}
    shown = {True: ", shown optimal", False: ", not optimal", None: ""}[answer.optimal]
    instead = ""
    if answer.fallback_from is not None:
        instead = f" instead of {answer.fallback_from}: {answer.fallback_reason}"
    return f"Policy: {answer.policy}{means[answer.method]}{shown}{instead}."


def _print_allocation(result: dict[str, Any], policy: str) -> None:
    from verified_alloc.words import modules

    heads = ("gun", "asks kW", "modules", "connected kW", "delivered kW", "unmet kW")
    powers = ("connected_kw", "delivered_kw", "unmet_kw")
    rows = [
        (
            str(row["gun"]),
            _plain(row["demand_kw"]),
            modules(row["modules"]) if row["modules"] else "-",
            *(_plain(row[power]) for power in powers),
        )
        for row in result["guns"]
    ]
    if sys.stdout.isatty():
        _print_rich(heads, rows)
    else:
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        for line in (heads, *rows):
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print("  ".join(cells).rstrip())
    operations = result["operations"]
    print(f"Idle: {modules(result['idle_modules'])}. Contactor operations: {operations}. {policy}")


def _plain(kw: float) -> str:
    """A power without zeros that say nothing: 40, 40.5."""
    return f"{kw:.3f}".rstrip("0").rstrip(".")


def _print_rich(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*heads)
    for column in table.columns:
        column.justify = "left" if column.header == "modules" else "right"
    for row in rows:
        table.add_row(*row, style=None if row[2] != "-" else "dim")
    Console().print(table)
