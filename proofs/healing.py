"""Expanders that are out of order: when they are reset and configured anew, and how often."""

from typing import Any

from proofs.algebras.z3_terms import and_, iff, implies, not_, or_
from proofs.lemmas.scan_claims import ACTS, WHOLE, only
from proofs.lemmas.whole_scan import Cut, WholeScan, any_scan, unlike
from proofs.obligation import Claim, collected, obligation
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.healing import PAUSE_MS, RESET_MS, TRIES, Healing
from verified_alloc.kernel.scan import Configure, Reset
from verified_alloc.station.model import Station

HOUR_MS = 60 * 60 * 1000


def is_sound(each: Healing, latched: Any) -> Any:
    """What may be remembered of an expander."""
    return and_(
        each.tries >= 0,
        each.tries <= TRIES,
        each.since_ms >= NOT_SO,
        each.since_ms < HOUR_MS,
        each.last_ms >= NOT_SO,
        iff(each.tries > 0, each.since_ms >= 0),
        implies(each.asked, each.lost),
        implies(latched, each.lost),
    )


def rests(of: WholeScan, m: int) -> Any:
    """The module is off by its lines, at the last look too, and has been for so long that its
    current is gone."""
    return and_(
        not_(or_(of.looked[0][m], of.looked[1][m])),
        of.acts.after.lines_off_ms[m] >= of.built.timing.current_decay_ms,
    )


def _named(of: WholeScan) -> Cut:
    """Names for what the first three acts made of the scan."""
    was = of.acts.concluded
    names = Cut().name("lines off", was.lines_off_ms).name("healing", was.healing)
    names.name("answering", was.answering_ms)
    return names.name("latched", was.latched.expander_lost).name(
        "valid", [each.readings.valid for each in of.now]
    )


@obligation("healing.configured-at-rest", *ACTS, "healing.may_try", "latched.at_rest", domain=WHOLE)
def configured_at_rest(station: Station) -> Claim:
    """An expander is configured anew, one in a scan, only while it is out of order and not latched,
    every module with a contactor on it is off by its lines and its current gone, and this scan
    could not read it (S2)."""
    of = any_scan(station)
    asked, was, names = only(of, Configure).expanders, of.acts.diagnosed, _named(of)
    on_it = [
        {m for k, (_, m) in enumerate(of.built.contactors) if k // 14 == at}
        for at in range(len(asked))
    ]
    goals = [
        implies(
            now,
            and_(
                was.healing[at].lost,
                not_(was.latched.expander_lost[at]),
                *[and_(rests(of, m), not_(of.now[m].readings.valid)) for m in sorted(on_it[at])],
            ),
        )
        for at, now in enumerate(asked)
    ]
    alone = [not_(and_(a, b)) for place, a in enumerate(asked) for b in asked[:place]]
    return Claim(
        (),
        names.of(and_(*goals, *alone)),
        None,
        (("the last one is", names.of(asked[-1])),),
    )


@obligation("healing.reset-at-rest", *ACTS, "latched.at_rest", domain=WHOLE)
def reset_at_rest(station: Station) -> Claim:
    """RESET is held low only while every expander is out of order and none answers, and every
    module is off by its lines and its current gone; then none is configured anew. Where none
    answers, none is configured anew before RESET has been low for its time (S2, S7)."""
    of = any_scan(station)
    low, asked, was = only(of, Reset).low, only(of, Configure).expanders, of.acts.diagnosed
    answers = or_(*of.observed.obeyed, *of.observed.misconfigured)
    dead = and_(not_(answers), *[each.lost for each in was.healing])
    still, some = and_(*[rests(of, m) for m in of.modules]), or_(*asked)
    low_ms = of.built.timing.current_decay_ms + RESET_MS
    names = _named(of).name("reset", was.reset_ms)
    return Claim(
        (),
        names.of(
            and_(
                implies(low, and_(dead, still, not_(some))),
                implies(and_(dead, still, not_(some)), low),
                implies(and_(dead, still, some), was.reset_ms >= low_ms),
            )
        ),
        None,
        (("it is low", names.of(low)), ("it has been", names.of(and_(dead, still, some)))),
    )


@obligation(
    "healing.six-times-an-hour",
    *ACTS,
    "healing.counts",
    "healing.looked_at",
    "healing.spent",
    "healing.may_try",
    "healing.pause_ms",
    "healing.tried",
    domain=WHOLE,
)
def healing_is_bounded(station: Station) -> Claim:
    """An expander is configured anew six times within an hour at the most, counted from the first,
    two seconds apart; each time counts, and none is forgotten before the hour is over. While none
    answers at all, and until one has for two seconds, it is the bus: no time counts, and none is
    latched (S8)."""
    of = any_scan(station)
    bus = of.acts.diagnosed.answering_ms < PAUSE_MS
    claims = []
    for at, asked in enumerate(only(of, Configure).expanders):
        before, after = of.memory.healing[at], of.acts.after.healing[at]
        latched = (each.latched.expander_lost[at] for each in (of.memory, of.acts.after))
        was_latched, is_latched = latched
        elapsed_ms = of.observed.elapsed_ms
        over = and_(before.since_ms >= 0, before.since_ms + elapsed_ms >= HOUR_MS)
        kept, counted = and_(not_(over), before.tries > 0), and_(asked, not_(bus))
        goal = and_(
            is_sound(after, is_latched),
            implies(and_(kept, counted), after.tries == before.tries + 1),
            implies(and_(kept, not_(counted)), after.tries == before.tries),
            implies(kept, after.since_ms == before.since_ms + elapsed_ms),
            implies(and_(not_(kept), counted), and_(after.tries == 1, after.since_ms == 0)),
            implies(not_(or_(kept, counted)), after.tries == 0),
            implies(bus, iff(is_latched, was_latched)),
            implies(asked, and_(after.asked, after.last_ms == 0)),
            implies(and_(asked, before.last_ms >= 0), before.last_ms + elapsed_ms >= PAUSE_MS),
        )
        names = Cut().name("at", before).name("latched", was_latched)
        names.name("answering", of.acts.diagnosed.answering_ms)
        given = and_(elapsed_ms >= 0, is_sound(before, was_latched))
        claims.append(names.of(implies(given, goal)))
    return Claim((), unlike(claims))


OBLIGATIONS = collected(globals())
