"""The process stops between any two of its writes, and a new one takes over: no violation, target
reached."""

import os
from concurrent.futures import ProcessPoolExecutor

import pytest
from sweep.progress import Progress
from sweep.restarts import Outcome, outcomes

RUNS, CHANGES = 10, 5


def test_a_sample_of_restarts() -> None:
    stopped = list(outcomes(seed=1, changes=4, share=0.15))
    assert not [wrong for one in stopped for wrong in one.wrong]
    assert len(stopped) > 40


def _of_one_run(seed: int) -> list[Outcome]:
    return list(outcomes(seed=seed, changes=CHANGES, share=1))


@pytest.mark.sweep
@pytest.mark.xdist_group("campaigns")
def test_a_restart_from_every_intermediate_state(capsys: pytest.CaptureFixture[str]) -> None:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        progress = Progress(capsys, "restarts, changes", RUNS * CHANGES)
        stops, slowest_s = 0, 0.0
        runs = pool.map(_of_one_run, range(100, 100 + RUNS))
        for of_run in progress.through(runs, lambda _: CHANGES):
            assert not [wrong for one in of_run for wrong in one.wrong]
            stops += len(of_run)
            slowest_s = max([slowest_s, *(one.took_s for one in of_run)])
    progress.end(
        f"{stops} restarts in {progress.done} changes; no violation, every target "
        f"reached, the slowest {slowest_s:.2f} s after the restart"
    )
