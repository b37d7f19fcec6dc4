"""The controller without wires: the same decisions, offers and switching, on parts that never fail.

It scans on the controller's grid, but only where something can change; between two scans nothing
does. Demands pass the controller's `DemandProcessor`, modules are chosen by `allocate.decide`, may
stay by `Dwell`, and leave and come by `kernel.offer` and `kernel.switching`. The parts take the
longest time that the station's file allows: a contactor its full time, a vehicle the whole lead
time to heed a lower offer. Guns and modules are counted from 0 in here.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Sequence

from verified_alloc.allocate import Allocation, decide
from verified_alloc.demand import Asked, DemandProcessor
from verified_alloc.dwell import Dwell
from verified_alloc.health import kernel_timing
from verified_alloc.kernel import offer, ops, switching
from verified_alloc.kernel.diagnosis import NOT_SO, Ages, Readings, Timing
from verified_alloc.kernel.offer import Offer
from verified_alloc.station import Station

NEVER_MS = 1 << 62
NOBODY = -1
DECISIONS_KEPT = 4096


class Deciding:
    """`decide` for one policy, asked once for equal questions."""

    def __init__(self, station: Station, policy: str) -> None:
        self._station = station
        self._policy = policy
        self._known: OrderedDict[object, Allocation] = OrderedDict()
        self.asked = 0
        """How often a decision was needed,"""
        self.made = 0
        """how often it was not known yet,"""
        self.spent_ns = 0
        """and the time these took together."""

    def __call__(self, asked: Asked, reserved: dict[int, int]) -> Allocation:
        self.asked += 1
        question = (asked, tuple(reserved.items()))
        answer = self._known.get(question)
        if answer is None:
            began_ns = time.perf_counter_ns()
            answer = decide(self._station, asked, policy=self._policy, reserved=reserved)
            self.spent_ns += time.perf_counter_ns() - began_ns
            self.made += 1
            self._known[question] = answer
            if len(self._known) > DECISIONS_KEPT:
                self._known.popitem(last=False)
        return answer


class Unit:
    """One power module and its contactors, of which one at most is not open for long."""

    __slots__ = ("closed_ms", "coil", "coil_ms", "enabled", "gun", "off_ms", "on_ms", "settled_ms")

    def __init__(self, now_ms: int) -> None:
        self.gun = NOBODY
        """The gun whose contactor moved last."""
        self.coil = False
        self.coil_ms = now_ms
        self.settled_ms = now_ms
        """The first scan that sees the contactor where its coil has it."""
        self.enabled = False
        self.on_ms = now_ms
        """The first scan that sees the module on, while it is enabled,"""
        self.off_ms = now_ms
        """and off, while it is not."""


class Charger:
    """One station's scan and its modules. `ask` as demands change, `advance` to `next_ms`."""

    def __init__(self, station: Station, policy: str, start_ms: int) -> None:
        self.station = station
        self.deciding = Deciding(station, policy)
        timing = station.timing
        self._scan_ms = timing.scan_ms
        self._lead_ms = timing.offer_lead_ms
        self._operate_ms = timing.contactor_operate_ms
        self._release_ms = timing.contactor_release_ms
        self._timing: Timing = kernel_timing(station)
        self._start_ms = start_ms
        guns, modules = len(station.guns), len(station.modules)
        self._guns = range(guns)
        self._modules = range(modules)
        self._power_w = station.module_power_w
        self._demands = DemandProcessor(station)
        self._dwell = Dwell(modules, timing.minimum_dwell_s * 1000)
        self._dwell_ms = NEVER_MS
        self._units = [Unit(start_ms) for _ in self._modules]
        self._live_on = [NOBODY] * modules
        self._offers = [offer.restarted(power_w) for power_w in station.gun_max_w]
        self._heeded_w = [0] * guns
        self._heeding: deque[tuple[int, int]] = deque()
        self.demand_w = [0] * guns
        self.draw_w = [0] * guns
        self.operations = [[0] * modules for _ in self._guns]
        """Makes and breaks by gun and module."""
        self._changed = False
        self._last_ms = start_ms
        self._asked: Asked = self._demands.asked(start_ms)
        self._reserved: dict[int, int] = {}
        self._decided_for: object = None
        self.allocation: Allocation = self.deciding(self._asked, {})
        self._target = [NOBODY] * modules
        self._next_scan_ms = start_ms

    @property
    def next_ms(self) -> int:
        """When something will happen by itself."""
        return min(self._next_scan_ms, self._heeding[0][0] if self._heeding else NEVER_MS)

    @property
    def top_gun(self) -> int:
        """The gun that is served first."""
        return self._asked.order[0] - 1

    @property
    def live_on(self) -> Sequence[int]:
        """By module, the gun that it feeds, or `NOBODY`."""
        return self._live_on

    def ask(self, gun: int, demand_w: int, now_ms: int) -> None:
        """The vehicle could take this much from now on; the next scan hears of it."""
        self.demand_w[gun] = demand_w
        self._draw(gun)
        self._changed = True
        self._next_scan_ms = min(self._next_scan_ms, self._scan_at(now_ms))

    def advance(self, now_ms: int) -> None:
        """What is due now: vehicles heed lower offers, and the scan."""
        while self._heeding and self._heeding[0][0] <= now_ms:
            _, gun = self._heeding.popleft()
            self._heeded_w[gun] = self._offers[gun].offer_w
            self._draw(gun)
        if now_ms >= self._next_scan_ms:
            self._scan(now_ms)

    def take_off(self) -> None:
        """The end: every contactor that is closed opens once more."""
        for module, unit in enumerate(self._units):
            if unit.coil:
                self._count(unit.gun, module)

    def _scan(self, now_ms: int) -> None:
        elapsed_ms, self._last_ms = now_ms - self._last_ms, now_ms
        due_ms = NEVER_MS
        if self._see(now_ms) or now_ms >= self._dwell_ms:
            self._note_dwell(now_ms)
        if self._changed:
            self._changed = False
            for gun, demand_w in enumerate(self.demand_w, start=1):
                self._demands.set_w(gun, demand_w, now_ms)
            self._asked = self._demands.asked(now_ms)
        if (self._asked, self._reserved) != self._decided_for:
            self.allocation = self.deciding(self._asked, self._reserved)
            self._decided_for = (self._asked, self._reserved)
            self._target = [NOBODY] * len(self._units)
            for number, held in self.allocation.modules.items():
                for module in held:
                    self._target[module - 1] = number - 1

        affordable_w = self._affordable()
        for gun, before in enumerate(self._offers):
            if not (before.offer_w == before.promise_w == before.pending_w <= affordable_w[gun]):
                self._publish(
                    gun,
                    offer.lower(ops, self._lead_ms, before, affordable_w[gun], False, elapsed_ms),
                    now_ms,
                )
        if self._switch(now_ms):
            affordable_w = self._affordable()
        if any(map(_above, affordable_w, self._offers)):
            for gun, raised in enumerate(
                offer.raise_(ops, self._offers, affordable_w, self.station.limit_w)
            ):
                self._publish(gun, raised, now_ms)

        for told in self._offers:
            if told.pending_w != told.promise_w:
                waits_ms = self._scan_ms if told.waited_ms == NOT_SO else self._lead_ms
                due_ms = min(due_ms, now_ms + max(waits_ms - max(told.waited_ms, 0), 1))
        due_ms = min(due_ms, self._dwell_ms, *(self._due_ms(unit, now_ms) for unit in self._units))
        self._next_scan_ms = NEVER_MS if due_ms == NEVER_MS else self._scan_at(due_ms)

    def _scan_at(self, now_ms: int) -> int:
        """The first scan not before that time."""
        return now_ms + (self._start_ms - now_ms) % self._scan_ms

    def _see(self, now_ms: int) -> bool:
        """Which module feeds which gun; whether that has changed."""
        live_on = [
            unit.gun if unit.enabled and now_ms >= unit.on_ms else NOBODY for unit in self._units
        ]
        changed = live_on != self._live_on
        self._live_on = live_on
        return changed

    def _note_dwell(self, now_ms: int) -> None:
        live = [[on == gun for on in self._live_on] for gun in self._guns]
        self._dwell.note(live, now_ms)
        self._reserved = self._dwell.reserved(now_ms)
        minimum_ms = self.station.timing.minimum_dwell_s * 1000
        young_ms = [age_ms for age_ms in self._dwell.ages_ms(now_ms) if age_ms < minimum_ms]
        self._dwell_ms = now_ms + minimum_ms - max(young_ms) if young_ms else NEVER_MS

    def _row(self, holder: Sequence[int], gun: int) -> list[bool]:
        return [on == gun for on in holder]

    def _affordable(self) -> list[int]:
        live_on = [
            gun if unit.enabled else NOBODY
            for gun, unit in zip(self._live_on, self._units, strict=True)
        ]
        return [
            offer.affordable(
                ops,
                self.allocation.delivered_w[gun + 1],
                self._row(live_on, gun),
                self._row(self._target, gun),
                self._power_w,
                False,
            )
            for gun in self._guns
        ]

    def _publish(self, gun: int, told: Offer, now_ms: int) -> None:
        before_w = self._offers[gun].offer_w
        self._offers[gun] = told
        if told.offer_w == before_w:
            return
        if told.offer_w < self._heeded_w[gun]:
            self._heeding.append((now_ms + self._lead_ms, gun))
        else:
            self._heeded_w[gun] = told.offer_w
            self._draw(gun)

    def _draw(self, gun: int) -> None:
        power_w = sum(
            power_w
            for on, unit, power_w in zip(self._live_on, self._units, self._power_w, strict=True)
            if on == gun and unit.enabled
        )
        most_w = min(power_w, self.station.gun_max_w[gun])
        self.draw_w[gun] = min(self.demand_w[gun], self._heeded_w[gun], most_w)

    def _switch(self, now_ms: int) -> bool:
        """Step every module that is not where it is held; whether one was switched off."""
        held = self._target
        if held != self._live_on:
            rows = offer.hold(
                ops,
                [self._row(self._live_on, gun) for gun in self._guns],
                [self._row(self._target, gun) for gun in self._guns],
                [told.promise_w for told in self._offers],
                self._power_w,
            )
            held = [
                next((gun for gun in self._guns if rows[gun][module]), NOBODY)
                for module in self._modules
            ]
        off = False
        for module, unit in enumerate(self._units):
            want, live_on = held[module], self._live_on[module]
            if want != live_on or (want == NOBODY and (unit.coil or unit.enabled)):
                off |= self._step(module, unit, want, now_ms)
        return off

    def _step(self, module: int, unit: Unit, want: int, now_ms: int) -> bool:
        """The kernel's step for one module, shown the contactors that matter: the one that moved
        last and the one that is wanted. All others have been open for long."""
        guns = [unit.gun] if want in (NOBODY, unit.gun) else [unit.gun, want]
        response_ms = self._operate_ms if unit.coil else self._release_ms
        arrived = now_ms >= unit.coil_ms + response_ms
        latch = [unit.coil, False][: len(guns)]
        closed = [unit.coil if arrived else not unit.coil, False][: len(guns)]
        settled_ms = now_ms - unit.settled_ms if now_ms >= unit.settled_ms else NOT_SO
        off_ms = NOT_SO if unit.enabled or now_ms < unit.off_ms else now_ms - unit.off_ms
        writes = switching.step(
            ops,
            self._timing,
            Readings(True, unit.enabled, unit.enabled, latch, closed, closed),
            Ages(off_ms, NOT_SO, NOT_SO, [settled_ms, NEVER_MS][: len(guns)], [0, 0], latch),
            [gun == want for gun in guns],
            [False] * len(guns),
            False,
            False,
        )
        off = unit.enabled and not writes.enable
        if off:
            gun = self._live_on[module]
            unit.enabled, unit.off_ms = False, now_ms + self._scan_ms
            if gun != NOBODY:
                self._draw(gun)
        if writes.may_switch:
            for gun, was, coil in zip(guns, latch, writes.coils, strict=True):
                if was != coil:
                    unit.gun, unit.coil, unit.coil_ms = gun, coil, now_ms
                    response_ms = self._operate_ms if coil else self._release_ms
                    unit.settled_ms = self._scan_at(now_ms + max(response_ms, self._scan_ms))
                    self._count(gun, module)
        if writes.enable and not unit.enabled:
            unit.enabled, unit.on_ms = True, now_ms + self._scan_ms
        return off

    def _count(self, gun: int, module: int) -> None:
        self.operations[gun][module] += 1

    def _due_ms(self, unit: Unit, now_ms: int) -> int:
        """When the module's state will next tell something new."""
        if unit.enabled:
            return unit.on_ms if unit.on_ms > now_ms else NEVER_MS
        response_ms = self._timing.contactor_operate_ms if unit.coil else self._release_ms
        waits = (
            unit.off_ms,
            unit.off_ms + self._timing.current_decay_ms,
            unit.off_ms + self._timing.module_discharge_ms,
            unit.settled_ms + response_ms,
        )
        return min((due_ms for due_ms in waits if due_ms > now_ms), default=NEVER_MS)


def _above(affordable_w: int, told: Offer) -> bool:
    return affordable_w > told.offer_w
