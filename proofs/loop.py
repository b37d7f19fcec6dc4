"""The rule on any station: N guns, M modules, any powers, by invariants of its loop.

The loop's body is the shipped `rule.take`; what a turn ends with is taken from the shipped
`rule.documented`. Each claim follows one arbitrary gun and one or two arbitrary modules, so it
knows no sizes: it holds at the start, every look at a module keeps it, and at the end it says the
sentence. That the shipped loop is this one, `rule.any-station.loop` shows for many sizes, and
`rule.turn-by-turn` for the station's own. Modules may be looked at in any order. What is left to
logic itself is induction: that what every look keeps holds after all of them.
"""

import random
from typing import Any, NamedTuple

import z3

from proofs import algebra, terms
from proofs.obligation import PROVED, Claim, Obligation
from verified_alloc.kernel import rule
from verified_alloc.station.model import Station

BUDGET = 20_000_000
POSITIVE = "any numbers of guns and modules, any order, matrix, site limit and powers above 0"


class Look(NamedTuple):
    """One gun looks at one module."""

    grant_w: Any
    reached_w: Any
    power_w: Any
    free: Any
    usable: Any
    takes: Any
    reached_then_w: Any
    free_then: Any


def look(name: str, grant_w: Any, reached_w: Any, free: Any = None, usable: Any = None) -> Look:
    """An arbitrary module, with the shipped body run on it."""
    power_w = algebra.ints(f"{name} power")
    free = algebra.bools(f"{name} free") if free is None else free
    usable = algebra.bools(f"{name} usable") if usable is None else usable
    return Look(
        grant_w,
        reached_w,
        power_w,
        free,
        usable,
        *rule.take(algebra, grant_w, reached_w, power_w, free, usable),
    )


def delivered_w(grant_w: Any, reached_w: Any) -> Any:
    """What the shipped rule gives a gun that has reached that power: its turn with one module of
    that power. (A gun without a grant has reached nothing: `rule.any-station.loop`.)"""
    choice = rule.documented(algebra, [0], [grant_w], [grant_w], [reached_w], [[True]], grant_w)
    return choice.delivered_w[0]


def granted(grant_w: Any) -> Any:
    """The grant, never below nothing."""
    return algebra.ite(grant_w > 0, grant_w, 0)


SIZES = (*[(guns, modules) for guns in range(1, 7) for modules in range(1, 10)], (24, 48))


def the_loop(station: Station) -> Claim:
    """The shipped functions against a loop over their bodies, as terms of the free algebra."""
    chance = random.Random(1)
    same = [_is_the_loop(chance, *size) for size in SIZES]
    grant_w, reached_w = algebra.ints("grant"), algebra.ints("reached")
    ends = delivered_w(grant_w, reached_w) == _ends(algebra, grant_w, reached_w)
    # A look leaves nothing reached without a grant.
    with_grant = algebra.implies(reached_w > 0, grant_w > 0)
    one = look("module", grant_w, reached_w)
    keeps = algebra.implies(one.reached_then_w > 0, grant_w > 0)
    known = algebra.and_(reached_w >= 0, one.power_w > 0, with_grant)
    return Claim(
        (),
        algebra.and_(
            all(same),
            algebra.implies(known, algebra.and_(one.reached_then_w >= 0, keeps)),
            algebra.implies(algebra.and_(reached_w >= 0, with_grant), ends),
        ),
        covers=(("it reaches something", algebra.and_(known, one.reached_then_w > 0)),),
    )


def _ends(over: Any, grant_w: Any, reached_w: Any) -> Any:
    """What a gun is given that has reached that power."""
    return over.ite(reached_w > 0, rule.least(over, grant_w, reached_w), 0)


def _is_the_loop(chance: random.Random, guns: int, modules: int) -> bool:
    """In one order of the guns, with an order of looking for each, and by number."""
    demand_w, maximum_w = terms.names("demand", guns), terms.names("maximum", guns)
    power_w, usable = terms.names("power", modules), terms.names("usable", guns, modules)
    order = chance.sample(range(guns), guns)
    by_number = [list(range(modules))] * guns
    shuffled = [chance.sample(range(modules), modules) for _ in range(guns)]
    for looks_at, given in ((by_number, None), (shuffled, shuffled)):
        held: list[list[Any]] = [[None] * modules for _ in range(guns)]
        given_w: list[Any] = [None] * guns
        free: list[Any] = [True] * modules
        left_w: Any = terms.names("limit")
        for gun in order:
            granted_w = rule.least(terms, demand_w[gun], maximum_w[gun])
            grant_w, reached_w = rule.least(terms, granted_w, left_w), 0
            for m in looks_at[gun]:
                held[gun][m], reached_w, free[m] = rule.take(
                    terms, grant_w, reached_w, power_w[m], free[m], usable[gun][m]
                )
            given_w[gun] = _ends(terms, grant_w, reached_w)
            left_w = left_w - given_w[gun]
        shipped = rule.documented(
            terms, order, demand_w, maximum_w, power_w, usable, terms.names("limit"), given
        )
        if shipped != (held, given_w):
            return False
    needs: Any = 0
    reached_w = 0
    for watts in power_w:
        needs, reached_w = _needs_one_more(terms, needs, reached_w, watts, terms.names("grant"))
    return bool(rule.need(terms, terms.names("grant"), power_w) == needs)


def _needs_one_more(
    over: Any, needs: Any, reached_w: Any, power_w: Any, grant_w: Any
) -> tuple[Any, Any]:
    """The body of `rule.need`."""
    return needs + over.ite(grant_w > reached_w, 1, 0), reached_w + power_w


def inductive(start: Any, invariant: Any, guard: Any, then: Any, end: Any) -> Any:
    """It holds at the start; where it holds, a look keeps it; where it holds, the end says so."""
    return algebra.and_(
        start,
        algebra.implies(algebra.and_(invariant, guard), then),
        algebra.implies(invariant, end),
    )


def exclusive(station: Station) -> Claim:
    """One arbitrary module through all turns: it is free, or exactly one gun holds it."""

    def invariant(free: Any, holders: Any) -> Any:
        return algebra.ite(free, holders, holders - 1) == 0

    grant_w, reached_w = algebra.ints("grant"), algebra.ints("reached")
    one = look("module", grant_w, reached_w)
    holders = algebra.ints("holders")
    then = algebra.and_(
        invariant(one.free_then, holders + algebra.ite(one.takes, 1, 0)),
        algebra.implies(one.takes, algebra.and_(one.usable, one.free)),
    )
    return Claim(
        (),
        inductive(invariant(True, 0), invariant(one.free, holders), True, then, holders <= 1),
    )


class Held(NamedTuple):
    """What is known of one gun in its turn."""

    some: Any
    """It holds a module."""
    before_last_w: Any
    """The power it had reached before the last module it took."""
    reached_w: Any


def sound(grant_w: Any, held: Held) -> Any:
    """It took its last module while it still needed one."""
    return algebra.and_(
        algebra.implies(
            held.some,
            algebra.and_(
                held.before_last_w >= 0,
                held.before_last_w < grant_w,
                held.before_last_w < held.reached_w,
            ),
        ),
        algebra.implies(algebra.not_(held.some), held.reached_w == 0),
    )


def _turn(ends_with: Any) -> Any:
    """The claim that every turn keeps `sound` and that it ends with that."""

    def claim(station: Station) -> Claim:
        grant_w = algebra.ints("grant")
        held = Held(algebra.bools("some"), algebra.ints("before last"), algebra.ints("reached"))
        one = look("module", grant_w, held.reached_w)
        then = Held(
            algebra.or_(held.some, one.takes),
            algebra.ite(one.takes, one.reached_w, held.before_last_w),
            one.reached_then_w,
        )
        return Claim(
            (),
            inductive(
                sound(grant_w, Held(False, 0, 0)),
                sound(grant_w, held),
                one.power_w > 0,
                sound(grant_w, then),
                ends_with(grant_w, held, delivered_w(grant_w, held.reached_w)),
            ),
            covers=(("a second module is taken", algebra.and_(held.some, one.takes)),),
        )

    return claim


def _no_waste(grant_w: Any, held: Held, given_w: Any) -> Any:
    return algebra.implies(held.some, given_w > held.before_last_w)


def _up_to_demand(grant_w: Any, held: Held, given_w: Any) -> Any:
    return given_w == rule.least(algebra, granted(grant_w), held.reached_w)


def _within(grant_w: Any, held: Held, given_w: Any) -> Any:
    """With the grant at most what the limit leaves, something above 0 or nothing is left."""
    left_w, demand_w, maximum_w = algebra.ints("left", 3)
    grant = rule.least(algebra, rule.least(algebra, demand_w, maximum_w), left_w)
    return algebra.implies(
        algebra.and_(left_w >= 0, grant_w == grant),
        algebra.and_(
            left_w - given_w >= 0,
            algebra.or_(given_w <= demand_w, given_w == 0),
            algebra.or_(given_w <= maximum_w, given_w == 0),
            algebra.implies(
                held.some,
                algebra.and_(held.before_last_w < demand_w, held.before_last_w < maximum_w),
            ),
        ),
    )


def _short_means_none_left(grant_w: Any, reached_w: Any, usable: Any, free: Any) -> Any:
    """Once looked at: a module that the gun could use and that is still free is not needed."""
    return algebra.implies(algebra.and_(usable, free), reached_w >= grant_w)


def left_means_met(usable: Any, free: Any, met: Any) -> Any:
    """A usable module that is left free: the gun is met."""
    return algebra.implies(algebra.and_(usable, free), met)


def first_choice(station: Station) -> Claim:
    """One arbitrary module through one turn: looked at, then others are looked at; and then, with
    whatever they need, by the guns served after it."""
    grant_w, reached_w, later_w = algebra.ints("watts", 3)
    one = look("module", grant_w, reached_w)
    other = look("another", grant_w, later_w)
    after_w = algebra.ints("a later gun's watts", 2)
    after = look("module later", after_w[0], after_w[1], free=one.free_then)
    holds = _short_means_none_left(grant_w, later_w, one.usable, one.free_then)
    met = delivered_w(grant_w, later_w) >= granted(grant_w)
    return Claim(
        (reached_w >= 0, later_w >= 0, algebra.implies(later_w > 0, grant_w > 0)),
        inductive(
            _short_means_none_left(grant_w, one.reached_then_w, one.usable, one.free_then),
            holds,
            other.power_w > 0,
            _short_means_none_left(grant_w, other.reached_then_w, one.usable, one.free_then),
            algebra.and_(
                left_means_met(one.usable, one.free_then, met),
                left_means_met(one.usable, after.free_then, met),
            ),
        ),
        covers=(("a module stays free", algebra.and_(one.usable, after.free_then)),),
    )


def lowest_first(station: Station) -> Claim:
    """A module looked at earlier, then any others, then one that is taken."""
    grant_w, reached_w, later_w = algebra.ints("watts", 3)
    lower = look("lower", grant_w, reached_w)
    one = look("module", grant_w, later_w)
    holds = _short_means_none_left(grant_w, later_w, lower.usable, lower.free_then)
    return Claim(
        (),
        inductive(
            _short_means_none_left(grant_w, lower.reached_then_w, lower.usable, lower.free_then),
            holds,
            one.power_w > 0,
            _short_means_none_left(grant_w, one.reached_then_w, lower.usable, lower.free_then),
            algebra.implies(algebra.and_(one.takes, lower.usable), algebra.not_(lower.free_then)),
        ),
        covers=(("it is taken", one.takes),),
    )


def priority(station: Station) -> Claim:
    """After a short gun no usable module is free, as `first_choice` says; so a later gun, whose
    modules are the same, reaches nothing; and takes none of them, so that nothing is free for the
    next."""
    grant_w, reached_w = algebra.ints("grant"), algebra.ints("reached")
    healthy, met = algebra.bools("healthy"), algebra.bools("the earlier gun is met")
    one = look("module", grant_w, reached_w, usable=healthy)

    def nothing_left(free: Any) -> Any:
        return algebra.not_(algebra.and_(healthy, free))

    short = algebra.and_(algebra.not_(met), left_means_met(healthy, one.free, met))
    return Claim(
        (),
        inductive(
            algebra.implies(short, nothing_left(one.free)),
            algebra.and_(nothing_left(one.free), reached_w == 0),
            one.power_w > 0,
            algebra.and_(nothing_left(one.free_then), one.reached_then_w == 0),
            delivered_w(grant_w, reached_w) == 0,
        ),
        covers=(("the earlier gun is short", short),),
    )


def free_only_falls(station: Station) -> Claim:
    """Nobody gives a module back in the same allocation."""
    one = look("module", algebra.ints("grant"), algebra.ints("reached"))
    return Claim(
        (),
        algebra.and_(
            algebra.implies(one.free_then, one.free),
            algebra.iff(one.takes, algebra.and_(one.free, algebra.not_(one.free_then))),
        ),
    )


def as_many_as_needed(needs: Any, there: Any) -> Any:
    """How many modules a gun takes of those that are there for it."""
    return rule.least(algebra, needs, there)


def turn_counts(station: Station) -> Claim:
    """A turn, and the count of what it needs, with equal modules: `power(n)` is that of n modules.
    Of what both have counted so far: the last one was below the grant; and the next one is not,
    unless all were counted."""
    power = z3.Function("power of modules", z3.IntSort(), z3.IntSort())
    power_w, grant_w = algebra.ints("power"), algebra.ints("grant")
    taken, seen, needs, counted = algebra.ints("modules", 4)
    free, usable = algebra.bools("free"), algebra.bools("usable")

    def so_far(found: Any, of: Any) -> Any:
        return algebra.and_(
            found >= 0,
            found <= of,
            algebra.or_(found == 0, power(found - 1) < grant_w),
            algebra.or_(found == of, power(found) >= grant_w),
        )

    def one_more(number: Any) -> Any:
        return power(number + 1) == power(number) + power_w

    def no_less(fewer: Any, more: Any) -> Any:
        """More modules have no less power: by induction, from `one_more`."""
        return algebra.implies(algebra.and_(fewer >= 0, fewer <= more), power(fewer) <= power(more))

    known = algebra.and_(power(0) == 0, power_w > 0)
    takes, reached_then_w, free_then = rule.take(
        algebra, grant_w, power(taken), power_w, free, usable
    )
    taken_then = taken + algebra.ite(takes, 1, 0)
    seen_then = seen + algebra.ite(algebra.and_(free, usable), 1, 0)
    needs_then, _ = _needs_one_more(algebra, needs, power(counted), power_w, grant_w)
    turn, need = so_far(taken, seen), so_far(needs, counted)
    pairs = ((needs, counted), (needs, taken - 1), (taken, needs - 1))
    in_order = algebra.and_(*[no_less(*pair) for pair in pairs])
    end = algebra.and_(turn, need, in_order, seen <= counted)
    return Claim(
        (),
        algebra.and_(
            # Powers are in order.
            algebra.implies(
                algebra.and_(power_w > 0, no_less(taken, seen), one_more(seen)),
                no_less(taken, seen + 1),
            ),
            # The turn, look by look.
            so_far(z3.IntVal(0), z3.IntVal(0)),
            algebra.implies(
                algebra.and_(known, turn, one_more(taken)),
                algebra.and_(so_far(taken_then, seen_then), reached_then_w == power(taken_then)),
            ),
            # What is free falls by what it takes.
            algebra.ite(free_then, 1, 0) == algebra.ite(free, 1, 0) - algebra.ite(takes, 1, 0),
            # What it needs, module by module.
            algebra.implies(
                algebra.and_(known, need, in_order, one_more(counted)),
                so_far(needs_then, counted + 1),
            ),
            # Both together.
            algebra.implies(algebra.and_(known, end), taken == as_many_as_needed(needs, seen)),
        ),
        covers=(
            ("it takes what it needs", algebra.and_(known, end, taken == needs, taken < seen)),
            ("it takes all", algebra.and_(known, end, taken == seen, taken < needs)),
        ),
    )


def lexicographic(station: Station) -> Claim:
    """Sums over the guns served so far, ours (by `turn_counts`) and those of any other allocation:
    as long as nobody has less with the other, the other has used as much, so there is no gain at
    the next."""
    modules, needs, before, other_before, taken = algebra.ints("modules", 5)
    ours = as_many_as_needed(needs, modules - before)
    fits = algebra.and_(before >= 0, before <= modules, needs >= 0, taken >= 0)
    behind = other_before >= before
    step = algebra.implies(
        algebra.and_(fits, behind, taken >= ours), other_before + taken >= before + ours
    )
    no_gain = algebra.implies(
        algebra.and_(fits, behind, other_before + taken <= modules),
        algebra.not_(algebra.and_(taken > ours, ours < needs)),
    )
    stays = algebra.implies(fits, algebra.and_(before + ours >= 0, before + ours <= modules))
    return Claim((), algebra.and_(step, no_gain, stays))


def _any(
    name: str,
    sentence: str,
    claim: Any,
    domain: str = POSITIVE,
    proves: tuple[str, ...] = ("rule.take", "rule.documented"),
) -> Obligation:
    return Obligation(
        f"rule.any-station.{name}",
        sentence,
        proves,
        domain,
        (),
        PROVED,
        BUDGET,
        claim,
    )


OBLIGATIONS: tuple[Obligation, ...] = (
    _any(
        "loop",
        "The rule is a loop in which each gun in turn looks at every module once, takes what is"
        " free, usable and still needed, and is given what it has reached, up to its grant.",
        the_loop,
        "sizes up to 6 x 9, and 24 x 48; an order of guns and of looking for each, any numbers",
        ("rule.documented", "rule.take", "rule.need"),
    ),
    _any(
        "one-gun-per-module",
        "A module is on one gun at most, taken only where usable and free.",
        exclusive,
    ),
    _any(
        "no-waste",
        "No gun holds a last module (in the order it looks) without which it could be given the"
        " same.",
        _turn(_no_waste),
    ),
    _any(
        "up-to-demand",
        "A gun is given the power of its modules, up to what it is granted.",
        _turn(_up_to_demand),
    ),
    _any(
        "within-limits",
        "No gun is given more than its demand, its maximum or what the site limit leaves; without"
        " its last module it would be below the first two; the limit is never overdrawn.",
        _turn(_within),
    ),
    _any(
        "first-choice",
        "A usable module that is still free after a gun's turn, or at the end, means that the gun"
        " is met.",
        first_choice,
    ),
    _any("free-only-falls", "A module once taken is never free again.", free_only_falls),
    _any(
        "lowest-first",
        "When a gun takes a module, each that it looked at before and could use is held by"
        " it or by a gun served before.",
        lowest_first,
    ),
    _any(
        "higher-demand-first",
        "After a gun that is given less than it may have, every gun served is given nothing.",
        priority,
        POSITIVE + "; full matrix; composed of rule.any-station.first-choice",
    ),
    _any(
        "turn-counts",
        "In its turn a gun takes exactly the modules it needs, or all that are free for it.",
        turn_counts,
        POSITIVE + "; equal modules",
        ("rule.take", "rule.need"),
    ),
    _any(
        "lexicographic-optimum",
        "No allocation gives a gun more modules of its need without giving fewer to one before it.",
        lexicographic,
        POSITIVE + "; full matrix, equal modules; composed of rule.any-station.turn-counts",
    ),
)
