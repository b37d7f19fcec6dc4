"""The world outside: every assumption about it, and one module in it from scan to scan.

Time is real time in whole milliseconds. A scan begins at the instant at which a module's lines are
read; its chips are read after that and its writes come last, so contacts may move between any two
of these. What an assumption grants is added to the relation only where that assumption is made:
`tests/proofs` drops each in turn and sees an obligation break.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import z3

from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, count, iff, implies, not_, or_
from verified_alloc.kernel import diagnosis
from verified_alloc.kernel.diagnosis import Ages, Readings, Timing
from verified_alloc.kernel.switching import Writes


class Assumption(NamedTuple):
    """One thing taken for granted, and who must see to it."""

    id: str
    sentence: str
    guarantor: str


CHIPS = "A1"
LINES = "A2"
MIRROR = "A3"
ONE_FLIP = "A4"
OPENS = "A5"
STAYS_OPEN = "A6"
CLOSES = "A7"
NEEDS_ENABLE = "A8"
STOPS_WITH_ENABLE = "A9"
SOLE_OWNER = "A10"
CLOCK = "A11"
IN_ITS_SCAN = "A12"
SPACING = "A13"
OBEYS = "A14"
ACKNOWLEDGES = "A15"
IN_TIME = "A16"

ASSUMPTIONS = (
    Assumption(
        CHIPS,
        "An expander that answered shows its coils as they are driven; one that was reset since"
        " does not count as answering before it has been configured anew.",
        "hardware/contactors.py (verified reads); expander datasheet",
    ),
    Assumption(
        LINES,
        "The enable line reads as it is driven, and the status input, where one is wired, as long"
        " as the module feeds.",
        "wiring; module datasheet",
    ),
    Assumption(
        MIRROR,
        "An auxiliary contact reads closed exactly while its main contact is closed, but for"
        " flipped bits.",
        "contactor datasheet (mirror contacts, IEC 60947-4-1 annex F); wiring (normally closed, to"
        " ground, pulled up)",
    ),
    Assumption(
        ONE_FLIP,
        "At most one of the feedback bits that one scan reads of a module is flipped.",
        "cabling and shielding; expander bus",
    ),
    Assumption(
        OPENS,
        "A contactor is open contactor_release_ms after its coil fell (a welded one breaks this).",
        "contactor datasheet, with the coil suppression that is fitted",
    ),
    Assumption(
        STAYS_OPEN,
        "A contact that is open contactor_release_ms after its coil fell stays open without it.",
        "contactor datasheet (shock and vibration)",
    ),
    Assumption(
        CLOSES,
        "A contactor is closed contactor_operate_ms after its coil rose, and stays so (one that"
        " failed open breaks this).",
        "contactor datasheet, coil supply",
    ),
    Assumption(
        NEEDS_ENABLE,
        "A module that is off does not start to feed while its enable line is low.",
        "module datasheet; pull-downs on the enable lines",
    ),
    Assumption(
        STOPS_WITH_ENABLE,
        "A module without a status input stops to feed as its enable falls; what it takes longer is"
        " part of the station's current_decay_ms and module_discharge_ms.",
        "module datasheet; station file",
    ),
    Assumption(
        SOLE_OWNER,
        "Between a scan's writes and the next scan's reads nobody else moves an enable line; after"
        " a restart of the controller the ages begin anew.",
        "hardware/supervision.py (one owner of the lines); verified_alloc/control/controller.py",
    ),
    Assumption(
        CLOCK,
        "The time that the controller counts between two scans is not longer than the real time"
        " between their readings of the same line.",
        "hardware/clock.py (monotonic); verified_alloc/control/controller.py (lines are read first;"
        " whole milliseconds, so that the times of the station file must carry 1 ms)",
    ),
    Assumption(
        IN_ITS_SCAN,
        "An enable line moves as it is written, in its own scan or never.",
        "hardware/modules.py (no queue between the controller and the lines)",
    ),
    Assumption(
        SPACING,
        "Every scan begins in a slot of scan_ms of its own: a late one is not made up for.",
        "verified_alloc/run/loop.py (scans on a fixed grid)",
    ),
    Assumption(
        OBEYS,
        "A gun draws no more than the highest offer of the last offer_lead_ms; an offer that does"
        " not arrive is replaced by its expiry.",
        "gun controller; an offer's lifetime is at most offer_lead_ms",
    ),
    Assumption(
        ACKNOWLEDGES,
        "A gun that acknowledges draws no more than the offer published last before that.",
        "gun controller",
    ),
    Assumption(
        IN_TIME,
        "What closes or enables is written by the time that it carries, or not at all; what a"
        " transfer and its repair take comes on top.",
        "hardware/contactors.py, hardware/modules.py (the clock is looked at before each write);"
        " operating system (no stall between that look and the write)",
    ),
)
"""Provable use is made of each of these: without it, a named obligation breaks."""

OUTSIDE = (
    "The emergency stop, and the watchdog on loss of the Pi or of the relay supply, remove all"
    " enables at once and hold coil supply and expander reset for at least current_decay_ms: by"
    " hardware, without us. So is expander reset held when the reset line falls: a Pi lets go of it"
    " when a process dies, and pulls it low for an instant when the next one takes it.",
    "No current flows current_decay_ms after a module stopped; it is below 60 V"
    " module_discharge_ms after; it blocks reverse current and raises its own voltage after"
    " closing.",
    "The gun controller has its own output contactors, insulation monitor, lock and precharge,"
    " sends 0 unless the vehicle is ready, and sends what the vehicle could take.",
)
"""The design relies on these; they give our terms their meaning, so no proof can break by them."""


class Disturbance(NamedTuple):
    """What goes wrong around a scan: what of it is proved, and what is assumed away."""

    kind: str
    proved: tuple[str, ...]
    """Obligations that hold whatever it does."""
    assumed: tuple[str, ...]
    """Assumptions that leave out what it could do besides."""
    tested: str
    """What neither says, and the campaign tries."""


DISTURBANCES = (
    Disturbance(
        "the computer stands still, anywhere in a scan",
        ("scan.fresh-readings", "scan.ages-are-sound", "offer.promise-is-remembered"),
        (CLOCK, IN_TIME, SPACING),
        "at each transfer and each write of a line, for 30 to 600 ms; that no offer is renewed by"
        " readings of before",
    ),
    Disturbance(
        "a transfer that transfers nothing, and old bytes in its buffer",
        ("scan.invalid-is-off",),
        (CHIPS,),
        "that such a reading is no answer",
    ),
    Disturbance(
        "RESET falls, or the expanders lose their supply",
        ("scan.invalid-is-off", "healing.configured-at-rest", "healing.six-times-an-hour"),
        (CHIPS,),
        "in each transfer, for 1 ms to 1 s, with the off-delay and behind it",
    ),
    Disturbance(
        "SDA or SCL is held: every transfer times out",
        ("scan.invalid-is-off", "scan.watchdog", "healing.reset-at-rest"),
        (),
        "from each transfer on, for 50 ms to 10 s",
    ),
    Disturbance(
        "a register of an expander flips",
        ("scan.invalid-is-off", "healing.configured-at-rest"),
        (CHIPS,),
        "each bit; that it is seen within the time of a look at all registers",
    ),
    Disturbance(
        "the disk is slow, full or read-only",
        ("scan.latched-stays", "scan.order-of-effects", "scan.fresh-readings"),
        (IN_TIME,),
        "beside a fault that is to be latched: no scan ends, it is told and tried again",
    ),
    Disturbance(
        "the wall clock is set",
        (),
        (CLOCK,),
        "no file that decides or drives a wire asks for the time of day; a limit of the site that"
        " is told to begin or end at one does, in the service, and a proof test's date",
    ),
    Disturbance(
        "the process dies and another takes over",
        ("scan.invariant-at-start", "scan.ages-are-sound", "offer.restart-promises-all"),
        (SOLE_OWNER,),
        "before each transfer and each edge of a line, under a kernel that keeps the lines or lets"
        " go of them in any order, and in the start of the next",
    ),
)
"""Of each, `docs/campaign.md` has how often it was tried."""

EVERY = frozenset(assumption.id for assumption in ASSUMPTIONS)


class Module(NamedTuple):
    """What is physically so as a scan begins; lists are by gun."""

    enable: Any
    """The enable line is high."""
    feeds: Any
    """The output stage runs."""
    off_ms: Any
    """For so long it has neither been enabled nor fed (0 if it is one of them)."""
    coil: Sequence[Any]
    coil_ms: Sequence[Any]
    """For so long the coil has been as it is."""
    closed: Sequence[Any]
    """The main contact. A welded one is one that opens late: never."""


class Scan(NamedTuple):
    """One scan of one module, up to its writes."""

    module: Module
    closed_first: Sequence[Any]
    """The main contacts at the first feedback read,"""
    closed_second: Sequence[Any]
    """at the second,"""
    closed_last: Sequence[Any]
    """and as the writes begin."""
    enable_last: Any
    feeds_last: Any
    """Enable line and output stage as the writes begin."""
    readings: Readings
    ages: Ages
    flips: Sequence[Any]
    """Feedback bits that are read wrong, both reads."""
    status_wired: Any
    contact_read: Sequence[Any]
    """The contact was read, whatever else of the module was."""


class Interval(NamedTuple):
    """From one scan's beginning to the next one's."""

    passed_ms: Any
    elapsed_ms: Any
    """What the controller counts of it."""
    scans: Any
    enable_done: Any
    """The enable line was written as decided; if not, the controller died before."""
    coil_done: Sequence[Any]
    corrupted: Sequence[Any]
    """Something on the wire, no write of ours, energised this coil (not one that fell as well: a
    gap that short moves no contact)."""
    fell: Sequence[Any]
    """A reset or a brown-out dropped this coil, or it was configured anew: which
    `healing.configured-at-rest` allows after a scan only that could not read it."""
    restarted: Any
    """The controller began anew: the lines are low, the ages unknown."""


def timing(name: str = "timing") -> Timing:
    """Any times: whole milliseconds from 0 up, and any limits of mismatch."""
    return Timing(*(z3.Int(f"{name} {field}") for field in Timing._fields))


def times_are_sane(times: Timing) -> Any:
    """No time is negative, and a contactor takes some."""
    return and_(
        times.contactor_operate_ms > 0,
        times.contactor_release_ms > 0,
        *[value >= 0 for value in times],
    )


def module(name: str, guns: int) -> Module:
    """Any state."""
    return Module(
        enable=z3_terms.bools(f"{name} enable"),
        feeds=z3_terms.bools(f"{name} feeds"),
        off_ms=z3_terms.ints(f"{name} off_ms"),
        coil=z3_terms.bools(f"{name} coil", guns),
        coil_ms=z3_terms.ints(f"{name} coil_ms", guns),
        closed=z3_terms.bools(f"{name} closed", guns),
    )


def readings(name: str, guns: int) -> Readings:
    """Any readings."""
    return Readings(
        valid=z3_terms.bools(f"{name} valid"),
        enabled=z3_terms.bools(f"{name} reads enabled"),
        reports_on=z3_terms.bools(f"{name} reads on"),
        latch=z3_terms.bools(f"{name} reads latch", guns),
        closed=z3_terms.bools(f"{name} reads closed", guns),
        closed_again=z3_terms.bools(f"{name} reads closed again", guns),
    )


def ages(name: str, guns: int) -> Ages:
    """Any ages."""
    return Ages(
        off_ms=z3_terms.ints(f"{name} age off"),
        stuck_ms=z3_terms.ints(f"{name} age stuck"),
        silent_ms=z3_terms.ints(f"{name} age silent"),
        settled_ms=z3_terms.ints(f"{name} age settled", guns),
        mismatch=z3_terms.ints(f"{name} mismatch", guns),
        latch=z3_terms.bools(f"{name} mismatch counted for latch", guns),
    )


def scan(name: str, guns: int, its_ages: Ages | None = None) -> Scan:
    """Any scan; its ages are any, or those given. Contacts are read where the module is."""
    read = readings(name, guns)
    return Scan(
        module=module(name, guns),
        closed_first=z3_terms.bools(f"{name} closed at first read", guns),
        closed_second=z3_terms.bools(f"{name} closed at second read", guns),
        closed_last=z3_terms.bools(f"{name} closed at writes", guns),
        enable_last=z3_terms.bools(f"{name} enable at writes"),
        feeds_last=z3_terms.bools(f"{name} feeds at writes"),
        readings=read,
        ages=ages(name, guns) if its_ages is None else its_ages,
        flips=z3_terms.bools(f"{name} flip", 2 * guns),
        status_wired=z3.Bool("status input wired"),
        contact_read=[read.valid] * guns,
    )


def interval(name: str, guns: int) -> Interval:
    """Anything may happen."""
    return Interval(
        passed_ms=z3_terms.ints(f"{name} passed_ms"),
        elapsed_ms=z3_terms.ints(f"{name} elapsed_ms"),
        scans=z3_terms.ints(f"{name} scans"),
        enable_done=z3_terms.bools(f"{name} enable written"),
        coil_done=z3_terms.bools(f"{name} coil written", guns),
        corrupted=z3_terms.bools(f"{name} coil corrupted", guns),
        fell=z3_terms.bools(f"{name} coil fell", guns),
        restarted=z3_terms.bools(f"{name} restarted"),
    )


def current_gone(times: Timing, state: Module) -> Any:
    """No current flows any more."""
    return and_(not_(state.enable), not_(state.feeds), state.off_ms >= times.current_decay_ms)


def released(times: Timing, state: Module, gun: int) -> Any:
    """The coil has been off for the contactor's release time."""
    return and_(not_(state.coil[gun]), state.coil_ms[gun] >= times.contactor_release_ms)


def busy(times: Timing, state: Module, gun: int) -> Any:
    """The contactor is closed, or might be closing or still opening."""
    return or_(state.closed[gun], not_(released(times, state, gun)))


def contact_law(
    assumed: frozenset[str], times: Timing, state: Module, gun: int, before: Any, after: Any
) -> Any:
    """How a main contact may move between two instants of one scan, its coil as it is."""
    laws = []
    settled = released(times, state, gun)
    if OPENS in assumed:
        laws.append(implies(settled, not_(after)))
    if STAYS_OPEN in assumed:
        laws.append(implies(and_(settled, not_(before)), not_(after)))
    return and_(*laws)


def closes_in_time(operate_ms: Any, now: Scan) -> Any:
    """What CLOSES says of one scan, for contactors that take at most so long."""
    state = now.module
    operated = [
        and_(coil, ms >= operate_ms) for coil, ms in zip(state.coil, state.coil_ms, strict=True)
    ]
    instants = (state.closed, now.closed_first, now.closed_second, now.closed_last)
    return and_(
        *[
            implies(has, contact)
            for contacts in instants
            for has, contact in zip(operated, contacts, strict=True)
        ]
    )


def spaced(scan_ms: Any, passed_ms: Any, phase_ms: Any, next_phase_ms: Any) -> Any:
    """What SPACING says of two scans that begin so late in their slots."""
    return passed_ms >= scan_ms + next_phase_ms - phase_ms


def obeys(lead_ms: Any, ago_ms: Any, told_w: Any, draws_w: Any) -> Any:
    """What OBEYS says of a gun that relies on an offer which was in force so long ago."""
    return and_(ago_ms < lead_ms, draws_w <= told_w)


def acknowledges(acknowledged: Any, offer_w: Any, draws_w: Any) -> Any:
    """What ACKNOWLEDGES says of a gun that was offered so much."""
    return implies(acknowledged, draws_w <= offer_w)


def carried(assumed: frozenset[str], until_ms: Any, at_ms: Any) -> list[Any]:
    """What IN_TIME says of a write that was made at that time."""
    return [at_ms <= until_ms] if IN_TIME in assumed else []


def holds(assumed: frozenset[str], times: Timing, now: Scan) -> list[Any]:
    """The laws of one scan: which states there are, how contacts move in it, what it reads."""
    state, read = now.module, now.readings
    guns = range(len(state.coil))
    laws = [
        state.off_ms >= 0,
        implies(or_(state.enable, state.feeds), state.off_ms == 0),
        *[ms >= 0 for ms in state.coil_ms],
    ]
    instants = (state.closed, now.closed_first, now.closed_second, now.closed_last)
    laws += [
        contact_law(assumed, times, state, gun, before[gun], after[gun])
        for gun in guns
        for before, after in zip((state.closed, *instants[:-1]), instants, strict=True)
    ]
    if STOPS_WITH_ENABLE in assumed:
        laws.append(implies(and_(not_(now.status_wired), state.feeds), state.enable))
        laws.append(implies(and_(not_(now.status_wired), now.feeds_last), now.enable_last))
    if NEEDS_ENABLE in assumed:
        laws.append(implies(now.feeds_last, or_(state.feeds, state.enable, now.enable_last)))
    if IN_ITS_SCAN in assumed:
        laws.append(iff(now.enable_last, state.enable))

    if CHIPS in assumed:
        laws += [implies(read.valid, iff(read.latch[gun], state.coil[gun])) for gun in guns]
    if LINES in assumed:
        laws.append(iff(read.enabled, state.enable))
        status = or_(
            and_(now.status_wired, state.feeds), and_(not_(now.status_wired), read.enabled)
        )
        laws.append(iff(read.reports_on, status))
    if MIRROR in assumed:
        bits = [*read.closed, *read.closed_again]
        true = [*now.closed_first, *now.closed_second]
        seen = [or_(read.valid, each) for each in now.contact_read]
        laws += [
            implies(was_read, iff(bit, iff(contact, not_(flip))))
            for was_read, bit, contact, flip in zip(seen * 2, bits, true, now.flips, strict=True)
        ]
    if ONE_FLIP in assumed:
        laws.append(count(now.flips) <= 1)
    return laws


def last_look(assumed: frozenset[str], enable: Any, read_enabled: Any) -> list[Any]:
    """The laws of the last look at a line, after a scan's writes."""
    return [iff(read_enabled, enable)] if LINES in assumed else []


def passes(
    assumed: frozenset[str],
    times: Timing,
    before: Scan,
    writes: Writes,
    during: Interval,
    after: Scan,
) -> list[Any]:
    """The laws from one scan to the next."""
    old, new = before.module, after.module
    guns = range(len(old.coil))
    raised = and_(during.enable_done, writes.enable)
    stays_off = and_(not_(or_(old.enable, old.feeds, raised)), not_(or_(new.enable, new.feeds)))
    laws = [
        during.passed_ms >= 0,
        during.elapsed_ms >= 0,
        during.scans >= 1,
        implies(not_(stays_off), new.off_ms <= during.passed_ms),
    ]
    if CLOCK in assumed:
        laws.append(during.elapsed_ms <= during.passed_ms)
    if SOLE_OWNER in assumed:
        left_on = and_(not_(during.enable_done), old.enable)
        laws.append(iff(new.enable, and_(not_(during.restarted), or_(raised, left_on))))
    if {SOLE_OWNER, NEEDS_ENABLE} <= assumed:
        laws.append(implies(stays_off, new.off_ms == old.off_ms + during.passed_ms))
    if NEEDS_ENABLE in assumed:
        laws.append(implies(new.feeds, or_(old.feeds, old.enable, raised)))
    for gun in guns:
        risen = rises(before, writes, during, gun)
        dropped = falls(before, writes, during, gun)
        coil = or_(
            during.corrupted[gun],
            and_(
                or_(risen, and_(old.coil[gun], not_(dropped))),
                not_(during.fell[gun]),
            ),
        )
        lost = and_(old.coil[gun], during.fell[gun])
        touched = or_(risen, dropped, lost, and_(during.corrupted[gun], not_(old.coil[gun])))
        laws += [
            implies(during.corrupted[gun], not_(or_(dropped, during.fell[gun]))),
            iff(new.coil[gun], coil),
            implies(touched, new.coil_ms[gun] <= during.passed_ms),
            implies(not_(touched), new.coil_ms[gun] == old.coil_ms[gun] + during.passed_ms),
        ]
        if CHIPS in assumed:
            laws.append(
                implies(
                    during.fell[gun],
                    or_(not_(before.readings.valid), not_(after.readings.valid), during.restarted),
                )
            )
        if STAYS_OPEN in assumed:
            laws.append(
                implies(
                    and_(not_(touched), released(times, old, gun), not_(before.closed_last[gun])),
                    not_(new.closed[gun]),
                )
            )
    return laws


def rises(before: Scan, writes: Writes, during: Interval, gun: int) -> Any:
    """A write of ours energises this coil."""
    written = and_(during.coil_done[gun], writes.may_switch)
    return and_(written, writes.coils[gun], not_(before.module.coil[gun]))


def falls(before: Scan, writes: Writes, during: Interval, gun: int) -> Any:
    """A write of ours drops this coil."""
    written = and_(during.coil_done[gun], writes.may_switch)
    return and_(written, not_(writes.coils[gun]), before.module.coil[gun])


def known_before(during: Interval, before: Ages) -> Ages:
    """The ages that the next scan begins with: those of the last one, or none after a restart."""
    unknown = diagnosis.restarted(len(before.settled_ms))

    def kept(mine: Any, anew: Any) -> Any:
        return z3.If(during.restarted, anew, mine)

    return Ages(
        off_ms=kept(before.off_ms, unknown.off_ms),
        stuck_ms=kept(before.stuck_ms, unknown.stuck_ms),
        silent_ms=kept(before.silent_ms, unknown.silent_ms),
        settled_ms=list(map(kept, before.settled_ms, unknown.settled_ms)),
        mismatch=list(map(kept, before.mismatch, unknown.mismatch)),
        latch=list(map(kept, before.latch, unknown.latch)),
    )


def next_scan(name: str, times: Timing, before: Scan, during: Interval) -> Scan:
    """Any scan after that, its ages counted by the shipped function from what it reads."""
    guns = len(before.module.coil)
    after = scan(name, guns)
    counted = diagnosis.ages(
        z3_terms,
        times,
        after.readings,
        known_before(during, before.ages),
        during.elapsed_ms,
        during.scans,
    )
    return after._replace(ages=counted)
