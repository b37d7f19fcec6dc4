"""The walk of a technician: each expander, contactor and enable line, one at a time.

What may switch is decided by the acts that run in the charger (`control.manual_scan`); the walk
only chooses the one contactor that is wanted. So one contactor of a module is closed at most, none
is moved under load, and a module is enabled only on one contactor that was found good. Between two
scans the contact under test is looked at as often as the bus allows. In the end come the proof
tests of the safety chain, on contactors that were found good, too.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from hardware import DeviceLost, clock
from hardware.contactors import ContactorController
from hardware.modules import LineReading, PowerModuleController
from hardware.supervision import Supervision
from verified_alloc.commission.results import (
    CYCLES,
    ContactorResult,
    ExpanderResult,
    ModuleResult,
    Results,
    of_enable_lines,
)
from verified_alloc.control import proof_tests
from verified_alloc.control.manual_scan import NOTHING_CUT, Asked, Look, ManualScan
from verified_alloc.control.proof_tests import Outcome, Test
from verified_alloc.kernel import wiring
from verified_alloc.kernel.proof_test import Cut
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Expander, Pair

SCANS_A_LOOK = 3
"""The walk scans so much less often than a station that works, to look in between."""

PATIENCE = 5
"""A contact that has not moved after so many times its time will not."""

SURVEY = 20
"""Scans before the first coil is touched."""

STABLE_S = 0.010
"""A contact that has not bounced for so long is settled."""


class Motion(NamedTuple):
    """How long a contact or a status took after its command, ms."""

    at_least_ms: float
    at_most_ms: float


class Walk:
    """Walks this station's wires, its own. `watch(done, of, what)` hears where it is, `person` what
    only a person can do.

    Raises DeviceLost where it cannot start, or must stop: a module reports on, the emergency
    stop is pressed, a line fails.
    """

    def __init__(
        self,
        station: Station,
        bank: ContactorController,
        lines: PowerModuleController,
        supervision: Supervision,
        watch: Callable[[int, int, str], None] = lambda *_: None,
        person: Callable[[str], None] | None = None,
    ) -> None:
        self.station = station
        self._bank = bank
        self._lines = lines
        self._supervision = supervision
        self._watch = watch
        self._person = person
        self._period_ms = SCANS_A_LOOK * station.timing.scan_ms
        self._hand = ManualScan(station, bank, lines, supervision, self._period_ms)
        self._due_ms = 0
        self._on_test: int | None = None  # the module that may report on
        self._unsteady: frozenset[Pair] = frozenset()
        self._closed_at_rest: frozenset[Pair] = frozenset()
        self._ended = False

    def end(self) -> None:
        """Walk no further than the present part."""
        self._ended = True

    def walk(self, contactors_only: bool = False) -> Results | None:
        """Everything, one at a time; modules off and contactors open afterwards. None: it was told
        to `end` before."""
        self._start()
        self._survey()
        pairs = self.station.contactors
        modules = [] if contactors_only else [module.id for module in self.station.modules]
        of = len(pairs) + len(modules) + 1
        expanders = self._expanders()
        contactors = []
        for number, pair in enumerate(pairs):
            self._watch(number, of, f"contactor {pair[0]}:{pair[1]}")
            contactors.append(self._contactor(number))
            if self._ended:
                return None
        good = {result.pair for result in contactors if result.verdict == "good"}
        found = []
        for done, module in enumerate(modules, start=len(pairs)):
            self._watch(done, of, f"module {module}")
            if self._on_test is None:
                found.append(self._module(module, good))
                if self._ended:
                    return None
            else:
                result = self._nothing_of(module)
                found.append(result.not_tested(f"module {self._on_test} did not switch off"))
        in_service = self._bank.in_service()
        for expander, seen in expanders.items():
            if seen.verdict == "good" and not in_service[expander]:
                seen.verdict = "lost"
        self._watch(of - 1, of, "safety chain")
        outcomes = [*self._safety_chain(good), of_enable_lines(found)]
        if self._ended:
            return None
        self._watch(of, of, "done")
        return Results(list(expanders.values()), contactors, found, outcomes)

    def _start(self) -> None:
        """Refuse what must not be walked; then take the expanders, with everything off."""
        reporting = self._hand.wires.wait_until_off(
            self.station.kernel_timing, self.station.timing.scan_ms
        )
        for module, on in enumerate(reporting, start=1):
            if on:
                raise DeviceLost(
                    f"module {module} reports on: a walk starts only with every module off"
                )
        self._check_stop()
        self._supervision.reset(False)
        self._bank.start()
        self._due_ms = _now_ms()

    def _check_stop(self) -> None:
        if self._supervision.stopped:
            raise DeviceLost("the emergency stop is pressed, or its wire is broken")

    # One scan, with one contactor wanted.

    def _scan(
        self, wanted: Pair | None = None, enable: bool = False, cut: Cut = NOTHING_CUT
    ) -> Look:
        look = self._look(Asked(wanted, enable, cut))
        self._check_stop()
        return look

    def _look(self, asked: Asked) -> Look:
        clock.sleep_s(self._due_ms / 1000 - clock.now_s())
        self._due_ms = _now_ms() + self._period_ms
        look = self._hand.look(asked)
        self._check_modules(look.lines)
        return look

    def _check_modules(self, lines: LineReading) -> None:
        if self._on_test is None:
            for module, on in enumerate(lines.reports_on, start=1):
                if on:
                    raise DeviceLost(f"module {module} reports on although its enable is low")

    # Expanders.

    def _expanders(self) -> dict[Expander, ExpanderResult]:
        pins = self.station.hardware
        in_service = self._bank.in_service()
        drives = dict.fromkeys(pins.output_expanders, "coils")
        drives |= dict.fromkeys(pins.feedback_expanders, "contacts")
        found = {
            each: (kind, "good" if in_service[each] else "no answer")
            for each, kind in drives.items()
            if each in in_service
        }
        found |= {
            Expander(*each): ("nothing", "unknown")
            for each in sorted(self._bank.answering() - drives.keys())
        }
        return {each: ExpanderResult(pins.name(each), *about) for each, about in found.items()}

    # Contactors.

    def _survey(self) -> None:
        """Which contacts show no coil's deed: those that read closed with every coil off, and
        those that do not read the same for long."""
        looks = [self._scan() for _ in range(SURVEY)]
        settled = looks[SURVEY // 2 :]  # what was closed before the start has opened
        self._closed_at_rest = frozenset.intersection(*(seen.closed for seen in settled))
        glimpsed = frozenset.union(*(seen.glimpsed for seen in settled))
        self._unsteady = glimpsed - self._closed_at_rest

    def _contactor(self, number: int) -> ContactorResult:
        pair = self.station.contactors[number]
        at = wiring.place(number)
        pins = self.station.hardware
        result = ContactorResult(
            pair,
            pins.output_name(at.expander),
            pins.feedback_name(at.expander),
            at.bit,
        )
        resting = self._rest()
        reason = self._in_the_way(pair, resting)
        if pair in self._unsteady:
            result.verdict = "chatters"
        elif pair in self._closed_at_rest:
            result.verdict = "reads closed"
        elif reason:
            result.not_tested(reason)
        if result.verdict:
            return result
        for _ in range(CYCLES):
            closing = self._until_written(number, pair, True)
            if closing is None:
                return result.not_tested("the rules do not let it close")
            operated = self._motion(number, pair, True, closing)
            after = self._scan(pair)
            result.moved |= (after.closed ^ resting.closed) - {pair} - self._unsteady
            opening = self._until_written(number, None, False)
            if opening is None:
                return result.not_tested("the rules opened it again")
            released = self._motion(number, None, False, opening)
            if operated is None:
                result.verdict = "crossed" if result.moved else "does not close"
                return result
            result.operate_ms.append(operated.at_most_ms)
            if released is None:
                self._closed_at_rest |= {pair}
                result.verdict = "does not open"
                return result
            result.release_ms.append(released.at_most_ms)
            result.slow |= (
                operated.at_least_ms > self.station.timing.contactor_operate_ms
                or released.at_least_ms > self.station.timing.contactor_release_ms
            )
        quickest_ms = min(result.operate_ms + result.release_ms)
        if result.moved:
            result.verdict = "moves others"
        elif result.slow:
            result.verdict = "slow"
        elif quickest_ms < self.station.timing.contactor_min_response_ms:
            result.verdict = "too quick"
        else:
            result.verdict = "good"
        return result

    def _in_the_way(self, pair: Pair, seen: Look) -> str:
        """Why the rules will not let it close, if they will not."""
        module = pair[1]
        if not all(seen.answered[at] for at in self.station.built.carriers[module - 1]):
            return f"an expander of module {module} does not answer"
        open_not = sorted(self._closed_at_rest | self._unsteady | seen.closed)
        names = ", ".join(f"{g}:{m}" for g, m in open_not if m == module and (g, m) != pair)
        if names:
            return f"{names} of the same module is not seen open"
        return f"gun {pair[0]} reads joined to another gun" if seen.locked[pair[0] - 1] else ""

    def _rest(self) -> Look:
        """Wait, for a bounded time, until no coil is on and every contact had time to open."""
        seen = self._scan()
        until_ms = _now_ms() + PATIENCE * self.station.timing.contactor_release_ms
        while (any(seen.coils) or seen.closed - self._closed_at_rest) and _now_ms() < until_ms:
            seen = self._scan()
        return seen

    def _until_written(self, number: int, wanted: Pair | None, on: bool) -> Look | None:
        """Scan until the coil is written so; None if that is not allowed within the times that the
        rules wait for."""
        timing = self.station.timing
        wait_ms = timing.module_discharge_ms + timing.current_decay_ms
        until_ms = _now_ms() + wait_ms + PATIENCE * self._period_ms
        while _now_ms() < until_ms:
            seen = self._scan(wanted)
            if seen.coils[number] == on:
                return seen if seen.before[number] != on else None
        return None

    def _motion(
        self, number: int, wanted: Pair | None, closed: bool, command: Look
    ) -> Motion | None:
        """Watch the contact until it has settled as commanded; None if it does not."""
        timing = self.station.timing
        limit_ms = timing.contactor_operate_ms if closed else timing.contactor_release_ms
        begun_s, ended_s = command.written_s
        until_s = ended_s + PATIENCE * limit_ms / 1000
        last_not_s, since_s = ended_s, None
        while clock.now_s() < until_s:
            while clock.now_s() * 1000 < self._due_ms - 1:
                looked_s = clock.now_s()
                if self._hand.wires.contact(number) != closed:
                    last_not_s, since_s = looked_s, None
                elif since_s is None:
                    since_s = clock.now_s()
                elif looked_s - since_s > STABLE_S:
                    break
            looked_s = clock.now_s()
            seen = self._scan(wanted)
            if (self.station.contactors[number] in seen.closed) != closed:
                last_not_s, since_s = looked_s, None
            elif since_s is None:
                since_s = clock.now_s()
            else:
                return Motion(
                    at_least_ms=max(0.0, (last_not_s - ended_s) * 1000),
                    at_most_ms=round((since_s - begun_s) * 1000, 1),
                )
        return None

    # Modules.

    def _module(self, module: int, good: set[Pair]) -> ModuleResult:
        result = self._nothing_of(module)
        pair = next((p for p in self.station.contactors if p[1] == module and p in good), None)
        if result.status_bcm is None:
            return result.not_tested("no status input is wired")
        if pair is None:
            return result.not_tested("no good contactor")
        self._rest()
        number = self.station.contactors.index(pair)
        closing = self._until_written(number, pair, True)
        if closing is None or self._motion(number, pair, True, closing) is None:
            return result.not_tested(f"its contactor {pair[0]}:{module} did not close again")
        self._on_test = module
        result.on_ms = self._reports(module, pair, True, result.others)
        result.off_ms = self._reports(module, pair, False, result.others)
        result.cut_testable = self._outlives(result)
        if result.cut_testable and self._reports(module, pair, True, result.others) is not None:
            result.cut_ms = self._cut(module, pair)
            self._reports(module, pair, False, result.others)
        if not self._all_off(pair):  # its contactor must not open under load
            result.verdict = "does not switch off"
            return result
        self._on_test = None
        self._until_written(number, None, False)
        self._rest()
        if result.others:
            result.verdict = "crossed"
        elif result.on_ms is None:
            result.verdict = "does not report on"
        elif result.cut_testable and result.cut_ms is None:
            result.verdict = "is not cut"
        else:
            result.verdict = "good"
        return result

    def _outlives(self, result: ModuleResult) -> bool:
        """The coil supply is held for long enough to see the watchdog cut this enable."""
        timing = self.station.timing
        if result.on_ms is None or result.off_ms is None or result.others:
            return False
        seen_ms = timing.relay_watchdog_ms + result.off_ms + self._period_ms
        return seen_ms <= timing.current_decay_ms

    def _cut(self, module: int, pair: Pair) -> float | None:
        """Leave the relay watchdog unfed while the module is on, for as long as the coil supply is
        held; ms until its status fell, its enable high, or None if it did not."""
        fed_s = clock.now_s()
        while self._scan(pair, enable=True, cut=Cut(starve=True, reset=False)).cut.starve:
            while clock.now_s() * 1000 < self._due_ms - 1:
                if not self._lines.read().reports_on[module - 1]:
                    return round((clock.now_s() - fed_s) * 1000, 1)
                clock.sleep_s(0.001)
        return None

    def _reports(self, module: int, pair: Pair, on: bool, others: set[int]) -> float | None:
        """Enable (or disable) the module and wait for its status; ms, or None if it does not
        come. Notes which others report on."""
        commanded_s: float | None = None
        timing = self.station.timing
        until_ms = _now_ms() + timing.module_discharge_ms + timing.module_off_timeout_ms
        while _now_ms() < until_ms:
            self._scan(pair, enable=on)
            lines = self._lines.read()
            if lines.high[module - 1] != on:
                continue
            if commanded_s is None:
                commanded_s = clock.now_s()
                until_ms = _now_ms() + timing.module_off_timeout_ms
            while clock.now_s() * 1000 < self._due_ms - 1:
                lines = self._lines.read()
                others |= {m for m, up in enumerate(lines.reports_on, 1) if up and m != module}
                if lines.reports_on[module - 1] == on:
                    return round((clock.now_s() - commanded_s) * 1000, 1)
                if on and others:
                    return None
                clock.sleep_s(0.001)
        return None

    def _all_off(self, pair: Pair) -> bool:
        """Scan on until no module reports on, for a bounded time; whether none does."""
        until_ms = _now_ms() + self.station.timing.module_off_timeout_ms
        while any(self._scan(pair).lines.reports_on):
            if _now_ms() > until_ms:
                return False
        return True

    # The safety chain.

    def _safety_chain(self, good: set[Pair]) -> Iterator[Outcome]:
        """Relay watchdog, on a contactor of each expander; RESET and emergency stop on one."""
        of_expander: dict[int, Pair] = {}
        for number, pair in enumerate(self.station.contactors):
            if pair in good:
                of_expander.setdefault(wiring.place(number).expander, pair)
        why = "no good contactor" if self._on_test is None else f"module {self._on_test} is on"
        if not of_expander or self._on_test is not None:
            tests = (proof_tests.WATCHDOG, proof_tests.RESET, proof_tests.STOP)
            yield from (Outcome(test, proof_tests.NOT_TESTED, why) for test in tests)
            return
        one = next(iter(of_expander.values()))
        for pair in of_expander.values():
            yield self._run(proof_tests.relay_watchdog(self.station, pair))
        yield self._run(proof_tests.reset(self.station, one))
        if self._person is None:
            why = "nobody was asked: no terminal"
            yield Outcome(proof_tests.STOP, proof_tests.NOT_TESTED, why)
        else:
            test = proof_tests.emergency_stop(self.station, one, self._person)
            yield self._run(test, stop=True)

    def _run(self, test: Test, stop: bool = False) -> Outcome:
        """To its end, or until the walk is told to end; `stop`: the emergency stop may be pressed
        meanwhile."""
        self._rest()
        asked = next(test)
        while not self._ended:
            look = self._look(asked)
            if not stop:
                self._check_stop()
            try:
                asked = test.send(look)
            except StopIteration as done:
                outcome = cast(Outcome, done.value)
                if outcome.verdict == proof_tests.NOT_TESTED:  # and was found good
                    outcome = outcome._replace(verdict=proof_tests.FAILED)
                return outcome
        for _ in range(PATIENCE):  # its coil goes off
            self._look(Asked())
        return Outcome("", proof_tests.NOT_TESTED, "the walk was ended")

    def _nothing_of(self, module: int) -> ModuleResult:
        pins = self.station.hardware
        status_bcm = pins.status_pins[module - 1] if pins.status_pins else None
        return ModuleResult(module, pins.enable_pins[module - 1], status_bcm)


def _now_ms() -> int:
    return round(clock.now_s() * 1000)
