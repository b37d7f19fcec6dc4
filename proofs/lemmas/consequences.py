"""What follows from several theorems together, as theorems of their own.

A lemma is taken from the obligation that proves it, by its id and in its very terms, with other
terms put in for its names. Where it is only passed on, the parts of it that need no looking into
are made names themselves, so that nothing but what the lemmas say can be used. That what holds for
all names holds for whatever is put in for them is the only step that is left to logic itself.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import z3

from proofs import manifest
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, iff, implies, not_
from proofs.lemmas import rule_properties
from proofs.lemmas.one_gun import Turn, row_as_specified, running
from proofs.lemmas.rule_inputs import (
    Property,
    Scene,
    any_choice,
    any_matrix,
    full_matrix,
    judged,
    limited,
)
from proofs.obligation import Claim
from proofs.solver import conjuncts, term
from verified_alloc.kernel import guard, invariants, rule
from verified_alloc.station.model import Station

Build = Callable[[Station], Scene]


def lemma(station: Station, name: str) -> Any:
    """What that obligation proves, as one formula."""
    claim = manifest.obligations()[name].claim(station)
    return implies(and_(*map(term, claim.hypotheses)), term(claim.goal))


def put_in(formula: Any, names: Any, values: Any) -> Any:
    """The formula with these values for these names (or for these terms): lists of any depth."""
    pairs = zip(_flat(names), _flat(values), strict=True)
    return z3.substitute(term(formula), *[(term(name), term(value)) for name, value in pairs])


def opaque(formula: Any, parts: Iterable[Any]) -> Any:
    """The formula, with these parts of it as mere names: what then holds, holds whatever they
    say."""
    found = dict.fromkeys(map(term, parts))
    return z3.substitute(
        term(formula), *[(part, z3.Bool(f"part {n}")) for n, part in enumerate(found)]
    )


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list | tuple | range):
        return [part for each in value for part in _flat(each)]
    return [value]


def of_the_rule(station: Station, name: str, build: Build, ours: rule.Choice) -> Any:
    """What that obligation says of the rule's choice in these scenes, which is named `ours`. It is
    proved turn by turn (`rule.turn-by-turn`), from what the limit leaves (`rule.limit-is-kept`)."""
    scene = build(station)
    turns, _, _ = scene.by_turns()
    says = put_in(lemma(station, name), turns, ours)
    return put_in(says, limited(station).limit_w, scene.limit_w)


def left_over(station: Station, build: Build, ours: rule.Choice) -> list[Any]:
    """The limit, as the rule's choice draws on it, and what `rule.limit-is-kept` says of it."""
    scene, given_w = build(station), z3_terms.ints("given", len(station.guns))
    _, _, left_w = scene.by_turns()
    kept = put_in(lemma(station, "rule.limit-is-kept"), given_w, ours.delivered_w)
    kept = put_in(kept, limited(station).limit_w, scene.limit_w)
    return [kept, *running(scene, ours.delivered_w, left_w)]


def assumed_of_the_limit(station: Station) -> list[Any]:
    """All that turns assume, with a limit and without."""
    scenes = (limited(station), any_matrix(station))
    return [assumed for scene in scenes for assumed in scene.by_turns()[1]]


# The specification leaves no choice.


def only_usable(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """Only usable contactors."""
    return guard.only_usable(over, choice.held, scene.usable)


SPECIFICATION: dict[str, Property] = {
    "rule.one-gun-per-module": rule_properties.exclusive,
    "rule.up-to-demand": rule_properties.up_to_demand,
    "rule.no-waste": rule_properties.no_waste,
    "rule.first-choice": rule_properties.first_choice,
    "rule.lowest-number-first": rule_properties.lowest_first,
    "rule.usable-and-wanted": only_usable,
}
"""All that is specified, by the obligation that says (at least) that the rule's choice is so."""


def specified(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """The whole specification."""
    return over.and_(*[holds(over, scene, choice) for holds in SPECIFICATION.values()])


def specification_by_turns(station: Station) -> Claim:
    """The specification of the whole says, gun by gun, what the specification of a turn says."""
    scene, other = any_matrix(station), any_choice(station)
    return Claim(
        (specified(z3_terms, scene, other),),
        and_(*[row_in_turn(station, scene, other, gun) for gun in scene.order]),
    )


def row_in_turn(station: Station, scene: Scene, choice: rule.Choice, gun: int) -> Any:
    """What is specified of that gun's turn."""
    return row_as_specified(
        z3_terms,
        choice.held[gun],
        choice.delivered_w[gun],
        scene.granted_w(z3_terms)[gun],
        free_before(scene, choice.held, gun),
        station.module_power_w,
    )


def free_before(scene: Scene, held: Any, gun: int) -> list[Any]:
    """The modules that a gun can use and that no gun before it holds."""
    return [
        and_(usable, *[not_(held[before][m]) for before in range(gun)])
        for m, usable in enumerate(scene.usable[gun])
    ]


def specification_determines(station: Station) -> Claim:
    """Of any allocation that meets the specification each row is what a turn takes of what is free
    and granted; the rule's choice meets it; so they are the same, row by row. What a turn takes is
    made a function of what is free and granted, of which nothing else is known."""
    scene = any_matrix(station)
    ours, other = any_choice(station, "the rule"), any_choice(station)
    rows = {
        (whose, gun): row_in_turn(station, scene, choice, gun)
        for whose, choice in enumerate((ours, other))
        for gun in scene.order
    }
    by_turns = lemma(station, "rule.specification-by-turns")
    says = [
        *[of_the_rule(station, name, any_matrix, ours) for name in SPECIFICATION],
        *left_over(station, any_matrix, ours),
        put_in(by_turns, other, ours),
        by_turns,
        *[
            _turn_is_specified(station, scene, choice, gun)
            for choice in (ours, other)
            for gun in scene.order
        ],
    ]
    meets = [
        holds(z3_terms, scene, choice)
        for choice in (ours, other)
        for holds in SPECIFICATION.values()
    ]
    same = map(iff, _flat(ours.held), _flat(other.held))
    given = [a == b for a, b in zip(ours.delivered_w, other.delivered_w, strict=True)]
    theorem = implies(
        and_(*map(term, says), specified(z3_terms, scene, other)), and_(*same, *given)
    )
    assumed = assumed_of_the_limit(station)
    return Claim((), opaque(theorem, [*rows.values(), *meets, *assumed]))


def _turn_is_specified(station: Station, scene: Scene, choice: rule.Choice, gun: int) -> Any:
    """`rule.turn-is-specified` for that gun in that allocation, with functions for what a turn
    takes and is given."""
    one, granted_w = Turn(station.module_power_w), z3_terms.ints("granted")
    modules = range(len(station.modules))
    inputs = [z3.IntSort(), *[z3.BoolSort() for _ in modules]]
    takes = [z3.Function(f"a turn takes {m + 1}", *inputs, z3.BoolSort()) for m in modules]
    given = z3.Function("a turn is given", *inputs, z3.IntSort())
    others = z3_terms.bools("other", len(modules)), z3_terms.ints("given")
    says = put_in(
        lemma(station, "rule.turn-is-specified"),
        [*one.row, one.delivered_w, one.granted_w],
        [*[take(granted_w, *one.free) for take in takes], given(granted_w, *one.free), granted_w],
    )
    return put_in(
        says,
        [granted_w, one.free, others],
        [
            scene.granted_w(z3_terms)[gun],
            free_before(scene, choice.held, gun),
            choice.held[gun],
            choice.delivered_w[gun],
        ],
    )


# Counting, and the lexicographic optimum.


def needed(scene: Scene, held: Sequence[Any], guns: Sequence[int] | None = None) -> Any:
    """These guns in turn hold what they need, or all that is left (the documented invariant)."""
    return invariants.needed_or_all_that_was_left(
        z3_terms,
        scene.order if guns is None else guns,
        held,
        scene.granted_w(z3_terms),
        scene.module_usable,
        scene.module_power_w,
    )


class InTurn(NamedTuple):
    """What `rule.turn-counts` says of a gun's turn, and what follows for all that is free."""

    lemma: Any
    needs: tuple[Any, Any]
    """In the turn, and by what the gun may have, nothing where it is out of service."""
    same_needs: Any
    counts: tuple[Any, Any, Any]
    """The modules it takes; those that are free; those that are free then."""
    step: Any

    def theorems(self, assumed: Any) -> tuple[Any, Any]:
        """If so much of the limit is left for it."""
        return (
            implies(assumed, self.same_needs),
            implies(and_(self.lemma, self.same_needs), self.step),
        )


def in_turn(
    station: Station, scene: Scene, gun: int, free: Sequence[Any], row: Sequence[Any]
) -> InTurn:
    """One gun's turn, where these modules are not taken yet."""
    one, granted_w = Turn(station.module_power_w), scene.granted_w(z3_terms)[gun]
    its_own = one.put_in(scene, gun, free, scene.by_turns()[2][gun])
    names = z3_terms.bools("row", len(row))
    says = put_in(lemma(station, "rule.turn-counts"), one.row, names)
    left = [and_(bit, not_(takes)) for bit, takes in zip(free, row, strict=True)]
    counts = (
        z3_terms.count(row),
        *[z3_terms.count(map(and_, bits, scene.module_usable)) for bits in (free, left)],
    )
    turn_needs, needs = (
        rule.need(z3_terms, power_w, station.module_power_w)
        for power_w in (z3.substitute(one.granted_w, *its_own), granted_w)
    )
    serves = scene.in_service[gun]
    return InTurn(
        put_in(z3.substitute(says, *its_own), names, row),
        (turn_needs, needs),
        and_(implies(serves, turn_needs == needs), implies(not_(serves), needs == 0)),
        counts,
        and_(
            counts[0] == rule.least(z3_terms, needs, counts[1]), counts[2] == counts[1] - counts[0]
        ),
    )


def counted(station: Station) -> Claim:
    """The number of modules of each gun, from `rule.turn-counts` on its turn: with the gun in
    service or not, and one gun after another."""
    scene, guns = full_matrix(station), range(len(station.guns))
    ours = any_choice(station, "the rule")
    _, assumed, _ = scene.by_turns()
    # Any modules are free for a gun; in fact, those that were and that the one before left.
    free = z3_terms.bools("free for gun", len(guns), len(station.modules))
    free[0] = [True] * len(station.modules)
    in_fact = [free[0]]
    for row in ours.held[:-1]:
        in_fact.append(
            [and_(bit, not_(takes)) for bit, takes in zip(in_fact[-1], row, strict=True)]
        )
    needs, taken = z3_terms.ints("needs", 2), z3_terms.ints("taken", len(guns))
    there = z3_terms.ints("there", len(guns) + 1)
    proved: list[Any] = []
    numbers: list[Any] = []
    for gun in guns:
        one = in_turn(station, scene, gun, free[gun], ours.held[gun])
        same_needs, step = one.theorems(assumed[gun])
        step = put_in(step, one.needs, needs)
        proved.append(same_needs)
        proved += [
            z3.simplify(put_in(step, scene.in_service[gun], either)) for either in (True, False)
        ]
        numbers.append(put_in(one.step, one.counts, [taken[gun], there[gun], there[gun + 1]]))
    turns = [in_turn(station, scene, gun, in_fact[gun], ours.held[gun]) for gun in guns]
    invariant = needed(scene, ours.held)
    rows = [*map(z3_terms.count, ours.held), z3_terms.count(scene.module_usable)]
    adds_up = implies(and_(*numbers), put_in(invariant, rows, [*taken, there[0]]))
    real = [turns[0].counts[1], *[one.counts[2] for one in turns]]
    says = [put_in(adds_up, [*taken, there], [*rows[:-1], real]), *assumed]
    for gun, one in zip(guns, turns, strict=True):
        says += [one.lemma, *one.theorems(assumed[gun])]
    theorem = implies(and_(*says), invariant)
    parts = [part for one in turns for part in (one.lemma, one.same_needs, one.step)]
    return Claim((), and_(*proved, adds_up, opaque(theorem, [*parts, *assumed, invariant])))


def no_more_than_there_is(scene: Scene, held: Any) -> tuple[Any, Any]:
    """That guns share nothing and use only what is usable, and that they hold together no more than
    there is."""
    usable = [scene.module_usable] * len(held)
    alone = and_(guard.exclusive(z3_terms, held), guard.only_usable(z3_terms, held, usable))
    together = z3_terms.total(map(z3_terms.count, held)) <= z3_terms.count(scene.module_usable)
    return alone, together


def at_most_all(station: Station) -> Claim:
    """Module by module from the bits; then adding up, where the bits' ones and zeros may be any
    numbers."""
    scene, held = full_matrix(station), any_choice(station).held
    alone, together = no_more_than_there_is(scene, held)
    per_module = [
        z3_terms.count(column) <= z3_terms.ite(usable, 1, 0)
        for column, usable in zip(zip(*held, strict=True), scene.module_usable, strict=True)
    ]
    bits = [*_flat(held), *scene.module_usable]
    ones = [z3.If(bit, 1, 0) for bit in bits]
    numbers = [z3.Int(f"{bit} as a number") for bit in bits]
    adds_up = implies(and_(*per_module), together)
    return Claim(
        (),
        and_(*[implies(alone, one) for one in per_module], put_in(adds_up, ones, numbers)),
    )


class Numbers:
    """The rule's allocation and any other one in numbers: how many modules each gun has, and what
    it is given."""

    def __init__(self, station: Station) -> None:
        self.guns = range(len(station.guns))
        guns, modules = len(station.guns), len(station.modules)
        self.power_w = station.module_power_w
        self.granted_w = z3_terms.ints("granted", guns)
        self.ours, self.other = z3_terms.ints("ours", guns), z3_terms.ints("other", guns)
        self.ours_w, self.other_w = z3_terms.ints("ours W", guns), z3_terms.ints("other W", guns)
        self.modules, self.left = z3_terms.ints("modules"), z3_terms.ints("left", guns + 1)
        self._rows = z3_terms.bools("row", guns, modules)
        self._usable = z3_terms.bools("module", modules)

    def needed(self, guns: Sequence[int], there: Any) -> Any:
        """The invariant about these guns in turn, where so many modules are there."""
        says = invariants.needed_or_all_that_was_left(
            z3_terms, guns, self._rows, self.granted_w, self._usable, self.power_w
        )
        rows = [z3_terms.count(row) for row in self._rows]
        return put_in(says, [*rows, z3_terms.count(self._usable)], [*self.ours, there])

    @property
    def running(self) -> list[Any]:
        """The modules that are left, gun after gun."""
        steps = [self.left[gun + 1] == self.left[gun] - self.ours[gun] for gun in self.guns]
        return [self.left[0] == self.modules, *steps]

    def ours_of(self, gun: int) -> Any:
        """What is known of the rule's allocation, beside the modules that it needs."""
        ours, granted_w = self.ours[gun], self.granted_w[gun]
        return and_(
            granted_w >= 0,
            ours >= 0,
            ours <= len(self.power_w),
            self.ours_w[gun] == rule.least(z3_terms, granted_w, ours * self.power_w[0]),
        )

    def other_of(self, gun: int) -> Any:
        """What is known of the other."""
        other, other_w = self.other[gun], self.other_w[gun]
        return and_(
            other >= 0,
            other_w >= 0,
            other_w <= self.granted_w[gun],
            other_w <= other * self.power_w[0],
        )

    @property
    def all_there(self) -> Any:
        """There are no more modules than these."""
        return and_(self.modules <= len(self.power_w), z3_terms.total(self.other) <= self.modules)

    @property
    def facts(self) -> list[Any]:
        """All that is known of the two, beside what is left."""
        return [
            self.needed(self.guns, self.modules),
            *map(self.ours_of, self.guns),
            *map(self.other_of, self.guns),
            self.all_there,
        ]

    @property
    def best(self) -> list[Any]:
        """The other is not better."""
        return [not_(more) for more in better(self.other_w, self.ours_w)]


def lexicographic_in_numbers(station: Station) -> Claim:
    """In three steps, each from what the one before says: what the counts say of each gun, what
    this says of its watts, and adding up over the guns; and that all of them make the theorem."""
    of = Numbers(station)
    facts, best = of.facts, of.best
    each = [
        and_(of.needed([gun], of.left[gun]), of.left[gun] <= len(of.power_w)) for gun in of.guns
    ]
    steps = [
        implies(and_(facts[0], *of.running, *map(of.ours_of, of.guns), of.all_there), one)
        for one in each
    ]
    says = []
    for gun in of.guns:
        given = and_(each[gun], of.ours_of(gun), of.other_of(gun))
        more = of.other_w[gun] > of.ours_w[gun]
        as_much = of.other_w[gun] >= of.ours_w[gun]
        says.append(implies(as_much, of.other[gun] >= of.ours[gun]))
        says.append(implies(more, and_(of.other[gun] > of.ours[gun], of.ours[gun] == of.left[gun])))
        steps += [implies(given, one) for one in says[-2:]]
    together = and_(*of.running, *says, *[number >= 0 for number in of.other], of.all_there)
    steps += [implies(together, one) for one in best]
    theorem = implies(and_(*steps, *of.running, *facts), and_(*best))
    less = and_(*of.running, *facts, of.other_w[-1] < of.ours_w[-1])
    covers = ("the other gives the last gun less", less)
    return Claim((), and_(*steps, opaque(theorem, [*each, *says, *best])), covers=(covers,))


def lexicographic(station: Station) -> Claim:
    """What the obligations say of the rule's choice, and the guard of any other, are the facts
    about their numbers; of these `rule.lexicographic-in-numbers` speaks."""
    of, scene, power_w = Numbers(station), full_matrix(station), station.module_power_w
    ours, other = any_choice(station, "the rule"), any_choice(station)
    contactors = any_matrix(station).usable
    there = z3_terms.count(scene.module_usable)
    ours_n, other_n = (list(map(z3_terms.count, choice.held)) for choice in (ours, other))
    left = [there]
    for taken in ours_n:
        left.append(left[-1] - taken)
    names = (of.granted_w, of.ours, of.other, of.ours_w, of.other_w, of.modules, of.left)
    values = (scene.granted_w(z3_terms), ours_n, other_n, *[c.delivered_w for c in (ours, other)])

    def real(fact: Any) -> Any:
        return put_in(fact, names, [*values, there, left])

    def power(held: Any) -> Any:
        return guard.powers(z3_terms, held, power_w)[0]

    accepted = judged(z3_terms, scene, other)
    alone, together = no_more_than_there_is(scene, other.held)
    links = [
        implies(and_(accepted.exclusive, accepted.usable), alone),
        implies(together, real(of.all_there)),
    ]
    parts: list[Any] = [alone, together, *assumed_of_the_limit(station)]
    # With equal modules the power of a row is its number times one's, for all rows alike.
    row, any_w = z3_terms.bools("row", len(station.modules)), z3.Int("W")
    as_counted = power(row) == z3_terms.count(row) * power_w[0]
    proved = [*links, as_counted]
    for gun in scene.order:
        # What the lemmas say of one gun is what its numbers say; so is what the guard says.
        has, is_let = _of_one_gun(station, scene, gun, ours, other)
        for held, says, fact in (
            (ours.held[gun], has, of.ours_of(gun)),
            (other.held[gun], is_let, of.other_of(gun)),
        ):
            counted = put_in(as_counted, row, held)
            step = implies(and_(says, counted), real(fact))
            proved.append(put_in(step, power(held), any_w))
            links += [step, counted]
            parts += [*conjuncts(says), counted]
    facts, best = list(map(real, of.facts)), list(map(real, of.best))
    _, assumed, _ = scene.by_turns()
    invariant = needed(scene, ours.held)
    says = [
        *left_over(station, full_matrix, ours),
        *[
            put_in(of_the_rule(station, name, any_matrix, ours), contactors, scene.usable)
            for name in ("rule.up-to-demand", "rule.usable-and-wanted")
        ],
        implies(and_(*assumed), invariant),
        implies(alone, together),
        implies(and_(*map(real, of.running), *facts), and_(*best)),
    ]
    theorem = implies(and_(*says, *accepted, *links), and_(*best))
    return Claim(
        (),
        and_(*proved, opaque(theorem, [*parts, *facts, *best])),
        covers=(("another is accepted", and_(*accepted, other.held[-1][0])),),
    )


def _of_one_gun(
    station: Station, scene: Scene, gun: int, ours: rule.Choice, other: rule.Choice
) -> tuple[Any, Any]:
    """What the lemmas say of the rule's choice, and the guard of the other, for one gun."""
    power_w, serves = station.module_power_w, [scene.in_service[gun]]
    demand_w, maximum_w = [scene.demand_w[gun]], [scene.gun_max_w[gun]]
    granted_w = [invariants.granted(z3_terms, demand_w[0], maximum_w[0])]
    row, given_w, usable = [ours.held[gun]], [ours.delivered_w[gun]], [scene.usable[gun]]
    has = and_(
        invariants.up_to_demand(z3_terms, row, given_w, granted_w, power_w),
        guard.only_usable(z3_terms, row, usable),
    )
    row, given_w = [other.held[gun]], [other.delivered_w[gun]]
    verdict = guard.judge(
        z3_terms,
        row,
        given_w,
        demand_w,
        maximum_w,
        power_w,
        usable,
        serves,
        scene.limit_w,
        scene.minimum_w,
    )
    return has, and_(verdict.usable, verdict.wanted, verdict.fitting)


def better(other_w: Sequence[Any], ours_w: Sequence[Any]) -> list[Any]:
    """Lexicographically more, in the order of the guns: gun by gun, that it is the first to be
    given more."""
    return [
        z3_terms.and_(
            other_w[gun] > ours_w[gun],
            *[other_w[before] == ours_w[before] for before in range(gun)],
        )
        for gun in range(len(ours_w))
    ]
