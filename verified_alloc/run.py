"""Run a station: play demands into its controller, scan after scan, and sum up what happened."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from hardware import clock
from hardware.contactors import ContactorController
from hardware.modules import PowerModuleController
from hardware.simulated.cabinet import PlantTiming
from hardware.simulated.charger import SimulatedCharger
from hardware.simulated.faults import Injection
from hardware.supervision import Supervision
from verified_alloc.compare.traces import DemandTrace
from verified_alloc.controller import Controller, State
from verified_alloc.demand import DemandProcessor
from verified_alloc.journal import FaultLatch
from verified_alloc.station import Station

J_PER_KWH = 3_600_000


@dataclass
class Summary:
    """What one run did, as its cabinet saw it; energies in kWh."""

    simulated_s: float
    energy_kwh: dict[int, float]
    """By gun."""
    unmet_kwh: dict[int, float]
    """By gun: what it asked for, up to its maximum, and was not delivered."""
    operations: dict[str, int]
    """By contactor, makes and breaks; only those that moved."""
    longest_to_power_s: float
    """From a demand's change to the power that it was granted."""
    faults_injected: list[str]
    reported: list[str]
    """What the controller reported, with its time."""
    exposures: list[str]
    violations: list[str]
    scans: int
    i2c_transactions: int

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON-ready values."""
        return asdict(self)


@contextmanager
def controlled(
    station: Station,
    demands: DemandProcessor,
    publish: Callable[[int, int, int], None],
    report: Callable[[str], None],
    faults_path: Path | None = None,
) -> Iterator[Controller]:
    """A controller on whatever the seams lead to, started. Its enable lines are low afterwards."""
    pins = station.hardware
    with ExitStack() as stack:
        lines = PowerModuleController(pins.enable_pins, pins.status_pins)
        stack.callback(lines.close)
        supervision = Supervision(pins.reset_pin, pins.watchdog_pin, pins.estop_pin)
        stack.callback(supervision.close)
        bank = ContactorController(
            station.contactors,
            pins.output_expanders,
            pins.feedback_expanders,
            pins.i2c_bus,
        )
        bank.open()
        stack.callback(bank.close)
        controller = Controller(
            station,
            bank,
            lines,
            supervision,
            demands,
            FaultLatch(faults_path),
            publish,
            report,
        )
        controller.start()
        yield controller


def simulated_charger(
    station: Station, speed: float | None = None, seed: int = 0
) -> SimulatedCharger:
    """A charger as the station file describes it, on a bench in software."""
    timing = station.timing
    return SimulatedCharger(
        gun_max_w=[gun.max_power_w for gun in station.guns],
        module_power_w=[module.power_w for module in station.modules],
        contactors=station.contactors,
        timing=PlantTiming(
            operate_ms=timing.contactor_operate_ms,
            release_ms=timing.contactor_release_ms,
            min_response_ms=timing.contactor_min_response_ms,
            current_decay_ms=timing.current_decay_ms,
            module_discharge_ms=timing.module_discharge_ms,
            vehicle_response_ms=timing.offer_lead_ms // 2,
            off_delay_ms=timing.current_decay_ms + 100,
            watchdog_ms=max(100, 5 * timing.scan_ms),
        ),
        fault_reaction_ms=timing.fault_reaction_ms,
        output_expanders=station.hardware.output_expanders,
        feedback_expanders=station.hardware.feedback_expanders,
        enable_pins=station.hardware.enable_pins,
        status_pins=station.hardware.status_pins,
        reset_pin=station.hardware.reset_pin,
        watchdog_pin=station.hardware.watchdog_pin,
        estop_pin=station.hardware.estop_pin,
        speed=speed,
        seed=seed,
    )


@dataclass
class Player:
    """Feeds a trace to the demand processor and to the simulated vehicles, and keeps it fresh."""

    trace: DemandTrace
    demands: DemandProcessor
    charger: SimulatedCharger
    gun_max_w: Sequence[int]
    start_ms: int = 0
    position: int = 0
    asked_mj: list[int] = field(default_factory=list)
    """By gun, W x ms asked for so far."""

    def __post_init__(self) -> None:
        self.demand_w = [0] * len(self.gun_max_w)
        self.asked_mj = [0] * len(self.gun_max_w)
        self.played_ms = self.start_ms

    def play(self, now_ms: int) -> None:
        """Bring all demands to what the trace says now."""
        changes = self.trace.changes
        while self.position < len(changes):
            change = changes[self.position]
            if self.start_ms + change.time_ms > now_ms:
                break
            self._ask_until(self.start_ms + change.time_ms)
            self.demand_w[change.gun - 1] = change.demand_w
            self.charger.cabinet.vehicle(change.gun, change.demand_w)
            self.position += 1
        self._ask_until(now_ms)
        for gun, demand_w in enumerate(self.demand_w, start=1):
            self.demands.set_w(gun, demand_w, now_ms)

    def next_ms(self) -> int | None:
        """When the trace says something new."""
        if self.position == len(self.trace.changes):
            return None
        return self.start_ms + self.trace.changes[self.position].time_ms

    def _ask_until(self, now_ms: int) -> None:
        for gun, (demand_w, limit_w) in enumerate(zip(self.demand_w, self.gun_max_w, strict=True)):
            self.asked_mj[gun] += min(demand_w, limit_w) * (now_ms - self.played_ms)
        self.played_ms = now_ms


class Run:
    """One simulated run of a station: the loop over scans, and what it leaves to report."""

    def __init__(
        self,
        station: Station,
        charger: SimulatedCharger,
        trace: DemandTrace,
        *,
        injections: Sequence[Injection] = (),
        skip_quiet_time: bool = True,
        watch: Callable[[State], None] = lambda _: None,
    ) -> None:
        self._station = station
        self._charger = charger
        self._demands = DemandProcessor(station)
        self._limits_w = [gun.max_power_w for gun in station.guns]
        self._player = Player(trace, self._demands, charger, self._limits_w)
        self._injected = injections
        self._skip_quiet_time = skip_quiet_time
        self._watch = watch
        self._scans = 0
        self._reported: list[str] = []
        self._waiting_since_ms: dict[int, int] = {}
        self._longest_to_power_ms = 0
        self._ended = False

    def end(self) -> None:
        """Finish after the present scan: modules off, then contactors open."""
        self._ended = True

    def play(self, until_ms: int) -> Summary:
        """Run for so long, then take everything off."""
        with (
            self._charger.installed(),
            controlled(
                self._station, self._demands, self._charger.tell, self._report
            ) as controller,
            _ended_by_signals(self.end),
        ):
            self._player.start_ms = self._player.played_ms = started_ms = _now_ms()
            for injection in self._injected:
                self._charger.cabinet.inject(
                    replace(injection, at_us=injection.at_us + started_ms * 1000)
                )
            due_ms = self._scan_until(controller, started_ms, started_ms + until_ms)
            ended_ms = _now_ms() if self._ended else started_ms + until_ms
            clock.sleep_s(ended_ms / 1000 - clock.now_s())
            self._player.play(ended_ms)
            energy_wus = [self._charger.cabinet.energy_wus(gun.id) for gun in self._station.guns]
            self._take_off(controller, due_ms)
        return self._summary(started_ms, energy_wus)

    def _scan_until(self, controller: Controller, due_ms: int, end_ms: int) -> int:
        """Scan on a fixed grid; when the next scan is due."""
        scan_ms = self._station.timing.scan_ms
        scans = 1
        while due_ms < end_ms and not self._ended:
            clock.sleep_s(due_ms / 1000 - clock.now_s())
            self._player.play(due_ms)
            state = controller.scan(scans)
            self._scans += 1
            self._note_time_to_power(state)
            self._watch(state)
            last_ms, due_ms = due_ms, due_ms + scan_ms
            while due_ms < _now_ms():
                due_ms += scan_ms
            scans = 1
            if self._skip_quiet_time:
                quiet_ms = self._quiet_until(state, end_ms)
                skipped = max(0, (quiet_ms - due_ms) // scan_ms)
                if skipped:
                    scans += skipped
                    due_ms += skipped * scan_ms
                    self._charger.keep_alive(
                        due_ms, state.offer_w, self._station.timing.offer_lead_ms
                    )
            assert due_ms > last_ms
        return due_ms

    def _quiet_until(self, state: State, end_ms: int) -> int:
        """Up to when scans would find what this one found: the controller waits for no age, the
        trace is silent, and nothing in the plant moves by itself."""
        times = [
            state.quiet_until_ms,
            self._player.next_ms(),
            self._charger.next_event_ms(),
            end_ms,
        ]
        return min(time for time in times if time is not None)

    def _take_off(self, controller: Controller, due_ms: int) -> None:
        controller.stop()
        scan_ms = self._station.timing.scan_ms
        timing = self._station.timing
        bounded_ms = timing.module_off_timeout_ms + timing.current_decay_ms + 10 * scan_ms
        for _ in range(bounded_ms // scan_ms + 10):
            clock.sleep_s(due_ms / 1000 - clock.now_s())
            state = controller.scan()
            self._watch(state)
            if state.idle:
                break
            due_ms += scan_ms

    def _note_time_to_power(self, state: State) -> None:
        for gun, granted_w in state.allocation.delivered_w.items():
            if self._charger.cabinet.draw_w(gun) >= granted_w:
                since_ms = self._waiting_since_ms.pop(gun, None)
                if since_ms is not None:
                    self._longest_to_power_ms = max(
                        self._longest_to_power_ms, state.at_ms - since_ms
                    )
            else:
                self._waiting_since_ms.setdefault(gun, state.at_ms)

    def _report(self, sentence: str) -> None:
        self._reported.append(f"{clock.now_s():.3f} s: {sentence}")

    def _summary(self, started_ms: int, energy_wus: Sequence[int]) -> Summary:
        charger = self._charger
        charger.monitor.settle()
        seen = charger.monitor.summary()
        asked_mj = self._player.asked_mj
        return Summary(
            simulated_s=(_now_us(charger) - started_ms * 1000) / 1e6,
            energy_kwh={
                gun: energy / 1e6 / J_PER_KWH for gun, energy in enumerate(energy_wus, start=1)
            },
            unmet_kwh={
                gun: (asked * 1000 - energy) / 1e6 / J_PER_KWH
                for gun, (asked, energy) in enumerate(
                    zip(asked_mj, energy_wus, strict=True), start=1
                )
            },
            operations={
                f"{gun}:{module}": seen.makes.get((gun, module), 0)
                + seen.breaks.get((gun, module), 0)
                for gun, module in self._station.contactors
                if (gun, module) in seen.makes or (gun, module) in seen.breaks
            },
            longest_to_power_s=self._longest_to_power_ms / 1000,
            faults_injected=[injection.text for injection in self._injected],
            reported=self._reported,
            exposures=[event.text for event in charger.monitor.exposures],
            violations=[event.text for event in charger.monitor.violations],
            scans=self._scans,
            i2c_transactions=charger.bus.transactions,
        )


@contextmanager
def _ended_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in good order. In a thread of somebody else they cannot be
    caught, and are not."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        end()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now_ms() -> int:
    return round(clock.now_s() * 1000)


def _now_us(charger: SimulatedCharger) -> int:
    return charger.time.now_us
