"""Every single fault of every part of the simulated reference station, to be played as the rows of
docs/faults.md are: PM1-4 are on gun 1, PM5-6 on gun 2, PM7 on gun 3, PM8-9 are free."""

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from unittest.mock import patch

from campaign.behaviour import (
    DEMANDS,
    NOBODY,
    STATION,
    WATCHED_S,
    WITHIN_A_SCAN_MS,
    Row,
    Trial,
    crashes,
    gone,
    line_fails,
)
from campaign.disk import Disk, DiskFault

from hardware.simulated import miswiring
from hardware.simulated.bus import BusFault
from hardware.simulated.mcp23017_model import IOCON, OLAT
from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.fault_kinds import CONTACTOR, EXPANDER, KINDS, MODULE, STOP

OUTPUT, FEEDBACK = "0x20", "0x24"
"""The expanders of PM1, PM2 and some of PM3. Bit 0 is contactor 1:1, which is closed, bit 1 is 2:1,
which is open; bit 7 is on no contactor."""
REGISTERS = ("IODIR", "IPOL", "GPINTEN", "DEFVAL", "INTCON", "GPPU")
CONFIGURATION = ("INTPOL", "ODR", "HAEN", "DISSLW", "SEQOP", "MIRROR", "BANK")
"""Of IOCON, from bit 1 on."""
PROOF_TEST = "proof test"
SILENT_S = 20
"""Longer than a demand counts."""
SECOND_LOOK = "a second look in the same scan must say the same"
FEEDING = (1, 2, 3, 4, 5, 6, 7)
JOINED = (1, 2, 3, 4, 5, 6)
"""The modules of guns 1 and 2."""
CONCERNED = {
    **dict.fromkeys(["expander pin", "expander register", "I2C bus"], (1, 2, 3)),
    **dict.fromkeys(["emergency stop", "watchdog line", "RESET line", "GPIO"], FEEDING),
    **dict.fromkeys(["supply", "Raspberry Pi"], FEEDING),
    "gun": (1, 2, 3, 4),
}
"""By part, unless told otherwise: the modules in which no current is to flow. Else PM1."""


@dataclass(frozen=True)
class Single:
    """One fault of one part; `mode` in the words of IEC 61508-2, table A.1, and of IEC 61784-3."""

    part: str
    fault: str
    mode: str
    happens: Callable[[Trial], object] | None
    """None: nothing that is wired to us can show it."""
    builder: str = ""
    """What the builder of the charger has to provide against it."""
    harmless: str = ""
    """Why it does not matter, where it is not seen either."""
    demands: dict[int, float] = field(default_factory=lambda: dict(DEMANDS))
    before: Callable[..., object] = lambda at_work: None
    dies_with_it: bool = True
    """Whether the process may die at the same instant, so that the other paths show."""
    repaired: bool = True
    concerns: tuple[int, ...] = ()

    @property
    def modules(self) -> tuple[int, ...]:
        """In which no current is to flow, as far as the fault matters."""
        return self.concerns or CONCERNED.get(self.part, (1,))

    @property
    def row(self) -> Row:
        """How it is played."""
        assert self.happens is not None
        return Row(
            self.fault,
            self.happens,  # type: ignore[arg-type]
            "",
            clear_all,
            self.demands,
            self.before,  # type: ignore[arg-type]
            self.repaired,
        )


def clear_all(controller) -> None:  # type: ignore[no-untyped-def]
    """Everything that is latched, as a person would."""
    by = {
        CONTACTOR: lambda fault: controller.clear_contactor(fault.gun, fault.module),
        MODULE: lambda fault: controller.clear_module(fault.module),
        EXPANDER: lambda fault: controller.clear_expander(fault.expander),
        STOP: lambda _: controller.clear_stop(),
    }
    for fault in sorted(controller.faults.latched, key=lambda fault: fault.kind != "expander_lost"):
        by[KINDS[fault.kind].name](fault)


# When it shows.


def at_once(*faults: str, lasts_s: float = 4) -> Callable[[Trial], object]:
    return lambda t: t.strike(*faults, lasts_s=lasts_s)


def once(fault: str) -> Callable[[Trial], object]:
    """Without a duration."""

    def happens(t: Trial) -> None:
        t.at_work.charger.time.sleep_s(WITHIN_A_SCAN_MS / 1000)
        t.begins()
        t.at_work.inject(f"{fault} @ {t.at_work.now_ms}ms")
        t.watch(WATCHED_S)

    return happens


def at_the_next_closing(fault: str, pair: tuple[int, int] = (1, 1)) -> Callable[[Trial], object]:
    return lambda t: (t.arm(fault), t.command(*pair, DEMANDS))


def at_the_next_opening(fault: str) -> Callable[[Trial], object]:
    def happens(t: Trial) -> None:
        t.arm(fault)
        t.at_work.go_on(4)
        t.command(1, 1, {1: 0})

    return happens


def at_the_next_switching_off(fault: str) -> Callable[[Trial], object]:
    return lambda t: (t.arm(fault), t.command_off(1))


def at_the_next_write(kind: str, lasts_us: int | None = None) -> Callable[[Trial], object]:
    fault = BusFault(kind.replace("-", "_"), count=None if lasts_us else 1, for_us=lasts_us)

    def happens(t: Trial) -> None:
        bank = t.at_work.controller._bank
        write = bank.write

        def disturbed(words: Sequence[int], until_s: float) -> frozenset[int]:
            if [*words] != [chip.word for chip in bank._outputs]:
                del bank.write  # type: ignore[method-assign]
                t.begins()
                t.at_work.bus.inject(fault)
            return write(words, until_s)

        bank.write = disturbed  # type: ignore[method-assign]
        t.begins()
        t.at_work.ask(DEMANDS)
        t.watch(2 * WATCHED_S)

    return happens


def stalled(for_ms: int) -> Callable[[Trial], object]:
    return at_once("stall", lasts_s=for_ms / 1000)


def on_a_disk(fault: DiskFault) -> Callable[[Trial], object]:
    """It shows when something is to be latched."""

    def happens(t: Trial) -> None:
        disk = Disk()
        disk.stand_still = t.at_work.charger.stand_still
        file = FaultFile(disk)  # type: ignore[arg-type]
        t.at_work.controller.faults.on_disk._save = file.save
        t.at_work._seams.enter_context(disk.installed())
        disk.inject(fault)
        t.strike("spontaneous-open 1:1")
        disk.inject(None)
        t.watch(WATCHED_S)

    return happens


def clock_stepped(by_h: int) -> Callable[[Trial], object]:
    def happens(t: Trial) -> None:
        import time

        now_s = time.time()
        with patch("time.time", lambda: now_s + 3600 * by_h):
            t.begins()
            t.watch(WATCHED_S)

    return happens


def falls_silent(t: Trial) -> None:
    t.begins()
    t.at_work.silent.add(1)
    t.watch(SILENT_S)
    t.at_work.silent.clear()


# The parts.


def singles() -> Iterator[Single]:
    yield from _coil()
    yield from _contacts()
    yield from _auxiliary()
    yield from _expander_pins()
    yield from _registers()
    yield from _bus()
    yield from _lines()
    yield from _supplies()
    yield from _computer()
    yield from _module()
    yield from _outside()


def _coil() -> Iterator[Single]:
    part = "coil"
    open_, short = "open circuit", "short circuit to the supply"
    yield Single(part, "of 1:1, closed: wire broken", open_, at_once("coil-open 1:1"))
    yield Single(
        part, "of 1:1, open: wire broken", open_, at_the_next_closing("coil-open 1:1"),
        demands=NOBODY,
    )  # fmt: skip
    yield Single(
        part, "of 2:1, open: shorted to its supply while 1:1 feeds", short,
        at_once("coil-shorted 2:1"), concerns=JOINED,
    )  # fmt: skip
    yield Single(
        part, "of 1:8, open: shorted to its supply, PM8 being free", short,
        at_once("coil-shorted 1:8"),
    )  # fmt: skip
    yield Single(
        part, "of 1:1, closed: shorted to its supply", short,
        at_the_next_opening("coil-shorted 1:1"),
    )  # fmt: skip
    yield Single(
        part, "of 1:1: weak, closes in three times its time", "drift",
        at_the_next_closing("late-operate 1:1"), demands=NOBODY,
    )  # fmt: skip
    yield Single(
        part, "suppression open or shorted: releases in three times its time", "drift",
        at_the_next_opening("late-release 1:1"),
        "suppression of each coil within the contactor's release time",
    )  # fmt: skip


def _contacts() -> Iterator[Single]:
    part = "main contact"
    weld, fails = "fails to open", "fails to close"
    yield Single(part, "1:1 welded", weld, welded, demands=NOBODY)
    yield Single(part, "1:1 does not close", fails, at_the_next_closing("failed-open 1:1"),
                 demands=NOBODY)  # fmt: skip
    yield Single(part, "1:1 opens by itself", "spurious opening",
                 at_once("spontaneous-open 1:1"))  # fmt: skip
    yield Single(part, "2:1 closes by itself while 1:1 feeds", "spurious closing",
                 at_once("spontaneous-close 2:1"), concerns=JOINED)  # fmt: skip
    yield Single(part, "1:8 closes by itself, PM8 being free", "spurious closing",
                 at_once("spontaneous-close 1:8"))  # fmt: skip
    yield Single(part, "1:1 heats up", "drift of the contact's resistance", None,
                 "thermal supervision, or inspection at the contactor's interval")  # fmt: skip


def welded(t: Trial) -> None:
    """At the closing that comes first; it shows at the opening after that."""
    t.arm("weld 1:1")
    t.at_work.ask(DEMANDS)
    t.at_work.go_on(4)
    t.command(1, 1, {1: 0})


def _auxiliary() -> Iterator[Single]:
    part = "auxiliary contact"
    low, high, broken = "stuck at 0", "stuck at 1", "open circuit"
    yield Single(part, "of 1:1, closed: reads open", low, at_once("aux-stuck-open 1:1"))
    yield Single(part, "of 1:1, open: stuck so", low, at_the_next_closing("aux-stuck-open 1:1"),
                 demands=NOBODY)  # fmt: skip
    yield Single(part, "of 2:1, open: reads closed", high, at_once("aux-stuck-closed 2:1"))
    yield Single(
        part, "of 1:1, closed: stuck so", high, at_the_next_opening("aux-stuck-closed 1:1")
    )
    yield Single(part, "of 2:1, open: wire broken", broken, at_once("aux-broken-wire 2:1"))
    yield Single(part, "of 1:1, closed: wire broken", broken,
                 at_the_next_opening("aux-broken-wire 1:1"))  # fmt: skip
    yield Single(part, "of 1:1 chatters", "oscillation", at_once("aux-chatter 1:1"))


def _expander_pins() -> Iterator[Single]:
    part = "expander pin"
    low, high = "stuck at 0", "stuck at 1"
    yield Single(part, "output of 1:1, on: stuck low", low, at_once(f"pin-low {OUTPUT}:0"))
    yield Single(part, "output of 2:1, off: stuck high", high, at_once(f"pin-high {OUTPUT}:1"))
    yield Single(part, "output of 1:1, on: stuck high", high,
                 at_the_next_opening(f"pin-high {OUTPUT}:0"))  # fmt: skip
    yield Single(part, "output of 1:1, off: stuck low", low,
                 at_the_next_closing(f"pin-low {OUTPUT}:0"), demands=NOBODY)  # fmt: skip
    yield Single(part, "input of 1:1, closed: stuck low", low, at_once(f"pin-low {FEEDBACK}:0"))
    yield Single(part, "input of 2:1, open: stuck high", high, at_once(f"pin-high {FEEDBACK}:1"))
    yield Single(part, "input of 1:1, closed: stuck high", high,
                 at_the_next_opening(f"pin-high {FEEDBACK}:0"))  # fmt: skip
    yield Single(part, "input of 1:1, open: stuck low", low,
                 at_the_next_closing(f"pin-low {FEEDBACK}:0"), demands=NOBODY)  # fmt: skip
    yield Single(part, "output without a contactor: stuck high", "stuck at 1",
                 at_once(f"pin-high {OUTPUT}:7"))  # fmt: skip
    yield Single(part, "input without a contactor: stuck low", "stuck at 0",
                 at_once(f"pin-low {FEEDBACK}:8"), harmless="the pin says nothing")  # fmt: skip


def _registers() -> Iterator[Single]:
    part, mode = "expander register", "bit flip"
    for name, address in (("output", OUTPUT), ("feedback", FEEDBACK)):
        for number, register in enumerate(REGISTERS):
            base = 2 * number if register != "GPPU" else IOCON + 2
            for port, letter in enumerate("AB"):
                yield Single(part, f"{register}{letter} of the {name} expander", mode,
                             once(f"upset {address}:{8 * (base + port)}"))  # fmt: skip
        for bit, flag in enumerate(CONFIGURATION, start=1):
            yield Single(part, f"IOCON.{flag} of the {name} expander", mode,
                         once(f"upset {address}:{8 * IOCON + bit}"))  # fmt: skip
    for port, letter in enumerate("AB"):
        for bit, of in ((0, "that is on"), (1, "that is off")):
            yield Single(part, f"OLAT{letter} of the output expander, a coil {of}", mode,
                         once(f"upset {OUTPUT}:{8 * (OLAT + port) + bit + 5 * port}"))  # fmt: skip
        yield Single(
            part, f"OLAT{letter} of the feedback expander", mode,
            once(f"upset {FEEDBACK}:{8 * (OLAT + port)}"), harmless="an input drives nothing",
        )  # fmt: skip


ON_THE_WIRE = {
    "nack": ("not acknowledged", "loss"),
    "timeout": ("times out", "unacceptable delay"),
    "flip-read": ("a bit flipped in what is read", "corruption"),
    "flip-write": ("a bit flipped in what is written", "corruption"),
    "no-transfer": ("nothing transferred, and called a success", "unintended repetition"),
}
IN_A_WRITE = {
    "nack-data": ("not acknowledged in the middle", "loss"),
    "wrong-chip": ("lands on another expander", "addressing"),
    "drop-write": ("acknowledged and lost", "loss"),
}


def _bus() -> Iterator[Single]:
    part = "I2C bus"
    for kind, (fault, mode) in ON_THE_WIRE.items():
        strikes = once(kind) if kind.startswith("flip") else at_once(kind, lasts_s=0.016)
        yield Single(part, f"a transfer: {fault}", mode, strikes, harmless=SECOND_LOOK)
        yield Single(part, f"every transfer with {OUTPUT}: {fault}", mode,
                     at_once(f"{kind} {OUTPUT}"))  # fmt: skip
        yield Single(part, f"every transfer with {FEEDBACK}: {fault}", mode,
                     at_once(f"{kind} {FEEDBACK}"))  # fmt: skip
    for kind, (fault, mode) in IN_A_WRITE.items():
        yield Single(part, f"a write: {fault}", mode, at_the_next_write(kind), demands=NOBODY,
                     dies_with_it=False)  # fmt: skip
        yield Single(part, f"every write for 4 s: {fault}", mode,
                     at_the_next_write(kind, 4_000_000), demands=NOBODY,
                     dies_with_it=False)  # fmt: skip
    for wire in ("SDA held low, or without pull-up", "SCL held low, or without pull-up"):
        yield Single(part, f"{wire}, for 10 s", "stuck at 0", at_once("timeout", lasts_s=10),
                     concerns=FEEDING)  # fmt: skip
    yield Single(
        part, "address straps of 0x20 and 0x21 swapped", "masquerade",
        lambda t: (t.begins(), t.at_work.ask(DEMANDS), t.watch(8)), demands={}, repaired=False,
        before=lambda w: miswiring.apply(miswiring.parse("swapped-straps 0x20 0x21"), w.charger),
        dies_with_it=False, builder="`commission` before the first use",
    )  # fmt: skip


def _lines() -> Iterator[Single]:
    hardware = STATION.hardware
    enable = dict(enumerate(hardware.enable_pins, 1))
    status = dict(enumerate(hardware.status_pins, 1))
    low, high, broken = "stuck at 0", "stuck at 1", "open circuit"
    part = "enable line"
    yield Single(part, "of PM1, which feeds: held low", low, at_once(f"line-low {enable[1]}"))
    yield Single(part, "of PM1, which feeds: held high", high,
                 at_the_next_switching_off(f"line-high {enable[1]}"))  # fmt: skip
    yield Single(part, "of PM8, which is free: held high", high, at_once(f"line-high {enable[8]}"),
                 concerns=FEEDING)  # fmt: skip
    yield Single(part, "of PM1, which is free: held low", low,
                 at_the_next_closing(f"line-low {enable[1]}"), demands=NOBODY)  # fmt: skip
    yield Single(part, "of PM1, which feeds: wire broken at the module", broken,
                 at_once("module-dead 1"), "a pull-down at the module's input")  # fmt: skip
    part = "status line"
    yield Single(part, "of PM1, which feeds: stuck low, or wire broken", low,
                 at_once(f"line-low {status[1]}"))  # fmt: skip
    yield Single(part, "of PM1, which feeds: stuck high", high,
                 at_the_next_switching_off(f"line-high {status[1]}"))  # fmt: skip
    yield Single(part, "of PM8, which is free: stuck high", high, at_once(f"line-high {status[8]}"))
    yield Single(part, "of PM1, which is free: stuck low, or wire broken", low,
                 at_the_next_closing(f"line-low {status[1]}"), demands=NOBODY)  # fmt: skip
    part = "emergency stop"
    yield Single(part, "input: wire broken, or stuck low", broken,
                 at_once(f"line-low {hardware.estop_pin}"))  # fmt: skip
    yield Single(
        part, "input stuck high", high, at_once(f"line-high {hardware.estop_pin}"),
        f"{PROOF_TEST}: press it; its hardware acts without us, and the status inputs show that",
    )  # fmt: skip
    yield Single(part, "pressed", "demand upon the safety function", at_once("estop"))
    yield Single(part, "contact welded: pressed, it cuts nothing", "fails to open", None,
                 f"two channels, or {PROOF_TEST} by `commission`")  # fmt: skip
    yield Single(part, "gate of PM1 stuck on: its enable is not cut", "fails to open",
                 at_once("gate-stuck-on 1"), f"{PROOF_TEST} by `commission`")  # fmt: skip
    part = "watchdog line"
    for level, mode in (("low", low), ("high", high)):
        yield Single(part, f"stuck {level}", mode, at_once(f"line-{level} {hardware.watchdog_pin}"))
    yield Single(part, "relay watchdog stuck on: it does not cut", "fails to open",
                 at_once("watchdog-stuck-on"),
                 f"{PROOF_TEST} by `commission`, and of an idle station")  # fmt: skip
    part = "RESET line"
    yield Single(part, "low for 20 ms", "spurious operation",
                 at_once(f"line-low {hardware.reset_pin}", lasts_s=0.02),
                 harmless="its off-delay holds RESET up")  # fmt: skip
    yield Single(part, "stuck low", low, at_once(f"line-low {hardware.reset_pin}"),
                 "the off-delay of RESET")  # fmt: skip
    yield Single(
        part, "stuck high", high, at_once(f"line-high {hardware.reset_pin}"),
        f"{PROOF_TEST}: `commission`; expanders are configured anew without it as well",
    )  # fmt: skip
    yield Single(part, "low for 20 ms behind its off-delay", "spurious operation",
                 at_once("reset", lasts_s=0.02))  # fmt: skip
    part = "GPIO"
    yield Single(part, "its library fails", "no output", line_fails, dies_with_it=False)


def _supplies() -> Iterator[Single]:
    part, mode = "supply", "loss"
    yield Single(part, "of the Pi, for 20 s", mode, gone(power=True, expanders=False, away_s=20),
                 "pull-downs on enables, watchdog and RESET", dies_with_it=False)  # fmt: skip
    yield Single(part, "of the expanders, for 0.5 s", mode, at_once("reset", lasts_s=0.5))
    yield Single(part, "of the expanders, for 4 s", mode, at_once("reset"))
    yield Single(part, "of both, for 20 s", mode, gone(power=True, expanders=True, away_s=20),
                 dies_with_it=False)  # fmt: skip
    for name, address in (("output", OUTPUT), ("feedback", FEEDBACK)):
        yield Single(part, f"of one {name} expander dips", "brown-out",
                     once(f"brown-out {address}"))  # fmt: skip
    yield Single(part, "of the relays, for 4 s", mode, at_once("relay-supply-off"),
                 "enables cut at once, coils off-delayed")  # fmt: skip
    yield Single(part, "of the coils, behind the off-delay, for 4 s", mode,
                 at_once("coil-supply-off"),
                 "contactors that break their current some times")  # fmt: skip
    yield Single(part, "of anything: too high", "drift", None,
                 "supplies with overvoltage protection")  # fmt: skip


def _computer() -> Iterator[Single]:
    part, late = "Raspberry Pi", "unacceptable delay"
    yield Single(part, "the process ends by an error, back after 2 s", "no output", crashes,
                 dies_with_it=False)  # fmt: skip
    yield Single(part, "the process is killed, back after 5 s", "no output",
                 gone(power=False, expanders=False, away_s=5), dies_with_it=False)  # fmt: skip
    for stall_ms in (50, 450, 5000):
        yield Single(part, f"stands still for {stall_ms} ms", late, stalled(stall_ms),
                     harmless="nothing closes or rises by old readings, and it reads on",
                     dies_with_it=False)  # fmt: skip
    for fault, number in (("full", errno.ENOSPC), ("read-only", errno.EROFS), ("fails", errno.EIO)):
        yield Single(part, f"disk {fault}, when 1:1 is to be latched", "loss",
                     on_a_disk(DiskFault("refuses", errno=number)))  # fmt: skip
    yield Single(part, "disk takes 300 ms, when 1:1 is to be latched", late,
                 on_a_disk(DiskFault("slow", for_us=300_000)))  # fmt: skip
    for by_h in (-6, 6):
        yield Single(part, f"wall clock stepped by {by_h:+} h", "drift", clock_stepped(by_h),
                     harmless="nothing that decides asks for the time of day, but a limit of the"
                     " site that is told to end at one, and a proof test's date")  # fmt: skip
    yield Single(part, "what is printed is not taken", "loss", None,
                 harmless="it waits in a queue beside the scan, and what is dropped is"
                 " counted")  # fmt: skip
    yield Single(part, "computes wrongly (CPU, memory)", "corruption", None,
                 "the gun controller's own limits; the emergency stop")  # fmt: skip


def _module() -> Iterator[Single]:
    part = "power module"
    yield Single(part, "PM1 dead while it feeds", "no output", at_once("module-dead 1"))
    yield Single(part, "PM1 does not switch off", "fails to stop",
                 at_the_next_switching_off("module-stuck-on 1"))  # fmt: skip
    yield Single(part, "PM8, which is free, runs by itself", "spurious operation",
                 at_once("module-stuck-on 8"))  # fmt: skip
    yield Single(part, "gives too little, or too much", "drift", None,
                 "the gun controller measures voltage and current")  # fmt: skip
    yield Single(part, "blocking diode shorted", "short circuit", None,
                 "the module's own supervision, fuses")  # fmt: skip


def _outside() -> Iterator[Single]:
    part = "gun"
    yield Single(part, "1: its controller falls silent", "loss", falls_silent)
    yield Single(part, "draws more than it is offered", "fails to follow", None,
                 "the gun controller; current limit of the modules")  # fmt: skip
    yield Single(part, "its own output contactor welded", "fails to open", None,
                 "the gun controller's own weld detection")  # fmt: skip
    part = "cabinet"
    yield Single(part, "insulation, protective earth", "short circuit", None,
                 "insulation monitor and earth supervision of each gun")  # fmt: skip
    yield Single(part, "off-delay shorter than the current's decay", "drift", None,
                 f"{PROOF_TEST} of the off-delay")  # fmt: skip
