"""What is out of order for the whole station, said when it begins, as long as it lasts and when it
is over."""

import pytest
from sweep.stations import REFERENCE

from verified_alloc.control.alarms import ALARMS, AlarmNews, alarms
from verified_alloc.control.fault_kinds import bits_of
from verified_alloc.kernel import scan
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.latched import Latched
from verified_alloc.kernel.scan import Memory

BUILT = REFERENCE.built
NO_SUPPLY, NO_BUS = (alarm.sentence for alarm in ALARMS)
FRESH = scan.restarted(BUILT, Latched(**bits_of(frozenset(), REFERENCE)))
POSITIONS = len(FRESH.healing)


def memory(answering_ms: int, lost: int, none_follows_ms: int = NOT_SO) -> Memory:
    """Of so many expanders nothing is heard."""
    return FRESH._replace(
        answering_ms=answering_ms,
        none_follows_ms=none_follows_ms,
        healing=[each._replace(lost=at < lost) for at, each in enumerate(FRESH.healing)],
    )


def test_no_contactor_closes_for_longer_than_all_take_that_are_on_their_way() -> None:
    most_ms = 2 * BUILT.timing.contactor_operate_ms
    assert alarms(BUILT, memory(1, 0, most_ms)) == ()
    assert alarms(BUILT, memory(1, 0, most_ms + 1)) == (NO_SUPPLY,)


@pytest.mark.parametrize(
    ("answering_ms", "lost", "on"),
    [
        (NOT_SO, POSITIONS, True),
        (NOT_SO, POSITIONS - 1, False),
        (NOT_SO + 1, POSITIONS, False),
        (NOT_SO - 1, POSITIONS, True),
    ],
)
def test_the_bus_is_dead_while_none_answers_and_all_are_lost(
    answering_ms: int, lost: int, on: bool
) -> None:
    assert (NO_BUS in alarms(BUILT, memory(answering_ms, lost))) == on


def test_each_is_said_when_it_begins_and_when_it_is_over() -> None:
    watched = AlarmNews(BUILT)
    sound, dead = memory(1, 0), memory(NOT_SO, POSITIONS)
    said = [list(watched.news(each)) for each in (sound, dead, dead, sound, sound)]
    assert said == [[], [NO_BUS], [], ["expanders answer again"], []]
