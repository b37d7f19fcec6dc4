"""The rule's inputs as terms, and a violation of a claim shown as guns, demands and modules."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import z3

from proofs import solver
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import not_
from proofs.obligation import Claim
from verified_alloc.kernel import guard, invariants, ops, rule
from verified_alloc.station.model import Station

SEARCH = 2_000_000
"""The solver's resources for finding a counterexample that is easy to read."""

Property = Callable[[Any, "Scene", rule.Choice], Any]
"""What shall hold of a scene and the rule's choice, over any algebra."""


class Scene(NamedTuple):
    """What the rule is given. Gun n is the n-th to be served; that any other order is only another
    naming of the guns is an obligation of its own (`rule.order-is-only-a-naming`)."""

    demand_w: Sequence[Any]
    gun_max_w: Sequence[Any]
    module_power_w: Sequence[int]
    usable: Sequence[Sequence[Any]]
    limit_w: Any
    minimum_w: Any
    """The least useful power."""
    in_service: Sequence[Any]
    module_usable: Sequence[Any]
    """On a full matrix: by module; elsewhere unused."""
    limited: bool
    """The site limit may bind; where it may not, it is the sum of all maxima, as in the shipped
    station without a limit."""
    hypotheses: tuple[Any, ...]

    @property
    def order(self) -> range:
        """The guns as they are served."""
        return range(len(self.demand_w))

    def granted_w(self, over: Any) -> list[Any]:
        """What each gun may be given: nothing where it is out of service."""
        return [
            over.ite(serves, invariants.granted(over, demand, maximum), 0)
            for serves, demand, maximum in zip(
                self.in_service, self.demand_w, self.gun_max_w, strict=True
            )
        ]

    def choice(self, over: Any) -> rule.Choice:
        """The shipped rule on this scene."""
        return rule.documented(
            over,
            self.order,
            self.demand_w,
            self.gun_max_w,
            self.module_power_w,
            self.usable,
            self.limit_w,
            self.minimum_w,
        )

    def by_turns(self) -> tuple[rule.Choice, list[Any], list[Any]]:
        """The rule as turns one after another (`rule.turn-by-turn`), where all that is known of the
        limit that is left for a gun is that it is not overdrawn, or without a limit that it leaves
        the gun's maximum (`rule.limit-is-kept`): the choice, these hypotheses, and the names of
        what is left."""
        free: list[Any] = [True] * len(self.module_power_w)
        names = z3_terms.ints("left for gun", len(self.demand_w))
        held, delivered_w, hypotheses = [], [], []
        for gun, left_w in zip(self.order, names, strict=True):
            hypotheses.append(left_w >= (0 if self.limited else self.gun_max_w[gun]))
            row, given_w, free = self.turn(gun, free, left_w)
            held.append(row)
            delivered_w.append(given_w)
        return rule.Choice(held, delivered_w), hypotheses, names

    def turn(self, gun: int, free: Sequence[Any], left_w: Any) -> tuple[Any, Any, list[Any]]:
        """One gun's turn: what it takes, what it is given, and what is free after it."""
        row, given_w = turn(
            z3_terms,
            self.demand_w[gun],
            self.gun_max_w[gun],
            self.module_power_w,
            list(map(z3_terms.and_, free, self.usable[gun])),
            left_w,
            self.minimum_w,
        )
        after = [
            z3_terms.and_(was, z3_terms.not_(taken)) for was, taken in zip(free, row, strict=True)
        ]
        return row, given_w, after


def turn(
    over: Any,
    demand_w: Any,
    maximum_w: Any,
    power_w: Sequence[int],
    free: Sequence[Any],
    left_w: Any,
    minimum_w: Any,
) -> tuple[Any, Any]:
    """One gun's turn: the shipped rule for that gun alone, with the modules that are free and
    usable for it and what the limit leaves: the modules it takes, and what it is given."""
    choice = rule.documented(over, [0], [demand_w], [maximum_w], power_w, [free], left_w, minimum_w)
    return choice.held[0], choice.delivered_w[0]


def equal(values: Sequence[int]) -> bool:
    """All of them are the same."""
    return len(set(values)) <= 1


def any_matrix(station: Station, *, limited: bool = False) -> Scene:
    """Any demands, any contactors healthy: the station's matrix under every fault, and every other
    matrix of its size; with `limited`, any site limit, else none."""
    guns, modules = len(station.guns), len(station.modules)
    usable = z3_terms.bools("contactor", guns, modules)
    return _scene(station, usable, [True] * guns, [True] * modules, limited=limited)


def limited(station: Station) -> Scene:
    """Any matrix, any site limit."""
    return any_matrix(station, limited=True)


def full_matrix(station: Station) -> Scene:
    """Any demands, any modules and guns out of order, else a contactor between every two."""
    guns, modules = len(station.guns), len(station.modules)
    healthy = z3_terms.bools("module", modules)
    serves = z3_terms.bools("gun", guns)
    usable = [[z3_terms.and_(gun, module) for module in healthy] for gun in serves]
    return _scene(station, usable, serves, healthy, limited=False)


def _scene(
    station: Station, usable: Any, serves: Sequence[Any], healthy: Sequence[Any], *, limited: bool
) -> Scene:
    gun_max_w: Sequence[Any] = station.gun_max_w
    hypotheses: list[Any] = []
    if not equal(station.gun_max_w):
        # The n-th gun served may be any of them.
        gun_max_w = z3_terms.ints("maximum", len(station.guns))
        sizes = sorted(set(station.gun_max_w))
        hypotheses += [z3.Or(*[term == size for size in sizes]) for term in gun_max_w]
    limit_w: Any = z3_terms.total(gun_max_w)
    if limited:
        limit_w = z3_terms.ints("limit")
        hypotheses.append(limit_w >= 0)
    return Scene(
        z3_terms.ints("demand", len(station.guns)),
        gun_max_w,
        station.module_power_w,
        usable,
        limit_w,
        z3_terms.ints("least useful"),
        serves,
        healthy,
        limited,
        tuple(hypotheses),
    )


def any_choice(station: Station, whose: str = "other") -> rule.Choice:
    """Any allocation."""
    return rule.Choice(
        z3_terms.bools(f"{whose} holds", len(station.guns), len(station.modules)),
        z3_terms.ints(f"{whose} is given", len(station.guns)),
    )


def about_the_rule(
    sentence: str,
    build: Callable[[Station], Scene],
    holds: Property,
    readable: Callable[[Scene], Sequence[Any]] | None = None,
    given: Callable[[Scene], Sequence[Any]] = lambda scene: (),
) -> Callable[[Station], Claim]:
    """The claim that the shipped rule's choice has this property in each scene, turn by turn. A
    counterexample is looked for in the whole rule at once, among scenes that are easy to read; with
    `readable` that is what is meant to be shown."""

    def claim(station: Station) -> Claim:
        scene = build(station)
        choice, left = (scene.choice(z3_terms), []) if readable else scene.by_turns()[:2]

        def show(model: Any) -> str:
            found = None if readable else real_violation(scene, holds, given)
            return shown(sentence, holds, found or in_model(scene, model))

        return Claim(
            (*scene.hypotheses, *left, *given(scene), *(readable(scene) if readable else ())),
            holds(z3_terms, scene, choice),
            show,
            (("a gun is given power", z3.Or(*[power > 0 for power in choice.delivered_w])),),
        )

    return claim


def on_the_reference(claim: Callable[[Station], Claim]) -> Callable[[Station], Claim]:
    """Where what does not hold in general is shown: on a station of its own it may happen to."""
    return lambda station: claim(Station.reference())


def real_violation(
    scene: Scene, holds: Property, given: Callable[[Scene], Sequence[Any]]
) -> Scene | None:
    """A scene with plain values in which the whole rule's choice has not this property, as easy to
    read as can be, if one is found."""
    terms = [*scene.hypotheses, *given(scene), not_(holds(z3_terms, scene, scene.choice(z3_terms)))]
    healthy = [bit for row in scene.usable for bit in row]
    most = [scene.limit_w >= z3_terms.total(scene.gun_max_w)] if scene.limited else []
    for easy in ([*round_demands(scene), *healthy, *most], round_demands(scene), []):
        answer, model, _, _ = solver.satisfiable(
            [solver.term(term) for term in (*terms, *easy)], SEARCH
        )
        if answer == "sat":
            found: Scene = in_model(scene, model)
            return found
    return None


def round_demands(scene: Scene) -> list[Any]:
    """Demands in whole tens of kW, sorted, within the maxima."""
    tens = z3_terms.ints("tens of kW", len(scene.demand_w))
    return [
        *[demand == 10_000 * ten for demand, ten in zip(scene.demand_w, tens, strict=True)],
        *[
            z3.And(demand >= 0, demand <= maximum)
            for demand, maximum in zip(scene.demand_w, scene.gun_max_w, strict=True)
        ],
        *[earlier >= later for earlier, later in pairwise(scene.demand_w)],
    ]


def in_model(value: Any, model: Any) -> Any:
    """Terms, in tuples and lists to any depth, as the plain values that the model gives them."""
    if isinstance(value, Scene):
        return Scene(*[in_model(part, model) for part in value])
    if isinstance(value, (list, tuple)):
        return [in_model(part, model) for part in value]
    if not z3.is_expr(value):
        return value
    value = model.eval(value, model_completion=True)
    return z3.is_true(value) if z3.is_bool(value) else value.as_long()


def shown(sentence: str, holds: Property, scene: Scene) -> str:
    """A scene with plain values, what the shipped rule does there, and the broken sentence."""
    choice = scene.choice(ops)
    again = holds(ops, scene, choice)
    claimed = sentence.partition(" (It fails")[0]
    verdict = (
        "Replayed on the shipped function it holds: what fails is a single turn, or the proof's own"
        " picture of the rule."
        if again
        else f"Replayed on the shipped function, this is false: {claimed}"
    )
    return f"{table(scene, choice)}\n{verdict}"


def table(scene: Scene, choice: rule.Choice) -> str:
    """A line for each gun in the order of service: demand, what it may have, what it is given."""
    rows = [("served", "demand kW", "may have", "given kW", "modules", "cannot use")]
    for gun, (held, usable) in enumerate(zip(choice.held, scene.usable, strict=True)):
        rows.append(
            (
                f"gun {gun + 1}" + ("" if scene.in_service[gun] else " (out)"),
                kw(scene.demand_w[gun]),
                kw(scene.granted_w(ops)[gun]),
                kw(choice.delivered_w[gun]),
                numbers(held),
                numbers([not can for can in usable]),
            )
        )
    text = columns(rows)
    if not equal(scene.module_power_w):
        text += f"\nmodules of {', '.join(map(kw, scene.module_power_w))} kW"
    if scene.limit_w < sum(scene.gun_max_w):
        text += f"\nsite limit {kw(scene.limit_w)} kW, least useful {kw(scene.minimum_w)} kW"
    return text


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text, aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def kw(power_w: int) -> str:
    """Watts as kW, exactly."""
    return f"{power_w / 1000:.3f}".rstrip("0").rstrip(".")


def numbers(bits: Sequence[bool]) -> str:
    """The modules with a set bit, counted from 1."""
    return " ".join(f"PM{number}" for number, bit in enumerate(bits, start=1) if bit) or "-"


def judged(over: Any, scene: Scene, choice: rule.Choice) -> guard.Verdict:
    """The guard's seven conditions on a choice."""
    return guard.judge(
        over,
        choice.held,
        choice.delivered_w,
        scene.demand_w,
        scene.gun_max_w,
        scene.module_power_w,
        scene.usable,
        scene.in_service,
        scene.limit_w,
        scene.minimum_w,
    )
