"""Any step: one scan of one module, what the shipped function decides in it, and the next scan."""

from collections.abc import Callable
from typing import Any, NamedTuple

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, iff, implies, not_, or_
from proofs.lemmas.rule_inputs import in_model
from proofs.plant import Interval, Scan
from verified_alloc.kernel import ops, switching
from verified_alloc.kernel.diagnosis import Ages, Readings, Timing
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station

ANY_STATION = "any times; one module (they do not depend on each other) and as many guns"
Assumed = frozenset[str]


class Step(NamedTuple):
    """One scan, its decision, and the next scan; lists are by gun."""

    times: Timing
    before: Scan
    target: list[Any]
    locked: list[Any]
    stop: Any
    overdue: Any
    writes: Writes
    during: Interval
    after: Scan


def step_from(
    times: Timing, before: Scan, name: str = "then", locked: list[Any] | None = None
) -> Step:
    """Whatever may follow after that scan, for whatever target; any guns are locked, or these."""
    guns = len(before.module.coil)
    target = z3_terms.bools(f"{name} target", guns)
    locked = z3_terms.bools(f"{name} locked", guns) if locked is None else locked
    stop = z3.Bool(f"{name} stop")
    overdue = z3.Bool(f"{name} overdue")
    writes = switching.step(
        z3_terms, times, before.readings, before.ages, target, locked, stop, overdue
    )
    during = plant.interval(name, guns)
    after = plant.next_scan(f"{name} next", times, before, during)
    return Step(times, before, target, locked, stop, overdue, writes, during, after)


def any_step(station: Station) -> Step:
    """A step from any scan, with any times."""
    return step_from(plant.timing(), plant.scan("now", len(station.guns)))


def first_step(station: Station) -> Step:
    """The first scan after a start, whatever is the case then, and the next."""
    times = plant.timing()
    guns = len(station.guns)
    before = plant.scan("before the start", guns)
    started = plant.interval("start", guns)._replace(restarted=True)
    return step_from(times, plant.next_scan("first", times, before, started))


def laws(assumed: Assumed, step: Step) -> tuple[Any, ...]:
    """What the world makes of that step."""
    return (
        plant.times_are_sane(step.times),
        *plant.holds(assumed, step.times, step.before),
        *plant.passes(assumed, step.times, step.before, step.writes, step.during, step.after),
        *plant.holds(assumed, step.times, step.after),
    )


def guns(step: Step) -> range:
    """The guns, counted from 0."""
    return range(len(step.target))


def rises(step: Step, gun: int) -> Any:
    """A write of ours energises this coil."""
    return plant.rises(step.before, step.writes, step.during, gun)


def falls(step: Step, gun: int) -> Any:
    """A write of ours drops this coil."""
    return plant.falls(step.before, step.writes, step.during, gun)


def ages_are_sound(now: Scan) -> Any:
    """Every age is at most the real time, and there is one only where this scan's readings show
    it."""
    state, read, ages = now.module, now.readings, now.ages
    return and_(
        implies(
            ages.off_ms >= 0,
            and_(
                read.valid,
                not_(or_(state.enable, state.feeds, read.enabled, read.reports_on)),
                ages.off_ms <= state.off_ms,
            ),
        ),
        *[
            implies(
                ages.settled_ms[gun] >= 0,
                and_(
                    read.valid,
                    iff(read.latch[gun], state.coil[gun]),
                    iff(ages.latch[gun], state.coil[gun]),
                    iff(read.closed[gun], state.coil[gun]),
                    iff(read.closed_again[gun], state.coil[gun]),
                    ages.settled_ms[gun] <= state.coil_ms[gun],
                ),
            )
            for gun in range(len(state.coil))
        ],
    )


def replayed(step: Step, model: Any) -> str:
    """Whether the shipped step, on the plain values, decides as the model says."""
    again = switching.step(
        ops,
        Timing(*in_model(step.times, model)),
        Readings(*in_model(step.before.readings, model)),
        Ages(*in_model(step.before.ages, model)),
        in_model(step.target, model),
        in_model(step.locked, model),
        in_model(step.stop, model),
        in_model(step.overdue, model),
    )
    return "the same" if list(again) == in_model(step.writes, model) else "otherwise"


def in_words(model: Any, label: str, now: Scan) -> list[str]:
    """A scan of one module as a model has it, a line for each gun."""

    def value(term: Any) -> Any:
        return in_model(term, model)

    def word(term: Any, yes: str, no: str) -> str:
        return yes if value(term) else no

    state, read, ages = now.module, now.readings, now.ages
    lines = [
        f"{label}: enable {word(state.enable, 'high', 'low')},"
        f" {word(state.feeds, 'feeds', 'does not feed')}, off for {value(state.off_ms)} ms"
        f" (counted {value(ages.off_ms)});"
        f" reads {word(read.valid, 'valid', 'invalid')}:"
        f" {word(read.enabled, 'enabled', 'not enabled')},"
        f" {word(read.reports_on, 'reports on', 'reports off')}"
    ]
    for gun in range(len(state.coil)):
        instants = (state.closed, now.closed_first, now.closed_second, now.closed_last)
        moves = " ".join(word(contacts[gun], "closed", "open") for contacts in instants)
        lines.append(
            f"  gun {gun + 1}: coil {word(state.coil[gun], 'on', 'off')}"
            f" for {value(state.coil_ms[gun])} ms (settled"
            f" {value(ages.settled_ms[gun])}), contact {moves}; reads"
            f" {word(read.latch[gun], 'on', 'off')},"
            f" {word(read.closed[gun], 'closed', 'open')},"
            f" {word(read.closed_again[gun], 'closed', 'open')};"
            f" mismatch {value(ages.mismatch[gun])}"
        )
    return lines


def story(step: Step) -> Callable[[Any], str]:
    """A counterexample in words."""

    def tell(model: Any) -> str:
        def value(term: Any) -> Any:
            return in_model(term, model)

        def word(term: Any, yes: str, no: str) -> str:
            return yes if value(term) else no

        times = zip(Timing._fields, step.times, strict=True)
        target = [gun + 1 for gun in guns(step) if value(step.target[gun])]
        coils = [gun + 1 for gun in guns(step) if value(step.writes.coils[gun])]
        return "\n".join(
            [
                ", ".join(f"{field} {value(limit)}" for field, limit in times),
                *in_words(model, "this scan", step.before),
                f"target: guns {target}{word(step.stop, ', stop', '')}"
                f"{word(step.overdue, ', overdue', '')};"
                f" decides: enable {word(step.writes.enable, 'high', 'low')},"
                f" {word(step.writes.may_switch, 'may switch', 'may not switch')},"
                f" coils of guns {coils}",
                f"{value(step.during.passed_ms)} ms pass, counted {value(step.during.elapsed_ms)}"
                f"{word(step.during.restarted, ', with a restart', '')}",
                *in_words(model, "next scan", step.after),
                f"Replayed on the shipped step, it decides {replayed(step, model)}.",
            ]
        )

    return tell
