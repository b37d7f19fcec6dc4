"""The proof tests that need no person, run by an idle station, and dropped as soon as anybody wants
anything: at any scan the next ordinary one goes on as after a restart."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hardware.contactors import ContactorController
from hardware.modules import PowerModuleController
from hardware.supervision import Supervision
from verified_alloc.control import proof_tests
from verified_alloc.control.manual_scan import Asked, Look, ManualScan
from verified_alloc.control.proof_dates import ProofDates
from verified_alloc.control.proof_tests import (
    FAILED,
    NOT_TESTED,
    PASSED,
    RESET,
    STOP,
    WATCHDOG,
    Outcome,
    Test,
)
from verified_alloc.kernel.deadline import LONG_MS
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

BY_ITSELF: Mapping[str, Callable[[Station, Pair], Test]] = {
    WATCHDOG: proof_tests.relay_watchdog,
    RESET: proof_tests.reset,
}
PERIODIC = (*BY_ITSELF, STOP)
"""The emergency stop's input is tested whenever a person presses and releases it."""

IDLE_MS = 60_000
"""So long nobody has asked for anything before a test begins."""

AGAIN_MS = 600_000
"""A test that came to nothing is tried again after so long."""

H_S = 3600


class ProofTest(NamedTuple):
    """A proof test, for everybody who looks on; times are Unix time, s."""

    test: str
    verdict: str
    """passed | failed | not tested"""
    said: str
    tested_s: float | None
    passed_s: float | None
    due_s: float | None
    """When it is due next; None: not by itself."""
    overdue: bool
    """It has never passed, or not within twice the interval."""


class IdleTests:
    """Those of one station. `unix_s` tells the time of the dates."""

    def __init__(
        self,
        station: Station,
        bank: ContactorController,
        lines: PowerModuleController,
        supervision: Supervision,
        dates: ProofDates,
        report: Callable[[str], None],
        unix_s: Callable[[], float],
    ) -> None:
        self._station = station
        self._wires = (bank, lines, supervision)
        self._bank = bank
        self._dates = dates
        self._report = report
        self._unix_s = unix_s
        self._interval_s = station.timing.proof_test_interval_h * H_S
        self.periodic = self._interval_s > 0
        self._idle_ms: int | None = None
        self._not_before_ms = 0
        self._begun_ms: dict[str, int] = {}
        self._would_not_close: frozenset[Pair] = frozenset()
        self._pressed = False
        self._told: set[str] = set()
        self._test: Test | None = None
        self._pair: Pair
        self._hand: ManualScan
        self._asked: Asked
        self.under_way = ""
        self.states: tuple[ProofTest, ...] = self._states()

    # In place of a scan.

    def look(
        self, now_ms: int, wanted: bool, without: Faults, operations: Mapping[Pair, int]
    ) -> Look | None:
        """A scan of the test that is under way, or begins; None: the station scans as ever, since
        somebody wants it (`wanted`) or nothing is due."""
        if wanted and self._test is not None:
            self._drop(now_ms, "the station is wanted")
        if not wanted and self._test is None and self._may_begin(now_ms):
            self._begin(now_ms, without, operations)
        if self._test is None:
            return None
        look = self._hand.look(self._asked)
        if look.stop_pressed or any(look.lines.reports_on):
            self._drop(now_ms, "emergency stop" if look.stop_pressed else "a module reports on")
            return look
        try:
            self._asked = self._test.send(look)
        except StopIteration as done:
            outcome: Outcome = done.value
            if outcome.verdict == NOT_TESTED:
                self._would_not_close |= {self._pair}
            self._over(now_ms, outcome)
        return look

    def interrupt(self, now_ms: int) -> None:
        """A person has told something: the next scan is an ordinary one."""
        if self._test is not None:
            self._drop(now_ms, "told otherwise")

    # Beside it.

    def see(self, now_ms: int, idle: bool, stop_pressed: bool) -> None:
        """After each ordinary scan: whether nobody would miss what a test takes away."""
        if not idle:
            self._idle_ms = None
        elif self._idle_ms is None:
            self._idle_ms = now_ms
        if self._pressed and not stop_pressed:
            said = "its input read low when it was pressed, and high again"
            self._note(Outcome(STOP, PASSED, said))
        self._pressed = stop_pressed
        self._dates.pass_on_problems()
        self.states = self._states()
        late_h = 2 * self._interval_s // H_S
        overdue = {state.test: state.passed_s for state in self.states if state.overdue}
        for test, passed_s in overdue.items():
            if test not in self._told:
                ago = "never passed" if passed_s is None else f"not passed for {late_h} h"
                self._report(f"WARNING: proof test overdue: {test} has {ago}")
        self._told = set(overdue)

    def next_ms(self, now_ms: int) -> int:
        """When something comes of it by itself."""
        if not self.periodic:
            return now_ms + LONG_MS
        if self._test is not None:
            return now_ms
        now_s = self._unix_s()
        times_s = [state.due_s for state in self.states if state.due_s is not None]
        passed_s = [state.passed_s for state in self.states if state.passed_s is not None]
        times_s += [at_s + 2 * self._interval_s for at_s in passed_s]
        waits_ms = [round((at_s - now_s) * 1000) for at_s in times_s if at_s > now_s]
        if self._idle_ms is not None and self._due():
            waits_ms.append(max(self._idle_ms + IDLE_MS, self._not_before_ms) - now_ms)
        return now_ms + min(waits_ms, default=LONG_MS)

    def _may_begin(self, now_ms: int) -> bool:
        return (
            self._idle_ms is not None
            and now_ms >= max(self._idle_ms + IDLE_MS, self._not_before_ms)
            and bool(self._due())
        )

    def _due(self) -> list[str]:
        now_s = self._unix_s()
        return [
            each.test
            for each in self.states
            if each.test in BY_ITSELF and each.due_s is not None and each.due_s <= now_s
        ]

    def _begin(self, now_ms: int, without: Faults, operations: Mapping[Pair, int]) -> None:
        """The one that was begun longest ago, on the least worn contactor that is in use."""
        sound = [
            pair
            for pair in self._station.contactors
            if pair not in self._would_not_close | without.welded | without.failed_open
            and pair[0] not in without.guns
            and pair[1] not in without.modules
        ]
        if not sound:
            return
        self._pair = pair = min(sound, key=lambda each: operations.get(each, 0))
        self.under_way = min(self._due(), key=lambda test: self._begun_ms.get(test, -1))
        self._begun_ms[self.under_way] = now_ms
        self._test = BY_ITSELF[self.under_way](self._station, pair)
        self._hand = ManualScan(self._station, *self._wires, self._station.timing.scan_ms)
        self._asked = next(self._test)

    def _drop(self, now_ms: int, why: str) -> None:
        self._over(now_ms, Outcome(self.under_way, NOT_TESTED, f"dropped, {why}"))

    def _over(self, now_ms: int, outcome: Outcome) -> None:
        assert self._test is not None
        self._test.close()
        self._test, self.under_way, self._idle_ms = None, "", None
        self._bank.events.clear()  # what the test did to the bus is no news
        if outcome.verdict == NOT_TESTED:
            self._not_before_ms = now_ms + AGAIN_MS
            self._report(f"proof test not done: {outcome.test}: {outcome.said}")
        else:
            self._note(outcome)

    def _note(self, outcome: Outcome) -> None:
        self._dates.note([outcome], self._unix_s())
        self.states = self._states()
        warning = "WARNING: " if outcome.verdict == FAILED else ""
        self._report(f"{warning}proof test {outcome.verdict}: {outcome.test}: {outcome.said}")

    def _states(self) -> tuple[ProofTest, ...]:
        return tuple(map(self._state, proof_tests.TESTS))

    def _state(self, test: str) -> ProofTest:
        tested = self._dates.tested.get(test)
        periodic = self.periodic and test in PERIODIC
        if tested is None:
            due_s = 0.0 if periodic else None
            return ProofTest(test, NOT_TESTED, "", None, None, due_s, overdue=periodic)
        # A date to come is none: the clock was wrong, then or now.
        now_s, passed_s = self._unix_s(), tested.passed_s
        due_s = 0.0 if tested.tested_s > now_s else tested.tested_s + self._interval_s
        late = passed_s is None or not passed_s <= now_s < passed_s + 2 * self._interval_s
        return ProofTest(
            test,
            tested.verdict,
            tested.said,
            tested.tested_s,
            passed_s,
            due_s if periodic else None,
            overdue=periodic and late,
        )
