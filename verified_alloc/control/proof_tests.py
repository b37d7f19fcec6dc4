"""The proof tests of the safety chain, scan by scan: each asks for scans, sees them, and ends with
its outcome. Whoever runs one may drop it at any scan: the next ordinary one puts everything right,
as after a restart.

A test closes one contactor, its module off, takes away what should open it, and puts all back.
"""

from collections.abc import Callable, Generator, Iterable
from operator import ge
from typing import NamedTuple

from verified_alloc.control.manual_scan import Asked, Look
from verified_alloc.kernel import wiring
from verified_alloc.kernel.healing import RESET_MS
from verified_alloc.kernel.proof_test import Cut
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

WATCHDOG, RESET, STOP, ENABLES = TESTS = (
    "relay watchdog",
    "RESET",
    "emergency stop",
    "enable lines",
)

PASSED, FAILED, NOT_TESTED, NOT_TESTABLE = "passed", "failed", "not tested", "not testable"

IN_A_ROW = 3
"""An expander that does not answer so often has been reset, not disturbed; one that does, stays."""

PERSON_MS = 60_000
"""So long a person is waited for."""

PRESS = "Press the emergency stop, and keep it pressed."
RELEASE = "Release the emergency stop."


class Outcome(NamedTuple):
    """What came of a test."""

    test: str
    verdict: str
    """passed | failed | not tested | not testable"""
    said: str


Test = Generator[Asked, Look, Outcome]


def by_test(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """One for each test: the first that has not passed, if there is one."""
    found: dict[str, Outcome] = {}
    for outcome in outcomes:
        if found.setdefault(outcome.test, outcome).verdict == PASSED:
            found[outcome.test] = outcome
    return list(found.values())


def relay_watchdog(station: Station, pair: Pair) -> Test:
    """Nothing feeds the relay supply's watchdog: the contactor opens, and does not close again
    although its coil is switched on, until the watchdog is fed."""
    return _tested(WATCHDOG, station, pair, lambda _: _unfed(station, pair))


def reset(station: Station, pair: Pair) -> Test:
    """RESET is held low: every expander falls silent, and comes back with nothing set."""
    return _tested(RESET, station, pair, lambda closed: _held_low(station, pair, closed))


def emergency_stop(station: Station, pair: Pair, person: Callable[[str], None]) -> Test:
    """The `person` is told to press it: its input reads low, and the contactor opens although its
    coil is on; to release it: the input reads high."""
    return _tested(STOP, station, pair, lambda _: _pressed(station, pair, person))


def _tested(test: str, station: Station, pair: Pair, body: Callable[[Look], Test]) -> Test:
    """Close the contactor, do that, and bring everything back."""
    closed = yield from _until(Asked(pair), _closing_ms(station), _closed(station, pair))
    if closed is None:
        yield Asked()
        return Outcome(test, NOT_TESTED, f"contactor {_name(pair)} did not close for it")
    outcome = yield from body(closed)
    restored = yield from _until(Asked(configure=True), _falling_ms(station), _back(closed, pair))
    if restored is None and outcome.verdict == PASSED:
        return Outcome(test, FAILED, f"{outcome.said}; then the expanders did not come back")
    return outcome


def _unfed(station: Station, pair: Pair) -> Test:
    starving = Asked(pair, cut=Cut(starve=True, reset=False))
    begun = yield starving
    wait_ms = station.timing.relay_watchdog_ms + _falling_ms(station)
    opened = yield from _until(starving, wait_ms, _opened(station, pair))
    if opened is None:
        return Outcome(
            WATCHDOG,
            FAILED,
            f"contactor {_name(pair)} stays closed, and its expanders set, {wait_ms} ms after the"
            " last edge: the relay watchdog is stuck on",
        )
    after_ms = opened.at_ms - begun.at_ms
    again = Asked(pair, cut=starving.cut, configure=True)
    number, at, coil_was_on = station.contactors.index(pair), _position(station, pair), False

    def closes(look: Look) -> bool:
        nonlocal coil_was_on
        coil_was_on |= look.answered[at] and look.before[number]
        return _closed(station, pair)(look)

    closed = yield from _until(again, _closing_ms(station), closes)
    # Before the supply returns no coil may be on.
    yield from _until(Asked(cut=starving.cut), _closing_ms(station), lambda it: not any(it.coils))
    if closed is not None:
        return Outcome(
            WATCHDOG,
            FAILED,
            f"the expanders were reset {after_ms} ms after the last edge, but contactor"
            f" {_name(pair)} closes again: the relay supply stays on without the watchdog",
        )
    how = "stays open with its coil on" if coil_was_on else "its expanders stay in reset"
    said = f"contactor {_name(pair)} opened {after_ms} ms after the last edge, and {how}"
    return Outcome(WATCHDOG, PASSED, said)


def _held_low(station: Station, pair: Pair, closed: Look) -> Test:
    low = Asked(pair, cut=Cut(starve=False, reset=True))
    begun = yield low
    silent = yield from _until(low, _falling_ms(station), lambda look: not any(look.answered))
    yield Asked()
    back = yield Asked(inspect=True)
    pins = station.hardware
    held = [
        pins.name(expander)
        for expanders in (pins.output_expanders, pins.feedback_expanders)
        for expander, was in zip(expanders, closed.answered, strict=False)
        if was and expander not in back.after_reset
    ]
    if held:
        return Outcome(
            RESET,
            FAILED,
            f"low (BCM {pins.reset_pin}) for {back.at_ms - begun.at_ms} ms, it does not reach"
            f" expanders {', '.join(held)}",
        )
    after_ms = (silent or back).at_ms - begun.at_ms
    return Outcome(
        RESET, PASSED, f"every expander fell silent after {after_ms} ms, and came back blank"
    )


def _pressed(station: Station, pair: Pair, person: Callable[[str], None]) -> Test:
    bcm, opened = station.hardware.estop_pin, _opened(station, pair)
    person(PRESS)
    look = yield Asked(pair)
    until_ms, is_low, is_open = look.at_ms + PERSON_MS, False, False
    while look.at_ms < until_ms and not (is_low and is_open):
        look = yield Asked(pair)
        seen = is_low or is_open
        is_low, is_open = is_low or look.stop_pressed, is_open or opened(look)
        if not seen and (is_low or is_open):  # the other follows at once, or never
            until_ms = look.at_ms + _falling_ms(station)
    person(RELEASE)
    released = yield from _until(Asked(), PERSON_MS, lambda it: not it.stop_pressed)
    if not (is_low or is_open):
        return Outcome(
            STOP,
            FAILED,
            f"neither its input (BCM {bcm}) nor contactor {_name(pair)} has heard of it within"
            f" {PERSON_MS // 1000} s: not pressed, or dead",
        )
    if not is_low:
        said = f"contactor {_name(pair)} opened, but its input (BCM {bcm}) is stuck high"
        return Outcome(STOP, FAILED, said)
    if not is_open:
        said = f"its input reads low, but contactor {_name(pair)} stays closed: the relay supply"
        return Outcome(STOP, FAILED, f"{said} does not hear of it")
    if released is None:
        said = f"its input (BCM {bcm}) still reads low after {PERSON_MS // 1000} s: not released"
        return Outcome(STOP, FAILED, said)
    return Outcome(STOP, PASSED, f"its input read low, contactor {_name(pair)} opened; then high")


def _until(
    asked: Asked, for_ms: int, holds: Callable[[Look], bool]
) -> Generator[Asked, Look, Look | None]:
    """Scan so until that holds, or None if it does not within that time."""
    look = yield asked
    until_ms = look.at_ms + for_ms
    while not holds(look):
        if look.at_ms >= until_ms:
            return None
        look = yield asked
    return look


def _back(before: Look, pair: Pair) -> Callable[[Look], bool]:
    """Whether whatever answered before does so again, the contactor open, and goes on: the relay
    watchdog, which nobody feeds while no expander answers, may have reset them once more."""
    seen = 0

    def holds(look: Look) -> bool:
        nonlocal seen
        back = all(map(ge, look.answered, before.answered)) and pair not in look.glimpsed
        seen = seen + 1 if back else 0
        return seen >= IN_A_ROW

    return holds


def _closed(station: Station, pair: Pair) -> Callable[[Look], bool]:
    """Whether the contactor is seen closed."""
    at = _position(station, pair)
    return lambda look: look.answered[at] and pair in look.closed


def _opened(station: Station, pair: Pair) -> Callable[[Look], bool]:
    """Whether the contactor reads open, or its expanders have been reset."""
    at, missed = _position(station, pair), 0

    def holds(look: Look) -> bool:
        nonlocal missed
        missed = 0 if look.answered[at] else missed + 1
        return missed >= IN_A_ROW or (missed == 0 and pair not in look.glimpsed)

    return holds


def _closing_ms(station: Station) -> int:
    """In so long a contactor is closed, whatever went before."""
    timing = station.timing
    waits_ms = timing.module_discharge_ms + timing.current_decay_ms
    return waits_ms + 5 * timing.contactor_operate_ms + 10 * timing.scan_ms


def _falling_ms(station: Station) -> int:
    """In so long coil supply and RESET have fallen, once they may, and contactors opened: they are
    held for `current_decay_ms` at the least, and that and RESET_MS at the most."""
    timing = station.timing
    held_ms = timing.current_decay_ms + RESET_MS
    return held_ms + 5 * timing.contactor_release_ms + 10 * timing.scan_ms


def _position(station: Station, pair: Pair) -> int:
    return wiring.place(station.contactors.index(pair)).expander


def _name(pair: Pair) -> str:
    return f"{pair[0]}:{pair[1]}"
