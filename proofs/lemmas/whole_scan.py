"""Any scan of a whole station: what the last one left, what has happened since, the four acts, and
what their effects make of lines, coils and offers.

A claim is cut to what it is about before the solver sees it. Where a term of the scan stands in a
claim, a name may stand for it: what holds for whatever it is, holds for it. And claims that are
the same up to the names of their variables are one claim: so modules that are alike are decided
once, and that they are alike is seen, not supposed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import z3

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, iff, implies, ints, not_, or_
from proofs.lemmas.any_scan import Assumed, ages_are_sound, in_words
from proofs.lemmas.rule_inputs import in_model
from proofs.plant import Interval, Scan
from verified_alloc.kernel import built, offer, scan, supply, switching
from verified_alloc.kernel.built import Built
from verified_alloc.kernel.diagnosis import NOT_SO, Ages
from verified_alloc.kernel.feeder import Feeder
from verified_alloc.kernel.healing import Healing
from verified_alloc.kernel.latched import Latched
from verified_alloc.kernel.offer import Offer
from verified_alloc.kernel.scan import Effects, Memory, Observed, Orders, Switched, Wanted
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station


class Acts(NamedTuple):
    """What the four acts made of it, one after another: the memory after each, and its effects."""

    diagnosed: Memory
    kept: Effects
    switched: Memory
    set_going: Switched
    falling: Effects
    concluded: Memory
    rising: Effects
    after: Memory
    last: Effects


class WholeScan(NamedTuple):
    """A scan of a station; lists are by module unless said."""

    built: Built
    before: list[Scan]
    """The scan before, up to its writes,"""
    left: list[Writes]
    """what it wrote,"""
    memory: Memory
    """and what it remembers."""
    during: list[Interval]
    now: list[Scan]
    """With the ages that the first act counts."""
    observed: Observed
    orders: Orders
    wanted: Wanted
    verified: list[Any]
    """By expander."""
    looked: tuple[list[Any], list[Any], list[Any]]
    """The last look: enabled, reports on, line high."""
    acts: Acts
    locks: list[Any]
    """By gun."""
    held: list[list[Any]]
    """`[gun][module]`: the target that may be switched to now."""
    none_follows: Any
    """No contactor follows its coil."""

    @property
    def guns(self) -> range:
        """Counted from 0, as everything here."""
        return range(len(self.built.gun_max_w))

    @property
    def modules(self) -> range:
        """Counted from 0."""
        return range(len(self.built.module_power_w))

    @property
    def told(self) -> list[Any]:
        """The module's coils are as they were told, verified."""
        return [and_(*[self.verified[at] for at in row]) for row in self.built.carriers]

    @property
    def stopped(self) -> Any:
        """Everything is stopped."""
        return self.acts.diagnosed.stop_ms > NOT_SO

    @property
    def overdue(self) -> Any:
        """And has been for so long that contactors open whatever is read."""
        return switching.is_overdue(self.built.timing, self.acts.diagnosed.stop_ms)

    @property
    def restarted(self) -> Any:
        """The controller has begun anew since the scan before."""
        return self.during[0].restarted


def any_memory(name: str, built: Built) -> Memory:
    """Whatever may be remembered; of a module under its own name."""
    guns, modules = len(built.gun_max_w), range(len(built.module_power_w))
    expanders = 1 + max(max(row, default=0) for row in built.carriers)
    of = [f"{name} module {m + 1}" for m in modules]

    def bit(what: str) -> list[Any]:
        return [z3.Bool(f"{each} {what}") for each in of]

    def row(what: str) -> list[list[Any]]:
        return [bools(f"{each} {what}", guns) for each in of]

    return Memory(
        ages=[plant.ages(each, guns) for each in of],
        lines_off_ms=[z3.Int(f"{each} lines off") for each in of],
        closed=row("counts closed"),
        latched=Latched(
            welded=row("welded"),
            failed_open=row("failed open"),
            dead=bit("dead"),
            stuck_on=row("stuck on"),
            expander_lost=bools(f"{name} expander lost", expanders),
            runs_on=bit("runs on"),
            enable_high=bit("enable high"),
            emergency_stop=z3.Bool(f"{name} emergency stop"),
            stopped=z3.Bool(f"{name} told to stop"),
            gun_out=bools(f"{name} gun out", guns),
            module_out=bit("out"),
        ),
        silence=ints(f"{name} silence", expanders),
        healing=[any_healing(f"{name} expander {at + 1}") for at in range(expanders)],
        reset_ms=z3.Int(f"{name} reset_ms"),
        answering_ms=z3.Int(f"{name} answering_ms"),
        none_follows_ms=z3.Int(f"{name} none_follows_ms"),
        strayed=bit("strayed"),
        stray=[z3.Int(f"{each} stray") for each in of],
        feeding=[list(column) for column in zip(*row("feeds"), strict=True)],
        fed_ms=[z3.Int(f"{each} fed") for each in of],
        stopping_ms=z3.Int(f"{name} stopping_ms"),
        stop_ms=z3.Int(f"{name} stop_ms"),
        offers=[
            Offer(*(z3.Int(f"{name} gun {gun + 1} {field}") for field in Offer._fields))
            for gun in range(guns)
        ],
        enabled=bit("left enabled"),
        petted=z3.Bool(f"{name} petted"),
    )


def any_healing(name: str) -> Healing:
    """Whatever may be remembered of one expander."""
    sorts = (*[z3.Bool] * 3, *[z3.Int] * 3)
    return Healing(*(of(f"{name} {each}") for of, each in zip(sorts, Healing._fields, strict=True)))


def any_built(station: Station) -> Built:
    """The station with any times."""
    return built.built(
        plant.timing(),
        z3.Int("lead_ms"),
        z3.Int("minimum_dwell_ms"),
        z3.Int("scan_ms"),
        station.gun_max_w,
        station.module_power_w,
        [(gun - 1, module - 1) for gun, module in station.contactors],
        station.kernel_feeders,
    )


def any_scan(station: Station, feeders: Sequence[Feeder] | None = None) -> WholeScan:
    """Any scan: whatever is remembered, read, wanted, verified, and has happened since the last;
    with the station's feeders, or these."""
    built = any_built(station)
    if feeders is not None:
        built = built._replace(feeders=feeders)
    guns, modules = range(len(station.guns)), range(len(station.modules))
    of = [f"module {m + 1}" for m in modules]
    memory = any_memory("memory", built)
    expanders = len(memory.silence)
    reach = [[bool(at) for at in row] for row in built.places]
    passed_ms, elapsed_ms, scans = z3.Int("passed_ms"), z3.Int("elapsed_ms"), z3.Int("scans")
    restarted = z3.Bool("restarted")
    before = [
        _that_exists(plant.scan(f"before {each}", len(guns)), reach[m]) for m, each in enumerate(of)
    ]
    before = [each._replace(ages=memory.ages[m]) for m, each in enumerate(before)]
    left = [
        Writes(
            memory.enabled[m], z3.Bool(f"{each} did switch"), bools(f"{each} did coil", len(guns))
        )
        for m, each in enumerate(of)
    ]
    during = [
        plant.interval(f"during {each}", len(guns))._replace(
            passed_ms=passed_ms,
            elapsed_ms=elapsed_ms,
            scans=scans,
            restarted=restarted,
            enable_done=True,
        )
        for each in of
    ]
    during = [
        each._replace(corrupted=_where(reach[m], each.corrupted)) for m, each in enumerate(during)
    ]
    now = [
        _that_exists(plant.scan(f"now {each}", len(guns)), reach[m]) for m, each in enumerate(of)
    ]
    contacts_read = bools("contacts read", expanders)
    now = [
        each._replace(
            contact_read=[and_(*[contacts_read[at] for at in place]) for place in built.places[m]]
        )
        for m, each in enumerate(now)
    ]
    observed = Observed(
        modules=[each.readings for each in now],
        line_high=[z3.Bool(f"{each} line high") for each in of],
        contacts_read=contacts_read,
        coils_doubted=bools("coils doubted", expanders),
        obeyed=bools("obeyed", expanders),
        misconfigured=bools("misconfigured", expanders),
        stop_pressed=z3.Bool("stop pressed"),
        begun_ms=z3.Int("begun_ms"),
        elapsed_ms=elapsed_ms,
        scans=scans,
    )
    orders = Orders(z3.Bool("ending"), bools("acknowledged", len(guns)), z3.Int("site_limit_w"))
    target = [[z3.Bool(f"{each} target {gun + 1}") for each in of] for gun in guns]
    wanted = Wanted(target, ints("granted_w", len(guns)))
    verified = bools("verified", expanders)
    looked = (
        [z3.Bool(f"{each} enabled at last") for each in of],
        [z3.Bool(f"{each} on at last") for each in of],
        [z3.Bool(f"{each} high at last") for each in of],
    )
    acts = run(z3_terms, built, memory, observed, orders, wanted, verified, looked)
    now = [each._replace(ages=acts.diagnosed.ages[m]) for m, each in enumerate(now)]
    return WholeScan(
        built,
        before,
        left,
        memory,
        during,
        now,
        observed,
        orders,
        wanted,
        verified,
        looked,
        acts,
        scan.locked(z3_terms, acts.diagnosed),
        offer.hold(
            z3_terms,
            acts.diagnosed.feeding,
            target,
            [each.promise_w for each in acts.switched.offers],
            built.module_power_w,
        ),
        supply.none_follows(z3_terms, observed.modules, memory.latched.welded),
    )


def run(
    ops: Any,
    built: Built,
    memory: Memory,
    observed: Observed,
    orders: Orders,
    wanted: Wanted,
    verified: Sequence[Any],
    looked: tuple[Any, Any, Any],
) -> Acts:
    """The four acts, as whoever carries the effects to the wires calls them."""
    diagnosed, kept = scan.diagnose(ops, built, memory, observed, orders)
    switched, set_going, falling = scan.switch(ops, built, diagnosed, observed, orders, wanted)
    concluded, rising = scan.conclude(
        ops, built, switched, observed, orders, wanted, set_going, verified
    )
    after, last = scan.look_back(ops, built, concluded, observed, *looked)
    return Acts(diagnosed, kept, switched, set_going, falling, concluded, rising, after, last)


def _where(exists: Sequence[bool], bits: Sequence[Any]) -> list[Any]:
    return [bit if there else False for bit, there in zip(bits, exists, strict=True)]


def _that_exists(of: Scan, exists: Sequence[bool]) -> Scan:
    """Where there is no contactor, nothing is on, closed or read so."""
    read = of.readings
    return of._replace(
        module=of.module._replace(
            coil=_where(exists, of.module.coil), closed=_where(exists, of.module.closed)
        ),
        closed_first=_where(exists, of.closed_first),
        closed_second=_where(exists, of.closed_second),
        closed_last=_where(exists, of.closed_last),
        flips=_where([*exists, *exists], of.flips),
        readings=read._replace(
            latch=_where(exists, read.latch),
            closed=_where(exists, read.closed),
            closed_again=_where(exists, read.closed_again),
        ),
    )


def confirmed(of: WholeScan, ages: Ages, gun: int) -> Any:
    """This contactor of the module alone is closed, and all are confirmed."""
    times = of.built.timing
    return and_(
        ages.latch[gun],
        ages.settled_ms[gun] >= times.contactor_operate_ms,
        *[
            and_(not_(ages.latch[other]), ages.settled_ms[other] >= times.contactor_release_ms)
            for other in of.guns
            if other != gun
        ],
    )


def enabled_is_confirmed(of: WholeScan, enabled: Any, now: Scan, writes: Writes) -> Any:
    """A module that is left enabled is on one confirmed contactor, and its coils are left as they
    are."""
    same = and_(*map(iff, writes.coils, now.module.coil))
    return implies(
        enabled,
        and_(
            or_(*[confirmed(of, now.ages, gun) for gun in of.guns]),
            implies(writes.may_switch, same),
        ),
    )


def offer_is_ordered(each: Offer) -> Any:
    """An offer is within what is pending, and that within the promise."""
    return and_(
        each.offer_w >= 0,
        each.offer_w <= each.pending_w,
        each.pending_w <= each.promise_w,
        each.waited_ms >= NOT_SO,
    )


def invariant_of_module(of: WholeScan, memory: Memory, m: int, now: Scan, writes: Writes) -> Any:
    """What the memory may say of a module, when that was its last scan and these its writes."""
    now = now._replace(ages=memory.ages[m])
    feeding = [row[m] for row in memory.feeding]
    return and_(
        ages_are_sound(now),
        enabled_is_confirmed(of, memory.enabled[m], now, writes),
        *[age >= NOT_SO for age in (memory.ages[m].off_ms, *memory.ages[m].settled_ms)],
        *[age >= NOT_SO for age in (memory.ages[m].stuck_ms, memory.ages[m].silent_ms)],
        *[count >= 0 for count in (*memory.ages[m].mismatch, memory.stray[m])],
        memory.lines_off_ms[m] >= NOT_SO,
        memory.fed_ms[m] >= NOT_SO,
        implies(or_(*feeding), memory.fed_ms[m] >= 0),
        *[not_(and_(a, b)) for place, a in enumerate(feeding) for b in feeding[:place]],
    )


def invariant_of_station(memory: Memory) -> Any:
    """What it may say besides."""
    return and_(
        *map(offer_is_ordered, memory.offers),
        memory.stop_ms >= NOT_SO,
        memory.stopping_ms >= NOT_SO,
        *[count >= 0 for count in memory.silence],
    )


def world_of(of: WholeScan, assumed: Assumed, m: int) -> list[Any]:
    """The laws of one module from the scan before to this one, and that a process that has begun
    anew remembers nothing."""
    times = of.built.timing
    return [
        *plant.holds(assumed, times, of.before[m]),
        *plant.passes(assumed, times, of.before[m], of.left[m], of.during[m], of.now[m]),
        *plant.holds(assumed, times, of.now[m]),
    ]


def sane(of: WholeScan) -> list[Any]:
    """Times and powers are no negative numbers."""
    return [
        plant.times_are_sane(of.built.timing),
        of.built.offer_lead_ms >= 0,
        of.built.minimum_dwell_ms >= 0,
        of.observed.elapsed_ms >= 0,
        of.observed.scans >= 1,
        of.orders.site_limit_w >= 0,
        *[power_w >= 0 for power_w in of.wanted.granted_w],
    ]


def anew(of: WholeScan, m: int) -> Any:
    """If the controller has begun anew, this is what it remembers of the module."""
    nothing = scan.restarted(of.built, of.memory.latched)
    pairs = [
        *zip(flat(of.memory.ages[m]), flat(nothing.ages[m]), strict=True),
        (of.memory.enabled[m], nothing.enabled[m]),
    ]
    return implies(of.restarted, and_(*[equal(*pair) for pair in pairs]))


def equal(a: Any, b: Any) -> Any:
    """Two values are the same: bits, numbers, or lists and tuples of them."""
    if isinstance(a, (list, tuple)):
        return and_(len(a) == len(b), *[equal(*pair) for pair in zip(a, b, strict=True)])
    if z3_terms.same(a, b):
        return True
    is_bit = isinstance(a, bool) or (z3.is_expr(a) and z3.is_bool(a))
    return iff(a, b) if is_bit else a == b


def flat(value: Any) -> list[Any]:
    """All bits and numbers in it, in one list."""
    if isinstance(value, (list, tuple)):
        return [part for each in value for part in flat(each)]
    return [value]


class Cut:
    """Names for terms: what stands for what."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[Any, Any]] = {}

    def name(self, name: str, term: Any) -> "Cut":
        """This name for this term, unless that is plain or has one; parts of tuples get the names
        of their fields, those of lists numbers."""
        if isinstance(term, (list, tuple)):
            parts = getattr(term, "_fields", range(1, len(term) + 1))
            for part, each in zip(parts, term, strict=True):
                self.name(f"{name} {part}", each)
        elif z3.is_expr(term) and term.get_id() not in self._names:
            sort = z3.Bool if z3.is_bool(term) else z3.Int
            # No variable of a scan is named so.
            self._names[term.get_id()] = (term, sort(f"its {name}"))
        return self

    def of(self, term: Any) -> Any:
        """The term with the names in it."""
        if not z3.is_expr(term) or not self._names:
            return term
        return z3.substitute(term, *self._names.values())


def unlike(claims: Iterable[Any]) -> Any:
    """All of these claims, those that are the same once."""
    found: dict[int, Any] = {}
    for claim in claims:
        if z3.is_expr(claim):
            found[claim.get_id()] = claim
        elif not claim:
            return False
    return and_(*found.values())


def variables(m: int, of: WholeScan) -> Cut:
    """One set of names for the variables of all modules."""
    cut = Cut()
    for name, value in (
        ("before", of.before[m]),
        ("left", of.left[m]),
        ("during", of.during[m]),
        ("now", of.now[m]._replace(ages=of.before[m].ages)),
        ("memory", by_module(of.memory, m)),
        ("line high", of.observed.line_high[m]),
        ("at last", [line[m] for line in of.looked]),
        ("target", [row[m] for row in of.wanted.target]),
    ):
        cut.name(name, value)
    return cut


def by_module(memory: Memory, m: int) -> Memory:
    """What is remembered of one module."""
    own = slice(m, m + 1)
    faults = memory.latched
    return memory._replace(
        ages=memory.ages[own],
        lines_off_ms=memory.lines_off_ms[own],
        closed=memory.closed[own],
        strayed=memory.strayed[own],
        stray=memory.stray[own],
        feeding=[row[own] for row in memory.feeding],
        fed_ms=memory.fed_ms[own],
        enabled=memory.enabled[own],
        latched=faults._replace(**{each: getattr(faults, each)[own] for each in OF_MODULES}),
    )


OF_MODULES = (
    "welded",
    "failed_open",
    "dead",
    "stuck_on",
    "runs_on",
    "enable_high",
    "module_out",
)
"""The faults that are latched by module."""


class Moment(NamedTuple):
    """How things stand once an effect is carried out."""

    effect: Any
    published_w: Sequence[Any]
    """By gun: the most that it may have been told; less, where that came too late."""
    on: Sequence[Any]
    """By module: its enable line, as far as it was told."""


def course(of: WholeScan) -> list[Moment]:
    """The effects of the second and the third act, one after another; so wherever a process dies,
    it is after one of these, or in the middle of one."""
    published_w: Sequence[Any] = [each.offer_w for each in of.memory.offers]
    on: Sequence[Any] = [each.enabled for each in of.observed.modules]
    moments = []
    for effect in (*of.acts.falling, *of.acts.rising):
        if isinstance(effect, scan.Lower | scan.Publish):
            published_w = effect.offer_w
        elif isinstance(effect, scan.Disable):
            on = [and_(is_on, not_(drops)) for is_on, drops in zip(on, effect.modules, strict=True)]
        elif isinstance(effect, scan.Enable):
            on = [or_(is_on, rises) for is_on, rises in zip(on, effect.modules, strict=True)]
        moments.append(Moment(effect, published_w, on))
    return moments


def story(of: WholeScan, m: int, named: Callable[[Any], Any]) -> Callable[[Any], str]:
    """A counterexample of a claim about one module, in words; `named` gives terms its names."""
    writes = of.acts.set_going.writes[m]
    parts: dict[str, Any] = {
        "times": of.built.timing,
        "before": of.before[m],
        "now": of.now[m],
        "held": [row[m] for row in of.held],
        "locks": of.locks,
        "coils": writes.coils,
        "bits": [
            of.restarted,
            of.stopped,
            of.overdue,
            writes.enable,
            writes.may_switch,
            of.told[m],
        ],
    }
    parts = {name: in_names(named, value) for name, value in parts.items()}

    def tell(model: Any) -> str:
        held, locks, coils, bits = (
            in_model(parts[name], model) for name in ("held", "locks", "coils", "bits")
        )
        restarted, stopped, overdue, enable, may_switch, told = bits
        times = zip(of.built.timing._fields, in_model(parts["times"], model), strict=True)
        return "\n".join(
            [
                ", ".join(f"{field} {limit}" for field, limit in times),
                *in_words(model, "the scan before", parts["before"]),
                *in_words(model, "this scan", parts["now"]),
                f"{'after a restart; ' if restarted else ''}{'stopped; ' if stopped else ''}"
                f"{'overdue; ' if overdue else ''}may be switched to guns {numbers(held)},"
                f" locked are {numbers(locks)}; decides: enable {'high' if enable else 'low'},"
                f" {'may switch' if may_switch else 'may not switch'}, coils of guns"
                f" {numbers(coils)}; writes {'' if told else 'not '}verified",
            ]
        )

    return tell


def numbers(bits: Sequence[bool]) -> list[int]:
    """Which are set, counted from 1."""
    return [place for place, bit in enumerate(bits, start=1) if bit]


def in_names(named: Callable[[Any], Any], value: Any) -> Any:
    """The names in all terms of it."""
    if hasattr(value, "_fields"):
        return type(value)(*[in_names(named, part) for part in value])
    if isinstance(value, (list, tuple)):
        return [in_names(named, part) for part in value]
    return named(value)
