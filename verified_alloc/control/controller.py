"""The scan: read, diagnose, decide, publish lowered offers, step, write and verify, publish raised.

Everything that decides safety is a kernel function; here their inputs are gathered and their
outputs carried to the wires, in that order, once every `scan_ms`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import and_
from typing import NamedTuple

from hardware import clock
from hardware.contactors import BankReading, ContactorController
from hardware.modules import PowerModuleController
from hardware.supervision import Supervision
from verified_alloc.control.bus_alarm import Disturbance
from verified_alloc.control.dwell import Dwell
from verified_alloc.control.fault_kinds import Fault, numbers_of
from verified_alloc.control.fault_latch import FaultLatch
from verified_alloc.control.health import Health, kernel_timing
from verified_alloc.control.next_deadline import quiet_ms
from verified_alloc.control.wear import Wear, in_steps
from verified_alloc.control.wires import Wires
from verified_alloc.decide.allocate import Allocation, Solve, decide, keep, prepare
from verified_alloc.decide.demand import Asked, DemandProcessor, check_gun, strictly
from verified_alloc.decide.policies.problem import NO_WEAR, Answer, NoAnswer, NotYet, Problem
from verified_alloc.errors import BadInput
from verified_alloc.kernel import diagnosis, offer, ops, switching, wiring
from verified_alloc.kernel.diagnosis import Readings
from verified_alloc.kernel.offer import Offer
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair

BoolMatrix = list[list[bool]]
SOLVER_DEADLINE_MS = 1000
"""For so long modules stay with what they have when a solver beside the scan is asked; then the
documented rule stands in until it answers."""


class Inputs(NamedTuple):
    """What an allocation was decided for."""

    asked: Asked
    faults: Faults
    reserved: Mapping[int, int]
    """The modules that dwell or are held, with the gun of each."""
    site_limit_w: int | None
    """What all guns together may be given; None: no limit."""


class State(NamedTuple):
    """What one scan saw and did; guns and modules are counted from 1."""

    at_ms: int
    demand_w: tuple[int, ...]
    stale: tuple[int, ...]
    """Guns whose demand is too old to count."""
    allocation: Allocation
    inputs: Inputs
    """What the allocation was decided for."""
    offer_w: tuple[int, ...]
    live: tuple[tuple[int, ...], ...]
    """By gun, the modules that feed it."""
    connected: tuple[tuple[int, ...], ...]
    """By gun, the modules whose contactor reads closed."""
    operations: Mapping[Pair, int]
    """Makes and breaks of each contactor that ever moved, so far."""
    locked: tuple[int, ...]
    faults: Faults
    stopped: bool
    idle: bool
    """Every contactor is open and every module off."""
    settled: bool
    """Every gun has exactly the live modules that it was allocated."""
    verified: bool
    """What this scan wanted written was read back, and the enable lines are as it left them."""
    quiet_until_ms: int
    """Until then nothing changes by itself; `at_ms` while something is under way."""


class Controller:
    """One station's scan. `start` once, `scan` every `scan_ms`, `stop` and a few more scans to end.

    `publish(gun, offer_w, lifetime_ms)` tells a gun its offer, `report(text)` says what happened.
    `solve` is a constraint solver beside the scan; without one the scan waits for the solver.
    `operations` are those of the contactors before.
    """

    def __init__(
        self,
        station: Station,
        bank: ContactorController,
        lines: PowerModuleController,
        supervision: Supervision,
        demands: DemandProcessor,
        fault_latch: FaultLatch,
        publish: Callable[[int, int, int], None],
        report: Callable[[str], None],
        solve: Solve | None = None,
        operations: Mapping[Pair, int] = NO_WEAR,
    ) -> None:
        self.station = station
        self.demands = demands
        self._bank = bank
        self._lines = lines
        self._supervision = supervision
        self._fault_latch = fault_latch
        self._publish = publish
        self.report = report
        self._solve = solve
        self._timing = kernel_timing(station)
        self._guns = range(len(station.guns))
        self._modules = range(len(station.modules))
        self._power_w = station.module_power_w
        self._wires = Wires(station, bank, lines)
        self.health = Health(station, fault_latch.load())
        self._offers: list[Offer] = [offer.restarted(power_w) for power_w in station.gun_max_w]
        self._acknowledged: set[int] = set()
        self._own_limit_w = station.site_limit_w
        self._held_until_ms: dict[int, int] = {}
        self._wear = Wear(operations)
        self._astray = [False] * len(station.modules)
        self._dwell = Dwell(len(station.modules), station.timing.minimum_dwell_s * 1000)
        self._stopping = False
        self._stopping_ms = diagnosis.NOT_SO
        self._stop_ms = diagnosis.NOT_SO
        self._last_ms = 0
        self._inputs: Inputs | None = None
        self._stood: frozenset[Pair] = frozenset()
        self._worn: Mapping[Pair, int] = NO_WEAR
        self._undecided_ms: int | None = None
        self._allocation: Allocation | None = None
        self._before: object = None
        self._switched = False
        self._disturbance = Disturbance()
        self._oddities = 0
        self._calm_scans = 0

    def start(self) -> None:
        """Wait until no module is on and no current can flow, and only then touch an expander. The
        enable lines are low already: claiming them made them so."""
        if self._solve is None:
            prepare(self.station)
        on_still = self._wires.wait_until_off(self._timing, self.station.timing.scan_ms)
        for module, on in enumerate(on_still, start=1):
            if on:
                self.report(f"module {module} reports on at start although its enable is low")
        self._supervision.release_reset()
        self._bank.start()
        for position in numbers_of(self.health.latched, "expander_lost"):
            self._bank.abandon(position)
        for sentence in self.health.describe():
            self.report(f"latched before the start: {sentence}")
        self._last_ms = _now_ms()

    def stop(self) -> None:
        """From the next scan on nobody gets anything: offers fall, then modules go off, then
        contactors open. Who has not obeyed after twice the lead time is stopped like in an
        emergency."""
        self._stopping = True

    def withdraw(self) -> None:
        """Whatever ends the process, the guns hear of it before their modules go off."""
        for gun in range(1, len(self._offers) + 1):
            self._publish(gun, 0, 0)

    def acknowledge(self, gun: int, offer_w: int) -> bool:
        """The gun obeys this offer. It counts only if it is the one published last."""
        is_latest = self._offers[gun - 1].offer_w == offer_w
        if is_latest:
            self._acknowledged.add(gun - 1)
        return is_latest

    def limit_site(self, limit_w: int | None) -> None:
        """All guns together are given no more than that, nor more than the station's own limit;
        None: only that. A lower limit is a planned removal: offers fall in the next scan, what
        they were may still be drawn for `offer_lead_ms`."""
        limits_w = [told for told in (self._own_limit_w, limit_w) if told is not None]
        self.station = self.station.limited(min(limits_w, default=None))

    def hold(self, gun: int, for_ms: int) -> None:
        """For so long the modules live on this gun are reserved for it, as dwelling ones are: as
        far as its demand needs them, and not against faults. 0 ends it."""
        check_gun(self.station, gun)
        self._held_until_ms[gun] = _now_ms() + for_ms

    @staticmethod
    def now_ms() -> int:
        """The controller's time."""
        return _now_ms()

    def held_ms(self, gun: int) -> int:
        """How long this gun's modules are still held."""
        return max(0, self._held_until_ms.get(gun, 0) - _now_ms())

    def stop_all(self) -> None:
        """Everything off until `clear_stop`, also after a restart: offers fall in the next scan,
        modules go off when they are obeyed, or after twice the lead time, contactors open. On disk
        when this returns. The button is for what cannot wait."""
        self.health.tell_stop()
        self._fault_latch.save(self.health.latched)

    def take_out(self, kind: str, number: int, out: bool) -> None:
        """Take a `gun` or a `module` out of service, in the order of a planned removal, or back
        into it. On disk when this returns."""
        self.health.take_out(kind, number, out)
        self._fault_latch.save(self.health.latched)

    def clear_contactor(self, gun: int, module: int) -> None:
        """Use a contactor again that was inspected. `BadInput` if there is none, or while command
        and feedback are not seen to agree."""
        if not self.station.has(gun, module):
            raise BadInput(
                f"contactor {gun}:{module}: there is none; allowed are those of the matrix"
            )
        self.health.clear_contactor(gun, module)
        self._fault_latch.save(self.health.latched)

    def clear_module(self, module: int) -> None:
        """Use a module again. `BadInput` while it reports on although its enable is low."""
        self.health.clear_module(module)
        self._fault_latch.save(self.health.latched)

    def clear_expander(self, position: int) -> None:
        """Configure a lost expander anew, its coils off, and use it again. `BadInput` while a
        module that it carries is not off, or if it cannot be configured."""
        station = self.station.hardware
        name = f"expander {station.output_expanders[position]:#x}"
        lines = self._lines.read()
        for module, numbers in enumerate(self._wires.carried):
            carried = any(wiring.place(k).expander == position for k in numbers)
            off_ms = self.health.lines_off_ms[module]
            if carried and (
                lines.enabled[module]
                or lines.reports_on[module]
                or off_ms < self._timing.current_decay_ms
            ):
                raise BadInput(f"{name}: module {module + 1} on it is not off; allowed once it is")
        if not self._bank.configure(position):
            raise BadInput(f"{name}: cannot be configured; allowed once it answers")
        self.health.clear_expander(position)
        self._fault_latch.save(self.health.latched)

    def clear_stop(self) -> None:
        """Go on after a stop, and with the expanders that the button's off-delay has reset.
        `BadInput` while the button is pressed."""
        if self._supervision.stopped:
            raise BadInput("emergency stop: the button is pressed; allowed once it is released")
        for position in sorted(numbers_of(self.health.latched, "expander_lost")):
            self.clear_expander(position)
        self.health.clear_stop()
        self._fault_latch.save(self.health.latched)

    def scan(self, scans: int = 1) -> State:
        """One scan. `scans` is more than 1 only where time was skipped up to `quiet_until_ms`."""
        now_ms = _now_ms()
        elapsed_ms, self._last_ms = now_ms - self._last_ms, now_ms
        lines = self._lines.read()
        bank = self._bank.read(clock.now_s() + self.station.timing.scan_ms / 1000, scans)
        readings = self._wires.readings(lines, bank)
        self._diagnose(readings, bank, elapsed_ms, scans)
        live = [[switching.live(ops, module, gun) for module in readings] for gun in self._guns]
        self._dwell.note(live, now_ms)
        self._wear.note(readings)
        latched = self.health.latched
        stopping = self._stopping or Fault("stopped") in latched
        self._stopping_ms = diagnosis.lasting(ops, stopping, self._stopping_ms, elapsed_ms)
        stop = (
            Fault("emergency_stop") in latched
            or bool(numbers_of(latched, "enable_high"))
            or self._stopping_ms > 2 * self.station.timing.offer_lead_ms
        )
        self._stop_ms = diagnosis.lasting(ops, stop, self._stop_ms, elapsed_ms)

        asked = strictly([0] * len(self._guns)) if stopping else self.demands.asked(now_ms)
        allocation = self._decide(asked, readings, live, now_ms)
        target = self._matrix(allocation)

        affordable_w = self._affordable(allocation, live, target, stop)
        self._offers = [
            offer.lower(
                ops,
                self.station.timing.offer_lead_ms,
                self._offers[gun],
                affordable_w[gun],
                gun in self._acknowledged,
                elapsed_ms,
            )
            for gun in self._guns
        ]
        self._acknowledged.clear()
        self._tell()

        held = offer.hold(
            ops, live, target, [told.promise_w for told in self._offers], self._power_w
        )
        writes = [
            switching.step(
                ops,
                self._timing,
                readings[module],
                self.health.ages[module],
                [held[gun][module] for gun in self._guns],
                self.health.locked,
                stop,
                switching.is_overdue(self._timing, self._stop_ms),
            )
            for module in self._modules
        ]
        self._wires.disable(lines, [module.enable for module in writes])
        verified = self._switch(bank, writes)
        enabled = [module.enable and fed for module, fed in zip(writes, verified, strict=True)]
        still_live = [
            [feeds and on for feeds, on in zip(row, enabled, strict=True)] for row in live
        ]
        affordable_w = self._affordable(allocation, still_live, target, stop)
        if not all(verified):
            self._offers = [
                offer.cut(ops, told, power_w)
                for told, power_w in zip(self._offers, affordable_w, strict=True)
            ]
            self._tell()
            self._wires.disable(lines, enabled)
        self._wires.enable(lines, enabled)

        self._offers = offer.raise_(ops, self._offers, affordable_w, self.station.limit_w)
        self._tell()
        oddities, self._oddities = self._oddities, self._bank.counts.total()
        self._calm_scans = self._calm_scans + scans if oddities == self._oddities else 0
        left = self._lines.read()
        self.health.look_again(left.enabled, left.reports_on)
        self._astray = [high and not on for high, on in zip(left.high, enabled, strict=True)]
        as_left = list(left.enabled) == enabled
        if as_left:
            self._supervision.verified()
        return self._state(
            now_ms,
            asked.demand_w,
            allocation,
            readings,
            live,
            target,
            stop,
            enabled,
            as_left and all(verified),
        )

    def _diagnose(
        self,
        readings: Sequence[Readings],
        bank: BankReading,
        elapsed_ms: int,
        scans: int,
    ) -> None:
        before = self.health.latched
        news = self.health.update(
            readings,
            list(map(and_, bank.answered, bank.heeded)),
            bank.seen,
            bank.doubted,
            bank.lost,
            self._astray,
            self._supervision.stopped,
            elapsed_ms,
            scans,
        )
        if self.health.latched != before:
            self._fault_latch.save(self.health.latched)
        for position in numbers_of(self.health.latched - before, "expander_lost"):
            self._bank.abandon(position)
        news += self._disturbance.news(self._bank.events, clock.now_s())
        for sentence in news:
            self.report(sentence)

    def _decide(
        self, asked: Asked, readings: Sequence[Readings], live: BoolMatrix, now_ms: int
    ) -> Allocation:
        """Allocate anew when demands, faults, the limit or the reserved modules have changed, and
        as long as a solver beside the scan has not answered."""
        held = {
            module + 1: gun
            for gun, until_ms in self._held_until_ms.items()
            for module in self._modules
            if live[gun - 1][module] and now_ms < until_ms
        }
        reserved = self._dwell.reserved(now_ms) | held
        inputs = Inputs(asked, self.health.faults, reserved, self.station.site_limit_w)
        if inputs != self._inputs:
            self._inputs, self._stood = inputs, self._stand(readings)
            self._worn = in_steps(self._wear.operations)
            if self._undecided_ms is None:
                self._undecided_ms = now_ms
        if self._allocation is None or self._undecided_ms is not None:
            before, self._allocation = self._allocation, self._decided(inputs, now_ms)
            reason = self._allocation.fallback_reason
            if reason is not None and (before is None or before.fallback_reason != reason):
                self.report(
                    f"policy {self._allocation.fallback_from} had no answer ({reason}):"
                    f" {self._allocation.policy} instead"
                )
        return self._allocation

    def _decided(self, inputs: Inputs, now_ms: int) -> Allocation:
        """The answer to these inputs, or what stands until it is there."""
        ask = partial(
            decide,
            self.station,
            inputs.asked,
            faults=inputs.faults,
            current=self._stood,
            policy=self.station.policy.name,
            reserved=inputs.reserved,
            wear=self._worn,
        )
        try:
            decided = ask(solve=self._solve)
        except NotYet:
            assert self._undecided_ms is not None
            if now_ms - self._undecided_ms >= SOLVER_DEADLINE_MS:
                return ask(solve=_too_late)
            present = {} if self._allocation is None else self._allocation.modules
            return keep(
                self.station, inputs.asked, present, faults=inputs.faults, current=self._stood
            )
        self._undecided_ms = None
        return decided

    def _stand(self, readings: Sequence[Readings]) -> frozenset[Pair]:
        """Where the modules are: on the guns to which their contactors read closed, twice, or if
        none does, where they were sent last."""
        stand = {
            (gun + 1, module + 1)
            for module, reading in enumerate(readings)
            for gun, closed in enumerate(map(and_, reading.closed, reading.closed_again))
            if closed
        }
        if self._allocation is not None:
            connected = {module for _, module in stand}
            stand |= {
                (gun, module)
                for gun, modules in self._allocation.modules.items()
                for module in modules
                if module not in connected
            }
        return frozenset(stand)

    def _matrix(self, allocation: Allocation) -> BoolMatrix:
        return [
            [module + 1 in allocation.modules[gun + 1] for module in self._modules]
            for gun in self._guns
        ]

    def _affordable(
        self, allocation: Allocation, live: BoolMatrix, target: BoolMatrix, stop: bool
    ) -> list[int]:
        return [
            offer.affordable(
                ops,
                allocation.delivered_w[gun + 1],
                live[gun],
                target[gun],
                self._power_w,
                stop or self.health.locked[gun],
            )
            for gun in self._guns
        ]

    def _tell(self) -> None:
        for gun, told in enumerate(self._offers, start=1):
            self._publish(gun, told.offer_w, self.station.timing.offer_lead_ms)

    def _switch(self, bank: BankReading, writes: Sequence[Writes]) -> list[bool]:
        """Write and verify the coils; by module, whether all expanders that carry it are as
        commanded."""
        coils = self._wires.coils(bank, writes)
        self._switched = coils != self._wires.decoded(bank.latch)
        return self._wires.write(coils, len(bank.answered))

    def _state(
        self,
        now_ms: int,
        demand_w: Sequence[int],
        allocation: Allocation,
        readings: Sequence[Readings],
        live: BoolMatrix,
        target: BoolMatrix,
        stop: bool,
        enabled: Sequence[bool],
        verified: bool,
    ) -> State:
        connected = tuple(
            tuple(module + 1 for module in self._modules if readings[module].closed[gun])
            for gun in self._guns
        )
        offers = [told._replace(waited_ms=0) for told in self._offers]
        now = (readings, allocation, offers, stop, enabled, self.health.latched)
        undisturbed = self._calm_scans >= self._bank.scrub_scans and not self.health.counting
        still = now == self._before and not self._switched and undisturbed
        still = still and self._undecided_ms is None
        self._before = now
        assert self._inputs is not None
        return State(
            at_ms=now_ms,
            demand_w=tuple(demand_w),
            stale=self.demands.stale(now_ms),
            allocation=allocation,
            inputs=self._inputs,
            offer_w=tuple(told.offer_w for told in self._offers),
            live=tuple(
                tuple(module + 1 for module, feeds in enumerate(row) if feeds) for row in live
            ),
            connected=connected,
            operations=self._wear.operations,
            locked=tuple(gun for gun, lock in enumerate(self.health.locked, start=1) if lock),
            faults=self.health.faults,
            stopped=stop or Fault("stopped") in self.health.latched,
            idle=not any(enabled) and not any(map(any, connected)),
            settled=live == target,
            verified=verified,
            quiet_until_ms=self._quiet_until(now_ms) if still and verified else now_ms,
        )

    def _quiet_until(self, now_ms: int) -> int:
        quiet = quiet_ms(
            self.station.timing,
            self.health.ages,
            self._offers,
            self._stop_ms,
            self._dwell.ages_ms(now_ms),
        )
        ends_ms = [now_ms + quiet]
        ends_ms += [until for until in self._held_until_ms.values() if until > now_ms]
        stale_ms = self.demands.next_change_ms(now_ms)
        return min(ends_ms if stale_ms is None else [*ends_ms, stale_ms])


def _too_late(problem: Problem, policy: str) -> Answer:
    raise NoAnswer(f"the solver has not answered within {SOLVER_DEADLINE_MS} ms")


def _now_ms() -> int:
    return round(clock.now_s() * 1000)
