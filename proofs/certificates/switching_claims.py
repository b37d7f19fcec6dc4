"""Claims about one scan of one module, for any times, readings and ages."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from proofs.certificates.finite import Finite
from proofs.obligation import Claim
from verified_alloc.kernel import diagnosis, switching
from verified_alloc.kernel.diagnosis import Ages, Readings, Timing
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station


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


OF_SWITCHING = (
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
)
