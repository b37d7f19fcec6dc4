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
