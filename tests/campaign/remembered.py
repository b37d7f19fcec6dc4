"""What a campaign asks the kernel millions of times, asked once: its functions are pure."""

from collections.abc import Callable, Hashable, Sequence
from itertools import chain
from typing import Any

from verified_alloc.kernel import diagnosis, offer, switching, wiring
from verified_alloc.kernel.diagnosis import Ages, ContactorFaults, ModuleFaults, Readings, Timing
from verified_alloc.kernel.ops import BoolMatrix

Question = tuple[Hashable, ...]
Key = Callable[..., Question]
Bools = Sequence[bool]


def _told(of: Readings | Ages) -> Question:
    return (*of[:3], *of[3], *of[4], *of[5])


def _live(readings: Readings) -> Question:
    return _told(readings)


def _step(
    timing: Timing,
    readings: Readings,
    ages: Ages,
    target: Bools,
    locked: Bools,
    stop: bool,
    overdue: bool,
) -> Question:
    return (timing, *_told(readings), *_told(ages), *target, *locked, stop, overdue)


def _ages(
    timing: Timing, readings: Readings, before: Ages, elapsed_ms: int, scans: int
) -> Question:
    return (timing, *_told(readings), *_told(before), elapsed_ms, scans)


def _contactor_faults(
    timing: Timing, readings: Readings, ages: Ages, before: ContactorFaults
) -> Question:
    welded, failed_open = before
    return (timing, *_told(readings), *_told(ages), *welded, *failed_open)


def _module_faults(timing: Timing, ages: Ages, closed: Bools, before: ModuleFaults) -> Question:
    return (timing, ages.stuck_ms, ages.silent_ms, *closed, before.dead, *before.stuck_on)


def _contacts(readings: Readings, these: Bools, those: Bools) -> Question:
    return (*_told(readings), *these, *those)


def _affordable(
    grant_w: int, live: Bools, target: Bools, module_power_w: Sequence[int], barred: bool
) -> Question:
    return (grant_w, *live, *target, *module_power_w, barred)


def _hold(
    live: BoolMatrix, target: BoolMatrix, promise_w: Sequence[int], module_power_w: Sequence[int]
) -> Question:
    rows = chain.from_iterable
    return (len(live), *rows(live), *rows(target), *promise_w, *module_power_w)


def _valid(answered: Bools, carriers: Sequence[int]) -> Question:
    return (len(carriers), *carriers, *answered)


def _next_coils(may_switch: Bools, wanted: Bools, verified: Bools) -> Question:
    return (*may_switch, *wanted, *verified)


ASKED: dict[tuple[Any, str], Key] = {
    (switching, "live"): _live,
    (switching, "step"): _step,
    (diagnosis, "ages"): _ages,
    (diagnosis, "contactor_faults"): _contactor_faults,
    (diagnosis, "module_faults"): _module_faults,
    (diagnosis, "contacts_seen"): _contacts,
    (diagnosis, "counts_closed"): _contacts,
    (offer, "affordable"): _affordable,
    (offer, "hold"): _hold,
    (wiring, "valid"): _valid,
    (wiring, "next_coils"): _next_coils,
}
"""By function, all that its answer depends on; the algebra is always Python's."""
MOST = 100_000
"""Answers of one function; more are not kept."""


def remembered(function: Callable[..., Any], key: Key) -> Callable[..., Any]:
    """The same function, asked each question once."""
    known: dict[Question, Any] = {}

    def answer(ops: Any, *args: Any) -> Any:
        question = key(*args)
        told = known.get(question)
        if told is None:
            if len(known) == MOST:
                known.clear()
            told = known[question] = function(ops, *args)
        return told

    return answer


def remember() -> None:
    """From now on, in this process."""
    for (module, name), key in ASKED.items():
        setattr(module, name, remembered(getattr(module, name), key))
