"""Run a station: its controller on the wires, scan after scan, with demands played to it."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from hardware import clock
from hardware.simulated.charger import SimulatedCharger
from hardware.simulated.faults import Injection
from hardware.simulated.monitor import Event
from verified_alloc.control.assembly import controlled
from verified_alloc.control.controller import Controller
from verified_alloc.control.fault_kinds import describe
from verified_alloc.control.state import State
from verified_alloc.control.trace_player import Player
from verified_alloc.control.wall_clock import is_synchronised
from verified_alloc.decide.allocate import needs_constraints
from verified_alloc.decide.demand import DemandProcessor
from verified_alloc.decide.policies.problem import NO_WEAR
from verified_alloc.decide.policies.process import SolverProcess
from verified_alloc.journal.incident import Incident
from verified_alloc.journal.recorder import Journal
from verified_alloc.process import ended_by_signals
from verified_alloc.run.summary import J_PER_KWH, Summary
from verified_alloc.service.orders import Orders
from verified_alloc.station.model import Station
from verified_alloc.workload.traces import DemandTrace

MS_PER_DAY = 24 * 3600 * 1000
SCANS_TO_BE_OFF = 10
"""From the last offer to contactors seen open, each step takes a scan to show."""


class Run:
    """One run of a station: the loop over scans, and what it leaves to report.

    With a `charger` the station is simulated; without one it is the real wires. In `real_time` a
    solver works beside the scan; where time is only simulated a scan waits for it, so that a run is
    the same each time. Before every scan `orders` are taken, and they see it, as `watch` does;
    `note` hears what is reported. Simulated time jumps, by `longest_skip_ms` at most, while neither
    demands, plant nor ages change: the result is the same as scan by scan.
    """

    def __init__(
        self,
        station: Station,
        charger: SimulatedCharger | None,
        trace: DemandTrace,
        *,
        injections: Sequence[Injection] = (),
        longest_skip_ms: int = MS_PER_DAY,
        real_time: bool = False,
        faults_path: Path | None = None,
        journal: Journal | None = None,
        orders: Orders | None = None,
        watch: Callable[[State], None] = lambda _: None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._station = station
        self._charger = charger
        self._trace = trace
        self._injections = injections
        self._longest_skip_ms = longest_skip_ms
        self._real_time = real_time
        self._faults_path = faults_path
        self._journal = journal
        self._orders = orders
        self._watch = watch
        self._note = note
        self._scans = 0
        self._started_ms = 0
        self._ended = False
        self._reported: list[str] = []
        self._waiting_since_ms: dict[int, int] = {}
        self._longest_to_power_ms = 0

    def end(self) -> None:
        """Finish after the present scan: modules off, then contactors open."""
        self._ended = True

    def play(self, until_ms: int | None) -> Summary:
        """Run for so long (None: until told to `end`), then take everything off."""
        charger = self._charger
        demands = DemandProcessor(self._station)
        with ExitStack() as stack:
            if charger is not None:
                stack.enter_context(charger.installed())
            stack.enter_context(ended_by_signals(self.end))
            if self._journal is not None:
                stack.callback(self._journal.close)
            solve = disk = None
            if self._real_time:
                disk = stack.enter_context(ThreadPoolExecutor(1, "fault file"))
                solve = stack.enter_context(SolverProcess(needs_constraints(self._station)))
            controller = stack.enter_context(
                controlled(
                    self._station,
                    demands,
                    _nobody_to_tell if charger is None else charger.tell,
                    self._report,
                    time.time if charger is None else _virtual_unix_s(),
                    self._faults_path,
                    self._station.hardware.watchdog_device if charger is None else "",
                    solve,
                    NO_WEAR if self._journal is None else self._journal.operations,
                    disk,
                    is_synchronised if charger is None else lambda: True,
                )
            )
            if self._orders is not None and disk is not None and self._faults_path is not None:
                self._orders.remember(self._faults_path, self._report, disk)
            self._started_ms = _now_ms()
            if self._journal is not None:
                self._journal.begin(self._started_ms, self._report)
            self._inject()
            player = Player(
                self._trace,
                demands,
                self._station.gun_max_w,
                _nobody_to_tell if charger is None else charger.cabinet.vehicle,
                self._started_ms,
            )
            end_ms = None if until_ms is None else self._started_ms + until_ms
            due_ms, scans = self._scan_until(controller, player, end_ms)
            ended_ms = _now_ms() if self._ended or end_ms is None else end_ms
            clock.sleep_s(ended_ms / 1000 - clock.now_s())
            player.play(ended_ms)
            summary = self._summary(controller, player)
            self._take_off(controller, player, due_ms, scans)
            if charger is not None:
                _judged(summary, charger, self._started_ms)
                if self._journal is not None:
                    self._journal.incidents("exposure", summary.exposures)
                    self._journal.incidents("violation", summary.violations)
        return summary

    def _inject(self) -> None:
        for injection in self._injections:
            assert self._charger is not None
            self._charger.inject(
                replace(injection, at_us=injection.at_us + self._started_ms * 1000)
            )

    def _scan_until(
        self, controller: Controller, player: Player, end_ms: int | None
    ) -> tuple[int, int]:
        """Scan on a fixed grid; when the next scan is due, and how many it then stands for."""
        scan_ms = self._station.timing.scan_ms
        due_ms, scans = self._started_ms, 1
        while not self._ended and (end_ms is None or due_ms < end_ms):
            clock.sleep_s(due_ms / 1000 - clock.now_s())
            player.play(due_ms)
            state = self._scan(controller, player, due_ms, scans)
            self._scans += 1
            self._note_time_to_power(state)
            due_ms += scan_ms
            while due_ms < _now_ms():
                due_ms += scan_ms
            skipped = self._quiet_scans(state, player, due_ms, end_ms)
            due_ms += skipped * scan_ms
            scans = 1 + skipped
        return due_ms, scans

    def _scan(
        self, controller: Controller, player: Player, due_ms: int, scans: int, ending: bool = False
    ) -> State:
        """Take orders, scan, and let everybody see it."""
        if self._orders is not None:
            charger = self._charger
            late_s = clock.now_s() - due_ms / 1000 if charger is None else charger.time.late_s()
            self._orders.serve(controller, player, max(0.0, late_s), ending)
        state = controller.scan(scans)
        if self._orders is not None:
            self._orders.watch(state)
        self._show(state)
        return state

    def _quiet_scans(self, state: State, player: Player, due_ms: int, end_ms: int | None) -> int:
        """How many scans from `due_ms` on would find what this one found: the controller waits for
        no age, the trace is silent, nothing in the plant moves by itself. The watchdog is petted
        and offers are renewed in their stead."""
        charger = self._charger
        if charger is None or charger.moved_since_ms(state.at_ms):
            return 0
        scan_ms = self._station.timing.scan_ms
        times = [state.quiet_until_ms, player.next_ms(), charger.next_event_ms(), end_ms]
        times.append(due_ms + self._longest_skip_ms)
        skipped = (min(time for time in times if time is not None) - due_ms) // scan_ms
        if skipped <= 0:
            return 0
        charger.keep_alive(
            due_ms + skipped * scan_ms, state.offer_w, self._station.timing.offer_lead_ms
        )
        return skipped

    def _take_off(self, controller: Controller, player: Player, due_ms: int, scans: int) -> None:
        """Scan on until everything is off and open, for as long as that may take."""
        controller.stop()
        timing = self._station.timing
        bounded_ms = (
            3 * timing.offer_lead_ms
            + timing.module_off_timeout_ms
            + timing.current_decay_ms
            + SCANS_TO_BE_OFF * timing.scan_ms
        )
        for at_ms in range(due_ms, due_ms + bounded_ms, timing.scan_ms):
            clock.sleep_s(at_ms / 1000 - clock.now_s())
            state = self._scan(controller, player, at_ms, scans, ending=True)
            scans = 1
            if state.idle:
                return
        closed = [
            f"{gun}:{module}"
            for gun, modules in enumerate(state.connected, start=1)
            for module in modules
        ]
        self._report(
            f"ended with contactors not seen open (or not answering): {', '.join(closed) or 'none'}"
        )

    def _note_time_to_power(self, state: State) -> None:
        for gun, granted_w in state.allocation.delivered_w.items():
            live_w = sum(self._station.module_power_w[m - 1] for m in state.live[gun - 1])
            if min(live_w, state.offer_w[gun - 1]) >= granted_w:
                since_ms = self._waiting_since_ms.pop(gun, state.at_ms)
                self._longest_to_power_ms = max(self._longest_to_power_ms, state.at_ms - since_ms)
            else:
                self._waiting_since_ms.setdefault(gun, state.at_ms)

    def _show(self, state: State) -> None:
        self._watch(state)
        if self._journal is not None:
            self._journal.watch(state)

    def _report(self, sentence: str) -> None:
        if self._journal is not None:
            self._journal.report(_now_ms(), sentence)
        line = f"{clock.now_s() - self._started_ms / 1000:.3f} s: {sentence}"
        self._reported.append(line)
        if self._orders is not None:
            self._orders.note(sentence)
        self._note(line)

    def _summary(self, controller: Controller, player: Player) -> Summary:
        summary = Summary(
            duration_s=clock.now_s() - self._started_ms / 1000,
            scans=self._scans,
            longest_to_power_s=self._longest_to_power_ms / 1000,
            faults=describe(self._station, controller.faults.latched),
            reported=self._reported,
            faults_injected=[injection.text for injection in self._injections],
        )
        if self._charger is not None:
            for gun, asked_mj in enumerate(player.asked_mj, start=1):
                delivered_j = self._charger.cabinet.energy_wus(gun) / 1e6
                summary.energy_kwh[gun] = delivered_j / J_PER_KWH
                summary.unmet_kwh[gun] = (asked_mj / 1e3 - delivered_j) / J_PER_KWH
        return summary


def _judged(summary: Summary, charger: SimulatedCharger, started_ms: int) -> None:
    """Add what the cabinet's monitor saw, to the very end."""
    charger.monitor.settle()
    seen = charger.monitor.counts()
    summary.operations = {
        f"{gun}:{module}": seen.makes.get((gun, module), 0) + seen.breaks.get((gun, module), 0)
        for gun, module in sorted(seen.makes.keys() | seen.breaks.keys())
    }
    summary.exposures = [_incident(event, started_ms) for event in charger.monitor.exposures]
    summary.violations = [_incident(event, started_ms) for event in charger.monitor.violations]


def _incident(event: Event, started_ms: int) -> Incident:
    return Incident(
        at_s=event.at_s - started_ms / 1000,
        rule=event.rule,
        gun=event.gun,
        module=event.module,
        current_a=event.current_a,
        duration_ms=event.duration_ms,
        cause=event.cause,
        text=event.text,
    )


def _virtual_unix_s() -> Callable[[], float]:
    """Simulated time, counted from the real time of now."""
    began_s = time.time() - clock.now_s()
    return lambda: began_s + clock.now_s()


def _nobody_to_tell(*_: int) -> None:
    """No simulated gun listens; real ones are told by the service."""


def _now_ms() -> int:
    return round(clock.now_s() * 1000)
