"""Shows an allocation optimal, or refutes it, whoever made it and without a solver.

For modules of equal power, where the numbers of modules that the guns can have at a time form an
integer polymatroid: an allocation is optimal exactly if none of its single exchanges improves it.
This shares with the methods that find allocations only what the question is.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import compress

from verified_alloc.kernel.rule import Choice
from verified_alloc.policies.problem import Problem

IDLE = -1
"""In place of a gun: on none."""


def is_optimal(problem: Problem, policy: str, choice: Choice) -> bool | None:
    """Whether an allocation that the guard accepts reaches the best of every objective of a policy
    (the labels aside, which only choose among equals). None where that is not decided: modules of
    unequal power, and a site limit that binds, but for plain `priority`."""
    power_w = problem.equal_w
    if power_w is None:
        return True if not problem.reach else None
    counts = {gun: sum(choice.held[gun]) for gun in problem.order}
    plain = policy == "priority" and not any(problem.guaranteed.values())
    undecided = None if sum(problem.wanted_w.values()) > problem.limit_w and not plain else False
    left_w = problem.limit_w
    short: list[int] = []
    for gun in problem.order:
        delivered_w, may_have_w = choice.delivered_w[gun], problem.wanted_w[gun]
        if plain:
            may_have_w = min(may_have_w, left_w)
            left_w -= delivered_w
        if delivered_w != min(may_have_w, counts[gun] * power_w):
            return undecided
        if delivered_w < may_have_w:
            short.append(gun)
    holder = [IDLE] * len(problem.station.modules)
    modules = range(len(holder))
    for gun in problem.order:
        for module in compress(modules, choice.held[gun]):
            holder[module] = gun
    givers = _givers(problem, holder)
    for gun in short:
        if any(
            giver == IDLE or _is_better(problem, policy, power_w, counts, gun, giver)
            for giver in givers[gun]
        ):
            return undecided
    return not _moves_cheaper(problem, holder)


def _givers(problem: Problem, holder: Sequence[int]) -> dict[int, set[int]]:
    """By gun, all those that could give up a module so that, by exchanges in which every other gun
    keeps its number, this gun has one more."""
    direct: dict[int, set[int]] = {gun: set() for gun in problem.order}
    for guns, modules in problem.reach:
        holders = {holder[module] for module in modules}
        for gun in guns:
            direct[gun] |= holders
    for through in problem.order:
        for givers in direct.values():
            if through in givers:
                givers |= direct[through]
    return direct


def _is_better(
    problem: Problem,
    policy: str,
    power_w: int,
    counts: Mapping[int, int],
    taker: int,
    giver: int,
) -> bool:
    """The policy prefers that the taker has one module more and the giver one less."""
    if taker == giver:
        return False
    least, wanted_w = problem.guaranteed, problem.wanted_w
    gains = counts[taker] < least[taker]
    loses = counts[giver] <= least[giver]
    if gains != loses:
        return gains
    if not gains:
        had_w = [counts[taker] * power_w, min(wanted_w[giver], counts[giver] * power_w)]
        has_w = [
            min(wanted_w[taker], had_w[0] + power_w),
            (counts[giver] - 1) * power_w,
        ]
        if policy == "max-power" and sum(has_w) != sum(had_w):
            return sum(has_w) > sum(had_w)
        if policy == "fair" and sorted(has_w) != sorted(had_w):
            return sorted(has_w) > sorted(had_w)
    return problem.order.index(taker) < problem.order.index(giver)


def _moves_cheaper(problem: Problem, holder: Sequence[int]) -> bool:
    """There is a ring of exchanges, each gun keeping its number of modules, that costs less."""
    edges = _exchanges(problem, holder)
    best = dict.fromkeys([IDLE, *problem.order], 0)
    for _ in best:
        changed = False
        for (giver, taker), added in edges.items():
            if best[giver] + added < best[taker]:
                best[taker] = best[giver] + added
                changed = True
        if not changed:
            return False
    return True


def _exchanges(problem: Problem, holder: Sequence[int]) -> dict[tuple[int, int], int]:
    """What it costs at least that a module goes from one to another, by giver and taker: dwelling
    modules count more than operations, these more than wear."""
    of_wear = 1 + 2 * sum(problem.wear.values())
    own = _own_costs(problem, of_wear, of_wear * (1 + 2 * len(holder)))
    edges: dict[tuple[int, int], int] = {}
    seen = set()
    for guns, modules in problem.reach:
        closing = dict.fromkeys(guns, of_wear)
        for module in modules:
            giver, special = holder[module], own.get(module, {})
            key = guns, giver, *special.items()
            if key in seen:
                continue
            seen.add(key)
            costs = {IDLE: 0, **closing}
            for gun, cost in special.items():
                if gun in closing:
                    costs[gun] = cost
            back = costs[giver]
            for taker, cost in costs.items():
                if cost - back < edges.get((giver, taker), math.inf):
                    edges[giver, taker] = cost - back
    return edges


def _own_costs(problem: Problem, of_wear: int, of_dwelling: int) -> dict[int, dict[int, int]]:
    """By module, what its being on a gun costs against its being on none, where that is not just
    the closing of a contactor that was never moved."""
    dwelling = {(gun, module) for module, gun in problem.reserved.items()}
    own: dict[int, dict[int, int]] = {}
    for pair in problem.current | problem.faults.contactors | dwelling | problem.wear.keys():
        cost = 0
        if pair not in problem.faults.contactors:
            cost = of_wear + problem.wear.get(pair, 0)
            if pair in problem.current:
                cost = -cost
        if pair in dwelling:
            cost -= of_dwelling
        own.setdefault(pair[1] - 1, {})[pair[0] - 1] = cost
    return own
