"""The scan's end of the link to the service process: takes orders, shows what was scanned.

Nothing here waits. Orders are taken before a scan, a few at most, and answered after it; what the
scan looks like is shown when it has changed, or ten times a second, and not at all while the link
is full. Orders are checked again here (`order_models.py`); nothing that comes from the service
process is ever unpickled, and all it can do is what `_ORDERS` lists.
"""

import logging
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

from hardware.simulated import faults as simulated_faults
from hardware.simulated.charger import SimulatedCharger
from verified_alloc.control.controller import Controller
from verified_alloc.control.fault_kinds import (
    CONTACTOR,
    EXPANDER,
    KINDS,
    MODULE,
    STOP,
    in_order,
    name_of,
)
from verified_alloc.control.state import State
from verified_alloc.control.trace_player import Player
from verified_alloc.decide.allocate import check_policy
from verified_alloc.decide.demand import check_gun, watts
from verified_alloc.errors import BadInput, shown
from verified_alloc.service.fault_history import FaultHistory, beside
from verified_alloc.service.felt import Felt
from verified_alloc.service.limit_models import ClearLimits, Limit, profiles
from verified_alloc.service.log import OncePerKind
from verified_alloc.service.order_models import ALIVE, read
from verified_alloc.service.service_process import ServiceProcess
from verified_alloc.service.snapshot import LATENESS_BOUNDS_MS, Lateness, Note, Snapshot
from verified_alloc.station.model import Station
from verified_alloc.words import kilowatts

ORDERS_PER_SCAN, ORDER_BYTES_PER_SCAN = 16, 1 << 16
NOTES_KEPT = 40
SHOWN_EVERY_S = 0.1

log = logging.getLogger("verified_alloc.link")
log.addFilter(OncePerKind())


class Orders:
    """Those to one run of a station; `charger` is the simulated one, if it is."""

    def __init__(
        self, station: Station, child: ServiceProcess, charger: SimulatedCharger | None
    ) -> None:
        self._station = station
        self._child = child
        self._charger = charger
        self._controller: Controller | None = None
        self._player: Player | None = None
        self._answers: deque[tuple[str, int, bool, str]] = deque()
        self._unkept: list[tuple[str, int, bool, str]] = []  # until what they did is on disk
        self._started_s = time.time()
        self._ending = False
        self._scans = self._unverified = 0
        self._assignment = 0
        self._assigned_s = self._started_s
        self._modules: Mapping[int, tuple[int, ...]] = {}
        self._felt = Felt(len(station.guns), station.module_power_w)
        self._fault_history = FaultHistory(station)
        self._late_counts = [0] * (len(LATENESS_BOUNDS_MS) + 1)
        self._late_ms = self._most_late_ms = self._sum_late_ms = 0.0
        self._notes: deque[Note] = deque(maxlen=NOTES_KEPT)
        self._noted = 0
        self._shown: object = None
        self._shown_s = 0.0

    def remember(self, faults: Path, report: Callable[[str], None], disk: Executor) -> None:
        """Since when faults stand, and who saw them, beside the latched faults."""
        self._fault_history.keep(beside(faults), report, disk)

    def note(self, sentence: str) -> None:
        """Something happened."""
        self._noted += 1
        self._notes.append(Note(self._noted, time.time(), sentence))

    def serve(self, controller: Controller, player: Player, late_s: float, ending: bool) -> None:
        """Take the orders that have come; before each scan, which began so late."""
        self._controller, self._player, self._ending = controller, player, ending
        self._count_lateness(late_s * 1000)
        taken = 0
        for _ in range(ORDERS_PER_SCAN if not self._answers else 0):
            data = self._child.receive()
            if data is None:
                break
            if data != ALIVE:
                self._take(data)
            taken += len(data)
            if taken >= ORDER_BYTES_PER_SCAN:
                break
        self._child.keep()

    def watch(self, state: State) -> None:
        """See a scan, answer the orders that it has taken, show it."""
        self._scans += 1
        self._unverified += not state.verified
        if state.allocation.modules != self._modules:
            self._modules = state.allocation.modules
            self._assignment += 1
            self._assigned_s = time.time()
        self._felt.watch(state)
        self._fault_history.watch(state.latched, time.time())
        self._give_back(state)
        if self._at_work().faults.settled and self._at_work().limits.settled:
            self._answers.extend(self._unkept)
            self._unkept.clear()
        while self._answers and self._child.send(self._answers[0]):
            self._answers.popleft()
        showing = (
            state.offer_w,
            state.live,
            state.connected,
            state.locked,
            state.faults,
            state.stopped,
            state.verified,
            state.tests,
            state.testing,
            self._assignment,
            self._noted,
            len(self._fault_history.acknowledged_s),
        )
        now_s = time.monotonic()
        due = showing != self._shown or now_s - self._shown_s >= SHOWN_EVERY_S
        if due and self._child.send(self._seen(state)):
            self._shown, self._shown_s = showing, now_s

    def _seen(self, state: State) -> Snapshot:
        at_s, rises_ms = time.time(), self._at_work().limits.rises_ms
        guns = [gun.id for gun in self._station.guns]
        return Snapshot(
            at_s=at_s,
            started_s=self._started_s,
            scans=self._scans,
            unverified=self._unverified,
            ending=self._ending,
            state=state,
            assignment=self._assignment,
            assigned_s=self._assigned_s,
            limits=self._at_work().limits.standing(),
            limit_rises_s=None
            if rises_ms is None
            else round(at_s + (rises_ms - state.at_ms) / 1000),
            fell_to_0=tuple(self._felt.fell_to_0),
            operations_an_hour=self._felt.operations_an_hour(state),
            energy_wms=tuple(self._felt.energy_wms),
            drawn_w=None
            if self._charger is None
            else tuple(map(self._charger.cabinet.draw_w, guns)),
            lateness=Lateness(
                tuple(self._late_counts), self._sum_late_ms, self._late_ms, self._most_late_ms
            ),
            notes=tuple(self._notes),
            fault_since_s=self._fault_history.since_s,
            acknowledged_s=self._fault_history.acknowledged_s,
        )

    def _count_lateness(self, late_ms: float) -> None:
        self._late_counts[bisect_left(LATENESS_BOUNDS_MS, late_ms)] += 1
        self._late_ms = late_ms
        self._sum_late_ms += late_ms
        self._most_late_ms = max(self._most_late_ms, late_ms)

    def _give_back(self, state: State) -> None:
        """In simulation a gun goes on with its day when who spoke for it has fallen silent and
        everything that this must take away is gone."""
        if self._charger is None or self._player is None:
            return
        for gun in state.stale:
            if state.offer_w[gun - 1] == 0 and not state.live[gun - 1]:
                self._player.give_back(gun)

    # Orders.

    def _take(self, data: bytes) -> None:
        """Carry out an order. One that is refused has changed nothing; what is none is dropped: no
        service process of ours sends it."""
        try:
            order = read(data)
        except BadInput as error:
            log.error("dropped from the service process: %s", error)
            return
        number = order["number"]
        at_work = self._at_work()
        before = at_work.faults.latched, at_work.limits.kept
        try:
            if self._ending:
                raise BadInput("the station is ending; allowed is nothing any more")
            said, accepted = _ORDERS[order["do"]](self, order), True
        except BadInput as error:
            said, accepted = str(error), False
        to_keep = before != (at_work.faults.latched, at_work.limits.kept)
        (self._unkept if to_keep else self._answers).append(("answer", number, accepted, said))

    def _at_work(self) -> Controller:
        assert self._controller is not None
        return self._controller

    def _gun(self, order: Mapping[str, Any]) -> int:
        gun = order.get("gun")
        check_gun(self._station, gun)
        assert isinstance(gun, int)
        return gun

    def _demand(self, order: Mapping[str, Any]) -> str:
        gun = self._gun(order)
        demand_w = watts(order.get("kw"), f"gun {gun}")  # type: ignore[arg-type]
        age_ms = order.get("age_ms", 0)
        if not isinstance(age_ms, int) or age_ms < 0:
            raise BadInput(f"age of gun {gun}'s demand = {shown(age_ms)} ms: allowed is 0 or more")
        controller = self._at_work()
        controller.demands.set_w(gun, demand_w, controller.now_ms() - age_ms)
        assert self._player is not None
        self._player.take(gun, demand_w)
        return f"gun {gun} asks for {kilowatts(demand_w)}"

    def _acknowledge(self, order: Mapping[str, Any]) -> str:
        gun = self._gun(order)
        offer_w = watts(order.get("offer_kw"), f"gun {gun}")  # type: ignore[arg-type]
        if not self._at_work().acknowledge(gun, offer_w):
            raise BadInput(
                f"acknowledgement of gun {gun} = {kilowatts(offer_w)}: allowed is the offer that"
                " was published last"
            )
        if self._charger is not None:
            self._charger.cabinet.obey(gun)
        return f"gun {gun} obeys {kilowatts(offer_w)}"

    def _hold(self, order: Mapping[str, Any]) -> str:
        gun, seconds = self._gun(order), order["seconds"]
        if seconds and not self._modules.get(gun) and not self._at_work().held_ms(gun):
            raise BadInput(f"gun {gun} has no modules to hold; allowed once it has")
        self._at_work().hold(gun, round(seconds * 1000))
        return f"gun {gun} keeps its modules for {seconds:g} s" if seconds else f"gun {gun} let go"

    def _take_out(self, order: Mapping[str, Any]) -> str:
        kind, number, out = order["kind"], order["id"], order["out"]
        self._at_work().take_out(kind, number, out)
        part = f"PM{number}" if kind == "module" else f"{kind} {number}"
        said = f"{part} is {'out of' if out else 'in'} service"
        self._at_work().report(f"{said}, as told")
        return said

    def _put_limit(self, order: Mapping[str, Any]) -> str:
        limits, limit = self._at_work().limits, Limit.model_validate(order["limit"])
        limits.heard()
        told = profiles(limit, self._station, limits.now_s())
        limits.tell(told)
        session = limits.standing().sessions.get(limit.whose or 0)
        limit_w = told[0].at(limits.now_s(), session and session.began_s)
        said = "none now" if limit_w is None else f"{kilowatts(limit_w)} now"
        said = f"{'site limit' if limit.whose is None else f'limit of gun {limit.whose}'}: {said}"
        self._at_work().report(f"{said}, as told")
        return said

    def _clear_limits(self, order: Mapping[str, Any]) -> str:
        limits, which = self._at_work().limits, ClearLimits.model_validate(order["which"])
        gone = limits.clear(**which.named)
        if not gone and any(each is not None for each in which.named.values()):
            raise BadInput("no limit has all of that: allowed is one that stands")
        left = len(limits.profiles)
        said = f"{left} left" if left else "no limit but the station's own"
        self._at_work().report(f"limits taken back: {said}, as told")
        return said

    def _heartbeat(self, order: Mapping[str, Any]) -> str:
        load_kw = order.get("other_load_kw")
        other_w = None if load_kw is None else watts(load_kw, "others")
        self._at_work().limits.heard(other_w)
        return "heard" if other_w is None else f"heard: others draw {kilowatts(other_w)}"

    def _policy(self, order: Mapping[str, Any]) -> str:
        policy, controller = order["policy"], self._at_work()
        check_policy(controller.station, policy)
        controller.station = controller.station.under(policy)
        controller.report(f"policy: {policy}, as told")
        return f"policy: {policy}"

    def _clear(self, order: Mapping[str, Any]) -> str:
        name, controller = str(order.get("fault")), self._at_work()
        latched = in_order(controller.faults.latched)
        fault = next((one for one in latched if name_of(self._station, one) == name), None)
        if not name or fault is None:
            raise BadInput(f"fault {shown(name)}: allowed is the id of a latched fault")
        _CLEAR[KINDS[fault.kind].name](controller, fault)
        controller.report(f"{name} is cleared, as told")
        return f"{name} is cleared"

    def _acknowledge_fault(self, order: Mapping[str, Any]) -> str:
        said = self._fault_history.acknowledge(str(order.get("fault")), time.time())
        self._at_work().report(said)
        return said

    def _emergency_stop(self, _: Mapping[str, Any]) -> str:
        self._at_work().stop_all()
        self._at_work().report("stopped, as told")
        return "stopped: offers fall, modules go off, contactors open"

    def _inject(self, order: Mapping[str, Any]) -> str:
        if self._charger is None:
            raise BadInput("faults are injected only into a simulated station")
        try:
            fault = simulated_faults.parse(str(order.get("fault")))
            self._charger.inject(replace(fault, at_us=fault.at_us + self._charger.time.now_us))
        except ValueError as error:
            raise BadInput(str(error)) from None
        self._at_work().report(f"injected: {fault.text}")
        return f"injected: {fault.text}"


_CLEAR: Mapping[str, Callable[[Controller, Any], None]] = {
    CONTACTOR: lambda controller, fault: controller.clear_contactor(fault.gun, fault.module),
    MODULE: lambda controller, fault: controller.clear_module(fault.module),
    EXPANDER: lambda controller, fault: controller.clear_expander(fault.expander),
    STOP: lambda controller, fault: controller.clear_stop(),
}
"""By what faults are cleared by."""

_ORDERS: Mapping[str, Callable[[Orders, Mapping[str, Any]], str]] = {
    "demand": Orders._demand,
    "acknowledge": Orders._acknowledge,
    "hold": Orders._hold,
    "take_out": Orders._take_out,
    "put_limit": Orders._put_limit,
    "clear_limits": Orders._clear_limits,
    "heartbeat": Orders._heartbeat,
    "policy": Orders._policy,
    "clear": Orders._clear,
    "acknowledge_fault": Orders._acknowledge_fault,
    "emergency_stop": Orders._emergency_stop,
    "inject": Orders._inject,
}
