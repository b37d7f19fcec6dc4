"""While modules dwell: what holds all the same, and what only once none does.

All that the guard checks holds at every moment, whoever decides: it is asked each time. So do the
properties of `rule.any-station`, which know no order in which modules are looked at. What is lost
meanwhile is shown here by examples that must be found.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, iff, implies, not_
from proofs.lemmas import rule_properties
from proofs.lemmas.rule_inputs import Property, Scene, any_matrix, in_model, on_the_reference, table
from proofs.obligation import PROVED, REFUTED, Claim, Obligation, obligation
from verified_alloc.kernel import dwell, invariants, ops, rule, switching
from verified_alloc.station.model import Station

BUDGET = 40_000_000
SHAPE = "any station of this size: every matrix and fault, any module powers above 0"


class Case(NamedTuple):
    """Which modules dwell where, and what the guns can use and want."""

    dwells: Any
    usable: Any
    wanted_w: Any
    power_w: Any

    @property
    def staying(self) -> list[list[Any]]:
        """The shipped function, gun by gun."""
        return [
            dwell.stays(z3_terms, dwells, usable, wanted_w, self.power_w)
            for dwells, usable, wanted_w in zip(
                self.dwells, self.usable, self.wanted_w, strict=True
            )
        ]

    @property
    def on_one_gun(self) -> list[Any]:
        """A module dwells on the gun that it feeds: on one."""
        return [z3_terms.count(column) <= 1 for column in zip(*self.dwells, strict=True)]


def case(station: Station) -> Case:
    """Everything free."""
    guns, modules = len(station.guns), len(station.modules)
    return Case(
        z3_terms.bools("dwells", guns, modules),
        z3_terms.bools("usable", guns, modules),
        z3_terms.ints("wanted", guns),
        z3_terms.ints("power", modules),
    )


def as_long_as_needed(station: Station) -> Claim:
    """For one gun: those below it that dwell there and can be used do not give what it wants."""
    modules = range(len(station.modules))
    of = case(station)
    dwells, usable, wanted_w = of.dwells[0], of.usable[0], of.wanted_w[0]
    row = dwell.stays(z3_terms, dwells, usable, wanted_w, of.power_w)
    there = [and_(dwells[m], usable[m]) for m in modules]
    given_w = [z3_terms.ite(there[m], of.power_w[m], 0) for m in modules]
    return Claim(
        tuple(power > 0 for power in of.power_w),
        and_(
            *[iff(row[m], and_(there[m], z3_terms.total(given_w[:m]) < wanted_w)) for m in modules]
        ),
        covers=(
            (
                "two stay, and one that dwells does not",
                and_(row[0], row[1], there[2], not_(row[2])),
            ),
        )
        if len(row) > 2
        else (),
    )


def left_to_its_gun(station: Station) -> Claim:
    """A gun can use what it could, but for what stays on another."""
    of = case(station)
    staying = of.staying
    left = dwell.left(z3_terms, of.usable, staying)
    guns, modules = range(len(station.guns)), range(len(station.modules))
    return Claim(
        tuple(of.on_one_gun),
        and_(
            *[
                iff(
                    left[g][m],
                    and_(of.usable[g][m], *[not_(staying[h][m]) for h in guns if h != g]),
                )
                for g in guns
                for m in modules
            ],
            *[implies(staying[g][m], left[g][m]) for g in guns for m in modules],
        ),
        covers=(("a module is left to its gun", and_(of.usable[0][0], not_(left[0][0]))),)
        if len(station.guns) > 1
        else (),
    )


def taken_first(station: Station) -> Claim:
    """One gun's turn, with the modules numbered as it looks at them: those that stay come first,
    in the order of their numbers, and are free for it (`dwell.left-to-its-gun`)."""
    modules = range(len(station.modules))
    of = case(station)
    dwells, usable, can = of.dwells[0], of.usable[0], z3_terms.bools("can", len(modules))
    demand_w, maximum_w, left_w, minimum_w = z3_terms.ints("turn", 4)
    wanted_w = rule.least(z3_terms, demand_w, maximum_w)
    staying = dwell.stays(z3_terms, dwells, usable, wanted_w, of.power_w)
    first = [implies(later, before) for before, later in pairwise(staying)]
    choice = rule.documented(
        z3_terms, [0], [demand_w], [maximum_w], of.power_w, [can], left_w, minimum_w
    )
    return Claim(
        (
            *[power > 0 for power in of.power_w],
            *first,
            *[implies(staying[m], can[m]) for m in modules],
            left_w >= wanted_w,
        ),
        and_(*[implies(staying[m], choice.held[0][m]) for m in modules]),
        covers=(
            (
                "one stays, and another is taken",
                and_(staying[0], not_(staying[1]), choice.held[0][1]),
            ),
        )
        if len(modules) > 1
        else (),
    )


def idle_only_if_met(station: Station) -> Claim:
    """From what its parts say of any allocation; nothing else is known of this one."""
    of = case(station)
    guns, modules = range(len(station.guns)), range(len(station.modules))
    held = z3_terms.bools("held", len(guns), len(modules))
    given_w, staying = z3_terms.ints("given", len(guns)), of.staying
    left = dwell.left(z3_terms, of.usable, staying)
    return Claim(
        (
            *of.on_one_gun,
            invariants.idle_only_if_met(z3_terms, held, given_w, of.wanted_w, left),
            *[implies(staying[g][m], held[g][m]) for g in guns for m in modules],
        ),
        invariants.idle_only_if_met(z3_terms, held, given_w, of.wanted_w, of.usable),
    )


def none_dwells(station: Station) -> Claim:
    """Then the rule is asked just what it would be asked without dwell."""
    of = case(station)
    nobody = of._replace(dwells=[[False] * len(row) for row in of.dwells])
    staying = nobody.staying
    left = dwell.left(z3_terms, of.usable, staying)
    return Claim(
        (),
        and_(
            *[not_(bit) for row in staying for bit in row],
            *[
                iff(one, other)
                for rows in zip(left, of.usable, strict=True)
                for one, other in zip(*rows, strict=True)
            ],
        ),
    )


def lost_meanwhile(gun: int, module: int, holds: Property) -> Callable[[Station], Claim]:
    """With everything healthy and one module dwelling, as the shipped functions decide: the
    property does not hold. Guns are numbered as they are served; -1 is the last."""

    def claim(station: Station) -> Claim:
        scene = any_matrix(station)
        healthy = [[True] * len(station.modules)] * len(station.guns)
        scene = scene._replace(usable=healthy)

        def decided(over: Any, scene: Scene) -> rule.Choice:
            dwells = [[False] * len(station.modules) for _ in station.guns]
            dwells[gun][module] = True
            looks_at = [list(range(len(station.modules))) for _ in station.guns]
            looks_at[gun].insert(0, looks_at[gun].pop(module))
            staying = [
                dwell.stays(over, row, healthy[0], granted_w, station.module_power_w)
                for row, granted_w in zip(dwells, scene.granted_w(over), strict=True)
            ]
            return rule.documented(
                over,
                scene.order,
                scene.demand_w,
                scene.gun_max_w,
                scene.module_power_w,
                dwell.left(over, healthy, staying),
                scene.limit_w,
                scene.minimum_w,
                looks_at,
            )

        def show(model: Any) -> str:
            plain = in_model(scene, model)
            choice = decided(ops, plain)
            return (
                f"PM{range(len(station.modules))[module] + 1} dwells on gun"
                f" {range(len(station.guns))[gun] + 1}.\n{table(plain, choice)}\n"
                f"Replayed on the shipped functions, {holds.__doc__} {holds(ops, plain, choice)}"
            )

        return Claim(
            (*scene.hypotheses, *_easy_to_read(scene)),
            z3.And(holds(z3_terms, scene, decided(z3_terms, scene))),
            show,
        )

    return claim


def _easy_to_read(scene: Scene) -> Sequence[Any]:
    tens = z3_terms.ints("tens of kW", len(scene.demand_w))
    return [
        *[demand == 10_000 * ten for demand, ten in zip(scene.demand_w, tens, strict=True)],
        *[demand >= 0 for demand in scene.demand_w],
        *[earlier >= later for earlier, later in pairwise(scene.demand_w)],
    ]


def _dwell(
    name: str,
    sentence: str,
    claim: Callable[[Station], Claim],
    proves: tuple[str, ...],
    domain: str = SHAPE,
    *,
    expected: str = PROVED,
    applies: Callable[[Station], bool] = lambda station: True,
) -> Obligation:
    if expected == REFUTED:
        claim, domain = on_the_reference(claim), f"{domain}; on the reference station"
    return Obligation(
        f"dwell.{name}", sentence, proves, domain, (), expected, BUDGET, claim, applies
    )


@obligation(
    "dwell.since-it-feeds",
    "dwell.fed_ms",
    "switching.live",
    domain=SHAPE + "; any ages, any readings",
)
def since_it_feeds(station: Station) -> Claim:
    """A module's time on its gun begins with the scan that finds it live there, grows as long as it
    feeds the same gun, and is none while it feeds nobody."""
    guns, modules = len(station.guns), len(station.modules)

    def feeding(when: str) -> list[Any]:
        seen = [plant.readings(f"{when} {m + 1}", guns) for m in range(modules)]
        return list(zip(*[switching.live(z3_terms, each) for each in seen], strict=True))

    now, was = feeding("now"), feeding("then")
    before_ms, elapsed_ms = z3_terms.ints("before", modules), z3.Int("elapsed_ms")
    after_ms = dwell.fed_ms(z3_terms, now, was, before_ms, elapsed_ms)

    def of_module(m: int) -> Any:
        same = z3.And([row[m] == old[m] for row, old in zip(now, was, strict=True)])
        feeds = z3.Or([row[m] for row in now])
        lasts = z3.And(same, before_ms[m] >= 0)
        return after_ms[m] == z3.If(feeds, z3.If(lasts, before_ms[m] + elapsed_ms, 0), -1)

    return Claim(
        (elapsed_ms >= 0, *[age >= -1 for age in before_ms]),
        and_(*map(of_module, range(modules))),
        covers=(("it moves", and_(after_ms[0] == 0, before_ms[0] > 0)),),
    )


@obligation("dwell.reserved", "dwell.reserved", domain=SHAPE + "; any ages")
def reserved(station: Station) -> Claim:
    """A module is reserved for the gun that it feeds, and for no other, exactly while it has fed it
    for less than minimum_dwell_s or the gun is held."""
    guns, modules = len(station.guns), len(station.modules)
    feeding, held = z3_terms.bools("feeds", guns, modules), z3_terms.bools("held", guns)
    fed_ms, minimum_ms = z3_terms.ints("fed", modules), z3.Int("minimum_ms")
    out = dwell.reserved(z3_terms, feeding, fed_ms, minimum_ms, held)
    return Claim(
        (),
        and_(
            *[
                iff(
                    out[gun][m],
                    z3.And(feeding[gun][m], z3.Or(held[gun], z3.Not(fed_ms[m] >= minimum_ms))),
                )
                for gun in range(guns)
                for m in range(modules)
            ]
        ),
        covers=(("for a short while", and_(out[0][0], not_(held[0]))),),
    )


@obligation("dwell.claims", "dwell.claims", domain=SHAPE + "; any order of looking at them")
def claims(station: Station) -> Claim:
    """A gun that is held claims no module that it cannot use, that stays on it already or that is
    not free; and each only while what it has does not reach both what it wants and what it held;
    afterwards that is reached, or it has all that it can claim."""
    modules = range(len(station.modules))
    staying, free, usable = z3_terms.bools("a", 3, len(modules))
    power_w, (wanted_w, held_w) = z3_terms.ints("power", len(modules)), z3_terms.ints("w", 2)
    row = dwell.claims(z3_terms, staying, free, usable, wanted_w, held_w, power_w, list(modules))
    may = [and_(free[m], usable[m], not_(staying[m])) for m in modules]
    has_w = z3_terms.total(z3_terms.ite(staying[m], power_w[m], 0) for m in modules)
    before_w = [
        has_w + z3_terms.total(z3_terms.ite(row[n], power_w[n], 0) for n in range(m))
        for m in modules
    ]
    return Claim(
        tuple(power > 0 for power in power_w),
        and_(
            *[
                iff(row[m], and_(may[m], before_w[m] < wanted_w, before_w[m] < held_w))
                for m in modules
            ]
        ),
        covers=(("one is claimed, another is not", and_(row[0], may[1], not_(row[1]))),),
    )


BOTH = ("dwell.stays", "dwell.left")
OBLIGATIONS: tuple[Obligation, ...] = (
    since_it_feeds,
    reserved,
    claims,
    _dwell(
        "as-long-as-needed",
        "A dwelling module stays exactly as long as its gun can use it and those below it that"
        " dwell there do not give the gun what it wants.",
        as_long_as_needed,
        ("dwell.stays",),
    ),
    _dwell(
        "left-to-its-gun",
        "Each gun can use just what it could, but for modules that stay on another; so whatever is"
        " decided with that, the guard finds no contactor used that is not usable.",
        left_to_its_gun,
        BOTH,
    ),
    _dwell(
        "taken-first",
        "A gun that looks at them first takes all modules that stay on it.",
        taken_first,
        ("dwell.stays", "rule.documented"),
        SHAPE + "; where the site limit leaves what the gun wants",
    ),
    _dwell(
        "idle-only-if-met",
        "At every moment: a module idles only when every gun that could use it is given all it may"
        " have, even if it dwells.",
        idle_only_if_met,
        (*BOTH, "invariants.idle_only_if_met"),
        SHAPE + "; no site limit; composed of rule.any-station.first-choice and dwell.taken-first",
    ),
    _dwell(
        "none-dwells",
        "Once no module dwells, the guns can use what they could without dwell: all that is proved"
        " of the rule holds again. (While one does, higher demand and lowest number first can"
        " fail.)",
        none_dwells,
        BOTH,
    ),
    _dwell(
        "higher-demand-first.dwelling",
        "While a module dwells: if a gun is given less than it may have, every gun served after it"
        " is given nothing. (It fails: the module stays on the gun served last.)",
        lost_meanwhile(-1, 0, rule_properties.priority),
        BOTH,
        "outside its domain: a module dwells",
        expected=REFUTED,
    ),
    _dwell(
        "lowest-number-first.dwelling",
        "While a module dwells: below every module that a gun holds, each one that it could use is"
        " on it or on a gun served before it. (It fails: the gun keeps the highest-numbered one.)",
        lost_meanwhile(0, -1, rule_properties.lowest_first),
        BOTH,
        "outside its domain: a module dwells",
        expected=REFUTED,
        applies=lambda station: len(station.modules) > 1,
    ),
)
