"""Modules of equal power: exact in a fraction of a millisecond, without a solver.

With modules of one power, what a gun is delivered grows with each module by no more than with the
one before, and the numbers of modules that the guns can have at a time form an integer polymatroid,
whatever the matrix and the faults. There it is optimal to hand out modules one by one, the most
valued first, each if need be by a chain of exchanges that leaves every other gun as many as it had.
Each chain taken is a cheapest one (successive shortest paths of the minimum-cost flow), so that the
moves in the end are as few as possible too.
"""

import math
from collections.abc import Iterator
from heapq import heappop, heappush

from verified_alloc.decide.policies.problem import Answer, Problem

IDLE = -1
"""In place of a gun."""


def solve(problem: Problem, policy: str) -> Answer | None:
    """The answer of a policy; None where this is not exact: modules of unequal power, a feeder that
    binds, or a site limit that does, but for plain `priority`."""
    if not problem.reach:
        return Answer(problem.choice([[] for _ in problem.station.guns], {}), "flow")
    power_w = problem.equal_w
    if power_w is None:
        return None
    exchange = Exchange(problem)
    delivered_w = dict.fromkeys(problem.order, 0)
    if policy == "priority" and not any(problem.guaranteed.values()):
        left_w = problem.limit_w
        for gun in problem.order:
            grant_w = problem.grant_w(gun, left_w)
            modules = 0
            while modules * power_w < grant_w and exchange.take(gun):
                modules += 1
            delivered_w[gun] = min(grant_w, modules * power_w)
            left_w -= delivered_w[gun]
    else:
        for gun in units(problem, power_w, policy):
            if not exchange.left:
                break
            if exchange.take(gun):
                wanted_w = problem.wanted_w[gun]
                delivered_w[gun] = min(wanted_w, delivered_w[gun] + power_w)
        if sum(delivered_w.values()) > problem.limit_w:
            return None
    choice = problem.choice(problem.labelled(exchange.labels()), delivered_w)
    return Answer(choice, "flow") if problem.feeders_bear(choice) else None


def units(problem: Problem, power_w: int, policy: str) -> Iterator[int]:
    """The gun that is to have the next module, if it can: of the guaranteed ones everybody's first,
    then everybody's second, and so on; then by what the module would be worth to the policy, ties
    in order."""
    least = problem.guaranteed
    for number in range(max(least.values())):
        yield from [gun for gun in problem.order if number < least[gun]]
    if policy == "fair":
        worth = [
            (before_w, -min(wanted_w, before_w + power_w), place, gun)
            for place, (gun, wanted_w) in enumerate(problem.wanted_w.items())
            for before_w in range(least[gun] * power_w, wanted_w, power_w)
        ]
        for *_, gun in sorted(worth):
            yield gun
        return
    last_w: dict[int, int] = {}
    for gun, wanted_w in problem.wanted_w.items():
        whole, rest_w = divmod(max(0, wanted_w - least[gun] * power_w), power_w)
        yield from [gun] * whole
        if rest_w:
            last_w[gun] = rest_w
            if policy == "priority":
                yield gun
    if policy == "max-power":
        yield from sorted(last_w, key=lambda gun: -last_w[gun])


class Exchange:
    """Who has how many modules of which class, at the least cost for as many as each gun has.

    The residual graph of a flow: a gun leads to the classes that it can use, at their cost; a class
    to the guns that have any of it, at its cost back, and to the idle place, which all modules are
    on at first. Each node has a potential: the cost of an edge and the potential that it starts
    from are never less than the potential that it ends at, and just that where modules are.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._reach: dict[int, list[tuple[int, int]]] = {gun: [] for gun in problem.order}
        self._gun_potential: dict[int, int] = {}
        for place, costs in enumerate(problem.weights):
            for gun, cost in costs.items():
                self._reach[gun].append((place, cost))
                if -cost > self._gun_potential.get(gun, -math.inf):
                    self._gun_potential[gun] = -cost
        self._on: list[dict[int, int]] = [{} for _ in problem.classes]
        self._modules = [alike.modules for alike in problem.classes]
        self._idle = [len(modules) for modules in self._modules]
        self.left = sum(self._idle)
        """Modules that no gun has yet."""
        self._class_potential = [0] * len(problem.classes)
        self._closed: set[int] = set()
        """Classes from which no idle module can be reached, ever again."""

    def take(self, gun: int) -> bool:
        """One more module for a gun, by a cheapest chain of exchanges; False if there is none."""
        if not self.left:
            return False
        start = self._gun_potential.get(gun, 0)
        for place, cost in self._reach[gun]:
            if self._idle[place] and start + cost == self._class_potential[place]:
                self._idle[place] -= 1
                self.left -= 1
                self._move(place, gun, 1)
                return True
        found_at: dict[int, int] = {}
        found_by: dict[int, int] = {}
        gives: dict[int, int] = {}
        distance = {gun: 0}
        settled: dict[int, int] = {}
        ahead: list[tuple[int, int]] = []
        goal, goal_at = IDLE, math.inf
        looking = [gun]
        while True:
            for taker in looking:
                start = distance[taker] + self._gun_potential.get(taker, 0)
                for place, cost in self._reach[taker]:
                    end = start + cost - self._class_potential[place]
                    if end >= goal_at or place in self._closed or place in settled:
                        continue
                    if self._idle[place]:
                        goal, goal_at = place, end
                        found_by[place] = taker
                    elif place not in found_at or end < found_at[place]:
                        found_at[place], found_by[place] = end, taker
                        heappush(ahead, (end, place))
            while ahead and ahead[0][1] in settled:
                heappop(ahead)
            if not ahead or ahead[0][0] >= goal_at:
                break
            cost, place = heappop(ahead)
            settled[place] = cost
            looking = [holder for holder in self._on[place] if holder not in distance]
            for holder in looking:
                distance[holder], gives[holder] = cost, place
        if goal == IDLE:
            self._closed |= settled.keys()
            return False

        place, cost = goal, int(goal_at)
        for taker, at in distance.items():
            self._gun_potential[taker] += at - cost
        for other, at in settled.items():
            self._class_potential[other] += at - cost
        self._idle[place] -= 1
        self.left -= 1
        while True:
            taker = found_by[place]
            self._move(place, taker, 1)
            if taker == gun:
                return True
            place = gives[taker]
            self._move(place, taker, -1)

    def labels(self) -> dict[tuple[int, int], int]:
        """How many modules of each class each gun has, `[class, gun]`, when gun by gun in order the
        smallest list of modules is chosen that costs nothing more."""
        if len(self._modules) == 1:
            return {(0, gun): count for gun, count in self._on[0].items()}
        first = [0] * len(self._modules)
        holders = {gun for on in self._on for gun in on}
        tight = {gun: self._tight(gun) for gun in holders}
        tight[IDLE] = {place for place, at in enumerate(self._class_potential) if at == 0}
        chosen: dict[tuple[int, int], int] = {}
        for gun in self._problem.order:
            if gun not in holders:
                continue
            for place, count in self._smallest_list(gun, first, tight).items():
                chosen[place, gun] = count
                first[place] += count
                del self._on[place][gun]
        return chosen

    def _tight(self, gun: int) -> set[int]:
        """The classes that the gun can exchange into without a loss."""
        start = self._gun_potential[gun]
        return {
            place
            for place, cost in self._reach[gun]
            if start + cost == self._class_potential[place]
        }

    def _smallest_list(
        self, gun: int, first: list[int], tight: dict[int, set[int]]
    ) -> dict[int, int]:
        """Module after module, the lowest-numbered one that can still be had: of a class that the
        gun has more of than is locked already, or by a chain of exchanges of what is not."""
        modules = self._modules
        unlocked = {place: on[gun] for place, on in enumerate(self._on) if gun in on}
        if len(unlocked) == 1 and tight[gun] <= unlocked.keys():
            return unlocked
        locked: dict[int, int] = {}
        ahead = sorted(
            (modules[place][first[place]], place)
            for place in unlocked.keys() | tight[gun]
            if first[place] < len(modules[place])
        )
        missing = sum(unlocked.values())
        dead: set[int] = set()
        while missing:
            _, place = heappop(ahead)
            if not unlocked.get(place) and (
                place in dead or not self._exchange(gun, place, unlocked, tight, dead)
            ):
                continue
            unlocked[place] -= 1
            locked[place] = locked.get(place, 0) + 1
            missing -= 1
            following = first[place] + locked[place]
            if following < len(modules[place]):
                heappush(ahead, (modules[place][following], place))
        return locked

    def _exchange(
        self,
        gun: int,
        wanted: int,
        unlocked: dict[int, int],
        tight: dict[int, set[int]],
        dead: set[int],
    ) -> bool:
        """Let the gun have one more of a class for one less of another that is not locked, by a
        chain of exchanges of guns that are not yet labelled; False if there is none: then there is
        none from any class that was seen, which is noted among the dead ones."""
        offered = {place for place, count in unlocked.items() if count}
        came: dict[int, tuple[int, int]] = {}
        seen, asked = {wanted}, {gun}
        for place in (queue := [wanted]):
            holders = [*([IDLE] if self._idle[place] else []), *self._on[place]]
            for holder in holders:
                if holder in asked:
                    continue
                asked.add(holder)
                if found := offered & tight[holder]:
                    came[min(found)] = holder, place
                    self._swap(gun, wanted, min(found), came, unlocked)
                    return True
                new = tight[holder] - seen - dead
                came |= dict.fromkeys(new, (holder, place))
                queue += new
                seen |= new
        dead |= seen
        return False

    def _swap(
        self,
        gun: int,
        wanted: int,
        offered: int,
        came: dict[int, tuple[int, int]],
        unlocked: dict[int, int],
    ) -> None:
        self._move(offered, gun, -1)
        unlocked[offered] -= 1
        place = offered
        while place != wanted:
            holder, given = came[place]
            self._move(place, holder, 1)
            self._move(given, holder, -1)
            place = given
        self._move(wanted, gun, 1)
        unlocked[wanted] = unlocked.get(wanted, 0) + 1

    def _move(self, place: int, gun: int, count: int) -> None:
        """So many more modules of a class on a gun, or on none."""
        if gun == IDLE:
            self._idle[place] += count
            return
        on = self._on[place]
        on[gun] = on.get(gun, 0) + count
        if not on[gun]:
            del on[gun]
