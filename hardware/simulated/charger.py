"""A whole simulated charger behind the seams of the real one: clock, I2C bus, GPIO lines."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gpiozero import Device

from hardware import clock
from hardware.layout import Layout
from hardware.simulated.bus import BusFault, SimulatedBus, installed
from hardware.simulated.cabinet import Cabinet
from hardware.simulated.faults import CHIP_KINDS, STALL, Injection
from hardware.simulated.monitor import Monitor
from hardware.simulated.pins import CabinetPins
from hardware.simulated.plant_timing import PlantTiming
from hardware.simulated.virtual_time import VirtualTime

US_PER_MS = 1000
NOTICED_WITHIN_US = 1_000_000
"""All registers of an expander are looked at in a shorter time."""


class SimulatedCharger:
    """The plant, the wires to it and its judge. While `installed`, the code for the real wires
    meets this charger instead. Guns and modules are counted from 1."""

    def __init__(
        self,
        *,
        gun_max_w: Sequence[int],
        module_power_w: Sequence[int],
        contactors: Sequence[tuple[int, int]],
        timing: PlantTiming,
        fault_reaction_ms: int,
        layout: Layout,
        speed: float | None = None,
        seed: int = 0,
    ) -> None:
        self.time = VirtualTime(speed)
        outputs, feedback = layout.output_expanders, layout.feedback_expanders
        self.buses = {
            number: SimulatedBus(
                self.time,
                [address for bus, address in outputs if bus == number],
                [address for bus, address in feedback if bus == number],
                seed=seed,
            )
            for number in layout.i2c_buses
        }
        """By number, N of /dev/i2c-N."""
        self.cabinet = Cabinet(
            gun_count=len(gun_max_w),
            module_power_w=module_power_w,
            gun_max_w=gun_max_w,
            contactors=contactors,
            timing=timing,
            seed=seed,
        )
        self.monitor = Monitor(self.cabinet, fault_reaction_ms=fault_reaction_ms)
        self.pins = CabinetPins(self.cabinet, layout)
        for position, (bus, address) in enumerate(outputs[: self.cabinet.chips]):
            self.buses[bus].chips[address].driven = _Coils(self.cabinet, position)
        for position, (bus, address) in enumerate(feedback):
            self.buses[bus].chips[address].floating = _Contacts(self.cabinet, position)
        self.time.on_advance(self.cabinet.advance)
        self._upset_us = -NOTICED_WITHIN_US
        self._bus_faults: dict[Injection, BusFault] = {}
        self.cabinet.bus_fault = self._disturb
        self.cabinet.hold_line = self.pins.hold
        self.pins.stand_still = self.stand_still
        for each in self.buses.values():
            each.stand_still = self.stand_still
        self.cabinet.last_bus_fault_us = self._last_struck_us
        self.cabinet.reset_expanders = self._reset_line

    @property
    def bus(self) -> SimulatedBus:
        """The bus of a charger that has but one."""
        (only,) = self.buses.values()
        return only

    @contextmanager
    def installed(self) -> Iterator["SimulatedCharger"]:
        """While inside, the clock, smbus2 and gpiozero lead to this charger."""
        real = clock.now_s, clock.sleep_s, Device.pin_factory
        with installed(self.buses.get):
            clock.now_s, clock.sleep_s = self.time.now_s, self.time.sleep_s
            Device.pin_factory = self.pins
            try:
                yield self
            finally:
                clock.now_s, clock.sleep_s, Device.pin_factory = real

    def tell(self, gun: int, offer_w: int, lifetime_ms: int) -> None:
        """The gun's controller hears its offer."""
        self.cabinet.offer(gun, offer_w, self.time.now_us + lifetime_ms * US_PER_MS)

    def stand_still(self, for_us: int) -> None:
        """The computer stops in the middle of what it does; the world goes on."""
        self.cabinet.resumes_us = self.time.now_us + for_us
        for passed_us in range(0, for_us, US_PER_MS):  # in steps, for who looks meanwhile
            self.time.advance_us(min(US_PER_MS, for_us - passed_us))
        self.cabinet.disturb()

    def inject(self, injection: Injection) -> None:
        """Play a fault at its time. ValueError if there is no such part."""
        self.check(injection)
        self.cabinet.inject(injection)

    def check(self, injection: Injection) -> None:
        """ValueError if there is no such contactor, module, chip or line."""
        self.cabinet.check(injection)
        if injection.line is not None and injection.line not in self.pins.wired:
            known = ", ".join(map(str, sorted(self.pins.wired)))
            raise ValueError(f"fault {injection.text!r}: nothing is wired there; allowed: {known}")
        if injection.on_bus:
            self._bus_of(injection)

    def _bus_of(self, injection: Injection) -> SimulatedBus:
        """The bus that it disturbs. ValueError if there is no such bus or chip, or it does not say
        which of several."""
        if injection.kind == STALL:
            return next(iter(self.buses.values()))
        several, address = len(self.buses) > 1, injection.address
        numbers = self.buses if injection.bus is None else [injection.bus]
        found = [self.buses[number] for number in numbers if number in self.buses]
        if len(found) == 1 and (address is None or address in found[0].chips):
            return found[0]
        known = [f"bus-{number}" for number in self.buses] if several else []
        for number, bus in self.buses.items():
            of = f"{number}:" if several else ""
            known += [f"{of}{chip:#x}" for chip in sorted(bus.chips)]
        what = "no such bus" if address is None else f"no expander {address:#x}"
        if len(found) > 1:
            what = "which bus is not said"
        raise ValueError(f"fault {injection.text!r}: {what}; allowed: {', '.join(known)}")

    def _last_struck_us(self) -> int | None:
        """When a fault last struck a transfer on any bus."""
        struck = [us for bus in self.buses.values() if (us := bus.last_struck_us()) is not None]
        return max(struck, default=None)

    def _reset_line(self, low: bool, cause: str) -> None:
        for bus in self.buses.values():
            bus.reset_line(low, cause)

    def next_event_ms(self) -> int | None:
        """The last whole millisecond before something in the plant moves by itself."""
        starves = self.cabinet.watchdog_held and self.cabinet.watchdog_fed
        event_us = self.cabinet.now_us if starves else self.cabinet.next_event_us()
        return None if event_us is None else event_us // US_PER_MS

    def moved_since_ms(self, since_ms: int) -> bool:
        """Something in the plant has moved by itself since then, or a fault has struck the bus, or
        a register has just flipped, which not every scan looks at."""
        if self.time.now_us - self._upset_us < NOTICED_WITHIN_US:
            return True
        struck_us = self._last_struck_us()
        last_us = self.cabinet.last_event_us
        return max(last_us, last_us if struck_us is None else struck_us) >= since_ms * US_PER_MS

    def keep_alive(self, until_ms: int, offer_w: Sequence[int], lifetime_ms: int) -> None:
        """Scans that change nothing would go on until then: the watchdog is petted, and the offers
        are renewed."""
        until_us = until_ms * US_PER_MS
        if not self.cabinet.watchdog_held:
            self.cabinet.watchdog_fed_until(until_us)
        for gun, power_w in enumerate(offer_w, start=1):
            self.cabinet.offer(gun, power_w, until_us + lifetime_ms * US_PER_MS)

    def _disturb(self, injection: Injection, begins: bool) -> None:
        if injection.kind in CHIP_KINDS:
            chip = self._bus_of(injection).chips[injection.address or 0]
            bit = injection.bit or 0
            if injection.kind != "upset":
                self.cabinet.stuck_pins += 1 if begins else -1
                chip.stick(bit, injection.kind == "pin-high" if begins else None)
            elif begins:
                self._upset_us = self.time.now_us
                chip.upset(bit)
        elif begins:
            fault = BusFault(
                injection.bus_kind,
                address=injection.address,
                count=1 if injection.strikes_once else None,
                for_us=injection.for_us if injection.kind == STALL else None,
            )
            self._bus_faults[injection] = fault
            self._bus_of(injection).inject(fault)
        else:
            self._bus_of(injection).clear(self._bus_faults.pop(injection))


class _Coils:
    def __init__(self, cabinet: Cabinet, position: int) -> None:
        self._cabinet, self._position = cabinet, position

    def __call__(self, word: int, cause: str) -> None:
        self._cabinet.coil_word(self._position, word, cause)


class _Contacts:
    def __init__(self, cabinet: Cabinet, position: int) -> None:
        self._cabinet, self._position = cabinet, position

    def __call__(self) -> int:
        return self._cabinet.floating_word(self._position)
