"""The words on the bus are those of `kernel.wiring`: with these broken, the real controller does
not hand modules over as the cabinet, which has its own transcription of the wiring, shows it."""

from collections.abc import Sequence
from typing import Any

import pytest
from sweep.stations import strictly_documented
from sweep.working_station import WorkingStation

from verified_alloc.kernel import wiring

FIRST = {1: (1, 2, 3, 4), 3: (5, 6, 7), 5: (8, 9)}
THEN = {gun + 1: modules for gun, modules in FIRST.items()}
RIGHT = {"words": wiring.words, "coils": wiring.coils, "place": wiring.place}


class Called(Exception):
    """What must be called is called."""


def handed_over() -> bool:
    """All modules go to the guns beside theirs, and nobody has anything to say of it."""
    with WorkingStation(strictly_documented()) as at_work:
        for modules in (FIRST, THEN):
            kw = {gun: 40 * len(modules.get(gun, ())) for gun in at_work.asked_kw}
            at_work.ask(kw)
            if not at_work.go_on(10, until=lambda wanted=modules: at_work.feeds(wanted)):
                return False
        return not at_work.bad() + at_work.exposures() + at_work.reported


def swapped(word: wiring.Word) -> wiring.Word:
    """Its first two pins hang on each other's wires."""
    return (word[1], word[0], *word[2:])


BROKEN = {
    "words": lambda coils: tuple(map(swapped, RIGHT["words"](coils))),
    "coils": lambda image, count: RIGHT["coils"]([*map(swapped, image)], count),
    "place": lambda number: RIGHT["place"](number ^ 1 if number < 2 else number),
}


def test_modules_are_handed_over() -> None:
    assert handed_over()


@pytest.mark.parametrize("name", BROKEN)
def test_two_pins_that_are_mixed_up_hand_nothing_over(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, name, BROKEN[name])
    assert not handed_over()


@pytest.mark.parametrize("name", BROKEN)
def test_a_station_runs_what_is_proved_of_the_wiring(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(*_: Sequence[Any]) -> Any:
        raise Called(name)

    monkeypatch.setattr(wiring, name, raises)
    with pytest.raises(Called):
        handed_over()
