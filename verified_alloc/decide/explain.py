"""Why every gun got what it got, in sentences.

Replays an allocation gun by gun, in the order in which the guns were served, and says what each
asked for, needed and found.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal

from verified_alloc.decide import demand
from verified_alloc.decide.allocate import KEPT, Allocation, allocate
from verified_alloc.decide.demand import Asked
from verified_alloc.decide.policies import conflict
from verified_alloc.decide.policies.problem import NO_FAULTS, Problem
from verified_alloc.decide.steady import spare
from verified_alloc.kernel import ops, rule
from verified_alloc.station.faults import Faults, usable_after
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Feeder
from verified_alloc.words import count, kilowatts, listed, modules

PREFERS = {
    "priority": "by priority the higher demand comes first",
    "max-power": "by max-power the total comes first, then the higher demand",
    "fair": "by fair the smallest powers come first, then the total, then the higher demand",
}
"""Why a policy of the solver leaves it so."""


@dataclass(frozen=True)
class Reason:
    """Why one gun got what it got. Powers in W, modules by number."""

    gun: int
    demand_w: int
    maximum_w: int
    served: int | None
    """Its place in the order, 1 = first; None if it asks for nothing or is out of service."""
    needs: int
    """The modules it needs, of those it can use, lowest number first; all, if they do not do."""
    found: tuple[int, ...]
    """The modules it can use that those served before it had left."""
    modules: tuple[int, ...]
    delivered_w: int
    unmet_w: int
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """An allocation with the reason for each gun, and sentences about the station."""

    allocation: Allocation
    guns: dict[int, Reason]
    station: tuple[str, ...]


def explain(
    station: Station,
    demands: Mapping[int, float | Decimal],
    policy: str = "documented",
    current: Mapping[int, Iterable[int]] | None = None,
    faults: Faults = NO_FAULTS,
) -> Explanation:
    """What `allocate` answers to the same arguments, and why; `BadInput` as there."""
    allocation = allocate(station, demands, policy, current, faults)
    return reasons(station, demand.from_kilowatts(station, demands), faults, allocation)


def reasons(
    station: Station,
    asked: Asked,
    faults: Faults,
    allocation: Allocation,
    out_of_service: Collection[int] = (),
    limited: Collection[int] = (),
) -> Explanation:
    """Why this allocation came out, for what was asked with these faults; modules that somebody
    has taken out of service are among the faults, and said to be that. `limited` guns ask for more,
    and what is asked is the limit of their own."""
    guns: dict[int, Reason] = {}
    before: list[int] = []
    for gun in asked.order:
        guns[gun] = _reason(
            station, asked, faults, allocation, gun, before, out_of_service, gun in limited
        )
        if guns[gun].served is not None:
            before.append(gun)
    ordered = {gun.id: guns[gun.id] for gun in station.guns}
    return Explanation(allocation, ordered, tuple(_about_station(station, faults, allocation)))


def _reason(
    station: Station,
    asked: Asked,
    faults: Faults,
    allocation: Allocation,
    gun: int,
    before: Sequence[int],
    out_of_service: Collection[int],
    limited: bool,
) -> Reason:
    left = usable_after(station, faults)
    demand_w, maximum_w = asked.demand_w[gun - 1], station.gun_max_w[gun - 1]
    wanted_w = min(demand_w, maximum_w)
    limit_left_w = station.limit_w - sum(allocation.delivered_w[other] for other in before)
    usable = [number for number, can in enumerate(left.usable[gun - 1], start=1) if can]
    taken = {module for other in before for module in allocation.modules[other]}
    found = tuple(module for module in usable if module not in taken)
    grant_w = rule.grant(ops, wanted_w, limit_left_w, station.policy.minimum_power_w)
    needs = rule.need(ops, grant_w, [station.module_power_w[module - 1] for module in usable])
    held, delivered_w = allocation.modules[gun], allocation.delivered_w[gun]

    sentences = [_asks(gun, demand_w, maximum_w, limited)]
    if demand_w > 0 and not left.in_service[gun - 1]:
        sentences += [*_out(station, faults, gun), "It gets nothing."]
    elif demand_w > 0 and allocation.policy in PREFERS:
        sentences += _in_the_way(station, faults, gun, out_of_service, delivered_w < wanted_w)
        sentences.append(_gets(held, delivered_w, wanted_w))
        left_w = station.limit_w - sum(allocation.delivered_w.values())
        if not held and 0 < left_w < min(wanted_w, station.policy.minimum_power_w):
            sentences.append(_limit_leaves(station, left_w, wanted_w))
        sentences += _why_no_more(station, asked, faults, allocation, gun)
    elif demand_w > 0 and allocation.policy == KEPT:
        sentences.append(_gets(held, delivered_w, wanted_w))
    elif demand_w > 0:
        sentences.append(_served_after(before, allocation))
        if limit_left_w < wanted_w:
            sentences.append(_limit_leaves(station, limit_left_w, wanted_w))
        if grant_w > 0:
            sentences.append(_needs(station, usable, needs, grant_w))
        sentences += _in_the_way(station, faults, gun, out_of_service, delivered_w < grant_w)
        if grant_w > 0:
            sentences.append(_found(usable, found, taken))
        if delivered_w < grant_w:
            sentences += _feeders_leave(station, allocation, before, set(found) - set(held))
        sentences.append(_gets(held, delivered_w, wanted_w))
    if spared := spare(station, held, demand_w):
        it = "it" if len(spared) == 1 else "them"
        sentences.append(
            f"It could do without {modules(spared)} and keeps {it} for a while, unless somebody"
            f" needs {it} after the dwell."
        )
    return Reason(
        gun=gun,
        demand_w=demand_w,
        maximum_w=maximum_w,
        served=len(before) + 1 if demand_w > 0 and left.in_service[gun - 1] else None,
        needs=needs,
        found=found,
        modules=held,
        delivered_w=delivered_w,
        unmet_w=allocation.unmet_w[gun],
        sentences=tuple(sentences),
    )


def _why_no_more(
    station: Station, asked: Asked, faults: Faults, allocation: Allocation, gun: int
) -> list[str]:
    """What cannot be had together with more for a gun that a solver's policy leaves short."""
    problem = Problem(station, asked, faults)
    counts = {other - 1: len(held) for other, held in allocation.modules.items()}
    delivered_w = {other - 1: power_w for other, power_w in allocation.delivered_w.items()}
    sentences = []
    if counts[gun - 1] < problem.guaranteed[gun - 1]:
        against = conflict.of_guarantee(problem, counts, gun - 1)
        wish = f"The {count(problem.guaranteed[gun - 1])} that it is to have at least"
        sentences.append(_conflict(problem, allocation, gun, wish, against))
    if allocation.unmet_w[gun]:
        against = conflict.of_power(problem, delivered_w, gun - 1)
        sentences.append(_conflict(problem, allocation, gun, "More for it", against))
        if against.guns:
            why = PREFERS[allocation.policy]
            if any(problem.guaranteed.values()):
                why = f"guaranteed modules come before all, one for everybody first; {why}"
            sentences.append(f"{why[0].upper()}{why[1:]}.")
    return sentences


def _conflict(
    problem: Problem, allocation: Allocation, gun: int, wish: str, against: conflict.Conflict
) -> str:
    """Those that cannot be had together, in a sentence."""
    guns = [gun, *(other + 1 for other in against.guns)]
    rows = [usable_after(problem.station, problem.faults).usable[other - 1] for other in guns]
    usable = [m for m, can in enumerate(zip(*rows, strict=True), start=1) if any(can)]
    limits = [_site_limit(problem.station)] if against.within_limit else []
    limits += map(_feeder, problem.station.feeders) if against.within_feeders else []
    limit = listed(limits).removesuffix(",") if limits else ""
    if not against.guns:
        what = limit or f"{modules(usable)}, all that it can use"
        return f"{wish} cannot be had of {what}."
    those = listed(f"gun {other} ({modules(allocation.modules[other])})" for other in guns[1:])
    reason = f"{modules(usable)} are all that they can use"
    if limits:
        reason += f", within {limit}"
    return f"{wish} cannot be had together with what {those} {_has(guns[1:])}: {reason}."


def _has(guns: Sequence[int]) -> str:
    return "has" if len(guns) == 1 else "have"


def _asks(gun: int, demand_w: int, maximum_w: int, limited: bool) -> str:
    if limited:
        counts = f"of {kilowatts(demand_w)}, and that is what counts"
        if demand_w == 0:
            counts = "of 0 kW, and gets nothing"
        return f"Gun {gun} asks for more than its own limit {counts}."
    if demand_w == 0:
        return f"Gun {gun} asks for nothing and gets nothing."
    if demand_w > maximum_w:
        return (
            f"Gun {gun} asks for {kilowatts(demand_w)}, more than its maximum, and is given at most"
            f" that, {kilowatts(maximum_w)}."
        )
    return f"Gun {gun} asks for {kilowatts(demand_w)}."


def _out(station: Station, faults: Faults, gun: int) -> list[str]:
    """Why a gun is out of service."""
    sentences = []
    if gun in faults.guns:
        sentences.append("It is out of service.")
    for module in station.matrix.reach[gun - 1]:
        if (gun, module) not in faults.welded:
            continue
        welded = _welded_to(faults, module)
        if len(welded) > 1:
            others = listed(f"gun {other}" for other in welded if other != gun)
            sentences.append(
                f"PM{module} is welded to it and to {others}: they are joined, and none of them"
                " can be served."
            )
        elif module in faults.modules:
            sentences.append(f"PM{module} has failed and is welded to it, so it cannot be served.")
    return sentences


def _served_after(before: Sequence[int], allocation: Allocation) -> str:
    if not before:
        return "It is served first."
    guns = listed(f"gun {gun} ({modules(allocation.modules[gun])})" for gun in before)
    return f"Served before it: {guns}."


def _limit_leaves(station: Station, left_w: int, wanted_w: int) -> str:
    useful_w = min(wanted_w, station.policy.minimum_power_w)
    useless = f", less than is of use, {kilowatts(useful_w)}" if 0 < left_w < useful_w else ""
    limit = _site_limit(station)
    return f"{limit[0].upper()}{limit[1:]} leaves {kilowatts(left_w)} for it{useless}."


def _feeders_leave(
    station: Station, allocation: Allocation, before: Sequence[int], passed: Set[int]
) -> list[str]:
    """What the feeders of the modules that a gun passed by have left for it."""
    sentences = []
    for feeder in station.feeders:
        shares_w = (
            sum(
                station.module_power_w[m - 1]
                for m in {*allocation.modules[gun]} & {*feeder.modules}
            )
            for gun in before
        )
        given_w = sum(map(min, shares_w, (allocation.delivered_w[gun] for gun in before)))
        if passed & {*feeder.modules}:
            left = kilowatts(feeder.limit_w - given_w)
            sentences.append(f"Of {_feeder(feeder)} {left} is left for it.")
    return sentences


def _site_limit(station: Station) -> str:
    """Of the grid, and what that is for the guns."""
    assert station.site_limit_w is not None  # there is one to be spoken of
    limit = f"the site limit of {kilowatts(station.site_limit_w)}"
    of_dc = f", {kilowatts(station.limit_w)} of DC,"
    return limit if station.limit_w == station.site_limit_w else limit + of_dc


def _feeder(feeder: Feeder) -> str:
    return f"the limit of {kilowatts(feeder.limit_w)} that {modules(feeder.modules)} share"


def _needs(station: Station, usable: Sequence[int], needs: int, grant_w: int) -> str:
    powers_w = [station.module_power_w[module - 1] for module in usable]
    if sum(powers_w) < grant_w:
        return (
            f"{kilowatts(grant_w)} is more than all {count(len(usable))} that it can use give,"
            f" {kilowatts(sum(powers_w))}."
        )
    if len(set(powers_w)) == 1:
        return f"It needs {count(needs)} of {kilowatts(powers_w[0])} for {kilowatts(grant_w)}."
    return (
        f"It needs {count(needs)} for {kilowatts(grant_w)}, lowest number first:"
        f" {modules(usable[:needs])}."
    )


def _in_the_way(
    station: Station, faults: Faults, gun: int, out_of_service: Collection[int], short: bool
) -> list[str]:
    """The faults within its reach; where it falls short, also what it does not reach."""
    sentences = []
    reach = station.matrix.reach[gun - 1]
    out = [module for module in reach if module in faults.modules]
    failed = [module for module in out if module not in out_of_service]
    if failed:
        sentences.append(f"{modules(failed)} {'has' if len(failed) == 1 else 'have'} failed.")
    if taken_out := [module for module in out if module in out_of_service]:
        verb = "is" if len(taken_out) == 1 else "are"
        sentences.append(f"{modules(taken_out)} {verb} out of service.")
    for module in reach:
        welded = _welded_to(faults, module)
        if (gun, module) in faults.failed_open:
            sentences.append(f"Its contactor to PM{module} has failed open.")
        if welded == [gun]:
            sentences.append(f"PM{module} is welded to it and serves no other gun.")
        elif len(welded) > 1:
            guns = listed(f"gun {other}" for other in welded)
            sentences.append(f"PM{module} is welded to {guns} and serves nobody.")
        elif welded and module not in faults.modules:
            sentences.append(f"PM{module} is welded to gun {welded[0]} and serves only that gun.")
    beyond = [module.id for module in station.modules if not station.has(gun, module.id)]
    if short and beyond:
        sentences.append(f"It has no contactor to {modules(beyond)}.")
    return sentences


def _found(usable: Sequence[int], found: Sequence[int], taken: Iterable[int]) -> str:
    if not usable:
        return "No module is left that it can use."
    if not set(usable) & set(taken):
        return f"It finds all modules that it can use free: {modules(found)}."
    if not found:
        return f"Of the {count(len(usable))} that it can use none is left."
    verb = "is" if len(found) == 1 else "are"
    return f"Of the {count(len(usable))} that it can use {modules(found)} {verb} left."


def _gets(held: Sequence[int], delivered_w: int, wanted_w: int) -> str:
    if not held:
        return "It gets nothing."
    whole = "all it can have" if delivered_w == wanted_w else "short by "
    missing = "" if delivered_w == wanted_w else kilowatts(wanted_w - delivered_w)
    return f"It takes {modules(held)} and gets {kilowatts(delivered_w)}, {whole}{missing}."


def _about_station(station: Station, faults: Faults, allocation: Allocation) -> list[str]:
    sentences = []
    if station.site_limit_w is not None:
        total_w = sum(allocation.delivered_w.values())
        sentences.append(f"{kilowatts(total_w)} of {_site_limit(station)} is given.")
    if allocation.policy == KEPT:
        sentences.append("A solver is at work; until it answers no module comes to a gun.")
    elif allocation.idle_modules:
        why = "every gun that could use them has all it may have"
        if station.kernel_feeders:
            why += ", or nobody can use what their limit leaves"
        verb = "idles" if len(allocation.idle_modules) == 1 else "idle"
        sentences.append(f"{modules(allocation.idle_modules)} {verb}: {why}.")
    held = {module for row in allocation.modules.values() for module in row}
    dead = [m.id for m in station.modules if m.id not in held | set(allocation.idle_modules)]
    if dead:
        sentences.append(f"{modules(dead)} can serve no gun.")
    if allocation.fallback_from is not None:
        sentences.append(
            f"The policy {allocation.fallback_from} had no answer ({allocation.fallback_reason});"
            f" this is {allocation.policy}."
        )
    return sentences


def _welded_to(faults: Faults, module: int) -> list[int]:
    return sorted(gun for gun, welded in faults.welded if welded == module)
