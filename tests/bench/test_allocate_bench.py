"""What a decision costs, as ratios to the plain listing in the same run.

The demands are the same for all: whole kW, six guns, drawn evenly from 0 to 240 kW.
"""

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from listing import listing
from ratios import ratio

from verified_alloc import Faults, Station, allocate
from verified_alloc.decide import demand
from verified_alloc.decide.policies import documented
from verified_alloc.station.faults import usable_after

STATION = Station.reference()
SERVICE = usable_after(STATION, Faults())
DRAW = random.Random(2)
DEMANDS: list[dict[int, float]] = [
    {gun: DRAW.randint(0, 240) for gun in range(1, 7)} for _ in range(100)
]
ASKED = [demand.from_kilowatts(STATION, demands) for demands in DEMANDS]
CURRENT = allocate(STATION, DEMANDS[0]).modules


def run_listing() -> None:
    for demands in DEMANDS:
        listing(demands)


def run_rule() -> None:
    for asked in ASKED:
        documented.choose(STATION, SERVICE, asked, {})


def run_allocate() -> None:
    for demands in DEMANDS:
        allocate(STATION, demands)


def run_allocate_from_current() -> None:
    for demands in DEMANDS:
        allocate(STATION, demands, current=CURRENT)


RUNS = [run_listing, run_rule, run_allocate, run_allocate_from_current]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.__name__.removeprefix("run_"))
def test_a_hundred_decisions(run: Callable[[], None], benchmark: Any) -> None:
    benchmark(run)


@pytest.mark.parametrize(
    ("run", "most"), [(run_rule, 5), (run_allocate, 20), (run_allocate_from_current, 20)]
)
def test_ratio_to_the_listing(run: Callable[[], None], most: float) -> None:
    measured = ratio(run, run_listing, rounds=60)
    name = run.__name__.removeprefix("run_").replace("_", " ")
    print(f"{name}: {measured:.1f} x the listing, at most {most}")
    assert measured <= most


def test_a_cold_command_against_importing_pydantic() -> None:
    def python(*argv: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *argv], check=True, capture_output=True)

    command = python("-m", "verified_alloc", "allocate", "--demand", "1=160", "--json")
    measured = ratio(command, python("-c", "from pydantic import BaseModel"), rounds=15)
    print(
        f"the command allocate, cold: {measured:.2f} x importing pydantic's BaseModel, at most 2.5"
    )
    assert measured <= 2.5
