"""The independent judge: watches contacts, coils, enables, currents, voltages and offers.

It judges by physical cause. A make, break or enable that a write of the controller caused and
that breaks S1-S4, S6 or S9 is a violation. What nobody commanded is an exposure; an exposure that
stays dangerous for longer than `fault_reaction_ms` is a violation as well.

A deed of the controller is also judged as an exposure where it could not have known better: each
such event says by which of the `EXCUSES`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from hardware.simulated.cabinet import COMMAND, HELD, NEVER_US, Cabinet
from hardware.simulated.contactor import Contactor, Drive
from hardware.simulated.faults import CAUSES
from hardware.simulated.observer import Observer
from hardware.simulated.power_module import PowerModule

ACROSS_LIMIT_V = 20
WIRE = "wire"
DISTURBED = "disturbance"
PROCESS_CAUSES = frozenset({"watchdog", "watchdog back", "process lost", "restart"})
"""Nobody is there to lower an offer: its lifetime ends it."""
STOP_CAUSES = PROCESS_CAUSES.union(*CAUSES.values())


JUST_CHANGED = "the plant had just changed by itself"
JUST_SWITCHED = "something else had just switched the module"
JUST_JOINED = "the guns had just been joined"
JUST_LOST = "the gun had just lost a module"
UNSHOWN_RUN = "nothing that is wired showed the module's run"
UNSHOWN_LOSS = "nothing that is wired showed the module's loss"
FORCED = "a fault may have forced the removal"
TIMED = "the stop had waited in vain"
HELD_ON = "only the watchdog's hardware can switch it off"
NOBODY = "no process was there to lower the offer"
STOOD_STILL = "the computer stood still"
PUT_RIGHT = "a coil that the wire had changed was put right"
EXCUSES = (
    *(JUST_CHANGED, JUST_SWITCHED, JUST_JOINED, JUST_LOST, UNSHOWN_RUN, UNSHOWN_LOSS),
    *(FORCED, TIMED, HELD_ON, NOBODY, STOOD_STILL, PUT_RIGHT),
)
"""All that makes a violation an exposure; "just" is within `fault_reaction_ms`."""


class Event(NamedTuple):
    """What happened, in figures and in a sentence."""

    at_s: float
    kind: str
    rule: str
    gun: int | None
    module: int | None
    current_a: float
    cause: str
    duration_ms: float
    text: str
    excuse: str = ""
    """One of `EXCUSES`, where it would be a violation without."""


class Counts(NamedTuple):
    """The counts of a run. Makes and breaks by (gun, module)."""

    violations: int
    exposures: int
    makes: dict[tuple[int, int], int]
    breaks: dict[tuple[int, int], int]
    broken_current_a: float

    def __str__(self) -> str:
        return (
            f"{self.violations} violations, {self.exposures} exposures, "
            f"{sum(self.makes.values())} makes, {sum(self.breaks.values())} breaks, "
            f"largest current broken {self.broken_current_a:.1f} A"
        )


@dataclass(slots=True)
class _Record:
    """Where an event stands, so that its duration can be filled in when it ends."""

    events: list[Event]
    index: int
    at_us: int
    text: str

    @property
    def event(self) -> Event:
        return self.events[self.index]

    def excuse(self, excuse: str) -> None:
        self.events[self.index] = self.event._replace(excuse=excuse)


@dataclass(slots=True)
class _Condition:
    """A dangerous state that holds since `since_us`; overdue at `deadline_us` unless it ends."""

    record: _Record
    since_us: int
    deadline_us: int
    postponed: bool = False


class _Run(NamedTuple):
    """A module runs, or has run, though nobody commanded it."""

    began_us: int
    off_us: int
    """When it was last told off before."""


class Monitor(Observer):
    """Attach to a cabinet and read `violations` and `exposures`."""

    def __init__(self, cabinet: Cabinet, *, fault_reaction_ms: int = 60) -> None:
        self.violations: list[Event] = []
        self.exposures: list[Event] = []
        self.makes: Counter[tuple[int, int]] = Counter()
        self.breaks: Counter[tuple[int, int]] = Counter()
        self.broken_current_a = 0.0
        self.longest_stray_us = 0
        """The longest that a coil was as the wire had made it, until it was put right again."""
        self._cabinet = cabinet
        self._reaction_us = fault_reaction_ms * 1000
        self._watchdog_us = (cabinet.timing.watchdog_ms or 0) * 1000
        self._decay_us = cabinet.timing.current_decay_ms * 1000
        self._open: dict[tuple[str, int], _Condition] = {}
        self._upset_us: dict[int, int] = {}
        self._powered_us: dict[int, int] = {}  # modules that something else has switched
        self._unseen_runs: dict[int, _Run] = {}
        """By module, as long as no line that showed it was looked at."""
        self._loss_us: dict[int, int] = {}
        self._strayed_us: dict[tuple[int, int], int] = {}
        cabinet.observer = self

    def counts(self) -> Counts:
        """The counts so far."""
        return Counts(
            len(self.violations),
            len(self.exposures),
            dict(self.makes),
            dict(self.breaks),
            self.broken_current_a,
        )

    def settle(self) -> None:
        """Give every event that still lasts its duration until now; may be called any time."""
        for condition in self._open.values():
            self._set_duration(condition.record)

    # What the cabinet shows ---------------------------------------------------------------

    def coil(self, contactor: Contactor, drive: Drive) -> None:
        """A coil changed: whose deed is it, and was the module loaded at that instant?"""
        pair = (contactor.gun, contactor.module)
        strayed_us = self._strayed_us.pop(pair, -NEVER_US)
        strayed = self._recent(strayed_us)
        if strayed:
            self.longest_stray_us = max(self.longest_stray_us, drive.at_us - strayed_us)
        if drive.cause == COMMAND and strayed:
            drive.cause, drive.excuse = WIRE, PUT_RIGHT  # what the wire had changed
        elif drive.cause == WIRE and not strayed:
            self._strayed_us[pair] = drive.at_us
        if drive.cause != COMMAND:
            self._upset_us[contactor.module] = drive.at_us
        drive.loaded = self._load(contactor.module, self._cabinet.current_ma(contactor.module))
        drive.occupied = any(
            other is not contactor for other in self._cabinet.guns_of[contactor.module]
        )

    def contact(self, contactor: Contactor, drive: Drive, current_ma: int, across_v: int) -> None:
        """A main contact moved."""
        pair = (contactor.gun, contactor.module)
        if drive.cause != COMMAND:
            self._upset_us[contactor.module] = self._cabinet.now_us
            if not contactor.closed:
                self._loss_us[contactor.gun] = self._cabinet.now_us
        if contactor.closed:
            self.makes[pair] += 1
            record = self._judge_make(contactor, drive, across_v)
        else:
            self.breaks[pair] += 1
            self.broken_current_a = max(self.broken_current_a, current_ma / 1000)
            record = self._judge_break(contactor, drive, current_ma)
        self._review_contacts(record, drive.cause)
        self._review_offer(contactor.gun, drive.cause)

    def stayed_closed(self, contactor: Contactor, drive: Drive) -> None:
        """A welded contact did not part: an exposure by itself, and no excuse for anything."""
        self._note(
            "S8",
            contactor.gun,
            contactor.module,
            0,
            "weld",
            f"contactor {contactor.gun}:{contactor.module} is welded: its coil is off, its main "
            "contact stays closed",
        )

    def enabled(self, module: PowerModule, cause: str, gun_draw_w: int) -> None:
        """An enable rose or fell behind the gates."""
        closed = self._cabinet.guns_of[module.id]
        if cause == HELD and module.enabled:
            self._runs_by_itself(module)
        elif module.enabled:
            self._unseen_runs.pop(module.id, None)
        if cause != COMMAND and not module.enabled:
            for contactor in closed:
                self._loss_us[contactor.gun] = self._cabinet.now_us
        record = self._judge_enable(module, cause) if module.enabled else None
        if not module.enabled and module.stuck_on and not module.dead:
            self._note_stuck(module)
        self._review_contacts(record, cause)
        for contactor in closed:
            flagged = self._review_offer(contactor.gun, cause)
            planned = not module.enabled and cause == COMMAND and len(closed) == 1
            if planned and not flagged:
                self._judge_removal(module, contactor.gun, gun_draw_w)

    def failed(self, module: PowerModule, cause: str) -> None:
        """A module died, ran on its own, or recovered."""
        if not module.enabled:
            self._runs_by_itself(module)
        if module.stuck_on and not module.enabled and not module.dead:
            self._note_stuck(module)
        for contactor in self._cabinet.guns_of[module.id]:
            if module.dead:
                self._loss_us[contactor.gun] = self._cabinet.now_us
            self._review_offer(contactor.gun, cause)

    def looked_at(self, module: int) -> None:
        """A line showed the module on."""
        self._unseen_runs.pop(module, None)

    def offered(self, gun: int, cause: str) -> None:
        """An offer changed or expired."""
        self._review_offer(gun, cause)

    def alarm(self) -> None:
        """A dangerous state may have lasted too long."""
        now_us = self._cabinet.now_us
        for (rule, _), condition in list(self._open.items()):
            if condition.deadline_us > now_us:
                continue
            if self._only_held(rule, condition.record.event.module) and not condition.postponed:
                condition.postponed = True
                condition.record.excuse(HELD_ON)
                self._due(condition, condition.deadline_us + self._watchdog_us)
                continue
            resumes_us = self._cabinet.resumes_us
            if resumes_us > condition.since_us and resumes_us + self._reaction_us >= now_us:
                condition.record.excuse(STOOD_STILL)
                self._due(condition, resumes_us + self._reaction_us + 1)
                continue
            condition.deadline_us = NEVER_US
            was, lasted_ms = condition.record.event, (now_us - condition.since_us) // 1000
            self._set_duration(condition.record)
            overdue = self._note(
                rule,
                was.gun,
                was.module,
                round(was.current_a * 1000),
                was.cause,
                f"for more than {lasted_ms} ms: {condition.record.text}",
                blamed=True,
            )
            overdue.at_us = condition.since_us
            condition.record = overdue

    # Judging deeds ------------------------------------------------------------------------

    def _judge_make(self, contactor: Contactor, drive: Drive, across_v: int) -> _Record | None:
        gun, module = contactor.gun, contactor.module
        broken: list[tuple[str, str]] = []
        others = [c.gun for c in self._cabinet.guns_of[module] if c is not contactor]
        name = f"contactor {gun}:{module} closed"
        if others:
            broken.append(("S1", f"{name} while module {module} is on gun {_list(others)} too"))
        elif drive.occupied:
            broken.append(("S4", f"{name}: told to before the contactor of another gun had opened"))
        loaded = self._load(module, self._cabinet.current_ma(module)) or drive.loaded
        if loaded:
            broken.append(("S2", f"{name} while module {module} {loaded}"))
        residual_v = self._cabinet.modules[module - 1].discharging_v(self._cabinet.now_us)
        if across_v > ACROSS_LIMIT_V:
            broken.append(("S9", f"{name} across {across_v} V"))
        elif residual_v > ACROSS_LIMIT_V:
            broken.append(
                ("S9", f"{name} before module {module} had discharged ({residual_v} V left)")
            )
        if drive.cause == COMMAND:
            changed = self._excused(module, drive.at_us)
            surprise = self._surprised(module, drive.at_us) or self._hidden(module)
            records = []
            for rule, text in broken:
                excuse = changed or (surprise if rule in ("S2", "S9") else "")
                records.append(self._deed(rule, gun, module, 0, text, excuse))
            return records[0] if records else None
        rule, text = broken[0] if broken else ("S2", f"{name}, which nobody commanded")
        return self._note(rule, gun, module, 0, drive.cause, text, drive.excuse)

    def _judge_break(self, contactor: Contactor, drive: Drive, current_ma: int) -> _Record | None:
        gun, module = contactor.gun, contactor.module
        loaded = self._load(module, current_ma) or drive.loaded
        name = f"contactor {gun}:{module} opened"
        if drive.cause != COMMAND:
            rule = "S7" if drive.cause in STOP_CAUSES else "S2"
            text = f"{name}, which nobody commanded" + (
                f", while module {module} {loaded}" if loaded else ""
            )
            return self._note(rule, gun, module, current_ma, drive.cause, text, drive.excuse)
        if not loaded:
            return None
        text = f"{name} while module {module} {loaded}"
        unit = self._cabinet.modules[module - 1]
        if self._waited(unit) and unit.stuck_on and self._stopped():
            return self._note("S7", gun, module, current_ma, "timed opening", text, TIMED)
        if hidden := self._hidden(module):
            return self._note("S2", gun, module, current_ma, "module stuck on", text, hidden)
        excuse = self._excused(module, drive.at_us) or self._surprised(module, drive.at_us)
        return self._deed("S2", gun, module, current_ma, text, excuse)

    def _judge_enable(self, module: PowerModule, cause: str) -> _Record | None:
        closed = self._cabinet.guns_of[module.id]
        gun = closed[0].gun if closed else None
        name = f"module {module.id} was enabled"
        coils = [c for c in self._cabinet.of_module[module.id] if c.energised]
        rule = "S3"
        if not closed:
            text = f"{name} with no contactor closed"
        elif len(closed) > 1:
            text = f"{name} with the contactors of guns {_list([c.gun for c in closed])} closed"
        elif coils != closed:
            text = (
                f"{name} on gun {gun}, but the coils on are those of "
                f"{_list([c.gun for c in coils]) or 'no gun'}"
            )
        elif self._joined(closed[0].gun):
            rule, text = "S1", f"{name} on gun {gun}, which is joined with another gun"
        else:
            return None
        if cause != COMMAND:
            return self._note(rule, gun, module.id, 0, cause, text)
        now_us = self._cabinet.now_us
        excuse = self._excused(module.id, now_us)
        if rule == "S1" and not excuse:
            joining = self._joining(closed[0].gun)
            excuse = JUST_JOINED if all(self._excused(u.id, now_us) for u in joining) else ""
        return self._deed(rule, gun, module.id, 0, text, excuse)

    def _judge_removal(self, module: PowerModule, gun: int, gun_draw_w: int) -> None:
        """A planned removal must wait until the vehicle has followed the lower offer. One that a
        fault forced (S5, S8) need not; from outside, that shows in the fault only."""
        left_w = self._cabinet.live_power_w(gun)
        if gun_draw_w <= left_w:
            return
        lost = self._recent(self._loss_us.get(gun, -NEVER_US))
        fault = "module lost" if lost else self._forced(module, gun)
        self._note(
            "S6",
            gun,
            module.id,
            gun_draw_w * 1000 // self._cabinet.vehicles[gun - 1].battery_v,
            COMMAND if fault is None else fault,
            f"module {module.id} was taken from gun {gun} while the vehicle still drew "
            f"{gun_draw_w / 1000:g} kW, {left_w / 1000:g} kW are left",
            JUST_LOST if lost else "" if fault is None else FORCED,
            blamed=fault is None,
        )

    def _forced(self, module: PowerModule, gun: int) -> str | None:
        """The fault that takes a module from a gun at once, if there is one."""
        cabinet = self._cabinet
        if cabinet.disturbed():
            return DISTURBED
        if self._joined(gun):
            return "guns joined"
        for unit in cabinet.on_gun[gun]:
            if unit.stuck_on:
                return f"module {unit.id} does not switch off"
        for unit in {module.id: module, **{u.id: u for u in cabinet.on_gun[gun]}}.values():
            for contactor in cabinet.of_module[unit.id]:
                if contactor.aux_fault:
                    return f"auxiliary contact {contactor.gun}:{unit.id} lies"
        return None

    def _runs_by_itself(self, module: PowerModule) -> None:
        """Something else switched the module, which we had told off."""
        now_us = self._cabinet.now_us
        self._powered_us[module.id] = now_us
        if module.running and module.changed_us == now_us:
            self._unseen_runs[module.id] = _Run(now_us, module.disabled_us)

    # States that last ---------------------------------------------------------------------

    def _review_contacts(self, record: _Record | None, cause: str) -> None:
        """Which modules are enabled without a contact, or joined to two guns with power on them?"""
        cabinet = self._cabinet
        for unit in cabinet.modules:
            closed = cabinet.guns_of[unit.id]
            astray = unit.enabled and not closed
            self._hold(("S3", unit.id), astray, record, cause, unit, closed)
            joined = len(closed) > 1 and any(
                other.enabled for c in closed for other in cabinet.on_gun[c.gun]
            )
            self._hold(("S1", unit.id), joined, record, cause, unit, closed)

    def _hold(
        self,
        key: tuple[str, int],
        holds: bool,
        record: _Record | None,
        cause: str,
        unit: PowerModule,
        closed: list[Contactor],
    ) -> None:
        if not holds:
            if key in self._open:
                self._end(key)
        elif key not in self._open:
            if record is None:
                state = (
                    f"joins guns {_list([c.gun for c in closed])} with power on them"
                    if closed
                    else "is enabled with no contactor closed"
                )
                blamed = cause == COMMAND and key[0] == "S3"
                gun = closed[0].gun if closed else None
                text = f"module {unit.id} {state}"
                record = self._note(key[0], gun, unit.id, 0, cause, text, blamed=blamed)
            self._begin(key, record)

    def _review_offer(self, gun: int, cause: str) -> bool:
        """Whether the offer stands above the live power; opens or ends that state."""
        key = ("S6", gun)
        offer_w = self._cabinet.vehicles[gun - 1].offer_w
        live_w = self._cabinet.live_power_w(gun)
        if offer_w <= live_w:
            if key in self._open:
                self._end(key)
            return False
        if key not in self._open:
            text = (
                f"gun {gun} is offered {offer_w / 1000:g} kW, {live_w / 1000:g} kW are live on it"
            )
            unseen_w = sum(u.power_w for u in self._cabinet.on_gun[gun] if self._unseen_off(u))
            unknowable = not self._cabinet.status_wired and offer_w <= live_w + unseen_w
            excuse = NOBODY if cause in PROCESS_CAUSES else UNSHOWN_LOSS if unknowable else ""
            if unknowable and cause == COMMAND:
                cause = HELD if self._cabinet.cut else "module dead"
            if cause != COMMAND:
                record = self._note("S6", gun, None, 0, cause, text, excuse)
            else:
                recent = self._recent(self._loss_us.get(gun, -NEVER_US))
                record = self._deed("S6", gun, None, 0, text, JUST_LOST if recent else "")
            self._begin(key, record, timed=not unknowable and cause not in PROCESS_CAUSES)
        return True

    def _begin(self, key: tuple[str, int], record: _Record, timed: bool = True) -> None:
        now_us = self._cabinet.now_us
        condition = self._open[key] = _Condition(record, now_us, NEVER_US)
        if timed and record.event.kind == "exposure":
            self._due(condition, now_us + self._reaction_us + 1)

    def _due(self, condition: _Condition, at_us: int) -> None:
        condition.deadline_us = at_us
        self._cabinet.wake_observer(at_us)

    def _only_held(self, rule: str, module: int | None) -> bool:
        """All that is still on is what something else holds on: only the watchdog's hardware can
        switch that off."""
        if module is None:
            return False
        units = [self._cabinet.modules[module - 1]]
        if rule == "S1":
            guns = [contactor.gun for contactor in self._cabinet.guns_of[module]]
            units = [unit for gun in guns for unit in self._cabinet.on_gun[gun] if unit.enabled]
        return all(unit.id in self._cabinet.held_on for unit in units)

    def _end(self, key: tuple[str, int]) -> None:
        self._set_duration(self._open.pop(key).record)

    # Facts --------------------------------------------------------------------------------

    def _load(self, module: int, current_ma: int) -> str:
        """Why this module's contactors must not move now; empty if they may."""
        unit = self._cabinet.modules[module - 1]
        if current_ma:
            return f"carries {current_ma / 1000:.1f} A"
        if unit.enabled:
            return "is enabled"
        return "is on" if unit.running or unit.status(self._cabinet.now_us) else ""

    def _joined(self, gun: int) -> bool:
        return bool(self._joining(gun))

    def _joining(self, gun: int) -> list[PowerModule]:
        """The modules that join this gun with another."""
        return [u for u in self._cabinet.on_gun[gun] if len(self._cabinet.guns_of[u.id]) > 1]

    def _recent(self, at_us: int) -> bool:
        return self._cabinet.now_us - at_us <= self._reaction_us

    def _excused(self, module: int, deed_us: int) -> str:
        """Something uncommanded hit the module too late for this deed to know."""
        since_us = deed_us - self._upset_us.get(module, -NEVER_US)
        return JUST_CHANGED if since_us <= self._reaction_us else ""

    def _surprised(self, module: int, deed_us: int) -> str:
        """Something else switched the module itself too late for this deed to know what is at its
        terminals. Excuses no second contactor."""
        since_us = deed_us - self._powered_us.get(module, -NEVER_US)
        return JUST_SWITCHED if since_us <= self._reaction_us else ""

    def _hidden(self, module: int) -> str:
        """The module runs, or has just run, though it has been told off for long enough,
        and nothing that is wired shows it: there is no status input, or the run was so brief that
        no look fell into it."""
        cabinet, unit = self._cabinet, self._cabinet.modules[module - 1]
        run = self._unseen_runs.get(module)
        if run is not None and cabinet.now_us - run.off_us >= self._decay_us:
            until_us = cabinet.now_us if unit.running else unit.changed_us
            if until_us - run.began_us <= self._reaction_us:
                return UNSHOWN_RUN
        since_us = cabinet.now_us - self._powered_us.get(module, -NEVER_US)
        runs = unit.stuck_on or since_us <= cabinet.timing.module_discharge_ms * 1000
        hidden = runs and not cabinet.status_wired and self._waited(unit)
        return UNSHOWN_RUN if hidden else ""

    def _unseen_off(self, unit: PowerModule) -> bool:
        """Only a status input would show that it gives nothing: it is dead, or its enable is high
        and cut by a watchdog whose line something else holds, or that has no supply."""
        cut = self._cabinet.cut and unit.wire and not unit.enabled
        return cut or (unit.enabled and unit.dead)

    def _waited(self, unit: PowerModule) -> bool:
        return not unit.enabled and self._cabinet.now_us - unit.disabled_us >= self._decay_us

    def _stopped(self) -> bool:
        """Emergency stop, or every module told off long ago: the station is shutting down."""
        return not self._cabinet.estop_healthy or all(map(self._waited, self._cabinet.modules))

    # Records ------------------------------------------------------------------------------

    def _note_stuck(self, unit: PowerModule) -> None:
        closed = self._cabinet.guns_of[unit.id]
        self._note(
            "S8",
            closed[0].gun if closed else None,
            unit.id,
            self._cabinet.current_ma(unit.id),
            "module stuck on",
            f"module {unit.id} is on although its enable is off",
        )

    def _deed(
        self,
        rule: str,
        gun: int | None,
        module: int | None,
        current_ma: int,
        text: str,
        excuse: str,
    ) -> _Record:
        """A deed of the controller: a violation, unless it is excused."""
        return self._note(rule, gun, module, current_ma, COMMAND, text, excuse, blamed=not excuse)

    def _note(
        self,
        rule: str,
        gun: int | None,
        module: int | None,
        current_ma: int,
        cause: str,
        text: str,
        excuse: str = "",
        *,
        blamed: bool = False,
    ) -> _Record:
        """An exposure, or if somebody is to be blamed for it, a violation."""
        at_us = self._cabinet.now_us
        kind, events = ("violation", self.violations) if blamed else ("exposure", self.exposures)
        told = (rule, gun, module, current_ma / 1000, cause, 0.0, f"{text}; cause: {cause}")
        events.append(Event(at_us / 1e6, kind, *told, excuse))
        return _Record(events, len(events) - 1, at_us, text)

    def _set_duration(self, record: _Record) -> None:
        lasted_ms = (self._cabinet.now_us - record.at_us) / 1000
        record.events[record.index] = record.event._replace(duration_ms=lasted_ms)


def _list(guns: list[int]) -> str:
    return " and ".join(map(str, sorted(guns)))
