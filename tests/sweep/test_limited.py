"""What is offered and drawn never exceeds the limits in force, however they rise and fall."""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from sweep.limited import Judged, play
from sweep.progress import Progress

RUNS = 1000


@pytest.mark.parametrize("seed", range(15))
def test_some_runs_under_limits(seed: int, tmp_path: Path) -> None:
    assert play(seed, tmp_path).wrong == []


@pytest.mark.sweep
@pytest.mark.xdist_group("campaigns")
def test_a_thousand_runs_under_limits(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        playing = pool.map(partial(play, folder=tmp_path), range(RUNS))
        progress = Progress(capsys, "runs", RUNS)
        judged: list[Judged] = list(progress.through(playing, lambda _: 1))
    assert [one for run in judged for one in run.wrong] == []
    progress.end(f"{RUNS} runs, {sum(run.changes for run in judged)} changes; none above a limit")
