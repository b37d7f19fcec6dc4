"""Random target changes with nothing broken: no violation, no exposure, every target reached."""

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest
from sweep.changes import Played, play
from sweep.progress import Progress
from sweep.stations import (
    REFERENCE,
    some_station,
    strictly,
    strictly_documented,
    without_status_inputs,
)

from verified_alloc.station.model import Station

STATIONS = (
    strictly_documented(),
    strictly_documented(without_status_inputs()),
    REFERENCE,
    strictly("priority"),
)
CHANGES_AT_ONCE = 50


def play_on(number: int, changes: int) -> Played:
    """The reference station by turns as documented to the letter, without status inputs, by a
    solver's policy with a deadband and without; every fifth time any station."""
    kind = number % 5
    station: Station = some_station(number) if kind == 4 else STATIONS[kind]
    return play(station, number, changes)


def nothing_wrong(played: Iterable[Played]) -> list[Played]:
    all_played = list(played)
    assert not [wrong for one in all_played for wrong in one.wrong]
    return all_played


def test_changes_on_the_reference_station() -> None:
    played = nothing_wrong([play_on(1000, 50), play_on(1001, 30)])
    assert sum(one.makes for one in played) > 100


@pytest.mark.parametrize("policy", ["priority", "max-power", "fair"])
def test_a_policy_of_the_solver_settles_after_one_dwell(policy: str) -> None:
    [played] = nothing_wrong([play(strictly(policy), 2000, 30)])
    assert played.makes > 30
    assert played.slowest_s < REFERENCE.timing.minimum_dwell_s + 4


@pytest.mark.parametrize("number", range(3, 100, 4))
def test_changes_on_any_station(number: int) -> None:
    """17 once switched a contactor at every scan for ever: a module dwelled before it served."""
    nothing_wrong([play(some_station(number), number, 8)])


def test_the_station_whose_coil_once_chattered() -> None:
    nothing_wrong([play(some_station(17), 17, 10)])


@pytest.mark.sweep
@pytest.mark.xdist_group("campaigns")
def test_ten_thousand_changes(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = range(200)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        playing = pool.map(partial(play_on, changes=CHANGES_AT_ONCE), numbers)
        progress = Progress(capsys, "changes", len(numbers) * CHANGES_AT_ONCE)
        played = nothing_wrong(progress.through(playing, lambda one: one.changes))
    progress.end(
        f"{sum(one.changes for one in played)} changes, {sum(one.interrupted for one in played)} "
        f"of them overtaken; {sum(one.makes for one in played)} makes; slowest change "
        f"{max(one.slowest_s for one in played):.1f} s; no violation, no exposure"
    )
