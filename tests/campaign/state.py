"""All that the future of a station at work depends on, as a value: two stations with the same
state, the same demands and no fault to come live the same lives, whatever the clock says.

Times count from the next scan. Ages count as far as somebody asks for them. What
is found to have no bearing is named here, with the reason; a field that is not named counts in
full, so a new one can cost branches that could have ended, and no wrong answer.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from hashlib import blake2b
from io import BytesIO
from operator import attrgetter
from pickle import HIGHEST_PROTOCOL, Pickler
from typing import Any, NamedTuple

from campaign.disk import Disk
from campaign.slow_solver import SlowSolver
from sweep.working_station import WorkingStation

from hardware.contactors import ContactorController
from hardware.expanders import FeedbackChip, OutputChip
from hardware.mcp23017 import GPIO, OLAT, configured_as
from hardware.simulated.bus import SimulatedBus
from hardware.simulated.cabinet import AFTERMATH_US, Cabinet
from hardware.simulated.contactor import Contactor
from hardware.simulated.monitor import Monitor
from hardware.simulated.pins import CabinetPin, CabinetPins
from hardware.simulated.power_module import PowerModule
from hardware.simulated.vehicle import Vehicle
from hardware.simulated.wire_faults import NEVER
from verified_alloc.control.controller import Controller
from verified_alloc.control.decider import SOLVER_DEADLINE_MS, Decider
from verified_alloc.control.on_disk import AGAIN_S
from verified_alloc.control.self_testing import SelfTesting
from verified_alloc.decide.demand import DemandProcessor
from verified_alloc.kernel.built import Built
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.healing import PAUSE_MS, RESET_MS, STEADY_MS
from verified_alloc.kernel.scan import Memory
from verified_alloc.station.faults import Faults

FIXED = "does not change in a run"
PARTS = "told below"
LONG_US = 10**9
PAST = "tells of the past"
DERIVED = "follows from the rest"
SCRATCH = "set before it is used"
SKIPPING = "says how long time may be skipped, which changes nothing"
LASTS = "in a campaign's stations nothing lasts: it follows from what is asked"

CHIP = {
    **dict.fromkeys(["device", "_note", "_pins_in_use"], FIXED),
    **dict.fromkeys(["answered", "_seen", "_seen_again", "_doubt", "_odd_settings"], SCRATCH),
}
NOT_TOLD: dict[type, dict[str, str]] = {
    Contactor: {
        **dict.fromkeys(["gun", "module", "operate_us", "release_us", "bounce_us"], FIXED),
        **dict.fromkeys(["min_response_us"], FIXED),
        **dict.fromkeys(["pending", "latched_at_us", "bounce_until_us"], PARTS),
    },
    PowerModule: {
        **dict.fromkeys(["id", "power_w", "rise_us", "decay_us", "discharge_us"], FIXED),
        **dict.fromkeys(["reported", "changed_us", "disabled_us"], PARTS),
        **dict.fromkeys(["off_current_ma", "terminal_v"], PARTS),
    },
    Vehicle: {
        **dict.fromkeys(["gun", "battery_v", "response_us"], FIXED),
        **dict.fromkeys(["energy_wus", "since_us"], PAST),
        "expires_us": PARTS,
    },
    Cabinet: {
        **dict.fromkeys(["timing", "gun_max_w", "status_wired", "observer", "chips"], FIXED),
        **dict.fromkeys(["reset_expanders", "bus_fault", "hold_line"], FIXED),
        **dict.fromkeys(["last_bus_fault_us", "_at", "_place", "of_module", "_noise_seed"], FIXED),
        **dict.fromkeys(["contactors", "modules", "vehicles", "on_gun", "guns_of"], PARTS),
        **dict.fromkeys(["_noisy", "_disturbed_us", "_watchdog_us", "_queue"], PARTS),
        **dict.fromkeys(["_supply_changed_us", "_supply_cause", "_reset_fell_us"], PARTS),
        "resumes_us": PARTS,
        **dict.fromkeys(["now_us", "_expiry_us", "_due_us", "_sequence"], DERIVED),
        "last_event_us": SKIPPING,
    },
    Monitor: {
        **dict.fromkeys(["_cabinet", "_reaction_us", "_watchdog_us", "_decay_us"], FIXED),
        **dict.fromkeys(["violations", "exposures", "makes", "breaks"], PAST),
        **dict.fromkeys(["broken_current_a", "longest_stray_us"], PAST),
        **dict.fromkeys(["_open", "_upset_us", "_powered_us", "_loss_us"], PARTS),
        **dict.fromkeys(["_strayed_us", "_unseen_runs"], PARTS),
    },
    SimulatedBus: {
        **dict.fromkeys(["_time", "_one_address_only", "_bit_rate_hz", "_overhead"], FIXED),
        **dict.fromkeys(["transactions", "wire_bytes", "faults_hit"], PAST),
        **dict.fromkeys(["chips", "_armed", "_last_struck_us"], PARTS),
        "_next_fault": DERIVED,
        "_random": "every fault of a campaign says which bit",
        "stand_still": FIXED,
    },
    CabinetPins: {
        # Of gpiozero's factory, and the wiring.
        **dict.fromkeys(["pins", "_reservations", "_res_lock", "_info", "pin_class"], FIXED),
        **dict.fromkeys(["_cabinet", "_enables", "_reset_pin", "_watchdog_pin"], FIXED),
        **dict.fromkeys(["_inputs", "wired", "stand_still"], FIXED),
        "accesses": PAST,
        **dict.fromkeys(["_levels", "_armed"], PARTS),
    },
    SelfTesting: {
        **dict.fromkeys(["_tests", "_latest"], "a campaign's station tests nothing by itself"),
        **dict.fromkeys(["station", "_built", "_guns"], FIXED),
        "limits": "nobody tells a campaign's station a limit",
        **dict.fromkeys(["_wires", "report"], FIXED),
        "_supervision": FIXED,  # its lines are the pins'
        "_lines": PARTS,
        **dict.fromkeys(["demands", "_bank", "_memory", "_decider", "_last_ms", "_offers"], PARTS),
        "faults": DERIVED,  # of the memory
        "_stillness": SKIPPING,
        "_news": "decides nothing: it says what is the matter",
    },
    Decider: {
        **dict.fromkeys(["_demands", "_report"], FIXED),
        **dict.fromkeys(["inputs", "_allocation"], PARTS),
        **dict.fromkeys(["_stood", "_worn"], SCRATCH),  # each decision is made in its scan
        "_solve": PARTS,
        "_undecided_ms": PARTS,
        "_steady": LASTS,
        "_holds_w": "nobody holds a gun",
        "_wear": "a decision is told of it by the thousand operations, which no change reaches",
    },
    DemandProcessor: {
        **dict.fromkeys(["_station", "_timeout_ms", "_deadband_w", "_rank_delay_ms"], FIXED),
        "_limit_w": "nobody tells a campaign's station a limit",
        **dict.fromkeys(["_differs_ms", "_most", "_least"], LASTS),
        "_set_ms": PARTS,
    },
    ContactorController: {
        **dict.fromkeys(["_layout", "_pins_in_use", "_buses", "_looks"], FIXED),
        **dict.fromkeys(["events", "counts"], PAST),
        "_scrub_each_scan": FIXED,
        **dict.fromkeys(["_outputs", "_feedback", "_scrubbed", "_reads"], PARTS),
        "_repairs": SCRATCH,  # each call has its time, and the chips are these
    },
    OutputChip: CHIP,
    FeedbackChip: CHIP,
}


class State(NamedTuple):
    """By digest: compare two for equality."""

    core: bytes
    """What happens from now on."""
    excuses: bytes
    """What, of the recent past, the monitor may excuse by it: no deed becomes wrong that was not,
    and a life without an exposure needs none."""
    open: bool
    """An exposure is under way: its duration is not told."""


def state_of(at_work: WorkingStation) -> State:
    """At the instant of the next scan, before it."""
    cabinet, monitor = at_work.cabinet, at_work.monitor
    now_us, now_ms = cabinet.now_us, at_work.now_ms
    reaction_us = monitor._reaction_us
    discharge_us = 0 if cabinet.status_wired else cabinet.timing.module_discharge_ms * 1000
    core = (
        _plant(cabinet, now_us, 2000 * at_work.station.timing.scan_ms),
        _judge(monitor, now_us),
        _bus(at_work.bus),
        _lines(at_work.charger.pins),
        _controller(at_work.controller, at_work.bus, now_ms),
        at_work.silent and sorted(at_work.silent),
        isinstance(at_work._solve, SlowSolver) and (at_work._solve.question, at_work._solve.asked),
        _disk(at_work, now_ms),
    )
    struck_us = at_work.bus.last_struck_us() or -AFTERMATH_US
    excuses = (
        _recent(monitor._upset_us, now_us, reaction_us),
        _recent(monitor._powered_us, now_us, max(reaction_us, discharge_us)),
        _recent(monitor._loss_us, now_us, reaction_us),
        list(_unseen(monitor, now_us)),
        min(now_us - max(struck_us, cabinet._disturbed_us), AFTERMATH_US + 1),
        min(now_us - cabinet.resumes_us, reaction_us + 1),
    )
    return State(_digest(core), _digest(excuses), bool(monitor._open))


def _digest(value: object) -> bytes:
    told = BytesIO()
    pickler = Pickler(told, HIGHEST_PROTOCOL)
    pickler.fast = True  # by value: no reference to what came before
    pickler.dump(value)
    return blake2b(told.getbuffer(), digest_size=16).digest()


@cache
def _told_of(kind: type, fields: tuple[str, ...]) -> Callable[[Any], Any]:
    names = [name for name in fields if name not in NOT_TOLD[kind]]
    return attrgetter(*names) if names else lambda _: ()


def _told(thing: Any) -> Any:
    """What counts in full."""
    kind = type(thing)
    fields = vars(thing) if hasattr(thing, "__dict__") else kind.__slots__
    return _told_of(kind, tuple(fields))(thing)


def _recent(times_us: dict[Any, int], now_us: int, limit_us: int) -> list[Any]:
    return sorted(
        (where, now_us - at_us) for where, at_us in times_us.items() if now_us - at_us <= limit_us
    )


# The plant.


def _plant(cabinet: Cabinet, now_us: int, soon_us: int) -> Any:
    watchdog_us = cabinet._watchdog_us
    steady = cabinet._gate_open and cabinet.coil_supply
    lost_us = cabinet._supply_changed_us
    return (
        _told(cabinet),
        [_contactor(contactor, cabinet, now_us) for contactor in cabinet.contactors.values()],
        [_module(module, now_us) for module in cabinet.modules],
        # Offers are renewed in each scan, and a verified one pets the watchdog.
        [
            (_told(vehicle), vehicle.expires_us - now_us < soon_us and vehicle.expires_us - now_us)
            for vehicle in cabinet.vehicles
        ],
        watchdog_us and watchdog_us - now_us < soon_us and watchdog_us - now_us,
        [[unit.id for unit in units] for units in cabinet.on_gun],
        [[contactor.gun for contactor in closed] for closed in cabinet.guns_of],
        any(cabinet._noisy)
        and [sorted((c.gun, c.module) for c in noisy) for noisy in cabinet._noisy],
        lost_us >= 0
        if steady
        else (
            min(now_us - lost_us, cabinet.timing.off_delay_ms * 1000 + 1),
            cabinet._supply_cause,
        ),
        not cabinet._reset_line_high
        and min(now_us - cabinet._reset_fell_us, cabinet.timing.off_delay_ms * 1000),
        sorted(
            (due_us - now_us, order, what.__name__, _named(args))
            for due_us, order, what, args in _in_order(cabinet)
        ),
        now_us if any(c.aux_fault == "aux-chatter" for c in cabinet.contactors.values()) else 0,
    )


def _in_order(cabinet: Cabinet) -> Iterable[tuple[int, int, Any, Any]]:
    """Events to come. An alarm finds nothing when nothing is open."""
    events = sorted(cabinet._queue, key=lambda event: event[:2])
    judge = cabinet.observer
    assert isinstance(judge, Monitor)
    return [
        (due_us, order, what, args)
        for order, (due_us, _, what, args) in enumerate(
            event for event in events if judge._open or event[2].__name__ != "_alarm"
        )
    ]


def _named(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        (arg.gun, arg.module)
        if isinstance(arg, Contactor)
        else arg.id
        if isinstance(arg, PowerModule)
        else arg.gun
        if isinstance(arg, Vehicle)
        else arg
        for arg in args
    )


def _contactor(contactor: Contactor, cabinet: Cabinet, now_us: int) -> Any:
    bounces_us = contactor.bounce_until_us - now_us
    return (
        _told(contactor),
        bounces_us > 0 and bounces_us,
        cabinet.coil_supply or contactor.latched_at_us > cabinet._supply_changed_us,
        contactor.pending
        and [
            (
                *(due_us - now_us, close, drive.cause, drive.loaded, drive.occupied, drive.excuse),
                min(now_us - drive.at_us, contactor.min_response_us),
            )
            for due_us, close, drive in contactor.pending
        ],
    )


def _module(module: PowerModule, now_us: int) -> Any:
    told, age_us = _told(module), now_us - module.changed_us
    if module.running:
        return told, module.risen or age_us
    decaying_ma, discharging_v = module.decaying_ma(now_us), module.discharging_v(now_us)
    return (
        told,
        module.reported and age_us < module.rise_us and age_us,
        decaying_ma and (module.off_current_ma, age_us),
        discharging_v and (module.terminal_v, age_us),
        module.enabled or min(now_us - module.disabled_us, module.decay_us),
    )


def _judge(monitor: Monitor, now_us: int) -> Any:
    return (
        _told(monitor),
        [
            (
                key,
                condition.record.event.kind,
                min(condition.deadline_us - now_us, LONG_US),
                condition.postponed,
            )
            for key, condition in sorted(monitor._open.items())
        ],
        _recent(monitor._strayed_us, now_us, monitor._reaction_us),
    )


def _unseen(monitor: Monitor, now_us: int) -> Iterator[tuple[int, int, int]]:
    """Runs that nobody has seen, as long as they leave something at the module's terminals."""
    for module, run in sorted(monitor._unseen_runs.items()):
        unit = monitor._cabinet.modules[module - 1]
        if unit.running or unit.discharging_v(now_us) or unit.decaying_ma(now_us):
            until_us = now_us if unit.running else unit.changed_us
            yield (
                module,
                min(until_us - run.began_us, monitor._reaction_us + 1),
                min(now_us - run.off_us, monitor._decay_us),
            )


# The wires.


def _bus(bus: SimulatedBus) -> Any:
    now_us = bus._time.now_us
    armed = [
        (
            *(one.fault, max(one.first - bus.transactions, 0), one.left),
            one.until_us < NEVER and one.until_us - now_us,
        )
        for one in bus._armed
    ]
    return (
        _told(bus),
        [
            (bytes(chip._values), chip.held_in_reset, chip.stuck_high, chip.stuck_low)
            for chip in bus.chips.values()
        ],
        # Each transfer begins by setting the pointer, unless a fault keeps it from it.
        armed and (armed, [chip.pointer for chip in bus.chips.values()]),
    )


def _lines(pins: CabinetPins) -> Any:
    armed = [(max(first - pins.accesses, 0), fault) for first, fault in pins._armed]
    watchdog = pins._watchdog_pin
    return (
        _told(pins),
        [(line, level) for line, level in pins._levels.items() if line != watchdog],
        [_pin(pin) for pin in pins.pins.values() if pin._line != watchdog],  # its edges count
        armed,
    )


def _pin(pin: CabinetPin) -> Any:
    return pin._line, pin._function, pin._state, pin._pins is None


def _disk(at_work: WorkingStation, now_ms: int) -> Any:
    """As long as it may refuse what is latched, or has."""
    disk, faults = at_work._faults_path, at_work.controller.faults
    on_disk = faults.on_disk
    if not isinstance(disk, Disk) or (disk.fault is None and not on_disk.refused):
        return None
    tried_ms = min(now_ms - round(1000 * on_disk.tried_s), 1000 * AGAIN_S)
    return disk.text, disk.fault, disk._left, on_disk.refused, tried_ms, faults._untold


# The controller.


def _controller(controller: Controller, bus: SimulatedBus, now_ms: int) -> Any:
    timing, demands = controller.station.timing, controller.demands
    return (
        _told(controller),
        (controller._lines._wanted, controller._lines._levels),
        [(told_w, max(until_ms - now_ms, 0)) for told_w, until_ms in controller._offers._told],
        _told(demands),
        [
            # Told anew before each scan, unless the gun is silent.
            at_ms is not None and (now_ms - at_ms if now_ms - at_ms > 4 * timing.scan_ms else 0)
            for at_ms in demands._set_ms
        ],
        now_ms - controller._last_ms,
        _decider(controller._decider, controller.faults.without(controller._memory), now_ms),
        _memory(
            controller._memory,
            controller._built,
            bool(bus._armed) or any(c.stuck_high | c.stuck_low for c in bus.chips.values()),
        ),
        _bank(controller._bank, bus),
    )


def _decider(decider: Decider, faults: Faults, now_ms: int) -> Any:
    inputs, allocation, since_ms = decider.inputs, decider._allocation, decider._undecided_ms
    return (
        _told(decider),
        since_ms is not None and min(now_ms - since_ms, SOLVER_DEADLINE_MS),
        allocation and (allocation.modules, allocation.delivered_w),
        inputs and (inputs.asked, inputs.reserved, inputs.faults == faults),
    )


def _memory(memory: Memory, built: Built, more_to_come: bool) -> Any:
    """Ages as far as a kernel function compares them with a time. How often an expander was
    configured anew matters to one that is out of order, or may be again."""
    timing, lead_ms = built.timing, built.offer_lead_ms
    off_ms = max(timing.current_decay_ms, timing.module_discharge_ms)
    tested_ms = max(PAUSE_MS, timing.module_discharge_ms + STEADY_MS)
    settled_ms = max(timing.contactor_operate_ms, timing.contactor_release_ms)
    return memory._replace(
        ages=[
            (
                min(age.off_ms, off_ms),
                min(age.stuck_ms, timing.module_off_timeout_ms),
                min(age.silent_ms, timing.module_off_timeout_ms),
                [min(one_ms, settled_ms) for one_ms in age.settled_ms],
                list(age.mismatch),
                list(age.latch),
            )
            for age in memory.ages
        ],
        lines_off_ms=[min(age_ms, timing.current_decay_ms) for age_ms in memory.lines_off_ms],
        fed_ms=[min(age_ms, built.minimum_dwell_ms) for age_ms in memory.fed_ms],
        healing=[
            each[:3]
            if latched or not (each.lost or each.in_vain or more_to_come)
            else (*each[:4], min(each.last_ms, tested_ms))
            for each, latched in zip(memory.healing, memory.latched.expander_lost, strict=True)
        ],
        reset_ms=min(memory.reset_ms, timing.current_decay_ms + RESET_MS),
        answering_ms=min(memory.answering_ms, PAUSE_MS),
        none_follows_ms=min(memory.none_follows_ms, 2 * timing.contactor_operate_ms + 1),
        stopping_ms=min(memory.stopping_ms, 2 * lead_ms + 1),
        stop_ms=min(memory.stop_ms, timing.module_off_timeout_ms + timing.current_decay_ms),
        offers=[
            (*each[:3], each.pending_w != each.promise_w and min(each.waited_ms, lead_ms))
            for each in memory.offers
        ],
    )[:]


def _bank(bank: ContactorController, bus: SimulatedBus) -> Any:
    chips = [*bank._outputs, *bank._feedback]
    sound = all(
        chip.device.address in bus.chips
        and _sound(bytes(bus.chips[chip.device.address]._values), isinstance(chip, OutputChip))
        for chip in chips
    )
    return (
        _told(bank),
        # Whose turn it is to be looked over tells apart only where there is something to find.
        sound or (bank._scrubbed % len(chips), bank._reads % 12),
        [_told(chip) for chip in bank._outputs],
        [_told(chip) for chip in bank._feedback],
        (given_up := len(bank._given_up())) and bank._reads % given_up,
    )


def _sound(registers: bytes, outputs: bool) -> bool:
    latches = registers[OLAT:]
    return configured_as(registers[:GPIO] + latches + latches, outputs)


assert NOT_SO < 0  # the caps above leave it as it is
