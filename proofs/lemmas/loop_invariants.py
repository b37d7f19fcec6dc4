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

from proofs.algebras import free_terms, z3_terms
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
    power_w = z3_terms.ints(f"{name} power")
    free = z3_terms.bools(f"{name} free") if free is None else free
    usable = z3_terms.bools(f"{name} usable") if usable is None else usable
    return Look(
        grant_w,
        reached_w,
        power_w,
        free,
        usable,
        *rule.take(z3_terms, grant_w, reached_w, power_w, free, usable),
    )


def delivered_w(grant_w: Any, reached_w: Any) -> Any:
    """What the shipped rule gives a gun that has reached that power: its turn with one module of
    that power. (A gun without a grant has reached nothing: `rule.any-station.loop`.)"""
    choice = rule.documented(
        z3_terms, [0], [grant_w], [grant_w], [reached_w], [[True]], grant_w, grant_w
    )
    return choice.delivered_w[0]


def granted(grant_w: Any) -> Any:
    """The grant, never below nothing."""
    return z3_terms.ite(grant_w > 0, grant_w, 0)


SIZES = (*[(guns, modules) for guns in range(1, 7) for modules in range(1, 10)], (24, 48))


def the_loop(station: Station) -> Claim:
    """The shipped functions against a loop over their bodies, as terms of the free algebra."""
    chance = random.Random(1)
    same = [_is_the_loop(chance, *size) for size in SIZES]
    grant_w, reached_w = z3_terms.ints("grant"), z3_terms.ints("reached")
    ends = delivered_w(grant_w, reached_w) == _ends(z3_terms, grant_w, reached_w)
    # A look leaves nothing reached without a grant.
    with_grant = z3_terms.implies(reached_w > 0, grant_w > 0)
    one = look("module", grant_w, reached_w)
    keeps = z3_terms.implies(one.reached_then_w > 0, grant_w > 0)
    known = z3_terms.and_(reached_w >= 0, one.power_w > 0, with_grant)
    return Claim(
        (),
        z3_terms.and_(
            all(same),
            z3_terms.implies(known, z3_terms.and_(one.reached_then_w >= 0, keeps)),
            z3_terms.implies(z3_terms.and_(reached_w >= 0, with_grant), ends),
        ),
        covers=(("it reaches something", z3_terms.and_(known, one.reached_then_w > 0)),),
    )


def _ends(over: Any, grant_w: Any, reached_w: Any) -> Any:
    """What a gun is given that has reached that power."""
    return over.ite(reached_w > 0, rule.least(over, grant_w, reached_w), 0)


def _is_the_loop(chance: random.Random, guns: int, modules: int) -> bool:
    """In one order of the guns, with an order of looking for each, and by number."""
    demand_w, maximum_w = free_terms.names("demand", guns), free_terms.names("maximum", guns)
    power_w, usable = free_terms.names("power", modules), free_terms.names("usable", guns, modules)
    order = chance.sample(range(guns), guns)
    by_number = [list(range(modules))] * guns
    shuffled = [chance.sample(range(modules), modules) for _ in range(guns)]
    for looks_at, given in ((by_number, None), (shuffled, shuffled)):
        held: list[list[Any]] = [[None] * modules for _ in range(guns)]
        given_w: list[Any] = [None] * guns
        free: list[Any] = [True] * modules
        left_w: Any = free_terms.names("limit")
        minimum_w = free_terms.names("least useful")
        for gun in order:
            wanted_w = rule.least(free_terms, demand_w[gun], maximum_w[gun])
            grant_w, reached_w = rule.grant(free_terms, wanted_w, left_w, minimum_w), 0
            for m in looks_at[gun]:
                held[gun][m], reached_w, free[m] = rule.take(
                    free_terms, grant_w, reached_w, power_w[m], free[m], usable[gun][m]
                )
            given_w[gun] = _ends(free_terms, grant_w, reached_w)
            left_w = left_w - given_w[gun]
        shipped = rule.documented(
            free_terms,
            order,
            demand_w,
            maximum_w,
            power_w,
            usable,
            free_terms.names("limit"),
            minimum_w,
            given,
        )
        if shipped != (held, given_w):
            return False
    needs: Any = 0
    reached_w = 0
    for watts in power_w:
        needs, reached_w = _needs_one_more(
            free_terms, needs, reached_w, watts, free_terms.names("grant")
        )
    return bool(rule.need(free_terms, free_terms.names("grant"), power_w) == needs)


def _needs_one_more(
    over: Any, needs: Any, reached_w: Any, power_w: Any, grant_w: Any
) -> tuple[Any, Any]:
    """The body of `rule.need`."""
    return needs + over.ite(grant_w > reached_w, 1, 0), reached_w + power_w


def inductive(start: Any, invariant: Any, guard: Any, then: Any, end: Any) -> Any:
    """It holds at the start; where it holds, a look keeps it; where it holds, the end says so."""
    return z3_terms.and_(
        start,
        z3_terms.implies(z3_terms.and_(invariant, guard), then),
        z3_terms.implies(invariant, end),
    )


def exclusive(station: Station) -> Claim:
    """One arbitrary module through all turns: it is free, or exactly one gun holds it."""

    def invariant(free: Any, holders: Any) -> Any:
        return z3_terms.ite(free, holders, holders - 1) == 0

    grant_w, reached_w = z3_terms.ints("grant"), z3_terms.ints("reached")
    one = look("module", grant_w, reached_w)
    holders = z3_terms.ints("holders")
    then = z3_terms.and_(
        invariant(one.free_then, holders + z3_terms.ite(one.takes, 1, 0)),
        z3_terms.implies(one.takes, z3_terms.and_(one.usable, one.free)),
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
    return z3_terms.and_(
        z3_terms.implies(
            held.some,
            z3_terms.and_(
                held.before_last_w >= 0,
                held.before_last_w < grant_w,
                held.before_last_w < held.reached_w,
            ),
        ),
        z3_terms.implies(z3_terms.not_(held.some), held.reached_w == 0),
    )


def _turn(ends_with: Any) -> Any:
    """The claim that every turn keeps `sound` and that it ends with that."""

    def claim(station: Station) -> Claim:
        grant_w = z3_terms.ints("grant")
        held = Held(z3_terms.bools("some"), z3_terms.ints("before last"), z3_terms.ints("reached"))
        one = look("module", grant_w, held.reached_w)
        then = Held(
            z3_terms.or_(held.some, one.takes),
            z3_terms.ite(one.takes, one.reached_w, held.before_last_w),
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
            covers=(("a second module is taken", z3_terms.and_(held.some, one.takes)),),
        )

    return claim


def _no_waste(grant_w: Any, held: Held, given_w: Any) -> Any:
    return z3_terms.implies(held.some, given_w > held.before_last_w)


def _up_to_demand(grant_w: Any, held: Held, given_w: Any) -> Any:
    return given_w == rule.least(z3_terms, granted(grant_w), held.reached_w)


def _within(grant_w: Any, held: Held, given_w: Any) -> Any:
    """With the grant at most what the limit leaves, something above 0 or nothing is left; and what
    is given is useful."""
    left_w, demand_w, maximum_w, minimum_w = z3_terms.ints("left", 4)
    wanted_w = rule.least(z3_terms, demand_w, maximum_w)
    grant = rule.grant(z3_terms, wanted_w, left_w, minimum_w)
    useful_w = rule.least(z3_terms, rule.least(z3_terms, wanted_w, held.reached_w), minimum_w)
    return z3_terms.implies(
        z3_terms.and_(left_w >= 0, grant_w == grant),
        z3_terms.and_(
            left_w - given_w >= 0,
            z3_terms.or_(given_w <= demand_w, given_w == 0),
            z3_terms.or_(given_w <= maximum_w, given_w == 0),
            z3_terms.or_(given_w >= useful_w, given_w == 0),
            z3_terms.implies(
                held.some,
                z3_terms.and_(held.before_last_w < demand_w, held.before_last_w < maximum_w),
            ),
        ),
    )


def _short_means_none_left(grant_w: Any, reached_w: Any, usable: Any, free: Any) -> Any:
    """Once looked at: a module that the gun could use and that is still free is not needed."""
    return z3_terms.implies(z3_terms.and_(usable, free), reached_w >= grant_w)


def left_means_met(usable: Any, free: Any, met: Any) -> Any:
    """A usable module that is left free: the gun is met."""
    return z3_terms.implies(z3_terms.and_(usable, free), met)


def first_choice(station: Station) -> Claim:
    """One arbitrary module through one turn: looked at, then others are looked at; and then, with
    whatever they need, by the guns served after it."""
    grant_w, reached_w, later_w = z3_terms.ints("watts", 3)
    one = look("module", grant_w, reached_w)
    other = look("another", grant_w, later_w)
    after_w = z3_terms.ints("a later gun's watts", 2)
    after = look("module later", after_w[0], after_w[1], free=one.free_then)
    holds = _short_means_none_left(grant_w, later_w, one.usable, one.free_then)
    met = delivered_w(grant_w, later_w) >= granted(grant_w)
    return Claim(
        (reached_w >= 0, later_w >= 0, z3_terms.implies(later_w > 0, grant_w > 0)),
        inductive(
            _short_means_none_left(grant_w, one.reached_then_w, one.usable, one.free_then),
            holds,
            other.power_w > 0,
            _short_means_none_left(grant_w, other.reached_then_w, one.usable, one.free_then),
            z3_terms.and_(
                left_means_met(one.usable, one.free_then, met),
                left_means_met(one.usable, after.free_then, met),
            ),
        ),
        covers=(("a module stays free", z3_terms.and_(one.usable, after.free_then)),),
    )


def lowest_first(station: Station) -> Claim:
    """A module looked at earlier, then any others, then one that is taken."""
    grant_w, reached_w, later_w = z3_terms.ints("watts", 3)
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
            z3_terms.implies(
                z3_terms.and_(one.takes, lower.usable), z3_terms.not_(lower.free_then)
            ),
        ),
        covers=(("it is taken", one.takes),),
    )


def priority(station: Station) -> Claim:
    """After a short gun no usable module is free, as `first_choice` says; so a later gun, whose
    modules are the same, reaches nothing; and takes none of them, so that nothing is free for the
    next."""
    grant_w, reached_w = z3_terms.ints("grant"), z3_terms.ints("reached")
    healthy, met = z3_terms.bools("healthy"), z3_terms.bools("the earlier gun is met")
    one = look("module", grant_w, reached_w, usable=healthy)

    def nothing_left(free: Any) -> Any:
        return z3_terms.not_(z3_terms.and_(healthy, free))

    short = z3_terms.and_(z3_terms.not_(met), left_means_met(healthy, one.free, met))
    return Claim(
        (),
        inductive(
            z3_terms.implies(short, nothing_left(one.free)),
            z3_terms.and_(nothing_left(one.free), reached_w == 0),
            one.power_w > 0,
            z3_terms.and_(nothing_left(one.free_then), one.reached_then_w == 0),
            delivered_w(grant_w, reached_w) == 0,
        ),
        covers=(("the earlier gun is short", short),),
    )


def free_only_falls(station: Station) -> Claim:
    """Nobody gives a module back in the same allocation."""
    one = look("module", z3_terms.ints("grant"), z3_terms.ints("reached"))
    return Claim(
        (),
        z3_terms.and_(
            z3_terms.implies(one.free_then, one.free),
            z3_terms.iff(one.takes, z3_terms.and_(one.free, z3_terms.not_(one.free_then))),
        ),
    )


def as_many_as_needed(needs: Any, there: Any) -> Any:
    """How many modules a gun takes of those that are there for it."""
    return rule.least(z3_terms, needs, there)


def turn_counts(station: Station) -> Claim:
    """A turn, and the count of what it needs, with equal modules: `power(n)` is that of n modules.
    Of what both have counted so far: the last one was below the grant; and the next one is not,
    unless all were counted."""
    power = z3.Function("power of modules", z3.IntSort(), z3.IntSort())
    power_w, grant_w = z3_terms.ints("power"), z3_terms.ints("grant")
    taken, seen, needs, counted = z3_terms.ints("modules", 4)
    free, usable = z3_terms.bools("free"), z3_terms.bools("usable")

    def so_far(found: Any, of: Any) -> Any:
        return z3_terms.and_(
            found >= 0,
            found <= of,
            z3_terms.or_(found == 0, power(found - 1) < grant_w),
            z3_terms.or_(found == of, power(found) >= grant_w),
        )

    def one_more(number: Any) -> Any:
        return power(number + 1) == power(number) + power_w

    def no_less(fewer: Any, more: Any) -> Any:
        """More modules have no less power: by induction, from `one_more`."""
        return z3_terms.implies(
            z3_terms.and_(fewer >= 0, fewer <= more), power(fewer) <= power(more)
        )

    known = z3_terms.and_(power(0) == 0, power_w > 0)
    takes, reached_then_w, free_then = rule.take(
        z3_terms, grant_w, power(taken), power_w, free, usable
    )
    taken_then = taken + z3_terms.ite(takes, 1, 0)
    seen_then = seen + z3_terms.ite(z3_terms.and_(free, usable), 1, 0)
    needs_then, _ = _needs_one_more(z3_terms, needs, power(counted), power_w, grant_w)
    turn, need = so_far(taken, seen), so_far(needs, counted)
    pairs = ((needs, counted), (needs, taken - 1), (taken, needs - 1))
    in_order = z3_terms.and_(*[no_less(*pair) for pair in pairs])
    end = z3_terms.and_(turn, need, in_order, seen <= counted)
    return Claim(
        (),
        z3_terms.and_(
            # Powers are in order.
            z3_terms.implies(
                z3_terms.and_(power_w > 0, no_less(taken, seen), one_more(seen)),
                no_less(taken, seen + 1),
            ),
            # The turn, look by look.
            so_far(z3.IntVal(0), z3.IntVal(0)),
            z3_terms.implies(
                z3_terms.and_(known, turn, one_more(taken)),
                z3_terms.and_(so_far(taken_then, seen_then), reached_then_w == power(taken_then)),
            ),
            # What is free falls by what it takes.
            z3_terms.ite(free_then, 1, 0) == z3_terms.ite(free, 1, 0) - z3_terms.ite(takes, 1, 0),
            # What it needs, module by module.
            z3_terms.implies(
                z3_terms.and_(known, need, in_order, one_more(counted)),
                so_far(needs_then, counted + 1),
            ),
            # Both together.
            z3_terms.implies(z3_terms.and_(known, end), taken == as_many_as_needed(needs, seen)),
        ),
        covers=(
            ("it takes what it needs", z3_terms.and_(known, end, taken == needs, taken < seen)),
            ("it takes all", z3_terms.and_(known, end, taken == seen, taken < needs)),
        ),
    )


def lexicographic(station: Station) -> Claim:
    """Sums over the guns served so far, ours (by `turn_counts`) and those of any other allocation:
    as long as nobody has less with the other, the other has used as much, so there is no gain at
    the next."""
    modules, needs, before, other_before, taken = z3_terms.ints("modules", 5)
    ours = as_many_as_needed(needs, modules - before)
    fits = z3_terms.and_(before >= 0, before <= modules, needs >= 0, taken >= 0)
    behind = other_before >= before
    step = z3_terms.implies(
        z3_terms.and_(fits, behind, taken >= ours), other_before + taken >= before + ours
    )
    no_gain = z3_terms.implies(
        z3_terms.and_(fits, behind, other_before + taken <= modules),
        z3_terms.not_(z3_terms.and_(taken > ours, ours < needs)),
    )
    stays = z3_terms.implies(fits, z3_terms.and_(before + ours >= 0, before + ours <= modules))
    return Claim((), z3_terms.and_(step, no_gain, stays))


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
        "No gun is given more than its demand, its maximum or what the site limit leaves, nor less"
        " than the least useful power but nothing or all it may have; without its last module it"
        " would be below the first two; the limit is never overdrawn.",
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
