"""One scan of the whole station, as four acts with the wires between them.

    diagnose   what was read          what is known and latched: faults, locked guns, stops
    switch     what is wanted         offers fall, enables fall, coils are written
    conclude   what was verified      offers are cut, enables rise, offers rise
    look_back  the lines once more    what they show counts for the next scan; the watchdog is fed,
                                      lost expanders are reset and configured anew

Each takes the `Memory` that the last one left and returns it anew, with *effects*: what is to be
done, in this order, as data. Whoever runs the scan carries them to the wires and decides nothing.
Which gun shall have which module is decided between the first act and the second, outside: any
target will do. If the process dies between two effects, the next one begins with `restarted`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel import (
    diagnosis,
    dwell,
    feeder,
    healing,
    offer,
    supply,
    switching,
    wiring,
)
from verified_alloc.kernel import latched as faults
from verified_alloc.kernel.built import Built
from verified_alloc.kernel.diagnosis import (
    GOOD_SCANS_PER_MISMATCH,
    NOT_SO,
    Ages,
    ContactorFaults,
    ModuleFaults,
    Readings,
)
from verified_alloc.kernel.healing import Healing
from verified_alloc.kernel.latched import Latched
from verified_alloc.kernel.offer import Offer
from verified_alloc.kernel.ops import BoolMatrix, Ops, Shape
from verified_alloc.kernel.rule import least
from verified_alloc.kernel.switching import Writes
from verified_alloc.kernel.wiring import Word

SILENT_SCANS = 3
"""An expander that does not answer or does not take what is written, or an enable line that is high
unbidden, for more scans in a row than this latches."""

COUNT_LIMIT = GOOD_SCANS_PER_MISMATCH * SILENT_SCANS


class Observed(NamedTuple):
    """What one scan reads."""

    modules: Sequence[Readings]
    line_high: Sequence[bool]
    """By module: the level of its enable line; `Readings.enabled` is also what it was told."""
    contacts_read: Sequence[bool]
    """By expander: its contacts were read twice, whatever else of it was."""
    coils_doubted: Sequence[bool]
    """By expander: nobody knows what its coils are."""
    obeyed: Sequence[bool]
    """By expander: it gave valid answers, and took what the last scan wrote."""
    misconfigured: Sequence[bool]
    """By expander: its registers are not as they were configured."""
    stop_pressed: bool
    begun_ms: int
    """When the first of it was read, by the controller's clock."""
    elapsed_ms: int
    """Since the last scan, by the controller's clock."""
    scans: int
    """That have passed since: 1, unless time was skipped because nothing changed."""


class Orders(NamedTuple):
    """What comes from outside the scan."""

    ending: bool
    """The process is about to end: nobody gets anything any more."""
    acknowledged: Sequence[bool]
    """By gun: it obeys the offer published last."""
    site_limit_w: int


class Wanted(NamedTuple):
    """What was decided: `target[gun][module]`, and the power granted to each gun, W."""

    target: BoolMatrix
    granted_w: Sequence[int]


class Memory(NamedTuple):
    """All that one scan hands to the next."""

    ages: Sequence[Ages]
    """By module."""
    lines_off_ms: Sequence[int]
    """By module: for so long off by its lines, whatever its expanders say."""
    closed: BoolMatrix
    """`[module][gun]`: the contactor counts as closed."""
    latched: Latched
    silence: Sequence[int]
    """By expander: the count of scans in which it did not obey."""
    healing: Sequence[Healing]
    """By expander: whether it is out of order, and what has been tried."""
    reset_ms: int
    """For so long RESET has been held low,"""
    answering_ms: int
    """and for so long some expander has answered: at a start, long enough."""
    none_follows_ms: int
    """For so long no contactor has followed its coil, of two or more."""
    strayed: Sequence[bool]
    """By module: its enable line was high when the last scan ended, and should not have been;"""
    stray: Sequence[int]
    """and the count of such scans."""
    feeding: BoolMatrix
    """`[gun][module]`: the module feeds the gun,"""
    fed_ms: Sequence[int]
    """and, by module, for so long the same gun."""
    stopping_ms: int
    """For so long the station has been on its way out: told to stop, or ending,"""
    stop_ms: int
    """and for so long everything is stopped."""
    offers: Sequence[Offer]
    """By gun."""
    enabled: Sequence[bool]
    """By module: the enable line as the scan left it."""
    petted: bool
    """The watchdog of the relay supply was fed."""


class Switched(NamedTuple):
    """What the second act has set going."""

    writes: Sequence[Writes]
    barred: Sequence[bool]
    """By gun: it is offered nothing, because it is locked or everything is stopped."""


class Latch(NamedTuple):
    """Keep these faults; nobody hears of them before they are on disk, or cannot be."""

    latched: Latched


class Abandon(NamedTuple):
    """Ask nothing more of the coils of these expanders."""

    expanders: Sequence[bool]


class Lower(NamedTuple):
    """Tell each gun its offer that was told a higher one, and nobody else."""

    offer_w: Sequence[int]


class Publish(NamedTuple):
    """Tell each gun its offer; after that time, by the controller's clock, only lower them."""

    offer_w: Sequence[int]
    until_ms: int


class Disable(NamedTuple):
    """Drop the enable lines of these modules."""

    modules: Sequence[bool]


class Write(NamedTuple):
    """Write these words to the expanders, and verify them; after that time, by the controller's
    clock, as far as they close nothing."""

    words: Sequence[Word]
    close_until_ms: int


class Enable(NamedTuple):
    """Raise the enable lines of these modules; after that time, none."""

    modules: Sequence[bool]
    until_ms: int


class Beat(NamedTuple):
    """Tell who waits for the process that it scans, if it is due."""

    due: bool


class Pet(NamedTuple):
    """Give the watchdog of the relay supply an edge, if it is due."""

    due: bool


class Reset(NamedTuple):
    """Hold the expanders in reset, or do not."""

    low: bool


class Configure(NamedTuple):
    """Configure these expanders anew, their coils off."""

    expanders: Sequence[bool]


Effect = (
    Latch | Abandon | Lower | Publish | Disable | Write | Enable | Beat | Pet | Reset | Configure
)
Effects = list[Effect]


def restarted(built: Built, latched: Latched) -> Memory:
    """The memory of a process that has just begun: nothing is known but what was latched."""
    guns, modules = range(len(built.gun_max_w)), range(len(built.module_power_w))
    return Memory(
        ages=[diagnosis.restarted(len(guns)) for _ in modules],
        lines_off_ms=[NOT_SO for _ in modules],
        closed=[[False for _ in guns] for _ in modules],
        latched=latched,
        silence=[0 for _ in latched.expander_lost],
        healing=[healing.restarted(lost) for lost in latched.expander_lost],
        reset_ms=NOT_SO,
        answering_ms=healing.PAUSE_MS,
        none_follows_ms=NOT_SO,
        strayed=[False for _ in modules],
        stray=[0 for _ in modules],
        feeding=[[False for _ in modules] for _ in guns],
        fed_ms=[NOT_SO for _ in modules],
        stopping_ms=NOT_SO,
        stop_ms=NOT_SO,
        offers=[offer.restarted(max_w) for max_w in built.gun_max_w],
        enabled=[False for _ in modules],
        petted=False,
    )


def diagnose(
    ops: Ops, built: Built, memory: Memory, observed: Observed, orders: Orders
) -> tuple[Memory, Effects]:
    """The first act: what the readings make of ages, faults and stops."""
    timing, before, elapsed_ms = built.timing, memory.latched, observed.elapsed_ms
    counted = [
        diagnosis.ages(ops, timing, module, was, elapsed_ms, observed.scans)
        for module, was in zip(observed.modules, memory.ages, strict=True)
    ]
    none_follows = supply.none_follows(ops, observed.modules, before.welded)
    ages = [supply.excused(ops, each, none_follows) for each in counted]
    contactors = [
        diagnosis.contactor_faults(
            ops, timing, module, its_ages, ContactorFaults(welded, failed_open)
        )
        for module, its_ages, welded, failed_open in zip(
            observed.modules, ages, before.welded, before.failed_open, strict=True
        )
    ]
    closed = [
        diagnosis.counts_closed(ops, _contacts(ops, observed, module, places), faults.welded, was)
        for module, places, faults, was in zip(
            observed.modules, built.places, contactors, memory.closed, strict=True
        )
    ]
    modules = [
        diagnosis.module_faults(ops, timing, its_ages, contacts, ModuleFaults(dead, stuck_on))
        for its_ages, contacts, dead, stuck_on in zip(
            ages, closed, before.dead, before.stuck_on, strict=True
        )
    ]
    silence = [
        ops.ite(ops.and_(was.asked, obeys), 0, _count(ops, ops.not_(obeys), count, observed.scans))
        for obeys, count, was in zip(observed.obeyed, memory.silence, memory.healing, strict=True)
    ]
    wrong = [
        ops.or_(otherwise, count > COUNT_LIMIT)
        for otherwise, count in zip(observed.misconfigured, silence, strict=True)
    ]
    healed = [
        healing.looked_at(ops, *of, elapsed_ms, timing.module_discharge_ms + healing.STEADY_MS)
        for of in zip(memory.healing, before.expander_lost, wrong, observed.obeyed, strict=True)
    ]
    answering_ms = diagnosis.lasting(
        ops, _some_answers(ops, observed), memory.answering_ms, elapsed_ms
    )
    stray = [
        _count(ops, strays, count, observed.scans)
        for strays, count in zip(memory.strayed, memory.stray, strict=True)
    ]
    latched = before._replace(
        welded=[faults.welded for faults in contactors],
        failed_open=[faults.failed_open for faults in contactors],
        dead=[faults.dead for faults in modules],
        stuck_on=[faults.stuck_on for faults in modules],
        expander_lost=[
            ops.or_(was, healing.spent(ops, now, answering_ms))
            for was, now in zip(before.expander_lost, healed, strict=True)
        ],
        runs_on=[
            diagnosis.runs_on(ops, timing, *of)
            for of in zip(ages, closed, before.runs_on, strict=True)
        ],
        enable_high=[
            ops.or_(was, count > COUNT_LIMIT)
            for was, count in zip(before.enable_high, stray, strict=True)
        ],
        emergency_stop=ops.or_(before.emergency_stop, observed.stop_pressed),
    )
    live = [switching.live(ops, module) for module in observed.modules]
    feeding = [list(row) for row in zip(*live, strict=True)]
    stopping_ms = diagnosis.lasting(
        ops, ops.or_(orders.ending, latched.stopped), memory.stopping_ms, elapsed_ms
    )
    stop = ops.or_(
        latched.emergency_stop,
        *latched.enable_high,
        stopping_ms > built.offer_lead_ms + built.offer_lead_ms,
    )
    after = memory._replace(
        ages=ages,
        lines_off_ms=[
            diagnosis.lasting(
                ops, ops.not_(ops.or_(module.enabled, module.reports_on)), off_ms, elapsed_ms
            )
            for module, off_ms in zip(observed.modules, memory.lines_off_ms, strict=True)
        ],
        closed=closed,
        latched=latched,
        silence=silence,
        healing=healed,
        answering_ms=answering_ms,
        none_follows_ms=diagnosis.lasting(ops, none_follows, memory.none_follows_ms, elapsed_ms),
        stray=stray,
        feeding=feeding,
        fed_ms=dwell.fed_ms(ops, feeding, memory.feeding, memory.fed_ms, elapsed_ms),
        stopping_ms=stopping_ms,
        stop_ms=diagnosis.lasting(ops, stop, memory.stop_ms, elapsed_ms),
    )
    return after, [Latch(latched), Abandon([each.lost for each in healed])]


def switch(
    ops: Ops, built: Built, memory: Memory, observed: Observed, orders: Orders, wanted: Wanted
) -> tuple[Memory, Switched, Effects]:
    """The second act: offers fall, then what must not be on goes off, then coils move."""
    locks, stop = locked(ops, memory), memory.stop_ms > NOT_SO
    barred = [ops.or_(stop, lock) for lock in locks]
    affordable_w = _affordable(ops, built, wanted, memory.feeding, barred)
    offers = [
        offer.lower(ops, built.offer_lead_ms, *of, observed.elapsed_ms)
        for of in zip(memory.offers, affordable_w, orders.acknowledged, strict=True)
    ]
    target = offer.hold(
        ops,
        memory.feeding,
        wanted.target,
        [each.promise_w for each in offers],
        built.module_power_w,
    )
    overdue = switching.is_overdue(built.timing, memory.stop_ms)
    writes = [
        switching.step(ops, built.timing, *of, locks, stop, overdue)
        for of in zip(observed.modules, memory.ages, zip(*target, strict=True), strict=True)
    ]
    effects: Effects = [
        Lower([each.offer_w for each in offers]),
        *moves(ops, built, observed, writes),
    ]
    return memory._replace(offers=offers), Switched(writes, barred), effects


def moves(
    ops: Ops, built: Built, observed: Observed, writes: Sequence[Writes]
) -> tuple[Disable, Write]:
    """What these writes do to the wires: first the enables fall, then the words are written, in
    which coils of modules that may not switch are as their latch was read."""
    coils = wiring.next_coils(
        ops,
        [writes[module].may_switch for _, module in built.contactors],
        [writes[module].coils[gun] for gun, module in built.contactors],
        [observed.modules[module].latch[gun] for gun, module in built.contactors],
    )
    falls = [
        ops.and_(module.enabled, ops.not_(write.enable))
        for module, write in zip(observed.modules, writes, strict=True)
    ]
    return Disable(falls), Write(wiring.words(coils), fresh_until_ms(built, observed))


def conclude(
    ops: Ops,
    built: Built,
    memory: Memory,
    observed: Observed,
    orders: Orders,
    wanted: Wanted,
    switched: Switched,
    verified: Sequence[bool],
) -> tuple[Memory, Effects]:
    """The third act, with what was verified of the writes, by expander: what is not, is off; then
    enables rise as far as their feeders bear it, and then offers."""
    as_told = [wiring.valid(ops, verified, carriers) for carriers in built.carriers]
    may_enable = [
        ops.and_(write.enable, told) for write, told in zip(switched.writes, as_told, strict=True)
    ]
    enabled, joined = _admitted(ops, built, memory.offers, observed, may_enable)
    still_feeding = [
        [ops.and_(feeds, on) for feeds, on in zip(row, enabled, strict=True)]
        for row in memory.feeding
    ]
    affordable_w = _affordable(ops, built, wanted, still_feeding, switched.barred)
    cut = [
        was._replace(
            offer_w=ops.ite(ops.and_(*as_told), was.offer_w, offer.cut(ops, was, power_w).offer_w)
        )
        for was, power_w in zip(memory.offers, affordable_w, strict=True)
    ]
    promise_w = [each.promise_w for each in cut]
    rooms = feeder.rooms(ops, built.feeders, joined, promise_w, built.module_power_w)
    raised = offer.raise_(ops, cut, affordable_w, orders.site_limit_w, rooms)
    effects: Effects = [
        Lower([each.offer_w for each in cut]),
        Disable(
            [
                ops.and_(write.enable, ops.not_(told))
                for write, told in zip(switched.writes, as_told, strict=True)
            ]
        ),
        Enable(
            [
                ops.and_(on, ops.not_(high))
                for on, high in zip(enabled, observed.line_high, strict=True)
            ],
            fresh_until_ms(built, observed),
        ),
        Publish([each.offer_w for each in raised], raise_until_ms(ops, built, memory, observed)),
    ]
    return memory._replace(offers=raised, enabled=enabled), effects


def look_back(
    ops: Ops,
    built: Built,
    memory: Memory,
    observed: Observed,
    enabled: Sequence[bool],
    reports_on: Sequence[bool],
    line_high: Sequence[bool],
) -> tuple[Memory, Effects]:
    """The fourth act, with the lines read once more: a module that they show enabled or on is not
    off; the process is well while they are as this scan left them, and the relay supply's watchdog
    is fed while an expander obeys too. Lost expanders are configured anew, one in each scan, when
    all modules on them are off and their current is gone; if none answers at all, RESET is held low
    before that."""
    as_left = ops.and_(
        *[diagnosis.same(ops, is_on, on) for is_on, on in zip(enabled, memory.enabled, strict=True)]
    )
    lines = list(zip(enabled, reports_on, strict=True))
    lines_off_ms = [
        diagnosis.off_at_last_look(ops, off_ms, *line)
        for off_ms, line in zip(memory.lines_off_ms, lines, strict=True)
    ]
    resting = [
        faults.at_rest(ops, built.timing.current_decay_ms, *line, off_ms)
        for line, off_ms in zip(lines, lines_off_ms, strict=True)
    ]
    gone = ops.and_(
        *resting,
        *[each.lost for each in memory.healing],
        ops.not_(_some_answers(ops, observed)),
    )
    low_ms = built.timing.current_decay_ms + healing.RESET_MS
    reset = ops.or_(ops.not_(gone), memory.reset_ms >= low_ms)
    due: list[bool] = []
    for at, each in enumerate(memory.healing):
        on_it = [
            ops.and_(resting[m], ops.not_(observed.modules[m].valid))
            for m, carriers in enumerate(built.carriers)
            if at in carriers
        ]
        may = healing.may_try(ops, each, memory.latched.expander_lost[at], memory.answering_ms)
        due.append(ops.and_(may, reset, *on_it, ops.not_(ops.or_(*due))))
    low = ops.and_(gone, ops.not_(ops.or_(*due)))
    after = memory._replace(
        ages=[
            ages._replace(off_ms=diagnosis.off_at_last_look(ops, ages.off_ms, *line))
            for ages, line in zip(memory.ages, lines, strict=True)
        ],
        lines_off_ms=lines_off_ms,
        healing=[
            healing.tried(ops, each, now, memory.answering_ms)
            for each, now in zip(memory.healing, due, strict=True)
        ],
        reset_ms=diagnosis.lasting(ops, low, memory.reset_ms, observed.elapsed_ms),
        strayed=[
            ops.and_(high, ops.not_(on)) for high, on in zip(line_high, memory.enabled, strict=True)
        ],
    )
    pet = ops.and_(as_left, ops.or_(*observed.obeyed))
    return after._replace(petted=pet), [Beat(as_left), Pet(pet), Reset(low), Configure(due)]


def fresh_until_ms(built: Built, observed: Observed) -> int:
    """Until then something may close or be enabled by what was observed."""
    return observed.begun_ms + built.fresh_ms


def raise_until_ms(ops: Ops, built: Built, memory: Memory, observed: Observed) -> int:
    """Until then an offer may be raised: not once the watchdog may have cut the relay supply since
    the last scan, which no line shows where no status input is wired. In scans that were skipped it
    was fed."""
    fresh_ms = fresh_until_ms(built, observed)
    held_ms = least(ops, fresh_ms, observed.begun_ms - observed.elapsed_ms + built.petted_ms)
    until_ms = ops.ite(observed.scans > 1, fresh_ms, held_ms)
    return ops.ite(memory.petted, until_ms, observed.begun_ms - 1)


def locked(ops: Ops, memory: Memory) -> list[bool]:
    """By gun: joined to another, or on a module that does not switch off."""
    return diagnosis.locked(ops, memory.closed, memory.latched.stuck_on)


def _some_answers(ops: Ops, observed: Observed) -> bool:
    """An expander answers, as it was configured or not: the bus is there."""
    return ops.or_(*observed.obeyed, *observed.misconfigured)


def _contacts(
    ops: Ops, observed: Observed, module: Readings, places: Sequence[Sequence[Shape]]
) -> Readings:
    """A module's contacts as far as they were read; a contactor that does not exist is open."""
    return diagnosis.contacts_seen(
        ops,
        module,
        [ops.and_(*[observed.contacts_read[at] for at in place]) for place in places],
        [ops.or_(*[observed.coils_doubted[at] for at in place]) for place in places],
    )


def _count(ops: Ops, wrong: bool, before: int, scans: int) -> int:
    return diagnosis.tally(ops, wrong, before, scans, COUNT_LIMIT)


def _admitted(
    ops: Ops,
    built: Built,
    offers: Sequence[Offer],
    observed: Observed,
    may_enable: Sequence[bool],
) -> tuple[list[bool], list[list[bool]]]:
    """Which of these modules are enabled, and as `[gun][module]` on which gun."""
    was = [module.enabled for module in observed.modules]
    on = [
        [ops.and_(*bits) for bits in zip(row, may_enable, strict=True)]
        for row in zip(*[module.latch for module in observed.modules], strict=True)
    ]
    admitted = feeder.admitted(
        ops,
        built.feeders,
        [[ops.and_(*bits) for bits in zip(row, was, strict=True)] for row in on],
        [[ops.and_(bit, ops.not_(old)) for bit, old in zip(row, was, strict=True)] for row in on],
        [each.promise_w for each in offers],
        built.module_power_w,
    )
    enabled = [
        ops.and_(may, ops.or_(old, new))
        for may, old, new in zip(may_enable, was, admitted, strict=True)
    ]
    return enabled, [[ops.and_(*bits) for bits in zip(row, enabled, strict=True)] for row in on]


def _affordable(
    ops: Ops, built: Built, wanted: Wanted, feeding: BoolMatrix, barred: Sequence[bool]
) -> list[int]:
    """What each gun can be offered while these modules feed it."""
    return [
        offer.affordable(ops, granted_w, feeds, target, built.module_power_w, bar)
        for granted_w, feeds, target, bar in zip(
            wanted.granted_w, feeding, wanted.target, barred, strict=True
        )
    ]
