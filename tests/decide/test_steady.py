"""What is held as long as nobody is short for it; the decider's own steps, by the rule."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from stations import tables

from verified_alloc.decide.allocate import Allocation, allocate, decide
from verified_alloc.decide.demand import Asked, DemandProcessor
from verified_alloc.decide.steady import Kept, Steady, granted, kept, spare
from verified_alloc.station.model import Station

REFERENCE = Station.reference()
RING = Path(__file__).parents[1] / "proofs" / "stations" / "ring.toml"
RELEASE_MS = REFERENCE.policy.release_delay_s * 1000


class Deciding:
    """Demands told at any time, decided by the rule; `asked` counts the decisions."""

    def __init__(self, station: Station = REFERENCE) -> None:
        self.station = station
        self.demands = DemandProcessor(station)
        self.steady = Steady(self.demands, station)
        self.decided: list[Asked] = []
        self.now_ms = 0

    def ask(
        self, demands_kw: Mapping[int, float], after_ms: int = 1000, dwelling: tuple[int, ...] = ()
    ) -> Allocation:
        self.now_ms += after_ms
        self.demands.set_all(demands_kw, self.now_ms)
        self.asked = self.demands.asked(self.now_ms)
        self.steady.is_new(self.asked, None)

        def answer(asked: Asked) -> Allocation:
            self.decided.append(asked)
            return decide(self.station, asked)

        _, allocation = self.steady.decide(self.station, self.asked, dwelling, answer)
        return allocation

    def kept(self, allocation: Allocation) -> dict[int, Kept]:
        return kept(self.station, allocation, self.asked, self.demands)


def counts(allocation: Allocation) -> list[int]:
    return [len(modules) for modules in allocation.modules.values()]


def test_a_fallen_demand_keeps_its_modules_while_nobody_is_short() -> None:
    deciding = Deciding()
    deciding.ask({1: 120, 2: 80})
    held = deciding.ask({1: 30})
    assert counts(held)[:2] == [3, 2]
    assert granted(REFERENCE, held, deciding.asked).delivered_w[1] == 30_000
    assert deciding.kept(held) == {1: Kept((2, 3), 2000 + RELEASE_MS)}
    assert counts(deciding.ask({1: 30, 2: 80}, RELEASE_MS))[:2] == [1, 2]


def test_what_somebody_is_short_of_is_given_at_once_and_held_no_more() -> None:
    deciding = Deciding()
    deciding.ask({1: 200, 2: 100})
    deciding.ask({1: 100})
    given = deciding.ask({2: 240})
    assert counts(given)[:2] == [3, 6]
    assert not deciding.kept(given)
    assert counts(deciding.ask({2: 100}))[:2] == [3, 6]  # now gun 2 holds


def test_a_gun_to_which_a_module_just_came_holds_all_the_same() -> None:
    deciding = Deciding()
    deciding.ask({1: 240, 2: 120})
    assert counts(deciding.ask({1: 100, 2: 160}, dwelling=(1,)))[:2] == [6, 3]
    assert counts(deciding.ask({1: 100}))[:2] == [3, 4]


def test_power_that_is_short_is_not_held() -> None:
    deciding = Deciding(REFERENCE.limited(150_000))
    deciding.ask({1: 100, 2: 50})
    given = granted(deciding.station, deciding.ask({1: 60, 2: 120}), deciding.asked)
    assert given.delivered_w[1] + given.delivered_w[2] == 150_000


def test_a_need_that_is_the_same_holds_nothing_from_anybody() -> None:
    """Gun 1 needs its four modules as much as before; by fewer watts another's would be more."""
    deciding = Deciding()
    deciding.ask({1: 160, 2: 240})
    before = counts(deciding.ask({1: 159.7}))
    assert counts(deciding.ask({1: 160})) == before


def test_no_module_moves_for_less_than_the_least_useful_power_now_and_then() -> None:
    deciding = Deciding()
    deciding.ask({1: 39.9})
    for kw in (40.9, 40.0, 41.0, 39.5):
        assert counts(deciding.ask({1: kw}))[0] == 1
    assert counts(deciding.ask({1: 41.001}))[0] == 2


def test_what_is_asked_for_all_the_time_is_given() -> None:
    deciding = Deciding()
    assert counts(deciding.ask({1: 40.5}))[0] == 2
    small = Deciding()
    small.ask({1: 39.9})
    for _ in range(3):
        last = small.ask({1: 40.5}, RELEASE_MS)
    assert counts(last)[0] == 2


def test_equal_questions_are_decided_once() -> None:
    deciding = Deciding()
    for kw in (120, 30, 40, 30, 50):
        deciding.ask({1: kw})
    assert len(deciding.decided) == 1


def test_without_delays_nothing_is_held() -> None:
    quick = replace(REFERENCE, policy=replace(REFERENCE.policy, release_delay_s=0))
    deciding = Deciding(quick)
    deciding.ask({1: 120})
    assert counts(deciding.ask({1: 30}))[0] == 1


@pytest.mark.parametrize(
    ("demand_w", "spared"), [(0, (1, 2, 9)), (40_000, (2, 9)), (40_001, (9,)), (90_000, ())]
)
def test_spare_modules_are_those_after_what_is_needed(
    demand_w: int, spared: tuple[int, ...]
) -> None:
    station = Station.from_tables(tables(module=[{"id": 9, "power_kw": 20}]))
    assert spare(station, (1, 2, 9), demand_w) == spared


def test_granted_is_what_is_asked_at_the_most() -> None:
    of = granted(REFERENCE, allocate(REFERENCE, {1: 300, 2: 80}), Deciding().demands.asked(0))
    assert set(of.delivered_w.values()) == set(of.unmet_w.values()) == {0}


def test_who_needs_exactly_the_rest_of_its_modules_is_in_the_way_of_one() -> None:
    deciding = Deciding()
    deciding.ask({1: 120, 2: 240})
    assert counts(deciding.ask({1: 80, 2: 240, 3: 40}))[:3] == [2, 6, 1]


def test_power_that_is_not_taken_is_not_kept_from_who_is_short_of_it() -> None:
    deciding = Deciding(REFERENCE.limited(120_000))
    deciding.ask({1: 100, 2: 20})
    allocation = deciding.ask({1: 90, 2: 30})
    assert list(allocation.delivered_w.values())[:2] == [90_000, 30_000]


def test_nothing_is_released_that_would_help_nobody() -> None:
    """On the ring gun 6 is short of modules that guns 1 and 2 do not reach."""
    deciding = Deciding(Station.from_toml(RING))
    deciding.ask({1: 80, 2: 20, 3: 220, 4: 120, 5: 140, 6: 40})
    allocation = deciding.ask({1: 20, 2: 20, 3: 0, 4: 120, 5: 160, 6: 80})
    assert allocation.unmet_w[6] == 80_000
    assert counts(allocation)[:2] == [2, 1]
