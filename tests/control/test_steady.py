"""A live station under demands and limits that wobble: what a driver and a contactor feel of it.
Demands are told anew every scan; what counts is what the cabinet did."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest
from campaign.slow_solver import SlowSolver
from sweep.working_station import WorkingStation

from verified_alloc.station.model import Station

REFERENCE = Station.reference()


def deciding(policy: str, limit_w: int | None = None, **keys: Any) -> Station:
    """The reference station, with this policy and limit."""
    made = replace(REFERENCE, policy=replace(REFERENCE.policy, name=policy, **keys))
    return made.limited(limit_w)


class Watched(WorkingStation):
    """Counts the offers that fell to 0 although the gun asked."""

    def fell_to_0(self) -> int:
        return sum(not offer_w and bool(self.asked_kw[gun]) for _, gun, offer_w in self.told)

    def in_turn(self, for_s: float, every_s: float, *steps: Callable[[], object]) -> int:
        """Take these steps in turn; the operations that followed."""
        before = self.operations
        for step in cycle(steps):
            if for_s <= 0:
                return self.operations - before
            step()
            self.go_on(every_s)
            for_s -= every_s
        return 0


@contextmanager
def at_work(station: Station, settle_s: float = 8, **demands_kw: float) -> Iterator[Watched]:
    """With these demands by gun, settled, whatever has to be solved taking three scans."""
    with Watched(station, solve=SlowSolver(3)) as watched:
        watched.ask({int(gun[1:]): kw for gun, kw in demands_kw.items()})
        watched.go_on(settle_s)
        yield watched
        assert not watched.bad()


def test_a_wobble_under_a_binding_limit_moves_nobodys_offer() -> None:
    with at_work(deciding("fair", 150_000), g1=150, g2=150, g3=150) as station:
        assert list(station.offers_kw().values())[:3] == [50, 50, 50]
        told = len(station.told)
        moved = station.in_turn(
            40, 1, lambda: station.ask({1: 150.5}), lambda: station.ask({1: 150})
        )
        assert (moved, len(station.told) - told, station.fell_to_0()) == (0, 0, 0)


def test_a_dwell_that_ends_with_nothing_changed_moves_nobodys_offer() -> None:
    with at_work(deciding("fair", 150_000), g1=150, g2=150, g3=150) as station:
        told = len(station.told)
        station.go_on(20)
        assert len(station.told) == told


def test_no_module_moves_for_half_a_kilowatt_under_a_limit() -> None:
    with at_work(deciding("max-power", 150_000), g1=150, g2=150, g3=150) as station:
        assert (
            station.in_turn(40, 1, lambda: station.ask({1: 149.5}), lambda: station.ask({1: 150}))
            <= 2
        )


def test_a_gun_at_a_modules_threshold_keeps_its_modules() -> None:
    with at_work(deciding("priority"), settle_s=0) as station:
        moved = station.in_turn(
            900, 5, lambda: station.ask({1: 39.9}), lambda: station.ask({1: 40.1})
        )
        assert moved <= 4


def test_a_taper_with_noise_gives_its_module_back_once() -> None:
    with at_work(deciding("priority"), settle_s=0) as station:
        for second in range(400):
            noise_kw = (0.5, -0.5, 0.3, -0.2)[second % 4]
            station.ask({1: 44 - 8 * second / 400 + noise_kw})
            station.go_on(1)
        station.ask({1: 0})
        station.go_on(5)
        assert station.operations == 4


def test_a_limit_that_chatters_moves_nothing() -> None:
    with at_work(deciding("priority", 119_000), g1=120, g2=60) as station:
        limit = station.limit
        assert station.in_turn(60, 4, lambda: limit(121_000), lambda: limit(119_000)) <= 1


def test_guns_in_turn_exchange_their_modules_no_oftener_than_a_dwell() -> None:
    with at_work(deciding("priority"), g1=205, g2=195, g3=120) as station:
        moved = station.in_turn(
            900,
            5,
            lambda: station.ask({1: 195, 2: 205}),
            lambda: station.ask({1: 205, 2: 195}),
        )
        assert moved <= 2 * 900 / station.station.timing.minimum_dwell_s
        assert station.state.inputs.asked.order[:2] == (1, 2)


def test_a_rank_follows_a_difference_that_lasts() -> None:
    with at_work(deciding("priority"), g1=205, g2=195, g3=120) as station:
        assert len(station.live[1]) == 6
        station.ask({1: 100, 2: 240})
        station.go_on(9)
        assert len(station.live[1]) >= 3
        station.go_on(12)
        assert len(station.live[2]) == 6


def test_a_held_gun_that_loses_its_module_is_given_another_first() -> None:
    with at_work(deciding("priority"), settle_s=15, g1=20, g2=160, g3=160) as station:
        [module] = station.live[1]
        assert len(station.live[2]) + len(station.live[3]) == 8
        station.controller.hold(1, 120_000)
        station.inject(f"module-dead {module}")
        assert station.go_on(8, until=lambda: station.live[1] not in ((), (module,)))
        assert len(station.live[1]) == 1
        station.go_on(5)
        assert station.offers_kw()[1] == 20


def test_a_target_stays_until_something_has_changed() -> None:
    """With a minimum and a limit, what is decided depends on where the modules are."""
    targets = []
    station = deciding("priority", 100_000, minimum_modules=1)
    with at_work(station, settle_s=0, g1=160, g2=120, g3=20) as watched:
        watched.go_on(20, skip=False, each=lambda: targets.append(watched.state.allocation.modules))
        assert len({tuple(target.values()) for target in targets}) <= 2
        assert watched.offers_kw() == {1: 40, 2: 40, 3: 20, 4: 0, 5: 0, 6: 0}


@pytest.mark.parametrize("policy", ["documented", "priority", "max-power", "fair"])
def test_an_offer_follows_the_demand_up_at_once_while_modules_are_kept(policy: str) -> None:
    with at_work(deciding(policy), g1=80) as station:
        for kw in (30, 75):
            station.ask({1: kw})
            station.go_on(0.1)
            assert station.offers_kw()[1] == kw
        assert station.operations == 2


def test_what_is_kept_is_given_at_once_to_who_is_short() -> None:
    with at_work(deciding("priority"), g1=240, g2=120) as station:
        station.ask({1: 100})
        station.go_on(15)
        assert len(station.live[1]) == 6
        station.ask({2: 200})
        station.go_on(8)
        assert (len(station.live[1]), len(station.live[2])) == (4, 5)
