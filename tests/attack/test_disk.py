"""What is kept outlives a death at any step, and a full disk."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attack import disk

from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.limits_file import LimitsFile


@pytest.mark.parametrize(
    ("kind", "life"),
    [(FaultFile, disk.FAULTS), (partial(LimitsFile, unix_s=time.time), disk.LIMITS)],
    ids=["faults", "limits"],
)
def test_whatever_step_it_is_killed_at_the_file_is_the_old_or_the_new(
    tmp_path: Path, kind: Callable[[Path], FaultFile | LimitsFile], life: list[Any]
) -> None:
    found = list(disk.killed(kind(tmp_path / "file.json"), life))
    assert len(found) > 3 * 15
    for before, after, kept in found:
        assert kept in (before, after)


def test_a_stop_on_a_full_disk_is_obeyed_and_outlives_the_process(tmp_path: Path) -> None:
    try:
        before_kw, answer, after_kw = disk.stopped_on_a_full_disk(tmp_path)
    except PermissionError as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    assert before_kw > 0
    assert (answer, after_kw) == (200, 0)
