"""The cabinet around the virtual Pi: simulated, judged by its monitor, in real time.

It stands outside the machine, as a real one does, and goes on whatever happens in there.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import smbus2
from adapter import TinyUsb, serve
from header import Header
from image import WATCHDOG_PIN
from machine import Command, Machine

from hardware.simulated.bus import BusFault, FaultHit
from hardware.simulated.cabinet import COMMAND
from hardware.simulated.faults import parse
from hardware.simulated.monitor import Event
from hardware.simulated.pins import CLAIMED
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.station.model import Station

LOOK_EVERY_S = 0.005
WATCHDOG_S = 1.6
"""Of the watchdog chip beside the Pi: so long without an edge, and it resets the Pi."""

_OFFER = re.compile(r"gun (\d+): PM[\d,]+ ([\d.]+) kW")

Feeding = dict[int, tuple[int, ...]]
"""By gun, the modules that feed it."""


class Bench:
    """A charger as the station file says, wired to a machine that stays on while it is used."""

    def __init__(self, station: Station, machine: Machine, log: Callable[[str], None]) -> None:
        self.charger = simulated_charger(station)
        self.machine = machine
        self.resets = 0
        """How often the watchdog chip has reset the machine."""
        self._station = station
        self._log = log
        self._lock = threading.RLock()
        self._began_s = time.monotonic()
        self._offers_w = dict.fromkeys(range(1, len(station.guns) + 1), 0)
        self._heard: deque[str] = deque()
        """Lines of the console. Who reads it waits for nobody: QEMU would wait for that, holding
        its lock, and whoever asks QEMU for a level would wait for QEMU."""
        self._logged = {"violation": 0, "exposure": 0, "struck": 0}
        self._fed_s: float | None = None
        self._module_of = {pin: n for n, pin in enumerate(station.hardware.enable_pins, start=1)}
        self._header = Header(machine.lines, self._driven, self._released, self._shown)
        for gun in station.guns:
            self.charger.cabinet.vehicle(gun.id, gun.max_power_w)  # each takes what it is offered

    @contextmanager
    def running(self) -> Iterator["Bench"]:
        """Time passes in the cabinet, and what stands on its wires reaches the machine."""
        ended = threading.Event()

        def look_on() -> None:
            while not ended.wait(LOOK_EVERY_S):
                self._look()

        with self.charger.bus.installed():
            bus = smbus2.SMBus(1)  # ours: the simulated one

            def transfer(message: smbus2.i2c_msg) -> None:
                with self._lock:
                    self._look()  # so that lines and bus keep their order
                    bus.i2c_rdwr(message)

            self._looking = threading.Thread(target=look_on, daemon=True)
            adapter = TinyUsb(transfer)
            threading.Thread(target=serve, args=(self.machine.usb, adapter), daemon=True).start()
            self._looking.start()
            try:
                yield self
            finally:
                ended.set()
                self._looking.join()

    def run(self, text: str) -> Command:
        """Start the controller; what it offers, while it lives, reaches the guns."""
        return self.machine.start(text, self._heard.append)

    def inject(self, fault: BusFault) -> None:
        """Disturb the bus, below the machine's kernel."""
        with self._lock:
            self.charger.bus.inject(fault)

    def strike(self, fault: str) -> None:
        """Break a part of the cabinet."""
        with self._lock:
            self.charger.inject(parse(fault))

    def struck(self) -> int:
        """How many faults have struck so far."""
        return len(self.charger.bus.faults_hit)

    def clear(self, fault: BusFault) -> None:
        """End that disturbance."""
        with self._lock:
            self.charger.bus.clear(fault)

    def feeding(self) -> Feeding:
        """What feeds the guns now, as the cabinet knows."""
        with self._lock:
            live = {gun.id: self.charger.cabinet.live_modules(gun.id) for gun in self._station.guns}
        return {gun: modules for gun, modules in live.items() if modules}

    def closed(self) -> set[tuple[int, int]]:
        """The contactors that are closed, (gun, module)."""
        with self._lock:
            return self.charger.cabinet.closed_contactors()

    def wait_for(self, feeding: Feeding, timeout_s: float = 60) -> None:
        """Until it feeds so. Raises TimeoutError."""
        self.wait_until(lambda now: now == feeding, timeout_s)
        self._log(f"cabinet: feeds {feeding or 'nobody'}")

    def wait_until(self, holds: Callable[[Feeding], object], timeout_s: float = 60) -> None:
        """Until that holds of what feeds the guns. Raises TimeoutError."""
        end_s = time.monotonic() + timeout_s
        while not holds(self.feeding()):
            if time.monotonic() > end_s or not self._looking.is_alive():
                raise TimeoutError(f"feeds {self.feeding()} after {timeout_s} s")
            time.sleep(0.01)

    def violations(self) -> list[Event]:
        """What the monitor saw that must not be."""
        with self._lock:
            self.charger.monitor.settle()
            return list(self.charger.monitor.violations)

    def summary(self) -> str:
        """Counts, and the worst that happened, so far."""
        bus, monitor = self.charger.bus, self.charger.monitor
        with self._lock:
            monitor.settle()
            worst = max(monitor.exposures, key=lambda event: event.duration_ms, default=None)
            return (
                f"{monitor.counts()}\n{bus.transactions} I2C messages, {bus.wire_bytes} bytes,"
                f" {len(bus.faults_hit)} faults struck; longest wrong coil pattern"
                f" {monitor.longest_stray_us / 1000:.1f} ms; longest exposure"
                f" {f'{worst.duration_ms:.0f} ms: {worst.text}' if worst else 'none'}"
            )

    # What goes on -------------------------------------------------------------------------

    def _look(self) -> None:
        with self._lock:
            self._catch_up()
            while self._heard:
                self._hear(self._heard.popleft())
            self._header.look()
            self._tell()
            self._log_news()
            if self._fed_s is not None and self._elapsed_s() - self._fed_s > WATCHDOG_S:
                self._log("watchdog chip: no edge, the Pi is reset")
                self._fed_s = None
                self.resets += 1
                self.machine.reset()

    def _log_news(self) -> None:
        """What the monitor has to say, and which faults have struck, since the last look."""
        monitor = self.charger.monitor
        news: dict[str, Sequence[Event | FaultHit]] = {
            "violation": monitor.violations,
            "exposure": monitor.exposures,
            "struck": self.charger.bus.faults_hit,
        }
        for kind, events in news.items():
            for event in events[self._logged[kind] :]:
                if isinstance(event, Event):
                    self._log(f"monitor: {kind}, {event.rule}: {event.text}")
                else:
                    self._log(f"cabinet: {event.kind} at {event.address:#x}")
            self._logged[kind] = len(events)

    def _catch_up(self) -> None:
        """Real time has passed in the cabinet too."""
        self.charger.time.advance_us(round(self._elapsed_s() * 1e6) - self.charger.time.now_us)

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _driven(self, line: int, level: bool, claimed: bool) -> None:
        if line == WATCHDOG_PIN:
            self._fed_s = self._elapsed_s()
            return
        if not level:
            self._tell(self._module_of.get(line))
        self.charger.pins.driven(line, level, CLAIMED if claimed else COMMAND)

    def _released(self, line: int) -> None:
        if line == WATCHDOG_PIN:
            self._fed_s = None
            return
        self._tell(self._module_of.get(line))
        self.charger.pins.released(line)

    def _shown(self, line: int) -> bool | None:
        return self.charger.pins.read(line, output=False)

    def _tell(self, lost: int | None = None) -> None:
        """Tell each gun its offer. The controller's word for it travels through a console, so it
        is cut here to what is live, and without the module that is just about to be lost."""
        cabinet = self.charger.cabinet
        expires_us = cabinet.now_us + self._station.timing.offer_lead_ms * 1000
        for gun, offer_w in self._offers_w.items():
            live_w = sum(
                self._station.module_power_w[module - 1]
                for module in cabinet.live_modules(gun)
                if module != lost
            )
            cabinet.offer(gun, min(offer_w, live_w), expires_us)

    def _hear(self, line: str) -> None:
        """What the controller prints of its offers; empty when it has ended."""
        told = {int(gun): round(float(kw) * 1000) for gun, kw in _OFFER.findall(line)}
        if told or not line or line.endswith("all off"):
            self._offers_w = {gun: told.get(gun, 0) for gun in self._offers_w}
            self._tell()
