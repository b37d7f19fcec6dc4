"""How a running station takes each fault: played, watched and measured, never written by hand.
`python -m campaign.behaviour` fills docs/faults.md."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaign.life import RESTART_S
from sweep.stations import REFERENCE as STATION
from sweep.working_station import WorkingStation

from hardware import HardwareError
from hardware.simulated import miswiring
from hardware.simulated.cabinet import HELD
from hardware.simulated.pins import LineFault
from hardware.simulated.power_module import PowerModule
from verified_alloc.control.fault_kinds import KINDS, Fault, cleared_by, in_order, sentence_of
from verified_alloc.words import modules

DEMANDS = {1: 160, 2: 80, 3: 40}
"""PM1-4 on gun 1, PM5-6 on gun 2, PM7 on gun 3; PM8-9 free."""
LASTS_S = 4
"""So long a fault lasts that is repaired then."""
WATCHED_S = 3
WITHIN_A_SCAN_MS = 7
SETTLING_S = 12
PULL_DOWNS = "pull-downs"
SOFTWARE, WATCHDOG, SUPPLY = PATHS = ("software", "watchdog", "supply")
"""By which power may be taken off."""
ACTS = {
    **{"command": SOFTWARE, "restart": SOFTWARE, "watchdog": WATCHDOG},
    **{"emergency stop": SUPPLY, "relay supply": SUPPLY, "process lost": PULL_DOWNS},
}
"""By what a module is switched off or an offer falls: the path."""
ARMED_S = 20
"""So long a fault lasts that shows only when something is commanded."""
PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- filled by make faults -->", "<!-- end of the table -->"


@dataclass
class Seen:
    """What one fault did."""

    offers: list[str] = field(default_factory=list)
    """Of the guns whose offer changed: before, lowest, and at the end."""
    excluded: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    reacts_ms: float | None = None
    """From the fault (or, of a contactor that does not follow, from its command) until an offer
    falls or a module goes off."""
    told_ms: float | None = None
    """The same, until it is reported."""
    exposures: list[str] = field(default_factory=list)
    longest_ms: float = 0
    violations: list[str] = field(default_factory=list)
    recovers: bool = False
    """After the repair and the clearing every gun gets its demand again."""
    seen_ms: float | None = None
    """From the fault, until anything shows that somebody has seen it."""
    acts: list[str] = field(default_factory=list)
    """What takes power off, in its order."""
    latched: list[Fault] = field(default_factory=list)
    safe_ms: dict[int, float | None] = field(default_factory=dict)
    """By module through which a current flowed: until none did for the first time."""


class Trial:
    """A station at work that suffers a fault, and what is noted of it."""

    def __init__(self, at_work: WorkingStation, path: str = SOFTWARE) -> None:
        self.at_work = at_work
        self.path = path
        self.began_us = 0
        self._acts: list[str] = []
        self._safe_us: dict[int, int | None] = {}
        at_work.charger.time.on_advance(self._look_at_currents)
        self._reacted_us: int | None = None
        self._told_us: int | None = None
        self._offers_w: list[tuple[int, ...]] = []
        monitor, cabinet = at_work.monitor, at_work.cabinet
        enabled, offered = monitor.enabled, monitor.offered
        was_w = [vehicle.offer_w for vehicle in cabinet.vehicles]

        def watch_enabled(module: PowerModule, cause: str, gun_draw_w: int) -> None:
            enabled(module, cause, gun_draw_w)
            if not module.enabled and cause != HELD:
                self._reacts(cause)

        def watch_offered(gun: int, cause: str) -> None:
            offered(gun, cause)
            offer_w = cabinet.vehicles[gun - 1].offer_w
            if offer_w < was_w[gun - 1] and cause != HELD:
                self._reacts(cause)
            was_w[gun - 1] = offer_w

        monitor.enabled = watch_enabled  # type: ignore[method-assign]
        monitor.offered = watch_offered  # type: ignore[method-assign]

    def _reacts(self, cause: str) -> None:
        act = ACTS.get(cause)
        if self.began_us and act and act not in self._acts:
            self._acts.append(act)
        if self.began_us and self._reacted_us is None:
            self._reacted_us = self.at_work.cabinet.now_us

    def _look_at_currents(self, now_us: int) -> None:
        for module, safe_us in self._safe_us.items():
            if safe_us is None and not self.at_work.cabinet.current_ma(module):
                self._safe_us[module] = now_us

    def begins(self) -> None:
        """The fault strikes now; by another path than the software's, the process dies with it, and
        the relay supply goes too."""
        at_work = self.at_work
        self.began_us, self._reacted_us, self._told_us = at_work.cabinet.now_us, None, None
        self._reports, self._acts = len(at_work.reported), []
        self._safe_us = {
            unit.id: None for unit in STATION.modules if at_work.cabinet.current_ma(unit.id)
        }
        if self.path != SOFTWARE:
            at_work.kill()
        if self.path == SUPPLY:
            at_work.inject(f"relay-supply-off @ {at_work.now_ms}ms")

    def reports(self, sentence: str) -> None:
        """The process says so itself, now."""
        self.at_work.reported.append(sentence)
        self._told_us = self.at_work.cabinet.now_us

    def strike(self, *faults: str, lasts_s: float = LASTS_S) -> None:
        """Within the time between two scans."""
        at_work = self.at_work
        at_work.charger.time.sleep_s(WITHIN_A_SCAN_MS / 1000)
        self.begins()
        for fault in faults:
            at_work.inject(f"{fault} @ {at_work.now_ms}ms for {round(lasts_s * 1000)}ms")
        self.watch(lasts_s - 1 if lasts_s > 1 else WATCHED_S)

    def arm(self, *faults: str) -> None:
        """Faults that show at the next command."""
        for fault in faults:
            self.at_work.inject(f"{fault} @ {self.at_work.now_ms}ms for {ARMED_S}s")

    def command(self, gun: int, module: int, demands: dict[int, float]) -> None:
        """Ask for that; the fault begins when this contactor's coil is told."""
        at_work = self.at_work
        contactor = at_work.cabinet.contactors[gun, module]
        before, at_work_us = contactor.latched, at_work.cabinet.now_us
        at_work.ask(demands)
        for _ in range(500):
            at_work.scan(skip=False)
            if contactor.latched != before:
                break
        self.begins()
        self.began_us = max(contactor.latched_at_us, at_work_us)
        self.watch(WATCHED_S)

    def command_off(self, module: int) -> None:
        """Nobody asks any more; the fault begins when this module's enable falls."""
        at_work = self.at_work
        at_work.ask(dict.fromkeys(DEMANDS, 0))
        while at_work.cabinet.modules[module - 1].enabled:
            at_work.scan(skip=False)
        self.begins()
        self.watch(WATCHED_S)

    def watch(self, for_s: float) -> None:
        """Live on for so long."""
        at_work = self.at_work
        for _ in range(round(for_s * 1000) // STATION.timing.scan_ms):
            self.let_pass(at_work.due_ms - at_work.now_ms - 1)
            if self.path != SOFTWARE:
                at_work.due_ms += STATION.timing.scan_ms
                continue
            at_work.scan(skip=False)
            self._offers_w.append(at_work.state.offer_w)
            if self._told_us is None and len(at_work.reported) > self._reports:
                self._told_us = at_work.cabinet.now_us

    def _seen_ms(self) -> Iterator[float]:
        """When something takes power off, is reported, or the driver notes an oddity on the bus."""
        for us in (self._reacted_us if self._acts else None, self._told_us):
            if us is not None:
                yield (us - self.began_us) / 1000
        for event in self.at_work.controller._bank.events:
            if event.at_s * 1e6 >= self.began_us:
                yield event.at_s * 1000 - self.began_us / 1000

    def let_pass(self, ms: int) -> None:
        """In small steps, for what is looked at on the way."""
        for _ in range(ms):
            self.at_work.charger.time.sleep_s(0.001)

    def safe_ms(self) -> dict[int, float | None]:
        """As `Seen` has it."""
        return {
            module: None if us is None else (us - self.began_us) / 1000
            for module, us in self._safe_us.items()
        }

    def seen(self) -> Seen:
        """What has come of it so far."""
        at_work, state = self.at_work, self.at_work.state
        at_work.monitor.settle()
        seen = Seen()
        for gun in STATION.guns:
            asked_kw = DEMANDS.get(gun.id, 0)
            offered_kw = [offers_w[gun.id - 1] / 1000 for offers_w in self._offers_w]
            lowest, last = min(offered_kw), offered_kw[-1]
            if asked_kw and (lowest, last) != (asked_kw, asked_kw):
                by = f" by way of {lowest:g}" if lowest < min(asked_kw, last) else ""
                seen.offers.append(f"gun {gun.id}: {asked_kw} to {last:g} kW{by}")
        faults, latched = state.faults, at_work.controller.faults.latched
        seen.excluded = [
            *([modules(sorted(faults.modules))] if faults.modules else []),
            *(f"gun {gun}" for gun in sorted({*faults.guns, *state.locked})),
            *(f"{g}:{m} (welded)" for g, m in sorted(faults.welded)),
            *(f"{g}:{m} (open)" for g, m in sorted(faults.failed_open)),
        ]
        if {"emergency_stop", "enable_high"} & {fault.kind for fault in latched}:
            seen.excluded = ["everything"]
        seen.reported = at_work.reported[self._reports :]
        if self._reacted_us is not None:
            seen.reacts_ms = (self._reacted_us - self.began_us) / 1000
        if self._told_us is not None:
            seen.told_ms = (self._told_us - self.began_us) / 1000
        seen.seen_ms = min(self._seen_ms(), default=None)
        seen.acts, seen.latched, seen.safe_ms = [*self._acts], in_order(latched), self.safe_ms()
        seen.exposures = [f"{e.rule}, {e.cause}" for e in at_work.monitor.exposures]
        seen.longest_ms = max((e.duration_ms for e in at_work.monitor.exposures), default=0)
        seen.violations = at_work.bad()
        return seen


@dataclass(frozen=True)
class Row:
    """One fault of the table."""

    name: str
    happens: Callable[[Trial], None]
    clearing: str
    clear: Callable[[Any], None] = lambda controller: None
    """With the controller, once the cause is gone."""
    demands: dict[int, float] = field(default_factory=lambda: dict(DEMANDS))
    before: Callable[[WorkingStation], None] = lambda at_work: None
    repaired: bool = True
    """Whether the cause can be gone."""


def safe_ms(row: Row, path: str) -> dict[int, float | None]:
    """As `Seen` has it, where the process dies with the fault: by another path."""
    with WorkingStation(STATION, seed=3) as at_work:
        at_work.ask(row.demands)
        at_work.go_on(SETTLING_S)
        trial = Trial(at_work, path)
        row.happens(trial)
        return trial.safe_ms()


def play(row: Row) -> Seen:
    with WorkingStation(STATION, seed=3) as at_work:
        row.before(at_work)
        at_work.ask(row.demands)
        at_work.go_on(SETTLING_S)
        trial = Trial(at_work)
        row.happens(trial)
        seen = trial.seen()
        if row.repaired:
            at_work.ask(DEMANDS)
            at_work.go_on(ARMED_S)
            row.clear(at_work.controller)
            at_work.go_on(2 * SETTLING_S)
            fed_kw = [40 * len(held) for held in at_work.live.values()]
            seen.recovers = fed_kw == [DEMANDS.get(gun.id, 0) for gun in STATION.guns]
            seen.violations = at_work.bad()
    return seen


def _clear_stop(controller: Any) -> None:
    controller.clear_stop()


def _expanders_without_supply(trial: Trial) -> None:
    bus, time = trial.at_work.bus, trial.at_work.charger.time
    time.sleep_s(WITHIN_A_SCAN_MS / 1000)
    trial.begins()
    bus.reset_line(True)
    trial.watch(0.5)
    bus.reset_line(False)


def gone(power: bool, expanders: bool, away_s: float) -> Callable[[Trial], None]:
    """The process is gone (or the Pi's supply, or the expanders', or both); back after so long."""

    def happens(trial: Trial) -> None:
        at_work = trial.at_work
        at_work.charger.time.sleep_s(WITHIN_A_SCAN_MS / 1000)
        trial.begins()
        if expanders:
            at_work.bus.reset_line(True)
        if power:
            at_work.lose_power()
        else:
            at_work.kill()
        trial.let_pass(round(1000 * away_s))
        if expanders:
            at_work.bus.reset_line(False)
        at_work.start()
        trial.watch(SETTLING_S)

    return happens


def line_fails(trial: Trial) -> None:
    """The GPIO library raises in the middle of a scan; systemd starts the program again."""
    at_work = trial.at_work
    at_work.charger.pins.inject(LineFault("error", at_access=5))
    trial.begins()
    try:
        at_work.scan(skip=False)
    except HardwareError as error:
        trial.reports(str(error))
        at_work.lose_device()
    at_work.charger.time.sleep_s(RESTART_S)
    at_work.start()
    trial.watch(SETTLING_S)


def crashes(trial: Trial) -> None:
    """A mistake of ours raises in the middle of a scan; systemd starts the program again."""
    at_work = trial.at_work
    at_work.charger.time.sleep_s(WITHIN_A_SCAN_MS / 1000)
    trial.begins()
    at_work.cabinet.disturb()  # nobody commanded it
    with suppress(ZeroDivisionError):
        at_work.crash(ZeroDivisionError())
    trial.let_pass(1000 * RESTART_S)
    at_work.start()
    trial.watch(SETTLING_S)


def _corrupt_latch(trial: Trial) -> None:
    """A disturbance writes a latch: the coils of PM1 on gun 1 off, on gun 2 on."""
    at_work = trial.at_work
    at_work.charger.time.sleep_s(WITHIN_A_SCAN_MS / 1000)
    trial.begins()
    chip = at_work.bus.chips[0x20]
    chip.select()
    chip.pointer = 0x14
    chip.write(chip.register(0x14) ^ 0b11, "wire")
    trial.watch(3)


def _stuck_status(kind: str, module: int) -> str:
    return f"line-{kind} {STATION.hardware.status_pins[module - 1]}"


def _enable(kind: str, module: int) -> str:
    return f"line-{kind} {STATION.hardware.enable_pins[module - 1]}"


CONTACTOR = "repair it; `clear contactor-1:1`"
MODULE = "once it obeys: `clear module-1`"
EXPANDER = "by itself, once it answers and its modules are off"
NOBODY: dict[int, float] = {}


def _clear_1_1(controller: Any) -> None:
    controller.clear_contactor(1, 1)


def _clear_module_1(controller: Any) -> None:
    controller.clear_module(1)


ROWS = (
    Row(
        "contactor 1:1 welded",
        lambda t: (t.arm("weld 1:1"), t.at_work.ask(DEMANDS), t.at_work.go_on(4),
                   t.command(1, 1, {1: 0})),
        CONTACTOR, _clear_1_1, NOBODY,
    ),
    Row(
        "contactor 1:1 failed open",
        lambda t: (t.arm("failed-open 1:1"), t.command(1, 1, DEMANDS)),
        CONTACTOR, _clear_1_1, NOBODY,
    ),
    Row(
        "two welds on PM1: 1:1 and 2:1",
        lambda t: (t.arm("weld 1:1"), t.at_work.ask(DEMANDS), t.at_work.go_on(4),
                   t.strike("spontaneous-close 2:1")),
        "repair both; `clear contactor-1:1`, `clear contactor-2:1`",
        lambda c: (c.clear_contactor(1, 1), c.clear_contactor(2, 1)), NOBODY,
    ),
    Row(
        "contactor 1:1 opens by itself", lambda t: t.strike("spontaneous-open 1:1"),
        CONTACTOR, _clear_1_1,
    ),
    Row(
        "contactor 1:1 slow to close (three times its time)",
        lambda t: (t.arm("late-operate 1:1"), t.command(1, 1, DEMANDS)),
        CONTACTOR, lambda c: None, NOBODY,
    ),
    Row(
        "contactor 1:1 slow to open (three times its time)",
        lambda t: (t.arm("late-release 1:1"), t.at_work.ask(DEMANDS), t.at_work.go_on(4),
                   t.command(1, 1, {1: 0})),
        CONTACTOR, lambda c: None, NOBODY,
    ),
    Row(
        "auxiliary contact 1:1 chatters", lambda t: t.strike("aux-chatter 1:1"),
        CONTACTOR, _clear_1_1,
    ),
    Row(
        "auxiliary contact 1:1 stuck open while closed",
        lambda t: t.strike("aux-stuck-open 1:1"), CONTACTOR, _clear_1_1,
    ),
    Row(
        "auxiliary contact 2:1 stuck closed, or its wire broken, while open",
        lambda t: t.strike("aux-broken-wire 2:1"), "repair it; `clear contactor-2:1`",
        lambda c: c.clear_contactor(2, 1),
    ),
    Row(
        "expander 0x20 silent (NACK)", lambda t: t.strike("nack 0x20"), EXPANDER,
    ),
    Row(
        "bus stuck (time-outs)", lambda t: t.strike("timeout"),
        "by itself, once it works",
    ),
    Row(
        "output expander 0x20 browns out",
        lambda t: (t.begins(), t.at_work.inject(f"brown-out 0x20 @ {t.at_work.now_ms}ms"),
                   t.watch(4)),
        EXPANDER,
    ),
    Row(
        "feedback expander 0x24 browns out",
        lambda t: (t.begins(), t.at_work.inject(f"brown-out 0x24 @ {t.at_work.now_ms}ms"),
                   t.watch(4)),
        EXPANDER,
    ),
    Row("latch of 0x20 corrupted", _corrupt_latch, "put right by itself"),
    Row(
        "address straps of 0x20 and 0x21 swapped before the start",
        lambda t: (t.begins(), t.at_work.ask(DEMANDS), t.watch(8)),
        "`commission` finds it", repaired=False, demands={},
        before=lambda w: miswiring.apply(miswiring.parse("swapped-straps 0x20 0x21"), w.charger),
    ),
    Row("module 1 dead", lambda t: t.strike("module-dead 1"), MODULE, _clear_module_1),
    Row(
        "module 1 silent: its status reads off", lambda t: t.strike(_stuck_status("low", 1)),
        MODULE, _clear_module_1,
    ),
    Row(
        "module 1 stuck on",
        lambda t: (t.arm("module-stuck-on 1"), t.command_off(1)), MODULE, _clear_module_1,
    ),
    Row(
        "status of idle module 8 stuck on", lambda t: t.strike(_stuck_status("high", 8)),
        "once it reads off: `clear module-8`", lambda c: c.clear_module(8),
    ),
    Row(
        "enable line of idle module 8 held high by something else",
        lambda t: t.strike(_enable("high", 8)),
        "once it is free: `clear module-8`", lambda c: c.clear_module(8),
    ),
    Row(
        "enable line of module 1 held low by something else",
        lambda t: t.strike(_enable("low", 1)), MODULE, _clear_module_1,
    ),
    Row(
        "emergency stop", lambda t: t.strike("estop"),
        "release it; `clear emergency-stop`", _clear_stop,
    ),
    Row(
        "a GPIO line fails (the library raises)", line_fails,
        "by itself: exit code 3, and systemd starts it again",
    ),
    Row(
        "process killed, back after 5 s", gone(power=False, expanders=False, away_s=5),
        "by itself",
    ),
    Row(
        "the Pi loses its supply for 20 s", gone(power=True, expanders=False, away_s=20),
        "by itself",
    ),
    Row(
        "the expanders lose their supply for 0.5 s",
        _expanders_without_supply,
        "by itself",
    ),
    Row(
        "both lose their supply for 20 s", gone(power=True, expanders=True, away_s=20),
        "by itself",
    ),
)  # fmt: skip


def _shortened(reported: Sequence[str]) -> Iterator[str]:
    """What is said of each pair of expanders alike is said once, of all."""
    each = r"^expanders 0x\w+ and 0x\w+ "
    about = Counter(re.sub(each, "", said) for said in reported if re.match(each, said))
    of_all = {of for of, times in about.items() if times == len(STATION.hardware.output_expanders)}
    for sentence in reported:
        of = re.sub(each, "", sentence)
        if of not in of_all:
            yield re.sub(r": \d+ transfers .*", "", sentence)
        elif of in about:
            del about[of]
            yield f"all expanders {of}"


def _cells(row: Row, seen: Seen) -> Iterator[str]:
    yield row.name
    yield "; ".join(seen.offers) or "nothing"
    yield ", ".join(seen.excluded) or "nothing"
    yield "; ".join(_shortened(seen.reported)) or "nothing"
    yield "-" if seen.reacts_ms is None else f"{seen.reacts_ms:.0f}"
    yield "-" if seen.told_ms is None else f"{seen.told_ms:.0f}"
    longest = f", up to {seen.longest_ms:.0f} ms" if seen.longest_ms else ""
    yield f"{len(seen.exposures)}{longest}" if seen.exposures else "0"
    yield row.clearing if seen.recovers or not row.repaired else f"not shown: {row.clearing}"


def kinds() -> Iterator[str]:
    """The kinds of latched faults, in Markdown, a line at a time: one of each."""
    yield "| reported and latched | what it takes out | how it is cleared |"
    yield "|" + "---|" * 3
    one: dict[str, dict[str, Any]] = {
        "contactor": {"gun": 1, "module": 1},
        "module": {"module": 1},
        "gun": {"gun": 1},
        "expander": {"expander": 0},
        "station": {},
    }
    for name, kind in KINDS.items():
        fault = Fault(name, **one[kind.of])
        yield f"| {sentence_of(STATION, fault)} | {kind.effect} | {cleared_by(STATION, fault)} |"


def table() -> Iterator[str]:
    """In Markdown, a line at a time."""
    yield (
        "| fault | what the guns are offered | excluded | reported | reacts after, ms |"
        " reported after, ms | exposures | how it is cleared |"
    )
    yield "|" + "---|" * 8
    for row in ROWS:
        yield line(row, play(row))


@contextmanager
def _filled() -> Iterator[list[str]]:
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    lines: list[str] = []
    yield lines
    text = "\n".join([BEGIN, "", *lines, "", END])
    PAGE.write_text(before + text + after, encoding="utf-8")


def line(row: Row, seen: Seen) -> str:
    """The fault's line in the table."""
    return "| " + " | ".join(_cells(row, seen)) + " |"


if __name__ == "__main__":
    with _filled() as lines:
        lines.extend([*kinds(), ""])
        for told in table():
            print(told)
            lines.append(told)
