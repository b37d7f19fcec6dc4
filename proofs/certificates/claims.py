"""The finite core: claims that are decided on circuits, so that a certificate can be archived.

Each claim is a function of an algebra with inputs (`proofs.algebras.circuit.Circuit`), and runs the
shipped functions on it. What the numbers stand for:

Rule. Powers are counted in half units, the unit being the greatest common divisor of all module
powers and gun maxima (reference: 40 kW, so a module is 2): n units are 2n, and whatever lies
strictly between n and n + 1 units is 2n + 1. That loses nothing. Powers that a gun has reached, and
its maximum, are whole units; the rule and the claims compare a demand, a grant or a delivered power
of a gun only with whole units, or with another of these of the same gun, of which one is the
smaller of the other and whole units; such comparisons come out alike before and after. The limit
is so high that what it leaves is never below what a gun asks for. Demands below 0 and beyond all
modules are there as well. `tests/proofs` compares with whole watts.

Guard. Whole watts, everything free within +-524 kW (modules up to 131 kW): no abstraction.

Switching. Ages and times are not read but compared, and every comparison may come out as it likes
(`Unread`): what is proved holds for all times. What takes arithmetic over time, and the world, is
proved in `proofs.switching` and `proofs.diagnosis`.

Wiring. The station's own contactors.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from proofs.algebras.circuit import Circuit
from proofs.algebras.unary import UnaryCircuit
from proofs.certificates.certificate import Certificate, certify, satisfiable
from proofs.certificates.cnf import conjunction, counterexample
from proofs.lemmas import rule_properties
from proofs.lemmas.rule_inputs import Property, Scene
from proofs.obligation import Claim
from verified_alloc.kernel import diagnosis, guard, switching, wiring
from verified_alloc.kernel.diagnosis import Ages, Readings, Timing
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station

WATTS = 1 << 19
MODULE_WATTS = 1 << 17


class Finite(NamedTuple):
    """A claim of the finite core."""

    id: str
    """That of the obligation it decides in its finite domain; or, where it says only a part, with
    a word after it."""
    sentence: str
    proves: tuple[str, ...]
    domain: str
    claim: Callable[[Any, Station], Claim]
    """Builds it on an algebra with inputs."""
    numbers: Callable[[], Circuit] = Circuit
    """The encoding of its numbers."""

    @property
    def of(self) -> str:
        """The obligation that it is part of."""
        return ".".join(self.id.split(".")[:2])


def certificate(of: Finite, station: Station) -> Certificate:
    """The checked certificate for a station; `Refused` if the claim does not hold."""
    circuit = of.numbers()
    claim = of.claim(circuit, station)
    title = (
        f"{of.id}: {of.sentence}\nFor: {of.domain}.\n"
        "That the clauses contradict each other is the proof. Variables:"
    )
    return certify(of.id, title, counterexample(circuit, claim.hypotheses, claim.goal))


def empty_cases(of: Finite, station: Station) -> list[str]:
    """Cases that the claim should leave possible and does not, by name (none is as it should
    be)."""
    circuit = of.numbers()
    claim = of.claim(circuit, station)
    return [
        name
        for name, case in (*claim.covers, ("any", True))
        if not satisfiable(conjunction(circuit, (*claim.hypotheses, case)).dimacs())
    ]


# Rule.


def scene(over: Any, station: Station, *, full: bool) -> Scene:
    """Any demands in half units; a full matrix under any outage, or any matrix at all."""
    guns, modules = len(station.guns), len(station.modules)
    unit_w = math.gcd(*station.module_power_w, *station.gun_max_w)

    def halves(power_w: int) -> int:
        return 2 * power_w // unit_w

    beyond = 1 + max(map(halves, station.gun_max_w))
    serves, healthy = [True] * guns, [True] * modules
    if full:
        serves, healthy = over.bits("gun in service", guns), over.bits("module usable", modules)
        usable = [[over.and_(gun, module) for module in healthy] for gun in serves]
    else:
        usable = over.bits("contactor usable", guns, modules)
    sizes = sorted(set(map(halves, station.gun_max_w)))
    maximum = [_one_of(over, sizes, f"size of gun {gun + 1}") for gun in range(guns)]
    return Scene(
        over.numbers("demand of gun", guns, low=-1, high=beyond),
        maximum,
        tuple(map(halves, station.module_power_w)),
        usable,
        2 * guns * beyond,
        serves,
        healthy,
        False,
        (),
    )


def _one_of(over: Any, sizes: Sequence[int], name: str) -> Any:
    """Any of these numbers."""
    chosen: Any = sizes[0]
    for number, size in enumerate(sizes[1:], start=1):
        chosen = over.ite(over.bits(f"{name} is {number}"), size, chosen)
    return chosen


def _of_the_rule(
    name: str, sentence: str, has: Property, *, full: bool = False, demanded: bool = False
) -> Finite:
    def claim(over: Any, station: Station) -> Claim:
        given = scene(over, station, full=full)
        choice = given.choice(over)
        hypotheses = [demand >= 0 for demand in given.demand_w] if demanded else []
        return Claim(
            tuple(hypotheses),
            has(over, given, choice),
            covers=(
                ("a gun is short", choice.delivered_w[0] < given.granted_w(over)[0]),
                ("two guns hold modules", over.and_(*[over.or_(*row) for row in choice.held[:2]])),
            ),
        )

    matrix = "full matrix, any outages" if full else "any matrix"
    return Finite(
        f"rule.{name}",
        sentence,
        ("rule.documented", "rule.take"),
        f"{matrix}; all demands; no binding site limit",
        claim,
        UnaryCircuit,
    )


# Guard, in the design's words.


class Case(NamedTuple):
    """An allocation and all that it is judged by, in `guard.judge`'s words."""

    held: Any
    delivered_w: Any
    demand_w: Any
    gun_max_w: Any
    module_power_w: Any
    usable: Any
    in_service: Any
    site_limit_w: Any


def case(over: Any, station: Station) -> Case:
    """Everything free."""
    guns, modules = len(station.guns), len(station.modules)

    def watts(name: str) -> Any:
        return over.numbers(name, guns, low=-WATTS, high=WATTS - 1)

    return Case(
        over.bits("held", guns, modules),
        watts("delivered"),
        watts("demand"),
        watts("maximum"),
        over.numbers("power", modules, low=1, high=MODULE_WATTS),
        over.bits("usable", guns, modules),
        over.bits("in service", guns),
        over.number("limit", -8 * WATTS, 8 * WATTS - 1),
    )


def on_one_gun(over: Any, of: Case) -> Any:
    """(1) A module is on one gun at most."""
    return over.and_(
        *[
            over.not_(over.and_(a[module], b[module]))
            for module in range(len(of.module_power_w))
            for number, a in enumerate(of.held)
            for b in of.held[:number]
        ]
    )


def every_contactor_usable(over: Any, of: Case) -> Any:
    """(2) Every contactor used exists and is healthy, welds respected."""
    return over.and_(
        *[
            over.or_(over.not_(held), usable)
            for rows in zip(of.held, of.usable, strict=True)
            for held, usable in zip(*rows, strict=True)
        ]
    )


def serving_with_demand(over: Any, of: Case) -> Any:
    """(3) Only guns in service with demand have modules."""
    return over.and_(
        *[
            over.or_(over.not_(held), over.and_(serves, demand > 0))
            for row, serves, demand in zip(of.held, of.in_service, of.demand_w, strict=True)
            for held in row
        ]
    )


def within_means(over: Any, of: Case, gun: int) -> Any:
    """(4) Delivered power is at most min(demand, gun maximum, power of its modules), and without
    its highest-numbered module the gun could not be given it."""
    row, delivered = of.held[gun], of.delivered_w[gun]
    clauses = []
    below_w: Any = 0
    for module, (held, power_w) in enumerate(zip(row, of.module_power_w, strict=True)):
        is_last = over.and_(held, over.not_(over.or_(*row[module + 1 :])))
        clauses.append(over.or_(over.not_(is_last), delivered > below_w))
        below_w = below_w + over.ite(held, power_w, 0)
    return over.and_(
        delivered >= 0,
        delivered <= of.demand_w[gun],
        delivered <= of.gun_max_w[gun],
        delivered <= below_w,
        *clauses,
    )


def total_within_limit(over: Any, of: Case) -> Any:
    """(5) The total is within the site limit."""
    total_w: Any = 0
    for delivered in of.delivered_w:
        total_w = total_w + delivered
    return total_w <= of.site_limit_w


CONDITIONS: dict[int, tuple[str, str, Callable[[Any, Case], Any]]] = {
    1: ("one-gun-per-module", "a module on two guns", on_one_gun),
    2: ("usable-contactors", "a contactor used that is not usable", every_contactor_usable),
    3: (
        "serving-with-demand",
        "modules on a gun out of service or without demand",
        serving_with_demand,
    ),
    5: ("total-within-limit", "a total above the limit", total_within_limit),
}
"""By the design's number. The fourth is decided gun by gun."""

GUARD_POWERS = "whole watts up to 524 kW, modules up to 131 kW"


def _of_the_guard(number: int) -> Finite:
    name, finds, condition = CONDITIONS[number]

    def claim(over: Any, station: Station) -> Claim:
        of = case(over, station)
        right = guard.judge(over, *of)[number - 1]
        return Claim(
            (),
            over.iff(right, condition(over, of)),
            covers=(("it is wrong", over.not_(right)), ("it is right", right)),
        )

    return Finite(
        f"guard.{name}",
        f"The guard finds {finds}, and nothing else, wrong in condition {number}.",
        ("guard.judge",),
        "the station's shape; " + GUARD_POWERS,
        claim,
    )


def gun_within_means(over: Any, station: Station) -> Claim:
    """The shipped verdict on one gun."""
    of = case(over, station)
    fits = guard.fits(
        over, of.held[0], of.delivered_w[0], of.demand_w[0], of.gun_max_w[0], of.module_power_w
    )
    return Claim(
        (),
        over.iff(fits, within_means(over, of, 0)),
        covers=(("it is wrong", over.not_(fits)), ("it is right", fits)),
    )


def all_within_means(over: Any, station: Station) -> Claim:
    """The verdict on all guns from those on each."""
    of = case(over, station)
    rows = zip(of.held, of.delivered_w, of.demand_w, of.gun_max_w, strict=True)
    each = [guard.fits(over, *row, of.module_power_w) for row in rows]
    return Claim((), over.iff(guard.judge(over, *of).fitting, over.and_(*each)))


# Switching: one scan of one module.


class Scan(NamedTuple):
    """Any readings and ages, any target, and what the shipped step writes."""

    times: Timing
    readings: Readings
    ages: Ages
    target: list[Any]
    locked: list[Any]
    stop: Any
    overdue: Any
    writes: Writes

    def rises(self, over: Any, gun: int) -> Any:
        """The writes energise this coil."""
        return over.and_(
            self.writes.may_switch, self.writes.coils[gun], over.not_(self.readings.latch[gun])
        )

    def others(self, gun: int) -> list[int]:
        """All guns but this one."""
        return [other for other in range(len(self.target)) if other != gun]

    def settled_off(self, over: Any, gun: int) -> Any:
        """Coil off, and confirmed for the release time."""
        return over.and_(
            over.not_(self.readings.latch[gun]),
            self.ages.settled_ms[gun] >= self.times.contactor_release_ms,
        )


def any_scan(over: Any, station: Station) -> Scan:
    """Nothing is assumed of readings, ages and times."""
    guns = len(station.guns)
    times = Timing(*(over.unread(field) for field in Timing._fields))
    readings = Readings(
        over.bits("valid"),
        over.bits("enabled"),
        over.bits("reports on"),
        over.bits("latch", guns),
        over.bits("closed", guns),
        over.bits("closed again", guns),
    )
    ages = diagnosis.restarted(guns)._replace(
        off_ms=over.unread("off_ms"),
        settled_ms=[over.unread(f"settled_ms {gun + 1}") for gun in range(guns)],
    )
    target, locked = over.bits("target", guns), over.bits("locked", guns)
    stop, overdue = over.bits("stop"), over.bits("overdue")
    writes = switching.step(over, times, readings, ages, target, locked, stop, overdue)
    return Scan(times, readings, ages, target, locked, stop, overdue, writes)


def one_at_most(over: Any, bits: Sequence[Any]) -> Any:
    """No two of them."""
    return over.and_(
        *[over.not_(over.and_(a, b)) for place, a in enumerate(bits) for b in bits[:place]]
    )


def no_second_contactor(over: Any, scan: Scan) -> Any:
    """S1, S4: a coil rises only while all others are off and confirmed for the release time."""
    return over.and_(
        one_at_most(over, scan.writes.coils),
        *[
            over.implies(scan.rises(over, gun), scan.settled_off(over, other))
            for gun in range(len(scan.target))
            for other in scan.others(gun)
        ],
    )


def nothing_under_load(over: Any, scan: Scan) -> Any:
    """S2."""
    read = scan.readings
    gone = over.and_(
        read.valid,
        over.not_(read.enabled),
        over.not_(read.reports_on),
        scan.ages.off_ms >= scan.times.current_decay_ms,
    )
    return over.implies(over.and_(scan.writes.may_switch, over.not_(scan.overdue)), gone)


def discharged_before_closing(over: Any, scan: Scan) -> Any:
    """S9."""
    discharged = scan.ages.off_ms >= scan.times.module_discharge_ms
    return over.and_(
        *[
            over.implies(scan.rises(over, gun), over.and_(discharged, scan.target[gun]))
            for gun in range(len(scan.target))
        ]
    )


def enabled_on_its_target(over: Any, scan: Scan) -> Any:
    """S3, S4."""
    read = scan.readings
    shown = [
        over.ite(
            want,
            over.and_(
                latch, closed, again, scan.ages.settled_ms[gun] >= scan.times.contactor_operate_ms
            ),
            over.and_(over.not_(over.or_(closed, again)), scan.settled_off(over, gun)),
        )
        for gun, (want, latch, closed, again) in enumerate(
            zip(scan.target, read.latch, read.closed, read.closed_again, strict=True)
        )
    ]
    return over.implies(
        scan.writes.enable,
        over.and_(read.valid, over.or_(*scan.target), one_at_most(over, scan.target), *shown),
    )


def invalid_is_off(over: Any, scan: Scan) -> Any:
    """S5."""
    writes = scan.writes
    nothing = over.and_(
        over.not_(writes.enable),
        over.implies(writes.may_switch, over.not_(over.or_(*writes.coils))),
        over.implies(over.not_(scan.overdue), over.not_(writes.may_switch)),
    )
    return over.implies(over.not_(scan.readings.valid), nothing)


def stop_is_off(over: Any, scan: Scan) -> Any:
    """S7."""
    writes = scan.writes
    stopped = over.and_(over.not_(writes.enable), over.not_(over.or_(*writes.coils)))
    return over.and_(
        over.implies(over.or_(scan.stop, scan.overdue), stopped),
        over.implies(scan.overdue, writes.may_switch),
    )


def locked_is_off(over: Any, scan: Scan) -> Any:
    """A locked gun's contactors are not closed, and no module is enabled on it."""
    read = scan.readings
    return over.and_(
        *[
            over.implies(
                lock,
                over.not_(
                    over.or_(
                        over.and_(scan.writes.enable, over.or_(read.latch[gun], read.closed[gun])),
                        scan.writes.coils[gun],
                    )
                ),
            )
            for gun, lock in enumerate(scan.locked)
        ]
    )


def _of_switching(name: str, sentence: str, has: Callable[[Any, Scan], Any]) -> Finite:
    def claim(over: Any, station: Station) -> Claim:
        scan = any_scan(over, station)
        return Claim(
            (),
            has(over, scan),
            covers=(
                ("it is enabled", scan.writes.enable),
                ("a coil rises", scan.rises(over, 0)),
                ("a coil falls", over.and_(scan.writes.may_switch, scan.readings.latch[0])),
            ),
        )

    return Finite(
        f"scan.{name}.one-module",
        sentence,
        ("switching.step", "switching.wanted", "switching.on_gun"),
        "any times, readings and ages; one module, the station's number of guns",
        claim,
    )


# Wiring.


def may_not_switch(over: Any, station: Station) -> Claim:
    """Coil by coil, and port by port where writes fail."""
    number = len(station.contactors)
    may = over.bits("module may switch", len(station.modules))
    by_contactor = [may[module - 1] for _, module in station.contactors]
    wanted, verified = over.bits("wanted", number), over.bits("latch", number)
    coils = wiring.next_coils(over, by_contactor, wanted, verified)
    new, old = wiring.words(coils), wiring.words(verified)
    took = over.bits("port took its bits", len(new), 2)
    latched = [
        tuple(
            over.ite(took[expander][bit // 8], new[expander][bit], old[expander][bit])
            for bit in range(16)
        )
        for expander in range(len(new))
    ]
    after = wiring.coils(latched, number)
    return Claim(
        (),
        over.and_(
            *[
                over.and_(
                    over.iff(coil, over.ite(switches, want, latch)),
                    over.or_(over.iff(now, want), over.iff(now, latch)),
                    over.implies(over.not_(switches), over.iff(now, latch)),
                )
                for switches, want, latch, coil, now in zip(
                    by_contactor, wanted, verified, coils, after, strict=True
                )
            ]
        ),
        covers=(("a port did not take them", over.not_(over.iff(after[0], coils[0]))),),
    )


FINITE: tuple[Finite, ...] = (
    _of_the_rule(
        "one-gun-per-module", "A module is on one gun at most.", rule_properties.exclusive
    ),
    _of_the_rule(
        "usable-and-wanted",
        "Only usable contactors close, and only for guns with demand.",
        rule_properties.usable_and_wanted,
    ),
    _of_the_rule(
        "gun-cap",
        "No gun holds more modules than its maximum needs, nor is given more than its maximum.",
        rule_properties.gun_cap,
    ),
    _of_the_rule(
        "higher-demand-first",
        "If a gun is given less than it may have, every gun served after it is given nothing.",
        rule_properties.priority,
        full=True,
    ),
    _of_the_rule(
        "first-choice",
        "If a gun is given less than it may have, every module that it could use is on it or on a"
        " gun served before it.",
        rule_properties.first_choice,
    ),
    _of_the_rule(
        "idle-only-if-met",
        "A module idles only when every gun that could use it is given all it may have.",
        rule_properties.idle_only_if_met,
    ),
    _of_the_rule(
        "up-to-demand",
        "A gun is given the power of its modules, up to what it may have.",
        rule_properties.up_to_demand,
    ),
    _of_the_rule(
        "no-waste", "No gun holds a last module that it does not need.", rule_properties.no_waste
    ),
    _of_the_rule(
        "lowest-number-first",
        "Below every module that a gun holds, each one that it could use is on it or on a gun"
        " served before it.",
        rule_properties.lowest_first,
    ),
    _of_the_rule(
        "guard-accepts",
        "The guard accepts whatever the rule chooses, for demands of 0 or more.",
        rule_properties.accepted,
        demanded=True,
    ),
    *map(_of_the_guard, CONDITIONS),
    Finite(
        "guard.delivered-within-means",
        "The guard finds power beyond a gun's means, or a module that it does not need, and nothing"
        " else, wrong in condition 4.",
        ("guard.fits", "guard.powers"),
        "any one gun, the station's number of modules; " + GUARD_POWERS,
        gun_within_means,
    ),
    Finite(
        "guard.delivered-within-means.all-guns",
        "Condition 4 holds exactly if it holds for each gun.",
        ("guard.judge",),
        "the station's shape; " + GUARD_POWERS,
        all_within_means,
    ),
    _of_switching(
        "no-second-contactor",
        "A coil rises only while all others of its module are off and confirmed for the release"
        " time; never two are written on (S1, S4).",
        no_second_contactor,
    ),
    _of_switching(
        "nothing-under-load",
        "Coils are written only if valid readings show the module off for the decay time, or a stop"
        " is overdue (S2).",
        nothing_under_load,
    ),
    _of_switching(
        "discharged-before-closing",
        "A coil rises only for the target, and only if the module has been off for the discharge"
        " time (S9).",
        discharged_before_closing,
    ),
    _of_switching(
        "enabled-on-its-target",
        "A module is enabled only if valid readings show exactly the target's contactor closed, all"
        " latches and confirmations agreeing (S3, S4).",
        enabled_on_its_target,
    ),
    _of_switching(
        "invalid-is-off",
        "Invalid readings disable the module and close nothing, whatever they say (S5).",
        invalid_is_off,
    ),
    _of_switching(
        "stop-is-off",
        "A stop takes the enable off in the same scan and closes nothing; an overdue one opens"
        " every contactor (S7).",
        stop_is_off,
    ),
    _of_switching(
        "locked-is-off",
        "No module is enabled on a locked gun, and no contactor of it closes.",
        locked_is_off,
    ),
    Finite(
        "wiring.may-not-switch",
        "Whichever writes fail, coils of modules that may not switch keep their verified latch, and"
        " all others are what was wanted or what was latched.",
        ("wiring.next_coils", "wiring.words", "wiring.coils"),
        "the station's own contactors",
        may_not_switch,
    ),
)
