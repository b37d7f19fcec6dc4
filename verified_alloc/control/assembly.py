"""A station put together: its wires taken, the controller on them, or a charger in software."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from hardware import bus_time, clock
from hardware.contactors import ContactorController
from hardware.modules import PowerModuleController
from hardware.simulated.charger import SimulatedCharger
from hardware.simulated.plant_timing import PlantTiming
from hardware.supervision import Supervision
from verified_alloc.control import limits_file, proof_dates
from verified_alloc.control.controller import Controller
from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.latched_faults import LatchedFaults
from verified_alloc.control.proof_dates import ProofDates
from verified_alloc.control.self_testing import SelfTesting
from verified_alloc.control.standing_limits import StandingLimits
from verified_alloc.control.wall_clock import WallClock, is_synchronised
from verified_alloc.control.wires import bank_of, layout_of, least_scan_ms
from verified_alloc.decide.allocate import Solve, prepare
from verified_alloc.decide.demand import DemandProcessor
from verified_alloc.decide.policies.problem import NO_WEAR
from verified_alloc.errors import BadInput, shown
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair, in_words
from verified_alloc.whole_file import AtOnce

HARDWARE = ("simulated", "pi")


def check_hardware(name: str) -> None:
    """Refuse, as `BadInput`, a name that is none."""
    if name not in HARDWARE:
        raise BadInput(f"--hardware {shown(name)}: allowed is {' or '.join(HARDWARE)}")


@contextmanager
def wires(
    station: Station, watchdog_device: str = ""
) -> Iterator[tuple[ContactorController, PowerModuleController, Supervision]]:
    """Bus and lines of whatever the seams lead to, taken; no expander is touched yet. The enable
    lines are low, now and afterwards; however it ends, they fall first, and RESET, which may open
    contactors, when no current can flow any more."""
    layout = replace(layout_of(station), watchdog_device=watchdog_device)
    with ExitStack() as stack:
        lines = PowerModuleController(layout.enable_pins, layout.status_pins)
        stack.callback(lines.close)
        supervision = Supervision(layout)
        stack.callback(supervision.close)
        stack.callback(lambda: clock.sleep_s(station.timing.current_decay_ms / 1000))
        stack.callback(lines.close)
        bank = bank_of(station)
        bank.open()
        stack.callback(bank.close)
        yield bank, lines, supervision


@contextmanager
def controlled(
    station: Station,
    demands: DemandProcessor,
    publish: Callable[[int, int, int], None],
    report: Callable[[str], None],
    unix_s: Callable[[], float],
    faults_path: Path | None = None,
    watchdog_device: str = "",
    solve: Solve | None = None,
    operations: Mapping[Pair, int] = NO_WEAR,
    disk: Executor | None = None,
    synchronised: Callable[[], bool] = is_synchronised,
) -> Iterator[Controller]:
    """A controller on whatever the seams lead to, started. Its enable lines are low afterwards.
    `disk` writes what is to last; without one the scan does. `unix_s` is the time of day, and
    `synchronised` says whether somebody keeps that right."""
    if solve is None:
        prepare(station)
    with ExitStack() as stack:
        disk = disk or AtOnce()
        faults = LatchedFaults(station, FaultFile(faults_path), report, disk)
        stack.callback(faults.finish)
        dates_path = limits_path = None
        if faults_path is not None:
            dates_path = proof_dates.beside(faults_path)
            limits_path = limits_file.beside(faults_path)
        limits = StandingLimits(
            station,
            limits_file.LimitsFile(limits_path, unix_s),
            report,
            disk,
            lambda before_s: WallClock(unix_s, synchronised, before_s=before_s),
        )
        stack.callback(limits.finish)
        dates = ProofDates(dates_path, report, disk)
        stack.callback(dates.close)  # and only after the wires: no module waits for a disk
        bank, lines, supervision = stack.enter_context(wires(station, watchdog_device))
        controller = SelfTesting(
            station,
            bank,
            lines,
            supervision,
            demands,
            faults,
            limits,
            publish,
            report,
            solve,
            operations,
            dates=dates,
            unix_s=unix_s,
        )
        controller.start()
        try:
            yield controller
        except Exception:
            controller.withdraw()
            raise


def check_scan_time(station: Station) -> None:
    """Refuse, as `BadInput`, a scan that is shorter than its time on the Pi's I2C buses."""
    scan_ms, hardware = station.timing.scan_ms, station.hardware
    rates_hz = {
        bus: bus_time.bit_rate_hz(bus) or bus_time.ASSUMED_BIT_RATE_HZ for bus in hardware.i2c_buses
    }
    least_ms = least_scan_ms(station, rates_hz)
    if scan_ms < least_ms:
        raise BadInput(
            f"timing.scan_ms = {scan_ms}: allowed is at least {least_ms}, the time that a scan"
            f" takes on {hardware.buses_name} at"
            f" {in_words(rate // 1000 for rate in rates_hz.values())} kHz"
        )


def simulated_charger(
    station: Station, speed: float | None = None, seed: int = 0
) -> SimulatedCharger:
    """The charger that the station file describes, in software; `speed` as in `VirtualTime`."""
    timing = station.timing
    return SimulatedCharger(
        gun_max_w=station.gun_max_w,
        module_power_w=station.module_power_w,
        contactors=station.contactors,
        timing=PlantTiming(
            operate_ms=timing.contactor_operate_ms,
            release_ms=timing.contactor_release_ms,
            min_response_ms=timing.contactor_min_response_ms,
            current_decay_ms=timing.current_decay_ms,
            module_discharge_ms=timing.module_discharge_ms,
            off_delay_ms=timing.current_decay_ms + 100,
            watchdog_ms=max(timing.relay_watchdog_ms, 4 * timing.scan_ms),
            vehicle_response_ms=timing.offer_lead_ms,
        ),
        fault_reaction_ms=timing.fault_reaction_ms,
        layout=layout_of(station),
        speed=speed,
        seed=seed,
    )
