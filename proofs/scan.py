"""One scan of the whole station: what its memory may say, and the safety rules S1 to S9.

By induction. `scan.invariant-at-start`: a process that has just begun satisfies the invariant,
whatever state the world is in; so it is covered wherever the one before died, between any two
effects. `scan.invariant-is-kept`: from every memory that satisfies it, a scan leaves one that does.
`scan.ages-are-sound`: then the ages that the first act counts are sound. All rules are shown from
these: for any readings, any target, any subset of the writes done and verified, any time.

Modules do not see each other but through what they are given: which guns are locked, the target
that may be switched to, stops. The theorems about one module hold for whatever these are
(`whole_scan.Cut`), and are decided for each module that is unlike the others.
"""

from collections.abc import Callable
from typing import Any

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, iff, implies, not_, or_, total
from proofs.lemmas.any_scan import Assumed, ages_are_sound
from proofs.lemmas.whole_scan import (
    Cut,
    WholeScan,
    any_scan,
    anew,
    confirmed,
    enabled_is_confirmed,
    equal,
    flat,
    invariant_of_module,
    invariant_of_station,
    sane,
    unlike,
    variables,
    world_of,
)
from proofs.obligation import Claim, collected, obligation
from proofs.plant import (
    CHIPS,
    CLOCK,
    IN_ITS_SCAN,
    LINES,
    MIRROR,
    NEEDS_ENABLE,
    ONE_FLIP,
    SOLE_OWNER,
    STAYS_OPEN,
    STOPS_WITH_ENABLE,
)
from verified_alloc.kernel import scan, switching
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.scan import Abandon, Disable, Enable, Latch, Pet, Publish, Write
from verified_alloc.station.model import Station

WHOLE = "this station, any times; any target, readings, writes done and verified"
ACTS = ("scan.diagnose", "scan.switch", "scan.conclude", "scan.look_back")

Case = tuple[str, Callable[[WholeScan, int], Any]]


def of_each_module(
    station: Station,
    given: Callable[[WholeScan, int], list[Any]],
    goal: Callable[[WholeScan, int], Any],
    cut: Callable[[WholeScan, int, Cut], Any],
    *cases: Case,
) -> Claim:
    """The claim about every module, those that are alike once; cases must be possible for the
    first."""
    of = any_scan(station)

    def general(m: int, term: Any) -> Any:
        names = Cut()
        cut(of, m, names)
        return variables(m, of).of(names.of(term))

    claims = [
        general(m, implies(and_(*sane(of), *given(of, m)), goal(of, m))) for m in of.modules
    ]
    first = and_(*sane(of), *given(of, 0))
    covers = tuple((name, general(0, and_(first, case(of, 0)))) for name, case in cases)
    return Claim((), unlike(claims), None, covers)


def given_to(of: WholeScan, m: int, names: Cut) -> None:
    """What a module is given by the rest of the station, and its ages."""
    names.name("age", of.acts.diagnosed.ages[m])
    names.name("locked", of.locks)
    names.name("held", [row[m] for row in of.held])
    names.name("stop_ms", of.acts.diagnosed.stop_ms)
    names.name("verified", of.told[m])


def given_but_ages(of: WholeScan, m: int, names: Cut) -> None:
    """The same, where it matters how ages are counted."""
    names.name("locked", of.locks)
    names.name("held", [row[m] for row in of.held])
    names.name("stop_ms", of.acts.diagnosed.stop_ms)
    names.name("verified", of.told[m])


def with_sound_ages(assumed: Assumed) -> Callable[[WholeScan, int], list[Any]]:
    """What is given where `scan.ages-are-sound` is used."""

    def given(of: WholeScan, m: int) -> list[Any]:
        now = of.now[m]
        return [ages_are_sound(now), *plant.holds(assumed, of.built.timing, now)]

    return given


def from_scan_to_scan(assumed: Assumed) -> Callable[[WholeScan, int], list[Any]]:
    """The invariant, and what has happened since."""

    def given(of: WholeScan, m: int) -> list[Any]:
        kept = invariant_of_module(of, of.memory, m, of.before[m], of.left[m])
        return [kept, anew(of, m), *world_of(of, assumed, m)]

    return given


def left_by(of: WholeScan, m: int) -> Any:
    """What the scan writes, as far as it is verified."""
    return of.acts.set_going.writes[m]._replace(enable=of.acts.concluded.enabled[m])


def rises(of: WholeScan, m: int, gun: int) -> Any:
    """A write of ours energises this coil."""
    writes = of.acts.set_going.writes[m]
    return and_(writes.may_switch, writes.coils[gun], not_(of.now[m].module.coil[gun]))


def falls(of: WholeScan, m: int, gun: int) -> Any:
    """A write of ours drops this coil."""
    writes = of.acts.set_going.writes[m]
    return and_(writes.may_switch, not_(writes.coils[gun]), of.now[m].module.coil[gun])


def some_rise(of: WholeScan, m: int) -> Any:
    """A contactor is closed."""
    return or_(*[rises(of, m, gun) for gun in of.guns])


def is_enabled(of: WholeScan, m: int) -> Any:
    """The module is enabled when the scan is over."""
    return of.acts.concluded.enabled[m]


@obligation("scan.invariant-at-start", "scan.restarted", domain=WHOLE)
def at_start(station: Station) -> Claim:
    """A process that has just begun satisfies the invariant, whatever state the world is in and
    whatever faults were latched; nothing is offered, and all may have been promised."""
    of = any_scan(station)
    memory = scan.restarted(of.built, of.memory.latched)
    return Claim(
        (),
        and_(
            *[invariant_of_module(of, memory, m, of.before[m], of.left[m]) for m in of.modules],
            invariant_of_station(memory),
            equal(list(memory.latched), list(of.memory.latched)),
            not_(or_(*flat(memory.enabled), *flat(memory.closed), *flat(memory.feeding))),
            equal(flat([memory.fed_ms, memory.lines_off_ms]), [NOT_SO] * 2 * len(of.modules)),
            equal([memory.stop_ms, memory.stopping_ms], [NOT_SO, NOT_SO]),
            *[count == 0 for count in (*memory.silence, *memory.stray)],
            not_(or_(*memory.strayed)),
            *[
                equal([each.offer_w, each.promise_w], [0, most_w])
                for each, most_w in zip(memory.offers, station.gun_max_w, strict=True)
            ],
        ),
        None,
        (("it is found running", and_(of.before[0].module.feeds, *of.before[0].module.coil)),),
    )


@obligation(
    "scan.ages-are-sound",
    "scan.diagnose",
    "diagnosis.ages",
    "diagnosis.lasting",
    "diagnosis.restarted",
    domain=WHOLE,
    assumes={CHIPS, NEEDS_ENABLE},
    needs={LINES, STOPS_WITH_ENABLE, SOLE_OWNER, CLOCK},
)
def sound(station: Station, assumed: Assumed) -> Claim:
    """No age is ever more than the real time, whatever is read, written, missed, stalled or
    restarted; and an age is there only where this scan's readings show it."""
    return of_each_module(
        station,
        from_scan_to_scan(assumed),
        lambda of, m: ages_are_sound(of.now[m]),
        given_but_ages,
        ("off for long", lambda of, m: of.now[m].ages.off_ms > of.built.timing.module_discharge_ms),
        ("restarted", lambda of, m: and_(of.restarted, of.now[m].readings.valid)),
    )


@obligation(
    "scan.invariant-is-kept",
    *ACTS,
    domain=WHOLE,
    assumes={CHIPS, LINES, NEEDS_ENABLE, STOPS_WITH_ENABLE, SOLE_OWNER, CLOCK},
)
def kept(station: Station, assumed: Assumed) -> Claim:
    """From every memory in which the ages are sound, what is left enabled is on one confirmed
    contactor with its coils left as they are, and every offer is within what is pending and that
    within the promise, each scan leaves such a memory."""
    return of_each_module(
        station,
        lambda of, m: [*from_scan_to_scan(assumed)(of, m), ages_are_sound(of.now[m])],
        lambda of, m: invariant_of_module(of, of.acts.after, m, of.now[m], left_by(of, m)),
        given_but_ages,
        ("it is left enabled", is_enabled),
        ("it comes to be enabled", lambda of, m: and_(is_enabled(of, m), not_(of.left[m].enable))),
    )


@obligation(
    "scan.no-second-contactor",
    *ACTS,
    "switching.step",
    domain=WHOLE,
    needs={CHIPS, MIRROR, ONE_FLIP, STAYS_OPEN},
)
def one_contactor(station: Station, assumed: Assumed) -> Claim:
    """No write of the scan closes a second contactor of a module, however late its contactors open,
    welded ones counted as closed, with one flipped feedback bit in every scan (S1)."""

    def alone(of: WholeScan, m: int, gun: int, other: int) -> Any:
        now = of.now[m]
        return and_(
            not_(now.module.coil[other]),
            not_(now.closed_last[other]),
            plant.released(of.built.timing, now.module, other),
        )

    return of_each_module(
        station,
        with_sound_ages(assumed),
        lambda of, m: and_(
            *[
                implies(rises(of, m, gun), alone(of, m, gun, other))
                for gun in of.guns
                for other in of.guns
                if gun != other
            ]
        ),
        given_to,
        ("a contactor is closed", some_rise),
    )


@obligation(
    "scan.nothing-under-load",
    *ACTS,
    "switching.step",
    domain=WHOLE,
    needs={NEEDS_ENABLE, IN_ITS_SCAN},
)
def nothing_under_load(station: Station, assumed: Assumed) -> Claim:
    """No write of the scan makes or breaks a contactor while its module is enabled, feeds, or its
    current is not gone, but for a stop that is overdue (S2)."""

    def goal(of: WholeScan, m: int) -> Any:
        now = of.now[m]
        moved = [or_(rises(of, m, gun), falls(of, m, gun)) for gun in of.guns]
        return implies(
            and_(or_(*moved), not_(of.overdue)),
            and_(
                not_(or_(now.enable_last, now.feeds_last)),
                now.module.off_ms >= of.built.timing.current_decay_ms,
            ),
        )

    return of_each_module(
        station,
        with_sound_ages(assumed),
        goal,
        given_to,
        ("a contactor is closed", some_rise),
        ("one is opened", lambda of, m: and_(falls(of, m, 0), not_(of.overdue))),
    )


@obligation(
    "scan.discharged-before-closing",
    *ACTS,
    "switching.step",
    domain=WHOLE,
    assumes={CHIPS},
    needs={NEEDS_ENABLE, IN_ITS_SCAN},
)
def discharged(station: Station, assumed: Assumed) -> Claim:
    """A contactor is closed only when its module has been off for module_discharge_ms (S9)."""

    def goal(of: WholeScan, m: int) -> Any:
        now = of.now[m]
        return implies(
            some_rise(of, m),
            and_(
                not_(or_(now.enable_last, now.feeds_last)),
                now.module.off_ms >= of.built.timing.module_discharge_ms,
            ),
        )

    return of_each_module(
        station, with_sound_ages(assumed), goal, given_to, ("a contactor is closed", some_rise)
    )


OBLIGATIONS = collected(globals())
