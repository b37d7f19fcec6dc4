"""Mistakes of an electrician, for commissioning to find: `swapped-coils 1:1 2:1`, `swapped-straps
0x20 0x21`."""

import re
from typing import NamedTuple

from hardware.simulated.bus import SimulatedBus
from hardware.simulated.charger import SimulatedCharger

KINDS = {
    "swapped-straps": "ADDRESS ADDRESS",
    "swapped-coils": "GUN:MODULE GUN:MODULE",
    "swapped-contacts": "GUN:MODULE GUN:MODULE",
    "swapped-enables": "MODULE MODULE",
    "swapped-statuses": "MODULE MODULE",
}
"""What each kind is of. Straps are those of two expanders' addresses, of several buses as in
`3:0x20 3:0x21`; contacts, the auxiliary contacts' wires."""

_SHAPES = {
    "ADDRESS": re.compile(r"(?:\d+:)?0x2[0-7]", re.ASCII),
    "GUN:MODULE": re.compile(r"[1-9]\d*:[1-9]\d*", re.ASCII),
    "MODULE": re.compile(r"[1-9]\d*", re.ASCII),
}


class Miswiring(NamedTuple):
    """One mistake, from the start: its kind and what it is of, as text."""

    kind: str
    targets: tuple[str, ...]


def parse(text: str) -> Miswiring:
    """Read one mistake; anything else is a ValueError of one line that names what is allowed."""
    kind, *targets = text.split() or [""]
    shapes = KINDS.get(kind, "").split()
    if (
        not shapes
        or len(targets) != len(shapes)
        or not all(
            _SHAPES[shape].fullmatch(target) for shape, target in zip(shapes, targets, strict=True)
        )
    ):
        allowed = "; ".join(f"{kind} {targets}" for kind, targets in KINDS.items())
        raise ValueError(f"fault {text!r}: not understood; allowed: {allowed}")
    return Miswiring(kind, tuple(targets))


def apply(mistake: Miswiring, charger: SimulatedCharger) -> None:
    """Wire the charger so. ValueError if it has no such part."""
    try:
        _apply(mistake, charger)
    except KeyError as error:
        text = f"{mistake.kind} {' '.join(mistake.targets)}"
        raise ValueError(f"fault {text!r}: there is no {error.args[0]}") from None


def _apply(mistake: Miswiring, charger: SimulatedCharger) -> None:
    kind, targets = mistake
    if kind == "swapped-straps":
        one, other = (int(target.rpartition(":")[2], 16) for target in targets)
        chips = _bus_of(targets, charger).chips
        chips[one], chips[other] = chips[other], chips[one]
    elif kind == "swapped-coils":
        charger.cabinet.swap_coils(*map(_pair, targets))
    elif kind == "swapped-contacts":
        charger.cabinet.swap_contacts(*map(_pair, targets))
    elif kind == "swapped-enables":
        charger.pins.swap_enables(*map(int, targets))
    else:
        charger.pins.swap_statuses(*map(int, targets))


def _bus_of(targets: tuple[str, ...], charger: SimulatedCharger) -> SimulatedBus:
    """The bus that all of these expanders are on. KeyError if there is none."""
    numbers = {target.rpartition(":")[0] for target in targets}
    if numbers == {""} and len(charger.buses) == 1:
        return charger.bus
    for number, bus in charger.buses.items():
        if numbers == {str(number)}:
            return bus
    raise KeyError("one bus that both are on")


def _pair(text: str) -> tuple[int, int]:
    gun, _, module = text.partition(":")
    return int(gun), int(module)
