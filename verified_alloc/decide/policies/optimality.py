"""Shows an allocation optimal, or refutes it, whoever made it and without a solver.

For modules of equal power, where the numbers of modules that the guns can have at a time form an
integer polymatroid: an allocation is optimal exactly if none of its single exchanges improves it.
This shares with the methods that find allocations only what the question is.
"""

from collections.abc import Mapping, Sequence
from itertools import compress

from verified_alloc.decide.policies.problem import Problem
from verified_alloc.kernel.rule import Choice

IDLE = -1
"""In place of a gun: on none."""


def is_optimal(problem: Problem, policy: str, choice: Choice) -> bool | None:
    """Whether an allocation that the guard accepts reaches the best of every objective of a policy
    (the labels aside, which only choose among equals). None where that is not decided: modules of
    unequal power, a site limit that binds, but for plain `priority`, and with feeders what is not
    the best without them."""
    power_w = problem.equal_w
    if power_w is None:
        return True if not problem.reach else None
    counts = {gun: sum(choice.held[gun]) for gun in problem.order}
    plain = policy == "priority" and not any(problem.guaranteed.values())
    bound = problem.station.kernel_feeders or (problem.limit_binds and not plain)
    undecided = None if bound else False
    left_w = problem.limit_w
    short: list[int] = []
    for gun in problem.order:
        delivered_w, may_have_w = choice.delivered_w[gun], problem.wanted_w[gun]
        if plain:
            may_have_w = problem.grant_w(gun, left_w)
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
    givers = _givers(problem, holder) if short else {}
    for taker in short:
        from_whom = givers[taker]
        if from_whom & 1:
            return undecided
        for giver in problem.order:
            if from_whom & 2 << giver and _is_better(
                problem, policy, power_w, counts, taker, giver
            ):
                return undecided
    return undecided if _moves_cheaper(problem, holder) else True


def _givers(problem: Problem, holder: Sequence[int]) -> dict[int, int]:
    """By gun, all those that could give up a module so that, by exchanges in which every other gun
    keeps its number, this gun has one more: bit 0 for modules on no gun, bit n + 1 for gun n."""
    givers = dict.fromkeys(problem.order, 0)
    for guns, modules in problem.reach:
        holders = 0
        for module in modules:
            holders |= 1 << holder[module] + 1
        for gun in guns:
            givers[gun] |= holders
    for through in problem.order:
        further, bit = givers[through], 2 << through
        for gun, mask in givers.items():
            if mask & bit:
                givers[gun] = mask | further
    return givers


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
    if gains and counts[taker] + 1 != counts[giver]:
        return counts[taker] + 1 < counts[giver]
    if not gains:
        taker_w, giver_w = counts[taker] * power_w, (counts[giver] - 1) * power_w
        gain_w = min(wanted_w[taker] - taker_w, power_w)
        loss_w = min(wanted_w[giver] - giver_w, power_w)
        if policy == "max-power" and gain_w != loss_w:
            return gain_w > loss_w
        if policy == "fair":
            had, has = sorted((taker_w, giver_w + loss_w)), sorted((taker_w + gain_w, giver_w))
            if had != has:
                return has > had
    return problem.place[taker] < problem.place[giver]


def _moves_cheaper(problem: Problem, holder: Sequence[int]) -> bool:
    """There is a ring of exchanges, each gun keeping its number of modules, that costs less."""
    edges = _exchanges(problem, holder)
    best = dict.fromkeys([IDLE, *problem.order], 0)
    fallen = set(best)
    for _ in best:
        givers, fallen = fallen, set()
        for giver in givers:
            start = best[giver]
            for taker, added in edges.get(giver, {}).items():
                if start + added < best[taker]:
                    best[taker] = start + added
                    fallen.add(taker)
        if not fallen:
            return False
    return True


def _exchanges(problem: Problem, holder: Sequence[int]) -> dict[int, dict[int, int]]:
    """What it costs at least that a module goes from one to another, by giver and taker: dwelling
    modules count more than operations, these more than wear."""
    of_wear = 1 + 2 * sum(problem.wear.values())
    own = _own_costs(problem, of_wear, of_wear * (1 + 2 * len(holder)))
    if not own:
        return {}  # each gun pays the same for any module, and a ring leaves it as many
    edges: dict[int, dict[int, int]] = {giver: {} for giver in (IDLE, *problem.order)}
    for guns, modules in problem.reach:
        closing = {IDLE: 0} | dict.fromkeys(guns, of_wear)
        seen = set()
        for module in modules:
            giver, special = holder[module], own.get(module, {})
            key = giver, *special.items()
            if key in seen:
                continue
            seen.add(key)
            costs = closing.copy()
            for gun, cost in special.items():
                if gun in costs:
                    costs[gun] = cost
            back = costs[giver]
            takers = edges[giver]
            for taker, cost in costs.items():
                if taker not in takers or cost - back < takers[taker]:
                    takers[taker] = cost - back
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
