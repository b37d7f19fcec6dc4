"""The scan, carried to the wires: read, then act by act what `kernel.scan` says, every `scan_ms`.

Nothing here decides: readings go in, effects come out as data and are carried out in their order.
"""

from collections.abc import Callable, Mapping

from hardware import clock
from hardware.contactors import ContactorController
from hardware.modules import PowerModuleController
from hardware.supervision import Supervision
from verified_alloc.control import clearing
from verified_alloc.control.alarms import alarms
from verified_alloc.control.decider import Decider
from verified_alloc.control.fault_kinds import describe
from verified_alloc.control.latched_faults import LatchedFaults
from verified_alloc.control.news import News
from verified_alloc.control.next_deadline import Stillness
from verified_alloc.control.offers import Offers
from verified_alloc.control.standing_limits import StandingLimits
from verified_alloc.control.state import Inputs, State, by_gun
from verified_alloc.control.wires import Carrier, Wires
from verified_alloc.decide.allocate import Allocation, Solve
from verified_alloc.decide.demand import DemandProcessor, check_gun
from verified_alloc.decide.policies.problem import NO_WEAR
from verified_alloc.decide.steady import kept
from verified_alloc.errors import BadInput
from verified_alloc.kernel import ops, scan
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.scan import Memory, Observed, Orders, Wanted
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair


class Controller:
    """One station's scan. `start` once, `scan` every `scan_ms`, `stop` and a few more scans to end.

    `publish(gun, offer_w, lifetime_ms)` tells a gun its offer, `report(text)` says what happened.
    `solve` is a constraint solver beside the scan (None: it waits); `operations` those of before.
    """

    def __init__(
        self,
        station: Station,
        bank: ContactorController,
        lines: PowerModuleController,
        supervision: Supervision,
        demands: DemandProcessor,
        faults: LatchedFaults,
        limits: StandingLimits,
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
        self._offers = Offers(station, publish)
        self.report = report
        self._guns = range(1, len(station.guns) + 1)
        self._built = station.built
        self.faults = faults
        self.limits = limits
        self._memory = scan.restarted(self._built, self.faults.bits)
        others: Mapping[type, Carrier] = {
            scan.Latch: self.faults.latch,
            scan.Lower: self._offers.lower,
            scan.Publish: self._offers.publish,
        }
        self._wires = Wires(station, bank, lines, supervision, others)
        self._decider = Decider(station, demands, solve, operations, report)
        self._acknowledged: list[int] = []
        self._stillness = Stillness(self._built, bank.scrub_scans)
        self._ending = False
        self._news = News(station)
        self._last_ms: int  # the start's

    def start(self) -> None:
        """Wait until no module is on and no current can flow, and only then touch an expander. The
        enable lines are low already: claiming them made them so."""
        on_still = self._wires.wait_until_off(self._built.timing, self.station.timing.scan_ms)
        for module, on in enumerate(on_still, start=1):
            if on:
                self.report(f"PM{module} reports on at start although its enable is low")
        self._supervision.reset(False)
        self._bank.start()
        self._wires.carry([scan.Abandon(self._memory.latched.expander_lost)])
        for sentence in describe(self.station, self.faults.latched):
            self.report(f"latched before the start: {sentence}")
        self._last_ms = self.now_ms()

    def scan(self, scans: int) -> State:
        """One scan. `scans` is 1, unless time was skipped up to `quiet_until_ms`."""
        now_ms, built, before = self.now_ms(), self._built, self._memory
        elapsed_ms, self._last_ms = now_ms - self._last_ms, now_ms
        self._offers.skipped(scans - 1, now_ms)
        self._limit(now_ms)
        lines = self._lines.read()
        bank = self._bank.read(self.station.timing.scan_ms / 1000, scans)
        pressed = self._supervision.stopped
        observed = self._wires.observed(lines, bank, pressed, now_ms, elapsed_ms, scans)
        orders = self._orders()

        memory, effects = scan.diagnose(ops, built, before, observed, orders)
        self._wires.carry(effects)
        for sentence in self._news.of(memory, observed, self._bank.events):
            self.report(sentence)
        inputs, allocation = self._decider.decide(
            self.station, self.faults.without(memory), memory, observed.modules, now_ms
        )
        wanted = Wanted(self.station.grid(allocation.pairs), list(allocation.delivered_w.values()))
        memory, switched, effects = scan.switch(ops, built, memory, observed, orders, wanted)
        verified = self._wires.carry(effects)
        memory, effects = scan.conclude(
            ops, built, memory, observed, orders, wanted, switched, verified
        )
        self._wires.carry(effects)
        left = self._lines.read()
        memory, effects = scan.look_back(
            ops, built, memory, observed, left.enabled, left.reports_on, left.high
        )
        self._wires.carry(effects)
        self._as_left = list(left.enabled) == list(memory.enabled)
        done = self._as_left and all(map(ops.or_, verified, (each.lost for each in memory.healing)))
        self._memory, oddities = memory, self._bank.counts.total()
        still_ms = self._stillness.until_ms(
            now_ms, observed, switched, allocation, before, memory, oddities, scans, done
        )
        changes_ms = self.limits.next_change_ms, self._decider.next_change_ms(now_ms)
        return self._state(now_ms, inputs, allocation, observed, done, min(still_ms, *changes_ms))

    def _limit(self, now_ms: int) -> None:
        allowed = self.limits.at(self.demands.wanted_w(now_ms))
        self.demands.limit(allowed.gun_w)
        self.station = self.station.limited(allowed.station_w)

    def _orders(self) -> Orders:
        told, self._acknowledged = self._acknowledged, []
        return Orders(self._ending, [gun in told for gun in self._guns], self.station.limit_w)

    def _state(
        self,
        now_ms: int,
        inputs: Inputs,
        allocation: Allocation,
        observed: Observed,
        verified: bool,
        quiet_until_ms: int,
    ) -> State:
        memory, live = self._memory, by_gun(self._memory.feeding)
        connected = by_gun(zip(*(module.closed for module in observed.modules), strict=True))
        return State(
            at_ms=now_ms,
            demand_w=inputs.asked.demand_w,
            asks_w=self.demands.asks_w(now_ms),
            stale=self.demands.stale(now_ms),
            allocation=allocation,
            inputs=inputs,
            offer_w=tuple(each.offer_w for each in memory.offers),
            live=live,
            connected=connected,
            operations=self._decider.operations,
            locked=tuple(g for g, lock in enumerate(scan.locked(ops, memory), 1) if lock),
            latched=self.faults.latched,
            faults=self.faults.without(memory),
            held_ms=tuple(self.held_ms(gun) for gun in self._guns),
            kept=kept(self.station, allocation, inputs.asked, self.demands),
            alarms=(*alarms(self._built, memory), *self.limits.alarms),
            stopped=memory.stop_ms > NOT_SO or memory.latched.stopped,
            idle=not any(memory.enabled) and not any(connected),
            settled=live == tuple(allocation.modules.values()),
            verified=verified,
            as_left=self._as_left,
            quiet_until_ms=quiet_until_ms,
            policy=self.station.policy.name,
        )

    # What persons and guns say, between two scans. `BadInput` changes nothing; what is latched by
    # it is in force when the call returns, and on disk once `faults` are settled.

    def stop(self) -> None:
        """From the next scan on nobody gets anything: offers fall, then modules go off, then
        contactors open. Who has not obeyed after twice the lead time is stopped at once."""
        self._ending = True

    def withdraw(self) -> None:
        """Whatever ends the process, the guns hear of it before their modules go off."""
        self._offers.withdraw()

    def acknowledge(self, gun: int, offer_w: int) -> bool:
        """The gun obeys this offer. It counts only if it is the one published last."""
        is_latest = self._memory.offers[gun - 1].offer_w == offer_w
        if is_latest:
            self._acknowledged.append(gun)
        return is_latest

    def hold(self, gun: int, for_ms: int) -> None:
        """For so long the modules live on this gun are reserved for it, as dwelling ones are: as
        far as its demand needs them, and not against faults. 0 ends it."""
        check_gun(self.station, gun)
        self._decider.hold(gun, self.now_ms() + for_ms)

    def held_ms(self, gun: int) -> int:
        """How long this gun's modules are still held."""
        return self._decider.held_ms(gun, self.now_ms())

    def stop_all(self) -> None:
        """Everything off until `clear_stop`, also after a restart, as in a planned removal or
        after twice the lead time. The button is for what cannot wait."""
        self._keep(clearing.stopped(self._memory))

    def take_out(self, kind: str, number: int, out: bool) -> None:
        """Take a `gun` or a `module` out of service, in the order of a planned removal, or back."""
        self._keep(clearing.taken_out(self._memory, kind, number, out))

    def clear_contactor(self, gun: int, module: int) -> None:
        """Use a contactor again that was inspected; not while command and feedback disagree."""
        self._keep(clearing.contactor(self.station, self._memory, gun, module))

    def clear_module(self, module: int) -> None:
        """Use a module again; not while it reports on although its enable is low."""
        self._keep(clearing.module(self._memory, module))

    def clear_expander(self, position: int) -> None:
        """Configure a lost expander anew, its coils off, and use it again; not while a module that
        it carries is not off, or if it cannot be configured."""
        name = f"expander {self.station.hardware.output_name(position)}"
        clearing.check_at_rest(self._built, self._memory, self._lines.read(), position, name)
        self._supervision.reset(False)
        if not self._bank.configure(position):
            raise BadInput(f"{name}: cannot be configured; allowed once it answers")
        self._keep(clearing.expander(self._memory, position))

    def clear_stop(self) -> None:
        """Go on after a stop, with what is sound; not while the button is pressed."""
        if self._supervision.stopped:
            raise BadInput("emergency stop: the button is pressed; allowed once it is released")
        self._keep(clearing.stop(self._memory))

    def _keep(self, memory: Memory) -> None:
        self._memory = memory
        self.faults.keep(memory.latched)

    @staticmethod
    def now_ms() -> int:
        """The controller's time."""
        return round(clock.now_s() * 1000)
