"""The controller without wires: the same decisions, offers and switching, on parts that never fail.

It scans on the controller's grid, but only where something can change; between two scans nothing
does. Demands pass the controller's `DemandProcessor`, modules are chosen by `allocate.decide`, may
stay by `Dwell`, and leave and come by `kernel.offer` and `kernel.switching`. The parts take the
longest time that the station's file allows: a contactor its full time, a vehicle the whole lead
time to heed a lower offer. Guns and modules are counted from 0 in here.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence

from verified_alloc.control import wear
from verified_alloc.decide.allocate import Allocation, decide
from verified_alloc.decide.demand import Asked, DemandProcessor
from verified_alloc.decide.lasting import LastingLimit
from verified_alloc.decide.policies.problem import ALL_OPEN, NO_WEAR
from verified_alloc.decide.steady import Steady, granted
from verified_alloc.kernel import dwell, feeder, offer, ops, switching
from verified_alloc.kernel.diagnosis import NOT_SO, Ages, Readings, Timing
from verified_alloc.kernel.offer import Offer
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

NEVER_MS = 1 << 62
NOBODY = -1
KEPT = 4096


class Deciding:
    """`decide` for one policy, asked once for equal questions."""

    def __init__(self, policy: str) -> None:
        self._policy = policy
        self._known: OrderedDict[object, Allocation] = OrderedDict()
        self.asked = 0
        """How often a decision was needed,"""
        self.made = 0
        """how often it was not known yet,"""
        self.spent_ns = 0
        """and the time these took together."""

    def __call__(
        self,
        station: Station,
        asked: Asked,
        reserved: dict[int, int],
        current: frozenset[Pair],
        wear: Mapping[Pair, int],
    ) -> Allocation:
        self.asked += 1
        if self._policy == "documented":  # it has no eye for where the modules are
            current, wear = ALL_OPEN, NO_WEAR
        question = (station, asked, tuple(reserved.items()), current, tuple(wear.items()))
        answer = self._known.get(question)
        if answer is None:
            began_ns = time.perf_counter_ns()
            answer = decide(
                station,
                asked,
                policy=self._policy,
                reserved=reserved,
                current=current,
                wear=wear,
            )
            self.spent_ns += time.perf_counter_ns() - began_ns
            self.made += 1
            self._known[question] = answer
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return answer


class Unit:
    """One power module and its contactors, of which one at most is not open for long."""

    __slots__ = (
        "coil",
        "coil_ms",
        "due_ms",
        "enabled",
        "gun",
        "off_ms",
        "on_ms",
        "settled_ms",
        "want",
    )

    def __init__(self, now_ms: int) -> None:
        self.gun = NOBODY
        """The gun whose contactor moved last."""
        self.coil = False
        self.coil_ms = -NEVER_MS
        self.settled_ms = now_ms
        """The first scan that sees the contactor where its coil has it."""
        self.enabled = False
        self.on_ms = now_ms
        """The first scan that sees the module on, while it is enabled,"""
        self.off_ms = now_ms
        """and off, while it is not."""
        self.want = NOBODY
        """The gun that it was stepped for last,"""
        self.due_ms = now_ms
        """and when another step for the same gun can do something new."""


class Charger:
    """One station's scan and its modules. `ask` as demands change, `advance` to `next_ms`."""

    def __init__(self, station: Station, policy: str, start_ms: int) -> None:
        self.deciding = Deciding(policy)
        self._station = station
        self._limit = LastingLimit(station)
        self._lasts_ms = NEVER_MS
        """When something that lasts counts by itself: a rank, what is held, a limit."""
        self._powers = _Powers(station)
        self._gun_max_w = station.gun_max_w
        self._power_w = station.module_power_w
        self._timing: Timing = station.kernel_timing
        self._longest_ms = max(self._timing)
        self._writes: dict[object, Writes] = {}
        """What the kernel says, by what it was shown."""
        self._scan_ms = station.timing.scan_ms
        self._lead_ms = station.timing.offer_lead_ms
        self._start_ms = self._last_ms = start_ms
        guns, modules = len(station.guns), len(station.modules)
        self._guns, self._modules = range(guns), range(modules)
        self._demands = DemandProcessor(station)
        self._minimum_dwell_ms = station.timing.minimum_dwell_s * 1000
        self._fed = [[False] * modules for _ in self._guns]
        self._fed_ms = [NOT_SO] * modules
        self._fed_at_ms = start_ms
        self._dwell_ms = NEVER_MS
        self._units = [Unit(start_ms) for _ in self._modules]
        self.live_on = [NOBODY] * modules
        """By module, the gun that it feeds."""
        self._live_changed = False
        self._feeders = station.kernel_feeders
        self._joining: list[int] = []
        """Modules that are to be enabled in this scan."""
        self._starting: list[int] = []
        """Modules that are enabled and not seen to be on yet."""
        self._offers = [offer.restarted(power_w) for power_w in station.gun_max_w]
        self._heeded_w = [0] * guns
        self._heeding: deque[tuple[int, int]] = deque()
        self.demand_w = [0] * guns
        self.draw_w = [0] * guns
        self.operations = [[0] * modules for _ in self._guns]
        """Makes and breaks by gun and module."""
        self._wear: dict[Pair, int] = {}
        """What of them a decision is told."""
        self._changed = True
        self._asked = self._demands.asked(start_ms)
        self._reserved: dict[int, int] = {}
        self.allocation = self.deciding(station, self._asked, {}, ALL_OPEN, NO_WEAR)
        self.granted_w = [0] * guns
        self._steady = Steady(self._demands, station)
        self._stood: frozenset[Pair] = ALL_OPEN
        self._worn: Mapping[Pair, int] = NO_WEAR
        self._decided_for: object = None
        self._target = [NOBODY] * modules
        self._held_for: object = None
        self._held_now = self._target
        self._next_scan_ms = start_ms

    @property
    def next_ms(self) -> int:
        """When something will happen by itself."""
        return min(self._next_scan_ms, self._heeding[0][0] if self._heeding else NEVER_MS)

    @property
    def top_gun(self) -> int:
        """The gun that is served first."""
        return self._asked.order[0] - 1

    def ask(self, gun: int, demand_w: int, now_ms: int) -> None:
        """The vehicle could take this much from now on; the next scan hears of it."""
        self.demand_w[gun] = demand_w
        self._draw(gun)
        self._changed = True
        self._next_scan_ms = min(self._next_scan_ms, self._scan_at(now_ms))

    def limit(self, limit_w: int | None, now_ms: int) -> None:
        """All guns together are given no more than that from now on."""
        self._limit.tell(limit_w)
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
                self.operations[unit.gun][module] += 1

    def _scan(self, now_ms: int) -> None:
        elapsed_ms, self._last_ms = now_ms - self._last_ms, now_ms
        self._see(now_ms)
        if self._live_changed or now_ms >= self._dwell_ms:
            self._note_dwell(now_ms)
        if self._changed or now_ms >= self._lasts_ms:
            self._changed = False
            for number, demand_w in enumerate(self.demand_w, start=1):
                self._demands.set_w(number, demand_w, now_ms)
            self._asked = self._demands.asked(now_ms)
        self._station = self._station.limited(self._limit.at(now_ms))
        if is_new := self._steady.is_new(self._asked, (self._station, self._reserved)):
            self._stood, self._worn = self._stand(now_ms), dict(self._wear)
        if is_new or self._asked != self._decided_for:
            self._decided_for = self._asked
            _, self.allocation = self._steady.decide(
                self._station, self._asked, self._reserved.values(), self._decided
            )
            given_w = granted(self._station, self.allocation, self._asked).delivered_w
            self.granted_w = list(given_w.values())
            for module in self._modules:
                self._target[module] = NOBODY
            for number, modules in self.allocation.modules.items():
                for module_number in modules:
                    self._target[module_number - 1] = number - 1

        affordable_w = self._affordable()
        for gun, offered in enumerate(self._offers):
            if not offered.offer_w == offered.promise_w == offered.pending_w <= affordable_w[gun]:
                self._lower(gun, offered, affordable_w[gun], now_ms, elapsed_ms)
        moving = self._switch(now_ms)
        if self._live_changed:
            affordable_w = self._affordable()
        if any(map(_above, affordable_w, self._offers)):
            promise_w = [offered.promise_w for offered in self._offers]
            joined = self._joined() if self._feeders else []
            rooms = feeder.rooms(ops, self._feeders, joined, promise_w, self._power_w)
            raised = offer.raise_(ops, self._offers, affordable_w, self._station.limit_w, rooms)
            for gun, offered in enumerate(raised):
                self._publish(gun, offered, now_ms)
        due_ms = min((unit.due_ms for unit in moving), default=NEVER_MS)
        for offered in self._offers:
            if offered.pending_w != offered.promise_w:
                waits_ms = self._lead_ms - offered.waited_ms
                if offered.waited_ms == NOT_SO:
                    waits_ms = self._scan_ms + self._lead_ms
                due_ms = min(due_ms, now_ms + waits_ms)
        lasts_ms = [ms for ms in (self._demands.lasts_until_ms, self._limit.until_ms) if ms]
        self._lasts_ms = min(lasts_ms, default=NEVER_MS)
        due_ms = min(due_ms, self._dwell_ms, self._lasts_ms)
        self._next_scan_ms = NEVER_MS if due_ms == NEVER_MS else self._scan_at(due_ms)

    def _decided(self, asked: Asked) -> Allocation:
        return self.deciding(self._station, asked, self._reserved, self._stood, self._worn)

    def _scan_at(self, now_ms: int) -> int:
        """The first scan not before that time."""
        return now_ms + (self._start_ms - now_ms) % self._scan_ms

    def _see(self, now_ms: int) -> None:
        """Modules that were enabled are seen to be on."""
        for module in tuple(self._starting):
            unit = self._units[module]
            if now_ms >= unit.on_ms:
                self._starting.remove(module)
                self._feed(module, unit.gun)

    def _feed(self, module: int, gun: int) -> None:
        """The module feeds this gun from now on, or nobody."""
        before, self.live_on[module] = self.live_on[module], gun
        self._live_changed = True
        for changed in (before, gun):
            if changed != NOBODY:
                self._draw(changed)

    def _note_dwell(self, now_ms: int) -> None:
        self._live_changed = False
        before, self._fed = self._fed, _rows(self.live_on, self._guns)
        elapsed_ms, self._fed_at_ms = now_ms - self._fed_at_ms, now_ms
        self._fed_ms = dwell.fed_ms(ops, self._fed, before, self._fed_ms, elapsed_ms)
        nobody = [False] * len(self._fed)
        rows = dwell.reserved(ops, self._fed, self._fed_ms, self._minimum_dwell_ms, nobody)
        self._reserved = {
            module: gun
            for module, column in enumerate(zip(*rows, strict=True), start=1)
            for gun, stays in enumerate(column, start=1)
            if stays
        }
        young_ms = [ms for ms in self._fed_ms if NOT_SO < ms < self._minimum_dwell_ms]
        self._dwell_ms = now_ms + self._minimum_dwell_ms - max(young_ms) if young_ms else NEVER_MS

    def _stand(self, now_ms: int) -> frozenset[Pair]:
        """Where the modules are, as the controller has it: on the guns to which their contactors
        are closed, or if none is, where they were sent last."""
        on = (
            unit.gun if self._closed(unit, now_ms) else target
            for unit, target in zip(self._units, self._target, strict=True)
        )
        return frozenset((gun + 1, module) for module, gun in enumerate(on, 1) if gun != NOBODY)

    def _closed(self, unit: Unit, now_ms: int) -> bool:
        """Its contactor that moved last is closed."""
        arrived = now_ms >= unit.coil_ms + self._response_ms(unit.coil)
        return unit.coil is arrived

    def _affordable(self) -> list[int]:
        live, target = tuple(self.live_on), tuple(self._target)
        return [
            self._powers.affordable_w(gun, granted_w, live, target)
            for gun, granted_w in enumerate(self.granted_w)
        ]

    def _lower(
        self, gun: int, offered: Offer, affordable_w: int, now_ms: int, elapsed_ms: int
    ) -> None:
        if offered.waited_ms == NOT_SO and elapsed_ms > self._scan_ms:
            # The wait begins with the scan after the one that published; nothing else was in it.
            offered = offer.lower(
                ops, self._lead_ms, offered, offered.offer_w, False, self._scan_ms
            )
            elapsed_ms -= self._scan_ms
        self._publish(
            gun, offer.lower(ops, self._lead_ms, offered, affordable_w, False, elapsed_ms), now_ms
        )

    def _publish(self, gun: int, offered: Offer, now_ms: int) -> None:
        before_w, self._offers[gun] = self._offers[gun].offer_w, offered
        if offered.offer_w == before_w:
            return
        if offered.offer_w < self._heeded_w[gun]:
            self._heeding.append((now_ms + self._lead_ms, gun))
        else:
            self._heeded_w[gun] = offered.offer_w
            self._draw(gun)

    def _draw(self, gun: int) -> None:
        power_w = sum(
            power_w for on, power_w in zip(self.live_on, self._power_w, strict=True) if on == gun
        )
        self.draw_w[gun] = min(
            self.demand_w[gun], self._heeded_w[gun], power_w, self._gun_max_w[gun]
        )

    def _switch(self, now_ms: int) -> list[Unit]:
        """Step every module that is not where it is held; those that are under way."""
        held = self._target if self._target == self.live_on else self._held()
        moving = []
        for module, (unit, want, on) in enumerate(
            zip(self._units, held, self.live_on, strict=True)
        ):
            if want != on or (want == NOBODY and (unit.coil or unit.enabled)):
                if want != unit.want or now_ms >= unit.due_ms:
                    self._step(module, unit, want, now_ms)
                    unit.want, unit.due_ms = want, self._due_ms(unit, now_ms)
                moving.append(unit)
        if self._joining:
            self._join(now_ms)
        return moving

    def _join(self, now_ms: int) -> None:
        """Enable what may be, as far as the feeders bear it; the others try again."""
        joining = [NOBODY] * len(self._units)
        for module in self._joining:
            joining[module] = self._units[module].gun
        admitted = feeder.admitted(
            ops,
            self._feeders,
            self._joined(),
            _rows(joining, self._guns),
            [offered.promise_w for offered in self._offers],
            self._power_w,
        )
        for module in self._joining:
            unit = self._units[module]
            unit.due_ms = now_ms + 1
            if admitted[module]:
                unit.enabled, unit.on_ms = True, now_ms + self._scan_ms
                unit.due_ms = unit.on_ms
                self._starting.append(module)
        self._joining.clear()

    def _joined(self) -> list[list[bool]]:
        """`[gun][module]`: it is enabled there."""
        on = [unit.gun if unit.enabled else NOBODY for unit in self._units]
        return _rows(on, self._guns)

    def _held(self) -> list[int]:
        """By module, the gun that it may be switched to now."""
        question = (*self.live_on, *self._target, *[offered.promise_w for offered in self._offers])
        if question != self._held_for:
            rows = offer.hold(
                ops,
                _rows(self.live_on, self._guns),
                _rows(self._target, self._guns),
                [offered.promise_w for offered in self._offers],
                self._power_w,
            )
            self._held_for = question
            self._held_now = [NOBODY] * len(self._units)
            for gun, row in enumerate(rows):
                for module, holds in enumerate(row):
                    if holds:
                        self._held_now[module] = gun
        return self._held_now

    def _step(self, module: int, unit: Unit, want: int, now_ms: int) -> None:
        """The kernel's step for one module, shown the contactors that matter: the one that moved
        last and the one that is wanted. All others have been open for long."""
        guns = [unit.gun] if want in (NOBODY, unit.gun) else [unit.gun, want]
        latch = (unit.coil, False)[: len(guns)]
        closed = (self._closed(unit, now_ms), False)[: len(guns)]
        # Whatever is older than all that is waited for is as good as that.
        settled_ms = min(now_ms - unit.settled_ms, self._longest_ms)
        off_ms = NOT_SO if unit.enabled else min(now_ms - unit.off_ms, self._longest_ms)
        question = (unit.enabled, latch, closed, max(settled_ms, NOT_SO), max(off_ms, NOT_SO))
        wants = tuple([gun == want for gun in guns])
        writes = self._writes.get((question, wants))
        if writes is None:
            writes = self._writes[question, wants] = self._decided_writes(*question, wants)
        if unit.enabled and not writes.enable:
            unit.enabled, unit.off_ms = False, now_ms + self._scan_ms
            if module in self._starting:
                self._starting.remove(module)
            else:
                self._feed(module, NOBODY)
        if writes.may_switch:
            for gun, was, coil in zip(guns, latch, writes.coils, strict=True):
                if was != coil:
                    self._count(unit, gun, module, coil, now_ms)
                    unit.gun, unit.coil, unit.coil_ms = gun, coil, now_ms
                    unit.settled_ms = self._scan_at(
                        now_ms + max(self._response_ms(coil), self._scan_ms)
                    )
        if writes.enable and not unit.enabled:
            self._joining.append(module)

    def _decided_writes(
        self,
        enabled: bool,
        latch: tuple[bool, ...],
        closed: tuple[bool, ...],
        settled_ms: int,
        off_ms: int,
        wants: tuple[bool, ...],
    ) -> Writes:
        return switching.step(
            ops,
            self._timing,
            Readings(True, enabled, enabled, latch, closed, closed),
            Ages(off_ms, NOT_SO, NOT_SO, (settled_ms, NEVER_MS)[: len(latch)], (), ()),
            wants,
            (False,) * len(latch),
            False,
            False,
        )

    def _count(self, unit: Unit, gun: int, module: int, coil: bool, now_ms: int) -> None:
        """One operation more; or one less, if the armature turns round before it has arrived."""
        was_due_ms = unit.coil_ms + self._response_ms(not coil)
        turns = gun == unit.gun and now_ms + self._response_ms(coil) <= was_due_ms
        self.operations[gun][module] += -1 if turns else 1
        pair = (gun + 1, module + 1)
        self._wear |= wear.in_steps({pair: self.operations[gun][module]})

    def _response_ms(self, coil: bool) -> int:
        timing = self._timing
        return timing.contactor_operate_ms if coil else timing.contactor_release_ms

    def _due_ms(self, unit: Unit, now_ms: int) -> int:
        """When the module will next be seen to be another."""
        if unit.enabled:
            return unit.on_ms
        waits = (
            unit.off_ms,
            unit.off_ms + self._timing.current_decay_ms,
            unit.off_ms + self._timing.module_discharge_ms,
            unit.settled_ms + self._response_ms(unit.coil),
        )
        return min((due_ms for due_ms in waits if due_ms > now_ms), default=NEVER_MS)


class _Powers:
    """What the kernel says each gun can be offered, asked once for equal questions."""

    def __init__(self, station: Station) -> None:
        self._power_w = station.module_power_w
        self._known: dict[object, int] = {}

    def affordable_w(
        self, gun: int, granted_w: int, live: tuple[int, ...], target: tuple[int, ...]
    ) -> int:
        question = gun, granted_w, live, target
        if question not in self._known:
            if len(self._known) > KEPT:
                self._known.clear()
            self._known[question] = offer.affordable(
                ops,
                granted_w,
                [on == gun for on in live],
                [on == gun for on in target],
                self._power_w,
                False,
            )
        return self._known[question]


def _rows(holder: Sequence[int], guns: Iterable[int]) -> list[list[bool]]:
    """`[gun][module]` of who holds each module."""
    return [[on == gun for on in holder] for gun in guns]


def _above(affordable_w: int, offered: Offer) -> bool:
    return affordable_w > offered.offer_w
