"""The same answers in every process, whatever its hash seed."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FRESH = Path(__file__).with_name("fresh.py")


def printed(hash_seed: int) -> str:
    return subprocess.run(
        [sys.executable, FRESH],
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def all_the_same(processes: int) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = set(pool.map(printed, range(processes)))
    [answer] = answers
    assert {line.split()[1] for line in answer.splitlines()} == {"flow", "constraint"}


def test_three_fresh_processes() -> None:
    all_the_same(3)


@pytest.mark.sweep
def test_twenty_fresh_processes() -> None:
    all_the_same(20)


NEEDED = """
import sys, threading
from dataclasses import replace
from verified_alloc import Station, allocate
from verified_alloc.decide.allocate import prepare
from verified_alloc.station.model import PowerModule

station = Station.reference()
if {unequal}:
    station = replace(station, modules=(*station.modules[:8], PowerModule(9, 20_000)))
prepare(station)
for thread in threading.enumerate()[1:]:
    thread.join()
if not {unequal}:
    assert allocate(station, {{1: 90, 2: 240}}, "fair").optimal
print("ortools.sat.python.cp_model" in sys.modules, "numpy" in sys.modules)
"""


@pytest.mark.parametrize("unequal", [False, True])
def test_or_tools_are_loaded_only_for_a_station_that_needs_them(unequal: bool) -> None:
    code = NEEDED.format(unequal=unequal)
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.split() == [str(unequal)] * 2
