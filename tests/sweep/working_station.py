"""A station at work: the real controller on the real drivers on the simulated charger, steered by
hand, scan by scan. What it is judged by is the cabinet and the cabinet's monitor."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Self

from hardware import clock
from hardware.simulated.bus import SimulatedBus
from hardware.simulated.faults import parse
from verified_alloc.control.assembly import controlled, simulated_charger
from verified_alloc.control.controller import Controller
from verified_alloc.control.state import State
from verified_alloc.decide.allocate import Solve
from verified_alloc.decide.demand import DemandProcessor
from verified_alloc.decide.limits.profile import always
from verified_alloc.decide.policies.problem import NO_WEAR
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

NOON_S = 1_764_590_400
"""Unix time at which a charger's virtual time begins."""

Connected = dict[int, tuple[int, ...]]


class WorkingStation:
    """Guns and modules are counted from 1, demands are in kW."""

    def __init__(
        self,
        station: Station,
        seed: int = 0,
        faults_path: Path | None = None,
        solve: Solve | None = None,
        operations: Mapping[Pair, int] = NO_WEAR,
        disk: Executor | None = None,
    ) -> None:
        self.station = station
        self.charger = simulated_charger(station, seed=seed)
        self.cabinet, self.monitor = self.charger.cabinet, self.charger.monitor
        self.asked_kw: dict[int, float] = {gun.id: 0 for gun in station.guns}
        self.silent: set[int] = set()
        """Guns that tell their demand no more."""
        self.reported: list[str] = []
        self.told: list[tuple[int, int, int]] = []
        """Every change of an offer: time in ms, gun, W."""
        self.state: State
        self._told_w = [0] * len(station.guns)
        self._faults_path = faults_path
        self._solve = solve
        self._operations_before = operations
        self._disk = disk
        self._seams = ExitStack()
        self._process: AbstractContextManager[Controller] | None = None

    def __enter__(self) -> Self:
        self._seams.enter_context(self.charger.installed())
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.__exit__(None, None, None)
        self._seams.close()

    def start(self) -> None:
        """A process takes over the wires as it finds them."""
        self.demands = DemandProcessor(self.station)
        self._process = controlled(
            self.station,
            self.demands,
            self._tell,
            self.reported.append,
            self.unix_s,
            self._faults_path,
            solve=self._solve,
            operations=self._operations_before,
            disk=self._disk,
            synchronised=lambda: True,
        )
        self.controller = self._process.__enter__()
        self._begins()

    def _begins(self) -> None:
        self.due_ms, self._scans, self.quiet_ms = self.now_ms, 1, 0

    def kill(self, strict: bool = False, order: Callable[[list[int]], list[int]] = list) -> None:
        """kill -9: latches stay as they are, and so do lines, unless the kernel is `strict`, and
        lets go of them in some order."""
        self.charger.pins.process_killed(strict, order)
        self._is_gone()

    def lose_power(self) -> None:
        """The Pi alone has no supply: its lines fall, the latches stay as they are."""
        self.charger.pins.power_lost()
        self._is_gone()

    def crash(self, error: Exception) -> None:
        """The process ends with that error, which it raises."""
        process, self._process = self._process, None
        assert process is not None
        process.__exit__(type(error), error, None)
        raise error

    def lose_device(self) -> None:
        """A line or the bus failed: the process ends as `controlled` ends it. (Its generator runs
        but once; a branch goes back to before its end.)"""
        controller = self.controller
        controller.withdraw()
        controller._bank.close()
        controller._lines.close()
        clock.sleep_s(self.station.timing.current_decay_ms / 1000)
        controller._supervision.close()
        self._is_gone()

    def _is_gone(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            # Its objects no longer move or write anything, and the time that it would take does not
            # pass.
            for each in (self.controller.faults, self.controller.limits):
                each.on_disk.see_to = lambda _: None  # type: ignore[method-assign]
            sleep_s, clock.sleep_s = clock.sleep_s, lambda _: None
            process.__exit__(None, None, None)
            clock.sleep_s = sleep_s

    @property
    def bus(self) -> SimulatedBus:
        return self.charger.bus

    def unix_s(self) -> float:
        """The time of day."""
        return NOON_S + clock.now_s()

    @property
    def now_ms(self) -> int:
        return round(clock.now_s() * 1000)

    def ask(self, demands_kw: Mapping[int, float]) -> None:
        """These guns ask for that much from now on; the others as before."""
        for gun, kw in demands_kw.items():
            self.asked_kw[gun] = kw
            self.cabinet.vehicle(gun, round(kw * 1000))

    def limit(self, limit_w: int | None) -> None:
        """All guns together are given no more than that from now on; None: nobody says."""
        if limit_w is None:
            self.controller.limits.clear()
        else:
            self.controller.limits.tell([always(limit_w)])

    def inject(self, *faults: str) -> None:
        for fault in faults:
            self.charger.inject(parse(fault))

    def scan(self, skip: bool = True) -> State:
        """The next scan of the grid, or with `skip` the next that can find anything new."""
        timing = self.station.timing
        self.wait()
        for gun, kw in self.asked_kw.items():
            if gun not in self.silent:
                self.demands.set(gun, kw, self.due_ms)
        self.state = self.controller.scan(self._scans)
        self._scans = 1
        self.due_ms += timing.scan_ms
        while self.due_ms < self.now_ms:
            self.due_ms += timing.scan_ms
        self._quiet_until(self.state.quiet_until_ms if skip else 0)
        return self.state

    def wait(self) -> None:
        """Until the next scan is due."""
        clock.sleep_s(self.due_ms / 1000 - clock.now_s())

    def _quiet_until(self, quiet_ms: int) -> None:
        event_ms = self.charger.next_event_ms()
        self.quiet_ms = quiet_ms if event_ms is None else min(quiet_ms, event_ms)
        if self.charger.moved_since_ms(self.state.at_ms):
            self.quiet_ms = 0

    def skip_until(self, end_ms: int) -> None:
        """Let the quiet time pass, at most until then."""
        timing = self.station.timing
        skipped = (min(self.quiet_ms, end_ms) - self.due_ms) // timing.scan_ms
        if skipped > 0:
            self.due_ms += skipped * timing.scan_ms
            self._scans = 1 + skipped
            self.charger.keep_alive(self.due_ms, self.state.offer_w, timing.offer_lead_ms)

    def go_on(
        self,
        for_s: float,
        until: Callable[[], bool] = lambda: False,
        skip: bool = True,
        each: Callable[[], None] = lambda: None,
    ) -> bool:
        """Scan for so long, or until something holds; whether it came to hold."""
        end_ms = self.due_ms + round(for_s * 1000)
        while True:
            self.scan(skip)
            each()
            if until():
                return True
            if self.due_ms >= end_ms:
                return False
            self.skip_until(end_ms)

    # What there is to see in the cabinet.

    @property
    def closed(self) -> set[tuple[int, int]]:
        return self.cabinet.closed_contactors()

    @property
    def operations(self) -> int:
        """Makes and breaks so far."""
        return sum(self.monitor.makes.values()) + sum(self.monitor.breaks.values())

    @property
    def live(self) -> Connected:
        return {gun.id: self.cabinet.live_modules(gun.id) for gun in self.station.guns}

    def feeds(self, modules: Mapping[int, tuple[int, ...]]) -> bool:
        """The cabinet's live modules and its closed contactors are exactly these."""
        pairs = {(gun, module) for gun, held in modules.items() for module in held}
        live = {gun: tuple(modules.get(gun, ())) for gun in self.asked_kw}
        return self.closed == pairs and self.live == live

    def feeds_as_decided(self) -> bool:
        """Live is what is allocated. Besides, only contactors known to be welded are closed, and
        those of modules known to be out, which are off."""
        allocated, faults = self.state.allocation.modules, self.state.faults
        pairs = {(gun, module) for gun, held in allocated.items() for module in held}
        besides = {
            pair
            for pair in self.closed - pairs
            if pair not in faults.welded and pair[1] not in faults.modules
        }
        return self.live == allocated and pairs <= self.closed and not besides

    def offers_kw(self) -> dict[int, float]:
        return {v.gun: v.offer_w / 1000 for v in self.cabinet.vehicles}

    def bad(self) -> list[str]:
        """What must never be, in words."""
        self.monitor.settle()
        return [event.text for event in self.monitor.violations]

    def exposures(self) -> list[str]:
        self.monitor.settle()
        return [event.text for event in self.monitor.exposures]

    def _tell(self, gun: int, offer_w: int, lifetime_ms: int) -> None:
        if self._told_w[gun - 1] != offer_w:
            self._told_w[gun - 1] = offer_w
            self.told.append((self.now_ms, gun, offer_w))
        self.charger.tell(gun, offer_w, lifetime_ms)
