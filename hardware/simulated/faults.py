"""Faults on request: `weld 3:5 @ 120s`, `nack 0x21 @ 10s for 5s`."""

import re
from dataclasses import dataclass
from decimal import Decimal

PAIR_KINDS = (
    "weld",
    "failed-open",
    "late-release",
    "late-operate",
    "spontaneous-open",
    "spontaneous-close",
    "aux-stuck-closed",
    "aux-stuck-open",
    "aux-chatter",
    "aux-broken-wire",
    "coil-open",
    "coil-shorted",
)
MODULE_KINDS = ("module-dead", "module-stuck-on")
GATE_KINDS = ("gate-stuck-on",)
"""What does not cut the enable of a module, though emergency stop or watchdog tell it to."""
LINE_KINDS = ("line-high", "line-low")
STATION_KINDS = ("estop", "watchdog-stuck-on", "relay-supply-off", "coil-supply-off", "reset")
"""Of the hardware between the Pi and the coils: the last two strike behind its off-delay."""
CAUSES = {
    "estop": ("emergency stop", "emergency stop released"),
    "relay-supply-off": ("relay supply", "relay supply back"),
}
"""What cuts the enables at once, by its kind: what it is called as it begins and as it ends."""
CHIP_KINDS = ("pin-high", "pin-low", "upset")
BUS_KINDS = (
    "nack",
    "nack-data",
    "timeout",
    "flip-read",
    "flip-write",
    "wrong-chip",
    "drop-write",
    "brown-out",
    "no-transfer",
)
STALL = "stall"
"""Of the host: it stands still, and what it has read is old when it goes on."""
ONCE_KINDS = ("flip-read", "flip-write", "wrong-chip", "drop-write", "brown-out")
"""Bus faults that strike once when no duration is given; all others last."""

ALLOWED = (
    f"{', '.join(PAIR_KINDS)} GUN:MODULE; {', '.join(MODULE_KINDS + GATE_KINDS)} MODULE; "
    f"{', '.join(STATION_KINDS)}; {', '.join(LINE_KINDS)} BCM; "
    f"{', '.join(CHIP_KINDS)} ADDRESS:BIT; {', '.join(BUS_KINDS)} [ADDRESS], with several buses "
    f"BUS:ADDRESS or bus-BUS; {STALL}; then optionally '@ TIME' and 'for TIME' (ms, s or min), as "
    "in 'weld 3:5 @ 120s' or 'nack 0x21 @ 10s for 500ms'"
)

_SHAPE = re.compile(
    r"(?P<kind>[a-z-]+)(?:\s+(?P<target>(?:bus-)?[0-9][0-9a-fx:]*))?"
    r"(?:\s*@\s*(?P<at>\d+(?:\.\d+)?)\s*(?P<at_unit>ms|s|min))?"
    r"(?:\s+for\s+(?P<dur>\d+(?:\.\d+)?)\s*(?P<dur_unit>ms|s|min))?",
    re.ASCII,
)
REGISTER_BITS = 8 * 22
MOST_US = 10**15
"""Thirty years; longer is for good."""
_UNIT_US = {"ms": 1_000, "s": 1_000_000, "min": 60_000_000}


@dataclass(frozen=True)
class Injection:
    """One fault: what, where, from when, for how long (`for_us` None: once or for the rest)."""

    kind: str
    gun: int | None = None
    module: int | None = None
    bus: int | None = None
    """None: the only one."""
    address: int | None = None
    line: int | None = None
    bit: int | None = None
    at_us: int = 0
    for_us: int | None = None
    text: str = ""

    @property
    def on_bus(self) -> bool:
        """Whether the I2C bus must play this one, not the cabinet."""
        return self.kind in (*BUS_KINDS, *CHIP_KINDS, STALL)

    @property
    def bus_kind(self) -> str:
        """The kind as the simulated bus spells it."""
        return self.kind.replace("-", "_")

    @property
    def strikes_once(self) -> bool:
        """A single strike rather than a lasting state."""
        return self.kind == STALL or (self.for_us is None and self.kind in ONCE_KINDS)


def _refused(text: str, why: str) -> ValueError:
    return ValueError(f"fault {text!r}: {why}; allowed: {ALLOWED}")


def _microseconds(number: str | None, unit: str | None) -> int | None:
    if number is None or unit is None:
        return None
    return min(int(Decimal(number) * _UNIT_US[unit]), MOST_US)


def _place(text: str, target: str) -> tuple[int | None, int | None]:
    """Bus and address of `0x21`, `3:0x21` or `bus-3`, as far as they are said."""
    whole_bus = re.fullmatch(r"bus-(\d+)", target, re.ASCII)
    if whole_bus is not None:
        return int(whole_bus[1]), None
    bus, colon, chip = target.rpartition(":")
    try:
        address = int(chip, 0)
        number = int(bus) if colon else None
    except ValueError:
        raise _refused(text, f"{target} is no chip's address such as 0x21") from None
    if not 0x20 <= address <= 0x27:
        raise _refused(text, f"{target} is no expander's address (0x20 to 0x27)")
    return number, address


def parse(text: str) -> Injection:
    """Read one fault; anything else is a ValueError of one line that names what is allowed."""
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise _refused(text, "not understood")
    kind, target = found["kind"], found["target"]
    gun = module = bus = address = line = bit = None
    if kind in PAIR_KINDS:
        pair = re.fullmatch(r"([1-9]\d*):([1-9]\d*)", target or "", re.ASCII)
        if pair is None:
            raise _refused(text, f"{kind} needs a contactor such as 3:5")
        gun, module = int(pair[1]), int(pair[2])
    elif kind in MODULE_KINDS + GATE_KINDS:
        if not re.fullmatch(r"[1-9]\d*", target or "", re.ASCII):
            raise _refused(text, f"{kind} needs a module such as 4")
        module = int(target)
    elif kind in LINE_KINDS:
        if not re.fullmatch(r"\d+", target or "", re.ASCII):
            raise _refused(text, f"{kind} needs a line's BCM number such as 16")
        line = int(target)
    elif kind in CHIP_KINDS:
        where, _, number = (target or "").rpartition(":")
        bits = REGISTER_BITS if kind == "upset" else 16
        if not (where and re.fullmatch(r"0|[1-9]\d*", number, re.ASCII)) or int(number) >= bits:
            raise _refused(text, f"{kind} needs an address and a bit from 0 to {bits - 1}, 0x21:3")
        (bus, address), bit = _place(text, where), int(number)
        if address is None:
            raise _refused(text, f"{kind} needs a chip's address such as 0x21")
    elif kind in BUS_KINDS:
        if target is not None:
            bus, address = _place(text, target)
        if address is None and kind == "brown-out":
            raise _refused(text, "brown-out needs a chip's address such as 0x20")
    elif kind not in (*STATION_KINDS, STALL):
        raise _refused(text, f"there is no kind {kind}")
    elif target is not None:
        raise _refused(text, f"{kind} takes no target")
    for_us = _microseconds(found["dur"], found["dur_unit"])
    if for_us is not None and for_us <= 0:
        raise _refused(text, "a duration is longer than 0")
    if for_us is not None and kind in ("brown-out", "upset"):
        raise _refused(text, f"{kind} has no duration")
    if for_us is None and kind == STALL:
        raise _refused(text, f"{STALL} needs a duration")
    return Injection(
        kind=kind,
        gun=gun,
        module=module,
        bus=bus,
        address=address,
        line=line,
        bit=bit,
        at_us=_microseconds(found["at"], found["at_unit"]) or 0,
        for_us=for_us,
        text=" ".join(text.split()),
    )
