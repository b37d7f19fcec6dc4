"""A decision that lasts: demands held as long as nobody is short for them, and what is granted."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import accumulate, chain
from operator import ge, sub
from typing import NamedTuple

from verified_alloc.decide.allocate import Allocation
from verified_alloc.decide.demand import Asked, DemandProcessor
from verified_alloc.station.model import Station


class Steady:
    """Decides for the demands that are held, as long as that takes nothing from anybody; what does
    is held no more."""

    def __init__(self, demands: DemandProcessor, station: Station) -> None:
        self._demands = demands
        self._useful_w = station.policy.minimum_power_w
        self.power_w = [0] * len(station.guns)
        """By gun, that of the modules that it was given."""
        self._held: object = None
        self._situation: object = None
        self._found: deque[tuple[Asked, Allocation]] = deque(maxlen=3)
        """What has been answered for the situation that it stands for."""

    def is_new(self, asked: Asked, situation: object) -> bool:
        """What is held, or the situation besides, is another than it was decided for."""
        held = self.held(asked).question
        if held == self._held and situation == self._situation:
            return False
        self._held, self._situation = held, situation
        self._found.clear()
        return True

    def held(self, asked: Asked) -> Asked:
        """What counts for the number of modules: the most that was asked lately."""
        lasting = map(self._demands.lasting_w, range(1, len(asked.demand_w) + 1))
        return self._worth_it(
            asked._replace(
                demand_w=tuple(
                    max(demand_w, most_w) if demand_w else 0
                    for demand_w, (_, most_w) in zip(asked.demand_w, lasting, strict=True)
                )
            )
        )

    def decide(
        self,
        station: Station,
        asked: Asked,
        dwelling: Collection[int],
        decide: Callable[[Asked], Allocation],
    ) -> tuple[Asked, Allocation]:
        """The demands that were decided for, and the answer of `decide`; it is asked once for
        equal ones as long as the situation is not new. Guns to which a module came a short while
        ago, `dwelling`, hold what they needed then."""
        needed = self._worth_it(asked)
        while (held := self.held(asked)) != needed:
            steady = self._answer(held, decide)
            given_w = granted(station, steady, needed).delivered_w
            if all(map(ge, given_w.values(), map(min, needed.demand_w, station.gun_max_w))):
                break
            anew = self._answer(needed, decide)
            in_the_way = _in_the_way(station, needed, steady, anew) - set(dwelling)
            if not in_the_way or all(map(ge, given_w.values(), anew.delivered_w.values())):
                break
            self._demands.release(in_the_way)
        answer = self._answer(held, decide)
        self.power_w = [
            sum(station.module_power_w[module - 1] for module in modules)
            for modules in answer.modules.values()
        ]
        self._held = self.held(asked).question
        return held, answer

    def _worth_it(self, asked: Asked) -> Asked:
        """Without what its modules lack by less than the least useful power, unless a gun has asked
        for more than they have all the time: for that none is moved."""
        worth_w = []
        for gun, (demand_w, power_w) in enumerate(
            zip(asked.demand_w, self.power_w, strict=True), 1
        ):
            least_w, _ = self._demands.lasting_w(gun)
            lacks_w = demand_w - power_w
            slight = power_w and 0 < lacks_w <= self._useful_w and least_w <= power_w
            worth_w.append(power_w if slight else demand_w)
        return asked._replace(demand_w=tuple(worth_w))

    def _answer(self, asked: Asked, decide: Callable[[Asked], Allocation]) -> Allocation:
        for known, answer in self._found:
            if known.question == asked.question:
                return answer
        answer = decide(asked)
        self._found.append((asked, answer))
        return answer


def granted(station: Station, allocation: Allocation, asked: Asked) -> Allocation:
    """What each gun is given of it now: what it asks for, at the most."""
    wanted_w = list(map(min, asked.demand_w, station.gun_max_w))
    given_w = list(map(min, allocation.delivered_w.values(), wanted_w))
    return replace(
        allocation,
        delivered_w=dict(enumerate(given_w, start=1)),
        unmet_w=dict(enumerate(map(sub, wanted_w, given_w), start=1)),
    )


class Kept(NamedTuple):
    """Modules that a gun could do without."""

    modules: tuple[int, ...]
    until_ms: int
    """It has them until then by the controller's clock, unless somebody needs them."""


def kept(
    station: Station, allocation: Allocation, asked: Asked, demands: DemandProcessor
) -> dict[int, Kept]:
    """By gun, what it keeps for what it asked for lately."""
    held_until_ms = {gun: demands.held_until_ms(gun) for gun in allocation.modules}
    return {
        gun: Kept(spared, until_ms)
        for gun, until_ms in held_until_ms.items()
        if until_ms is not None
        and (spared := spare(station, allocation.modules[gun], asked.demand_w[gun - 1]))
    }


def spare(station: Station, modules: Sequence[int], demand_w: int) -> tuple[int, ...]:
    """Of a gun's modules, ascending, those that it could do without."""
    power_w = accumulate(station.module_power_w[module - 1] for module in modules)
    return tuple(
        module
        for module, before_w in zip(modules, chain((0,), power_w), strict=False)
        if before_w >= demand_w
    )


def _in_the_way(station: Station, needed: Asked, steady: Allocation, anew: Allocation) -> set[int]:
    """Guns that have a module which they could do without and which would be another's; or power
    that they do not take, where there is no more of it."""
    holder = {module: gun for gun, modules in anew.modules.items() for module in modules}
    no_more = sum(steady.delivered_w.values()) >= station.limit_w
    in_the_way = set()
    for gun, modules in steady.modules.items():
        needed_w = needed.demand_w[gun - 1]
        powers_w = [station.module_power_w[module - 1] for module in modules]
        without_one = powers_w and sum(powers_w) - min(powers_w) >= needed_w
        if (without_one and any(holder.get(module, gun) != gun for module in modules)) or (
            no_more and steady.delivered_w[gun] > needed_w
        ):
            in_the_way.add(gun)
    return in_the_way
