"""What is kept outlives a death at any step, and a full disk."""

from pathlib import Path

import pytest
from attack import disk


def test_whatever_step_it_is_killed_at_the_file_is_the_old_or_the_new(tmp_path: Path) -> None:
    found = list(disk.killed(tmp_path))
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
