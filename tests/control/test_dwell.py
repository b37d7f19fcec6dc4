"""Since when each module feeds its gun, and how long it stays."""

from verified_alloc.control.dwell import Dwell

MINIMUM_MS = 1000


def live(*pairs: tuple[int, int]) -> list[list[bool]]:
    return [[(gun, module) in pairs for module in (1, 2, 3)] for gun in (1, 2)]


def test_a_module_stays_for_its_time_and_no_longer() -> None:
    dwell = Dwell(3, MINIMUM_MS)
    assert dwell.reserved(0) == {}
    dwell.note(live((2, 1), (1, 3)), 500)
    assert dwell.reserved(500) == dwell.reserved(1499) == {1: 2, 3: 1}
    assert dwell.reserved(1500) == {}


def test_it_begins_when_the_module_is_live_and_not_again_while_it_is() -> None:
    dwell = Dwell(3, MINIMUM_MS)
    dwell.note(live((1, 2)), 100)
    dwell.note(live((1, 2)), 900)
    assert dwell.ages_ms(1000) == [900]
    assert dwell.reserved(1100) == {}


def test_another_gun_or_none_begins_anew() -> None:
    dwell = Dwell(3, MINIMUM_MS)
    dwell.note(live((1, 1), (1, 2)), 0)
    dwell.note(live((2, 1)), 800)
    assert dwell.reserved(900) == {1: 2}
    assert dwell.ages_ms(900) == [100]
    dwell.note(live((2, 1), (1, 2)), 950)
    assert dwell.reserved(1900) == {2: 1}
    assert dwell.ages_ms(1900) == [1100, 950]
