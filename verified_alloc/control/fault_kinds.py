"""Every kind of latched fault: what it is of, in words, what it takes out and how it is cleared.

A new kind is a line in `KINDS`; the file of latched faults, the sentences, the service's views and
metrics and the clearing go by this table.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from verified_alloc.errors import BadInput
from verified_alloc.kernel import wiring
from verified_alloc.station.model import Station

NUMBERS = {
    "contactor": ("gun", "module"),
    "module": ("module",),
    "gun": ("gun",),
    "expander": ("expander",),
    "station": (),
}
"""The numbers that tell which one has the fault, by what it is of."""

CONTACTOR = "contactor-{gun}:{module}"
MODULE = "module-{module}"
EXPANDER = "expander-{output}"
STOP = "emergency-stop"
PUT_BACK = ""
"""The names that faults are cleared by; what a person has taken out is put back, not cleared."""


class Fault(NamedTuple):
    """One latched fault, with the numbers that its kind has. Guns and modules are counted from 1,
    an expander by its position in the station's list, from 0."""

    kind: str
    gun: int | None = None
    module: int | None = None
    expander: int | None = None


class Kind(NamedTuple):
    """What all faults of a kind have in common. `name` and `sentence` are templates: of the
    fault's numbers, and the names of an expander's two, `output` and `feedback`."""

    of: Literal["contactor", "module", "gun", "expander", "station"]
    name: str
    """It is cleared by this name; several faults may share one."""
    sentence: str
    effect: str
    """What it takes out, for a person."""
    cleared: str
    """How it is cleared, for a person."""
    severity: Literal["critical", "serious", "minor"] = "serious"
    """Critical: nobody is served. Serious: something does not switch as it must. Minor: it only
    takes power away."""
    to_do: str = ""
    """What a person at the station does about it, before it is cleared."""


_MODULE_OUT = "the module serves nobody"
_ALL_OFF = "every offer falls to 0, every module goes off, every contactor opens"
_CLEAR_CONTACTOR = f"repair it; once it follows its command: `verified-alloc clear {CONTACTOR}`"
_CLEAR_MODULE = f"once it obeys: `verified-alloc clear {MODULE}`"
_AFTER = "Then clear it"
_CONTACTOR_SEEN = f"{_AFTER}, once its auxiliary contact follows the command."

KINDS: Mapping[str, Kind] = {
    "welded": Kind(
        "contactor",
        CONTACTOR,
        "contactor {gun}:{module} is welded",
        "the module serves only this gun; two welds of a module take out it and both guns",
        _CLEAR_CONTACTOR,
        "serious",
        "Switch off, lock out and replace contactor {gun}:{module}; look at its auxiliary contact"
        f" too. {_CONTACTOR_SEEN}",
    ),
    "failed_open": Kind(
        "contactor",
        CONTACTOR,
        "contactor {gun}:{module} failed open",
        "the module does not serve this gun; where it was found welded too, nobody",
        _CLEAR_CONTACTOR,
        "minor",
        "Switch off, lock out and check coil, coil driver and auxiliary contact of contactor"
        f" {{gun}}:{{module}}. {_CONTACTOR_SEEN}",
    ),
    "dead": Kind(
        "module",
        MODULE,
        "PM{module} does not report on",
        _MODULE_OUT,
        _CLEAR_MODULE,
        "minor",
        "Check the supply, the enable line and the status line of PM{module}, or replace it."
        f" {_AFTER}.",
    ),
    "stuck_on": Kind(
        "contactor",
        MODULE,
        "PM{module} does not switch off; gun {gun} is locked",
        "the module serves nobody, and the gun is out",
        _CLEAR_MODULE,
        "serious",
        "Switch off the supply of PM{module}: it feeds gun {gun} though told not to. Check its"
        f" enable and status lines. {_AFTER}, once it reads off.",
    ),
    "expander_lost": Kind(
        "expander",
        EXPANDER,
        "expanders {output} and {feedback} are lost; their modules are out until that is cleared",
        "the modules with a contactor on it serve nobody",
        f"once it answers and its modules are off: `verified-alloc clear {EXPANDER}`",
        "serious",
        "Check the supply and the bus of expanders {output} and {feedback}; their modules may be"
        f" sound. {_AFTER}, once both answer.",
    ),
    "runs_on": Kind(
        "module",
        MODULE,
        "PM{module} reports on although it is disabled",
        _MODULE_OUT,
        f"once it reads off: `verified-alloc clear {MODULE}`",
        "serious",
        "Switch off the supply of PM{module} and check its enable and status lines."
        f" {_AFTER}, once it reads off.",
    ),
    "enable_high": Kind(
        "module",
        MODULE,
        "the enable line of PM{module} is held high; everything is off until that is cleared",
        _ALL_OFF,
        f"once the line is free: `verified-alloc clear {MODULE}`",
        "critical",
        "Find what holds the enable line of PM{module} high: its wire, its driver, a jumper."
        f" {_AFTER}.",
    ),
    "emergency_stop": Kind(
        "station",
        STOP,
        "emergency stop; everything is off until that is cleared",
        _ALL_OFF,
        f"release the button: `verified-alloc clear {STOP}`",
        "critical",
        f"Find out who pressed the button and why, then release it. {_AFTER}.",
    ),
    "stopped": Kind(
        "station",
        STOP,
        "stopped as told; everything is off until that is cleared",
        _ALL_OFF,
        f"`verified-alloc clear {STOP}`",
        "critical",
        f"Find out who stopped the station and why. {_AFTER}.",
    ),
    "gun_out": Kind(
        "gun",
        PUT_BACK,
        "gun {gun} is out of service",
        "the gun is given nothing",
        '`PUT /api/v1/guns/{gun}/service` with `{{"in_service": true}}`',
    ),
    "module_out": Kind(
        "module",
        PUT_BACK,
        "PM{module} is out of service",
        _MODULE_OUT,
        '`PUT /api/v1/modules/{module}/service` with `{{"in_service": true}}`',
    ),
}


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """By kind in the table's order, then by number."""
    order = list(KINDS)
    return sorted(faults, key=lambda fault: (order.index(fault.kind), fault[1:]))


def describe(station: Station, faults: Iterable[Fault]) -> list[str]:
    """These faults, one sentence each."""
    return [sentence_of(station, fault) for fault in in_order(faults)]


def sentence_of(station: Station, fault: Fault) -> str:
    """What has happened."""
    return _filled(KINDS[fault.kind].sentence, station, fault)


def name_of(station: Station, fault: Fault) -> str:
    """What the fault is cleared by; empty for what is put back into service instead."""
    return _filled(KINDS[fault.kind].name, station, fault)


def cleared_by(station: Station, fault: Fault) -> str:
    """How it is cleared, for a person."""
    return _filled(KINDS[fault.kind].cleared, station, fault)


def to_do_about(station: Station, fault: Fault) -> str:
    """What a person at the station does about it."""
    return _filled(KINDS[fault.kind].to_do, station, fault)


def _filled(template: str, station: Station, fault: Fault) -> str:
    words: dict[str, Any] = fault._asdict()
    if fault.expander is not None:
        words["output"] = station.hardware.output_name(fault.expander)
        words["feedback"] = station.hardware.feedback_name(fault.expander)
    return template.format(**words)


def check_parts(station: Station, faults: Iterable[Fault]) -> None:
    """`BadInput` for a fault of a part that this station lacks: nothing would heed or clear it."""
    parts = _parts(station)
    for fault in in_order(faults):
        of = KINDS[fault.kind].of
        there = all(getattr(fault, part) in parts[part] for part in NUMBERS[of])
        there = there and (of != "contactor" or station.has(fault.gun or 0, fault.module or 0))
        if not there:
            which = ":".join(str(getattr(fault, part)) for part in NUMBERS[of])
            raise BadInput(
                f"latched fault {fault.kind!r}: station {station.name!r} has no {of} {which};"
                " give it its own fault file, or inspect it and remove this one"
            )


def faults_of(latched: Any) -> frozenset[Fault]:
    """The faults whose bits are set. `latched` has an attribute for each kind: `[module][gun]` of
    contactors, a list of modules, guns or expanders, one bit of the station; all from 0."""
    return frozenset(fault for kind in KINDS for fault in _set(kind, getattr(latched, kind)))


def bits_of(faults: frozenset[Fault], station: Station) -> dict[str, Any]:
    """The inverse: by kind, the bits of these faults. `BadInput` for one of a part that the station
    lacks."""
    check_parts(station, faults)
    return {kind: _bits(kind, faults, _parts(station)) for kind in KINDS}


def _parts(station: Station) -> dict[str, range]:
    return {
        "gun": range(1, len(station.guns) + 1),
        "module": range(1, len(station.modules) + 1),
        "expander": range(wiring.expanders(len(station.contactors))),
    }


def _set(kind: str, bits: Any) -> Iterator[Fault]:
    of = KINDS[kind].of
    if of == "contactor":
        for module, row in enumerate(bits, start=1):
            yield from (Fault(kind, gun, module) for gun, bit in enumerate(row, start=1) if bit)
    elif of == "station":
        yield from [Fault(kind)] if bits else []
    else:
        first = 0 if of == "expander" else 1
        yield from (Fault(kind, **{of: n}) for n, bit in enumerate(bits, start=first) if bit)


def _bits(kind: str, faults: frozenset[Fault], parts: Mapping[str, range]) -> Any:
    of = KINDS[kind].of
    if of == "contactor":
        return [
            [Fault(kind, gun, module) in faults for gun in parts["gun"]]
            for module in parts["module"]
        ]
    if of == "station":
        return Fault(kind) in faults
    return [Fault(kind, **{of: number}) in faults for number in parts[of]]
