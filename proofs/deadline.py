"""When something changes by itself: until then, time may be skipped as long as nothing that is read
changes.
"""

from collections.abc import Iterator
from typing import Any

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, ints, not_, or_
from proofs.lemmas.whole_scan import Cut, any_built, any_memory, equal, offer_is_ordered, unlike
from proofs.obligation import Claim, collected, obligation
from verified_alloc.kernel import deadline, diagnosis, dwell, offer, switching
from verified_alloc.kernel.diagnosis import Ages, ModuleFaults, Timing
from verified_alloc.kernel.offer import Offer
from verified_alloc.station.model import Station


def of_ages(times: Timing, ages: Ages) -> Iterator[tuple[Any, Any]]:
    """The ages of a module with the times that acts compare them with."""
    yield ages.off_ms, times.current_decay_ms
    yield ages.off_ms, times.module_discharge_ms
    yield ages.stuck_ms, times.module_off_timeout_ms
    yield ages.silent_ms, times.module_off_timeout_ms
    for settled_ms in ages.settled_ms:
        yield settled_ms, times.contactor_operate_ms
        yield settled_ms, times.contactor_release_ms


def reached(age_ms: Any, due_ms: Any, within_ms: Any) -> Any:
    """An age that counts reaches its time within so long, and has not yet."""
    return and_(age_ms >= 0, age_ms < due_ms, age_ms + within_ms >= due_ms)


def waits(each: Offer, lead_ms: Any, within_ms: Any) -> Any:
    """A promise that waits to become another."""
    return and_(not_(each.pending_w == each.promise_w), reached(each.waited_ms, lead_ms, within_ms))


@obligation(
    "deadline.first-of-all",
    "deadline.next_change_ms",
    domain="this station's size, any times, any memory",
)
def first_of_all(station: Station) -> Claim:
    """It is the shortest of all waits, one after another: of each age of a module for the times
    that it is compared with, of how long it has fed its gun, of stops, of each offer whose promise
    is to change, until the bus is in order, or it is told
    that no contactor follows, of the pause before an expander is configured anew, and
    until one is steady; a day where nothing waits."""
    built, memory = any_built(station), any_memory("memory", any_built(station))
    times, lead_ms = built.timing, built.offer_lead_ms
    day_ms = 24 * 60 * 60 * 1000
    due = [
        (memory.stop_ms, times.module_off_timeout_ms + times.current_decay_ms),
        (memory.stopping_ms, lead_ms + lead_ms + 1),
        (memory.answering_ms, 2000),
        (memory.none_follows_ms, times.contactor_operate_ms + times.contactor_operate_ms + 1),
        *[pair for ages in memory.ages for pair in of_ages(times, ages)],
        *[(fed_ms, built.minimum_dwell_ms) for fed_ms in memory.fed_ms],
    ]

    def left_ms(age_ms: Any, due_ms: Any) -> Any:
        return z3.If(z3.And(age_ms > -1, age_ms < due_ms), due_ms - age_ms, day_ms)

    every = [left_ms(*pair) for pair in due]
    for each in memory.offers:
        differ = z3.Or(each.pending_w < each.promise_w, each.pending_w > each.promise_w)
        every.append(z3.If(differ, left_ms(each.waited_ms, lead_ms), day_ms))
    for healing, latched in zip(memory.healing, memory.latched.expander_lost, strict=True):
        last_ms = healing.last_ms
        pause_ms = z3.If(z3.And(last_ms > -1, last_ms < 2000), 2000 - last_ms, 0)
        every.append(
            z3.If(z3.And(healing.lost, z3.Not(latched)), z3.If(healing.asked, 0, pause_ms), day_ms)
        )
    steady_ms = times.module_discharge_ms + 1000
    every += [z3.If(at.in_vain, left_ms(at.last_ms, steady_ms), day_ms) for at in memory.healing]
    next_ms = deadline.next_change_ms(z3_terms, built, memory)
    shortest, steps = every[0], []
    for wait in every[1:]:
        shorter = z3_terms.ite(shortest < wait, shortest, wait)
        names = Cut().name("so far", shortest).name("wait", wait)
        is_shortest = (shorter <= shortest, shorter <= wait)
        is_one = or_(shorter == shortest, shorter == wait)
        steps.append(names.of(and_(*is_shortest, is_one)))
        shortest = shorter
    return Claim((), and_(z3_terms.same(next_ms, shortest), unlike(steps)))


@obligation(
    "deadline.nothing-changes-before",
    "deadline.next_change_ms",
    "switching.step",
    "switching.is_overdue",
    "diagnosis.ages",
    "diagnosis.module_faults",
    "diagnosis.runs_on",
    "dwell.reserved",
    "offer.lower",
    domain="any times, one module and its guns, one offer; composed of deadline.first-of-all",
)
def nothing_changes_before(station: Station) -> Claim:
    """As long as ages grow by less than that, and readings stay, no act decides otherwise than with
    no time gone: neither what is switched, nor what is latched, stopped, reserved or promised."""
    guns = len(station.guns)
    times, lead_ms, dwell_ms = plant.timing(), z3.Int("lead_ms"), z3.Int("minimum_dwell_ms")
    before, read = plant.ages("before", guns), plant.readings("now", guns)
    target, locked, closed = (bools(name, guns) for name in ("target", "locked", "closed"))
    gone_ms, stop_ms, stopping_ms, fed_ms = ints("age", 4)
    stop = z3.Bool("stop")
    told = Offer(*(z3.Int(f"offer {field}") for field in Offer._fields))
    feeds, feeding, held = z3.Bool("feeds"), z3.Bool("fed"), z3.Bool("held")
    on_before = ModuleFaults(z3.Bool("dead before"), bools("stuck on before", guns))

    def after(elapsed_ms: Any) -> list[Any]:
        ages = diagnosis.ages(z3_terms, times, read, before, elapsed_ms, 1)
        lasts_ms = diagnosis.lasting(z3_terms, z3.Bool("stopped"), stop_ms, elapsed_ms)
        leaving_ms = diagnosis.lasting(z3_terms, z3.Bool("leaving"), stopping_ms, elapsed_ms)
        overdue = switching.is_overdue(times, lasts_ms)
        since_ms = dwell.fed_ms(z3_terms, [[feeds]], [[feeding]], [fed_ms], elapsed_ms)
        lowered = offer.lower(
            z3_terms, lead_ms, told, z3.Int("affordable"), z3.Bool("acknowledged"), elapsed_ms
        )
        return [
            switching.step(z3_terms, times, read, ages, target, locked, stop, overdue),
            diagnosis.module_faults(z3_terms, times, ages, closed, on_before),
            diagnosis.runs_on(z3_terms, times, ages, closed, z3.Bool("ran on")),
            leaving_ms > 2 * lead_ms,
            dwell.reserved(z3_terms, [[feeds]], since_ms, dwell_ms, [held]),
            lowered[:3],
        ]

    due = [
        (stop_ms, times.module_off_timeout_ms + times.current_decay_ms),
        (stopping_ms, 2 * lead_ms + 1),
        (fed_ms, dwell_ms),
        *of_ages(times, before),
    ]
    ages = (before.off_ms, before.stuck_ms, before.silent_ms, *before.settled_ms)
    skips, stays = after(gone_ms), after(0)
    return Claim(
        (
            gone_ms >= 0,
            lead_ms >= 0,
            *[age >= -1 for age in (stop_ms, stopping_ms, fed_ms, *ages)],
            offer_is_ordered(told),
            *[not_(reached(*pair, gone_ms)) for pair in due],
            not_(waits(told, lead_ms, gone_ms)),
        ),
        equal(skips, stays),
        None,
        (
            ("much time goes", gone_ms > times.module_discharge_ms),
            ("it switches", and_(skips[0].may_switch, gone_ms > 0, skips[0].coils[0])),
        ),
    )


OBLIGATIONS = collected(globals())
