"""The solver's policies by trying every assignment, in the contract's words and with nothing of the
product's policies: gun by gun, module by module, pair by pair."""

from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import NamedTuple

from verified_alloc import Faults, Station

Pair = tuple[int, int]


class Best(NamedTuple):
    modules: dict[int, tuple[int, ...]]
    delivered_w: dict[int, int]
    operations: int


class Case(NamedTuple):
    """What is asked; demands in W by every gun."""

    station: Station
    demand_w: dict[int, int]
    faults: Faults
    current: dict[int, tuple[int, ...]]
    wear: dict[Pair, int]

    def closed(self) -> set[Pair]:
        return {(gun, module) for gun, modules in self.current.items() for module in modules}

    def order(self) -> list[int]:
        return sorted(self.demand_w, key=lambda gun: (-self.demand_w[gun], gun))

    def wanted_w(self, gun: int) -> int:
        return min(self.demand_w[gun], self.station.guns[gun - 1].max_power_w)

    def limit_binds(self) -> bool:
        """More is wanted by guns in service than the site limit."""
        limit_w = self.station.site_limit_w
        wanted_w = sum(self.wanted_w(gun) for gun in self.demand_w if gun not in self.out())
        return limit_w is not None and wanted_w > limit_w

    def power_w(self, modules: tuple[int, ...]) -> int:
        return sum(self.station.modules[module - 1].power_w for module in modules)

    def welds(self) -> dict[int, set[int]]:
        """The guns that a module is welded to."""
        welds: dict[int, set[int]] = {}
        for gun, module in self.faults.welded:
            welds.setdefault(module, set()).add(gun)
        return welds

    def dead(self) -> set[int]:
        """The modules that serve nobody."""
        joining = {module for module, guns in self.welds().items() if len(guns) > 1}
        return set(self.faults.modules) | joining

    def out(self) -> set[int]:
        """The guns that are out of service."""
        on_dead = (guns for module, guns in self.welds().items() if module in self.dead())
        return set(self.faults.guns).union(*on_dead)

    def reach(self) -> dict[int, set[int]]:
        """The modules of each gun that is in service."""
        faults, welds, dead, out = self.faults, self.welds(), self.dead(), self.out()
        reach: dict[int, set[int]] = {gun: set() for gun in self.demand_w}
        for gun, module in self.station.contactors:
            welded_elsewhere = module in welds and gun not in welds[module]
            broken = module in dead or (gun, module) in faults.failed_open or welded_elsewhere
            if not broken and gun not in out:
                reach[gun].add(module)
        return reach


def need_alone(case: Case, gun: int, reach: set[int]) -> int:
    """The fewest of these modules whose power reaches what the gun wants, else all of them."""
    for count in range(len(reach)):
        if any(case.power_w(some) >= case.wanted_w(gun) for some in combinations(reach, count)):
            return count
    return len(reach)


def assignments(case: Case) -> Iterator[dict[int, tuple[int, ...]]]:
    """Every way to put modules on guns that have demand and a contactor for them."""
    reach = case.reach()
    modules = [module.id for module in case.station.modules]
    holders = [
        [0, *(gun for gun in reach if module in reach[gun] and case.demand_w[gun] > 0)]
        for module in modules
    ]
    for on in product(*holders):
        held: dict[int, list[int]] = {gun: [] for gun in case.demand_w}
        for module, gun in zip(modules, on, strict=True):
            if gun:
                held[gun].append(module)
        yield {gun: tuple(row) for gun, row in held.items()}


def bounds_w(case: Case, held: dict[int, tuple[int, ...]]) -> dict[int, tuple[int, int]] | None:
    """The least and the most that each gun may be delivered by the guard's conditions (4) and (6);
    None if there is no such power, or not within the site limit."""
    bounds = {}
    for gun, modules in held.items():
        most_w = min(case.wanted_w(gun), case.power_w(modules))
        least_w = case.power_w(modules[:-1]) + 1 if modules else 0
        least_w = max(least_w, min(case.station.policy.minimum_power_w, most_w))
        if least_w > most_w:
            return None
        bounds[gun] = least_w, most_w
    limit_w = case.station.site_limit_w
    if limit_w is not None and sum(least_w for least_w, _ in bounds.values()) > limit_w:
        return None
    return bounds


def guaranteed_first(
    case: Case, bounds: dict[int, tuple[int, int]], guaranteed_w: dict[int, int]
) -> dict[int, tuple[int, int]]:
    """The same bounds where nobody is delivered more than its guaranteed modules can give it as
    long as another is delivered less."""
    limit_w = case.station.site_limit_w
    if limit_w is None or not case.limit_binds():
        return bounds
    enough = {
        gun: max(least_w, min(most_w, guaranteed_w[gun]))
        for gun, (least_w, most_w) in bounds.items()
    }
    if sum(enough.values()) <= limit_w:
        return {gun: (enough[gun], most_w) for gun, (_, most_w) in bounds.items()}
    return {gun: (least_w, enough[gun]) for gun, (least_w, _) in bounds.items()}


def in_order(case: Case, bounds: dict[int, tuple[int, int]]) -> dict[int, int]:
    """The largest powers, gun by gun, that leave the later guns their least."""
    left_w = sum(most_w for _, most_w in bounds.values())
    if case.station.site_limit_w is not None:
        left_w = min(left_w, case.station.site_limit_w)
    kept_w = sum(least_w for least_w, _ in bounds.values())
    given = {}
    for gun in case.order():
        least_w, most_w = bounds[gun]
        kept_w -= least_w
        given[gun] = min(most_w, left_w - kept_w)
        left_w -= given[gun]
    return given


def levelled(case: Case, bounds: dict[int, tuple[int, int]]) -> dict[int, int]:
    """The powers whose sorted list is the largest: raised together as far as the limit goes, what
    is then left to the first in order."""
    limit_w = case.station.site_limit_w
    if limit_w is None or sum(most_w for _, most_w in bounds.values()) <= limit_w:
        return {gun: most_w for gun, (_, most_w) in bounds.items()}

    def at(level_w: int) -> dict[int, int]:
        return {gun: min(max(level_w, low), high) for gun, (low, high) in bounds.items()}

    low, high = 0, limit_w + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if sum(at(middle).values()) <= limit_w else (low, middle)
    given, higher = at(low), at(low + 1)
    left_w = limit_w - sum(given.values())
    for gun in case.order():
        if left_w and higher[gun] > given[gun]:
            given[gun] += 1
            left_w -= 1
    return given


def best(case: Case) -> dict[str, Best]:
    """The answer of each of the solver's policies."""
    reach, order, closed = case.reach(), case.order(), case.closed()
    demanding = [gun for gun in order if case.demand_w[gun] > 0]
    minimum = case.station.policy.minimum_modules
    least = {gun: min(minimum, need_alone(case, gun, reach[gun])) for gun in demanding}
    guaranteed_w = dict.fromkeys(case.demand_w, 0)
    for gun, count in least.items():
        powers_w = [case.power_w(some) for some in combinations(reach[gun], count)]
        guaranteed_w[gun] = min(case.wanted_w(gun), max(powers_w))
    obeys = set(case.station.contactors) - case.faults.welded - case.faults.failed_open
    found: dict[str, tuple[tuple[object, ...], Best]] = {}
    for held in assignments(case):
        bounds = bounds_w(case, held)
        if bounds is None:
            continue
        guaranteed = [min(len(held[gun]), least[gun]) for gun in demanding]
        pairs = {(gun, module) for gun, modules in held.items() for module in modules}
        moved = (pairs ^ closed) & obeys
        ending = (
            len(pairs),
            len(moved),
            sum(case.wear.get(pair, 0) for pair in moved),
            [held[gun] for gun in order],
        )
        counts = [-count for count in sorted(guaranteed)], [-count for count in guaranteed]
        if minimum:
            bounds = guaranteed_first(case, bounds, guaranteed_w)
        by_order, by_level = in_order(case, bounds), levelled(case, bounds)
        for policy, given, objective in (
            ("priority", by_order, ()),
            ("max-power", by_order, (-sum(by_order.values()),)),
            (
                "fair",
                by_level,
                (
                    [-power_w for power_w in sorted(by_level[gun] for gun in demanding)],
                    -sum(by_level.values()),
                ),
            ),
        ):
            powered_w = sum(min(given[gun], guaranteed_w[gun]) for gun in demanding)
            first = (*counts, -powered_w) if case.limit_binds() else counts
            key = (*first, *objective, [-given[gun] for gun in order], *ending)
            if policy not in found or key < found[policy][0]:
                found[policy] = key, Best(held, given, len(moved))
    return {policy: answer for policy, (_, answer) in found.items()}


def some_case(seed: int, most_guns: int = 4, most_modules: int = 6) -> Case:
    """A small random station, with what is asked of it and how it stands."""
    import random

    draw = random.Random(f"case {seed}")
    guns, modules = draw.randint(1, most_guns), draw.randint(1, most_modules)
    size_kw = draw.choice([20, 30, 40])
    tables: dict[str, Mapping[str, object] | list[Mapping[str, object]]] = {
        "station": {
            "guns": guns,
            "modules": modules,
            "module_power_kw": size_kw,
            "gun_max_power_kw": draw.choice([50, 100, 240]),
        }
        | ({"site_limit_kw": draw.randint(20, 200)} if draw.random() < 0.35 else {}),
        "policy": {
            "minimum_modules": draw.choice([0, 0, 1, 2, 3]),
            "minimum_power_kw": draw.choice([0, 1, 1, 7.5, 30]),
        },
        "matrix": {"kind": draw.choice(["full", "ring", "half"])},
    }
    if draw.random() < 0.35:
        reach = {
            str(gun): sorted(draw.sample(range(1, modules + 1), draw.randint(1, modules)))
            for gun in range(1, guns + 1)
        }
        tables["matrix"] = {"kind": "list", "reach": reach}
    if draw.random() < 0.5:
        tables["module"] = [
            {"id": module, "power_kw": draw.choice([10, 20, 35, 40])}
            for module in range(1, modules + 1)
            if draw.random() < 0.6
        ]
    if draw.random() < 0.3:
        tables["gun"] = [{"id": draw.randint(1, guns), "max_power_kw": draw.choice([30, 70])}]
    station = Station.from_tables(tables)
    pairs = list(station.contactors)
    wishes_kw = [0, size_kw, 2 * size_kw, 3 * size_kw, size_kw + 1, 5, 55.5, 81]
    demand_w = {
        gun: int(1000 * draw.choice([*wishes_kw, draw.randint(0, 150)]))
        for gun in range(1, guns + 1)
    }
    if draw.random() < 0.5:
        faults = Faults()
    else:
        welded = {draw.choice(pairs) for _ in range(draw.choice([0, 1, 1, 2]))}
        open_ = {draw.choice(pairs) for _ in range(draw.choice([0, 1, 2]))} - welded
        faults = Faults(
            modules={draw.randint(1, modules)} if draw.random() < 0.3 else (),
            guns={draw.randint(1, guns)} if draw.random() < 0.15 else (),
            failed_open=open_,
            welded=welded,
        )
    current: dict[int, list[int]] = {}
    if draw.random() < 0.7:
        for module in range(1, modules + 1):
            holder = draw.choice([None, *(gun for gun, m in pairs if m == module)])
            if holder is not None:
                current.setdefault(holder, []).append(module)
    worn = draw.random() < 0.5
    wear = {pair: draw.randint(0, 5) for pair in pairs if worn and draw.random() < 0.8}
    return Case(station, demand_w, faults, {gun: tuple(row) for gun, row in current.items()}, wear)
