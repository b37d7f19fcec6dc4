"""Every kind of bus fault at every transaction of random changes: no violation, and either the
target is reached or the fault is reported and the rest of the station goes on."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor

import pytest
from sweep.bus_faults import KINDS, Outcome, outcomes
from sweep.progress import Progress

RUNS, CHANGES = 10, 5
PERSISTENT = ("nack", "nack_data", "timeout", "flip_read", "flip_write", "wrong_chip", "drop_write")


def judged(told: Iterable[Outcome]) -> list[Outcome]:
    """Nothing wrong in any of them."""
    suffered = list(told)
    assert not [wrong for one in suffered for wrong in one.wrong]
    return suffered


def survived_without_a_fault(suffered: Iterable[Outcome]) -> None:
    """What struck once and broke nothing has left nothing, and no contactor has moved by it. (A
    misread module is off for a moment; in the middle of a change it may have to come anew.)"""
    for one in suffered:
        if "brown_out" not in one.fault:
            assert one.reached, one.fault
            assert not one.reported, one.fault
            most = 2 if "flip_read" in one.fault else 0
            assert one.needless_operations <= most, (one.fault, one.exposures)


def test_a_sample_of_single_faults() -> None:
    suffered = judged(outcomes(seed=1, changes=4, share=0.05))
    survived_without_a_fault(suffered)
    struck = Counter(one.fault.split(": ")[1].split(",")[0] for one in suffered if one.struck)
    assert min(struck[kind] for kind in KINDS) > 10
    assert not all(one.reached for one in suffered if "brown_out" in one.fault)


def test_a_sample_of_faults_that_last_a_while() -> None:
    suffered = judged(outcomes(seed=2, changes=2, share=0.01, lasting=30, kinds=PERSISTENT))
    assert len(suffered) > 20


def test_a_sample_of_faults_that_last() -> None:
    suffered = judged(
        outcomes(seed=3, changes=3, share=0.008, lasting=None, kinds=("nack", "timeout"))
    )
    assert len(suffered) > 5
    assert all(one.reported for one in suffered)


def _of_one_run(seed: int) -> list[Outcome]:
    return list(outcomes(seed=seed, changes=CHANGES, share=1))


@pytest.mark.sweep
@pytest.mark.xdist_group("campaigns")
def test_every_fault_at_every_transaction(capsys: pytest.CaptureFixture[str]) -> None:
    _sweep(capsys, "branches", _of_one_run, transient=True)


def _lasting_in_one_run(seed: int) -> list[Outcome]:
    return [
        *outcomes(seed=seed, changes=CHANGES, share=0.02, lasting=30, kinds=PERSISTENT),
        *outcomes(seed=seed, changes=CHANGES, share=0.02, lasting=None, kinds=("nack", "timeout")),
    ]


@pytest.mark.sweep
@pytest.mark.xdist_group("campaigns")
def test_lasting_faults(capsys: pytest.CaptureFixture[str]) -> None:
    _sweep(capsys, "lasting faults", _lasting_in_one_run, transient=False)


def _sweep(
    capsys: pytest.CaptureFixture[str],
    name: str,
    suffer: Callable[[int], list[Outcome]],
    transient: bool,
) -> None:
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        progress = Progress(capsys, f"{name}, changes", RUNS * CHANGES)
        seeds = range(100, 100 + RUNS)
        branches = exposures = reported = 0
        worst_a = worst_ms = 0.0
        for of_run in progress.through(pool.map(suffer, seeds), lambda _: CHANGES):
            suffered = judged(of_run)
            if transient:
                survived_without_a_fault(suffered)
            branches += len(suffered)
            exposures += sum(len(one.exposures) for one in suffered)
            reported += sum(bool(one.reported) for one in suffered)
            worst_a = max([worst_a, *(one.worst_current_a for one in suffered)])
            worst_ms = max([worst_ms, *(one.worst_exposure_ms for one in suffered)])
    progress.end(
        f"{name}: {branches} in {progress.done} changes; no violation; {exposures} exposures, "
        f"the longest {worst_ms:.0f} ms, the largest current {worst_a:.0f} A; {reported} reported"
    )
