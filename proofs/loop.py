"""The rule on any station: N guns, M modules, any powers, by invariants of its loop.

The loop's body is the shipped `rule.take`; what a turn ends with is taken from the shipped
`rule.documented`. Each claim follows one arbitrary gun and one or two arbitrary modules, so it
knows no sizes: it holds at the start, every look at a module keeps it, and at the end it says the
sentence. That the shipped loop visits every module once in each turn, one turn after another, is
its text; `rule.turn-by-turn` proves it for the station's own size. Modules may be looked at in any
order.
"""

from typing import Any, NamedTuple

from proofs import algebra
from proofs.obligation import PROVED, Claim, Obligation
from verified_alloc.kernel import rule
from verified_alloc.station import Station

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
    that power. (A gun without a grant has reached nothing; the claims below carry that.)"""
    choice = rule.documented(algebra, [0], [grant_w], [grant_w], [reached_w], [[True]], grant_w)
    return choice.delivered_w[0]


def granted(grant_w: Any) -> Any:
    """The grant, never below nothing."""
    return algebra.ite(grant_w > 0, grant_w, 0)


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
        ),
    )


def _short_means_none_left(grant_w: Any, reached_w: Any, usable: Any, free: Any) -> Any:
    """Once looked at: a module that the gun could use and that is still free is not needed."""
    return algebra.implies(algebra.and_(usable, free), reached_w >= grant_w)


def first_choice(station: Station) -> Claim:
    """One arbitrary module through one turn: looked at, then others are looked at."""
    grant_w, reached_w, later_w = algebra.ints("watts", 3)
    one = look("module", grant_w, reached_w)
    other = look("another", grant_w, later_w)
    holds = _short_means_none_left(grant_w, later_w, one.usable, one.free_then)
    met = delivered_w(grant_w, later_w) >= granted(grant_w)
    return Claim(
        (reached_w >= 0, later_w >= 0, algebra.implies(later_w > 0, grant_w > 0)),
        inductive(
            _short_means_none_left(grant_w, one.reached_then_w, one.usable, one.free_then),
            holds,
            other.power_w > 0,
            _short_means_none_left(grant_w, other.reached_then_w, one.usable, one.free_then),
            algebra.implies(algebra.and_(one.usable, one.free_then), met),
        ),
        covers=(("a module stays free", algebra.and_(one.usable, one.free_then)),),
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
    """After a short gun no usable module is free (`first_choice`), so a later gun, whose modules
    are the same, reaches nothing."""
    grant_w, reached_w = algebra.ints("grant"), algebra.ints("reached")
    healthy = algebra.bools("healthy")
    one = look("module", grant_w, reached_w, usable=healthy)

    def nothing_left(free: Any) -> Any:
        return algebra.not_(algebra.and_(healthy, free))

    return Claim(
        (),
        inductive(
            True,
            algebra.and_(nothing_left(one.free), reached_w == 0),
            one.power_w > 0,
            algebra.and_(nothing_left(one.free_then), one.reached_then_w == 0),
            delivered_w(grant_w, reached_w) == 0,
        ),
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


def lexicographic(station: Station) -> Claim:
    """Sums over the guns served so far, ours and those of any other allocation: as long as nobody
    has less with the other, the other has used as much, so there is no gain at the next."""
    modules, needs, before, other_before, taken = algebra.ints("modules", 5)
    ours = rule.least(algebra, needs, modules - before)
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


def _any(name: str, sentence: str, claim: Any, domain: str = POSITIVE) -> Obligation:
    return Obligation(
        f"rule.any-station.{name}",
        sentence,
        ("rule.take", "rule.documented"),
        domain,
        (),
        PROVED,
        BUDGET,
        claim,
    )


OBLIGATIONS: tuple[Obligation, ...] = (
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
        "No gun is given more than its demand, its maximum or what the site limit leaves; the limit"
        " is never overdrawn.",
        _turn(_within),
    ),
    _any(
        "first-choice",
        "A usable module that is still free after a gun's turn means that the gun is met.",
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
        POSITIVE + "; full matrix",
    ),
    _any(
        "lexicographic-optimum",
        "No allocation gives a gun more modules of its need without giving fewer to one before it.",
        lexicographic,
        POSITIVE + "; full matrix, equal modules",
    ),
)
