"""What a solver is asked, in whole numbers: who wants what, which modules are alike, what a move
costs.

Guns and modules are counted from 0 here, as in the kernel.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, compress, pairwise
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from verified_alloc.decide.demand import Asked
from verified_alloc.errors import VerifiedAllocError
from verified_alloc.kernel import feeder, ops
from verified_alloc.kernel.rule import Choice
from verified_alloc.station.faults import Faults, usable_after
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

NO_FAULTS = Faults()
ALL_OPEN: frozenset[Pair] = frozenset()
NONE_RESERVED: Mapping[int, int] = MappingProxyType({})
NO_WEAR: Mapping[Pair, int] = MappingProxyType({})


T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 (a decorator)
    """`functools.cached_property` without the lock that Python 3.11 takes each time: eight of them
    are a twentieth of a decision."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: type) -> T:
        value = instance.__dict__[self._function.__name__] = self._function(instance)
        return value


class NoAnswer(VerifiedAllocError):
    """A solver did not come to a proved optimum; the message says why."""


class NotYet(VerifiedAllocError):
    """A solver beside the scan is at work; its answer may be there at the next scan."""


class Stage(NamedTuple):
    """An objective, the value that was reached and the bound that the solver proved."""

    name: str
    value: int
    bound: int


class Answer(NamedTuple):
    """What a policy chose, by which method, and what a solver proved on the way."""

    choice: Choice
    method: str
    stages: tuple[Stage, ...] = ()
    optimal: bool | None = None


class Cost(NamedTuple):
    """What it costs that a module is on a gun, against its being on none; the first counts most."""

    unreserved: int
    """-1 if the module dwells on this gun."""
    operations: int
    """-1 if the contactor is closed and need not open, 1 if it must close, 0 if it obeys nobody."""
    wear: int
    """The prior operations of that contactor, with the sign of `operations`."""


CLOSES, KEEPS, OBEYS_NOBODY = Cost(0, 1, 0), Cost(0, -1, 0), Cost(0, 0, 0)


class Alike(NamedTuple):
    """Modules that no objective but their numbers tells apart: of one power and on the same feeder,
    usable by the same guns at the same costs, and no module between them of another power."""

    modules: tuple[int, ...]
    """Ascending."""
    power_w: int
    run: int
    """Modules are numbered in runs of equal power; this is the run of these."""
    feeders: tuple[int, ...]
    """Those of `Station.kernel_feeders` that they hang on."""
    costs: Mapping[int, Cost]
    """By each gun that wants power and can use them."""


@dataclass(frozen=True)
class Problem:
    """An allocation to be found."""

    station: Station
    asked: Asked
    faults: Faults = NO_FAULTS
    reserved: Mapping[int, int] = field(default_factory=dict)
    """Dwelling modules, each usable only by its gun; both counted from 1."""
    current: Set[Pair] = ALL_OPEN
    """The closed contactors."""
    wear: Mapping[Pair, int] = field(default_factory=dict)
    """Prior operations by contactor, none if it is not named."""

    @once
    def wanted_w(self) -> dict[int, int]:
        """min(demand, maximum) of each gun in service that wants power, as they are served."""
        demand_w, in_service = (
            self.asked.demand_w,
            usable_after(self.station, self.faults).in_service,
        )
        return {
            gun: min(demand_w[gun], self.station.gun_max_w[gun])
            for gun in (number - 1 for number in self.asked.order)
            if demand_w[gun] > 0 and in_service[gun]
        }

    @property
    def minimum_w(self) -> int:
        """The least useful power, W."""
        return self.station.policy.minimum_power_w

    @once
    def useful_w(self) -> dict[int, int]:
        """The least that is useful to each of these: the least useful power, or what it wants."""
        return {gun: min(wanted_w, self.minimum_w) for gun, wanted_w in self.wanted_w.items()}

    def grant_w(self, gun: int, left_w: int) -> int:
        """The most that a gun can be granted of what the site limit leaves, with modules of equal
        power: what is of no use only as the power of whole modules."""
        wanted_w = self.wanted_w[gun]
        if left_w >= wanted_w:
            return wanted_w
        if left_w < self.useful_w[gun] and self.equal_w:
            return left_w - left_w % self.equal_w
        return left_w

    @once
    def order(self) -> tuple[int, ...]:
        """The guns that want power, as they are served."""
        return tuple(self.wanted_w)

    @once
    def place(self) -> dict[int, int]:
        """The place of each of these in the order."""
        return {gun: place for place, gun in enumerate(self.order)}

    @once
    def reach(self) -> list[tuple[tuple[int, ...], Sequence[int]]]:
        """Modules with all the guns that want power and can use them."""
        wanted, reserved = self.wanted_w, self.reserved
        reach: list[tuple[tuple[int, ...], Sequence[int]]] = []
        for guns, modules in _reached_alike(self.station, self.faults):
            wanting = tuple([gun for gun in guns if gun in wanted])
            if reserved and wanting:
                for module in modules:
                    if (gun := reserved.get(module + 1, 0) - 1) in wanting:
                        reach.append(((gun,), [module]))
                modules = tuple([m for m in modules if m + 1 not in reserved])
            if wanting and modules:
                reach.append((wanting, modules))
        return reach

    @once
    def classes(self) -> tuple[Alike, ...]:
        """The modules that somebody could be given, by class."""
        special, worn = _special(self.faults, self.reserved, self.current), bool(self.wear)
        runs, feeders = _runs(self.station), _feeders(self.station)
        groups: dict[tuple[Any, ...], list[int]] = {}
        costs: dict[tuple[Any, ...], Mapping[int, Cost]] = {}
        reaches: dict[tuple[int, ...], int] = {}
        for guns, modules in self.reach:
            reach = reaches.setdefault(guns, len(reaches))
            for module in modules:
                own = special.get(module, {})
                if worn:
                    own = {gun: self._worn(gun, module, own.get(gun, CLOSES)) for gun in guns}
                elif own:
                    own = {gun: cost for gun, cost in own.items() if gun in guns}
                key = runs[module], feeders[module], reach, frozenset(own.items()) if own else None
                if key not in groups:
                    groups[key] = []
                    costs[key] = dict.fromkeys(guns, CLOSES) | own
                groups[key].append(module)
        classes = [
            Alike(
                tuple(sorted(group)),
                self.station.module_power_w[group[0]],
                key[0],
                key[1],
                costs[key],
            )
            for key, group in groups.items()
        ]
        return tuple(sorted(classes, key=lambda alike: alike.modules[0]))

    def _worn(self, gun: int, module: int, cost: Cost) -> Cost:
        return cost._replace(wear=cost.operations * self.wear.get((gun + 1, module + 1), 0))

    @property
    def limit_w(self) -> int:
        """The site limit, W; where there is none, what it never reaches."""
        return self.station.limit_w

    @once
    def limit_binds(self) -> bool:
        """The guns want more than the site limit."""
        return sum(self.wanted_w.values()) > self.limit_w

    def feeders_bear(self, choice: Choice) -> bool:
        """No feeder has to give more than its limit."""
        station = self.station
        return feeder.within(
            ops, station.kernel_feeders, choice.held, choice.delivered_w, station.module_power_w
        )

    @once
    def equal_w(self) -> int | None:
        """The power of every module that somebody could be given, W; None if they differ."""
        power_w = self.station.module_power_w
        powers_w = {power_w[module] for _, modules in self.reach for module in modules}
        return powers_w.pop() if len(powers_w) == 1 else None

    @once
    def weights(self) -> list[dict[int, int]]:
        """By class and gun, the costs as one number in which each counts more than all of those
        after it can."""
        wear = 1
        if self.wear:
            wear += 2 * sum(
                len(alike.modules) * max(abs(cost.wear) for cost in alike.costs.values())
                for alike in self.classes
            )
        operations = 1 + 2 * len(self.station.modules)
        return [
            {
                gun: wear
                if cost is CLOSES
                else (cost.unreserved * operations + cost.operations) * wear + cost.wear
                for gun, cost in alike.costs.items()
            }
            for alike in self.classes
        ]

    @once
    def guaranteed(self) -> Mapping[int, int]:
        """How many modules each gun is to have before any has more: the station's minimum, or what
        it would need if it were alone."""
        minimum = self.station.policy.minimum_modules
        return {gun: min(minimum, self._need_alone(gun)) if minimum else 0 for gun in self.order}

    @once
    def guaranteed_w(self) -> Mapping[int, int]:
        """The most that each gun could be delivered of so many modules, W."""
        return {
            gun: min(self.wanted_w[gun], self._reached_w(gun)[modules])
            for gun, modules in self.guaranteed.items()
        }

    def _need_alone(self, gun: int) -> int:
        """The fewest modules that reach what it wants, largest first; all if they do not."""
        return sum(reached < self.wanted_w[gun] for reached in self._reached_w(gun)[:-1])

    def _reached_w(self, gun: int) -> list[int]:
        """The most power of no module, of one, of two and so on of those that a gun can use."""
        usable = usable_after(self.station, self.faults).usable[gun]
        powers_w = sorted(compress(self.station.module_power_w, usable), reverse=True)
        return list(accumulate(powers_w, initial=0))

    def choice(self, held: Sequence[Sequence[int]], delivered_w: Mapping[int, int]) -> Choice:
        """The modules of each gun and what it is delivered, as the guard reads them."""
        rows = [[False] * len(self.station.modules) for _ in self.station.guns]
        for row, modules in zip(rows, held, strict=True):
            for module in modules:
                row[module] = True
        return Choice(rows, [delivered_w.get(gun, 0) for gun in range(len(rows))])

    def labelled(self, on: Mapping[tuple[int, int], int]) -> list[list[int]]:
        """The modules of each gun when so many of each class are on it, `on[class, gun]`: gun by
        gun in order, the lowest-numbered ones that those before it left, ascending."""
        held: list[list[int]] = [[] for _ in self.station.guns]
        of_gun: dict[int, list[tuple[int, int]]] = {}
        for (place, gun), count in on.items():
            of_gun.setdefault(gun, []).append((place, count))
        first = [0] * len(self.classes)
        for gun in self.order:
            for place, count in of_gun.get(gun, ()):
                begin = first[place]
                first[place] += count
                held[gun] += self.classes[place].modules[begin : first[place]]
        for modules in held:
            modules.sort()
        return held


def _special(
    faults: Faults, reserved: Mapping[int, int], current: Set[Pair]
) -> dict[int, dict[int, Cost]]:
    """By module, the guns to which it does not just have to be closed."""
    special: dict[int, dict[int, Cost]] = {}
    dwelling = {(gun, module) for module, gun in reserved.items()}
    for pair in current | faults.welded | dwelling:
        gun, module = pair
        cost = OBEYS_NOBODY if pair in faults.contactors else KEEPS if pair in current else CLOSES
        if pair in dwelling:
            cost = cost._replace(unreserved=-1)
        special.setdefault(module - 1, {})[gun - 1] = cost
    return special


@lru_cache(maxsize=256)
def _reached_alike(
    station: Station, faults: Faults
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """The guns and the modules that exactly they can use."""
    reached: dict[tuple[bool, ...], list[int]] = {}
    for module, column in enumerate(zip(*usable_after(station, faults).usable, strict=True)):
        reached.setdefault(column, []).append(module)
    return tuple(
        (tuple(gun for gun, can in enumerate(column) if can), tuple(modules))
        for column, modules in reached.items()
    )


@lru_cache(maxsize=256)
def _runs(station: Station) -> tuple[int, ...]:
    """By module, how often the power has changed from a module to the next up to this one."""
    changes = (before != power for before, power in pairwise(station.module_power_w))
    return tuple(accumulate(changes, initial=0))


@lru_cache(maxsize=256)
def _feeders(station: Station) -> tuple[tuple[int, ...], ...]:
    """By module, the feeders that it hangs on."""
    return tuple(
        tuple(place for place, each in enumerate(station.kernel_feeders) if each.modules[module])
        for module in range(len(station.modules))
    )
