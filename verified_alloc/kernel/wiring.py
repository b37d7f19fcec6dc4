"""Which contactor hangs on which expander pin, and the words that set them.

Contactors are counted module by module, guns ascending, only those that exist. Each expander
carries 14 of them on GPA0-GPA6 and GPB0-GPB6; GPA7 and GPB7 cannot be inputs (Microchip DS20001952,
revision of 2022) and stay unused, so that a contactor's auxiliary contact sits at the same place.
A word is 16 bits, GPA0 first. Nothing here computes on a value: wires only lead somewhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel.ops import Ops, Shape

CONTACTORS_PER_EXPANDER = 14
PINS_PER_PORT = 7
BITS_PER_WORD = 16


class Place(NamedTuple):
    """Where a contactor is wired: the expander's position in the station's list, and the bit."""

    expander: Shape
    bit: Shape


Word = tuple[bool, ...]


def place(contactor: Shape) -> Place:
    """The place of the contactor with this number (0 = the first)."""
    expander, pin = divmod(contactor, CONTACTORS_PER_EXPANDER)
    return Place(expander, pin + pin // PINS_PER_PORT)


def expanders(contactors: Shape) -> Shape:
    """How many expanders carry that many contactors."""
    return -(-contactors // CONTACTORS_PER_EXPANDER)


def words(coils: Sequence[bool]) -> tuple[Word, ...]:
    """One word for each expander, from the coils in the order of the contactors."""
    firsts = range(0, CONTACTORS_PER_EXPANDER * expanders(len(coils)), CONTACTORS_PER_EXPANDER)
    return tuple((*_port(coils, first), *_port(coils, first + PINS_PER_PORT)) for first in firsts)


def _port(coils: Sequence[bool], first: Shape) -> Word:
    """The eight bits of one port, whose first contactor has this number."""
    bits = tuple(coils[first : first + PINS_PER_PORT])
    return (*bits, *((False,) * (BITS_PER_WORD // 2 - len(bits))))


def coils(image: Sequence[Word], contactors: Shape) -> tuple[bool, ...]:
    """The coils that those words set: the inverse of `words`."""
    return tuple(image[expander][bit] for expander, bit in map(place, range(contactors)))


def valid(ops: Ops, answered: Sequence[bool], carriers: Sequence[Shape]) -> bool:
    """Every expander that carries a module's contactors answered, or did as it was told."""
    return ops.and_(*[answered[expander] for expander in carriers])


def next_coils(
    ops: Ops,
    may_switch: Sequence[bool],
    wanted: Sequence[bool],
    verified: Sequence[bool],
) -> tuple[bool, ...]:
    """The coils to write, by contactor: what is wanted of the modules that may switch in this scan,
    and for all others exactly the latch that was verified, because they share words."""
    return tuple(
        ops.or_(ops.and_(may, want), ops.and_(ops.not_(may), latch))
        for may, want, latch in zip(may_switch, wanted, verified, strict=True)
    )
