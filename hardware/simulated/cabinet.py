"""The simulated plant: coils move contactors, enables start modules, vehicles draw power.

Nothing here knows the controller. Time is integer microseconds and comes from `advance`; between
events nothing is computed. Guns and modules are numbered from 1.
"""

import random
from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from hardware.simulated import faults
from hardware.simulated.contactor import Contactor, Drive
from hardware.simulated.faults import CAUSES, Injection
from hardware.simulated.observer import Observer
from hardware.simulated.plant_timing import PlantTiming, own_motion_us, own_us
from hardware.simulated.power_module import OPEN_CIRCUIT_V, PowerModule
from hardware.simulated.vehicle import Vehicle
from hardware.simulated.wiring import places

COMMAND = "command"
HELD = "line held"
NEVER_US = 1 << 62
AFTERMATH_US = 1_000_000


class Cabinet:
    """Contactors, modules, vehicles and the hardware's own gates."""

    def __init__(
        self,
        *,
        gun_count: int,
        module_power_w: Sequence[int],
        gun_max_w: Sequence[int],
        contactors: Sequence[tuple[int, int]],
        timing: PlantTiming,
        seed: int = 0,
    ) -> None:
        draw = random.Random(f"cabinet {seed}")
        self.now_us = 0
        self.last_event_us = -1
        """When something last moved by itself; what moved during a scan may have escaped it."""
        self.timing = timing
        self.observer = Observer()
        self.gun_max_w = tuple(gun_max_w)
        self.reset_expanders: Callable[[bool, str], None] = lambda low, cause: None
        """Called when the expanders' RESET falls (True) and rises (False), and why."""
        self.bus_fault: Callable[[Injection, bool], None] = lambda injection, begins: None
        """Called when an injection for the I2C bus is due (True) and when its time is up."""
        self.hold_line: Callable[[int, bool | None], None] = lambda line, level: None
        """Called with a GPIO line and the level at which an injection holds it, or lets it go."""
        self.status_wired = True
        """Whether the station has status inputs at all; the judge asks, the plant does not."""
        self.last_bus_fault_us: Callable[[], int | None] | None = None
        """Asked by `disturbed`: when a fault last struck the I2C bus."""

        self._place = places(contactors)
        self.chips = 1 + max((position for position, _ in self._place.values()), default=-1)
        """Positions of expanders that contactors are on."""
        self._at: list[list[Contactor | None]] = [[None] * 16 for _ in range(self.chips)]
        self.contactors: dict[tuple[int, int], Contactor] = {}
        for (gun, module), (position, bit) in self._place.items():
            contactor = Contactor(
                gun,
                module,
                operate_us=own_motion_us(draw, timing, timing.operate_ms),
                release_us=own_motion_us(draw, timing, timing.release_ms),
                bounce_us=timing.bounce_ms * 1000,
                min_response_us=timing.min_response_ms * 1000,
            )
            self.contactors[gun, module] = contactor
            self._at[position][bit] = contactor
        self.modules = [
            PowerModule(
                module,
                power_w,
                rise_us=timing.current_rise_ms * 1000,
                decay_us=own_us(draw, timing.current_decay_ms),
                discharge_us=own_us(draw, timing.module_discharge_ms),
            )
            for module, power_w in enumerate(module_power_w, start=1)
        ]
        self.vehicles = [
            Vehicle(
                gun,
                battery_v=draw.randrange(300, 801),
                response_us=own_us(draw, timing.vehicle_response_ms),
            )
            for gun in range(1, gun_count + 1)
        ]
        self.on_gun: list[list[PowerModule]] = [[] for _ in range(gun_count + 1)]
        """By gun (0 unused): modules with a closed main contact to it."""
        self.guns_of: list[list[Contactor]] = [[] for _ in range(len(self.modules) + 1)]
        """By module (0 unused): its closed main contacts."""
        self.of_module: list[list[Contactor]] = [[] for _ in range(len(self.modules) + 1)]
        """By module (0 unused): all its contactors."""
        for contactor in self.contactors.values():
            self.of_module[contactor.module].append(contactor)

        self._word = [0] * len(self._at)
        self._floating = [sum(1 << bit for bit, c in enumerate(at) if not c) for at in self._at]
        self._noisy: list[list[Contactor]] = [[] for _ in self._at]
        self._noise_seed = draw.getrandbits(32)

        self.watchdog_held = False
        """Something else holds the watchdog line: no edge gets through."""
        self.held_on: frozenset[int] = frozenset()
        """Modules whose enable line something else holds high, whatever we drive."""
        self.resumes_us = -NEVER_US
        """When the computer goes on, or went on, after it last stood still."""
        self.stuck_pins = 0  # of expanders
        self._disturbed_us = -NEVER_US
        self._failed: set[str] = set()  # of STATION_KINDS, those that last
        self._watchdog_us: int | None = None
        self._gate_open = timing.watchdog_ms is None
        self.coil_supply = self._gate_open
        self._supply_changed_us = -1
        self._supply_cause = COMMAND
        self._reset_line_high = False
        self._reset_fell_us = -1

        self._queue: list[tuple[int, int, Callable[..., None], tuple[object, ...]]] = []
        self._sequence = 0
        self._expiry_us = NEVER_US
        self._due_us = NEVER_US

    # Time ---------------------------------------------------------------------------------

    def advance(self, now_us: int) -> None:
        """Let time pass until `now_us`; everything due happens at its own instant."""
        if now_us < self._due_us:
            self.now_us = now_us
            return
        while True:
            due_us = self._queue[0][0] if self._queue else NEVER_US
            watchdog_us = NEVER_US if self._watchdog_us is None else self._watchdog_us
            if min(due_us, watchdog_us, self._expiry_us) > now_us:
                break
            if due_us <= watchdog_us and due_us <= self._expiry_us:
                self.now_us = max(self.now_us, due_us)
                _, _, what, args = heappop(self._queue)
                self.last_event_us = self.now_us
                what(*args)
            elif watchdog_us <= self._expiry_us:
                self.now_us = max(self.now_us, watchdog_us)
                self._watchdog_us = None
                self._review_gate("watchdog")
            else:
                self.now_us = max(self.now_us, self._expiry_us)
                self._expire_offers()
        self._due_us = min(due_us, watchdog_us, self._expiry_us)
        self.now_us = now_us

    def next_event_us(self) -> int | None:
        """When something will move by itself, nobody touching anything; None if all is at rest.

        Counts what shows on a wire; a bouncing or chattering contact moves now. Leaves out what
        happens only if the controller falls silent: watchdog and offers' expiry.
        """
        if any(self._noisy):
            return self.now_us
        return self._queue[0][0] if self._queue else None

    def _at_time(self, due_us: int, what: Callable[..., None], *args: object) -> None:
        self._sequence += 1
        heappush(self._queue, (due_us, self._sequence, what, args))
        if due_us < self._due_us:
            self._due_us = due_us

    def wake_observer(self, at_us: int) -> None:
        """Call the observer's `alarm` at that time."""
        self._at_time(at_us, self._alarm)

    def _alarm(self) -> None:
        self.observer.alarm()

    # Coils and contacts -------------------------------------------------------------------

    def coil_word(self, position: int, word: int, cause: str) -> None:
        """The output chip at `position` drives `word`; `cause` is command or what else did it."""
        if cause != COMMAND:
            self._disturbed_us = self.now_us
        changed = word ^ self._word[position]
        self._word[position] = word
        chip = self._at[position]
        while changed:
            bit = (changed & -changed).bit_length() - 1
            changed &= changed - 1
            contactor = chip[bit]
            if contactor is not None:
                contactor.latched = bool(word >> bit & 1)
                contactor.latched_at_us = self.now_us
                if self.coil_supply:
                    self._energise(contactor, contactor.latched, cause)

    def _energise(self, contactor: Contactor, on: bool, cause: str) -> None:
        if contactor.coil_fault:
            on = self.coil_supply and contactor.coil_fault == "coil-shorted"
        if contactor.energised == on:
            return
        drive = Drive(self.now_us, cause)
        due_us = contactor.energise(on, drive)
        self.observer.coil(contactor, drive)
        if due_us is not None:
            self._at_time(due_us, self._arrive, contactor)

    def _arrive(self, contactor: Contactor) -> None:
        pending = contactor.pending
        while pending and pending[0][0] <= self.now_us:
            _, close, drive = pending.pop(0)
            self._move(contactor, close, drive)

    def _move(self, contactor: Contactor, close: bool, drive: Drive) -> None:
        module = self.modules[contactor.module - 1]
        current_ma = 0 if close else self.current_ma(module.id)
        across_v = self.terminal_v(module.id) - self.bus_v(contactor.gun) if close else 0
        if not contactor.move(close, self.now_us):
            if contactor.welded and not close:
                self.observer.stayed_closed(contactor, drive)
            return
        closed = self.guns_of[contactor.module]
        if close:
            closed.append(contactor)
            self.on_gun[contactor.gun].append(module)
        else:
            closed.remove(contactor)
            self.on_gun[contactor.gun].remove(module)
            if not closed:
                module.off_current_ma = 0
        self._refresh_aux(contactor)
        if contactor.bounce_us:
            self._at_time(contactor.bounce_until_us, self._refresh_aux, contactor)
        self._redraw(contactor.gun)
        self.observer.contact(contactor, drive, current_ma, across_v)

    def _refresh_aux(self, contactor: Contactor) -> None:
        position, bit = self._place[contactor.gun, contactor.module]
        if contactor.reads_closed():
            self._floating[position] |= 1 << bit
        else:
            self._floating[position] &= ~(1 << bit)
        noisy = self._noisy[position]
        if contactor.noisy(self.now_us):
            if contactor not in noisy:
                noisy.append(contactor)
        elif contactor in noisy:
            noisy.remove(contactor)

    def swap_coils(self, one: tuple[int, int], other: tuple[int, int]) -> None:
        """These two contactors' coils hang on each other's pins. KeyError if there is none."""
        (p, bit), (q, bit_q) = self._place[one], self._place[other]
        here, there = self._at[p], self._at[q]
        here[bit], there[bit_q] = there[bit_q], here[bit]

    def swap_contacts(self, one: tuple[int, int], other: tuple[int, int]) -> None:
        """These two contactors' auxiliary contacts hang on each other's pins. KeyError if there is
        none."""
        self._place[one], self._place[other] = self._place[other], self._place[one]
        for pair in (one, other):
            self._refresh_aux(self.contactors[pair])

    def floating_word(self, position: int) -> int:
        """Word of the auxiliary contacts: 1 = leaves the pin open (main closed, or no contact)."""
        if position >= self.chips:
            return 0xFFFF
        word = self._floating[position]
        for contactor in self._noisy[position]:
            bit = 1 << self._place[contactor.gun, contactor.module][1]
            told = contactor.noise(self.now_us, self._noise_seed)
            word = word | bit if told else word & ~bit
        return word

    def closed_contactors(self) -> set[tuple[int, int]]:
        """Pairs (gun, module) whose main contact is closed."""
        return {(c.gun, c.module) for closed in self.guns_of for c in closed}

    # Modules ------------------------------------------------------------------------------

    def set_enable(self, module: int, on: bool, cause: str = COMMAND) -> None:
        """The enable line at the Pi goes high or low; the gates decide what the module sees."""
        unit = self.modules[module - 1]
        held = {module} if on and cause == HELD else set()
        self.held_on = self.held_on - {module} | held
        if unit.wire == on:
            return
        unit.wire = on
        self._set_enabled(unit, on and (self._gate_open or unit.ungated), cause)

    def _set_enabled(self, unit: PowerModule, on: bool, cause: str) -> None:
        if unit.enabled == on:
            return
        before_w = max((self.vehicles[c.gun - 1].draw_w for c in self.guns_of[unit.id]), default=0)
        unit.enabled = on
        if not on:
            unit.disabled_us = self.now_us
        self._run_or_stop(unit)
        self.observer.enabled(unit, cause, before_w)

    def _run_or_stop(self, unit: PowerModule) -> None:
        run = (unit.enabled or unit.stuck_on) and not unit.dead
        if run == unit.running:
            return
        if run:
            unit.start(self.now_us)
            self._at_time(self.now_us + unit.rise_us, self._rise, unit)
        else:
            unit.stop(self.now_us, self.current_ma(unit.id), self.terminal_v(unit.id))
            if unit.reported:
                self._at_time(self.now_us + unit.rise_us, self._status_falls)
        for contactor in self.guns_of[unit.id]:
            self._redraw(contactor.gun)

    def _rise(self, unit: PowerModule) -> None:
        if unit.running and not unit.risen and self.now_us >= unit.changed_us + unit.rise_us:
            unit.risen = True
            for contactor in self.guns_of[unit.id]:
                self._redraw(contactor.gun)

    def _status_falls(self) -> None:
        """Nothing to do: an event because it shows on a wire."""

    def status(self, module: int) -> bool:
        """The module's status line: high while its output is on."""
        on = self.modules[module - 1].status(self.now_us)
        if on:
            self.observer.looked_at(module)
        return on

    def current_ma(self, module: int) -> int:
        """Current out of the module: its share of what the vehicle draws, or what still decays."""
        unit = self.modules[module - 1]
        if not unit.running:
            return unit.decaying_ma(self.now_us)
        if not unit.risen or not self.guns_of[module]:
            return 0
        vehicle = self.vehicles[self.guns_of[module][0].gun - 1]
        power_w = sum(other.power_w for other in self.on_gun[vehicle.gun] if other.risen)
        return vehicle.draw_w * unit.power_w * 1000 // (power_w * vehicle.battery_v)

    def terminal_v(self, module: int) -> int:
        """Voltage at the module's terminals, before its contactors."""
        unit = self.modules[module - 1]
        if not unit.running:
            return unit.discharging_v(self.now_us)
        closed = self.guns_of[module]
        return self.vehicles[closed[0].gun - 1].battery_v if closed else OPEN_CIRCUIT_V

    def bus_v(self, gun: int) -> int:
        """Voltage of a gun's bus: its vehicle's battery while a module runs on it, otherwise 0."""
        live = any(unit.running for unit in self.on_gun[gun])
        return self.vehicles[gun - 1].battery_v if live else 0

    def live_modules(self, gun: int) -> tuple[int, ...]:
        """Modules that are enabled, alive and connected to the gun."""
        return tuple(sorted(u.id for u in self.on_gun[gun] if u.enabled and not u.dead))

    def live_power_w(self, gun: int) -> int:
        """Power of the live modules on the gun."""
        return sum(u.power_w for u in self.on_gun[gun] if u.enabled and not u.dead)

    # Vehicles -----------------------------------------------------------------------------

    def vehicle(self, gun: int, demand_w: int) -> None:
        """What the vehicle on the gun could take from now on."""
        vehicle = self.vehicles[gun - 1]
        if vehicle.demand_w != demand_w:
            vehicle.demand_w = demand_w
            self._redraw(gun)

    def offer(self, gun: int, offer_w: int, expires_us: int) -> None:
        """The power limit told to the gun, valid until `expires_us` and 0 from then on."""
        vehicle = self.vehicles[gun - 1]
        if expires_us <= self.now_us:
            offer_w = 0
        vehicle.expires_us = expires_us if offer_w else NEVER_US
        if vehicle.expires_us < self._expiry_us:
            self._expiry_us = vehicle.expires_us
            self._due_us = min(self._due_us, self._expiry_us)
        if offer_w == vehicle.offer_w:
            return
        vehicle.offer_w = offer_w
        if offer_w < vehicle.heeded_w and vehicle.response_us:
            self._at_time(self.now_us + vehicle.response_us, self._heed, vehicle)
        else:
            self._heed(vehicle)
        self.observer.offered(gun, COMMAND)

    def obey(self, gun: int) -> None:
        """The vehicle on the gun obeys its present offer at once: so its gun has said."""
        self._heed(self.vehicles[gun - 1])

    def _heed(self, vehicle: Vehicle) -> None:
        vehicle.heeded_w = vehicle.offer_w
        self._redraw(vehicle.gun)

    def _expire_offers(self) -> None:
        for vehicle in self.vehicles:
            if vehicle.offer_w and vehicle.expires_us <= self.now_us:
                vehicle.offer_w, vehicle.expires_us = 0, NEVER_US
                self._heed(vehicle)
                self.observer.offered(vehicle.gun, "expired")
        self._expiry_us = min(v.expires_us if v.offer_w else NEVER_US for v in self.vehicles)

    def _redraw(self, gun: int) -> None:
        power_w = sum(unit.power_w for unit in self.on_gun[gun] if unit.risen)
        self.vehicles[gun - 1].redraw(self.now_us, min(power_w, self.gun_max_w[gun - 1]))

    def draw_w(self, gun: int) -> int:
        """Power the vehicle on the gun draws now."""
        return self.vehicles[gun - 1].draw_w

    def energy_wus(self, gun: int) -> int:
        """Energy delivered to the gun so far, in watt-microseconds, exact."""
        vehicle = self.vehicles[gun - 1]
        return vehicle.energy_wus + vehicle.draw_w * (self.now_us - vehicle.since_us)

    # Gates --------------------------------------------------------------------------------

    @property
    def estop_healthy(self) -> bool:
        """The emergency stop's line: True = not pressed."""
        return "estop" not in self._failed

    def press_estop(self) -> None:
        """Cut every enable at once, the coil supply after the off-delay."""
        self._fail_gate("estop", True)

    def release_estop(self) -> None:
        """Give enables and coil supply back."""
        self._fail_gate("estop", False)

    def watchdog_edge(self) -> None:
        """The controller toggled its watchdog line. Before the first edge nothing is enabled."""
        self.watchdog_fed_until(self.now_us)

    @property
    def watchdog_fed(self) -> bool:
        """The last edge is not too long ago."""
        return self._watchdog_us is not None

    def watchdog_fed_until(self, last_edge_us: int) -> None:
        """Edges keep coming until `last_edge_us`: for whoever lets time jump."""
        if self.timing.watchdog_ms is None:
            return
        idle = self._watchdog_us is None
        self._watchdog_us = last_edge_us + self.timing.watchdog_ms * 1000
        self._due_us = min(self._due_us, self._watchdog_us)
        if idle:
            self._review_gate("watchdog back")

    def _review_gate(self, cause: str) -> None:
        always = self.timing.watchdog_ms is None or "watchdog-stuck-on" in self._failed
        is_open = (always or self.watchdog_fed) and not self._failed & CAUSES.keys()
        if is_open == self._gate_open:
            return
        self._gate_open = is_open
        if not is_open or self._supply_changed_us >= 0:  # the very first edge is no disturbance
            self._disturbed_us = self.now_us
        if is_open:
            if not self.coil_supply and "coil-supply-off" not in self._failed:
                self._switch_supply(True, cause)
        else:
            self._supply_cause = cause
            self._supply_changed_us = self.now_us
            self._at_time(self.now_us + self.timing.off_delay_ms * 1000, self._off_delay_over)
        for unit in self.modules:
            self._set_enabled(unit, unit.wire and (is_open or unit.ungated), cause)

    def _off_delay_over(self) -> None:
        started_us = self.now_us - self.timing.off_delay_ms * 1000
        if self._gate_open or not self.coil_supply or self._supply_changed_us > started_us:
            return
        self._switch_supply(False, self._supply_cause)
        self.reset_expanders(True, "reset")
        self._end_reset("reset")

    def _end_reset(self, cause: str) -> None:
        """The expanders are let out of reset, unless something still holds them in it."""
        if self._reset_line_high and "reset" not in self._failed:
            self.reset_expanders(False, cause)

    def reset_line(self, high: bool, cause: str = COMMAND) -> None:
        """The RESET line at the Pi goes high, which ends a reset at once, or low: the off-delay
        holds the expanders' RESET up, as it does the coil supply. A shorter low does not reach
        them."""
        if high == self._reset_line_high:
            return
        self._reset_line_high = high
        if high:
            self._end_reset(cause)
        else:
            self._reset_fell_us = self.now_us
            due_us = self.now_us + self.timing.off_delay_ms * 1000
            self._at_time(due_us, self._reset_delay_over, cause)

    def _reset_delay_over(self, cause: str) -> None:
        low_us = self.now_us - self._reset_fell_us
        if not self._reset_line_high and low_us >= self.timing.off_delay_ms * 1000:
            self.reset_expanders(True, cause)

    def _switch_supply(self, on: bool, cause: str) -> None:
        self.coil_supply = on
        lost_us = self._supply_changed_us
        self._supply_changed_us = self.now_us
        for contactor in self.contactors.values():
            # A coil told on while there was no supply moves by that command, not by the supply.
            commanded = on and contactor.latched_at_us > lost_us
            self._energise(contactor, on and contactor.latched, COMMAND if commanded else cause)

    # Faults -------------------------------------------------------------------------------

    def disturb(self) -> None:
        """Something that nobody commanded happens at the seams."""
        self._disturbed_us = self.last_event_us = self.now_us

    def disturbed(self) -> bool:
        """Whether within the last second something happened to the bus, the gates or a coil that
        nobody commanded. What the controller drops in such a time it need not have planned."""
        bus_us = self.last_bus_fault_us() if self.last_bus_fault_us is not None else None
        latest_us = self._disturbed_us if bus_us is None else max(self._disturbed_us, bus_us)
        return bool(self.stuck_pins) or self.now_us - latest_us <= AFTERMATH_US

    @property
    def cut(self) -> bool:
        """The enables may be cut by a fault that no line but the status inputs shows."""
        return self.watchdog_held or "relay-supply-off" in self._failed

    def inject(self, injection: Injection) -> None:
        """Play a fault at its time. ValueError as `check`."""
        self.check(injection)
        start_us = max(injection.at_us, self.now_us)
        self._at_time(start_us, self._apply, injection, True)
        if injection.for_us is not None:
            self._at_time(start_us + injection.for_us, self._apply, injection, False)
        if start_us == self.now_us:
            self.advance(self.now_us)

    def check(self, injection: Injection) -> None:
        """ValueError if the station has no such contactor or module."""
        where, kind = f"fault {injection.text or injection.kind!r}: ", injection.kind
        gun, module, modules = injection.gun, injection.module, len(self.modules)
        if kind in faults.PAIR_KINDS and (gun, module) not in self.contactors:
            raise ValueError(f"{where}there is no contactor {gun}:{module}")
        if kind in faults.MODULE_KINDS + faults.GATE_KINDS and not 1 <= (module or 0) <= modules:
            raise ValueError(f"{where}there is no module {module}; allowed: 1 to {modules}")

    def _apply(self, injection: Injection, begins: bool) -> None:
        kind = injection.kind
        self._disturbed_us = self.now_us
        if injection.on_bus:
            self.bus_fault(injection, begins)
        elif injection.line is not None:
            self.hold_line(injection.line, kind == "line-high" if begins else None)
        elif kind in faults.STATION_KINDS:
            self._fail_gate(kind, begins)
        elif kind in faults.GATE_KINDS:
            self.modules[(injection.module or 0) - 1].ungated = begins
        elif kind in faults.MODULE_KINDS:
            unit = self.modules[(injection.module or 0) - 1]
            if kind == "module-dead":
                unit.dead = begins
            else:
                unit.stuck_on = begins
            self._run_or_stop(unit)
            names = {"module-dead": "module dead", "module-stuck-on": "module stuck on"}
            self.observer.failed(unit, names[kind] if begins else "module recovered")
        else:
            self._apply_to_contactor(
                self.contactors[injection.gun or 0, injection.module or 0], kind, begins
            )

    def _fail_gate(self, kind: str, begins: bool) -> None:
        (self._failed.add if begins else self._failed.discard)(kind)
        if kind in CAUSES:
            self._review_gate(CAUSES[kind][not begins])
        elif kind == "watchdog-stuck-on":
            self._review_gate("watchdog")
        elif kind == "reset":
            (self.reset_expanders(True, kind) if begins else self._end_reset(kind))
        elif self.coil_supply == begins and (begins or self._gate_open):
            self._switch_supply(not begins, "coil supply")

    def _apply_to_contactor(self, contactor: Contactor, kind: str, begins: bool) -> None:
        contactor.fail(kind, begins, 3000 * max(self.timing.operate_ms, self.timing.release_ms))
        if kind.startswith("aux-"):
            self._refresh_aux(contactor)
        elif kind.startswith("coil-"):
            cause = kind.replace("-", " ") if begins else "coil mended"
            self._energise(contactor, self.coil_supply and contactor.latched, cause)
            return
        elif kind == "spontaneous-close" and begins:
            self._move(contactor, True, Drive(self.now_us, "spontaneous closing"))
        elif kind == "spontaneous-open" and begins:
            self._move(contactor, False, Drive(self.now_us, "spontaneous opening"))
        if not contactor.pending and contactor.closed != contactor.energised:
            causes = {"weld": "weld broke free", "failed-open": "contactor freed"}
            cause = causes.get(kind, "spontaneous closing")
            if not begins:
                self._move(contactor, contactor.energised, Drive(self.now_us, cause))
