"""What a walk found: a verdict on each part, what it means in words, times for the station file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

from verified_alloc.control.proof_tests import (
    ENABLES,
    FAILED,
    NOT_TESTABLE,
    NOT_TESTED,
    PASSED,
    Outcome,
)
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair, Timing
from verified_alloc.station.wiring_list import pin_name

CYCLES = 3
"""How often each contactor is closed and opened."""

MARGIN = 1.25
"""The times suggested are the longest measured times this: a coil is slower when hot or at low
voltage. One more millisecond is for whole milliseconds (`proofs/plant.py`, A11)."""


@dataclass
class ExpanderResult:
    """One expander: good, no answer, lost on the way, or unknown (answers, and is in no list)."""

    name: str
    """Its address, with several buses `BUS:ADDRESS`."""
    drives: str
    verdict: str


@dataclass
class ContactorResult:
    """One contactor. Times are from the write of its coil until its auxiliary contact has settled,
    upper bounds, ms."""

    pair: Pair
    output_expander: str
    feedback_expander: str
    bit: int
    operate_ms: list[float] = field(default_factory=list)
    release_ms: list[float] = field(default_factory=list)
    moved: set[Pair] = field(default_factory=set)
    """Other contactors whose contacts moved with it."""
    slow: bool = False
    verdict: str = ""
    """good | slow | too quick | chatters | reads closed | does not close | does not open
    | crossed | moves others | not tested"""
    reason: str = ""

    def not_tested(self, reason: str) -> "ContactorResult":
        self.verdict, self.reason = "not tested", reason
        return self

    @property
    def name(self) -> str:
        return "{}:{}".format(*self.pair)


@dataclass
class ModuleResult:
    """One module's enable line and status input. Times from the line to the status, ms."""

    module: int
    enable_bcm: int
    status_bcm: int | None
    on_ms: float | None = None
    off_ms: float | None = None
    cut_ms: float | None = None
    """Its enable high, after the last edge that fed the relay watchdog."""
    cut_testable: bool = False
    """The coil supply is held for longer than that takes."""
    others: set[int] = field(default_factory=set)
    """Modules that reported on when this one was enabled."""
    verdict: str = ""
    """good | does not report on | does not switch off | is not cut | crossed | not tested"""
    reason: str = ""

    def not_tested(self, reason: str) -> "ModuleResult":
        self.verdict, self.reason = "not tested", reason
        return self


@dataclass
class Results:
    """A whole walk."""

    expanders: list[ExpanderResult]
    contactors: list[ContactorResult]
    modules: list[ModuleResult]
    outcomes: list[Outcome] = field(default_factory=list)
    """Of the proof tests of the safety chain."""

    @property
    def passed(self) -> bool:
        """Everything was tested that can be, and is good."""
        return not self.findings()

    def findings(self) -> list[str]:
        """What is wrong, a sentence each; what has one cause, in one sentence."""
        found = [_of_expander(result) for result in self.expanders if result.verdict != "good"]
        explained: set[Pair] = set()
        for several in (self._straps, self._closed_boards, self._swaps):
            sentences, pairs = several(explained)
            found += sentences
            explained |= pairs
        found += [
            _of_contactor(result)
            for result in self.contactors
            if result.verdict not in ("good", "not tested") and result.pair not in explained
        ]
        found += self._of_modules()
        found += [
            f"{outcome.test[0].upper()}{outcome.test[1:]}: {outcome.said}."
            for outcome in self.outcomes
            if outcome.verdict == FAILED and outcome.test != ENABLES  # those are the modules'
        ]
        found += _not_tested("contactors", [(r.name, r) for r in self.contactors])
        found += _not_tested("modules", [(str(r.module), r) for r in self.modules])
        return found

    def timing(self) -> dict[str, int]:
        """Times for `[timing]` of the station file, from the contactors that are good, slow or too
        quick; empty if there are none."""
        measured = [r for r in self.contactors if r.verdict in ("good", "slow", "too quick")]
        if not measured:
            return {}
        operate_ms = max(max(result.operate_ms) for result in measured)
        release_ms = max(max(result.release_ms) for result in measured)
        quickest_ms = min(min(result.operate_ms + result.release_ms) for result in measured)
        return {
            "contactor_operate_ms": ceil(operate_ms * MARGIN) + 1,
            "contactor_release_ms": ceil(release_ms * MARGIN) + 1,
            "contactor_min_response_ms": min(Timing.contactor_min_response_ms, floor(quickest_ms)),
        }

    def _straps(self, _: set[Pair]) -> tuple[list[str], set[Pair]]:
        """Two positions, each of whose contactors move what is at the same pin of the other. No
        strap leads to another bus; a cable does."""
        leads: dict[str, list[tuple[ContactorResult, str | None]]] = {}
        where = {result.pair: (result.output_expander, result.bit) for result in self.contactors}
        for result in self.contactors:
            there = None
            if result.verdict == "crossed" and len(result.moved) == 1:
                (moved,) = result.moved
                expander, bit = where[moved]
                there = expander if bit == result.bit else None
            leads.setdefault(result.output_expander, []).append((result, there))
        feedback = {result.output_expander: result.feedback_expander for result in self.contactors}
        sentences: list[str] = []
        pairs: set[Pair] = set()
        for one, ways in leads.items():
            ends = {there for _, there in ways if there is not None}
            led = [result for result, there in ways if there is not None]
            if len(ends) != 1 or len(led) < 2 or any(r.verdict == "good" for r, _ in ways):
                continue
            (other,) = ends
            if one < other:
                one_bus = one.rpartition(":")[0] == other.rpartition(":")[0]
                sentences.append(
                    f"The {'address straps' if one_bus else 'bus cables'} of expanders {one} and"
                    f" {other}, or those of {feedback[one]} and {feedback[other]}, are swapped:"
                    " each coil moves the contact at the same pin of the other."
                )
            pairs |= {result.pair for result in led}
        return sentences, pairs

    def _closed_boards(self, _: set[Pair]) -> tuple[list[str], set[Pair]]:
        """Positions none of whose contacts reads open."""
        boards: dict[tuple[str, str], list[ContactorResult]] = {}
        for result in self.contactors:
            boards.setdefault((result.output_expander, result.feedback_expander), []).append(result)
        closed = {
            at: results
            for at, results in boards.items()
            if len(results) > 1 and all(result.verdict == "reads closed" for result in results)
        }
        sentences = [
            f"Every contact on feedback expander {feedback} reads closed: its address straps"
            " are swapped with those of an output expander, or its contacts have no ground."
            for _, feedback in closed
        ]
        return sentences, {result.pair for results in closed.values() for result in results}

    def _swaps(self, explained: set[Pair]) -> tuple[list[str], set[Pair]]:
        """Two contactors, each of which moves the other's contact."""
        crossed = {
            result.pair: next(iter(result.moved))
            for result in self.contactors
            if result.verdict == "crossed"
            and len(result.moved) == 1
            and result.pair not in explained
        }
        swapped = [(a, b) for a, b in crossed.items() if crossed.get(b) == a and a < b]
        sentences = [
            f"Contactors {a[0]}:{a[1]} and {b[0]}:{b[1]}: their coil wires, or the wires of their"
            " auxiliary contacts, are swapped."
            for a, b in swapped
        ]
        return sentences, {pair for both in swapped for pair in both}

    def _of_modules(self) -> Iterator[str]:
        uncut = [result.module for result in self.modules if result.verdict == "is not cut"]
        if uncut:
            modules = _numbers(uncut)
            yield f"The relay supply's watchdog does not cut the enable of module {modules}."
        crossed = {
            result.module: result.others for result in self.modules if result.verdict == "crossed"
        }
        for result in self.modules:
            name = f"Module {result.module} (enable BCM {result.enable_bcm})"
            others = ", ".join(map(str, sorted(result.others)))
            if result.verdict == "crossed":
                if crossed.get(min(result.others)) == {result.module}:
                    if result.module < min(result.others):
                        yield (
                            f"Modules {result.module} and {others}: their enable lines, or their"
                            " status wires, are swapped."
                        )
                else:
                    yield f"{name}: its enable line switches on module {others}."
            elif result.verdict == "does not report on":
                yield (
                    f"{name}: does not report on: its enable or status wire is dead, or its mains"
                    " are off."
                )
            elif result.verdict == "does not switch off":
                yield f"{name}: still reports on after its enable fell; its contactor stays closed."


def _of_expander(result: ExpanderResult) -> str:
    if result.verdict == "unknown":
        return f"An expander answers at {result.name}; the station file does not list it."
    name = f"Expander {result.name} ({result.drives})"
    if result.verdict == "lost":
        return f"{name}: lost its settings, or its answer, during the walk."
    return (
        f"{name}: does not answer as it was configured: not fitted, strapped to another address,"
        " or held in reset."
    )


def _of_contactor(result: ContactorResult) -> str:
    pin = pin_name(result.bit)
    name = f"Contactor {result.name} (coil {result.output_expander} {pin})"
    moved = ", ".join(f"{gun}:{module}" for gun, module in sorted(result.moved))
    return {
        "slow": f"{name}: slower than the station file says.",
        "too quick": f"{name}: quicker than contactor_min_response_ms; the least time is wrong.",
        "chatters": f"{name}: its auxiliary contact does not read the same for long: a loose wire?",
        "reads closed": (
            f"{name}: reads closed with its coil off: it is welded, or the wire of its auxiliary"
            " contact is broken."
        ),
        "does not close": (
            f"{name}: does not close: its coil, coil driver or coil wire is dead, or its auxiliary"
            " contact is."
        ),
        "does not open": f"{name}: closed, and does not open any more: welded.",
        "crossed": f"{name}: moves the contact of {moved} instead of its own.",
        "moves others": f"{name}: moves the contact of {moved} besides its own.",
    }[result.verdict]


def _not_tested(
    kind: str, results: Sequence[tuple[str, ContactorResult | ModuleResult]]
) -> list[str]:
    """A sentence for each reason."""
    names: dict[str, list[str]] = {}
    for name, result in results:
        if result.verdict == "not tested":
            names.setdefault(result.reason, []).append(name)
    return [f"Not tested: {kind} {', '.join(of)} ({why})." for why, of in names.items()]


def of_enable_lines(modules: Sequence[ModuleResult]) -> Outcome:
    """What the tests of the modules say of their off paths."""
    stuck = [r.module for r in modules if r.verdict in ("does not switch off", "is not cut")]
    sound = [r.module for r in modules if r.verdict == "good"]
    if stuck:
        return Outcome(ENABLES, FAILED, f"they do not switch off module {_numbers(stuck)}")
    if not modules:
        return Outcome(ENABLES, NOT_TESTED, "contactors only")
    if all(r.status_bcm is None for r in modules):
        return Outcome(ENABLES, NOT_TESTABLE, "no status input is wired")
    if len(sound) < len(modules):
        rest = [r.module for r in modules if r.verdict != "good"]
        return Outcome(ENABLES, NOT_TESTED, f"module {_numbers(rest)}")
    if not all(r.cut_testable for r in modules):
        why = "each goes off as told; current_decay_ms is too short to see the watchdog cut it"
        return Outcome(ENABLES, PASSED, why)
    return Outcome(ENABLES, PASSED, "each goes off as told, and cut by the watchdog")


def _numbers(modules: Sequence[int]) -> str:
    return ", ".join(map(str, modules))


def as_json(station: Station, results: Results, about: dict[str, Any]) -> dict[str, Any]:
    """The walk for a machine; `about` stands at its head."""
    timing = station.timing
    return {
        **about,
        "station": station.name,
        "passed": results.passed,
        "findings": results.findings(),
        "timing": {
            "station_file": {key: getattr(timing, key) for key in _TIMES},
            "suggested": results.timing(),
        },
        "expanders": [
            {"address": r.name, "drives": r.drives, "verdict": r.verdict} for r in results.expanders
        ],
        "contactors": [
            {
                "contactor": r.name,
                "output_expander": r.output_expander,
                "feedback_expander": r.feedback_expander,
                "pin": pin_name(r.bit),
                "verdict": r.verdict,
                "reason": r.reason,
                "operate_ms": r.operate_ms,
                "release_ms": r.release_ms,
                "moved": [f"{gun}:{module}" for gun, module in sorted(r.moved)],
            }
            for r in results.contactors
        ],
        "modules": [
            {
                "module": r.module,
                "enable_bcm": r.enable_bcm,
                "status_bcm": r.status_bcm,
                "verdict": r.verdict,
                "reason": r.reason,
                "on_ms": r.on_ms,
                "off_ms": r.off_ms,
                "cut_ms": r.cut_ms,
                "others": sorted(r.others),
            }
            for r in results.modules
        ],
        "proof_tests": [outcome._asdict() for outcome in results.outcomes],
    }


_TIMES = ("contactor_operate_ms", "contactor_release_ms", "contactor_min_response_ms")
