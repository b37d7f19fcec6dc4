"""A backstop without a solver: the shipped rule, run on plain numbers over its whole domain.

With equal modules and a full matrix it sees of a demand only how many modules it needs, so all need
vectors (in serving order) times all availabilities are all there is. What it must give is computed
from the original listing, with slices and division. On every station, random points are compared
with the rule as written, gun by gun.
"""

import functools
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement, product
from typing import Any

import z3

from proofs.algebras import z3_terms
from proofs.lemmas.rule_inputs import Scene, any_matrix, columns, equal, judged, kw, numbers
from proofs.obligation import PROVED, Claim, Obligation
from verified_alloc.kernel import guard, ops, rule
from verified_alloc.station.model import Station

PARTS = 4
POINTS = 100_000
AGREEING = 200
LARGEST = 600_000
"""More cases than this (the reference has 473,088) are a task for the solver alone."""


def listing(
    demand_w: Sequence[int], available: Sequence[int], power_w: int, maximum_w: int
) -> list[list[int]]:
    """The documented listing with an exact ceiling: the modules of each gun, in serving order."""
    free = list(available)
    given = []
    for demand in demand_w:
        number = 0
        if demand > 0:
            number = max(1, -(-min(demand, maximum_w) // power_w))
        given.append(free[:number])
        free = free[number:]
    return given


def as_written(
    order: Sequence[int],
    demand_w: Sequence[int],
    maximum_w: Sequence[int],
    power_w: Sequence[int],
    usable: Sequence[Sequence[bool]],
    limit_w: int,
    minimum_w: int,
) -> tuple[list[list[bool]], list[int]]:
    """The rule of the design for any station: lowest-numbered free reachable modules until their
    power reaches the grant, which is useful or nothing."""
    taken: set[int] = set()
    held = [[False] * len(power_w) for _ in demand_w]
    given = [0] * len(demand_w)
    for gun in order:
        wanted = min(demand_w[gun], maximum_w[gun])
        grant = min(wanted, limit_w - sum(given))
        if grant < wanted and grant < minimum_w:
            grant = 0
        mine: list[int] = []
        for module, can in enumerate(usable[gun]):
            if can and module not in taken and sum(power_w[m] for m in mine) < grant:
                mine.append(module)
        taken.update(mine)
        for module in mine:
            held[gun][module] = True
        given[gun] = max(0, min(grant, sum(power_w[m] for m in mine)))
    return held, given


def abstract_domain(station: Station) -> bool:
    """Full matrix, guns and modules of one size, and not too many."""
    guns, modules = len(station.guns), len(station.modules)
    if station.matrix.kind != "full" or not equal(station.module_power_w):
        return False
    return equal(station.gun_max_w) and _cases(guns, modules, _most(station)) <= LARGEST


def _most(station: Station) -> int:
    """The most modules that a gun needs."""
    return min(len(station.modules), -(-station.gun_max_w[0] // station.module_power_w[0]))


def _cases(guns: int, modules: int, most: int) -> int:
    vectors = 1
    for k in range(1, guns + 1):
        vectors = vectors * (most + k) // k
    return int(vectors * 2**modules)


def part(number: int) -> Callable[[Station], Claim]:
    """A quarter of the availabilities, with all need vectors."""

    def claim(station: Station) -> Claim:
        fault = next(_disagreements(station, number), None)
        return Claim((), fault is None, lambda model: str(fault))

    return claim


def _disagreements(station: Station, number: int) -> Iterator[str]:
    guns, modules = len(station.guns), len(station.modules)
    power_w, maximum_w = station.module_power_w[0], station.gun_max_w[0]
    masks = list(product((True, False), repeat=modules))[number::PARTS]
    vectors = list(combinations_with_replacement(range(_most(station), -1, -1), guns))
    for n, needs in enumerate(vectors):
        # Both ends of what needs that many modules, in turns; the highest need has no upper end.
        demand_w = [
            0 if need == 0 else (need - 1) * power_w + 1 if (n + g) % 2 else need * power_w
            for g, need in enumerate(needs)
        ]
        demand_w = sorted(demand_w, reverse=True)
        if n % 3 == 0 and demand_w[0] >= maximum_w:
            demand_w[0] = 10**9
        for mask in masks:
            choice = rule.documented(
                ops,
                range(guns),
                demand_w,
                station.gun_max_w,
                station.module_power_w,
                [mask] * guns,
                guns * maximum_w,
                n,
            )
            available = [m for m, there in enumerate(mask) if there]
            expected = listing(demand_w, available, power_w, maximum_w)
            held = [[m for m, bit in enumerate(row) if bit] for row in choice.held]
            given = [
                min(d, maximum_w, len(e) * power_w) for d, e in zip(demand_w, expected, strict=True)
            ]
            if held != expected or choice.delivered_w != given:
                yield _shown(demand_w, choice, mask, f"the listing gives {expected} (from 0)")


def _shown(demand_w: Sequence[int], choice: rule.Choice, mask: Sequence[bool], wrong: str) -> str:
    rows = [("gun", "demand kW", "given kW", "modules")]
    for gun, row in enumerate(choice.held):
        figures = (kw(demand_w[gun]), kw(choice.delivered_w[gun]))
        rows.append((str(gun + 1), *figures, numbers(row)))
    return f"{columns(rows)}\nusable: {numbers(mask)}; {wrong}"


def random_points(number: int) -> Callable[[Station], Claim]:
    """Random demands, faults, limits and orders on this station: the rule against the rule as
    written, and the guard on what it gives. A quarter of the points."""

    def claim(station: Station) -> Claim:
        fault = next(_differences(station, random.Random(number)), None)
        return Claim((), fault is None, lambda model: str(fault))

    return claim


def _differences(station: Station, chance: random.Random) -> Iterator[str]:
    guns = range(len(station.guns))
    powers = station.module_power_w
    exists = station.grid(station.contactors)
    edges = [0, 1, *[sum(powers[:n]) + d for n in range(1, len(powers) + 1) for d in (-1, 0, 1)]]
    for _ in range(POINTS // PARTS):
        demand_w = [
            chance.choice(edges) if chance.random() < 0.6 else chance.randrange(300_000)
            for _ in guns
        ]
        healthy = chance.choice((0.5, 0.9, 1.0))
        usable = [[there and chance.random() < healthy for there in row] for row in exists]
        limit = sum(station.gun_max_w)
        if chance.random() < 0.3:
            limit = chance.randrange(limit)
        minimum = chance.choice((0, 1000, 60_000))
        order = sorted(guns, key=lambda gun: (-demand_w[gun], gun))
        given = (order, demand_w, station.gun_max_w, powers, usable, limit, minimum)
        choice = rule.documented(ops, *given)
        verdict = guard.judge(
            ops,
            choice.held,
            choice.delivered_w,
            demand_w,
            station.gun_max_w,
            powers,
            usable,
            [True] * len(guns),
            limit,
            minimum,
        )
        is_sorted = guard.sorted_order(ops, order, demand_w)
        if tuple(choice) != as_written(*given) or not all(verdict) or not is_sorted:
            yield _shown(
                demand_w,
                choice,
                [True] * len(powers),
                f"{usable}, limit {limit}, least useful {minimum}, {verdict}",
            )


def algebras_agree(station: Station) -> Claim:
    """The theorems' terms, with numbers put in, against the plain run on these numbers."""
    scene = any_matrix(station, limited=True)
    choice = scene.choice(z3_terms)
    outputs: list[Any] = [bit for row in choice.held for bit in row]
    outputs += [*choice.delivered_w, *judged(z3_terms, scene, choice)]
    chance = random.Random(2)
    for _ in range(AGREEING):
        plain, values = _point(scene, chance)
        ours = plain.choice(ops)
        expected: list[Any] = [bit for row in ours.held for bit in row]
        expected += [*ours.delivered_w, *judged(ops, plain, ours)]
        same = z3.And(*[term == value for term, value in zip(outputs, expected, strict=True)])
        if not z3.is_true(z3.simplify(z3.substitute(same, *values))):
            return Claim((), False, functools.partial(_differs_at, plain))
    return Claim((), True)


def _differs_at(scene: Scene, model: Any) -> str:
    return f"The terms differ from the plain run at {scene}."


def _point(scene: Scene, chance: random.Random) -> tuple[Scene, list[tuple[Any, Any]]]:
    """A scene with plain values, and those values for the variables of the given one."""
    values: dict[Any, Any] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [plain(part) for part in value]
        if not z3.is_expr(value):
            return value
        number: Any = chance.random() < 0.8 if z3.is_bool(value) else chance.randrange(300_000)
        values[value] = z3.BoolVal(number) if z3.is_bool(value) else z3.IntVal(number)
        return number

    parts = [plain(part) for part in scene._replace(hypotheses=())]
    return Scene(*parts), list(values.items())


OBLIGATIONS: tuple[Obligation, ...] = (
    *[
        Obligation(
            f"enumeration.every-need-and-availability-{number + 1}",
            "Run on every vector of needs and every availability of modules, the rule gives what"
            f" the documented listing gives (part {number + 1} of {PARTS}).",
            ("rule.documented", "rule.take"),
            f"full matrix, guns and modules of one size, up to {LARGEST:,} cases",
            (),
            PROVED,
            0,
            part(number),
            abstract_domain,
        )
        for number in range(PARTS)
    ],
    *[
        Obligation(
            f"enumeration.random-points-{number + 1}",
            f"On {POINTS:,} random points with faults and site limits the rule gives what the"
            " design's text gives, and the guard accepts it"
            f" (part {number + 1} of {PARTS}).",
            ("rule.documented", "guard.judge", "guard.sorted_order"),
            "the station's own matrix and sizes",
            (),
            PROVED,
            0,
            random_points(number),
        )
        for number in range(PARTS)
    ],
    Obligation(
        "enumeration.algebras-agree",
        f"On {AGREEING} random points the theorems' own terms come out as the plain run does.",
        ("rule.documented", "guard.judge", "ops.ite", "ops.and_", "ops.or_", "ops.not_"),
        "the station's own sizes, any matrix",
        (),
        PROVED,
        0,
        algebras_agree,
    ),
)
